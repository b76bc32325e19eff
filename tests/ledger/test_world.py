"""A platform and five real members in memory, and all that can happen to them at once; an auditor sums up.

Stores are cut in the middle of writing, members are cut off and restarted, the rule changes, the log's files are lost
and fetched back from a member, and the platform tries to show some of them another history. Whatever the order:

    nothing is shown without the quorum that is in force at its size
    nothing that was deposited is lost, nothing stands there twice
    no member signs two checkpoints that contradict each other
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from io import BytesIO
from threading import RLock
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from world.ledger import AT, KEYS, ORIGIN, VERIFIERS, Clock, LedgerWorld, statements
from world.patience import HANG

from chopmark.base.errors import Unavailable
from chopmark.ledger import alarm as alarms
from chopmark.ledger.card import MIRROR, WITNESS, Card, CardKey
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from chopmark.ledger.consortium import Consortium, Gathered, MemberState
from chopmark.ledger.governance import Rule, at_size, consortium_policy
from chopmark.ledger.keys import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.mirror import Mirror
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy, policy_text
from chopmark.ledger.stores import CHECKPOINT, Objects
from chopmark.ledger.stores.memory import MemoryBook, MemoryObjects
from chopmark.ledger.tiles import TileReader, integrate
from chopmark.ledger.tree import EMPTY_ROOT
from chopmark.ledger.wire import Answer
from chopmark.ledger.witness import PENDING, AddCheckpoint, WatchedLog, Witness
from chopmark.member.restore import Copy, rebuild

NAMES = ("hangzhou", "beijing", "guangzhou", "notary", "customs")
STRAY = "customs"
"""The one member that the platform may lead astray; no rule needs it."""
RULES = [
    Rule.parse("courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs"),
    Rule.parse("courts: 2 of hangzhou beijing guangzhou"),
    Rule.parse("courts: 3 of hangzhou beijing guangzhou and others: 1 of notary"),
    Rule.parse("all: 4 of hangzhou beijing guangzhou notary customs"),
]
PATIENCE = 0.4


class Crash(BaseException):
    """The process ends here."""


@dataclass
class Fuse:
    """Ends a process at one of its next writes: before it, in the middle of it or after it."""

    left: int | None = None
    half: int = 0

    def burn(self) -> bool:
        """Whether it is this write."""
        if self.left is None:
            return False
        self.left -= 1
        return self.left < 0

    def blow(self) -> None:
        self.left = None
        raise Crash


class Cut:
    """Passes on every call; a write may be the last one."""

    def __init__(self, inner: Any, fuse: Fuse) -> None:
        self._inner, self._fuse = inner, fuse

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._inner, name)
        return self._cut(call) if name in {"put", "delete", "swap", "settle"} else call

    def _cut(self, call: Any) -> Any:
        def once(first: Any, *others: Any) -> Any:
            if not self._fuse.burn():
                return call(first, *others)
            if isinstance(first, Mapping) and self._fuse.half == 1:
                call(dict(list(first.items())[: len(first) // 2]))
            elif self._fuse.half == 2:
                call(first, *others)
            return self._fuse.blow()

        return once


class AloneBook(MemoryBook):
    """A book of which it is known that nobody else writes."""

    def hold(self) -> bool:
        return True


@dataclass
class Member:
    """A member's program over stores that outlive it, and all that it ever answered with a signature."""

    name: str
    reached: bool = True
    running: bool = True
    fuse: Fuse = field(default_factory=Fuse)
    signed: list[Checkpoint] = field(default_factory=list)
    alarms: list[alarms.Alarm] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)
        self.keys = {
            role: [SigningKey.generate(f"{self.name}.test/{role}", kind) for kind in kinds]
            for role in (WITNESS, MIRROR)
        }
        self.verifiers = [key.verifier for keys in self.keys.values() for key in keys]
        cards = tuple(CardKey(role=role, key=key.verifier) for role, keys in self.keys.items() for key in keys)
        self.card = Card(name=self.name, kind="court", zh="某院", en=self.name, url=None, keys=cards)
        self.clock = Clock()
        self.turn = RLock()  # one process at a time over the stores, as the lock of a member's home has it
        self.copy = MemoryObjects()
        self.log = WatchedLog(
            origin=ORIGIN,
            keys=tuple(VERIFIERS),
            state=Cut(MemoryObjects(replaceable=(PENDING,)), self.fuse),
            copy=Cut(self.copy, self.fuse),
        )
        Witness.found(self.log)
        self.start()

    def start(self) -> None:
        with self.turn:
            self.fuse.left = None
            self.witness = Witness([self.log], self.keys[WITNESS], self.clock, self.alarms.append)
            self.mirror = Mirror(self.witness, [self.log], self.keys[MIRROR], self.clock)
            self.running = True

    @property
    def pending(self) -> Checkpoint:
        pending = self.witness.pending(ORIGIN)
        return Checkpoint(origin=ORIGIN, size=0, root=EMPTY_ROOT) if pending is None else pending.checkpoint

    def add_checkpoint(self, body: bytes) -> Answer:
        point = Checkpoint.parse(Note.parse(AddCheckpoint.parse(body).note).text)
        answer = self._call(lambda: self.witness.add_checkpoint(body))
        if answer.status == 200:
            self.signed.append(point)
        return answer

    def add_entries(self, body: bytes) -> Answer:
        answer = self._call(lambda: self.mirror.add_entries(BytesIO(body)))
        if answer.status == 200:
            note = self.mirror.checkpoint(ORIGIN)
            point, signatures = open_checkpoint(note, self.verifiers)
            assert signatures
            self.signed.append(point)
        return answer

    def sealed_root(self, origin: str, size: int) -> bytes | None:
        return self._call(lambda: self.mirror.sealed_root(origin, size))

    def _call(self, what: Any) -> Any:
        with self.turn:
            if self.reached and self.running:
                try:
                    return what()
                except Crash:
                    self.running = False
        raise Unavailable("ledger.member_silent", name=self.name, reason="dead")


