"""The smaller parts of a capture: resolvers, time source, sealed layer, commands, requests, cleanliness, difference."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
import threading
from datetime import UTC, datetime
from pathlib import Path

import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world.patience import HANG

from chopmark.base.errors import Invalid, Unavailable
from chopmark.evidence.capture import cleanliness, commands, names, sealed, timesource, vantage
from chopmark.evidence.capture.cleanliness import Place
from chopmark.evidence.capture.request import Limits, Request, web_address

AT = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


@contextlib.contextmanager
def udp_server(answer):
    """A server that answers each datagram by a function."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        server.settimeout(0.1)
        over = threading.Event()

        def serve():
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    question, sender = server.recvfrom(2048)
                    if (said := answer(question)) is not None:
                        server.sendto(said, sender)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        over.set()
        thread.join(HANG)


# ---- resolvers -------------------------------------------------------------------------------------------------------


def answering(address):
    def answer(question):
        asked = dns.message.from_wire(question)
        reply = dns.message.make_response(asked)
        if asked.question[0].rdtype == 1:
            reply.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", address))
        return reply.to_wire()

    return answer


def test_two_resolvers_are_asked_and_their_messages_are_kept(monkeypatch):
    monkeypatch.setattr(names, "PATIENCE", 1.5)  # in which the first must answer
    with udp_server(answering("192.0.2.1")) as first, udp_server(lambda _question: None) as second:
        found = names.ask("shop.example", [first, second], lambda: AT)
    assert [(each["kind"], each.get("status"), "failure" in each) for each in found] == [
        ("A", "NOERROR", False),
        ("AAAA", "NOERROR", False),
        ("A", None, True),
        ("AAAA", None, True),
    ]
    assert found[0]["answers"] == ["shop.example. 60 IN A 192.0.2.1"]
    assert dns.message.from_wire(base64.b64decode(found[0]["message"])).answer


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("1.1.1.1", ("1.1.1.1", 53)),
        ("1.1.1.1:5353", ("1.1.1.1", 5353)),
        ("[2400:3200::1]:53", ("2400:3200::1", 53)),
        ("2400:3200::1", ("2400:3200::1", 53)),
    ],
)
def test_a_resolver_is_an_address_and_a_port(text, read):
    assert names.resolver(text) == read


@pytest.mark.parametrize("text", ["", "dns.example", "1.1.1.1:x", "1.1.1"])
def test_a_resolver_that_is_no_address_is_refused(text):
    with pytest.raises(Invalid, match=r"capture\.resolver_malformed"):
        names.resolver(text)


# ---- clock -----------------------------------------------------------------------------------------------------------


def ntp(offset, *, echo=True, stratum=1):
    """A time server whose clock is so many seconds ahead."""

    def answer(question):
        now = AT.timestamp() + offset + 2_208_988_800
        stamp = struct.pack(">II", int(now), int(now % 1 * (1 << 32)))
        nonce = question[40:48] if echo else bytes(8)
        return bytes([0x24, stratum]) + bytes(22) + nonce + stamp + stamp

    return answer


def test_the_clocks_offset_is_measured():
    with udp_server(ntp(2.5)) as server:
        assert abs(timesource.offset(server, lambda: AT) - 2500) < 300


@pytest.mark.parametrize("answer", [ntp(0, echo=False), ntp(0, stratum=0), lambda _q: b"short"])
def test_an_answer_that_is_not_to_our_question_is_no_time(answer):
    with udp_server(answer) as server, pytest.raises(Unavailable):
        timesource.offset(server, lambda: AT)


# ---- sealed layer ----------------------------------------------------------------------------------------------------


def test_the_raw_layer_opens_with_the_secret_key_only(tmp_path):
    secret, public = sealed.make_key()
    (tmp_path / "netlog.json").write_bytes(b'{"cookie":"4711"}' * 1000)
    data, whole = sealed.seal(tmp_path / "netlog.json", public)
    assert whole
    assert b"4711" not in data
    assert len(data) < 1000
    assert sealed.open_sealed(data, secret) == b'{"cookie":"4711"}' * 1000
    other, _ = sealed.make_key()
    for wrong, key in ((data, other), (data[:-1] + bytes([data[-1] ^ 1]), secret), (b"", secret)):
        with pytest.raises(Invalid, match=r"capture\.sealed_wrong"):
            sealed.open_sealed(wrong, key)


