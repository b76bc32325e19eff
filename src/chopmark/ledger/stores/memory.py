"""Stores that live as long as the process: for tests and for trying things.

As strict as the others; safe for threads. A transaction of the caller is not joined: there is none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from threading import RLock

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.stores import CHECKPOINT, ConsortiumState, Entry, Head, OnSettled, Published, must_follow
from chopmark.ledger.stores.paths import must_be_path


class MemoryObjects:
    """Objects, and a journal, in a dictionary."""

    def __init__(self, *, replaceable: Iterable[str] = (CHECKPOINT,)) -> None:
        self.kept: dict[str, bytes] = {}
        self._replaceable = frozenset(replaceable)
        self._lock = RLock()

    def get(self, path: str) -> bytes:
        """See `Objects.get`."""
        must_be_path(path)
        with self._lock:
            if path not in self.kept:
                raise Unavailable("ledger.object_missing", path=path)
            return self.kept[path]

    def put(self, objects: Mapping[str, bytes]) -> None:
        """See `Objects.put`; all or nothing."""
        with self._lock:
            for path, data in objects.items():
                must_be_path(path)
                if path not in self._replaceable and self.kept.get(path, data) != data:
                    raise Invalid("ledger.object_conflict", path=path)
            self.kept.update(objects)

    def delete(self, paths: Iterable[str]) -> None:
        """See `Objects.delete`."""
        with self._lock:
            for path in paths:
                must_be_path(path)
                self.kept.pop(path, None)

    def exists(self, path: str) -> bool:
        """See `Objects.exists`."""
        must_be_path(path)
        return path in self.kept

    def names(self, folder: str = "") -> list[str]:
        """See `Objects.names`."""
        if folder:
            must_be_path(folder)
        with self._lock:
            return sorted(path for path in self.kept if path.rpartition("/")[0] == folder)

    def hold(self) -> None:
        """See `Journal.hold`; here one object is one writer's, so there is nobody to exclude."""

    def release(self) -> None:
        """See `Journal.release`."""


class MemoryBook:
    """The database side in dictionaries."""

    def __init__(self, on_settled: OnSettled | None = None) -> None:
        self._on_settled = on_settled
        self._lock = RLock()
        self._head = Head()
        self._decided: tuple[bytes, ...] = ()
        self._consortium = ConsortiumState()
        self._pending: dict[bytes, Entry] = {}
        self._positions: dict[bytes, int] = {}
        self._digests: defaultdict[bytes, list[int]] = defaultdict(list)
        self._checkpoints: list[Published] = []

    def enqueue(self, entries: Sequence[Entry], at: datetime) -> None:  # noqa: ARG002 (the interface's; order is kept by the dictionary)
        """See `Book.enqueue`."""
        for entry in entries:
            entry.must_fit()
        with self._lock:
            for entry in entries:
                if entry.leaf not in self._positions:
                    self._pending.setdefault(entry.leaf, entry)

    def pending(self, limit: int) -> list[Entry]:
        """See `Book.pending`."""
        with self._lock:
            return list(self._pending.values())[:limit]

    def pending_count(self) -> int:
        """See `Book.pending_count`."""
        return len(self._pending)

    def head(self) -> Head:
        """See `Book.head`."""
        return self._head

    def hold(self) -> bool:
        """See `Book.hold`; whether another writer uses the same object is not known."""
        return False

    def release(self) -> None:
        """See `Book.release`."""

    def swap(self, old: Head, new: Head, entries: Sequence[Entry] = ()) -> None:
        """See `Book.swap`."""
        with self._lock:
            if self._head != old:
                raise Unavailable("ledger.log_moved", size=old.size)
            self._head = new
            self._decided = tuple(entry.leaf for entry in entries)

    def decided(self) -> list[Entry]:
        """See `Book.decided`."""
        with self._lock:
            return [self._pending[leaf] for leaf in self._decided if leaf in self._pending]

    def settle(self, first: int, entries: Sequence[Entry], published: Published) -> None:
        """See `Book.settle`."""
        with self._lock:
            latest = self.latest()
            for known in self._checkpoints:
                if known.size == published.size:
                    if known.root != published.root:
                        raise Invalid("ledger.checkpoint_conflict", size=published.size)
                    return
            must_follow(latest.size if latest else 0, first, entries, published)
            if self._on_settled is not None:
                self._on_settled(first, entries, published.at)
            self._checkpoints.append(published)
            for position, entry in enumerate(entries, first):
                self._positions[entry.leaf] = position
                self._pending.pop(entry.leaf, None)
                for digest in dict.fromkeys(entry.search_keys):
                    self._digests[digest].append(position)

    def positions(self, leaves: Iterable[bytes]) -> dict[bytes, int]:
        """See `Book.positions`."""
        with self._lock:
            return {leaf: self._positions[leaf] for leaf in leaves if leaf in self._positions}

    def find(self, digest: bytes, limit: int = 100) -> list[int]:
        """See `Book.find`."""
        with self._lock:
            return self._digests.get(digest, [])[:limit]

    def checkpoint_for(self, position: int) -> Published:
        """See `Book.checkpoint_for`."""
        with self._lock:
            for published in self._checkpoints:
                if published.size > position >= 0:
                    return published
        raise Unavailable("ledger.not_published", position=position)

    def latest(self) -> Published | None:
        """See `Book.latest`."""
        with self._lock:
            return self._checkpoints[-1] if self._checkpoints else None

    def checkpoints(self, before_size: int, limit: int) -> list[Published]:
        """See `Book.checkpoints`."""
        with self._lock:
            return [each for each in reversed(self._checkpoints) if each.size < before_size][:limit]

    def note_consortium(self, state: ConsortiumState) -> None:
        """See `Book.note_consortium`."""
        self._consortium = state

    def consortium(self) -> ConsortiumState:
        """See `Book.consortium`."""
        return self._consortium