class Governed:
    """Cosigners under the policy that the ledger itself has published last, as `cli.writer.PresentConsortium`."""

    def __init__(self, members: list[Member], objects: Objects) -> None:
        self.history: list[tuple[int, bytes]] = [(0, b"")]
        self._members, self._objects = members, objects
        self._under: bytes = b""
        self._inner: Consortium | None = None

    def settled(self, first: int, entries: Any, _at: Any) -> None:
        """Decisions among the entries take force for every later checkpoint."""
        for entry in entries:
            if entry.statement.startswith(b"policy "):
                self.history.append((first + len(entries) + 1, self.text(int(entry.statement.split()[2]))))

    def text(self, number: int) -> bytes:
        cards = [member.card for member in self._members]
        return policy_text(consortium_policy(VERIFIERS, cards, RULES[number])).encode()

    def at(self, size: int) -> Policy | None:
        text = at_size(self.history, size)
        return Policy.parse(text) if text else None

    def gather(self, signed: bytes, checkpoint: Checkpoint) -> Gathered:
        inner = self._present()
        return Gathered(note=signed) if inner is None else inner.gather(signed, checkpoint)

    def follow(self, signed: bytes, checkpoint: Checkpoint) -> None:
        inner = self._present()
        if inner is not None:
            inner.follow(signed, checkpoint)

    def states(self) -> tuple[MemberState, ...]:
        return () if self._inner is None else self._inner.states()

    def close(self) -> None:
        if self._inner is not None:
            self._inner.close()
            for thread in self._inner._threads:
                thread.join(HANG)
                assert not thread.is_alive()
        self._inner, self._under = None, b""

    def _present(self) -> Consortium | None:
        text = self.history[-1][1]
        if text != self._under:
            self.close()
            cards = [member.card for member in self._members]
            self._inner = Consortium(
                Policy.parse(text), cards, self._members, self._objects, Clock(), patience=PATIENCE, grace=0.02
            )
            self._under = text
        return self._inner


