"""The writer and its consortium: what a member does, well or ill, and what is published then.

Members are real in all that the writer can see (they keep state, check proofs and sign), and as strange as each test
wants them. Nothing here sleeps; who must be late waits for an event.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from world.ledger import AT, ORIGIN, VERIFIERS, Clock, LedgerWorld, entry_of, statements
from world.patience import HANG

from chopmark.base.errors import Unavailable
from chopmark.base.wording import say
from chopmark.ledger import tree
from chopmark.ledger.card import MIRROR, WITNESS, Card, CardKey
from chopmark.ledger.checkpoint import Checkpoint, cosign, open_checkpoint
from chopmark.ledger.consortium import MAX_ANSWER, Consortium
from chopmark.ledger.cose import PublicKey
from chopmark.ledger.cose_receipt import SealedRoot, sign_root
from chopmark.ledger.keys import ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.log import Log
from chopmark.ledger.mirror import MirrorInfo
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores import CHECKPOINT, ConsortiumState
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.ledger.wire import MIRROR_INFO, TLOG_SIZE, Answer
from chopmark.ledger.witness import AddCheckpoint

COURTS, OTHERS = ("hangzhou", "beijing", "guangzhou"), ("notary", "customs")
NAMES = COURTS + OTHERS


def seed(name: str, number: int) -> bytes:
    return tree.leaf_hash(f"{name} {number}".encode())


@dataclass
class Member:
    """A small honest member; each `on_` hook, when set, answers in its place."""

    name: str
    mirrors: bool = True
    pending: Checkpoint | None = None
    mirrored: int = 0
    entries: list[bytes] = field(default_factory=list)
    alive: bool = True
    calls: list[str] = field(default_factory=list)
    most: int = 32 * 256
    on_checkpoint: Callable[[AddCheckpoint], Answer | None] | None = None
    on_entries: Callable[[bytes], Answer | None] | None = None
    on_seal: Callable[[int], bytes | None] | None = None
    clock: Clock = field(default_factory=Clock)
    cosigned: list[Checkpoint] = field(default_factory=list)

    def __post_init__(self) -> None:
        kinds = (ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)
        self.witness_keys = [
            SigningKey(name=f"{self.name}.test/witness", type=k, seed=seed(self.name, k)) for k in kinds
        ]
        self.mirror_keys = [
            SigningKey(name=f"{self.name}.test/mirror", type=k, seed=seed(self.name, 9 + k)) for k in kinds
        ]
        self.lock = threading.Lock()

    @property
    def card(self) -> Card:
        keys = [CardKey(role=WITNESS, key=key.verifier) for key in self.witness_keys]
        if self.mirrors:
            keys += [CardKey(role=MIRROR, key=key.verifier) for key in self.mirror_keys]
        kind = "court" if self.name in COURTS else "notary"
        return Card(name=self.name, kind=kind, zh="某院", en=self.name.title(), url=None, keys=tuple(keys))

    def _must_live(self, what: str) -> None:
        self.calls.append(what)
        if not self.alive:
            raise Unavailable("ledger.member_silent", name=self.name, reason="dead")

    def signed(self, point: Checkpoint, keys: list[SigningKey]) -> bytes:
        self.cosigned.append(point)
        return "".join(cosign(point, key, self.clock()).line() for key in keys).encode()

    def add_checkpoint(self, body: bytes) -> Answer:
        self._must_live("checkpoint")
        request = AddCheckpoint.parse(body)
        if self.on_checkpoint is not None and (answer := self.on_checkpoint(request)) is not None:
            return answer
        with self.lock:
            point, signatures = open_checkpoint(request.note, VERIFIERS)
            assert len(Note.parse(request.note).signatures) == len(signatures) == 2, "the log's own and no others"
            size = self.pending.size if self.pending else 0
            if request.old != size:
                return Answer(status=409, body=b"%d\n" % size, content_type=TLOG_SIZE)
            if self.pending is not None:
                tree.verify_consistency(
                    old=size, old_root=self.pending.root, size=point.size, root=point.root, proof=request.proof
                )
            self.pending = point
            return Answer(status=200, body=self.signed(point, self.witness_keys))

    def add_entries(self, body: bytes) -> Answer:
        self._must_live("entries")
        if self.on_entries is not None and (answer := self.on_entries(body)) is not None:
            return answer
        with self.lock:
            return self._add_entries(BytesIO(body))

    def _add_entries(self, body: BytesIO) -> Answer:
        def number(size: int) -> int:
            return int.from_bytes(body.read(size), "big")

        assert body.read(number(2)) == ORIGIN.encode()
        start, end = number(8), number(8)
        ticket = body.read(number(2))
        assert self.pending is not None
        if end != self.pending.size or start > len(self.entries):
            assert ticket in {b"", b"ticket"}
            return self._info(409)
        taken = start
        while taken < end and taken - start < self.most and (length := body.read(2)):
            entry = body.read(int.from_bytes(length, "big"))
            if taken == len(self.entries):
                self.entries.append(entry)
            assert self.entries[taken] == entry
            taken += 1
            if taken == end or taken % 256 == 0:
                body.read(32 * number(1))
        if len(self.entries) < end:
            return self._info(202)
        assert naive_root(tree.leaf_hashes(self.entries[:end])) == self.pending.root
        self.mirrored = end
        return Answer(status=200, body=self.signed(self.pending, self.mirror_keys))

    def _info(self, status: int) -> Answer:
        info = MirrorInfo(size=self.pending.size, next_entry=len(self.entries), ticket=b"ticket")
        return Answer(status=status, body=info.encode(), content_type=MIRROR_INFO)

    def sealed_root(self, origin: str, size: int) -> bytes | None:
        self._must_live("seal")
        if self.on_seal is not None:
            return self.on_seal(size)
        if not self.mirrored >= size:
            return None
        root = naive_root(tree.leaf_hashes(self.entries[:size]))
        return sign_root(origin, root, self.mirror_keys[0], self.clock(), size=size)


def naive_root(hashes: list[bytes]) -> bytes:
    """RFC 6962 §2.1, level by level."""
    while len(hashes) > 1:
        hashes = tree.next_level(hashes) + ([hashes[-1]] if len(hashes) % 2 else [])
    return hashes[0] if hashes else tree.EMPTY_ROOT


def policy_of(members: list[Member], quorum: str = "consortium") -> Policy:
    """Any two of the courts and any one of the others, each under either of its keys."""
    lines = [f"log {key}" for key in VERIFIERS]
    for member in members:
        for word, key in zip(("ed25519", "mldsa44"), member.card.cosigning_keys, strict=True):
            lines.append(f"witness {member.name}-{word} {key}")
        lines.append(f"group {member.name} any {member.name}-ed25519 {member.name}-mldsa44")
    lines += [f"group courts 2 {' '.join(COURTS)}", f"group others any {' '.join(OTHERS)}"]
    lines += ["group consortium all courts others", f"quorum {quorum}"]
    return Policy.parse("\n".join([*lines, ""]).encode())


class Bench:
    """Five members, a consortium over them, and a world that publishes under it."""

    def __init__(self, **options: float) -> None:
        self.world = LedgerWorld()
        self.members = [Member(name) for name in NAMES]
        self.options = {"patience": HANG, "grace": 20.0, **options}
        self.opened: list[Consortium] = []

    def __getitem__(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)

    @property
    def policy(self) -> Policy:
        return policy_of(self.members)

    def open(self, *, policy: Policy | None = None, **options: float) -> Consortium:
        cards = [member.card for member in self.members]
        consortium = Consortium(
            policy or self.policy, cards, self.members, self.world.objects, Clock(), **{**self.options, **options}
        )
        self.opened.append(consortium)
        self.world.cosigners = Unclosed(consortium)
        return consortium

    def close(self) -> None:
        for member in self.members:
            member.alive = True
        for consortium in self.opened:
            consortium.close()
            for thread in consortium._threads:
                thread.join(HANG)
                assert not thread.is_alive()

    def judge(self, note: bytes | None = None):
        return self.policy.open(note or self.world.objects.get(CHECKPOINT))[1]

    def must_have_cosigned(self, notes: list[bytes]) -> None:
        """Every note shown is under the quorum, and who signed it holds what is under it."""
        for note in notes:
            point, judgement = self.policy.open(note)
            assert judgement.accepted
            assert all(point in self[name.rsplit("-", 1)[0]].cosigned for name in judgement.witnesses)

    def live(self, steps: list[tuple[str, int | str]]) -> int:
        """Do as the steps say; in the end all members are back and all is written. The number of deposits."""
        made, log = 0, self.world.log()
        for what, which in steps:
            match what:
                case "deposit":
                    self.world.enqueue(*statements(which, made))
                    made += which
                case "dies" | "returns":
                    self[which].alive = what == "returns"
                case "write":
                    write(log)
                case _:
                    log = self.world.log()
        for member in self.members:
            member.alive = True
        assert any(write(log) and not self.world.book.pending_count() for _ in range(200))
        return made

    def settle(self, name: str, condition: Callable[..., bool]) -> None:
        """Wait until the state of a member is so."""
        consortium = self.opened[-1]

        def so() -> bool:
            return any(state.name == name and condition(state) for state in consortium.states())

        with consortium._changed:
            assert consortium._changed.wait_for(so, HANG)


class Unclosed:
    """A consortium that outlives each writer."""

    def __init__(self, consortium: Consortium) -> None:
        self.gather, self.follow, self.states = consortium.gather, consortium.follow, consortium.states

    def close(self) -> None:
        """Left open for the next writer."""


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.close()


@contextmanager
def held(member: Member, hook: str) -> Iterator[None]:
    """Let a member answer only after the block."""
    gate = threading.Event()

    def wait(_: object) -> None:
        assert gate.wait(HANG)

    setattr(member, hook, wait)
    try:
        yield
    finally:
        setattr(member, hook, None)
        gate.set()


# ---- all is well -----------------------------------------------------------------------------------------------------


def test_a_checkpoint_carries_the_cosignatures_of_all_in_the_policys_order(bench):
    bench.open()
    bench.world.publish(b"one", b"two")
    _, signatures = open_checkpoint(bench.world.objects.get(CHECKPOINT), bench.policy.keys)
    assert [each.key for each in signatures] == [*VERIFIERS, *[witness.key for witness in bench.policy.witnesses]]
    assert bench.judge().accepted
    assert bench.world.book.latest().note == bench.world.objects.get(CHECKPOINT)
    assert all(member.entries == [b"one", b"two"] for member in bench.members)
    bench.world.audit(b"one", b"two")


def test_members_seal_the_root_and_their_seals_are_kept_in_order(bench):
    bench.open()
    bench.world.publish(b"one")
    published = bench.world.book.latest()
    seals = [SealedRoot.parse(seal) for seal in published.member_seals]
    assert [seal.issuer for seal in seals] == [f"{name}.test/mirror" for name in NAMES]
    for seal, member in zip(seals, bench.members, strict=True):
        seal.verify(published.root, PublicKey.ed25519(member.mirror_keys[0].verifier.public))


def test_the_quorum_may_need_no_mirror_of_a_member_that_only_witnesses(bench):
    bench["notary"].mirrors = bench["customs"].mirrors = False
    bench.open()
    bench.world.publish(b"one")
    bench.world.publish(b"two")
    assert bench.judge().accepted
    assert bench["notary"].calls == ["checkpoint"] * 2
    assert len(bench.judge().witnesses) == 10
    assert len(bench.world.book.latest().member_seals) == 3


def test_each_publication_brings_only_what_is_new(bench):
    bench.open()
    for start in range(0, 900, 300):
        bench.world.publish(*statements(300, start))
    assert all(member.calls == ["checkpoint", "entries", "seal"] * 3 for member in bench.members)
    assert all(member.entries == list(statements(900)) for member in bench.members)


def test_states_say_how_each_member_is(bench):
    consortium = bench.open()
    bench.world.publish(b"one", b"two")
    states = consortium.states()
    assert [state.name for state in states] == list(NAMES)
    assert {(state.size, state.next_entry, state.trouble) for state in states} == {(2, 2, None)}
    kept = bench.world.book.consortium()
    assert (kept.waiting_size, kept.missing, len(kept.members)) == (None, "", 5)


# ---- some are not well -----------------------------------------------------------------------------------------------


def test_two_of_five_dead_members_stop_nothing(bench):
    bench.open()
    bench["hangzhou"].alive = bench["customs"].alive = False
    bench.world.publish(b"one")
    assert set(bench.judge().witnesses) == {
        f"{name}-{word}" for name in ("beijing", "guangzhou", "notary") for word in ("ed25519", "mldsa44")
    }
    assert bench.judge().accepted


QUORUMS = {
    "one court": ({"hangzhou", "notary", "customs"}, False),
    "two courts and nobody else": ({"hangzhou", "beijing"}, False),
    "all courts and nobody else": ({"hangzhou", "beijing", "guangzhou"}, False),
    "two courts and the notary": ({"guangzhou", "beijing", "notary"}, True),
    "nobody": (set(), False),
}


def refused(log: Log, expected: set[str]) -> Unavailable:
    """A step that gives up; on a slow machine it may take more than one until all that are expected have cosigned."""
    for _ in range(50):
        with pytest.raises(Unavailable, match=r"ledger\.quorum_missing") as caught:
            log.step()
        if having(caught.value) >= expected:
            break
    return caught.value


def having(error: Unavailable) -> set[str]:
    return set(error.facts["have"].replace("-", "").split())


@pytest.mark.parametrize("case", QUORUMS)
def test_only_the_quorum_publishes(case, bench):
    alive, enough = QUORUMS[case]
    for member in bench.members:
        member.alive = member.name in alive
    bench.open(patience=HANG if enough else 0.2)
    bench.world.enqueue(b"one")
    log = bench.world.log()
    if enough:
        log.step()
        assert bench.judge().accepted
        return
    for _ in range(2):
        error = refused(log, alive)
        assert having(error) == alive
        for language in ("en", "zh"):
            assert "{" not in say(error.code, error.facts, language)
        assert (bench.world.shown, bench.world.book.latest()) == ([], None)
        assert bench.world.book.head().size == bench.world.book.pending_count() == 1
        kept = bench.world.book.consortium()
        assert (kept.waiting_size, set(kept.missing.split())) == (1, set(NAMES) - alive)
    assert len({bench.world.book.consortium().waiting_since}) == 1


def test_what_waited_is_published_once_when_members_come_back(bench):
    bench.open(patience=0.2)
    for member in bench.members[1:]:
        member.alive = False
    bench.world.enqueue(b"one")
    log = bench.world.log()
    with pytest.raises(Unavailable, match=r"ledger\.quorum_missing"):
        log.step()
    bench.world.enqueue(b"two")
    with pytest.raises(Unavailable, match=r"ledger\.quorum_missing"):
        bench.world.log().step()
    for member in bench.members:
        member.alive = True
    for name in NAMES:
        bench.settle(name, lambda state: state.size == 1)
    bench.opened[-1]._patience = HANG
    assert log.step() == 1, "the first batch is finished, then what came meanwhile is written"
    assert bench.world.book.consortium().waiting_size is None
    bench.world.audit(b"one", b"two")


def test_a_restart_without_quorum_waits_on_and_remembers_since_when(bench):
    bench.open(patience=0.1)
    for member in bench.members:
        member.alive = False
    bench.world.enqueue(b"one")
    for _ in range(3):
        with pytest.raises(Unavailable, match=r"ledger\.quorum_missing"):
            bench.world.log().step()
        since = bench.world.book.consortium().waiting_since
    assert since is not None
    assert since < bench.world.clock.at
    assert bench.world.journal.names() != []
    for member in bench.members:
        member.alive = True
    for name in NAMES:
        bench.settle(name, lambda state: state.size == 1)
    bench.opened[-1]._patience = HANG
    bench.world.publish()
    bench.world.audit(b"one")


def test_the_loop_starts_and_goes_on_without_quorum_and_publishes_when_it_is_back(bench):
    bench.open(patience=0.1)
    for member in bench.members:
        member.alive = False
    bench.world.enqueue(b"one")
    with pytest.raises(Unavailable, match=r"ledger\.quorum_missing"):
        bench.world.log().step()
    reports: list[tuple[str, dict]] = []
    heard, stop = threading.Condition(), threading.Event()

    def report(event: str, facts: Mapping) -> None:
        with heard:
            reports.append((event, dict(facts)))
            heard.notify_all()

    log = bench.world.log()
    thread = threading.Thread(target=log.run, args=(stop,), kwargs={"report": report, "interval": 0.01})
    thread.start()
    try:
        with heard:
            assert heard.wait_for(lambda: len(reports) >= 2, HANG)
        assert {(event, facts["code"]) for event, facts in reports} == {("waiting", "ledger.quorum_missing")}
        bench.world.enqueue(b"two")
        for member in bench.members:
            member.alive = True
        with heard:
            assert heard.wait_for(lambda: reports[-1][0] == "written" and reports[-1][1]["size"] == 2, HANG)
    finally:
        stop.set()
        thread.join(HANG)
    bench.world.audit(b"one", b"two")


def test_a_slow_member_holds_up_nobody_and_catches_up(bench):
    bench.open(grace=0.05)
    with held(bench["beijing"], "on_entries"):
        for number in range(4):
            bench.world.publish(b"%d" % number)
        assert bench["beijing"].calls.count("entries") == 1
        assert all("beijing-ed25519" not in bench.judge(note).witnesses for note in bench.world.shown)
    bench.settle("beijing", lambda state: state.size == 4)
    bench.world.publish(b"last")
    bench.world.audit(b"0", b"1", b"2", b"3", b"last")


def test_a_member_that_was_waited_for_in_vain_is_not_waited_for_again(bench, monkeypatch):
    consortium = bench.open(grace=0.1)
    waits: list[float] = []
    real = consortium._changed.wait

    def wait(timeout: float | None = None) -> bool:
        if timeout is not None and timeout <= 0.1 and threading.current_thread() is threading.main_thread():
            waits.append(timeout)
        return real(timeout)

    monkeypatch.setattr(consortium._changed, "wait", wait)
    with held(bench["customs"], "on_checkpoint"):
        bench.world.publish(b"one")
        assert waits
        for number in range(3):
            bench.world.publish(b"%d" % number)
        member = next(each for each in consortium._members if each.card.name == "customs")
        assert member.missed
        assert not consortium._expected(member)
    bench.settle("customs", lambda state: state.size == 4)
    assert not member.missed


# ---- hostile members -------------------------------------------------------------------------------------------------


def forged(member: Member, change: Callable[[bytes], bytes]) -> Callable[[bytes], Answer | None]:
    """The member's true answer to the entries, changed."""

    def answer(body: bytes) -> Answer | None:
        with member.lock:
            true = member._add_entries(BytesIO(body))
        return Answer(status=true.status, body=change(true.body)) if true.status == 200 else true

    return answer


