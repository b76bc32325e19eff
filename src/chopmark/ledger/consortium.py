"""The writer's side of the consortium: gathers the members' cosignatures until the quorum of the policy is reached.

One courier thread a member brings it each checkpoint (`add-checkpoint` with a consistency proof) and the entries
(`add-entries` until it has them all), takes its cosignatures and its seal of the root, and goes on by itself when the
member is late: from zero too, without holding up publication. `gather` waits for the quorum, then a moment longer for
members that are usually as quick; without a quorum it raises and nothing is published.

    writer    gather(checkpoint) ──> target ──> couriers ──> members
                     <── quorum? <── verified cosignatures, seals

What members answer is not believed: sizes are bounded, forms read strictly, signatures checked, progress demanded. A
member that answers wrongly is in trouble by itself (`MemberState.trouble`); the others are not disturbed. What no code
foresees is such a trouble too, and is logged with its trace, once until the member is well again.

Opens no socket: a `Link` does. Decides nothing about the log: what is signed has been decided on before.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Condition, Thread
from time import monotonic
from typing import Protocol

from chopmark.base.errors import Invalid, PlatformError, Unavailable
from chopmark.ledger.card import MIRROR, Card
from chopmark.ledger.checkpoint import Checkpoint, VerifiedSignature, verify_signature
from chopmark.ledger.cose import PublicKey
from chopmark.ledger.cose_receipt import SealedRoot
from chopmark.ledger.keys import ED25519_COSIGNATURE, VerifierKey
from chopmark.ledger.mirror import MirrorInfo, packages, upload_header
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores import ConsortiumState, MemberState, Objects
from chopmark.ledger.text import parse_decimal
from chopmark.ledger.tiles import TILE_WIDTH, TileReader
from chopmark.ledger.tree import consistency_proof
from chopmark.ledger.wire import Answer, Link
from chopmark.ledger.witness import AddCheckpoint

__all__ = ["Consortium", "ConsortiumState", "Cosigners", "Gathered", "MemberState"]

MAX_ANSWER = 65_536
"""Bytes of an answer that are looked at; more is refused."""
MAX_SEAL = 4096
MAX_UPLOAD = 16 * 1024 * 1024
"""Bytes of entries in one request, above which no further package is added."""
MAX_PACKAGES = 32
STALLS = 3
"""Answers in a row that bring no progress, after which a member is left alone for a while."""
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
"""Seconds before a member in trouble is called again: doubled each time, up to the longer."""
FAILED = "ledger.member_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """A checkpoint under the quorum.

    Attributes:
        note: with the log's signatures and the cosignatures of keys on the policy, in the policy's order.
        seals: members' seals of the root, encoded `SealedRoot`s, in the same order.
    """

    note: bytes = field(repr=False)
    seals: tuple[bytes, ...] = field(default=(), repr=False)


class Cosigners(Protocol):
    """Who must agree before a checkpoint is published."""

    def gather(self, signed: bytes, checkpoint: Checkpoint) -> Gathered:
        """Cosignatures that make the quorum, and what else came in time.

        Args:
            signed: the checkpoint with the log's own signatures alone.
            checkpoint: the same taken apart.

        Raises:
            Unavailable: `ledger.quorum_missing` with the names of those that have signed and of those that have not;
                they are called on, and the same call may be made again.
        """

    def follow(self, signed: bytes, checkpoint: Checkpoint) -> None:
        """Bring members up to a checkpoint without waiting for them."""

    def states(self) -> tuple[MemberState, ...]:
        """How each member is, in the order of the cards."""

    def close(self) -> None:
        """Call no member any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Target:
    """What the couriers carry."""

    checkpoint: Checkpoint
    signed: bytes
    tiles: TileReader
    set_at: float

    @property
    def size(self) -> int:
        return self.checkpoint.size


@dataclass(slots=True, kw_only=True)
class _Member:
    """One member: fixed things first; `state` and below are read and written under the lock alone."""

    card: Card
    link: Link
    keys: Mapping[tuple[str, bytes], VerifierKey]  # those of its card that are on the policy
    sealing: VerifierKey | None
    known_size: int = 0  # of its pending checkpoint; the courier's own
    next_entry: int | None = None  # the courier's own
    state: MemberState
    took: float = 0.0  # seconds from target to the last complete answer
    missed: bool = False  # was waited for in vain
    done: bool = False  # with the target


