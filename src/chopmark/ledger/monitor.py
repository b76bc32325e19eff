"""A monitor: follows one log as a stranger does, by what it shows to everybody, and looks at every entry.

One round, in this order; what is found are alarms, the last with proof:

 1 checkpoint  published, of this log, signed by its keys
 2 self        a cosignature of ours on it must be one that is remembered, or this member has lost its state
 3 history     not smaller than before, no contradiction to what is known, consistent with it
 4 quorum      that of the policy
 5 lag         the log must not show members more than it publishes for long
 6 entries     each is a signed statement; its signature is checked where the key is known

Every round does a bounded amount and goes on where the last one ended; how far that is lies beside the witness's
state (`seen/…`, `checked/…`, `late/…`). Fetches through the function it is given, and stops no log: it tells.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from chopmark.base.clock import from_seconds, to_seconds
from chopmark.base.errors import Fact, Invalid, Unavailable
from chopmark.ledger import alarm as alarms
from chopmark.ledger import tree
from chopmark.ledger.alarm import Alarm
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.cose import PublicKey
from chopmark.ledger.mirror import Mirror
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.ledger.proof import TlogProof
from chopmark.ledger.statement import Statement
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.tiles import TILE_WIDTH, TileReader, bundle_path
from chopmark.ledger.witness import WatchedLog, Witness

MOST_ENTRIES = 32_768
"""Looked at in one round."""
MOST_ALARMS = 100
"""Raised for entries in one round; the next goes on behind the last."""
PATIENCE = timedelta(hours=1)

_SEEN = "seen"
_CHECKED = "checked"
_LATE = "late"

Fetch = Callable[[str], bytes]
"""Path to bytes, as the log serves them; raises `Unavailable`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shown:
    """A checkpoint that the log published."""

    note: bytes
    checkpoint: Checkpoint


@dataclass(slots=True)
class _Round:
    """What one round has found."""

    origin: str
    at: datetime
    alarms: list[Alarm] = field(default_factory=list)

    def add(self, code: str, proof: dict[str, bytes], **facts: Fact) -> None:
        self.alarms.append(Alarm(code=code, origin=self.origin, at=self.at, facts=facts, proof=proof))


