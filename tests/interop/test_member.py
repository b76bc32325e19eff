"""Our member as witness and mirror of logs that other people's software writes, and of ours through other clients."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from interop import foreign
from world.patience import HANG
from world.small_log import LOG_KEY, ORIGIN, SmallLog, entry, write_log

from chopmark.ledger.card import MIRROR, WITNESS, Card
from chopmark.ledger.checkpoint import open_checkpoint
from chopmark.ledger.keys import ED25519_COSIGNATURE, SigningKey, VerifierKey
from chopmark.ledger.wire import origin_hash

pytestmark = pytest.mark.interop

COMMAND = (sys.executable, "-m", "chopmark.site.command", "member")
TESSERA_KEY = SigningKey.generate("tessera.test/log")
AICS = "aics.test/log"


@dataclass
class Member:
    """One node of ours as a program."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def card(self) -> Card:
        return Card.parse((self.home / "card.json").read_bytes())

    def key(self, role: str) -> VerifierKey:
        """Its Ed25519 key for a role."""
        return next(key for key in self.card.keys_of(role) if key.type == ED25519_COSIGNATURE)

    def mirror(self, origin: str) -> str:
        """Where it serves a log."""
        return f"{self.url}/mirror/{origin_hash(origin)}/"

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        serve = (*COMMAND, "serve", "--home", self.home, "--quiet")
        with foreign.running(self.home.with_suffix(".txt"), *serve, port=self.port):
            yield


def made(folder: Path, *vkeys: object) -> Member:
    """A new member that holds the logs of these keys."""
    member = Member(folder / "court", foreign.free_port())
    (folder / "logs").write_text("".join(f"{vkey}\n" for vkey in vkeys))
    code, said = foreign.call(
        *COMMAND, "init", "--home", member.home, "--name", "court", "--kind", "court", "--zh", "法院", "--en", "Court",
        "--listen", f"127.0.0.1:{member.port}", "--url", member.url, "--log", folder / "logs",
        "--log-url", "http://127.0.0.1:9", "--interval", "86400",
    )  # fmt: skip
    assert code == 0, said
    return member


@pytest.fixture
def member(tmp_path) -> Iterator[Member]:
    started = made(tmp_path, TESSERA_KEY.verifier, LOG_KEY.verifier)
    with started.running():
        yield started


class Tessera:
    """A log of Tessera's POSIX driver, which grows by `grow`."""

    def __init__(self, go: Path, folder: Path) -> None:
        self.go, self.folder, self.log = go, folder, folder / "tessera"
        (folder / "tessera.key").write_text(TESSERA_KEY.text())
        self.size = 0

    def grow(
        self, count: int, member: Member | None = None, word: str = "entry", patience: float = HANG
    ) -> tuple[bool, str]:
        """Append so many entries, published only with the member's cosignature if there is one; whether it was."""
        entries = self.folder / f"{word}-{self.size}"
        entries.mkdir()
        for number in range(count):
            (entries / f"{number:06}").write_text(f"{word} {self.size + number} " * (number % 50 + 1))
        more: list[object] = [f"--witness_timeout={patience:g}s"]
        if member is not None:
            policy = self.folder / "policy"
            policy.write_text(
                f"log {TESSERA_KEY.verifier}\nwitness court {member.key(WITNESS)} {member.url}\nquorum court\n"
            )
            more.append(f"--witness_policy_file={policy}")
        code, said = self.run(f"--entries={entries}/*", *more, patience=patience)
        self.size += count
        checkpoint = self.log / "checkpoint"
        return code == 0 and f"\n{self.size}\n" in checkpoint.read_text(), said

    def run(self, *arguments: object, patience: float) -> tuple[int, str]:
        """A start that lasts so many seconds at most: without the cosignature it would wait for ever."""
        command = [self.go / "posix-oneshot", f"--storage_dir={self.log}", f"--private_key={self.folder}/tessera.key"]
        try:
            return foreign.call(*command, *arguments, timeout=patience)
        except subprocess.TimeoutExpired as error:
            return 1, (error.output or b"").decode(errors="replace")


@pytest.fixture
def tessera(go, tmp_path) -> Tessera:
    return Tessera(go, tmp_path)