def flipped(body: bytes) -> bytes:
    text = body.decode().splitlines()
    line = text[0]
    return "\n".join([line[:-6] + ("AAAAA=" if not line.endswith("AAAAA=") else "BBBBB="), *text[1:], ""]).encode()


def other_root(member: Member) -> Callable[[bytes], Answer | None]:
    point = Checkpoint(origin=ORIGIN, size=1, root=b"?" * 32)
    return lambda _: Answer(status=200, body=member.signed(point, member.mirror_keys))


def info(size: int, next_entry: int, status: int = 409) -> Callable[[object], Answer]:
    body = MirrorInfo(size=size, next_entry=next_entry, ticket=b"").encode()
    return lambda _: Answer(status=status, body=body, content_type=MIRROR_INFO)


def plain(status: int, body: bytes = b"") -> Callable[[Member], Callable[[object], Answer]]:
    return lambda _: lambda _: Answer(status=status, body=body)


HOSTILE: dict[str, tuple[str, Callable[[Member], Callable], str]] = {
    "a wrong signature": ("on_entries", lambda m: forged(m, flipped), "ledger.signature_wrong"),
    "signs another root": ("on_entries", other_root, "ledger.signature_wrong"),
    "not signature lines": ("on_entries", plain(200, b"thank you\n"), "ledger.member_answer_wrong"),
    "smuggles another text": (
        "on_entries",
        lambda m: forged(m, lambda body: body + b"\nother\n1\n\n" + body),
        "ledger.member_answer_wrong",
    ),
    "a giant answer": ("on_entries", plain(200, b"x" * (MAX_ANSWER + 1)), "ledger.member_answer_wrong"),
    "a giant answer to the checkpoint": (
        "on_checkpoint",
        plain(409, b"1" * (MAX_ANSWER + 1)),
        "ledger.member_answer_wrong",
    ),
    "another size for ever": ("on_checkpoint", plain(409, b"0\n"), "ledger.member_stuck"),
    "a size that is none": ("on_checkpoint", plain(409, b"-1\n"), "ledger.member_answer_wrong"),
    "a size and more": ("on_checkpoint", plain(409, b"0\n0\n"), "ledger.member_answer_wrong"),
    "a size that nobody signed": ("on_checkpoint", plain(409, b"900\n"), "ledger.member_ahead"),
    "sends elsewhere": ("on_checkpoint", plain(307), "ledger.member_refused"),
    "refuses": ("on_checkpoint", plain(422), "ledger.member_refused"),
    "in trouble itself": ("on_entries", plain(500), "ledger.member_refused"),
    "conflicts for ever": ("on_entries", lambda _: info(1, 0), "ledger.member_stuck"),
    "accepts for ever without progress": ("on_entries", lambda _: info(1, 0, 202), "ledger.member_stuck"),
    "wants entries that are not there": ("on_entries", lambda _: info(9, 9), "ledger.member_ahead"),
    "info that is none": ("on_entries", plain(202, b"1\n2\n"), "ledger.answer_malformed"),
    "bytes that are no text": ("on_entries", plain(200, b"\xff\xfe"), "ledger.member_answer_wrong"),
    "breaks the client": ("on_entries", lambda _: lambda _: 1 / 0, "ledger.member_failed"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_member_is_in_trouble_by_itself(case, bench):
    hook, make, code = HOSTILE[case]
    liar = bench["hangzhou"]
    setattr(liar, hook, make(liar))
    bench.open()
    bench.world.publish(b"one")
    assert bench.judge().accepted
    assert not any(name.startswith("hangzhou") for name in bench.judge().witnesses)
    bench.settle("hangzhou", lambda state: state.trouble == code)
    assert not any(b"hangzhou" in seal for seal in bench.world.book.latest().member_seals)
    setattr(liar, hook, None)
    bench.settle("hangzhou", lambda state: state.trouble is None and state.size == 1)
    bench.world.publish(b"two")
    bench.world.audit(b"one", b"two")


def test_a_bug_in_a_courier_is_logged_with_its_trace_once_until_the_member_is_well(bench, caplog):
    liar, often, calls = bench["hangzhou"], threading.Event(), []

    def broken(_: bytes) -> Answer:
        calls.append(1)
        if len(calls) == 3:
            often.set()
        return 1 / 0

    def logged() -> list[str]:
        return [each.exc_text or str(each.exc_info) for each in caplog.records if each.message.endswith("hangzhou")]

    liar.on_entries = broken
    bench.open()
    bench.world.publish(b"one")
    assert often.wait(HANG)
    assert len(logged()) == 1
    assert "ZeroDivisionError" in logged()[0]
    liar.on_entries = None
    bench.settle("hangzhou", lambda state: state.trouble is None)
    liar.on_entries = broken
    bench.world.publish(b"two")
    bench.settle("hangzhou", lambda state: state.trouble is not None)
    assert len(logged()) == 2


def test_a_cosignature_of_an_unknown_key_is_passed_over(bench):
    stranger = Member("stranger")

    def guest(member: Member) -> Callable[[bytes], bytes]:
        return lambda body: body + stranger.signed(member.pending, stranger.mirror_keys)

    for member in bench.members:
        member.on_entries = forged(member, guest(member))
    bench.open()
    bench.world.publish(b"one")
    assert b"stranger" not in bench.world.objects.get(CHECKPOINT)
    assert len(bench.judge().witnesses) == 10


def test_a_member_cannot_sign_for_another(bench):
    for member in bench.members[1:]:
        member.alive = False
    bench["hangzhou"].on_entries = forged(
        bench["hangzhou"],
        lambda body: (
            body
            + bench["beijing"].signed(Checkpoint(origin=ORIGIN, size=1, root=b"?" * 32), bench["beijing"].mirror_keys)
        ),
    )
    bench.open(patience=0.2)
    bench.world.enqueue(b"one")
    assert having(refused(bench.world.log(), {"hangzhou"})) == {"hangzhou"}


def test_a_cosignature_without_a_time_is_refused(bench):
    liar = bench["hangzhou"]
    liar.clock = lambda: AT.fromtimestamp(0, AT.tzinfo)
    bench.open()
    bench.world.publish(b"one")
    bench.settle("hangzhou", lambda state: state.trouble == "ledger.member_answer_wrong")
    assert not any(name.startswith("hangzhou") for name in bench.judge().witnesses)


SEALS: dict[str, Callable[[Member], Callable[[int], bytes | None]]] = {
    "none": lambda _: lambda _: None,
    "noise": lambda _: lambda _: b"\x82\x41\x00\x41\x00",
    "giant": lambda _: lambda _: b"\x00" * 5000,
    "of another root": lambda m: lambda size: sign_root(ORIGIN, b"?" * 32, m.mirror_keys[0], AT, size=size),
    "of another size": lambda m: lambda size: sign_root(ORIGIN, m.pending.root, m.mirror_keys[0], AT, size=size + 1),
    "under another name": lambda m: (
        lambda size: sign_root(ORIGIN, m.pending.root, m.mirror_keys[0], AT, size=size, issuer=ORIGIN)
    ),
    "by its witness key": lambda m: lambda size: sign_root(ORIGIN, m.pending.root, m.witness_keys[0], AT, size=size),
}


@pytest.mark.parametrize("case", SEALS)
def test_a_seal_that_is_missing_or_wrong_is_left_out(case, bench):
    liar = bench["hangzhou"]
    liar.on_seal = SEALS[case](liar)
    bench.open()
    bench.world.publish(b"one")
    assert len(bench.world.book.latest().member_seals) == 4
    assert len(bench.judge().witnesses) == 10
    bench.settle("hangzhou", lambda state: state.trouble is None)


# ---- catching up -----------------------------------------------------------------------------------------------------


def test_a_log_older_than_its_consortium_is_brought_to_the_members_from_zero(bench):
    old = list(statements(9000))
    for start in range(0, 9000, 3000):
        bench.world.publish(*old[start : start + 3000])
    bench["customs"].most = 700
    bench.open()
    bench.world.publish(b"first under the quorum")
    assert bench.judge().accepted
    for name in NAMES:
        bench.settle(name, lambda state: state.size == 9001)
    assert all(member.entries == [*old, b"first under the quorum"] for member in bench.members)
    assert bench["hangzhou"].calls[:3] == ["checkpoint", "entries", "entries"], "8192 entries a request"
    bench.world.audit(*old, b"first under the quorum")


def test_members_follow_after_a_start_before_anything_is_deposited(bench):
    bench.world.publish(*statements(300))
    bench.open()
    log = bench.world.log()
    log.recover()
    for name in NAMES:
        bench.settle(name, lambda state: state.size == 300)
    assert log.step() == 0


def test_a_new_writer_finds_out_where_each_member_is(bench):
    bench.open()
    bench.world.publish(*statements(10))
    bench["notary"].alive = False
    bench.world.publish(*statements(10, 10))
    bench.close()
    bench.open()
    bench.world.publish(*statements(10, 20))
    assert len(bench.judge().witnesses) == 10
    assert all(member.entries == list(statements(30)) for member in bench.members)


def test_a_member_that_forgot_entries_is_given_them_again(bench):
    bench.open()
    bench.world.publish(*statements(600))
    del bench["notary"].entries[100:]
    bench.world.publish(*statements(10, 600))
    bench.settle("notary", lambda state: state.size == 610)
    assert bench["notary"].entries == list(statements(610))


def test_another_policy_at_the_next_start_counts_at_once(bench):
    bench.open()
    bench.world.publish(b"one")
    for member in bench.members[:2]:
        member.alive = False
    bench.open(patience=0.1)
    bench.world.enqueue(b"two")
    with pytest.raises(Unavailable, match=r"ledger\.quorum_missing"):
        bench.world.log().step()
    bench.open(policy=policy_of(bench.members, "others"))
    bench.world.publish()
    bench.world.audit(b"one", b"two")


def test_members_that_the_policy_does_not_name_are_served_and_do_not_count(bench):
    guest = Member("guest")
    policy = bench.policy
    bench.members.append(guest)
    bench.open(policy=policy)
    bench.world.publish(b"one")
    bench.settle("guest", lambda state: state.size == 1)
    assert b"guest" not in bench.world.objects.get(CHECKPOINT)


def test_a_policy_without_quorum_waits_for_nobody(bench):
    for member in bench.members:
        member.alive = False
    bench.open(policy=policy_of(bench.members, "none"), grace=0.05)
    bench.world.publish(b"one")
    bench.world.audit(b"one")


def test_a_successor_that_finished_the_batch_meanwhile_is_not_overwritten(bench):
    bench.open()
    bench.world.enqueue(b"one")
    slow = bench.world.log()
    slow.recover()
    inner = bench.world.cosigners.gather

    def gather(signed: bytes, point: Checkpoint):
        gathered = inner(signed, point)
        bench.world.cosigners.gather = inner
        bench.world.publish(b"two")
        return gathered

    slow._cosigners.gather = gather
    slow.step()
    assert open_checkpoint(bench.world.objects.get(CHECKPOINT), VERIFIERS)[0].size == 2
    bench.world.audit(b"one", b"two")


# ---- a successor on another machine ----------------------------------------------------------------------------------


def cut_off_after_the_swap(world: LedgerWorld) -> None:
    """The first machine decides on a batch and burns down with its journal."""

    class Burning(MemoryObjects):
        def put(self, objects: Mapping[str, bytes]) -> None:
            raise KeyboardInterrupt(next(iter(objects)))

    whole, world.objects = world.objects, Burning()
    world.objects.kept.update(whole.kept)
    with pytest.raises(KeyboardInterrupt):
        world.log().step()
    world.objects = whole


def test_a_successor_without_the_journal_finishes_the_batch_from_the_book():
    world = LedgerWorld()
    world.publish(b"one")
    world.enqueue(b"two", b"three")
    cut_off_after_the_swap(world)
    world.enqueue(b"four")
    successor = world.log(journal=MemoryObjects())
    with pytest.raises(Unavailable, match=r"ledger\.journal_missing"):
        successor.step()
    world.book.hold = lambda: True  # a book that keeps other writers out
    assert successor.step() == 1
    assert list(world.reader().entries(0, 9)) == [b"one", b"two", b"three", b"four"]
    world.audit(b"one", b"two", b"three", b"four")


def test_a_successor_whose_book_lacks_an_entry_of_the_batch_refuses():
    world = LedgerWorld()
    world.publish(b"one")
    world.enqueue(b"two", b"three")
    cut_off_after_the_swap(world)
    world.book.hold = lambda: True
    world.book._pending.pop(entry_of(b"three").leaf)
    with pytest.raises(Unavailable, match=r"ledger\.journal_missing"):
        world.log(journal=MemoryObjects()).step()


# ---- all together ----------------------------------------------------------------------------------------------------

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deposit"), st.integers(1, 40)),
        st.tuples(st.just("dies"), st.sampled_from(NAMES)),
        st.tuples(st.just("returns"), st.sampled_from(NAMES)),
        st.tuples(st.just("write"), st.just(0)),
        st.tuples(st.just("restart"), st.just(0)),
    ),
    max_size=16,
)


@settings(deadline=None, max_examples=25)
@given(STEPS)
def test_members_that_come_and_go_lose_nothing_and_publish_nothing_alone(steps):
    bench = Bench(patience=0.03, grace=0.01)
    bench.open()
    try:
        made = bench.live(steps)
        bench.must_have_cosigned(bench.world.shown)
        assert bench.world.book.consortium().waiting_size is None
        if made:
            bench.world.audit(*statements(made))
    finally:
        bench.close()
    published = bench.world.reader().entries(0, 1000)
    assert all(member.entries == published[: len(member.entries)] for member in bench.members)


def write(log: Log) -> bool:
    try:
        log.step()
    except Unavailable as error:
        assert error.code == "ledger.quorum_missing"  # noqa: PT017 (any other is a fault)
        return False
    return True


def test_what_the_book_keeps_of_members_survives_and_a_strange_row_is_none():
    state = Bench().open().states()
    kept = ConsortiumState(waiting_size=3, waiting_since=AT, missing="a b", members=state)
    assert ConsortiumState.parse(kept.encode()) == kept
    for strange in (b"", b"\x80", b"\x84\x01\x02\x03\x04", kept.encode()[:-1]):
        assert ConsortiumState.parse(strange) == ConsortiumState()