class Monitor:
    """The monitor of one log; one thread at a time runs it.

    Args:
        log: what is watched; its state is shared with the witness.
        mirror: this member's own copy, from which entries are read; None reads them from the log.
        policy: whose quorum a published checkpoint needs; None asks for none.
        key_of: the key with a thumbprint, from wherever it comes: the thumbprint proves it.
        witness: the member's witness when it has no mirror.
        statements: whether entries are statements; not for a log of another kind.
        patience: how long the log may be silent, or publish less than it shows members.

    Attributes:
        unknown_signers: entries met so far whose key nobody knew; their signatures were not checked.
        checked: how many entries were looked at, all rounds together.
    """

    def __init__(
        self,
        log: WatchedLog,
        mirror: Mirror | None,
        policy: Policy | None,
        key_of: Callable[[bytes], PublicKey | None],
        *,
        witness: Witness | None = None,
        statements: bool = True,
        patience: timedelta = PATIENCE,
    ) -> None:
        self.log = log
        self.unknown_signers = 0
        self._mirror = mirror
        self._witness = mirror.witness if mirror is not None else witness
        self._policy = policy
        self._key_of = key_of
        self._statements = statements
        self._patience = patience
        self._state = log.state

    @property
    def checked(self) -> int:
        """How many entries were looked at, from the first on."""
        return max((int(path.rpartition("/")[2]) for path in self._state.names(_CHECKED)), default=0)

    def round(self, fetch: Fetch, at: datetime, *, most: int = MOST_ENTRIES) -> list[Alarm]:
        """Look once.

        Args:
            fetch: what the log shows to everybody.
            at: the present moment.
            most: entries to look at, at most.

        A fork that the witness can prove goes to the witness's own alarm, where it is raised once.

        Raises:
            Unavailable, Invalid: what the mirror's own files lead to when they are damaged.
        """
        found = _Round(self.log.origin, at)
        try:
            note = fetch(CHECKPOINT)
        except Unavailable as error:
            self._is_late(found, size=0, reason=error.code)
            shown = None
        else:
            shown = self._published(found, note)  # 1
        if shown is not None:
            self._look_at_self(found, shown)  # 2
            answered = self._look_at_history(found, shown, fetch)  # 3
            self._look_at_quorum(found, shown)  # 4
            if answered:
                self._look_at_lag(found, shown)  # 5
        if self._statements:
            self._look_at_entries(found, shown, fetch, most)  # 6
        return found.alarms

    # ---- the checkpoint ------------------------------------------------------------------------------------------

    def _published(self, found: _Round, note: bytes) -> _Shown | None:
        try:
            checkpoint, _ = open_checkpoint(note, self.log.keys)
        except Invalid as error:
            found.add(alarms.CHECKPOINT_WRONG, {alarms.FIRST: note[: alarms.MAX_ALARM // 4]}, reason=error.code)
            return None
        if checkpoint.origin != self.log.origin:
            found.add(alarms.CHECKPOINT_WRONG, {alarms.FIRST: note}, reason="ledger.log_unknown")
            return None
        return _Shown(note=note, checkpoint=checkpoint)

    def _look_at_self(self, found: _Round, shown: _Shown) -> None:
        if self._witness is None or self._witness.lost:
            return
        try:
            self._witness.must_not_be_newer(shown.note)
            if self._mirror is not None:
                self._mirror.must_not_be_newer(shown.note)
        except Invalid as error:
            known, signed = error.facts["known"], error.facts["signed"]
            found.add(alarms.STATE_LOST, {alarms.FIRST: shown.note}, known=known, signed=signed)

    def _look_at_history(self, found: _Round, shown: _Shown, fetch: Fetch) -> bool:
        """Against the last published one and against what the witness knows; whether the log answered."""
        last = self._last_seen()
        new = shown.checkpoint
        if self._witness is not None and self._witness.look(shown.note):
            return True
        if last is not None and new.size < last.checkpoint.size:
            proof = {alarms.FIRST: last.note, alarms.SECOND: shown.note}
            found.add(alarms.REWOUND, proof, size=new.size, known=last.checkpoint.size)
            return True
        if last is not None and new.size == last.checkpoint.size and new.root != last.checkpoint.root:
            proof = {alarms.FIRST: self._bare(last.note), alarms.SECOND: self._bare(shown.note)}
            found.add(alarms.FORK, proof, size=new.size)
            return True
        before = [self._known(), last.checkpoint if last is not None else None]
        try:
            if all(self._follows(found, shown, known, fetch) for known in before):
                self._see(shown)
        except Unavailable as error:
            self._is_late(found, size=new.size, reason=error.code)
            return False
        return True

    def _follows(self, found: _Round, shown: _Shown, known: Checkpoint | None, fetch: Fetch) -> bool:
        """Whether the published checkpoint continues a known one; one that is known to be larger is no concern here."""
        new = shown.checkpoint
        if known is None or not 0 < known.size < new.size:
            return True
        try:
            proof = TileReader(fetch, new.size).consistency_proof(known.size, new.size)
            tree.verify_consistency(old=known.size, old_root=known.root, size=new.size, root=new.root, proof=proof)
        except Invalid:
            bare = self._bare(shown.note)
            if self._witness is not None:
                self._witness.look(bare, unproven=True)
            else:
                found.add(alarms.HISTORY_UNPROVEN, {alarms.FIRST: bare}, size=new.size, known=known.size)
            return False
        return True

    def _look_at_quorum(self, found: _Round, shown: _Shown) -> None:
        if self._policy is None:
            return
        try:
            _, judgement = self._policy.open(shown.note)
            reached = judgement.quorum_reached
        except Invalid:
            reached = False
        if not reached:
            found.add(alarms.NO_QUORUM, {alarms.FIRST: shown.note}, size=shown.checkpoint.size)

    def _look_at_lag(self, found: _Round, shown: _Shown) -> None:
        known = self._known()
        if known is not None and shown.checkpoint.size < known.size:
            self._is_late(found, size=shown.checkpoint.size, reason="ledger.not_published")
        else:
            self._state.delete(self._state.names(_LATE))

    def _is_late(self, found: _Round, *, size: int, reason: str) -> None:
        """An alarm when this has lasted too long; since when is remembered."""
        since = [int(path.rpartition("/")[2]) for path in self._state.names(_LATE)]
        if not since:
            self._state.put({f"{_LATE}/{to_seconds(found.at)}": b""})
        elif found.at - from_seconds(min(since)) > self._patience:
            pending = self._witness.pending(self.log.origin) if self._witness is not None else None
            proof = {alarms.FIRST: pending.log_note} if pending is not None else {}
            known = pending.checkpoint.size if pending is not None else 0
            found.add(alarms.STALE, proof, size=size, known=known, since=min(since), reason=reason)

    def _known(self) -> Checkpoint | None:
        """The newest that the log has shown to this member."""
        pending = self._witness.pending(self.log.origin) if self._witness is not None else None
        return None if pending is None else pending.checkpoint

    def _last_seen(self) -> _Shown | None:
        paths = sorted(self._state.names(_SEEN), key=_size_of)
        if not paths:
            return None
        note = self._state.get(paths[-1])
        return _Shown(note=note, checkpoint=Checkpoint.parse(Note.parse(note).text))

    def _see(self, shown: _Shown) -> None:
        path = f"{_SEEN}/{shown.checkpoint.size}-{hashlib.sha256(shown.note).hexdigest()[:16]}"
        self._state.put({path: shown.note})
        self._state.delete([other for other in self._state.names(_SEEN) if other != path])

    def _bare(self, note: bytes) -> bytes:
        """The note with the log's signatures alone."""
        whole = Note.parse(note)
        own = {(key.name, key.key_id) for key in self.log.keys}
        signatures = tuple(each for each in whole.signatures if (each.name, each.key_id) in own)
        return Note(text=whole.text, signatures=signatures).encode()

    # ---- the entries ---------------------------------------------------------------------------------------------

    def _look_at_entries(self, found: _Round, shown: _Shown | None, fetch: Fetch, most: int) -> None:
        source = self._source(shown, fetch)
        if source is None:
            return
        note, tiles, trusted = source
        start = here = self.checked
        alarmed = len(found.alarms)
        while here < min(tiles.size, start + most) and len(found.alarms) - alarmed < MOST_ALARMS:
            entries = tiles.bundle(here // TILE_WIDTH) if trusted else self._proven(found, note, tiles, here)
            if not entries:
                break
            for entry in entries[here % TILE_WIDTH :]:
                self._look_at_entry(found, note, tiles, here, entry)
                here += 1
        if here > start:
            self._state.put({f"{_CHECKED}/{here}": b""})
            self._state.delete([f"{_CHECKED}/{start}"])

    def _source(self, shown: _Shown | None, fetch: Fetch) -> tuple[bytes, TileReader, bool] | None:
        """A checkpoint, the tiles under it, and whether the entries are proven already."""
        if self._mirror is None:
            return None if shown is None else (shown.note, TileReader(fetch, shown.checkpoint.size), False)
        note = self._mirror.checkpoint(self.log.origin)
        if note is None:
            return None
        size = Checkpoint.parse(Note.parse(note).text).size
        return note, self._mirror.tiles(self.log.origin).at(size), True

    def _proven(self, found: _Round, note: bytes, tiles: TileReader, position: int) -> list[bytes]:
        """The bundle around a position as the log serves it, if it is what the checkpoint covers; else none of it."""
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        index = position // TILE_WIDTH
        width = min(TILE_WIDTH, tiles.size - index * TILE_WIDTH)
        try:
            entries = tiles.bundle(index)
            _must_be_under(checkpoint, index * TILE_WIDTH, entries, tiles)
        except Invalid as error:
            bare = self._bare(note)
            found.add(alarms.FILES_WRONG, {alarms.FIRST: bare}, path=bundle_path(index, width), reason=error.code)
            return []
        except Unavailable as error:
            self._is_late(found, size=tiles.size, reason=error.code)
            return []
        return entries

    def _look_at_entry(self, found: _Round, note: bytes, tiles: TileReader, position: int, entry: bytes) -> None:
        try:
            statement = Statement.parse(entry)
            key = self._key_of(statement.kid)
            if key is None:
                self.unknown_signers += 1
            else:
                statement.verify(key)
        except Invalid as error:
            hashes = tuple(tiles.inclusion_proof(position))
            inclusion = TlogProof(index=position, hashes=hashes, checkpoint=self._bare(note))
            proof = {alarms.ENTRY: entry, alarms.INCLUSION: inclusion.encode()}
            found.add(alarms.BAD_ENTRY, proof, position=position, reason=error.code)


def _must_be_under(checkpoint: Checkpoint, start: int, entries: Sequence[bytes], tiles: TileReader) -> None:
    """Check that the entries of one bundle stand where they are said to stand."""
    end = start + len(entries)
    tree.verify_subtree(
        start=start,
        end=end,
        subtree_root=tree.root_of(tree.leaf_hashes(entries)),
        size=checkpoint.size,
        root=checkpoint.root,
        proof=tree.subtree_proof(start, end, checkpoint.size, tiles.nodes),
    )


def _size_of(path: str) -> int:
    return int(path.partition("/")[2].partition("-")[0])