def test_tessera_publishes_its_log_under_our_cosignature(go, tessera, member, tmp_path):
    for count in (300, 1, 500):
        published, said = tessera.grow(count, member)
        assert published, said
        note = (tessera.log / "checkpoint").read_bytes()
        checkpoint, found = open_checkpoint(note, [TESSERA_KEY.verifier, member.key(WITNESS)])
        assert (checkpoint.size, len(found)) == (tessera.size, 2)
        assert foreign.call(go / "receipt", tmp_path / "policy", tessera.log / "checkpoint") == (0, "ok\n")
        shown = httpx.get(f"{member.url}/witness/{origin_hash(TESSERA_KEY.name)}/checkpoint").content
        assert open_checkpoint(shown, [member.key(WITNESS)])[0] == checkpoint


def test_tessera_cannot_publish_a_second_history(tessera, member):
    published, said = tessera.grow(10, member)
    assert published, said
    forked = tessera.folder / "forked"
    forked.mkdir()
    other = Tessera(tessera.go, forked)
    published, said = other.grow(20, member, "another", patience=12)
    assert not published
    assert "422" in said or "not satisfied" in said or not said, said
    assert tessera.grow(10, member)[0]


def upload(go: Path, source: Path | str, key: VerifierKey, member: Member, *options: str) -> tuple[int, str]:
    """Bring a log to our mirror with the client written in Go; both keys of the mirror must have signed."""
    url = source if isinstance(source, str) else f"file://{source}/"
    keys = [str(each) for each in member.card.keys_of(MIRROR)]
    assert len(keys) == 2
    return foreign.call(go / "upload", *options, url, key, member.url, *keys)


def whole(go: Path, url: str, key: VerifierKey, folder: Path) -> bool:
    """Whether Tessera's fsck finds the log there whole."""
    (folder / "fsck.key").write_text(str(key))
    command = ("--storage_url", url, "--public_key", folder / "fsck.key", "--ui=false", "-v=1", "-N=4")
    code, said = foreign.call(go / "fsck", *command)
    assert (code, "Completed ranges" in said) == (0, True), said
    return "fsck failed" not in said


def test_a_tessera_log_is_mirrored_and_its_own_fsck_finds_our_copy_whole(go, tessera, member, tmp_path):
    for count, options in ((1, ()), (299, ("-plain",)), (600, ("-packages=1",)), (100, ())):
        assert tessera.grow(count)[0]
        code, said = upload(go, tessera.log, TESSERA_KEY.verifier, member, *options)
        assert (code, said.split()[:2]) == (0, ["ok", str(tessera.size)]), said
        assert whole(go, member.mirror(TESSERA_KEY.name), TESSERA_KEY.verifier, tmp_path)
    note = httpx.get(member.mirror(TESSERA_KEY.name) + "checkpoint").content
    checkpoint, found = open_checkpoint(note, [TESSERA_KEY.verifier, *member.card.keys_of(MIRROR)])
    assert (checkpoint.size, len(found)) == (1000, 3)


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> SmallLog:
    return write_log(tmp_path_factory.mktemp("log"), [1, 256, 300, 12_345, 70_000])


def at_size(written: SmallLog, size: int, folder: Path) -> Path:
    """The log as it was published at that size."""
    shutil.copytree(written.folder, folder / str(size))
    (folder / str(size) / "checkpoint").write_bytes(written.checkpoints[size])
    return folder / str(size)


def test_our_log_of_70000_entries_comes_over_after_cuts_and_a_restart(go, written, tmp_path):
    member = made(tmp_path, LOG_KEY.verifier)
    with member.running():
        cut = ("-packages=4", "-cut=1000")
        code, said = upload(go, at_size(written, 12_345, tmp_path), LOG_KEY.verifier, member, *cut)
        assert (code, said.split()[:2]) == (0, ["ok", "12345"]), said
        assert int(said.split()[2]) >= 13
    with member.running():
        code, said = upload(go, written.folder, LOG_KEY.verifier, member)
        assert (code, said.split()[:2]) == (0, ["ok", "70000"]), said
        assert whole(go, member.mirror(ORIGIN), LOG_KEY.verifier, tmp_path)
        note = httpx.get(member.mirror(ORIGIN) + "checkpoint").content
    copy = member.home / "mirror" / origin_hash(ORIGIN)
    assert (copy / "tile/0/273.p/112").read_bytes() == (written.folder / "tile/0/273.p/112").read_bytes()
    (tmp_path / "proof").write_bytes(written.proof(300).encode())
    (tmp_path / "entry").write_bytes(entry(300))
    (tmp_path / "old").write_bytes(written.checkpoints[12_345])
    shutil.copytree(copy, tmp_path / "copy")
    (tmp_path / "copy" / "checkpoint").write_bytes(note)
    names = [tmp_path / name for name in ("old", "proof", "entry")]
    done = foreign.call(go / "check", tmp_path / "copy", LOG_KEY.verifier, *names)
    assert done == (0, "ok 70000\n")


