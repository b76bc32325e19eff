"""Stamps on checkpoints: where each stands, and which of them an entry can use.

    waiting ── pending ── done          pending: begun, the service finishes it later (a public chain)
       └── superseded                   a newer checkpoint waits for the same authority, and covers the same entries

Only reads; `evidence.actions.stamp` changes. A stamp's token was verified before it was kept, and is verified again by
whoever reads the receipt.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from chopmark.evidence import wiring
from chopmark.evidence.models import Stamp
from chopmark.evidence.receipt import Anchor
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.tiles import TileReader
from chopmark.ledger.timestamp import Authority, authority_from_pem
from chopmark.ledger.tree import verify_inclusion

WAITING, PENDING, DONE, SUPERSEDED = "waiting", "pending", "done", "superseded"
OPEN = (WAITING, PENDING)
ALLOWED = {
    (WAITING, PENDING),
    (WAITING, DONE),
    (WAITING, SUPERSEDED),
    (PENDING, PENDING),
    (PENDING, DONE),
    (PENDING, WAITING),  # what was begun is lost, and begun anew
}
OWN = "own"
TRUSTED = "tsa/trusted"  # below the home: <name of an authority>.pem, certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class StampState:
    """One stamp, for people.

    Attributes:
        authority: its name.
        kind: rfc3161, ots or evm.
        own: whether the platform runs it.
        size: of the stamped checkpoint.
        state: waiting, pending, done or superseded.
        tries: how often it was tried.
        trouble: code of the last error, or empty.
        stamped_at: the time in the token; None where there is none yet, or only others can tell it.
        next_try: when it goes on, while it is not done.
    """

    authority: str
    kind: str
    own: bool
    size: int
    state: str
    tries: int
    trouble: str
    stamped_at: datetime | None
    next_try: datetime


def anchors_for(position: int, size: int | None = None) -> list[Anchor]:
    """For each authority the earliest stamped checkpoint that covers an entry of the published log, own ones last.

    Args:
        position: of the entry.
        size: only checkpoints of at least this size, where that is asked for.

    Raises:
        Invalid: `ledger.proof_wrong` when a file of the log was altered.
    """
    found = []
    covering = Stamp.objects.filter(state=DONE, size__gt=position)
    if size is not None:
        covering = covering.filter(size__gte=size)
    for authority in sorted(covering.values_list("authority", flat=True).distinct()):
        row = covering.filter(authority=authority).order_by("size").first()
        if row is not None:
            found.append((row.own, _anchor(row, position)))
    return [anchor for _, anchor in sorted(found, key=lambda each: each[0])]


def _anchor(row: Stamp, position: int) -> Anchor:
    text = bytes(row.text)
    point = Checkpoint.parse(text.decode())
    tiles = _tiles(wiring.home()).at(point.size)
    path = tiles.inclusion_proof(position, point.size)
    verify_inclusion(leaf=tiles.nodes(0, position), index=position, size=point.size, proof=path, root=point.root)
    return Anchor(kind=row.kind, authority=row.authority, text=text, path=tuple(path), token=bytes(row.token))


@lru_cache(maxsize=2)
def _tiles(place: Path) -> TileReader:
    """One for all threads, so that full tiles stay in memory."""
    return TileReader(FileObjects(place / "log").get, 0)


def newest(limit: int = 50) -> list[StampState]:
    """The stamps made last, newest first."""
    return [_state(row) for row in Stamp.objects.order_by("-made_at", "-pk")[:limit]]


def open_stamps() -> list[StampState]:
    """What is not done yet, oldest first."""
    return [_state(row) for row in Stamp.objects.filter(state__in=OPEN).order_by("made_at", "pk")[:1000]]


def _state(row: Stamp) -> StampState:
    return StampState(
        authority=row.authority,
        kind=row.kind,
        own=row.own,
        size=row.size,
        state=row.state,
        tries=row.tries,
        trouble=row.trouble,
        stamped_at=row.stamped_at,
        next_try=row.next_try,
    )


def authorities(home: Path | None = None) -> tuple[Authority, ...]:
    """The time-stamp authorities trusted here: `tsa/trusted/<name>.pem` in the home; `own` is the platform's.

    Raises:
        Invalid: `ledger.authority_malformed`.
    """
    folder = (home or wiring.home()) / TRUSTED
    return tuple(
        authority_from_pem(path.stem, path.read_bytes(), own=path.stem == OWN) for path in sorted(folder.glob("*.pem"))
    )
