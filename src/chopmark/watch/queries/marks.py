"""Marks as their holders describe them for the search: other names, how distinctive, near misses, well known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from chopmark.people.actor import Actor
from chopmark.rights.queries import registry, scanning
from chopmark.rights.queries.follow import WORDED
from chopmark.rights.queries.registry import RightSummary
from chopmark.watch.models import MarkNote

MAX_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSummary:
    """A right with a sign, and what is said of the sign.

    Attributes:
        texts: its words as the registry has them; none when listings are not searched for it.
        classes, territories: where it counts today; none when it is not searched for.
        aliases: other names that a person gave.
        distinctiveness: 0 to 1000 by a person's word; None: the trusted vocabulary decides.
        near: whether near misses of it are put on the watch-list.
        well_known: whether goods of other classes count too.
        changed_at: when a person said it last; None when nobody did.
    """

    id: UUID
    number: str
    title: str
    texts: tuple[str, ...]
    classes: tuple[str, ...]
    territories: tuple[str, ...]
    aliases: tuple[str, ...]
    distinctiveness: int | None
    near: bool
    well_known: bool
    changed_at: datetime | None

    @property
    def searched(self) -> bool:
        """Whether listings are compared with it: verified, in force, with words."""
        return bool(self.texts)


@dataclass(frozen=True, slots=True, kw_only=True)
class MarksPage:
    """Some of them; `next` is what to ask for more with, empty at the end."""

    items: tuple[MarkSummary, ...]
    next: str


def marks_of(actor: Actor, *, at: datetime, q: str = "", after: str = "", limit: int = MAX_PAGE) -> MarksPage:
    """Rights with a sign that the actor may see, newest first; a page leaves out those of its rights without one.

    Args:
        q: words of the title, or a number.
        after: number of the right with which the page before ended, its `next`.

    Raises:
        Refused: `rights.not_found` for a wrong `after`; what people's `must` raises.
    """
    actor.must("view_hits")
    page = registry.rights_of(actor, registry.Filters(q=q), at=at, after=after, limit=min(limit, MAX_PAGE))
    signed = [each for each in page.items if each.right.record.kind in WORDED]
    return MarksPage(items=_described(signed, at), next=page.next)


def mark_of(actor: Actor, which: UUID | str, *, at: datetime) -> MarkSummary:
    """One of them, by id or number.

    Raises:
        Refused: `rights.not_found`; what people's `must` raises.
    """
    actor.must("view_hits")
    [found] = _described([registry.right_of(actor, which, at=at).summary], at)
    return found


def _described(rights: list[RightSummary], at: datetime) -> tuple[MarkSummary, ...]:
    ids = [each.id for each in rights]
    notes = MarkNote.objects.in_bulk(ids)
    signs = {each.id: each for each in scanning.signs(at.date(), ids)} if ids else {}
    found = []
    for each in rights:
        note, sign = notes.get(each.id), signs.get(each.id)
        found.append(
            MarkSummary(
                id=each.id,
                number=each.number,
                title=each.title,
                texts=sign.texts if sign is not None else (),
                classes=sign.classes if sign is not None else (),
                territories=sign.territories if sign is not None else (),
                aliases=tuple(note.aliases) if note is not None else (),
                distinctiveness=note.distinctiveness if note is not None else None,
                near=bool(note and note.near),
                well_known=bool(note and note.well_known),
                changed_at=note.changed_at if note is not None else None,
            )
        )
    return tuple(found)
