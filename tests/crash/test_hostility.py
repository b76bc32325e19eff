"""The consortium on hosts of its own: hosts are cut off, hang, lie, fill their disks; the platform forks and rewinds.

Seven real programs in network namespaces on one bridge. What is asked each time: nothing is published without the
quorum, nothing that was accepted is lost, and who is shown a forged history refuses it and keeps the proof.
"""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from world.consortium import NAMES, Consortium, until
from world.netns import Network
from world.patience import HANG

from chopmark.ledger.alarm import Alarm, check_fork_proof
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.note import Note
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.tiles import Edge, TileReader, integrate
from chopmark.ledger.witness import AddCheckpoint

pytestmark = pytest.mark.crash

STATE_LOST = 78  # EX_CONFIG: starting the same again cannot help


@pytest.fixture(scope="module")
def consortium(tmp_path_factory):
    """One for the tests that leave it as they found it."""
    with Network(NAMES) as network, Consortium(network, tmp_path_factory.mktemp("consortium")) as made:
        yield made


@pytest.fixture
def network(consortium):
    return consortium.network


def is_sound(consortium):
    return all(each["behind"] == 0 and each["trouble"] is None for each in consortium.state()["members"])


def test_partitions_and_hanging_hosts_delay_receipts_and_lose_nothing(consortium, network):
    first = consortium.deposit("all there")
    until(lambda: consortium.published(first))

    network.cut("hangzhou")
    consortium.freeze("customs")
    second = consortium.deposit("one court cut off and customs hanging")
    until(lambda: consortium.published(second))

    network.cut("beijing")
    third = consortium.deposit("two courts cut off")
    until(lambda: consortium.state()["quorum"] == "missing")
    assert not consortium.published(third)
    assert set(consortium.state()["waiting"]["missing"]) >= {"hangzhou", "beijing"}

    network.join("beijing")
    until(lambda: consortium.published(third))
    network.join("hangzhou")
    consortium.thaw("customs")
    until(lambda: is_sound(consortium))
    assert consortium.audit()["passed"]


# ---- a platform that forges ------------------------------------------------------------------------------------------


class Forger:
    """Whoever has the log's keys: signs any history of this log."""

    def __init__(self, consortium):
        self.objects = FileObjects(consortium.home / "log")
        keys = [consortium.home / "keys" / name for name in ("log.ed25519", "log.mldsa44")]
        self.keys = [SigningKey.parse(path.read_text("ascii").strip()) for path in keys]

    @property
    def true(self):
        return Checkpoint.parse(Note.parse(self.objects.get("checkpoint")).text)

    def rewritten(self, more):
        """Tiles of the same log with its second entry exchanged and others behind it."""
        true = self.true
        reader = TileReader(self.objects.get, true.size)
        entries = [reader.entry(position) for position in range(true.size)]
        entries[1] = b"what suits the forger"
        edge, files = integrate(Edge(), [*entries, *(f"forged {number}".encode() for number in range(more))])
        return edge, TileReader(files.__getitem__, edge.size)

    def sign(self, size, root):
        return sign_checkpoint(Checkpoint(origin=self.true.origin, size=size, root=root), self.keys, datetime.now(UTC))


def codes(consortium, name):
    return [each["code"] for each in consortium.alarms(name)]


def proven_forks(consortium, name, keys):
    """The fork alarms of a member, each checked as a stranger would."""
    found = []
    for each in consortium.alarms(name):
        if each["code"] == "ledger.alarm_fork":
            _, document = consortium.fetch(f"{consortium.member_url(name)}/alarms/{each['id']}", host=name)
            found.append(check_fork_proof(Alarm.parse(document).proof, keys))
    return found


