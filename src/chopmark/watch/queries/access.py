"""Who may see which marketplaces and hits: who runs the marketplace, and the holder of the right.

For this room only: rows go no further. What somebody may not see is answered like what does not exist.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial, reduce
from operator import or_
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet

from chopmark.base.errors import Refused
from chopmark.people.actor import Actor, Permission
from chopmark.watch.models import Hit, Marketplace, Measure, RuleRow, Scan


def marketplaces(actor: Actor, permission: Permission = "view_hits") -> QuerySet[Marketplace]:
    """Those that the actor's organisation runs."""
    actor.must(permission)
    return Marketplace.objects.filter(organisation=actor.organisation_id)


def marketplace(actor: Actor, name: str, permission: Permission = "view_hits") -> Marketplace:
    """One of them.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    row = marketplaces(actor, permission).filter(name=name[:40].replace("\x00", "")).first()
    if row is None:
        raise Refused("watch.marketplace_not_found")
    return row


def hits(actor: Actor, permission: Permission = "view_hits") -> QuerySet[Hit]:
    """Those on the actor's marketplaces, and those of the actor's rights anywhere."""
    return Hit.objects.filter(reduce(or_, _sources(actor, permission)))


def first_hits(
    actor: Actor,
    order: Sequence[str],
    size: int,
    *,
    offset: int = 0,
    permission: Permission = "view_hits",
    states: Iterable[str] = (),
    narrow: Callable[[QuerySet[Hit]], QuerySet[Hit]] = lambda rows: rows,
) -> list[Hit]:
    """The first `size` of them after `offset` others, in the states and the order that are asked for.

    Of each marketplace, and of the actor's rights, the first ones by an index; then the first of these: to sort all
    that somebody may see would read it all.

    Args:
        order: fields, as Django's `order_by` takes them; the last one tells any two hits apart.
        narrow: leaves out some more.
    """
    names = [each.removeprefix("-") for each in order]
    found: dict[UUID, Sequence[Any]] = {}
    for source in _sources(actor, permission):
        for state in sorted(states) or ("",):
            rows = narrow(Hit.objects.filter(source, **({"state": state} if state else {})))
            found |= {pk: keys for pk, *keys in rows.order_by(*order).values_list("pk", *names)[: offset + size]}
    first = list(found)
    for place in reversed(range(len(order))):
        first.sort(key=partial(_key, found, place), reverse=order[place].startswith("-"))
    page = first[offset : offset + size]
    whole = Hit.objects.select_related("marketplace").in_bulk(page)
    return [whole[pk] for pk in page if pk in whole]


def _key(found: Mapping[UUID, Sequence[Any]], place: int, pk: UUID) -> Any:  # noqa: ANN401 (a field's value)
    return found[pk][place]


def _sources(actor: Actor, permission: Permission) -> list[Q]:
    """Whose hits the actor may see, each by an index of its own."""
    own = marketplaces(actor, permission).order_by("name").values_list("pk", flat=True)
    return [Q(organisation=actor.organisation_id), *(Q(marketplace=pk) for pk in own)]


def hit(actor: Actor, which: UUID | str, permission: Permission = "view_hits", *, lock: bool = False) -> Hit:
    """One of them, by id or number.

    Raises:
        Refused: `watch.hit_not_found`; what people's `must` raises.
    """
    rows = hits(actor, permission).select_related("marketplace")
    if lock:
        rows = rows.select_for_update(of=("self",))
    row = rows.filter(pk=which).first() if isinstance(which, UUID) else _by_text(rows, which)
    if row is None:
        raise Refused("watch.hit_not_found")
    return row


def _by_text(rows: QuerySet[Hit], text: str) -> Hit | None:
    try:
        return rows.filter(pk=UUID(text)).first()
    except ValueError:
        return rows.filter(number=text.replace("\x00", "").strip().upper()[:24]).first()


def measure(actor: Actor, key: str, permission: Permission = "view_hits") -> Measure:
    """One that a marketplace of the actor's organisation was asked for, by its key.

    Raises:
        Refused: `watch.measure_not_found`; what people's `must` raises.
    """
    rows = Measure.objects.filter(marketplace__in=marketplaces(actor, permission))
    row = rows.filter(key=key[:64].replace("\x00", "")).select_related("marketplace", "hit").first()
    if row is None:
        raise Refused("watch.measure_not_found")
    return row


def scan(actor: Actor, which: UUID | str, permission: Permission = "view_hits") -> Scan:
    """A scan of the actor's organisation.

    Raises:
        Refused: `watch.scan_not_found`; what people's `must` raises.
    """
    actor.must(permission)
    rows = Scan.objects.filter(organisation=actor.organisation_id).select_related("marketplace")
    try:
        row = rows.filter(pk=which if isinstance(which, UUID) else UUID(which)).first()
    except ValueError:
        row = rows.filter(number=str(which).replace("\x00", "").strip().upper()[:24]).first()
    if row is None:
        raise Refused("watch.scan_not_found")
    return row


def rule(actor: Actor, name: str, permission: Permission = "view_hits") -> RuleRow:
    """A rule of the actor's organisation.

    Raises:
        Refused: `watch.rule_not_found`; what people's `must` raises.
    """
    actor.must(permission)
    row = RuleRow.objects.filter(organisation=actor.organisation_id, name=name[:40].replace("\x00", "")).first()
    if row is None:
        raise Refused("watch.rule_not_found")
    return row