class World(RuleBasedStateMachine):
    """What happens; `shown` are all checkpoints that anybody could have seen."""

    def __init__(self) -> None:
        super().__init__()
        self.members = [Member(name) for name in NAMES]
        self.world = LedgerWorld(objects=MemoryObjects())
        self.governed = Governed(self.members, self.world.objects)
        self.world.book = AloneBook(self.governed.settled)
        self.world.cosigners = self.governed
        self.fuse = Fuse()
        self.made: list[bytes] = []
        self.forks: list[list[bytes]] = []
        self.checked = 0
        self.log = self._writer()

    def __getitem__(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)

    def _writer(self):
        self.fuse.left = None
        self.governed.close()
        self.governed._objects = self.world.objects
        world = LedgerWorld(**vars(self.world))
        world.objects, world.book = Cut(world.objects, self.fuse), Cut(world.book, self.fuse)
        return world.log(journal=Cut(self.world.journal, self.fuse))

    def _deposit(self, *new: bytes) -> None:
        self.made += new
        self.world.enqueue(*new)

    # ---- what happens ------------------------------------------------------------------------------------------------

    @initialize(first=st.integers(0, len(RULES) - 1))
    def founded(self, first):
        self._deposit(b"the first", b"policy 0 %d" % first)
        assert self.log.step() == 2

    @rule(count=st.sampled_from([1, 2, 30, 255, 600]))
    def deposit(self, count):
        self._deposit(*statements(count, len(self.made)))

    @rule(number=st.integers(0, len(RULES) - 1))
    def decide(self, number):
        self._deposit(b"policy %d %d" % (len(self.made), number))

    @rule()
    def write(self):
        try:
            self.log.step()
        except Unavailable as error:
            if error.code != "ledger.quorum_missing":
                raise
        except Crash:
            self.log = self._writer()

    @rule(writes=st.integers(0, 6), half=st.integers(0, 2))
    def the_writer_dies_soon(self, writes, half):
        self.fuse.left, self.fuse.half = writes, half

    @rule()
    def the_writer_dies_and_its_journal_with_it(self):
        self.world.journal = MemoryObjects(replaceable=())
        self.log = self._writer()

    @rule(name=st.sampled_from(NAMES), writes=st.integers(0, 5), half=st.integers(0, 2))
    def a_member_dies_soon(self, name, writes, half):
        self[name].fuse.left, self[name].fuse.half = writes, half

    @rule(name=st.sampled_from(NAMES), reached=st.booleans())
    def the_network_changes(self, name, reached):
        self[name].reached = reached

    @rule(name=st.sampled_from(NAMES))
    def a_member_starts_again(self, name):
        self[name].start()

    @precondition(lambda self: self.world.book.latest() is not None)
    @rule()
    def the_files_are_lost_and_come_back_from_a_member(self):
        self.governed.close()
        latest = self.world.book.latest()
        if self.governed.at(latest.size) is None:
            return
        whole = [
            each for each in self.members if each.mirror.tiles(ORIGIN).size >= latest.size and not self._astray(each)
        ]
        assert whole, "under a quorum somebody holds everything"
        [copy] = [each.copy for each in whole[:1]]
        note = copy.get(CHECKPOINT)
        point, _ = open_checkpoint(note, VERIFIERS)
        held = Copy(name="a member", note=note, checkpoint=point, fetch=copy.get)
        fresh = MemoryObjects()
        rebuild(held, latest.size, fresh, {latest.size: {latest.root}})
        fresh.put({CHECKPOINT: latest.note})
        self.world.objects = fresh
        self.log = self._writer()

    @precondition(lambda self: self.world.book.latest() is not None)
    @rule(back=st.integers(1, 40), more=st.integers(0, 60), names=st.sets(st.sampled_from(NAMES), min_size=1))
    def the_platform_shows_another_history(self, back, more, names):
        """Only to members that know better, and to the one that nobody needs."""
        latest = self.world.book.latest()
        tiles = TileReader(self.world.objects.get, latest.size)
        kept = max(0, latest.size - back)
        entries = [tiles.entry(position) for position in range(kept)]
        entries += [b"forged %d %d" % (len(self.forks), number) for number in range(back + more)]
        self.forks.append(entries)
        edge, files = integrate(TileReader(dict[str, bytes]().__getitem__, 0).edge(), entries)
        forged = TileReader(files.__getitem__, edge.size)
        point = Checkpoint(origin=ORIGIN, size=edge.size, root=edge.root())
        note = sign_checkpoint(point, KEYS, AT)
        for member in (self[name] for name in sorted(names)):
            known = member.pending
            knows_better = kept < known.size and not self._astray(member)
            if known.size > point.size or not (knows_better or member.name == STRAY):
                continue
            body = AddCheckpoint(
                old=known.size, proof=tuple(forged.consistency_proof(known.size, edge.size)), note=note
            )
            with contextlib.suppress(Unavailable):
                status = member.add_checkpoint(body.encode()).status
                assert status == 422 or not knows_better, (member.name, status)

    def _astray(self, member: Member) -> bool:
        return any(not self._fits(point, self.world_entries()) for point in member.signed)

    def world_entries(self) -> list[bytes]:
        """All that the writer has decided on, published or not."""
        size = self.world.book.latest().size if self.world.book.latest() else 0
        tiles = TileReader(self.world.objects.get, size)
        published = [tiles.entry(position) for position in range(size)]
        decided = self.world.book.decided() if self.world.book.head().size > size else []
        return published + [entry.statement for entry in decided]

    @staticmethod
    def _fits(point: Checkpoint, entries: list[bytes]) -> bool:
        if point.size > len(entries):
            return False
        edge, _ = integrate(TileReader(dict[str, bytes]().__getitem__, 0).edge(), entries[: point.size])
        return edge.root() == point.root

    # ---- what must hold ----------------------------------------------------------------------------------------------

    @invariant()
    def everything_shown_has_the_quorum_in_force_at_its_size(self):
        for note in self.world.shown[self.checked :]:
            size = open_checkpoint(note, VERIFIERS)[0].size
            policy = self.governed.at(size)
            assert policy is None or policy.open(note)[1].accepted, size
        self.checked = len(self.world.shown)

    def teardown(self) -> None:
        try:
            for member in self.members:
                member.reached = True
                member.start()
            self.log = self._writer()
            for _ in range(100):
                with contextlib.suppress(Unavailable):
                    if not self.log.step() and not self.world.book.pending_count():
                        break
            self.world.audit(*self.made)
            self.everything_shown_has_the_quorum_in_force_at_its_size()
            entries = self.world_entries()
            for member in self.members:
                histories = [entries, *(self.forks if member.name == STRAY else [])]
                points = {(point.size, point.root): point for point in member.signed}.values()
                assert any(all(self._fits(point, each) for point in points) for each in histories), member.name
                codes = {alarm.code for alarm in member.alarms}
                assert codes <= ({alarms.FORK, alarms.HISTORY_UNPROVEN} if self.forks else set()), codes
        finally:
            self.governed.close()


TestWorld = World.TestCase
TestWorld.settings = settings(  # couriers make a failure shrink slowly, and it is read well enough as it is
    max_examples=10,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)