def test_a_forged_history_is_refused_and_its_proof_is_kept(consortium):
    until(lambda: is_sound(consortium))
    forger = Forger(consortium)
    public = [key.verifier for key in forger.keys]
    true = forger.true

    def show(name, old, proof, note):
        body = AddCheckpoint(old=old, proof=proof, note=note).encode()
        return consortium.fetch(f"{consortium.member_url(name)}/add-checkpoint", method="POST", body=body)[0]

    same_size, _ = forger.rewritten(0)
    assert show("hangzhou", true.size, (), forger.sign(true.size, same_size.root())) == 422
    [(first, second)] = proven_forks(consortium, "hangzhou", public)
    assert {first.root, second.root} == {true.root, same_size.root()}

    longer, tiles = forger.rewritten(3)
    proof = tuple(tiles.consistency_proof(true.size, longer.size))
    assert show("beijing", true.size, proof, forger.sign(longer.size, longer.root())) == 422
    assert "ledger.alarm_history_unproven" in codes(consortium, "beijing")
    assert not proven_forks(consortium, "beijing", public)

    grown = [consortium.deposit(f"after the forgery {number}") for number in range(4)]
    until(lambda: consortium.published(*grown))
    until(lambda: proven_forks(consortium, "beijing", public))  # its own copy has reached the forged size
    assert is_sound(consortium)
    for name in ("hangzhou", "beijing"):
        _, page = consortium.fetch(f"{consortium.member_url(name)}/?lang=en", host=name)
        assert b"fork" in page


def test_what_the_platform_shows_the_public_is_watched(consortium):
    until(lambda: is_sound(consortium))
    forger = Forger(consortium)
    path = consortium.home / "log" / "checkpoint"
    shown = path.read_bytes()

    edge, _ = forger.rewritten(5)
    with replaced(path, forger.sign(edge.size, edge.root())):
        until(lambda: "ledger.alarm_no_quorum" in codes(consortium, "notary"))
    assert path.read_bytes() == shown
    grown = consortium.deposit("after what was shown")
    until(lambda: consortium.published(grown))
    until(lambda: consortium.fetch(f"{consortium.member_url('notary')}/healthz", host="notary")[0] == 200)
    with replaced(path, shown):
        until(lambda: "ledger.alarm_rewound" in codes(consortium, "notary"))


@contextmanager
def replaced(path, data):
    kept = path.read_bytes()
    path.write_bytes(data)
    try:
        yield
    finally:
        path.write_bytes(kept)


# ---- disks that are full ---------------------------------------------------------------------------------------------


@contextmanager
def small_disk(folder: Path, size: str):
    """The folder on a disk of its own; `ip netns exec` sees mounts that were there before."""
    kept = folder.with_name(folder.name + ".kept")
    folder.rename(kept)
    folder.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)], check=True)
    try:
        shutil.copytree(kept, folder, dirs_exist_ok=True)
        yield
        shutil.rmtree(kept)
        shutil.copytree(folder, kept)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()
        kept.rename(folder)


def fill(folder: Path) -> Path:
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        write_on(file)
    return ballast


def write_on(file):
    while True:
        file.write(bytes(4096))


def test_a_member_whose_disk_is_full_signs_nothing_and_comes_back(consortium):
    until(lambda: is_sound(consortium))
    home = consortium.member_home("guangzhou")
    consortium.stop("guangzhou")
    with small_disk(home, "12m"):
        consortium.start_member("guangzhou")
        ballast = fill(home)
        number = consortium.deposit("while a disk is full")
        until(lambda: consortium.published(number))
        [full] = [each for each in consortium.state()["members"] if each["name"] == "guangzhou"]
        assert full["trouble"] is not None
        ballast.unlink()
        if consortium.ended("guangzhou"):  # a write that was not confirmed ends a node; its operator starts it again
            consortium.start_member("guangzhou")
        until(lambda: is_sound(consortium))
        assert consortium.audit(consortium.mirror("guangzhou"))["passed"]
        consortium.stop("guangzhou")
    consortium.start_member("guangzhou")
    until(lambda: is_sound(consortium))