def test_a_raw_layer_beyond_the_limit_is_cut_and_said_so(tmp_path, monkeypatch):
    monkeypatch.setattr(sealed, "MAX_RAW", 100)
    secret, public = sealed.make_key()
    (tmp_path / "n").write_bytes(b"x" * 101)
    data, whole = sealed.seal(tmp_path / "n", public)
    assert (whole, sealed.open_sealed(data, secret)) == (False, b"x" * 100)


# ---- commands --------------------------------------------------------------------------------------------------------

GOOD = {
    "go to an address": {"action": "navigate", "url": "https://shop.example/"},
    "click something": {"action": "click", "selector": "#buy"},
    "click somewhere": {"action": "click", "x": 10, "y": 20},
    "type into something": {"action": "type", "selector": "#q", "text": "茶叶罐"},
    "type a secret": {"action": "type", "text": "pass", "secret": True},
    "press a key": {"action": "press", "key": "Control+Enter"},
    "scroll": {"action": "scroll", "x": 0, "y": 700},
    "wait": {"action": "wait", "milliseconds": 500},
    "finish": {"action": "finish", "by": "Mei Lan"},
}
BAD = {
    "no object": [],
    "no action": {},
    "another action": {"action": "evaluate", "text": "alert(1)"},
    "a further member": {"action": "finish", "script": "alert(1)"},
    "a file": {"action": "navigate", "url": "file:///etc/passwd"},
    "no address": {"action": "navigate"},
    "both something and somewhere": {"action": "click", "selector": "a", "x": 1, "y": 1},
    "half a place": {"action": "click", "x": 1},
    "a number as text": {"action": "click", "x": "1", "y": "1"},
    "true as a number": {"action": "click", "x": True, "y": True},
    "far outside": {"action": "scroll", "x": 0, "y": 10**9},
    "no text": {"action": "type", "text": ""},
    "a long wait": {"action": "wait", "milliseconds": 10**7},
    "no key": {"action": "press", "key": "; rm"},
    "nobody": {"action": "finish", "by": ""},
}


@pytest.mark.parametrize("value", GOOD.values(), ids=GOOD.keys())
def test_commands_are_read(value):
    assert commands.parse(value).action == value["action"]


@pytest.mark.parametrize("value", BAD.values(), ids=BAD.keys())
def test_what_is_no_command_is_refused(value):
    with pytest.raises(Invalid):
        commands.parse(value)


@given(st.dictionaries(st.sampled_from([*commands._FIELDS, "z"]), st.one_of(st.text(), st.integers(), st.booleans())))
def test_any_object_is_read_or_refused(value):
    with contextlib.suppress(Invalid):
        commands.parse(value)


def test_a_secret_is_recorded_by_its_length_only():
    assert commands.parse(GOOD["type a secret"]).facts() == {"characters": 4}
    assert commands.parse(GOOD["scroll"]).facts() == {"x": 0, "y": 700}


def test_a_folder_carries_commands_and_outcomes_between_processes(tmp_path):
    ours, theirs = commands.Folder(tmp_path), commands.Folder(tmp_path)
    assert ours.next() is None
    assert [theirs.put(GOOD["scroll"]), theirs.put(GOOD["finish"])] == [1, 2]
    command = ours.next()
    assert command.action == "scroll"
    assert theirs.outcome(1) is None
    done = commands.Outcome(number=1, command=command, failure="", url="u", title="茶", screenshot=b"jpeg")
    ours.done(done)
    assert theirs.outcome(1) == {"number": 1, "action": "scroll", "failure": "", "url": "u", "title": "茶"}
    assert theirs.screenshot(1) == b"jpeg"
    assert ours.next().action == "finish"


@pytest.mark.parametrize("text", ["{", "[]", '{"action":"evaluate"}', "[" * 10_000, "1" * 20_000])
def test_a_file_that_is_no_command_is_answered_and_passed_over(tmp_path, text):
    folder = commands.Folder(tmp_path)
    (tmp_path / "0001.json").write_text(text)
    assert folder.next() is None
    assert folder.outcome(1) == {"number": 1, "failure": "malformed"}
    folder.put(GOOD["finish"])
    assert folder.next().action == "finish"


