"""A member's keys exchanged: old and new sign together until the log shows the new ones, and nothing is ever lost."""

from __future__ import annotations

import hashlib
import json

import httpx
import pytest
from member.test_serve import court, member, public
from world.ledger import VERIFIERS
from world.node import HASH, PublicLog, feed, make_home, never, node_of

from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.card import MIRROR, WITNESS, Card
from chopmark.ledger.checkpoint import open_checkpoint
from chopmark.ledger.governance import open_rotation
from chopmark.ledger.note import Note
from chopmark.ledger.stores import CHECKPOINT
from chopmark.member.keyfiles import ROLES
from chopmark.member.keys import KeyReader, seal
from chopmark.member.rotation import finish, next_card, prepare
from chopmark.member.settings import MemberHome

PASSPHRASE = b"correct horse"


@pytest.fixture
def log():
    made = PublicLog()
    made.add(*range(20))
    return made


@pytest.fixture
def made(tmp_path):
    return make_home(tmp_path / "home")


def prepared(home, passphrase=None):
    return prepare(home, KeyReader(never if passphrase is None else lambda: passphrase), passphrase=passphrase)


def showing(note):
    """A log whose published checkpoint is this one."""
    return lambda _log: lambda _path: note


def texts(folder):
    return {file: (folder / file).read_bytes() for file in ROLES}


def aside(home, card):
    return home.keys / "retired" / hashlib.sha256(card.encode()).hexdigest()[:16]


def test_old_keys_and_new_ones_sign_side_by_side_and_then_the_new_ones_alone(made, log):
    home, old = made
    before = texts(home.keys)
    with node_of(home) as running:
        feed(running.url, log)
    rotation = prepared(home)
    assert open_rotation(rotation.note, old) == rotation.card == next_card(home)
    assert home.rotation.read_bytes() == rotation.note
    assert texts(home.keys) == before

    log.add(*range(20, 30))
    with node_of(home) as running:
        for answer, role in zip(feed(running.url, log), (WITNESS, MIRROR), strict=True):
            _, signed = open_checkpoint(log.note + answer.content, [*old.keys_of(role), *rotation.card.keys_of(role)])
            assert {each.key for each in signed} == {*old.keys_of(role), *rotation.card.keys_of(role)}
        shown = running.get(f"/mirror/{HASH}/checkpoint").content
        assert Card.parse(running.get("/card.json").content) == old
        first_seal = running.get(f"/mirror/{HASH}/sealed-root/30").content

    assert finish(home, showing(shown)) == rotation.card
    assert texts(aside(home, old)) == before
    assert Card.parse((aside(home, old) / "card.json").read_bytes()) == old
    assert not home.next_keys.exists()
    log.add(30)
    with node_of(home) as running:
        answer = feed(running.url, log)[1]
        _, signed = open_checkpoint(log.note + answer.content, [*old.cosigning_keys, *rotation.card.cosigning_keys])
        assert {each.key for each in signed} == set(rotation.card.cosigning_keys)
        assert Card.parse(running.get("/card.json").content) == rotation.card
        note = running.get(f"/mirror/{HASH}/checkpoint").content
        assert len(open_checkpoint(note, [*VERIFIERS, *rotation.card.cosigning_keys])[1]) == 4
        assert running.get(f"/mirror/{HASH}/sealed-root/30").content != first_seal


def lines(log, running, card):
    """The published checkpoint with the cosignatures of one card's mirror keys."""
    note = Note.parse(log.note + feed(running.url, log)[1].content)
    wanted = {(key.name, key.key_id) for key in (*VERIFIERS, *card.cosigning_keys)}
    signatures = tuple(each for each in note.signatures if (each.name, each.key_id) in wanted)
    return Note(text=note.text, signatures=signatures).encode()


def test_the_new_keys_do_not_stand_alone_before_the_log_shows_that_they_count(made, log):
    home, old = made
    with pytest.raises(Refused, match=r"member\.no_rotation"):
        finish(home, showing(log.note))
    rotation = prepared(home)
    with node_of(home) as running:
        of_old, of_new = lines(log, running, old), lines(log, running, rotation.card)
    for note in (log.note, of_old):
        with pytest.raises(Refused, match=r"member\.rotation_waits"):
            finish(home, showing(note))
        assert home.read_card() == old
    assert finish(home, showing(of_new)) == rotation.card