def test_a_platform_whose_disk_is_full_loses_nothing_that_it_accepted(consortium):
    until(lambda: is_sound(consortium))
    consortium.stop()
    with small_disk(consortium.home, "48m"):
        consortium.start()
        before = consortium.deposit("before the disk is full")
        until(lambda: consortium.published(before))
        ballast, accepted = fill(consortium.home), [before]
        for number in range(5):  # the first may still fit into space that the database has already
            made = consortium.deposits([f"full {number} {each}" for each in range(100)], check=False)
            accepted += made
            if not made:
                break
        else:
            pytest.fail("a full disk took everything")
        ballast.unlink()
        until(lambda: consortium.fetch(f"{consortium.url}/healthz")[0] == 200)
        accepted.append(consortium.deposit("after the disk was full"))
        until(lambda: consortium.published(accepted[0], accepted[-1]))
        assert consortium.published(*accepted[1:-1:40])
        assert consortium.audit()["passed"]
        consortium.stop()
    consortium.start()
    until(lambda: is_sound(consortium))


# ---- members that lie or forget; a platform that is lost -------------------------------------------------------------


def is_in_trouble(consortium, name):
    [member] = [each for each in consortium.state()["members"] if each["name"] == name]
    return member["trouble"] is not None


def cosigned_anew(consortium, name):
    """Whether a member is on the next checkpoint: one that comes back is not waited for, so it may miss the first.

    Something else is deposited each time: what is there already makes no new checkpoint.
    """
    number = consortium.deposit(f"for {name} to cosign at {time.monotonic_ns()}")
    until(lambda: consortium.published(number))
    return consortium.has_cosigned(name)


def test_a_lying_clock_a_forgetful_member_and_a_lost_platform(tmp_path):
    with Network(NAMES) as network, Consortium(network, tmp_path) as consortium:
        # 1 A court whose clock runs ten years ahead changes nothing in what a receipt proves.
        consortium.stop("beijing")
        consortium.start_member("beijing", years_ahead=10)
        number = consortium.deposit("with a lying court")
        until(lambda: consortium.published(number))
        until(lambda: is_sound(consortium))
        until(lambda: cosigned_anew(consortium, "beijing"))
        later = consortium.deposit("with a lying court again")
        until(lambda: consortium.published(later))
        report = consortium.verify("with a lying court again", later)
        assert report["verdict"] == "PASSED"
        assert report["existed_by"] < f"{datetime.now(UTC).year + 1}"
        assert "verify.time_set_aside" in {each["code"] for each in report["findings"]}

        # 2 With its clock right again it would contradict itself: it signs nothing, and is retired.
        consortium.stop("beijing")
        consortium.start_member("beijing")
        third = consortium.deposit("after the clock jumped back")
        until(lambda: consortium.published(third))
        until(lambda: not cosigned_anew(consortium, "beijing") and is_in_trouble(consortium, "beijing"))

        # 3 A notary that is brought back from an old copy refuses to come up.
        consortium.stop("notary")
        home, copy = consortium.member_home("notary"), tmp_path / "old copy"
        shutil.copytree(home, copy)
        consortium.start_member("notary")
        fourth = consortium.deposit("what the copy does not know")
        until(lambda: consortium.published(fourth))
        until(lambda: cosigned_anew(consortium, "notary"))
        consortium.stop("notary")
        newest = tmp_path / "newest"
        home.rename(newest)
        copy.rename(home)
        done = consortium.run("notary", consortium.member_command("notary"), check=False)
        assert done.returncode == STATE_LOST, done.stdout + done.stderr
        shutil.rmtree(home)
        newest.rename(home)
        consortium.start_member("notary")
        consortium.stop("beijing")
        reason = ("--reason", "its clock cannot be trusted", "--wait", str(HANG))
        consortium.chopmark("consortium", "retire", "beijing", *reason)

        # 4 The platform loses its ledger and goes on from one court's copy.
        fifth = consortium.deposit("before the loss")
        until(lambda: consortium.published(fifth))
        size = consortium.state()["size"]
        consortium.stop()
        shutil.rmtree(consortium.home / "log")
        consortium.chopmark("ledger", "restore", "--from", consortium.member_url("hangzhou"))
        consortium.start()
        sixth = consortium.deposit("after the restore")
        until(lambda: consortium.published(number, later, third, fourth, fifth, sixth))
        assert consortium.state()["size"] > size
        audit = consortium.audit()
        assert audit["passed"], json.dumps(audit)