# ---- requests --------------------------------------------------------------------------------------------------------

NO_PAGES = {
    "a file": "file:///etc/passwd",
    "a script": "javascript:alert(1)",
    "data": "data:text/html,x",
    "the browser's own": "chrome://settings",
    "no host": "http:///x",
    "a password": "https://me:secret@shop.example/",
    "a name of a user": "https://me@shop.example/",
    "a port that is none": "http://shop.example:99999/",
    "broken brackets": "http://[::1/",
    "a line": "http://shop.example/\nx",
    "a space": "http://shop.example/a b",
    "a back slash": "http://shop.example\\@evil.example/",
    "too long": "http://shop.example/" + "x" * 2048,
    "nothing": "",
}


@pytest.mark.parametrize("url", NO_PAGES.values(), ids=NO_PAGES.keys())
def test_what_is_no_page_is_refused(url):
    with pytest.raises(Invalid, match=r"capture\.url_malformed"):
        Request(url=url).must_fit()


def test_pages_have_a_host():
    assert web_address("https://Shop.Example:8443/茶?a=b#c") == "shop.example"


@pytest.mark.parametrize(
    "wrong",
    [{"passes": 0}, {"interval": 601}, {"width": 10}, {"height": 9999}, {"actor": ""}, {"limits": Limits(seconds=4)}],
)
def test_wishes_out_of_range_are_refused(wrong):
    with pytest.raises(Invalid, match=r"capture\.request_malformed"):
        Request(url="https://shop.example/", **wrong).must_fit()


def test_each_mode_has_its_usual_time():
    url = "https://shop.example/"
    assert Request(url=url).seconds == 120
    assert Request(url=url, mode="operator").seconds == 3600
    assert Request(url=url, mode="live", passes=10, interval=60).seconds > 600
    assert Request(url=url, limits=Limits(seconds=7)).seconds == 7
    Request(url=url, mode="live", passes=60, interval=600).must_fit()


# ---- cleanliness -----------------------------------------------------------------------------------------------------


@pytest.fixture
def clean(tmp_path):
    """A machine on which nothing is wrong, as files."""
    for folder in ("etc/ssl/certs", "proc/1", "proc/self", "profile"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "etc/hosts").write_text("127.0.0.1 localhost vm # ours\n::1 ip6-localhost\n\n")
    (tmp_path / "etc/resolv.conf").write_text("# x\nnameserver 192.0.2.53\n")
    (tmp_path / "etc/ssl/certs/ca-certificates.crt").write_text("certificates")
    (tmp_path / "proc/1/status").write_text("Name:\tinit\nPPid:\t0\nUid:\t0\t0\t0\t0\nTracerPid:\t0\n")
    (tmp_path / "proc/self/environ").write_bytes(b"LANG=C.UTF-8\0LD_LIBRARY_PATH=\0")
    (tmp_path / "browser").write_bytes(b"program")
    return tmp_path


def look(root: Path, *, before=True, environment=None, sources=()):
    place = Place(
        host="shop.example",
        browser=root / "browser",
        profile=root / "profile",
        locale="zh-CN",
        time_zone="Asia/Shanghai",
        screen=(1280, 900),
        time_sources=sources,
        root=root,
        environment=environment or {},
    )
    report = cleanliness.look(place, lambda: AT, before=before)
    return report, {line["check"]: line for line in report["lines"]}


def test_a_clean_machine_passes_and_says_what_was_not_measured(clean):
    report, lines = look(clean)
    assert report["verdict"] == "pass"
    assert {name for name, line in lines.items() if line["status"] == "not_measured"} == {"clock", "image"}
    assert lines["processes"]["processes"] == [{"pid": 1, "ppid": 0, "uid": 0, "name": "init"}]
    assert base64.b64decode(lines["hosts"]["bytes"]).startswith(b"127.0.0.1 localhost")
    json.dumps(report)


def spoil_hosts(root):
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n192.0.2.9 shop.example\n")


def spoil_hosts_with_loopback(root):
    (root / "etc/hosts").write_text("127.0.0.1 shop.example\n")


