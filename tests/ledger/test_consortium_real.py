"""The writer with real witnesses and mirrors, joined in memory."""

from __future__ import annotations

import copy
from io import BytesIO

import pytest
from world.ledger import ORIGIN, VERIFIERS, Clock, LedgerWorld, statements
from world.patience import HANG, until

from chopmark.base.errors import Unavailable
from chopmark.ledger.card import MIRROR, WITNESS, Card, CardKey
from chopmark.ledger.consortium import Consortium
from chopmark.ledger.keys import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.mirror import Mirror
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.memory import MemoryBook, MemoryObjects
from chopmark.ledger.wire import Answer
from chopmark.ledger.witness import PENDING, WatchedLog, Witness

NAMES = ("hangzhou", "beijing", "notary")


class RealMember:
    """A member's program without its HTTP server; a start makes it anew over what it had stored."""

    def __init__(self, name: str) -> None:
        self.name = name
        kinds = (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)
        self.keys = {
            role: [SigningKey.generate(f"{name}.test/{role}", kind) for kind in kinds] for role in (WITNESS, MIRROR)
        }
        self.log = WatchedLog(
            origin=ORIGIN,
            keys=tuple(VERIFIERS),
            state=MemoryObjects(replaceable=(PENDING,)),
            copy=MemoryObjects(),
        )
        Witness.found(self.log)
        self.alive = True
        self.alarms: list[object] = []
        self.start()

    def start(self) -> None:
        self.witness = Witness([self.log], self.keys[WITNESS], Clock(), self.alarms.append)
        self.mirror = Mirror(self.witness, [self.log], self.keys[MIRROR], Clock())

    @property
    def card(self) -> Card:
        keys = tuple(CardKey(role=role, key=key.verifier) for role, keys in self.keys.items() for key in keys)
        return Card(name=self.name, kind="court", zh="某院", en=self.name, url=None, keys=keys)

    def _must_live(self) -> None:
        if not self.alive:
            raise Unavailable("ledger.member_silent", name=self.name, reason="dead")

    def add_checkpoint(self, body: bytes) -> Answer:
        self._must_live()
        return self.witness.add_checkpoint(body)

    def add_entries(self, body: bytes) -> Answer:
        self._must_live()
        return self.mirror.add_entries(BytesIO(body))

    def sealed_root(self, origin: str, size: int) -> bytes | None:
        self._must_live()
        return self.mirror.sealed_root(origin, size)


@pytest.fixture
def members() -> list[RealMember]:
    return [RealMember(name) for name in NAMES]


@pytest.fixture
def policy(members) -> Policy:
    lines = [f"log {key}" for key in VERIFIERS]
    for member in members:
        first, second = member.card.cosigning_keys
        lines += [f"witness {member.name}-a {first}", f"witness {member.name}-b {second}"]
        lines += [f"group {member.name} any {member.name}-a {member.name}-b"]
    return Policy.parse("\n".join([*lines, f"group two 2 {' '.join(NAMES)}", "quorum two", ""]).encode())


@pytest.fixture
def world(members, policy):
    made = LedgerWorld()
    cards = [member.card for member in members]
    made.cosigners = Consortium(policy, cards, members, made.objects, Clock(), patience=HANG, grace=20.0)
    yield made
    made.cosigners.close()


def settle(world: LedgerWorld, size: int) -> None:
    consortium = world.cosigners
    with consortium._changed:
        assert consortium._changed.wait_for(lambda: all(each.size == size for each in consortium.states()), HANG)


def test_real_members_hold_and_cosign_what_is_published(world, members, policy):
    log, everything = world.log(), list(statements(1500))
    for start in range(0, 1500, 300):
        world.enqueue(*everything[start : start + 300])
        assert log.step() == 300
        point, judgement = policy.open(world.objects.get(CHECKPOINT))
        assert judgement.accepted
        assert len(judgement.witnesses) == 6
        assert len(world.book.latest().member_seals) == 3
        assert all(member.mirror.tiles(ORIGIN).root() == point.root for member in members)
    world.audit(*everything)
    assert all(member.mirror.next_entry(ORIGIN) == 1500 and member.alarms == [] for member in members)


def test_a_real_member_that_was_away_catches_up_in_the_background(world, members):
    log, everything = world.log(), list(statements(20_000))
    members[0].alive = False
    for start in range(0, 20_000, 4000):
        world.enqueue(*everything[start : start + 4000])
        log.step()
    members[0].start()
    members[0].alive = True
    settle(world, 20_000)
    assert members[0].mirror.tiles(ORIGIN).root() == world.book.head().root
    world.audit(*everything)


def test_real_members_take_up_a_log_that_is_older_than_they(members, policy):
    world, everything = LedgerWorld(), list(statements(10_000))
    for start in range(0, 10_000, 5000):
        world.publish(*everything[start : start + 5000])
    consortium = Consortium(policy, [each.card for each in members], members, world.objects, Clock(), patience=HANG)
    world.cosigners = consortium
    try:
        log = world.log()
        log.recover()
        settle(world, 10_000)
        world.enqueue(b"under the quorum")
        log.step()
    finally:
        consortium.close()
    assert policy.open(world.objects.get(CHECKPOINT))[1].accepted
    world.audit(*everything, b"under the quorum")


def test_a_log_that_was_brought_back_from_a_backup_signs_no_second_history(members, policy):
    world = LedgerWorld()

    def consortium(patience: float = HANG) -> Consortium:
        cards = [each.card for each in members]
        return Consortium(policy, cards, members, world.objects, Clock(), patience=patience)

    world.cosigners = consortium()
    world.publish(*statements(300))
    backup = dict(world.objects.kept)
    book = MemoryBook()
    vars(book).update({name: copy.copy(value) for name, value in vars(world.book).items() if name != "_lock"})
    world.cosigners = consortium()
    world.publish(*statements(10, 300))

    world.objects.kept, world.book = backup, book
    world.enqueue(b"after the backup")
    world.cosigners = consortium(patience=1.0)
    log = world.log()
    try:
        for _ in range(2):
            with pytest.raises(Unavailable, match=r"ledger\.quorum_missing"):
                log.step()
        until(lambda: {state.trouble for state in world.cosigners.states()} == {"ledger.member_ahead"})
    finally:
        log.close()
    assert world.book.head().size == 300
    assert [member.alarms for member in members] == [[], [], []]
