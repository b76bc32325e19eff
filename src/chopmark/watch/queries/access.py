"""Who may see which marketplaces and hits: who runs the marketplace, and the holder of the right.

For this room only: rows go no further. What somebody may not see is answered like what does not exist.
"""

from __future__ import annotations

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
    actor.must(permission)
    own = Q(organisation=actor.organisation_id) | Q(marketplace__organisation=actor.organisation_id)
    return Hit.objects.filter(own)


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
