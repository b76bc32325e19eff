"""A witness of logs (C2SP tlog-witness): it cosigns a checkpoint only when it is consistent with all it has seen.

Here stand the forms of the two requests and the witness itself, free of HTTP: it takes the bytes of a request and
gives an `Answer`. What it must remember of each log lies in `state` objects, durable before anything is answered:

    pending            the newest checkpoint: the log's signatures and the witness's own
    founded            put once, when the member began; a state without it is one that was lost
    lost               put when the member found that it had signed more than it remembers; it signs no more
    suspect/<n>-<r>    checkpoints signed by the log that could not be connected with the history; 32 at most
    fork/<n>-<r>       those that were proven to contradict it

The mirror shares the pending checkpoint and cosigns under keys of its own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import RLock
from typing import Protocol

from chopmark.base.clock import to_seconds
from chopmark.base.errors import Fact, Invalid, Refused, Unavailable
from chopmark.ledger import alarm as alarms
from chopmark.ledger.alarm import Alarm, Prefix
from chopmark.ledger.checkpoint import (
    Checkpoint,
    VerifiedSignature,
    cosign,
    open_checkpoint,
    subtree_message,
    verify_signature,
)
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, Signer, VerifierKey
from chopmark.ledger.note import Note, NoteSignature
from chopmark.ledger.stores import CHECKPOINT, Objects
from chopmark.ledger.text import parse_base64, parse_decimal, to_base64
from chopmark.ledger.tree import HASH_SIZE, is_subtree, verify_consistency, verify_subtree
from chopmark.ledger.wire import TLOG_SIZE, Answer

MAX_HASHES = 63
MOST_RECENT = 16
"""Pending checkpoints that a mirror accepts besides the newest."""
MOST_SUSPECTS = 32
MOST_FORKS = 100
CLOCK_STEP = timedelta(minutes=5)
"""A clock set back by less is waited out: the next signature has the time of the one before. By more, none is made."""

PENDING = "pending"
FOUNDED = "founded"
LOST = "lost"
SUSPECTS = "suspect"
FORKS = "fork"

OnAlarm = Callable[[Alarm], None]


# ---- requests -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class AddCheckpoint:
    """The body of `add-checkpoint`.

    Attributes:
        old: size of the checkpoint that the witness is believed to have cosigned last; 0 if none.
        proof: consistency proof from `old` to the checkpoint, 63 hashes at most.
        note: the signed checkpoint as it came; its form is not checked here.
    """

    old: int
    proof: tuple[bytes, ...]
    note: bytes

    @classmethod
    def parse(cls, body: bytes) -> AddCheckpoint:
        """Read a body.

        Raises:
            Invalid: `ledger.request_malformed`.
        """
        lines, note = _halves(body)
        try:
            request = cls(old=parse_decimal(lines[0].removeprefix("old ")), proof=_hashes(lines[1:]), note=note)
        except ValueError as error:
            raise Invalid("ledger.request_malformed") from error
        if request.encode() != body:
            raise Invalid("ledger.request_malformed")
        return request

    def encode(self) -> bytes:
        """The body."""
        return "\n".join([f"old {self.old}", *map(to_base64, self.proof), "", ""]).encode() + self.note


@dataclass(frozen=True, slots=True, kw_only=True)
class SignSubtree:
    """The body of `sign-subtree`.

    Attributes:
        start: first leaf.
        end: behind the last leaf.
        root: the subtree's root hash.
        proof: subtree consistency proof to the checkpoint, 63 hashes at most.
        note: a checkpoint that the cosigner has signed, as it came.
    """

    start: int
    end: int
    root: bytes
    proof: tuple[bytes, ...]
    note: bytes

    @classmethod
    def parse(cls, body: bytes) -> SignSubtree:
        """Read a body.

        Raises:
            Invalid: `ledger.request_malformed`, also when `[start, end)` is no subtree.
        """
        lines, note = _halves(body)
        try:
            _, start, end = lines[0].split(" ")
            (root,) = _hashes(lines[1:2])
            request = cls(
                start=parse_decimal(start), end=parse_decimal(end), root=root, proof=_hashes(lines[2:]), note=note
            )
        except ValueError as error:
            raise Invalid("ledger.request_malformed") from error
        if request.encode() != body or not is_subtree(request.start, request.end):
            raise Invalid("ledger.request_malformed")
        return request

    def encode(self) -> bytes:
        """The body."""
        lines = [f"subtree {self.start} {self.end}", *map(to_base64, (self.root, *self.proof)), "", ""]
        return "\n".join(lines).encode() + self.note


def _halves(body: bytes) -> tuple[list[str], bytes]:
    """The lines before the first empty one, and what follows it; whoever calls prints both and compares."""
    head, _, note = body.partition(b"\n\n")
    try:
        return head.decode("ascii").split("\n"), note
    except UnicodeDecodeError as error:
        raise Invalid("ledger.request_malformed") from error


def _hashes(lines: list[str]) -> tuple[bytes, ...]:
    hashes = tuple(map(parse_base64, lines))
    if len(hashes) > MAX_HASHES or any(len(each) != HASH_SIZE for each in hashes):
        raise ValueError("not hashes, or too many")
    return hashes


# ---- answers --------------------------------------------------------------------------------------------------------


class Rejected(Exception):
    """A request ends here with an answer that says what is wrong, by its code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(status, code)
        self.answer = Answer(status=status, body=f"{code}\n".encode())


