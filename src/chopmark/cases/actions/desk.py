"""Adopt and retire desks: what the operator decides about courts and notaries that can be reached."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from chopmark.base.errors import Refused
from chopmark.cases.models import Desk
from chopmark.cases.queries import DeskSummary, desk_summary
from chopmark.desk import codec
from chopmark.desk.wire import DeskCard
from chopmark.law import court


def adopt_desk(card: bytes, *, at: datetime) -> DeskSummary:
    """Take a desk in, or its newer card. Called by the operator's commands only.

    Raises:
        Invalid: `desk.message_malformed`.
        Refused: `law.court_unknown`; `cases.desk_kind_differs` when a desk of this name is of another kind or court.
    """
    told = codec.parse(DeskCard, card)
    if told.profile is not None:
        court(told.profile)
    with transaction.atomic():
        row = Desk.objects.select_for_update().filter(pk=told.name).first()
        if row is not None and (row.kind, row.profile) != (told.kind, told.profile or ""):
            raise Refused("cases.desk_kind_differs", name=told.name)
        if row is None:
            row = Desk(name=told.name, kind=told.kind, profile=told.profile or "", adopted_at=at)
        row.card, row.retired_at = card, None
        row.save()
    return desk_summary(row)


def retire_desk(name: str, *, at: datetime) -> None:
    """Nothing new goes there; what it still answers is received.

    Raises:
        Refused: `cases.desk_not_found`.
    """
    if not Desk.objects.filter(pk=name, retired_at=None).update(retired_at=at):
        raise Refused("cases.desk_not_found", name=name[:32])
