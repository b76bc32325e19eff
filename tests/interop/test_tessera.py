"""Tessera's own tools read our log: `fsck` rebuilds every tile from the entries, `hammer` reads while we write."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from interop import foreign
from world.ledger import KEYS, LedgerWorld, entry_of
from world.patience import HANG, WORK
from world.small_log import LOG_KEY, SmallLog, write_log

from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.stores.memory import MemoryObjects

pytestmark = pytest.mark.interop

SIZES = [1, 2, 3, 255, 256, 257, 300, 511, 512, 700, 65_535, 65_536, 65_537, 70_000]


def fsck(go: Path, url: str, key: Path) -> tuple[bool, str]:
    """Whether it found the log whole, and what it said; its exit status does not tell."""
    code, said = foreign.call(go / "fsck", "--storage_url", url, "--public_key", key, "--ui=false", "-v=1", "-N=4")
    assert code == 0, said
    assert "Completed ranges" in said
    return "fsck failed" not in said, said


@pytest.fixture(scope="module")
def key(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("key") / "vkey"
    path.write_text(str(LOG_KEY.verifier))
    return path


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> SmallLog:
    return write_log(tmp_path_factory.mktemp("log"), SIZES)


@pytest.mark.parametrize("size", SIZES)
def test_fsck_finds_our_log_whole_at_every_size(go, key, written, tmp_path, size):
    shutil.copytree(written.folder, tmp_path / "log", copy_function=_link)
    (tmp_path / "log" / CHECKPOINT).unlink()
    (tmp_path / "log" / CHECKPOINT).write_bytes(written.checkpoints[size])
    whole, said = fsck(go, f"file://{tmp_path}/log/", key)
    assert whole, said


def _link(source: str, target: str) -> None:
    Path(target).hardlink_to(source)


def test_fsck_finds_our_log_whole_over_http_and_without_outgrown_partial_tiles(go, key, written, tmp_path):
    shutil.copytree(written.folder, tmp_path / "log")
    for partial in ("tile/0/000.p", "tile/entries/000.p", "tile/0/001.p", "tile/entries/001.p", "tile/1/000.p"):
        shutil.rmtree(tmp_path / "log" / partial)
    with foreign.served_folder(tmp_path / "log") as url:
        whole, said = fsck(go, url, key)
    assert whole, said


DAMAGE = {
    "a leaf hash of a full tile": "tile/0/000",
    "a leaf hash of the newest tile": "tile/0/273.p/112",
    "a hash of a tile above": "tile/1/000",
    "a hash of the topmost tile": "tile/2/000.p/1",
    "an entry": "tile/entries/100",
    "the newest entry": "tile/entries/273.p/112",
    "the log's signature": CHECKPOINT,
}


@pytest.mark.parametrize("title", DAMAGE)
def test_fsck_finds_one_changed_byte(go, key, written, tmp_path, title):
    shutil.copytree(written.folder, tmp_path / "log")
    path = tmp_path / "log" / DAMAGE[title]
    data = bytearray(path.read_bytes())
    place = len(data) - 1 if DAMAGE[title] != CHECKPOINT else data.index(b"\n\n") + 40
    data[place] ^= 1
    path.write_bytes(bytes(data))
    whole, said = fsck(go, f"file://{tmp_path}/log/", key)
    assert not whole, said


class _Door(BaseHTTPRequestHandler):
    """What hammer writes through: POST /add answers the position when the entry is public; GET serves the log."""

    protocol_version = "HTTP/1.1"
    world: LedgerWorld
    ready: threading.Condition
    damaged = ""

    def do_POST(self) -> None:
        entry = entry_of(self.rfile.read(int(self.headers["Content-Length"])))
        with self.ready:
            self.world.book.enqueue([entry], self.world.clock())
            self.ready.wait_for(lambda: self.world.book.positions([entry.leaf]), HANG)
            found = self.world.book.positions([entry.leaf])
        self._answer(200, str(found[entry.leaf]).encode()) if found else self._answer(503, b"")

    def do_GET(self) -> None:
        path = self.path.removeprefix("/")
        try:
            data = self.world.objects.get(path)
        except Exception:  # noqa: BLE001 (the outermost line of a small server: whatever is missing is not there)
            self._answer(404, b"")
            return
        if self.damaged and path.startswith(self.damaged):
            data = data[:-1] + bytes([data[-1] ^ 1])
        self._answer(200, data)

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def writer(tmp_path: Path, damaged: str = "") -> Iterator[tuple[LedgerWorld, str]]:
    """Our writer at work on files, behind a door made for hammer."""
    world = LedgerWorld(objects=FileObjects(tmp_path / "log"), journal=MemoryObjects(replaceable=()))
    world.publish(*(f"before {number}".encode() for number in range(300)))
    ready, over = threading.Condition(), threading.Event()

    def write() -> None:
        log = world.log()
        while not over.is_set():
            with ready:
                went = log.step()
                ready.notify_all()
            if not went:
                over.wait(0.02)
        log.close()

    thread = threading.Thread(target=write)
    thread.start()
    try:
        with foreign.served(type("Door", (_Door,), {"world": world, "ready": ready, "damaged": damaged})) as url:
            yield world, url
    finally:
        over.set()
        thread.join()


def hammer(go: Path, url: str, goal: int) -> tuple[int, str]:
    return foreign.call(
        go / "hammer", f"--log_url={url}", f"--log_public_key={KEYS[0].verifier}", "--show_ui=false", "--v=1",
        "--max_read_ops=400", "--num_readers_random=4", "--num_readers_full=2",
        "--max_write_ops=400", "--num_writers=32", f"--leaf_write_goal={goal}", f"--max_runtime={HANG:.0f}s",
        timeout=WORK,
    )  # fmt: skip


def complaints(said: str) -> list[str]:
    """What hammer found wrong. The request that it drops at its own goal, and warns of, is none."""
    at_work, reached, leaving = said.partition("Reached tree size goal")
    assert reached, said
    own = [line for line in leaving.splitlines() if not line.endswith("context canceled")]
    return [line for line in (*at_work.splitlines(), *own) if line.startswith(("E", "W", "F"))]


def test_hammer_writes_and_reads_our_growing_log_without_a_complaint(go, tmp_path):
    with writer(tmp_path) as (world, url):
        code, said = hammer(go, url, goal=500)
        size = world.book.head().size
    assert code == 0, said
    assert size >= 800
    assert not complaints(said), said


def test_only_what_hammer_drops_itself_at_its_goal_is_no_complaint():
    goal = "I1123 05:46:56 hammer.go:160] Reached tree size goal of 800 after 3s; exiting\n"
    dropped = 'W1123 05:46:56 hammer.go:102] get("/checkpoint"): Get "/checkpoint": context canceled\n'
    assert complaints(f"I1123 05:46:53 begin\n{goal}{dropped}") == []
    assert complaints(f"{dropped}{goal}") == [dropped.strip()]
    refused = "W1123 05:46:56 hammer.go:102] failed to verify consistency\n"
    assert complaints(f"{refused}{goal}{refused}") == [refused.strip()] * 2


def test_hammer_stops_at_a_tile_that_does_not_fit_the_checkpoint(go, tmp_path):
    with writer(tmp_path, damaged="tile/0/") as (_, url):
        code, said = hammer(go, url, goal=500)
    assert code != 0
    assert "log consistency check failed" in said, said
