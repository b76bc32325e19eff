"""Marketplaces: register one, change where measures go, note who a seller is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction

from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name
from chopmark.watch.actions.common import must_read
from chopmark.watch.actions.markset import remake_soon
from chopmark.watch.gateway import must_be_target
from chopmark.watch.models import Marketplace, Seller
from chopmark.watch.queries import access
from chopmark.watch.queries.marketplaces import MarketplaceSummary, summary_of

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MAX_CHANNELS = 20
MAX_MARKETPLACES = 100  # of one organisation


@dataclass(frozen=True, slots=True, kw_only=True)
class NewMarketplace:
    """What somebody registers.

    Attributes:
        name: short, as its listings say it.
        target: address that takes measures; empty while none is to be sent.
        fetches: its program fetches measures by the API and answers them there.
        channels: hosts under which licences mean this marketplace.
        automatic: whether measures with two keys go out without a person.
        two_persons: whether harsh measures without two keys need two.
    """

    name: str
    title: str
    target: str = ""
    fetches: bool = False
    channels: tuple[str, ...] = ()
    automatic: bool = False
    two_persons: bool = True


@wiring.answering()
def register_marketplace(new: NewMarketplace, *, by: Actor, at: datetime) -> MarketplaceSummary:
    """Make a marketplace known, run by the actor's organisation.

    Raises:
        Refused: `watch.marketplace_taken`, `watch.marketplaces_full`; what people's `must` raises.
        Invalid: `watch.marketplace_malformed`, `watch.target_malformed`, `watch.text_malformed`.
    """
    by.must("manage_rules")
    values = _checked(new)
    try:
        with transaction.atomic():
            if Marketplace.objects.filter(organisation=by.organisation_id).count() >= MAX_MARKETPLACES:
                raise Refused("watch.marketplaces_full", limit=MAX_MARKETPLACES)
            row = Marketplace.objects.create(
                name=new.name, organisation=by.organisation_id, made_by=by.user_id, made_at=at, **values
            )
    except IntegrityError as error:
        raise Refused("watch.marketplace_taken", name=new.name) from error
    return summary_of(row)


@wiring.answering()
def change_marketplace(new: NewMarketplace, *, by: Actor) -> MarketplaceSummary:
    """Say anew everything about a marketplace but its name, which tells which.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
        Invalid: as `register_marketplace`.
    """
    values = _checked(new)
    with transaction.atomic():
        row = access.marketplace(by, new.name, "manage_rules")
        if row.channels != values["channels"]:
            remake_soon()
        for name, value in values.items():
            setattr(row, name, value)
        row.stopped_at = None
        row.save()
    return summary_of(row)


@wiring.answering()
def stop_marketplace(name: str, *, by: Actor, at: datetime) -> MarketplaceSummary:
    """Take no listings of it any more; hits and history stay. `change_marketplace` lets it in again.

    Raises:
        Refused: `watch.marketplace_not_found`; what people's `must` raises.
    """
    row = access.marketplace(by, name, "manage_rules")
    if row.stopped_at is None:
        row.stopped_at = at
        row.save(update_fields=["stopped_at"])
    return summary_of(row)


@wiring.answering()
def name_seller(
    marketplace: str,
    number: str,
    *,
    by: Actor,
    at: datetime,
    name: str = "",
    organisation: UUID | None = None,
    joined_at: datetime | None = None,
) -> None:
    """Say who a seller is: the marketplace vouches for it, and licences to that organisation count within seconds.

    Raises:
        Refused: `watch.marketplace_not_found`, `watch.organisation_unknown`; what people's `must` raises.
        Invalid: `watch.text_malformed`, `watch.seller_malformed`.
    """
    row = access.marketplace(by, marketplace, "manage_rules")
    if not 0 < len(number) <= 200 or not number.isprintable():
        raise Invalid("watch.seller_malformed")
    if organisation is not None and organisation_name(organisation) is None:
        raise Refused("watch.organisation_unknown")
    said = {"name": must_read(name, 200), "organisation": organisation, "joined_at": joined_at}
    with transaction.atomic():
        before = Seller.objects.filter(marketplace=row, number=number).values_list("organisation", flat=True).first()
        Seller.objects.update_or_create(
            marketplace=row, number=number, defaults=said, create_defaults={**said, "seen_at": at}
        )
        if before != organisation:
            remake_soon()


def _checked(new: NewMarketplace) -> dict[str, object]:
    if NAME.fullmatch(new.name) is None or not new.title.strip():
        raise Invalid("watch.marketplace_malformed")
    return {
        "title": must_read(new.title, 200),
        "target": must_be_target(new.target) if new.target else "",
        "fetches": new.fetches,
        "channels": _hosts(new.channels),
        "automatic": new.automatic,
        "two_persons": new.two_persons,
    }


def _hosts(channels: Sequence[str]) -> list[str]:
    if len(channels) > MAX_CHANNELS:
        raise Invalid("watch.marketplace_malformed")
    return sorted({must_read(each, 200).casefold() for each in channels} - {""})