def spoil_processes(root):
    (root / "proc/7").mkdir()
    (root / "proc/7/status").write_text("Name:\tmitmdump\nPPid:\t1\nUid:\t0\t0\n")


def spoil_profile(root):
    (root / "profile/Cookies").write_text("x")


def spoil_policy(root):
    (root / "etc/chromium/policies/managed").mkdir(parents=True)
    (root / "etc/chromium/policies/managed/a.json").write_text("{}")


def spoil_preload(root):
    (root / "etc/ld.so.preload").write_text("/lib/evil.so\n")


def spoil_browser(root):
    (root / "browser").unlink()


def spoil_resolver(root):
    (root / "etc/resolv.conf").write_text("")


@pytest.mark.parametrize(
    ("spoil", "check"),
    [
        (spoil_hosts, "hosts"),
        (spoil_hosts_with_loopback, "hosts"),
        (spoil_processes, "processes"),
        (spoil_profile, "profile"),
        (spoil_policy, "browser_policies"),
        (spoil_preload, "preload"),
        (spoil_browser, "browser"),
        (spoil_resolver, "resolver"),
    ],
)
def test_what_is_not_clean_fails_its_line_and_the_whole(clean, spoil, check):
    spoil(clean)
    report, lines = look(clean)
    assert report["verdict"] == "fail"
    assert {name for name, line in lines.items() if line["status"] == "fail"} == {check}


def test_a_proxy_among_the_variables_fails_without_its_value(clean):
    report, lines = look(clean, environment={"HTTPS_PROXY": "http://me:secret@proxy"})
    assert (lines["proxy"]["status"], lines["proxy"]["variables"]) == ("fail", ["HTTPS_PROXY"])
    assert "secret" not in json.dumps(report)


def test_a_library_before_others_fails_without_its_value_when_the_loader_was_told(clean):
    (clean / "proc/self/environ").write_bytes(b"LANG=C\0LD_PRELOAD=/home/secret/evil.so\0")
    report, lines = look(clean)
    assert (lines["preload"]["status"], lines["preload"]["variables"]) == ("fail", ["LD_PRELOAD"])
    assert "secret" not in json.dumps(report)


def test_what_a_library_set_for_itself_after_the_start_is_no_fault(clean):
    _, lines = look(clean, environment={"LD_LIBRARY_PATH": "/somewhere/cv2/lib"})
    assert lines["preload"]["status"] == "pass"


def test_an_environment_that_cannot_be_read_is_no_pass(clean):
    (clean / "proc/self/environ").unlink()
    assert look(clean)[1]["preload"]["status"] == "fail"


def test_a_used_profile_passes_afterwards_unless_extensions_came(clean):
    spoil_profile(clean)
    assert look(clean, before=False)[1]["profile"]["status"] == "pass"
    (clean / "profile/Default/Extensions").mkdir(parents=True)
    assert look(clean, before=False)[1]["profile"]["status"] == "fail"


@pytest.mark.parametrize(("ahead", "status"), [(0.2, "pass"), (5, "fail")])
def test_the_clock_is_compared_where_a_source_is_given(clean, ahead, status):
    with udp_server(ntp(ahead)) as server:
        _, lines = look(clean, sources=[server])
    assert lines["clock"]["status"] == status


# ---- difference ------------------------------------------------------------------------------------------------------


def seen(body, status=200, **headers):
    return vantage.Seen(url="https://a/", status=status, headers=headers, body=body)


def test_equal_documents_are_equal():
    one = seen(b"<p>a b c</p>", etag="1")
    found = vantage.difference(one, one)
    assert (found["body_equal"], found["text_alike"], found["headers_differing"]) == (True, 1000, [])


def test_a_cloaked_page_differs():
    ours = seen(b"<script>x</script><p>replica bags cheap cheap</p>", etag="1", server="x")
    theirs = seen(b"<p>flower garden shop</p>", 404, etag="2", server="x")
    found = vantage.difference(ours, theirs)
    assert (found["status_equal"], found["body_equal"], found["text_alike"]) == (False, False, 0)
    assert found["headers_differing"] == ["etag"]


@given(st.binary(max_size=300))
def test_words_of_anything_are_found(document):
    vantage.words(document)
    vantage.words(b"<![foo[" + document)