class Consortium:
    """Cosigners over links to members.

    Args:
        policy: whose quorum is gathered; keys that it does not name are passed over.
        cards: the members.
        links: how they are reached; one without a card is not used, a card without one is not called.
        objects: the log's files.
        clock: the present moment, aware.
        patience: seconds that `gather` waits for the quorum.
        grace: seconds that it waits for more when the quorum is there.
    """

    def __init__(
        self,
        policy: Policy,
        cards: Sequence[Card],
        links: Sequence[Link],
        objects: Objects,
        clock: Callable[[], datetime],
        *,
        patience: float = 5.0,
        grace: float = 0.15,
    ) -> None:
        self._policy = policy
        self._clock = clock
        self._patience = patience
        self._grace = grace
        self._order = {witness.key: place for place, witness in enumerate(policy.witnesses)}
        self._tiles = TileReader(objects.get, 0, cache=256)
        self._changed = Condition()
        self._target: _Target | None = None
        self._closed = False
        self._signatures: dict[VerifierKey, tuple[VerifiedSignature, NoteSignature]] = {}
        self._seals: dict[VerifierKey, bytes] = {}
        reached = {link.name: link for link in links}
        now = clock()
        self._states: dict[str, MemberState] = {
            card.name: MemberState(name=card.name, trouble="ledger.member_unreachable", since=now) for card in cards
        }
        self._members = [self._member(card, reached[card.name], now) for card in cards if card.name in reached]
        self._threads = [
            Thread(target=self._carry, args=(member,), name=f"courier-{member.card.name}", daemon=True)
            for member in self._members
        ]
        for thread in self._threads:
            thread.start()

    def _member(self, card: Card, link: Link, now: datetime) -> _Member:
        keys = [each.key for each in card.keys if each.key in self._order]
        sealing = [key for key in card.keys_of(MIRROR) if key in self._order and key.type == ED25519_COSIGNATURE]
        return _Member(
            card=card,
            link=link,
            keys={(key.name, key.key_id): key for key in keys},
            sealing=sealing[0] if sealing else None,
            state=MemberState(name=card.name, since=now),
        )

    # ---- the writer's thread -----------------------------------------------------------------------------------------

    def gather(self, signed: bytes, checkpoint: Checkpoint) -> Gathered:
        """See `Cosigners.gather`."""
        with self._changed:
            self._aim(signed, checkpoint)
            self._changed.wait_for(lambda: self._closed or self._quorum(), self._patience)
            if not self._quorum():
                raise Unavailable("ledger.quorum_missing", size=checkpoint.size, **self._names())
            until = monotonic() + self._grace
            while (left := until - monotonic()) > 0 and any(self._expected(member) for member in self._members):
                self._changed.wait(left)
            for member in self._members:
                member.missed = member.missed or (not member.done and self._expected(member))
            by_place = sorted(self._signatures, key=lambda key: self._order[key])
            lines = [self._signatures[key][1] for key in by_place]
            own = Note.parse(signed)
            return Gathered(
                note=Note(text=own.text, signatures=(*own.signatures, *lines)).encode(),
                seals=tuple(self._seals[key] for key in by_place if key in self._seals),
            )

    def follow(self, signed: bytes, checkpoint: Checkpoint) -> None:
        """See `Cosigners.follow`."""
        with self._changed:
            self._aim(signed, checkpoint)

    def states(self) -> tuple[MemberState, ...]:
        """See `Cosigners.states`."""
        with self._changed:
            self._states.update((member.card.name, member.state) for member in self._members)
            return tuple(self._states.values())

    def close(self) -> None:
        """See `Cosigners.close`; a call under way is waited for, but not longer than `patience`."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        until = monotonic() + self._patience
        for thread in self._threads:
            thread.join(max(0.0, until - monotonic()))

    def _aim(self, signed: bytes, checkpoint: Checkpoint) -> None:
        """Set the target; for the same checkpoint what was gathered stays good, whoever signs it anew."""
        before = self._target
        if before is not None and before.checkpoint == checkpoint:
            return
        self._target = _Target(
            checkpoint=checkpoint, signed=signed, tiles=self._tiles.at(checkpoint.size), set_at=monotonic()
        )
        self._signatures.clear()
        self._seals.clear()
        for member in self._members:
            member.done = False
        self._changed.notify_all()

    def _quorum(self) -> bool:
        return self._policy.judge([verified for verified, _ in self._signatures.values()]).quorum_reached

    def _names(self) -> dict[str, str]:
        have = [each.card.name for each in self._members if any(key in self._signatures for key in each.keys.values())]
        return {
            "have": " ".join(have) or "-",
            "missing": " ".join(name for name in self._states if name not in have) or "-",
        }

    def _expected(self, member: _Member) -> bool:
        """Whether it is worth a moment's waiting: well, never waited for in vain since, and usually quick enough."""
        target = self._target
        if target is None or member.done or member.missed or member.state.trouble is not None:
            return False
        return member.took <= monotonic() - target.set_at + self._grace

    # ---- a courier's thread ------------------------------------------------------------------------------------------

    def _carry(self, member: _Member) -> None:
        pause = 0.0
        while (target := self._next(member, pause)) is not None:
            try:
                self._deliver(member, target)
            except PlatformError as error:
                self._trouble(member, error.code)
            except Exception:  # the outermost loop of a worker: one member must not end the others' work
                if member.state.trouble != FAILED:
                    logging.getLogger(__name__).exception("a courier failed: %s", member.card.name)
                self._trouble(member, FAILED)
            else:
                pause = 0.0
                continue
            pause = min(max(pause * 2, FIRST_PAUSE), LONGEST_PAUSE)

    def _next(self, member: _Member, pause: float) -> _Target | None:
        """Wait out the pause, then for something to carry; None when it is time to end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed, pause)
            self._changed.wait_for(lambda: self._closed or (self._target is not None and not member.done))
            return None if self._closed else self._target

    def _deliver(self, member: _Member, target: _Target) -> None:
        """Bring a member up to the target; it may have been replaced meanwhile, then this was a step on the way."""
        for _ in range(STALLS):
            self._cosigned(member, target.checkpoint, self._add_checkpoint(member, target))
            size = target.size
            if member.card.mirrors:
                size, lines = self._add_entries(member, target)
                at_size = replace(target.checkpoint, size=size, root=target.tiles.root(size))
                self._cosigned(member, at_size, lines)
            if size == target.size:
                self._complete(member, target, self._seal(member, target))
                return
        raise Invalid("ledger.member_stuck", name=member.card.name, size=member.known_size)

    def _add_checkpoint(self, member: _Member, target: _Target) -> bytes:
        """The member's pending checkpoint becomes the target; what it signed with, if anything."""
        for _ in range(STALLS):
            old = member.known_size
            proof = tuple(consistency_proof(old, target.size, target.tiles.nodes))
            body = AddCheckpoint(old=old, proof=proof, note=target.signed).encode()
            answer = self._bounded(member, member.link.add_checkpoint(body))
            if answer.status == 200:
                member.known_size = target.size
                member.next_entry = old if member.next_entry is None else member.next_entry  # most likely
                return answer.body
            if answer.status != 409:
                raise Invalid("ledger.member_refused", name=member.card.name, status=answer.status)
            member.known_size = self._size_told(member, answer, target)
        raise Invalid("ledger.member_stuck", name=member.card.name, size=member.known_size)

    def _size_told(self, member: _Member, answer: Answer, target: _Target) -> int:
        try:
            line, feed, rest = answer.body.decode("ascii").partition("\n")
            size = parse_decimal(line)
        except (ValueError, UnicodeDecodeError) as error:
            raise Invalid("ledger.member_answer_wrong", name=member.card.name) from error
        if not feed or rest:
            raise Invalid("ledger.member_answer_wrong", name=member.card.name)
        if size > target.size:
            raise Invalid("ledger.member_ahead", name=member.card.name, size=size, ours=target.size)
        return size

    def _add_entries(self, member: _Member, target: _Target) -> tuple[int, bytes]:
        """Upload until the member holds all entries of a pending checkpoint: its size and what was signed with.

        The member says which of its pending checkpoints it wants; it is the target, or an earlier one after a race.
        """
        end, ticket, stalls = target.size, b"", 0
        start = member.next_entry or 0
        while stalls < STALLS and not self._closed:
            start = min(start, end)
            body = _upload(target, start, end, ticket)
            answer = self._bounded(member, member.link.add_entries(body))
            if answer.status == 200:
                self._holds(member, end)
                return end, answer.body
            if answer.status not in {202, 409}:
                raise Invalid("ledger.member_refused", name=member.card.name, status=answer.status)
            info = MirrorInfo.parse(answer.body)
            if info.size > target.size or info.next_entry > target.size:
                raise Invalid(
                    "ledger.member_ahead",
                    name=member.card.name,
                    size=max(info.size, info.next_entry),
                    ours=target.size,
                )
            whole = min(end, (start // TILE_WIDTH + 1) * TILE_WIDTH)  # packages are taken whole
            stalls = 0 if answer.status == 202 and info.next_entry >= whole > start else stalls + 1
            start, end, ticket = info.next_entry, info.size, info.ticket
            self._holds(member, start)
        if self._closed:
            raise Unavailable("ledger.member_silent", name=member.card.name, reason="the writer ends")
        raise Invalid("ledger.member_stuck", name=member.card.name, size=start)

    def _bounded(self, member: _Member, answer: Answer) -> Answer:
        if len(answer.body) > MAX_ANSWER:
            raise Invalid("ledger.member_answer_wrong", name=member.card.name)
        return answer

    def _cosigned(self, member: _Member, checkpoint: Checkpoint, answer: bytes) -> None:
        """Check cosignature lines; those on the target count."""
        found = [
            (verify_signature(checkpoint, line, key), line)
            for line in _lines(checkpoint, answer, member.card.name)
            if (key := member.keys.get((line.name, line.key_id))) is not None
        ]
        if any(verified.at is None for verified, _ in found):
            raise Invalid("ledger.member_answer_wrong", name=member.card.name)
        with self._changed:
            if self._target is None or self._target.checkpoint != checkpoint:
                return
            for verified, line in found:
                self._signatures[verified.key] = verified, line
            self._changed.notify_all()

    def _seal(self, member: _Member, target: _Target) -> tuple[VerifierKey, bytes] | None:
        """The member's seal of the target's root, if it gives one and it is true; its lack is no trouble."""
        key = member.sealing
        if key is None:
            return None
        try:
            data = member.link.sealed_root(target.checkpoint.origin, target.size)
            if data is None or len(data) > MAX_SEAL:
                return None
            sealed = SealedRoot.parse(data)
            named = (sealed.issuer, sealed.origin, sealed.size)
            if named != (key.name, target.checkpoint.origin, target.size) or sealed.encode() != data:
                return None
            sealed.verify(target.checkpoint.root, PublicKey.ed25519(key.public))
        except (Invalid, Unavailable):
            return None
        return key, data

    def _complete(self, member: _Member, target: _Target, seal: tuple[VerifierKey, bytes] | None) -> None:
        now = self._clock()
        with self._changed:
            since = now if member.state.trouble is not None else member.state.since
            member.state = replace(member.state, size=target.size, at=now, trouble=None, since=since)
            member.took = monotonic() - target.set_at
            member.missed = False
            if self._target is target:
                member.done = True
                if seal is not None:
                    self._seals[seal[0]] = seal[1]
            self._changed.notify_all()

    def _holds(self, member: _Member, next_entry: int) -> None:
        member.next_entry = next_entry
        with self._changed:
            member.state = replace(member.state, next_entry=next_entry)

    def _trouble(self, member: _Member, code: str) -> None:
        """Remember it, and forget what was believed about the member: it may come back with another state."""
        now = self._clock()
        member.known_size, member.next_entry = 0, None
        with self._changed:
            since = member.state.since if member.state.trouble is not None else now
            member.state = replace(member.state, trouble=code, since=since)
            self._changed.notify_all()


def _upload(target: _Target, start: int, end: int, ticket: bytes) -> bytes:
    """The body of one `add-entries` request: as many whole packages as the limits allow."""
    parts, size = [upload_header(target.checkpoint.origin, start, end, ticket)], 0
    for package in packages(target.tiles if end == target.size else target.tiles.at(end), start, end, MAX_PACKAGES):
        parts.append(package)
        size += len(package)
        if size >= MAX_UPLOAD:
            break
    return b"".join(parts)


def _lines(checkpoint: Checkpoint, body: bytes, name: str) -> tuple[NoteSignature, ...]:
    """The signature lines of an answer; none of an empty one."""
    if not body:
        return ()
    text = checkpoint.text()
    try:
        note = Note.parse(f"{text}\n".encode() + body)
    except Invalid as error:
        raise Invalid("ledger.member_answer_wrong", name=name) from error
    if note.text != text:
        raise Invalid("ledger.member_answer_wrong", name=name)
    return note.signatures
