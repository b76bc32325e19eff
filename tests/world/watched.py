"""A log that others watch, and a member that watches it: both in memory or over any stores.

log = GrowingLog()
member = Member()
log.grow(b"one", b"two")
member.follow(log)
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from chopmark.base.errors import Unavailable
from chopmark.ledger.alarm import Alarm
from chopmark.ledger.checkpoint import Checkpoint, sign_checkpoint
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.mirror import Mirror, MirrorInfo, packages, upload_header
from chopmark.ledger.stores import CHECKPOINT, Objects
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.ledger.tiles import Edge, TileReader, integrate
from chopmark.ledger.tree import EMPTY_ROOT
from chopmark.ledger.wire import Answer
from chopmark.ledger.witness import AddCheckpoint, WatchedLog, Witness

ORIGIN = "log.test/watched"
AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def keys_of(name: str, *types: int) -> tuple[SigningKey, ...]:
    """Keys that are the same in every run."""
    return tuple(SigningKey(name=name, type=kind, seed=sha256(f"{name} {kind}".encode()).digest()) for kind in types)


LOG_KEYS = keys_of(ORIGIN, ED25519, MLDSA44_COSIGNATURE)
WITNESS_KEYS = keys_of("court.test/witness", ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)
MIRROR_KEYS = keys_of("court.test/mirror", ED25519_COSIGNATURE, MLDSA44_COSIGNATURE)
LOG_VERIFIERS = tuple(key.verifier for key in LOG_KEYS)
WITNESS_VERIFIERS = tuple(key.verifier for key in WITNESS_KEYS)
MIRROR_VERIFIERS = tuple(key.verifier for key in MIRROR_KEYS)


class GrowingLog:
    """A log whose every size can be shown; `fork` makes another history under the same keys."""

    def __init__(self, *entries: bytes, keys: Sequence[SigningKey] = LOG_KEYS) -> None:
        self.keys = keys
        self.entries: list[bytes] = []
        self.files: dict[str, bytes] = {}
        self._edge = Edge()
        self._roots = {0: EMPTY_ROOT}
        self._notes: dict[int, bytes] = {}
        self.grow(*entries)

    def grow(self, *entries: bytes) -> None:
        self._edge, files = integrate(self._edge, entries)
        self.files.update(files)
        self.entries += entries
        self._roots[self.size] = self._edge.root()

    def fork(self, size: int) -> GrowingLog:
        """Another log with the same first entries."""
        return GrowingLog(*self.entries[:size], keys=self.keys)

    @property
    def size(self) -> int:
        return self._edge.size

    def fetch(self, path: str) -> bytes:
        """What the log serves."""
        if path == CHECKPOINT:
            return self.note()
        if path not in self.files:
            raise Unavailable("ledger.object_missing", path=path)
        return self.files[path]

    def tiles(self) -> TileReader:
        return TileReader(self.fetch, self.size)

    def checkpoint(self, size: int | None = None) -> Checkpoint:
        size = self.size if size is None else size
        if size not in self._roots:
            self._roots[size] = self.tiles().root(size)
        return Checkpoint(origin=ORIGIN, size=size, root=self._roots[size])

    def note(self, size: int | None = None) -> bytes:
        size = self.size if size is None else size
        if size not in self._notes:
            self._notes[size] = sign_checkpoint(self.checkpoint(size), self.keys, AT)
        return self._notes[size]

    def proof(self, old: int, size: int | None = None) -> tuple[bytes, ...]:
        return tuple(self.tiles().consistency_proof(old, self.size if size is None else size))

    def request(self, old: int, size: int | None = None) -> bytes:
        """The body of an honest `add-checkpoint`."""
        return AddCheckpoint(old=old, proof=self.proof(old, size), note=self.note(size)).encode()

    def upload(self, start: int, end: int | None = None, *, most: int = 32, ticket: bytes = b"") -> bytes:
        """The body of an honest `add-entries`."""
        end = self.size if end is None else end
        return upload_header(ORIGIN, start, end, ticket) + b"".join(packages(self.tiles(), start, end, most))


class Member:
    """A witness and a mirror of that log; `start` again is a restart of the process."""

    def __init__(
        self,
        state: Objects | None = None,
        copy: Objects | None = None,
        *,
        clock: Callable[[], datetime] | None = None,
        found: bool = True,
    ) -> None:
        self.state = MemoryObjects(replaceable=("pending",)) if state is None else state
        self.copy = MemoryObjects() if copy is None else copy
        self.now = AT
        self.clock = clock or self._tick
        self.alarms: list[Alarm] = []
        if found:
            Witness.found(self.watched)
        self.start()

    def _tick(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now

    @property
    def watched(self) -> WatchedLog:
        return WatchedLog(origin=ORIGIN, keys=LOG_VERIFIERS, state=self.state, copy=self.copy)

    def start(self) -> None:
        logs = [self.watched]
        self.witness = Witness(logs, WITNESS_KEYS, self.clock, self.alarms.append)
        self.mirror = Mirror(self.witness, logs, MIRROR_KEYS, self.clock)

    @property
    def pending(self) -> int:
        """The size of the newest checkpoint."""
        pending = self.witness.pending(ORIGIN)
        return pending.checkpoint.size if pending else 0

    @property
    def next_entry(self) -> int:
        return self.mirror.next_entry(ORIGIN)

    def show(self, log: GrowingLog, size: int | None = None) -> Answer:
        """What an honest log sends first."""
        return self.witness.add_checkpoint(log.request(self.pending, size))

    def bring(self, log: GrowingLog, start: int, end: int | None = None, **options) -> Answer:
        """One request of what an honest log sends then."""
        return self.mirror.add_entries(io.BytesIO(log.upload(start, end, **options)))

    def follow(self, log: GrowingLog, size: int | None = None) -> Answer:
        """All of it, until the mirror has cosigned."""
        size = log.size if size is None else size
        if self.pending < size or self.witness.pending(ORIGIN) is None:
            assert self.show(log, size).status == 200
        while (answer := self.bring(log, self.next_entry, size)).status == 202:
            assert MirrorInfo.parse(answer.body).next_entry == self.next_entry
        assert answer.status == 200
        return answer

    @property
    def codes(self) -> list[str]:
        return [alarm.code.removeprefix("ledger.alarm_") for alarm in self.alarms]
