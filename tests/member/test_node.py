"""A node over real HTTP: what its addresses answer, to friends and to the hostile."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import math
import re
import socket
import threading
import time
import zlib
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from world.ledger import KEYS, ORIGIN, VERIFIERS
from world.node import HASH, ISSUER, PublicLog, feed, make_home, node_of, settings
from world.patience import HANG, until

from chopmark.base import clock
from chopmark.evidence.receipt import read_receipt
from chopmark.ledger.alarm import FORK, Alarm
from chopmark.ledger.audit import audit
from chopmark.ledger.card import MIRROR, WITNESS, Card
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chopmark.ledger.cose import PublicKey
from chopmark.ledger.cose_receipt import SealedRoot, verify_receipt
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.mirror import MirrorInfo, packages, upload_header
from chopmark.ledger.note import Note
from chopmark.ledger.stores import DurabilityLost
from chopmark.ledger.tiles import TileReader
from chopmark.ledger.wire import MIRROR_INFO, OCTETS, TLOG_SIZE
from chopmark.ledger.witness import AddCheckpoint
from chopmark.member import web
from chopmark.member.founding import found_home
from chopmark.member.settings import LogSettings, MemberHome
from chopmark.member.web import MAX_CHECKPOINT, MAX_ENTRIES


@pytest.fixture
def log():
    made = PublicLog()
    made.add(*range(300))
    return made


@pytest.fixture
def home(tmp_path):
    return make_home(tmp_path / "home")[0]


@pytest.fixture
def node(home):
    with node_of(home) as running:
        yield running


@pytest.fixture
def fed(node, log):
    witnessed, mirrored = feed(node.url, log)
    assert (witnessed.status_code, mirrored.status_code) == (200, 200)
    return node


def card_of(node) -> Card:
    return Card.parse(node.get("/card.json").content)


# ---- what C2SP says -------------------------------------------------------------------------------------------------


def test_a_witness_and_a_mirror_cosign_under_their_own_keys(node, log):
    witnessed, mirrored = feed(node.url, log)
    card = card_of(node)
    for answer, role in ((witnessed, WITNESS), (mirrored, MIRROR)):
        _, signatures = open_checkpoint(log.note + answer.content, card.keys_of(role))
        assert {each.key for each in signatures} == set(card.keys_of(role))
        assert answer.headers["Content-Type"] == "text/plain; charset=utf-8"


def test_a_wrong_old_size_is_told_the_right_one(fed, log):
    answer = httpx.post(fed.url + "/add-checkpoint", content=AddCheckpoint(old=0, proof=(), note=log.note).encode())
    assert (answer.status_code, answer.content, answer.headers["Content-Type"]) == (409, b"300\n", TLOG_SIZE)


def test_a_prefix_of_an_upload_is_taken_and_the_rest_asked_for(node, log):
    httpx.post(node.url + "/add-checkpoint", content=AddCheckpoint(old=0, proof=(), note=log.note).encode())
    tiles = TileReader(log.objects.get, 300)
    body = upload_header(ORIGIN, 0, 300) + next(packages(tiles, 0, 300))
    answer = httpx.post(node.url + "/add-entries", content=body, headers={"Content-Type": OCTETS})
    assert (answer.status_code, answer.headers["Content-Type"]) == (202, MIRROR_INFO)
    assert answer.headers["Accept-Encoding"] == "gzip"
    assert MirrorInfo.parse(answer.content).next_entry == 256


@pytest.mark.parametrize("whole", [True, False], ids=["whole", "cut off"])
def test_an_upload_may_be_compressed_and_is_used_as_far_as_it_came(node, log, whole):
    httpx.post(node.url + "/add-checkpoint", content=AddCheckpoint(old=0, proof=(), note=log.note).encode())
    tiles = TileReader(log.objects.get, 300)
    packed = gzip.compress(upload_header(ORIGIN, 0, 300) + b"".join(packages(tiles, 0, 300)))
    answer = httpx.post(
        node.url + "/add-entries",
        content=packed if whole else packed[:-2000],
        headers={"Content-Type": OCTETS, "Content-Encoding": "gzip"},
    )
    assert answer.status_code == (200 if whole else 202)


def test_the_copy_is_the_log_for_any_auditor(fed, log):
    def fetch(path):
        answer = fed.get(f"/mirror/{HASH}/{path}")
        assert answer.status_code == 200
        return answer.content

    found = audit(fetch, VERIFIERS)
    assert (found.passed, found.entries) == (True, 300)


def test_both_checkpoints_carry_the_logs_signatures_and_the_roles_own(fed):
    card = card_of(fed)
    for role, path in ((WITNESS, "witness"), (MIRROR, "mirror")):
        note = fed.get(f"/{path}/{HASH}/checkpoint").content
        checkpoint, signatures = open_checkpoint(note, [*VERIFIERS, *card.keys_of(role)])
        assert (checkpoint.size, len(signatures)) == (300, 4)


def test_before_the_first_checkpoint_there_is_none(node):
    for role in ("witness", "mirror"):
        assert node.get(f"/{role}/{HASH}/checkpoint").status_code == 404


def test_tiles_are_kept_for_ever_and_checkpoints_for_a_moment(fed):
    tile, checkpoint = fed.get(f"/mirror/{HASH}/tile/0/000"), fed.get(f"/mirror/{HASH}/checkpoint")
    assert tile.headers["Content-Type"] == OCTETS
    assert "immutable" in tile.headers["Cache-Control"]
    assert "must-revalidate" in checkpoint.headers["Cache-Control"]
    again = fed.get(f"/mirror/{HASH}/tile/0/000", headers={"If-None-Match": tile.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert fed.get(f"/mirror/{HASH}/tile/0/000", headers={"If-None-Match": '"other"'}).status_code == 200


def test_head_says_what_get_would(fed):
    for path in ("/", "/status.json", f"/mirror/{HASH}/tile/0/000", "/nothing"):
        got, head = fed.get(path), httpx.head(fed.url + path)
        assert (head.status_code, head.content) == (got.status_code, b"")
        assert head.headers["Content-Length"] == str(len(got.content))


# ---- the reader -----------------------------------------------------------------------------------------------------


def test_a_root_sealed_once_stays_as_it_is(fed, log, home):
    sealed = fed.get(f"/mirror/{HASH}/sealed-root/300").content
    time.sleep(1.1)
    assert fed.get(f"/mirror/{HASH}/sealed-root/300").content == sealed
    key = PublicKey.ed25519(card_of(fed).keys_of(MIRROR)[0].public)
    SealedRoot.parse(sealed).verify(TileReader(log.objects.get, 300).root(), key)
    assert fed.get(f"/mirror/{HASH}/sealed-root/301").status_code == 404
    assert fed.get(f"/mirror/{HASH}/sealed-root/0").status_code == 404


def test_the_seal_is_the_same_after_a_restart(home, log):
    with node_of(home) as first:
        feed(first.url, log)
        sealed = first.get(f"/mirror/{HASH}/sealed-root/300").content
    with node_of(home) as second:
        assert second.get(f"/mirror/{HASH}/sealed-root/300").content == sealed


def test_a_receipt_of_this_member_alone_is_whole(fed):
    answer = fed.get(f"/mirror/{HASH}/receipt/7")
    assert answer.headers["Content-Type"] == "application/cose"
    receipt = read_receipt(answer.content)
    assert receipt.issuer_key == ISSUER.public
    assert receipt.statement.claim.payload == hashlib.sha256(b"7").digest()
    key = PublicKey.ed25519(card_of(fed).keys_of(MIRROR)[0].public)
    sealed = verify_receipt(receipt.cose[0].encode(), receipt.statement.raw, key)
    assert (sealed.index, sealed.sealed.size) == (7, 300)


def test_an_entry_that_is_not_held_has_no_receipt(fed):
    for position in ("300", "9" * 19, "01", "-1", "x"):
        assert fed.get(f"/mirror/{HASH}/receipt/{position}").status_code == 404


def test_entries_are_found_by_digest_after_they_were_indexed(fed):
    digest = hashlib.sha256(b"7").hexdigest()
    found = fed.get(f"/mirror/{HASH}/search/{digest}").json()
    assert (found["positions"], found["searched"]) == ([], 0)
    fed.node.logs[0].index_more(threading.Event())
    found = fed.get(f"/mirror/{HASH}/search/{digest}").json()
    assert (found["positions"], found["searched"]) == ([7], 300)
    assert fed.get(f"/mirror/{HASH}/search/{'0' * 64}").json()["positions"] == []


def test_what_an_index_says_is_not_believed(fed):
    digest = hashlib.sha256(b"7").digest()
    fed.node.index.add(HASH, 0, [b"nothing"])
    fed.node.index._database.execute("INSERT INTO found VALUES (?, ?, ?)", (HASH, digest, 9))
    assert fed.get(f"/mirror/{HASH}/search/{digest.hex()}").json()["positions"] == []


def test_keys_that_were_learnt_are_served(fed):
    kid = ISSUER.public.thumbprint
    assert fed.get(f"/mirror/{HASH}/keys/{kid.hex()}").status_code == 404
    fed.node.known.key_of(kid)
    assert fed.get(f"/mirror/{HASH}/keys/{kid.hex()}").content == ISSUER.public.to_cose()


# ---- what it says of itself -----------------------------------------------------------------------------------------


def test_the_status_names_sizes_and_times(fed):
    status = fed.get("/status.json").json()
    [held] = status["logs"]
    assert (status["name"], held["origin"], held["witness"]["size"], held["mirror"]["size"]) == (
        "hangzhou",
        ORIGIN,
        300,
        300,
    )
    assert (held["lag"], held["next_entry"]) == (0, 300)
    assert held["mirror"]["cosigned_at"].endswith("Z")


def test_figures_are_told_to_prometheus(fed):
    text = fed.get("/metrics").text
    assert f'chopmark_member_size{{log="{ORIGIN}",role="mirror"}} 300.0' in text
    assert "/add-entries" in text


def test_health_is_said(node):
    assert (node.get("/healthz").status_code, node.get("/healthz").text) == (200, "ok\n")


@pytest.mark.parametrize(
    ("path", "accepts", "tag"),
    {
        "English by default": ("/", "", "en"),
        "Chinese by the browser": ("/", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        "English by the browser": ("/", "en-GB,zh;q=0.2", "en"),
        "Chinese by the address": ("/?lang=zh", "en", "zh-Hans"),
        "English by the address": ("/?lang=en", "zh", "en"),
        "neither": ("/?lang=fr", "fr", "en"),
    }.values(),
)
def test_the_page_speaks_the_readers_language(fed, path, accepts, tag):
    page = fed.get(path, headers={"Accept-Language": accepts})
    assert f'<html lang="{tag}">' in page.text
    assert page.headers["Content-Language"] == tag
    assert ("杭州互联网法院" if tag == "zh-Hans" else "Hangzhou Internet Court") in page.text
    assert "<script" not in page.text
    assert "style=" not in page.text


def test_alarms_are_shown_and_can_be_taken_away(fed, log):
    forged = Checkpoint(origin=ORIGIN, size=300, root=b"\x07" * 32)
    note = sign_checkpoint(forged, KEYS, log.clock())
    answer = httpx.post(fed.url + "/add-checkpoint", content=AddCheckpoint(old=300, proof=(), note=note).encode())
    assert answer.status_code == 422
    [shown] = fed.get("/alarms.json").json()
    assert (shown["code"], shown["origin"], "first.note" in shown["proof"]) == (FORK, ORIGIN, True)
    document = fed.get(f"/alarms/{shown['id']}")
    assert Alarm.parse(document.content).code == FORK
    assert f"alarms/{shown['id']}" in fed.get("/").text
    assert fed.get("/status.json").json()["logs"][0]["mirror"]["root"] != forged.root.hex()


def test_the_same_alarm_again_makes_no_second_file(home, fed):
    alarm = Alarm(code=FORK, origin=ORIGIN, at=fed.node.clock(), facts={"size": 1}, proof={"first.note": b"x"})
    fed.node.raise_alarm(alarm)
    fed.node.raise_alarm(alarm)
    assert len(list(home.alarms.iterdir())) == 1
    for number in range(150):
        facts = {"size": number}
        fed.node.raise_alarm(Alarm(code=FORK, origin=ORIGIN, at=fed.node.clock(), facts=facts, proof={}))
    assert len(list(home.alarms.iterdir())) == 100
    assert fed.node.alarms.dropped > 0


def test_every_answer_forbids_scripts_and_frames(fed):
    for path in ("/", "/status.json", "/nothing", f"/mirror/{HASH}/tile/0/000", "/metrics"):
        headers = fed.get(path).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in headers


# ---- the hostile ----------------------------------------------------------------------------------------------------

PATHS = [
    f"/mirror/{HASH}/tile/../../../../member.toml",
    f"/mirror/{HASH}/tile/%2e%2e/%2e%2e/%2e%2e/member.toml",
    f"/mirror/{HASH}/tile/0/000%00",
    f"/mirror/{HASH}/tile/0/000/",
    f"/mirror/{HASH}/tile//0/000",
    f"/mirror/{HASH}/tile/0/.000.new",
    f"/mirror/{HASH}/tile/0/x000/000",
    f"/mirror/{HASH}/tile/0/000.p/256",
    f"/mirror/{HASH}/tile/0/000.p/0",
    f"/mirror/{HASH}/tile/64/000",
    f"/mirror/{HASH}/tile/entries/0",
    f"/mirror/{HASH}/tile/",
    f"/mirror/{HASH}/tile",
    f"/mirror/{HASH}/",
    f"/mirror/{HASH.upper()}/checkpoint",
    f"/mirror/{HASH[:-1]}/checkpoint",
    f"/mirror/{'0' * 64}/checkpoint",
    f"/mirror/{HASH}/checkpoint/",
    f"/witness/{HASH}/tile/0/000",
    f"/witness/{HASH}/pending",
    f"/mirror/{HASH}/search/{'G' * 64}",
    f"/mirror/{HASH}/search/{'a' * 63}",
    f"/mirror/{HASH}/keys/{'a' * 65}",
    f"/mirror/{HASH}/sealed-root/1e2",
    "/keys/node",
    "/alarms/../member.toml",
    "/alarms/%2e%2e%2fmember.toml",
    "/alarms/x",
    "/member.toml",
    "/state",
    "/style.css/",
    "/%E4%B8%AD%E6%96%87",
    "/%ff%fe",
]


def raw(node, request: bytes, *, patience: float = HANG) -> bytes:
    """What comes back for bytes that no client library would send."""
    port = int(node.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # closed while more was on its way
            while piece := connection.recv(65_536):
                answer += piece
    return answer


@pytest.mark.parametrize("path", PATHS)
def test_a_path_that_is_not_exactly_one_of_the_nodes_is_not_there(fed, path):
    answer = raw(fed, f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode())
    assert answer.split(b" ")[1] in (b"404", b"400")
    assert b"Traceback" not in answer
    assert b"PRIVATE" not in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT"])
def test_nothing_but_reading_is_done_at_a_reading_address(fed, method):
    answer = httpx.request(method, fed.url + "/status.json", content=b"x", timeout=HANG)
    assert answer.status_code in (400, 405)


def test_the_submission_addresses_are_not_read(node):
    for path in ("/add-checkpoint", "/add-entries", "/sign-subtree"):
        assert node.get(path).status_code == 405


BODIES = {
    "nothing": b"",
    "text": b"hello",
    "an old size of another spelling": b"old 00\n\nx",
    "a proof too long": b"old 1\n" + b"AAAA\n" * 70 + b"\nx",
    "no note": b"old 0\n\n",
    "bytes": bytes(range(256)),
    "line feeds": b"\n" * 1000,
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
@pytest.mark.parametrize("path", ["/add-checkpoint", "/sign-subtree", "/add-entries"])
def test_nonsense_is_refused_without_a_trace(fed, path, body):
    answer = httpx.post(fed.url + path, content=body, headers={"Content-Type": OCTETS}, timeout=HANG)
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text


def test_a_body_too_large_is_refused_before_it_is_read(node):
    for path, size in (("/add-checkpoint", MAX_CHECKPOINT + 1), ("/add-entries", MAX_ENTRIES + 1)):
        head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\nConnection: close\r\n\r\n".encode()
        answer = raw(node, head + b"x" * min(size, 1 << 17))
        assert answer.split(b" ")[1:2] in ([b"413"], [])  # or closed before it could be read


def test_a_small_body_that_unpacks_to_a_large_one_is_refused(node):
    bomb = gzip.compress(bytes(MAX_CHECKPOINT * 100))
    assert len(bomb) < MAX_CHECKPOINT
    answer = httpx.post(node.url + "/add-checkpoint", content=bomb, headers={"Content-Encoding": "gzip"}, timeout=HANG)
    assert answer.status_code == 413


def test_a_bomb_of_entries_is_given_up_at_the_first_package_that_proves_nothing(fed, monkeypatch):
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    bomb = packer.compress(upload_header(ORIGIN, 0, 300))
    for _ in range(300):
        bomb += packer.compress(bytes(1 << 20))
    bomb += packer.flush()
    assert len(bomb) < 1 << 20
    unpacked = []

    def counted(self, buffer, unpack=web._Unpacked.readinto):
        unpacked.append(unpack(self, buffer))
        return unpacked[-1]

    monkeypatch.setattr(web._Unpacked, "readinto", counted)
    answer = httpx.post(
        fed.url + "/add-entries",
        content=bomb,
        headers={"Content-Type": OCTETS, "Content-Encoding": "gzip"},
        timeout=HANG,
    )
    assert answer.status_code in (409, 413, 422)
    assert 0 < sum(unpacked) < 32 << 20


@pytest.mark.parametrize("encoding", ["br", "deflate", "gzip, gzip", "zstd", "x"])
def test_other_encodings_are_not_unpacked(node, encoding):
    answer = httpx.post(node.url + "/add-entries", content=b"x", headers={"Content-Encoding": encoding})
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "gzip")


def test_an_upload_of_another_type_is_not_taken(node):
    answer = httpx.post(node.url + "/add-entries", content=b"x=1", headers={"Content-Type": "text/html"})
    assert answer.status_code == 415


SMUGGLED = {
    "two lengths": b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 50\r\n\r\nx",
    "length and chunks": b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /card.json HTTP/1.1\r\nHost: a\r\n\r\n",
    "a strange transfer": b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "a negative length": b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nxxxxx",
    "a length with a plus": b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nxxxxx",
    "a space before the colon": b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nxxxxx",
    "a chunk's wrong size": b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"0x5\r\nxxxxx\r\n0\r\n\r\n",
    "a bare line feed in a header": b"GET /card.json HTTP/1.1\r\nHost: a\nX: y\r\n\r\n",
    "no request at all": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "a header without end": b"GET / HTTP/1.1\r\nX: " + b"y" * 300_000,
}


@pytest.mark.parametrize("request_bytes", SMUGGLED.values(), ids=SMUGGLED)
def test_ambiguous_requests_get_one_refusal_or_nothing(fed, request_bytes):
    answer = raw(fed, request_bytes)
    assert answer.count(b"HTTP/1.1 200") == 0
    assert answer.count(b"HTTP/1.") <= 1 or b"400 Bad Request" in answer
    assert b"Traceback" not in answer


def test_slow_callers_do_not_keep_others_waiting(home):
    with node_of(home, request_patience=math.inf) as node, ExitStack() as opened:  # nobody is cut off for being slow
        port = int(node.url.rpartition(":")[2])
        for _ in range(20):
            slow = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
            slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nold ")
        assert node.get("/healthz").status_code == 200


def test_a_caller_that_drips_is_cut_off(home):
    with node_of(home, request_patience=0.5) as node:
        port = int(node.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=HANG) as slow:
            slow.sendall(b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n")
            until = time.monotonic() + HANG
            with contextlib.suppress(OSError):  # reset or broken pipe, as the system likes
                while time.monotonic() < until:
                    slow.sendall(b"x")
                    time.sleep(0.1)
            assert time.monotonic() < until


def test_a_bug_leaves_no_trace_with_the_caller(fed, monkeypatch):
    monkeypatch.setattr(fed.node.alarms, "all", lambda: 1 / 0)
    answer = fed.get("/alarms.json")
    assert (answer.status_code, answer.json()["code"]) == (500, "member.bug")
    assert "ZeroDivision" not in answer.text


def test_a_full_disk_is_said_and_passes(fed, log, monkeypatch):
    def full(_objects):
        raise OSError(28, "No space left on device")

    log.add(300)
    monkeypatch.setattr(fed.node.logs[0].watched.state, "put", full)
    assert feed(fed.url, log)[0].status_code == 503
    monkeypatch.undo()
    assert [each.status_code for each in feed(fed.url, log)] == [200, 200]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_disk_that_does_not_confirm_ends_the_process(fed, log, monkeypatch):
    def lost(_objects):
        raise DurabilityLost("fsync")

    log.add(300)
    monkeypatch.setattr(fed.node.logs[0].watched.state, "put", lost)
    proof = tuple(TileReader(log.objects.get, 301).consistency_proof(300, 301))
    body = AddCheckpoint(old=300, proof=proof, note=log.note).encode()
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(body)
    with socket.create_connection(("127.0.0.1", int(fed.url.rpartition(":")[2])), timeout=HANG) as caller:
        caller.sendall(head + body)
        until(lambda: fed.lost)
        caller.settimeout(0.3)
        with contextlib.suppress(OSError):  # no answer; whether the connection stays open is all the same
            assert not caller.recv(1)


# ---- logs -----------------------------------------------------------------------------------------------------------


def test_a_log_that_is_not_held_is_unknown(node, log):
    text = log.note.replace(ORIGIN.encode(), b"other.test/log")
    body = AddCheckpoint(old=0, proof=(), note=text).encode()
    assert httpx.post(node.url + "/add-checkpoint", content=body).status_code == 404
    upload = upload_header("other.test/log", 0, 0)
    answer = httpx.post(node.url + "/add-entries", content=upload, headers={"Content-Type": OCTETS})
    assert answer.status_code == 404


def test_what_is_said_in_json_is_json(fed):
    for path in ("/status.json", "/alarms.json", "/card.json", "/nothing"):
        json.loads(fed.get(path).content)


def test_the_newest_checkpoint_is_the_logs(fed, log):
    held = fed.get(f"/mirror/{HASH}/checkpoint").content
    assert Note.parse(held).text == Note.parse(log.note).text
    assert settings().logs[0].hash == HASH


# ---- who writes to the disk ------------------------------------------------------------------------------------------


def test_a_stranger_who_repeats_a_true_request_makes_the_node_sign_once_a_second_at_most(node, log, monkeypatch):
    at = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
    monkeypatch.setattr(node.node.witness, "clock", lambda: at)
    feed(node.url, log)
    writes = []
    state = node.node.logs[0].watched.state
    monkeypatch.setattr(type(state), "put", lambda _self, objects: writes.append(objects))
    body = AddCheckpoint(old=300, proof=(), note=log.note).encode()
    answers = {httpx.post(node.url + "/add-checkpoint", content=body).content for _ in range(10)}
    assert (len(answers), writes) == (1, [])
    monkeypatch.setattr(node.node.witness, "clock", lambda: at + timedelta(seconds=1))
    assert httpx.post(node.url + "/add-checkpoint", content=body).content not in answers
    assert len(writes) == 1


def test_a_stranger_who_asks_for_seals_of_every_size_writes_nothing_and_drives_none_out(fed):
    kept = fed.get(f"/mirror/{HASH}/sealed-root/300").content
    for size in range(1, 40):
        seal = SealedRoot.parse(fed.get(f"/mirror/{HASH}/sealed-root/{size}").content)
        assert seal.size == size
    folder = fed.node.home.seals(ORIGIN)
    assert [path.name for path in folder.iterdir()] == ["300"]
    assert fed.get(f"/mirror/{HASH}/sealed-root/300").content == kept


# ---- what is shown ---------------------------------------------------------------------------------------------------


def test_what_a_log_and_a_card_say_of_themselves_is_no_markup_and_no_label(tmp_path):
    origin = 'log"><script>alert(1)</script>\\{{7*7}}&lt;'
    key = SigningKey.generate("log.test", 1).verifier
    evil = replace(
        settings(),
        en='<img src=x onerror=alert(1)>"',
        zh="{{config}}</title><script>",
        logs=(LogSettings(origin=origin, keys=(replace(key, name=origin),), url="http://127.0.0.1:9/log"),),
    )
    home = MemberHome(tmp_path / "evil")
    found_home(home, evil, passphrase=None)
    with node_of(home) as running:
        facts = {"size": 1, "known": 2, "reason": "<script>{size.__class__}</script>"}
        running.node.raise_alarm(Alarm(code=FORK, origin=origin, at=clock.now(), facts=facts))
        running.node.raise_alarm(Alarm(code="ledger.alarm_stale", origin=origin, at=clock.now(), facts=facts))
        for language in ("en", "zh"):
            page = running.get(f"/?lang={language}")
            assert page.status_code == 200
            assert not re.search(r"<script|<img|onerror=alert\(1\)>|</title><script|class 'int", page.text)
            assert "{{7*7}}" in page.text
            assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        figures = running.get("/metrics").text
        assert all(re.match(r"#|[a-z_]+(?:\{.*\})? [-+.0-9eE]+$", line) for line in figures.splitlines())
