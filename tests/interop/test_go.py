"""Go's own packages (golang.org/x/mod/sumdb) read a log that this code wrote; `go/main.go` says what they check."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from world.patience import HANG, WORK
from world.small_log import LOG_KEY, SmallLog, entry, write_log

pytestmark = pytest.mark.interop

INDEX = 300


@pytest.fixture(scope="module")
def checker(tmp_path_factory) -> Path:
    go = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    if go is None:
        pytest.skip("there is no Go compiler on this machine")
    binary = tmp_path_factory.mktemp("go") / "check"
    module = Path(__file__).parent / "go"
    subprocess.run([go, "build", "-mod=readonly", "-o", binary, "."], cwd=module, check=True, timeout=WORK)
    return binary


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> SmallLog:
    return write_log(tmp_path_factory.mktemp("log"), [1, 255, 256, 301, 700])


@pytest.fixture
def copy(written, tmp_path) -> Path:
    """The log, an old checkpoint, a proof and its entry, free to be damaged."""
    shutil.copytree(written.folder, tmp_path / "log")
    (tmp_path / "old").write_bytes(written.checkpoints[301])
    (tmp_path / "proof").write_bytes(written.proof(INDEX, extra=b"extra").encode())
    (tmp_path / "entry").write_bytes(entry(INDEX))
    return tmp_path


def run(checker: Path, copy: Path, vkey: str = str(LOG_KEY.verifier)) -> tuple[int, str]:
    names = [copy / "log", vkey, copy / "old", copy / "proof", copy / "entry"]
    done = subprocess.run([checker, *names], capture_output=True, text=True, timeout=HANG, check=False)
    assert not done.stderr
    return done.returncode, done.stdout.strip()


def test_go_accepts_the_log_the_old_checkpoint_and_the_proof(checker, copy):
    assert run(checker, copy) == (0, "ok 700")


def test_go_accepts_the_log_after_partial_tiles_were_cleared_away(checker, copy):
    for partial in ("log/tile/0/000.p", "log/tile/entries/000.p", "log/tile/0/001.p"):
        shutil.rmtree(copy / partial)
    assert run(checker, copy) == (0, "ok 700")


def test_go_accepts_every_published_size_as_the_old_one(checker, copy, written):
    for note in written.checkpoints.values():
        (copy / "old").write_bytes(note)
        assert run(checker, copy) == (0, "ok 700")


def flip(file: Path, place: int) -> None:
    data = bytearray(file.read_bytes())
    data[place] ^= 1
    file.write_bytes(bytes(data))


DAMAGE = {
    "a bit of the newest leaf hash": lambda copy: flip(copy / "log/tile/0/002.p/188", -1),
    "a bit of an old leaf hash": lambda copy: flip(copy / "log/tile/0/000", 0),
    "a bit of a hash above": lambda copy: flip(copy / "log/tile/1/000.p/2", 0),
    "a bit of an entry": lambda copy: flip(copy / "log/tile/entries/001", -1),
    "a bundle cut off": lambda copy: (copy / "log/tile/entries/000").write_bytes(b"\x00\x05abc"),
    "a tile cut off": lambda copy: (copy / "log/tile/0/001").write_bytes(bytes(8191)),
    "a missing tile": lambda copy: (copy / "log/tile/0/001").unlink(),
    "another size": lambda copy: replace(copy / "log/checkpoint", b"\n700\n", b"\n699\n"),
    "another origin": lambda copy: replace(copy / "log/checkpoint", b"small\n700", b"smell\n700"),
    "another old size": lambda copy: replace(copy / "old", b"\n301\n", b"\n300\n"),
    "another index in the proof": lambda copy: replace(copy / "proof", b"index 300\n", b"index 301\n"),
    "another entry": lambda copy: (copy / "entry").write_bytes(b"another"),
    "a proof with a hash less": lambda copy: drop_line(copy / "proof", 3),
}


def replace(file: Path, old: bytes, new: bytes) -> None:
    data = file.read_bytes()
    assert old in data
    file.write_bytes(data.replace(old, new, 1))


def drop_line(file: Path, number: int) -> None:
    lines = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join(lines[:number] + lines[number + 1 :]))


@pytest.mark.parametrize("title", DAMAGE)
def test_go_refuses_a_damaged_copy(checker, copy, title):
    DAMAGE[title](copy)
    code, said = run(checker, copy)
    assert code == 1
    assert said.startswith("failed: ")


def test_go_refuses_the_log_under_another_key(checker, copy):
    other = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
    assert run(checker, copy, vkey=other)[0] == 1