@contextmanager
def rejecting(status: int) -> Iterator[None]:
    """What is invalid in here is answered with this status; a disk that takes nothing more with 503."""
    try:
        yield
    except (Invalid, Unavailable) as error:
        raise Rejected(status, error.code) from error
    except OSError as error:
        raise Rejected(503, "ledger.member_storage_failed") from error


# ---- what is watched ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchedLog:
    """A log that a member follows.

    Attributes:
        origin: its name.
        keys: the log's; a checkpoint needs the signature of one, and none that is wrong.
        state: what the witness remembers; `pending` must be replaceable.
        copy: what the mirror holds, in the form of the log's own files; None for a witness only.
    """

    origin: str
    keys: tuple[VerifierKey, ...]
    state: Objects
    copy: Objects | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A checkpoint that this member has cosigned.

    Attributes:
        checkpoint: what is signed.
        log: the log's signatures.
        own: the member's.
        at: the time in the member's signatures; None when there are none.
    """

    checkpoint: Checkpoint
    log: tuple[NoteSignature, ...]
    own: tuple[NoteSignature, ...]
    at: datetime | None

    @property
    def note(self) -> bytes:
        """The log's and the member's signatures."""
        return Note(text=self.checkpoint.text(), signatures=(*self.log, *self.own)).encode()

    @property
    def log_note(self) -> bytes:
        """The log's signatures alone: nobody else is needed to show what the log has signed."""
        return Note(text=self.checkpoint.text(), signatures=self.log).encode()

    @property
    def lines(self) -> bytes:
        """The member's signature lines."""
        return "".join(each.line() for each in self.own).encode()

    def says(self, checkpoint: Checkpoint, log: Sequence[NoteSignature], now: datetime) -> bool:
        """Whether signing this now would say nothing new: who repeats a request makes nobody write and sign."""
        same = self.checkpoint == checkpoint and set(log) <= set(self.log)
        return same and self.at is not None and to_seconds(self.at) == to_seconds(now)

    @classmethod
    def parse(cls, data: bytes, log: Sequence[VerifierKey], own: Sequence[VerifierKey]) -> Signed:
        """Read a note that was kept.

        Raises:
            Invalid: as `open_checkpoint`.
        """
        checkpoint, verified = open_checkpoint(data, [*log, *own])
        mine = {(key.name, key.key_id) for key in own}
        signatures = Note.parse(data).signatures
        return cls(
            checkpoint=checkpoint,
            log=tuple(each for each in signatures if (each.name, each.key_id) not in mine),
            own=tuple(each for each in signatures if (each.name, each.key_id) in mine),
            at=max((each.at for each in verified if each.key in own and each.at is not None), default=None),
        )


