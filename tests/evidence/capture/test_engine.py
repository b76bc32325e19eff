"""Whole captures with the system's Chromium against a local shop, honest and hostile."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace

import pytest
from PIL import Image
from warcio.archiveiterator import ArchiveIterator
from world.browser import CHROMIUM
from world.patience import HANG
from world.shop import Shop, bad_certificate, udp_ear

from chopmark.base import jcs
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence.capture import commands, processlog, sealed
from chopmark.evidence.capture.browser import processes_of
from chopmark.evidence.capture.engine import capture, holds_page, reread, salvage
from chopmark.evidence.capture.guard import Caps
from chopmark.evidence.capture.recording import pictures
from chopmark.evidence.capture.request import Limits, Request, Station

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]
SHORT = Limits(seconds=300, scrolls=3)


@pytest.fixture(scope="module")
def shop():
    with Shop() as running:
        yield running


def station(shop, **more):
    return Station(allow=frozenset({shop.door}), **more)


class Hooks:
    """A stamper and a ledger that answer with what they were asked."""

    def __init__(self):
        self.deposited = []

    def stamp(self, sha256):
        return b"token over " + sha256

    def deposit(self, files):
        self.deposited.append([each.path for each in files])
        return [f"D-2026-{len(self.deposited)}{number:05}" for number, _ in enumerate(files)]


def actions(out):
    return [json.loads(line)["action"] for line in (out / "process.jsonl").read_text("utf-8").splitlines()]


def must_hold_together(made):
    """What is true of every capture, partial or whole."""
    described = jcs.decode((made.folder / "capture.json").read_bytes())
    files = {each["path"]: each for each in described["files"]}
    assert set(files) == {path.name for path in made.folder.iterdir()} - {"capture.json"}
    for each in made.files:
        data = (made.folder / each.path).read_bytes()
        assert (each.size, each.sha256) == (len(data), hashlib.sha256(data).digest())
        assert re.fullmatch(r"[A-Za-z0-9._-]+", each.path)
    head, entries = processlog.check((made.folder / "process.jsonl").read_bytes())
    assert (
        (described["log"]["head"], described["log"]["entries"]) == (head, entries) == (made.log_head, made.log_entries)
    )
    assert described["complete"] == made.complete == (not made.reasons)
    assert processes_of(made.folder / "work" / "profile") == []
    assert not (made.folder / "work").exists()
    return described


def archived(made):
    """Address to body, of all answers in the archive."""
    with zipfile.ZipFile(made.folder / "page.wacz") as container:
        data = container.read("archive/data.warc.gz")
    return {
        record.rec_headers.get_header("WARC-Target-URI"): record.content_stream().read()
        for record in ArchiveIterator(io.BytesIO(data), check_digests="raise")
        if record.rec_type == "response"
    }


def test_a_page_is_captured_in_every_form_and_deposited_in_the_same_step(shop, tmp_path):
    secret, public = sealed.make_key()
    hooks, told = Hooks(), []
    made = capture(
        Request(url=shop.url + "/", limits=SHORT),
        tmp_path / "c",
        station=station(shop, seal_to=public, resolvers=("127.0.0.1:9",)),
        hooks=hooks,
        progress=lambda step: told.append((threading.current_thread(), step.code)),
    )
    assert (made.complete, made.reasons, made.notes) == (True, (), ())
    must_hold_together(made)
    assert {each.path for each in made.files} == {
        *("page.wacz", "page.wacz.tst", "screenshot.png", "page.mhtml", "page.pdf", "dom.html", "visible-text.txt"),
        *("recording.avi", "dns.json", "http-headers.json", "netlog.json.zst.sealed", "cleanliness.json"),
        *("vantage.json", "second-body.bin", "process.jsonl", "process.jsonl.tst", "capture.json"),
    }
    out = made.folder
    bodies = archived(made)
    assert "库存 · in stock: 42" in bodies[shop.url + "/stock"].decode()
    assert b"Tea caddy 8" in bodies[shop.url + "/"]
    assert "in stock: 42" in (out / "visible-text.txt").read_text("utf-8")
    assert "in stock: 42" in (out / "dom.html").read_text("utf-8")
    assert (out / "page.pdf").read_bytes().startswith(b"%PDF-")
    with Image.open(out / "screenshot.png") as picture:
        assert picture.size[0] == 1280
        assert picture.size[1] > 1500
    with (out / "recording.avi").open("rb") as file:
        frames = list(pictures(file))
    assert len(frames) >= 2
    assert all(data.startswith(b"\xff\xd8") for _, data in frames)
    net_log = sealed.open_sealed((out / "netlog.json.zst.sealed").read_bytes(), secret)
    assert b"visitor=4711" in net_log or base64.b64encode(b"visitor=4711")[:12] in net_log
    for name in ("http-headers.json", "vantage.json", "process.jsonl"):
        assert b"4711" not in (out / name).read_bytes()
    difference = json.loads((out / "vantage.json").read_bytes())["difference"]
    assert (difference["body_equal"], difference["status_equal"]) == (True, True)
    assert "failure" in json.loads((out / "dns.json").read_bytes())["resolvers"][0]
    assert made.tokens == (("page.wacz.tst", "page.wacz"), ("process.jsonl.tst", "process.jsonl"))
    wacz = next(each for each in made.files if each.path == "page.wacz")
    assert (out / "page.wacz.tst").read_bytes() == b"token over " + wacz.sha256
    assert hooks.deposited[1] == ["process.jsonl", "capture.json"]
    assert set(made.deposits) == {each.path for each in made.files} - {"process.jsonl.tst"}
    assert {thread for thread, _ in told} == {threading.current_thread()}
    assert [code for _, code in told][-1] == "capture.step.done"
    assert {"navigate", "scroll", "page.shown", "file.kept", "deposited", "log.closed"} <= set(actions(out))


def test_an_operator_drives_the_recorded_browser_step_by_step(shop, tmp_path):
    queue = commands.Queue()
    asked = [
        {"action": "click", "selector": "a"},
        {"action": "type", "selector": "#count", "text": "37"},
        {"action": "click", "selector": "#nowhere-" + "x", "by": "Mei Lan"},
        {"action": "navigate", "url": "http://169.254.169.254/latest/"},
        {"action": "navigate", "url": shop.url + "/item/3"},
        {"action": "type", "selector": "#count", "text": "secret-38", "secret": True},
        {"action": "scroll", "x": 0, "y": 300},
        {"action": "click", "selector": "#buy"},
        {"action": "finish"},
    ]
    seen = []

    def drive():
        for each in asked:
            seen.append(queue.outcome(60))
            queue.put(commands.parse(each))
        seen.append(queue.outcome(60))

    person = threading.Thread(target=drive)
    person.start()
    made = capture(
        Request(url=shop.url + "/", mode="operator", actor="Mei Lan", second=False),
        tmp_path / "c",
        station=station(shop),
        source=queue,
    )
    person.join(HANG)
    assert [each.number for each in seen] == list(range(10))
    assert [each.failure for each in seen] == ["", "", "", "timeout", "refused", "", "", "", "", ""]
    assert all(each.screenshot.startswith(b"\xff\xd8") for each in seen)
    assert made.complete
    must_hold_together(made)
    assert made.final_url == shop.url + "/order?count=secret-38"
    assert "Ordered" in (made.folder / "visible-text.txt").read_text("utf-8")
    log = (made.folder / "process.jsonl").read_text("utf-8")
    assert '"text":"37"' in log
    assert '"characters":9' in log
    assert {f"step-{number:03}.jpg" for number in range(1, 9)} <= {each.path for each in made.files}


def test_a_live_page_is_looked_at_again_and_again(shop, tmp_path):
    made = capture(
        Request(url=shop.url + "/item/1", mode="live", passes=2, interval=1, second=False, limits=SHORT),
        tmp_path / "c",
        station=station(shop),
    )
    assert made.complete
    must_hold_together(made)
    assert {"screenshot.png", "pass-02-screenshot.png", "pass-02-visible-text.txt"} <= {
        each.path for each in made.files
    }
    assert actions(made.folder).count("page.shown") == 2


def test_a_hostile_page_reaches_nothing_and_forges_nothing(tmp_path):
    with udp_ear() as (port, heard), Shop(udp=port) as shop:
        made = capture(Request(url=shop.url + "/hostile", limits=SHORT), tmp_path / "c", station=station(shop))
        assert heard == []
    must_hold_together(made)
    assert "Hostile" in (made.folder / "visible-text.txt").read_text("utf-8")
    assert "forged" not in (made.folder / "visible-text.txt").read_text("utf-8")
    assert made.final_url == shop.url + "/hostile"
    contacts = json.loads((made.folder / "dns.json").read_bytes())["guard"]
    refused = {each["host"]: each["refused"] for each in contacts if each["refused"]}
    assert refused["169.254.169.254"] == "link_local"
    assert refused["127.0.0.1"] == "loopback"
    assert {each["used"] for each in contacts} <= {"", "127.0.0.1"}
    assert all("passwd" not in each for each in archived(made))
    assert "popup.closed" in actions(made.folder)


def test_a_redirect_to_a_private_address_is_kept_as_refused(shop, tmp_path):
    made = capture(
        Request(url=shop.url + "/to?url=http://10.0.0.1/secret", second=True, limits=SHORT),
        tmp_path / "c",
        station=station(shop),
    )
    assert made.reasons == ("refused",)
    must_hold_together(made)
    vantage = json.loads((made.folder / "vantage.json").read_bytes())["second"]
    assert (vantage["failure"], vantage["hops"][0]["status"]) == ("RemoteProtocolError", 302)


def test_a_page_without_end_is_followed_so_far_and_said_so(shop, tmp_path):
    made = capture(
        Request(url=shop.url + "/endless", second=False, limits=Limits(seconds=300, scrolls=3, height=2000)),
        tmp_path / "c",
        station=station(shop),
    )
    assert made.reasons == ("endless", "height")
    must_hold_together(made)
    with Image.open(made.folder / "screenshot.png") as picture:
        assert picture.size == (1280, 2000)


def test_two_gigabytes_are_cut_at_the_cap_and_kept_as_partial(shop, tmp_path):
    limits = Limits(seconds=300, scrolls=2, egress=Caps(size=1_000_000))
    made = capture(Request(url=shop.url + "/large", second=False, limits=limits), tmp_path / "c", station=station(shop))
    assert "bytes" in made.reasons
    must_hold_together(made)
    assert shop.sent < 100_000_000


def test_a_page_that_hangs_the_browser_is_kept_as_far_as_it_came(shop, tmp_path):
    started = time.monotonic()
    made = capture(
        Request(url=shop.url + "/spin", second=False, limits=Limits(seconds=20)), tmp_path / "c", station=station(shop)
    )
    assert time.monotonic() - started < HANG
    assert "time" in made.reasons
    must_hold_together(made)
    assert "browser.killed" in actions(made.folder)


def test_a_browser_killed_in_the_middle_leaves_a_partial_capture(shop, tmp_path):
    def kill():
        for _ in range(int(HANG * 10)):
            time.sleep(0.1)
            log = tmp_path / "c" / "process.jsonl"
            if log.is_file() and b'"scroll"' in log.read_bytes():
                for number in processes_of(tmp_path / "c" / "work" / "profile"):
                    os.kill(number, signal.SIGKILL)
                return

    killer = threading.Thread(target=kill)
    killer.start()
    made = capture(Request(url=shop.url + "/", second=False, limits=SHORT), tmp_path / "c", station=station(shop))
    killer.join(HANG)
    assert made.reasons == ("browser_ended",)
    must_hold_together(made)
    assert b"Tea caddy" in archived(made)[shop.url + "/"]


def test_a_bad_certificate_is_recorded_and_refused_unless_asked(tmp_path):
    with Shop(certificate=bad_certificate(tmp_path)) as shop:
        refused = capture(Request(url=shop.url + "/item/1", limits=SHORT), tmp_path / "a", station=station(shop))
        assert refused.reasons == ("certificate",)
        must_hold_together(refused)
        assert shop.asked == []
        asked = capture(
            Request(url=shop.url + "/item/1", accept_bad_certificate=True, limits=SHORT),
            tmp_path / "b",
            station=station(shop),
        )
    assert (asked.complete, asked.notes) == (True, ("no_raw_layer", "certificate_not_checked"))
    must_hold_together(asked)
    assert (tmp_path / "b" / "tls-chain.pem").read_text().startswith("-----BEGIN CERTIFICATE")
    [origin] = json.loads((tmp_path / "b" / "tls.json").read_bytes())["origins"]
    assert origin["protocol"].startswith("TLS 1.")
    assert origin["chain"][0]["subject"] == "CN=nobody"
    second = json.loads((tmp_path / "b" / "vantage.json").read_bytes())["second"]["hops"][0]
    assert second["certificate_sha256"] == origin["chain"][0]["sha256"]


def test_a_page_for_robots_is_recorded_as_it_was_shown(shop, tmp_path):
    made = capture(Request(url=shop.url + "/robots", second=False, limits=SHORT), tmp_path / "c", station=station(shop))
    assert (made.complete, made.status, made.title) == (True, 403, "Are you a robot?")
    assert "http_error" in made.notes
    must_hold_together(made)


def test_an_address_that_is_a_file_is_kept_as_a_file(shop, tmp_path):
    made = capture(Request(url=shop.url + "/file", second=False, limits=SHORT), tmp_path / "c", station=station(shop))
    assert made.reasons == ("download",)
    must_hold_together(made)
    assert (made.folder / "download.bin").read_bytes() == b"not a page"


def test_a_cancelled_capture_is_kept_as_partial(shop, tmp_path):
    log = tmp_path / "c" / "process.jsonl"
    made = capture(
        Request(url=shop.url + "/endless", second=False),
        tmp_path / "c",
        station=station(shop),
        cancelled=lambda: log.is_file() and b'"scroll"' in log.read_bytes(),
    )
    assert "cancelled" in made.reasons
    must_hold_together(made)


def test_an_authority_or_ledger_that_is_silent_does_not_lose_the_capture(shop, tmp_path):
    class Silent:
        def stamp(self, _sha256):
            raise Unavailable("capture.host_silent", host="tsa")

        def deposit(self, _files):
            raise Unavailable("capture.host_silent", host="ledger")

    made = capture(
        Request(url=shop.url + "/item/1", second=False, limits=SHORT),
        tmp_path / "c",
        station=station(shop),
        hooks=Silent(),
    )
    assert (made.complete, made.tokens, made.deposits) == (True, (), {})
    assert {"stamp_failed", "deposit_failed"} <= set(made.notes)


def test_wrong_wishes_start_no_browser(tmp_path):
    with pytest.raises(Invalid, match=r"capture\.url_malformed"):
        capture(Request(url="file:///etc/passwd"), tmp_path / "a")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "kept").write_text("x")
    with pytest.raises(Refused, match=r"capture\.folder_taken"):
        capture(Request(url="http://shop.example/"), tmp_path / "b")
    with pytest.raises(Refused, match=r"capture\.operator_without_commands"):
        capture(Request(url="http://shop.example/", mode="operator"), tmp_path / "c")
    with pytest.raises(Unavailable, match=r"capture\.browser_missing"):
        capture(Request(url="http://shop.example/"), tmp_path / "d", station=Station(browser=tmp_path / "none"))
    assert not (tmp_path / "a").exists()


WORKER = """
import sys
from pathlib import Path
from chopmark.evidence.capture.engine import capture, salvage
from chopmark.evidence.capture.request import Request, Station
capture(Request(url=sys.argv[1], second=False), Path(sys.argv[2]), station=Station(allow=frozenset({sys.argv[3]})))
"""


def test_what_a_killed_worker_left_becomes_a_partial_capture(shop, tmp_path):
    out = tmp_path / "c"
    worker = subprocess.Popen([sys.executable, "-c", WORKER, shop.url + "/endless", str(out), shop.door])
    try:
        for _ in range(int(HANG * 10)):
            time.sleep(0.1)
            if (out / "process.jsonl").is_file() and b'"scroll"' in (out / "process.jsonl").read_bytes():
                break
    finally:
        worker.kill()
        worker.wait(HANG)
    with (out / "process.jsonl").open("ab") as file:
        file.write(b'{"action":"torn')
    (out / "screenshot.png.draft").write_bytes(b"half")
    assert reread(out) is None
    assert holds_page(out)
    made = salvage(out, hooks=Hooks())
    assert made.reasons == ("worker_lost",)
    assert len(made.engine_sha256) == 64
    must_hold_together(made)
    again = reread(out)
    assert again is not None
    told = ("started", "ended", "deposits")  # the description has milliseconds, and cannot have its own number
    whole = {name: getattr(made, name) for name in told}
    assert replace(again, **whole) == made
    assert b"more()" in archived(made)[shop.url + "/endless"]
    assert made.title == "Endless"
    assert "page.wacz" in made.deposits
    with pytest.raises(Refused, match=r"capture\.folder_unfit"):
        salvage(out)
