"""Those who stamp, for real: a signer process, authorities over HTTP, a calendar, a chain."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from world.patience import HANG, until
from world.running import Running
from world.tsa import AT, TsaWorld, openssl

from chopmark.base import cbor
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.ledger.anchor import Anchored, EvmProof, Pending, bitcoin_claims
from chopmark.ledger.timestamp import Response, accept, authority_from_pem, parse_token, request, verify_statement
from chopmark.ledger.tsa import answer
from chopmark.site import anchors, tsa
from chopmark.site.config import Evm, read_config

IMPRINT = sha256(b"checkpoint").digest()


@contextlib.contextmanager
def _serving(handler):
    """A small HTTP server on loopback; its address."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(HANG)


class Quiet(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        return self.rfile.read(int(self.headers["Content-Length"]))


# ---- keys and certificates -------------------------------------------------------------------------------------------


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("CHOPMARK_HOME", str(tmp_path))
    (tmp_path / "keys").mkdir()
    return tmp_path


def test_an_authority_is_made_once_and_readable_by_its_owner_alone(place):
    made, until = tsa.prepare(place, AT)
    before = {path.name: path.read_bytes() for path in (place / "tsa").iterdir() if path.is_file()}
    assert made
    assert tsa.prepare(place, AT) == (False, until)
    assert {path.name: path.read_bytes() for path in (place / "tsa").iterdir() if path.is_file()} == before
    assert all(path.stat().st_mode & 0o077 == 0 for path in (place / "tsa").rglob("*"))


def test_a_certificate_is_renewed_before_its_end_and_old_tokens_stay_true(place):
    tsa.prepare(place, AT)
    old = tsa.open_signer(place / "tsa", lambda: AT).stamp(TsaWorld().order(b"data"))
    later = AT + timedelta(days=2 * 365 + 10)
    made, until = tsa.prepare(place, later)
    assert made
    assert until > AT + timedelta(days=4 * 365)
    new = tsa.open_signer(place / "tsa", lambda: later).stamp(TsaWorld().order(b"data"))
    trusted = authority_from_pem("own", (place / "tsa" / "trusted" / "own.pem").read_bytes(), own=True)
    assert len(trusted.certificates) == 3
    assert parse_token(old).cms.certificates != parse_token(new).cms.certificates
    assert [verify_statement(token, [trusted], later).time for token in (old, new)] == [AT, later]
    assert parse_token(new).info.serial > parse_token(old).info.serial


def test_without_the_roots_key_no_new_signer_is_made(place):
    tsa.prepare(place, AT)
    (place / "tsa" / "root.key").unlink()
    assert tsa.prepare(place, AT)[0] is False
    with pytest.raises(Refused, match="tsa_root_away"):
        tsa.prepare(place, AT + timedelta(days=3 * 365))


def test_a_key_that_others_can_read_is_not_used(place):
    tsa.prepare(place, AT)
    (place / "tsa" / "signer.key").chmod(0o644)
    with pytest.raises(Refused, match="tsa_key_open"):
        tsa.open_signer(place / "tsa", lambda: AT)


def test_another_key_than_the_certificates_is_refused(place):
    tsa.prepare(place, AT)
    (place / "tsa" / "signer.key").write_bytes((place / "tsa" / "root.key").read_bytes())
    with pytest.raises(Invalid, match="tsa_key_other"):
        tsa.open_signer(place / "tsa", lambda: AT)


def test_a_damaged_mark_stops_the_signer(place):
    tsa.prepare(place, AT)
    (place / "tsa" / "mark").write_text("7", "ascii")
    with pytest.raises(Invalid, match="tsa_mark_damaged"):
        tsa.open_signer(place / "tsa", lambda: AT)


# ---- processes -------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def _authority(home, *options):
    """`chopmark tsa serve` in a process of its own; its address."""
    running = Running(home, port=0)
    process = subprocess.Popen(
        [sys.executable, "-m", "chopmark.site.command", "tsa", "serve", "--port", "0", "--quiet", *options],
        env=running.environment,
        stderr=subprocess.DEVNULL,
    )
    path = home / "tsa" / "address"
    try:
        until(lambda: process.poll() is not None or (path.is_file() and path.read_text()))
        assert process.poll() is None
        yield process, path.read_text().strip()
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(HANG)


def _post(address, asked):
    return httpx.post(address, content=asked, headers={"Content-Type": tsa.QUERY_TYPE}, timeout=HANG)


def _signer_of(process):
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    [signer] = [int(pid) for pid in children if b"signer" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    return signer


@pytest.mark.crash
def test_the_authority_answers_openssl_over_http_and_nothing_else(place, tmp_path):
    Running(place, 0).chopmark("tsa", "init", "--quiet")
    openssl("-query", "-data", place / "tsa" / "root.pem", "-sha256", "-cert", "-out", tmp_path / "q")
    with _authority(place) as (process, address):
        reply = _post(address, (tmp_path / "q").read_bytes())
        assert (reply.status_code, reply.headers["Content-Type"]) == (200, tsa.REPLY_TYPE)
        (tmp_path / "r").write_bytes(reply.content)
        judged = openssl(
            "-verify", "-queryfile", tmp_path / "q", "-in", tmp_path / "r",
            "-CAfile", place / "tsa" / "trusted" / "own.pem",
        )  # fmt: skip
        assert "Verification: OK" in judged.stdout, judged.stderr
        assert Response.parse(_post(address, b"hello").content).failure == "badDataFormat"
        assert httpx.get(address, timeout=HANG).status_code == 405
        assert httpx.post(address, content=b"x", timeout=HANG).status_code == 415
        assert _post(address, bytes(5000)).status_code == 413
        assert (place / "tsa" / "signer.sock").stat().st_mode & 0o777 == 0o600
        files = {str(each.readlink()) for each in Path(f"/proc/{process.pid}/fd").iterdir() if each.is_symlink()}
        assert not any(name.endswith(".key") for name in files)
    assert not (place / "tsa" / "address").exists()


@pytest.mark.crash
def test_a_killed_signer_never_gives_a_serial_twice(place):
    tsa.prepare(place, datetime.now(UTC) - timedelta(days=1))
    link = tsa.SignerLink(place / "tsa")
    serials = []
    for _ in range(3):
        with _authority(place) as (process, address):
            for number in range(5):
                asked = request(sha256(str(number).encode()).digest(), nonce=number)
                serials.append(parse_token(accept(_post(address, asked.encode()).content, asked)).info.serial)
            os.kill(_signer_of(process), signal.SIGKILL)
            assert process.wait(HANG) == 1  # the supervisor starts both again
        with pytest.raises(Unavailable, match="tsa_signer_silent"):
            link.stamp(TsaWorld().order(b"data"))
    assert serials == sorted(set(serials))
    assert len(serials) == 15


@pytest.mark.crash
def test_a_second_signer_of_the_same_home_does_not_start(place):
    tsa.prepare(place, datetime.now(UTC) - timedelta(days=1))
    with _authority(place) as (_, address):
        second = Running(place, 0).chopmark("tsa", "signer", check=False)
        assert (second.returncode, "lock" in second.stderr) == (1, True)
        asked = request(IMPRINT, nonce=1)
        accept(_post(address, asked.encode()).content, asked)


@contextlib.contextmanager
def _signer(place, clock=lambda: datetime.now(UTC)):
    """The signer's loop in a thread."""
    tsa.prepare(place, datetime.now(UTC) - timedelta(days=1))
    stop = threading.Event()
    signer = tsa.open_signer(place / "tsa", clock)
    thread = threading.Thread(target=tsa.serve_orders, args=(place / "tsa", signer, stop))
    thread.start()
    until(lambda: tsa.answers(place / "tsa"))
    try:
        yield tsa.SignerLink(place / "tsa")
    finally:
        stop.set()
        thread.join(HANG)


def test_the_signer_survives_whatever_is_said_to_it(place):
    with _signer(place) as link:
        for said in (b"", b"x", bytes(131), b"\xff" * 131, b"\x00" * 500):
            with socket.socket(socket.AF_UNIX) as connection, contextlib.suppress(OSError):
                connection.connect(str(place / "tsa" / "signer.sock"))
                connection.sendall(said)
                connection.shutdown(socket.SHUT_WR)
                connection.recv(70_000)
        assert parse_token(link.stamp(TsaWorld().order(b"data")))


def test_the_signers_troubles_reach_the_one_who_asks(place):
    moments = iter([datetime.now(UTC), datetime.now(UTC) - timedelta(hours=1)])
    with _signer(place, lambda: next(moments)) as link:
        asked = request(IMPRINT, nonce=1)
        assert Response.parse(answer(asked.encode(), link)).status == 0
        assert Response.parse(answer(asked.encode(), link)).failure == "timeNotAvailable"


@pytest.mark.parametrize(("folder", "opened"), [(0o700, 0o600), (0o2710, 0o660)], ids=["alone", "a group may pass"])
def test_the_socket_is_open_to_a_group_only_where_the_folder_is(place, folder, opened):
    tsa.prepare(place, datetime.now(UTC) - timedelta(days=1))
    (place / "tsa").chmod(folder)
    with _signer(place):
        assert (place / "tsa" / "signer.sock").stat().st_mode & 0o777 == opened
        assert (place / "tsa" / "signer.key").stat().st_mode & 0o077 == 0


def test_a_home_with_a_long_path_has_a_signer_too(tmp_path, monkeypatch):
    place = tmp_path / ("long" * 30)
    (place / "keys").mkdir(parents=True)
    monkeypatch.setenv("CHOPMARK_HOME", str(place))
    with _signer(place) as link:
        assert parse_token(link.stamp(TsaWorld().order(b"data")))


def test_the_own_authority_stamps_without_http(place):
    with _signer(place):
        [own] = anchors.services(read_config({"CHOPMARK_HOME": str(place)})[0])
        stamped = own.submit(IMPRINT)
    assert (own.name, own.own, own.daily) == ("own", True, False)
    assert parse_token(stamped.token).info.imprint == IMPRINT
    assert stamped.at == parse_token(stamped.token).info.time


# ---- external time-stamp authorities ---------------------------------------------------------------------------------


def _external(url, world=None):
    trusted = authority_from_pem("court", (world or TsaWorld()).root.public_bytes(Encoding.PEM))
    return anchors.Rfc3161(url=url, authority=trusted, now=lambda: AT)


def test_an_external_authority_is_asked_over_http():
    world = TsaWorld()

    class Tsa(Quiet):
        def do_POST(self):
            assert self.headers["Content-Type"] == tsa.QUERY_TYPE
            self.reply(200, answer(self.body(), world.signer))

    with _serving(Tsa) as address:
        stamped = _external(address).submit(IMPRINT)
    assert (stamped.at, parse_token(stamped.token).info.imprint) == (AT, IMPRINT)


def _replies(make):
    class Tsa(Quiet):
        def do_POST(self):
            make(self, self.body())

    return Tsa


def _slowly(self, _):
    self.send_response(200)
    self.end_headers()
    with contextlib.suppress(OSError):
        for _ in range(40):
            self.wfile.write(b"0")
            time.sleep(0.05)


OTHER = request(bytes(32), nonce=1).encode()
HOSTILE = {
    "an error page": (lambda self, _: self.reply(500, b"sorry"), Unavailable, "anchor_answered"),
    "a way to somewhere else": (
        lambda self, _: self.reply(302, Location="http://169.254.169.254/"),
        Unavailable,
        "anchor_answered",
    ),
    "too much": (lambda self, _: self.reply(200, bytes(100_000)), Unavailable, "anchor_silent"),
    "no token": (lambda self, _: self.reply(200, b"hello"), Invalid, "timestamp_malformed"),
    "nothing": (lambda self, _: self.reply(200), Invalid, "timestamp_malformed"),
    "a token about something else": (
        lambda self, _: self.reply(200, answer(OTHER, TsaWorld().signer)),
        Invalid,
        "timestamp_mismatched",
    ),
    "a rejection": (lambda self, _: self.reply(200, answer(b"", TsaWorld().signer)), Invalid, "timestamp_rejected"),
    "an answer without end": (_slowly, Unavailable, "anchor_silent"),
    "no answer": (lambda self, _: self.connection.shutdown(socket.SHUT_RDWR), Unavailable, "anchor_silent"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_an_external_authority_may_answer(case, monkeypatch):
    reply, kind, code = HOSTILE[case]
    monkeypatch.setattr(anchors, "TIMEOUT", 1.0)
    with _serving(_replies(reply)) as address, pytest.raises(kind, match=code):
        _external(address).submit(IMPRINT)


def test_a_token_of_somebody_else_is_not_kept():
    world = TsaWorld()
    stranger = x509.load_pem_x509_certificates(TsaWorld().root.public_bytes(Encoding.PEM))[0]
    assert stranger == world.root
    other = anchors.Rfc3161(
        url="", authority=authority_from_pem("else", _other_root().public_bytes(Encoding.PEM)), now=lambda: AT
    )

    with (
        _serving(_replies(lambda self, body: self.reply(200, answer(body, world.signer)))) as address,
        pytest.raises(Invalid, match="authority_unknown"),
    ):
        anchors.Rfc3161(url=address, authority=other.authority, now=lambda: AT).submit(IMPRINT)


def _other_root():
    from chopmark.ledger.tsa import make_root  # noqa: PLC0415 (only here)

    return make_root("else", AT - timedelta(days=1))[1]


def test_the_settings_name_authorities_and_their_certificates_are_kept_for_ever(place, tmp_path):
    source = TsaWorld().root_file(tmp_path)
    table = [{"name": "court", "url": "https://tsa.example/", "certificates": str(source)}]
    config, problems = read_config(
        {
            "CHOPMARK_HOME": str(place),
            "CHOPMARK_TSAS": json.dumps(table),
            "CHOPMARK_OTS_CALENDARS": "https://alice.btc.calendar.opentimestamps.org/",
            "CHOPMARK_EVM": json.dumps(CHAIN | {"name": "sepolia", "rpc": "https://node.example/key"}),
        }
    )
    assert problems == ()
    found = anchors.services(config)
    assert [(each.name, each.kind, each.daily) for each in found] == [
        ("court", "rfc3161", False),
        ("alice.btc.calendar.opentimestamps.org", "ots", True),
        ("sepolia", "evm", True),
    ]
    source.write_bytes(_other_root().public_bytes(Encoding.PEM))
    [court, *_] = anchors.services(config)
    assert len(court.authority.certificates) == 2
    assert len(anchors.services(config)[0].authority.certificates) == 2


TSA = {"name": "a", "url": "https://a.example", "certificates": "/a"}
CHAIN = {"name": "a", "rpc": "https://a.example", "chain": 1, "key_file": "/k"}


def _tsas(**changes):
    return "CHOPMARK_TSAS", json.dumps([TSA | changes])


def test_a_home_that_anchors_on_no_chain_has_no_library_of_one_loaded(place):
    program = """
import sys
from chopmark.site.anchors import services
from chopmark.site.config import read_config
import chopmark.site.stamper
services(read_config()[0])
print(*[name for name in ("web3", "eth_account", "rlp", "opentimestamps") if name in sys.modules])
"""
    chain = {"name": "a", "rpc": "https://a.example", "chain": 1, "key_file": "/k"}
    environment = Running(place, 0).environment | {"CHOPMARK_EVM": json.dumps(chain)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, timeout=HANG
    )
    assert done.stdout.split() == []


WRONG = {
    "an authority over http": _tsas(url="http://tsa.example"),
    "an authority called own": _tsas(name="own"),
    "an authority called as a path": _tsas(name="../a"),
    "certificates at a relative path": _tsas(certificates="a"),
    "an authority with a password": _tsas(url="https://me:secret@a.example"),
    "an authority twice": ("CHOPMARK_TSAS", json.dumps([TSA] * 2)),
    "a calendar that is no address": ("CHOPMARK_OTS_CALENDARS", "alice"),
    "a calendar twice": ("CHOPMARK_OTS_CALENDARS", "https://a.example,https://a.example/"),
    "a chain whose number is a word": ("CHOPMARK_EVM", json.dumps(CHAIN | {"chain": "1"})),
    "a chain without confirmations": ("CHOPMARK_EVM", json.dumps(CHAIN | {"confirmations": 0})),
    "a chain with its key in the settings": ("CHOPMARK_EVM", json.dumps(CHAIN | {"key": "00"})),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_setting_is_noted(case, tmp_path):
    variable, value = WRONG[case]
    config, problems = read_config({"CHOPMARK_HOME": str(tmp_path), variable: value})
    assert [problem.setting for problem in problems] == [variable]
    assert (config.tsas, config.ots_calendars, config.evm) == ((), (), None)


def test_missing_certificates_and_names_used_twice_are_told(place, tmp_path):
    base = {"CHOPMARK_HOME": str(place)}
    table = {"name": "chain", "url": "https://a.example", "certificates": str(tmp_path / "none.pem")}
    with pytest.raises(Invalid, match="anchor_file_missing"):
        anchors.services(read_config({**base, "CHOPMARK_TSAS": json.dumps([table])})[0])
    table["certificates"] = str(TsaWorld().root_file(tmp_path))
    chain = {"name": "chain", "rpc": "https://a.example", "chain": 1, "key_file": "/k"}
    both = {**base, "CHOPMARK_TSAS": json.dumps([table]), "CHOPMARK_EVM": json.dumps(chain)}
    with pytest.raises(Invalid, match="anchor_named_twice"):
        anchors.services(read_config(both)[0])


# ---- a calendar ------------------------------------------------------------------------------------------------------


class Calendar:
    """A calendar that speaks the protocol: it takes digests, promises, and later tells of a block of its own making."""

    def __init__(self):
        self.url = ""
        self.mined = False
        self.secret = b"calendar"
        self.asked = []

    def handler(self):
        calendar = self

        class Handler(Quiet):
            def do_POST(self):
                assert self.path == "/digest"
                self.reply(200, calendar.promise(self.body()))

            def do_GET(self):
                commitment = bytes.fromhex(self.path.removeprefix("/timestamp/"))
                calendar.asked.append(commitment)
                if not calendar.mined:
                    self.reply(404, b"Pending confirmation in Bitcoin blockchain")
                else:
                    self.reply(200, calendar.block(commitment))

        return Handler

    def _encode(self, timestamp):
        from opentimestamps.core.serialize import BytesSerializationContext  # noqa: PLC0415 (an optional library)

        context = BytesSerializationContext()
        timestamp.serialize(context)
        return context.getbytes()

    def promise(self, digest):
        from opentimestamps.core.notary import PendingAttestation  # noqa: PLC0415
        from opentimestamps.core.op import OpAppend, OpSHA256  # noqa: PLC0415
        from opentimestamps.core.timestamp import Timestamp  # noqa: PLC0415

        made = Timestamp(digest)
        commitment = made.ops.add(OpAppend(self.secret)).ops.add(OpSHA256())
        commitment.attestations.add(PendingAttestation(self.url))
        return self._encode(made)

    def block(self, commitment):
        from opentimestamps.core.notary import BitcoinBlockHeaderAttestation  # noqa: PLC0415
        from opentimestamps.core.op import OpPrepend, OpSHA256  # noqa: PLC0415
        from opentimestamps.core.timestamp import Timestamp  # noqa: PLC0415

        made = Timestamp(commitment)
        root = made.ops.add(OpPrepend(b"neighbour")).ops.add(OpSHA256()).ops.add(OpSHA256())
        root.attestations.add(BitcoinBlockHeaderAttestation(900_000))
        return self._encode(made)


@pytest.fixture
def calendar():
    made = Calendar()
    with _serving(made.handler()) as made.url:
        yield made


def test_a_calendar_promises_and_later_names_a_block(calendar):
    service = anchors.OpenTimestamps(url=calendar.url)
    begun = service.submit(IMPRINT)
    assert isinstance(begun, Pending)
    assert bitcoin_claims(begun.state, IMPRINT) == []
    assert isinstance(service.upgrade(IMPRINT, begun.state), Pending)
    calendar.mined = True
    done = service.upgrade(IMPRINT, begun.state)
    commitment = sha256(IMPRINT + calendar.secret).digest()
    assert calendar.asked == [commitment] * 2
    [claim] = bitcoin_claims(done.token, IMPRINT)
    assert (claim.height, claim.root) == (900_000, sha256(sha256(b"neighbour" + commitment).digest()).digest())
    assert done.at is None


def test_a_calendar_cannot_send_us_elsewhere(calendar):
    reached = []
    with _serving(type("Elsewhere", (Quiet,), {"do_GET": lambda self: (reached.append(1), self.reply(404))})) as other:
        address, calendar.url = calendar.url, other
        service = anchors.OpenTimestamps(url=address)
        begun = service.submit(IMPRINT)
        assert isinstance(service.upgrade(IMPRINT, begun.state), Pending)
    assert reached == []


@pytest.mark.parametrize("body", [b"", b"hello", b"\x00" * 9, b"\xff" * 300], ids=["nothing", "words", "half", "forks"])
def test_a_calendar_that_talks_nonsense_is_refused(body, calendar):
    calendar.promise = lambda _digest: body
    with pytest.raises(Invalid, match="anchor_malformed"):
        anchors.OpenTimestamps(url=calendar.url).submit(IMPRINT)


# ---- a chain ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def chain():
    """An Ethereum chain in this process (py-evm), reached through web3 as any node is."""
    eth_tester = pytest.importorskip("eth_tester", reason="a local chain, of the developers' packages")
    from web3 import EthereumTesterProvider, Web3  # noqa: PLC0415 (large)

    return Web3(EthereumTesterProvider(eth_tester.EthereumTester(eth_tester.PyEVMBackend())))


@pytest.fixture
def evm(chain, tmp_path):
    from web3 import Web3  # noqa: PLC0415 (large)

    path = tmp_path / "evm.key"
    account = chain.eth.account.create()
    path.write_text(account.key.hex(), "ascii")
    path.chmod(0o600)
    chain.eth.send_transaction(
        {"from": chain.eth.accounts[0], "to": account.address, "value": Web3.to_wei(1, "ether"), "gas": 21_000}
    )
    config = Evm(name="local", rpc="http://localhost", chain=chain.eth.chain_id, key_file=str(path), confirmations=3)
    return anchors.EvmChain(config=config, connect=lambda: chain)


def _mine(chain, count):
    chain.provider.ethereum_tester.mine_blocks(count)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the chain's own libraries
def test_a_chain_carries_the_imprint_once_enough_blocks_follow(chain, evm):
    begun = evm.submit(IMPRINT)
    before = chain.eth.block_number
    assert isinstance(evm.upgrade(IMPRINT, begun.state), Pending)
    assert chain.eth.block_number == before + 1
    assert isinstance(evm.upgrade(IMPRINT, begun.state), Pending)
    assert chain.eth.block_number == before + 1
    _mine(chain, 3)
    done = evm.upgrade(IMPRINT, begun.state)
    assert isinstance(done, Anchored)
    proof = EvmProof.parse(done.token, IMPRINT)
    mined = chain.eth.get_transaction(proof.transaction_hash)
    assert (bytes(mined["input"]), mined["blockNumber"], bytes(mined["blockHash"])) == (
        IMPRINT, proof.number, proof.block_hash,
    )  # fmt: skip
    assert done.at.timestamp() == chain.eth.get_block(proof.number)["timestamp"]
    from eth_utils.crypto import keccak  # noqa: PLC0415 (an optional library)

    assert keccak(proof.transaction) == proof.transaction_hash
    # This chain's RPC fills the extra data up to 32 bytes; with what the header really has, its hash is the block's.
    assert proof.header == b""
    block = dict(chain.eth.get_block(proof.number)) | {"extraData": b""}
    assert keccak(anchors._header(block)) == proof.block_hash


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_transaction_whose_number_was_used_is_lost(chain, evm):
    one, two = evm.submit(IMPRINT), evm.submit(bytes(32))
    evm.upgrade(bytes(32), two.state)
    with pytest.raises(Refused, match="anchor_lost"):
        evm.upgrade(IMPRINT, one.state)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_nothing_is_sent_before_it_is_kept(chain, evm):
    before = chain.eth.block_number
    state = evm.submit(IMPRINT).state
    assert chain.eth.block_number == before
    assert evm.submit(IMPRINT).state == state
    assert len(cbor.decode(state)) == 2


def test_a_node_of_another_chain_is_refused(chain, evm):
    from dataclasses import replace  # noqa: PLC0415 (only here)

    other = replace(evm, config=replace(evm.config, chain=1))
    with pytest.raises(Unavailable, match="anchor_other_chain"):
        other.submit(IMPRINT)


def test_a_key_that_others_can_read_pays_nothing(evm):
    Path(evm.config.key_file).chmod(0o644)
    with pytest.raises(Unavailable, match="anchor_key_open"):
        evm.submit(IMPRINT)
    Path(evm.config.key_file).unlink()
    with pytest.raises(Unavailable, match="anchor_key_missing"):
        evm.submit(IMPRINT)


def test_a_node_that_is_away_is_tried_again(tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    config = Evm(name="local", rpc=f"http://127.0.0.1:{port}", chain=1, key_file=str(tmp_path / "key"))
    with pytest.raises(Unavailable, match="anchor_silent"):
        anchors.EvmChain(config=config, connect=anchors._web3(config)).submit(IMPRINT)


# ---- the process -----------------------------------------------------------------------------------------------------


@pytest.mark.crash
def test_a_home_is_stamped_on_the_command_line_alone(tmp_path):
    """From nothing to a token; asked again, there is nothing to do."""
    running = Running(tmp_path / "home", 0)
    running.chopmark("init", "--quiet")
    running.chopmark("tsa", "init", "--quiet")
    with _authority(running.home):
        shown = json.loads(running.chopmark("stamp", "now", "--json").stdout)
        assert [(row["authority"], row["state"], row["own"]) for row in shown] == [("own", "done", True)]
        again = json.loads(running.chopmark("stamp", "now", "--json").stdout)
        assert again == shown
    assert json.loads(running.chopmark("stamp", "list", "--json").stdout) == shown


@pytest.mark.crash
def test_a_killed_stamper_goes_on_and_stops_when_told(tmp_path):
    running = Running(tmp_path / "home", 0)
    running.chopmark("init", "--quiet")
    running.chopmark("tsa", "init", "--quiet")
    command = [sys.executable, "-m", "chopmark.site.command", "stamper"]
    for number in (signal.SIGKILL, signal.SIGTERM):
        process = subprocess.Popen(command, env=running.environment, stderr=subprocess.PIPE)
        line = process.stderr.readline()
        assert b"started" in line
        process.send_signal(number)
        process.stderr.close()
        assert process.wait(HANG) == (-9 if number == signal.SIGKILL else 0)