def test_one_wrong_bit_in_an_upload_is_refused_and_nothing_is_cosigned(go, written, member, tmp_path):
    code, said = upload(go, at_size(written, 300, tmp_path), LOG_KEY.verifier, member, "-flip", "-plain")
    assert (code, "add-entries" in said) == (1, True), said
    assert httpx.get(member.mirror(ORIGIN) + "checkpoint").status_code == 404
    code, said = upload(go, tmp_path / "300", LOG_KEY.verifier, member)
    assert code == 0, said


def test_a_shorter_and_a_forked_history_are_refused(go, written, member, tmp_path):
    assert upload(go, at_size(written, 12_345, tmp_path), LOG_KEY.verifier, member)[0] == 0
    code, said = upload(go, at_size(written, 300, tmp_path), LOG_KEY.verifier, member)
    assert (code, "add-checkpoint" in said or "proof" in said) == (1, True), said
    shown = httpx.get(member.mirror(ORIGIN) + "checkpoint").content
    assert open_checkpoint(shown, [LOG_KEY.verifier])[0].size == 12_345


def test_two_clients_at_once_leave_one_whole_copy(go, written, member, tmp_path):
    said: list[tuple[int, str]] = []
    threads = [
        threading.Thread(
            target=lambda: said.append(upload(go, written.folder, LOG_KEY.verifier, member, "-packages=16"))
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [code for code, _ in said] == [0, 0], said
    assert whole(go, member.mirror(ORIGIN), LOG_KEY.verifier, tmp_path)


@pytest.fixture
def aics(packages):
    sys.path.append(str(packages))
    import aics_tlog  # noqa: PLC0415 (found only through the path above)

    yield aics_tlog
    sys.path.remove(str(packages))


def test_a_log_that_aics_tlog_writes_is_mirrored_and_audited_by_it(go, aics, tmp_path):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 (this test only)

    private = Ed25519PrivateKey.from_private_bytes(bytes(32))
    key = VerifierKey(name=AICS, type=1, public=private.public_key().public_bytes_raw())
    folder = tmp_path / "aics"
    writer = aics.IncrementalTileWriter(aics.DirectoryTileStore(folder))
    member = made(tmp_path, key)
    with member.running():
        for size in (1, 300, 5000):
            writer.append([hashlib.sha256(bytes([7]) + n.to_bytes(4)).digest() * 3 for n in range(writer.size, size)])
            point = aics.Checkpoint(AICS, size, writer.root())
            (folder / "checkpoint").write_bytes(aics.sign_checkpoint(point, private, AICS).to_bytes())
            code, said = upload(go, folder, key, member)
            assert (code, said.split()[:2]) == (0, ["ok", str(size)]), said
    copy = member.home / "mirror" / origin_hash(AICS)
    report = aics.audit_tiles(aics.FileSystemTileReader(copy), 5000, writer.root())
    assert report.size == 5000
    note = aics.parse_note((copy / "checkpoint").read_bytes())
    log, mirror = aics.parse_vkey(str(key)), aics.parse_vkey(str(member.key(MIRROR)))
    assert aics.verify_checkpoint(note, log, [mirror], 1, expected_origin=AICS).ok
    damaged = copy / "tile/entries/003"
    good = damaged.read_bytes()
    damaged.write_bytes(good[:-1] + bytes([good[-1] ^ 1]))
    with pytest.raises(aics.TileVerificationError):
        aics.audit_tiles(aics.FileSystemTileReader(copy), 5000, writer.root())