def sign(
    checkpoint: Checkpoint,
    log: Sequence[NoteSignature],
    keys: Sequence[Signer],
    *,
    now: datetime,
    last: datetime | None,
) -> Signed:
    """Cosign with every key, never at an earlier time than before: that would contradict what was signed then.

    Raises:
        Unavailable: `ledger.clock_behind` when the clock was set back by more than five minutes.
    """
    if last is not None and last - now > CLOCK_STEP:
        raise Unavailable("ledger.clock_behind", seconds=int((last - now).total_seconds()))
    at = now if last is None else max(now, last)
    return Signed(checkpoint=checkpoint, log=tuple(log), own=tuple(cosign(checkpoint, key, at) for key in keys), at=at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What a mirror knows of an earlier size.

    Attributes:
        root: at that size.
        note: a later checkpoint, signed by the log.
        prefix: that the one leads to the other.
    """

    root: bytes
    note: bytes
    prefix: Prefix


class History(Protocol):
    """Who holds every entry and can tell what the log was at any size before."""

    def past(self, origin: str, size: int) -> Past | None:
        """The log at a size; None when it is not held so far."""


# ---- the witness ----------------------------------------------------------------------------------------------------


class Witness:
    """The witness of several logs; threads may share it.

    Args:
        logs: each founded once, by `Witness.found`.
        keys: all sign each checkpoint; types 0x04 and 0x06.
        clock: the present moment, aware.
        alarm: told at once of what is found; what it raises goes to whoever asked.

    Raises:
        Refused: `ledger.member_state_missing` when a log was never founded or its state is gone;
            `ledger.member_state_lost` when it was found before that the state is not the newest.
        Invalid: what is kept as `pending` is no checkpoint of this log: as `open_checkpoint`,
            `ledger.member_state_damaged`.
    """

    def __init__(
        self, logs: Sequence[WatchedLog], keys: Sequence[Signer], clock: Callable[[], datetime], alarm: OnAlarm
    ) -> None:
        self.keys = tuple(keys)
        self.clock = clock
        self.alarm = alarm
        self._signers = list(self.keys)
        self._history: History | None = None
        self._lost = False
        verifiers = [key.verifier for key in keys]
        self._logs = {log.origin: _Watch(log, verifiers) for log in logs}

    @staticmethod
    def found(log: WatchedLog) -> None:
        """Begin to follow a log: the one act that makes a fresh state. Again is no error and changes nothing.

        Raises:
            Refused: `ledger.member_state_lost` when something was signed for this log already.
        """
        if log.state.exists(FOUNDED):
            return
        if log.state.exists(PENDING) or (log.copy is not None and log.copy.exists(CHECKPOINT)):
            raise Refused("ledger.member_state_lost", origin=log.origin)
        log.state.put({FOUNDED: f"{log.origin}\n".encode()})

    def attach(self, history: History, keys: Sequence[Signer]) -> None:
        """Work with a mirror: its history tells forks, and its keys sign subtrees of what they have signed."""
        self._history = history
        self._signers += keys

    @property
    def lost(self) -> bool:
        """Whether this member has found that it signed more than it remembers."""
        return self._lost

    # ---- add-checkpoint ------------------------------------------------------------------------------------------

    def add_checkpoint(self, body: bytes) -> Answer:
        """Answer tlog-witness `add-checkpoint`: 200, 400, 403, 404, 409, 422; 503 when nothing can be signed now."""
        try:
            return self._add_checkpoint(body)
        except Rejected as rejected:
            return rejected.answer

    def _add_checkpoint(self, body: bytes) -> Answer:
        with rejecting(400):
            request = AddCheckpoint.parse(body)
            note = Note.parse(request.note)
            checkpoint, origin = _read(note.text)
        log = self._logs.get(origin)
        if log is None:
            raise Rejected(404, "ledger.log_unknown")
        with rejecting(403):
            signatures = log.signatures(note, checkpoint)
        if request.old > (checkpoint.size if checkpoint else 0):
            raise Rejected(400, "ledger.size_outside")
        with log.lock:
            if self._lost:
                raise Rejected(503, "ledger.member_state_lost")
            if checkpoint is not None:
                self._look(log, checkpoint, signatures)
            if request.old != log.size:
                return Answer(status=409, body=f"{log.size}\n".encode(), content_type=TLOG_SIZE)
            if checkpoint is None:
                raise Rejected(422, "ledger.checkpoint_malformed")
            return self._take(log, request, checkpoint, signatures)

    def _take(
        self, log: _Watch, request: AddCheckpoint, checkpoint: Checkpoint, signatures: Sequence[NoteSignature]
    ) -> Answer:
        """What follows when the old size is the right one; the log is locked."""
        with rejecting(422):
            try:
                _must_follow(log.pending, request, checkpoint)
            except Invalid:
                if 0 < request.old < checkpoint.size:
                    self._suspect(log, checkpoint, signatures)
                raise
        now = self.clock()
        if (
            log.pending is not None
            and len(log.pending.own) == len(self.keys)
            and log.pending.says(checkpoint, signatures, now)
        ):
            return Answer(status=200, body=log.pending.lines)
        last = log.pending.at if log.pending else None
        with rejecting(503):
            return log.keep(sign(checkpoint, signatures, self.keys, now=now, last=last))

    # ---- sign-subtree --------------------------------------------------------------------------------------------

    def sign_subtree(self, body: bytes) -> Answer:
        """Answer tlog-witness `sign-subtree`: 200, 400, 403, 404, 422; 503 when nothing is signed any more.

        Who has signed the reference checkpoint signs the subtree: the witness for the witness, the mirror for the
        mirror, with ML-DSA-44 and without a time.
        """
        try:
            return self._sign_subtree(body)
        except Rejected as rejected:
            return rejected.answer

    def _sign_subtree(self, body: bytes) -> Answer:
        with rejecting(400):
            request = SignSubtree.parse(body)
            checkpoint = Checkpoint.parse(Note.parse(request.note).text)
        if request.end > checkpoint.size:
            raise Rejected(400, "ledger.subtree_wrong")
        with rejecting(422):
            verify_subtree(
                start=request.start,
                end=request.end,
                subtree_root=request.root,
                size=checkpoint.size,
                root=checkpoint.root,
                proof=request.proof,
            )
        if checkpoint.origin not in self._logs:
            raise Rejected(404, "ledger.log_unknown")
        with rejecting(403):
            _, signed = open_checkpoint(request.note, [key.verifier for key in self._signers])
        names = {each.key.name for each in signed}
        signers = [key for key in self._signers if key.type == MLDSA44_COSIGNATURE and key.name in names]
        if not signers:
            raise Rejected(403, "ledger.signature_missing")
        if self._lost:
            raise Rejected(503, "ledger.member_state_lost")
        return Answer(status=200, body="".join(_sign_subtree(request, checkpoint, key) for key in signers).encode())

    # ---- what others ask -----------------------------------------------------------------------------------------

    def checkpoint(self, origin: str) -> bytes | None:
        """The newest checkpoint, with the log's signatures and the witness's; None before the first."""
        pending = self.pending(origin)
        return None if pending is None else pending.note

    def pending(self, origin: str) -> Signed | None:
        """The newest checkpoint; None before the first or when the log is not followed."""
        log = self._logs.get(origin)
        return None if log is None else log.pending

    def recent(self, origin: str, size: int) -> Signed | None:
        """One of the last checkpoints, by its size; None when it is not known any more."""
        log = self._logs.get(origin)
        if log is None:
            return None
        with log.lock:
            return log.recent.get(size)

    # ---- a state that is not the newest --------------------------------------------------------------------------

    def must_not_be_newer(self, note: bytes) -> None:
        """Compare a checkpoint found elsewhere: a cosignature of ours on it must be one that is remembered.

        Otherwise the state is an older one, brought back; from then on nothing is signed.

        Raises:
            Invalid: `ledger.member_state_lost`.
        """
        try:
            checkpoint, signed = open_checkpoint(note, [key.verifier for key in self.keys])
        except Invalid:  # none of ours on it
            return
        log = self._logs.get(checkpoint.origin)
        if log is None:
            return
        with log.lock:
            own = log.pending
            if own is None or not self._remembers(log, own, checkpoint, signed):
                self.lose(checkpoint.origin, note, known=own.checkpoint.size if own else 0, signed=checkpoint.size)

    def _remembers(self, log: _Watch, own: Signed, checkpoint: Checkpoint, signed: Iterable[VerifiedSignature]) -> bool:
        newest = max((each.at for each in signed if each.at is not None), default=None)
        if checkpoint.size > own.checkpoint.size or (newest is not None and own.at is not None and newest > own.at):
            return False
        return self._contradiction(log, checkpoint) is None

    def lose(self, origin: str, note: bytes, *, known: int, signed: int) -> None:
        """Stop for good: alarm, remember it, refuse everything from now on.

        Raises:
            Invalid: `ledger.member_state_lost`, always.
        """
        facts: dict[str, Fact] = {"known": known, "signed": signed}
        if self._lost:
            raise Invalid("ledger.member_state_lost", origin=origin, **facts)
        self._lost = True
        self.alarm(
            Alarm(code=alarms.STATE_LOST, origin=origin, at=self.clock(), facts=facts, proof={alarms.FIRST: note})
        )
        state = self._logs[origin].log.state
        if not state.exists(LOST):
            state.put({LOST: note})
        raise Invalid("ledger.member_state_lost", origin=origin, **facts)

    # ---- forks ---------------------------------------------------------------------------------------------------

    def look(self, note: bytes, *, unproven: bool = False) -> bool:
        """Compare a checkpoint of a log with all that is known: whether the log contradicts itself.

        The first time, that is an alarm with its proof.

        Args:
            note: signed by the log; anything else is passed over.
            unproven: nobody could connect it with the history, so it is kept until that is clear.
        """
        try:
            signed = Note.parse(note)
            checkpoint = Checkpoint.parse(signed.text)
            log = self._logs[checkpoint.origin]
            signatures = log.signatures(signed, checkpoint)
        except (Invalid, KeyError):
            return False
        with log.lock:
            forked = self._look(log, checkpoint, signatures)
            if unproven and not forked:
                self._suspect(log, checkpoint, signatures)
            return forked

    def resolve(self, origin: str) -> None:
        """Look again at the suspects that the mirror has reached: each is dropped, or proven to be a fork."""
        log = self._logs[origin]
        with log.lock:
            for path in sorted(log.suspects):
                size = int(path.partition("/")[2].partition("-")[0])
                if self._history is None or self._history.past(origin, size) is None:
                    continue
                signed = Signed.parse(log.log.state.get(path), log.log.keys, ())
                self._look(log, signed.checkpoint, signed.log)
                log.log.state.delete([path])
                log.suspects.discard(path)

    def _look(self, log: _Watch, checkpoint: Checkpoint, signatures: Sequence[NoteSignature]) -> bool:
        """An alarm when the log has signed what contradicts what it signed before; once for each."""
        path = _path(FORKS, checkpoint)
        proof = self._contradiction(log, checkpoint)
        if proof is None:
            return False
        if path in log.forks or len(log.forks) >= MOST_FORKS:
            return True
        note = Note(text=checkpoint.text(), signatures=tuple(signatures)).encode()
        facts: dict[str, Fact] = {"size": checkpoint.size}
        self.alarm(
            Alarm(
                code=alarms.FORK,
                origin=checkpoint.origin,
                at=self.clock(),
                facts=facts,
                proof={alarms.FIRST: note, **proof},
            )
        )
        log.log.state.put({path: note})  # after the alarm: a crash between the two raises it twice, never not at all
        log.forks.add(path)
        return True

    def _contradiction(self, log: _Watch, checkpoint: Checkpoint) -> dict[str, bytes] | None:
        """The other half of the proof of a fork, when what is known has another root at this size."""
        known = log.recent.get(checkpoint.size)
        if known is not None:
            return None if known.checkpoint.root == checkpoint.root else {alarms.SECOND: known.log_note}
        try:
            past = self._history.past(checkpoint.origin, checkpoint.size) if self._history else None
        except (Invalid, Unavailable):  # the copy is damaged, which it says itself
            return None
        if past is None or past.root == checkpoint.root:
            return None
        return {alarms.SECOND: past.note, alarms.CONSISTENCY: past.prefix.encode()}

    def _suspect(self, log: _Watch, checkpoint: Checkpoint, signatures: Sequence[NoteSignature]) -> None:
        """Keep what could not be connected; anybody can send a true checkpoint with a wrong proof."""
        path = _path(SUSPECTS, checkpoint)
        if path in log.suspects or len(log.suspects) >= MOST_SUSPECTS:
            return
        note = Note(text=checkpoint.text(), signatures=tuple(signatures)).encode()
        log.log.state.put({path: note})
        log.suspects.add(path)
        proof = {alarms.FIRST: note}
        if log.pending is not None:
            proof[alarms.SECOND] = log.pending.log_note
        facts: dict[str, Fact] = {"size": checkpoint.size, "known": log.size}
        self.alarm(
            Alarm(
                code=alarms.HISTORY_UNPROVEN,
                origin=checkpoint.origin,
                at=self.clock(),
                facts=facts,
                proof=proof,
            )
        )


class _Watch:
    """One log, what is remembered of it, and the lock under which that is compared and changed."""

    def __init__(self, log: WatchedLog, own: Sequence[VerifierKey]) -> None:
        self.log = log
        self.lock = RLock()
        self.recent: OrderedDict[int, Signed] = OrderedDict()
        self.pending: Signed | None = None
        self._keys = {(key.name, key.key_id): key for key in log.keys}
        if not log.state.exists(FOUNDED):
            raise Refused("ledger.member_state_missing", origin=log.origin)
        if log.state.exists(LOST):
            raise Refused("ledger.member_state_lost", origin=log.origin)
        if log.state.exists(PENDING):
            self._remember(Signed.parse(log.state.get(PENDING), log.keys, own))
        if log.state.get(FOUNDED) != f"{log.origin}\n".encode() or not self._is_mine():
            raise Invalid("ledger.member_state_damaged", origin=log.origin)
        self.suspects = set(log.state.names(SUSPECTS))
        self.forks = set(log.state.names(FORKS))

    @property
    def size(self) -> int:
        return self.pending.checkpoint.size if self.pending else 0

    def keep(self, signed: Signed) -> Answer:
        """Make a checkpoint the newest one and answer with the witness's lines.

        Durable when this returns, unchanged when it raises.
        """
        if self.pending is not None and self.pending.checkpoint == signed.checkpoint:
            signed = _with_earlier(signed, self.pending)
        self.log.state.put({PENDING: signed.note})
        self._remember(signed)
        return Answer(status=200, body=signed.lines)

    def signatures(self, note: Note, checkpoint: Checkpoint | None) -> tuple[NoteSignature, ...]:
        """The log's signatures on a note, each once.

        Raises:
            Invalid: `ledger.signature_wrong` when one of them is; `ledger.signature_missing` when there is none.
        """
        found: dict[tuple[str, bytes], NoteSignature] = {}
        for signature in note.signatures:
            key = self._keys.get((signature.name, signature.key_id))
            if key is not None:
                if checkpoint is None:
                    _verify_wrong_empty(note.text, signature, key)
                else:
                    verify_signature(checkpoint, signature, key)
                found.setdefault((signature.name, signature.key_id), signature)
        if not found:
            raise Invalid("ledger.signature_missing", origin=self.log.origin)
        return tuple(found.values())

    def _remember(self, signed: Signed) -> None:
        self.pending = signed
        self.recent[signed.checkpoint.size] = signed
        while len(self.recent) > MOST_RECENT:
            self.recent.popitem(last=False)

    def _is_mine(self) -> bool:
        return self.pending is None or self.pending.checkpoint.origin == self.log.origin


def _must_follow(before: Signed | None, request: AddCheckpoint, checkpoint: Checkpoint) -> None:
    if before is None or request.old == 0:
        if request.proof:
            raise Invalid("ledger.proof_wrong")
        return
    verify_consistency(
        old=request.old,
        old_root=before.checkpoint.root,
        size=checkpoint.size,
        root=checkpoint.root,
        proof=request.proof,
    )


def _with_earlier(signed: Signed, before: Signed) -> Signed:
    """The same checkpoint again: a signature of the log that came only with the first is kept."""
    again = {(each.name, each.key_id) for each in signed.log}
    kept = tuple(each for each in before.log if (each.name, each.key_id) not in again)
    return Signed(checkpoint=signed.checkpoint, log=(*signed.log, *kept), own=signed.own, at=signed.at)


def _path(folder: str, checkpoint: Checkpoint) -> str:
    return f"{folder}/{checkpoint.size}-{checkpoint.root.hex()[:16]}"


def _read(text: str) -> tuple[Checkpoint | None, str]:
    """The checkpoint and its origin; no checkpoint for one of size 0 with another root than nothing has.

    That one is well-formed and is answered differently from what is not.
    """
    lines = text.split("\n")
    try:
        wrong_empty = len(lines) == 4 and lines[1] == "0" and len(parse_base64(lines[2])) == HASH_SIZE
    except ValueError:
        wrong_empty = False
    try:
        return Checkpoint.parse(text), lines[0]
    except Invalid:
        if wrong_empty:
            return None, lines[0]
        raise


def _verify_wrong_empty(text: str, signature: NoteSignature, key: VerifierKey) -> None:
    if key.type == ED25519:
        key.verify(signature.value, text.encode())
        return
    seconds = int.from_bytes(signature.value[:8], "big")
    origin, _, root, _ = text.split("\n")
    message = subtree_message(
        cosigner=key.name, origin=origin, start=0, end=0, root=parse_base64(root), seconds=seconds
    )
    key.verify(signature.value[8:], message)


def _sign_subtree(request: SignSubtree, checkpoint: Checkpoint, key: Signer) -> str:
    message = subtree_message(
        cosigner=key.name,
        origin=checkpoint.origin,
        start=request.start,
        end=request.end,
        root=request.root,
        seconds=0,
    )
    return NoteSignature(name=key.name, key_id=key.verifier.key_id, value=bytes(8) + key.sign(message)).line()