def test_a_cosignature_of_another_checkpoint_is_no_sign_that_the_new_keys_count(made, log):
    home, _ = made
    rotation = prepared(home)
    with node_of(home) as running:
        earlier = Note.parse(lines(log, running, rotation.card)).signatures
    log.add(99)
    now = Note.parse(log.note)
    forged = Note(text=now.text, signatures=(*now.signatures, *earlier[-2:])).encode()
    with pytest.raises(Invalid, match=r"ledger\.signature_wrong"):
        finish(home, showing(forged))


def test_a_member_that_nobody_counts_may_be_forced(made, log):
    home, _ = made
    rotation = prepared(home)
    assert finish(home, showing(log.note), force=True) == rotation.card


def test_preparing_again_makes_no_second_set_of_keys(made):
    home, _ = made
    first, again = prepared(home), prepared(home)
    assert (first.card, first.note, first.fresh, again.fresh) == (again.card, again.note, True, False)


def test_keys_under_a_passphrase_stay_under_it(made, log):
    home, old = made
    for file, content in seal(KeyReader(never).all(home.keys), PASSPHRASE).items():
        home.write(home.keys / file, content, mode=0o600)
    with pytest.raises(Refused, match=r"member\.passphrase_wrong"):
        prepared(home, b"wrong")
    assert not home.next_keys.exists()
    rotation = prepared(home, PASSPHRASE)
    assert not any(b"PRIVATE+KEY" in content for content in texts(home.next_keys).values())
    finish(home, showing(log.note), force=True)
    assert {key.verifier for key in KeyReader(lambda: PASSPHRASE).all(home.keys).values()} == {
        each.key for each in rotation.card.keys
    }
    assert all((aside(home, old) / file).stat().st_mode & 0o077 == 0 for file in ROLES)


class Dies(Exception):
    """The machine stops here."""


class Dying(MemberHome):
    """A home on which only so many files can still be written."""

    def __init__(self, root, left):
        super().__init__(root)
        self.left = left

    def write(self, path, data, *, mode=0o644):
        if self.left == 0:
            raise Dies
        self.left -= 1
        super().write(path, data, mode=mode)


def attempts(root, step):
    """Do a step that dies after 0, 1, 2, ... files, until it comes through; how often it died."""
    for left in range(100):
        try:
            step(Dying(root, left))
        except Dies:
            continue
        return left
    raise AssertionError("never comes through")


def test_wherever_preparing_and_finishing_are_cut_off_they_go_on(made, log):
    home, old = made
    before = texts(home.keys)
    assert attempts(home.root, prepared) >= 1
    rotation = prepared(home)
    assert texts(home.keys) == before
    assert open_rotation(rotation.note, old) == rotation.card
    assert attempts(home.root, lambda place: finish(place, showing(log.note), force=True)) >= len(ROLES)
    assert home.read_card() == rotation.card
    assert texts(aside(home, old)) == before
    assert [path.name for path in (home.keys / "retired").iterdir()] == [aside(home, old).name]
    with node_of(home) as running:
        assert feed(running.url, log)[1].status_code == 200


def test_a_second_exchange_follows_the_first(made, log):
    home, old = made
    for _ in range(2):
        rotation = prepared(home)
        finish(home, showing(log.note), force=True)
    assert home.read_card() == rotation.card != old
    assert len(list((home.keys / "retired").iterdir())) == 2


@pytest.mark.crash
def test_the_drill_on_the_command_line(tmp_path, log):
    with public(log) as address, court(tmp_path, log_url=address) as node:
        feed(node.url, log)
        busy = member("rotate", "--home", node.home, "--json", check=False)
        assert json.loads(busy.stderr)["code"] == "member.running"
        node.stop()
        rotation = json.loads(member("rotate", "--home", node.home, "--json").stdout)
        old = Card.parse((node.home / "card.json").read_bytes())
        new = open_rotation((node.home / "rotation.json").read_bytes(), old)
        assert rotation["sha256"] == hashlib.sha256(new.encode()).hexdigest()
        early = member("rotate", "--finish", "--home", node.home, "--json", check=False)
        assert json.loads(early.stderr)["code"] == "member.rotation_waits"

        log.add(*range(20, 40))
        node.start()
        node.wait_until_ready()
        shown = lines(log, node, new)
        node.stop()
        log.objects.put({CHECKPOINT: shown})
        done = member("rotate", "--finish", "--home", node.home, "--json")
        assert json.loads(done.stdout)["sha256"] == rotation["sha256"]

        node.start()
        node.wait_until_ready()
        assert node.log_state()["mirror"]["size"] == 40
        assert Card.parse(httpx.get(node.url + "/card.json").content) == new
        assert node.stop() == 0
