"""Heads: the custody logs of matters that have grown are deposited once a day, bundle or no bundle.

A log whose last lines were cut off still chains; that they were there is told by the deposit of the longer one. A log
that did not grow is not deposited again, nor one that a bundle has deposited as it stands.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from django.db.models import Count

from chopmark.base.digests import digests_of
from chopmark.base.errors import PlatformError
from chopmark.evidence import matters
from chopmark.evidence.actions.deposit import NewDeposit, deposit
from chopmark.evidence.models import Deposit, Matter
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name


def head_title(matter: str, lines: int) -> str:
    """What a deposit of a custody log is called: the matter's number and how many lines there were."""
    return f"Custody log · 保管日志 {matter} ({lines})"


def deposit_heads(clock: Callable[[], datetime]) -> int:
    """Deposit the custody log of each matter that has grown since it was deposited last; how many.

    Raises:
        PlatformError: what `deposit` answers; the logs before are deposited by then.
    """
    done = 0
    for matter in Matter.objects.annotate(lines=Count("custody")).order_by("number").iterator():
        title = head_title(matter.number, matter.lines)
        mine = Deposit.objects.filter(organisation=matter.organisation)
        if not matter.lines or mine.filter(title=title, source="worker").exists():
            continue
        draft = NewDeposit(
            kind="document",
            digests=digests_of([matters.log_of(matter, matter.lines)], sm3=True),
            title=title,
            file_name="process.jsonl",
            media_type="application/jsonl",
            source="worker",
        )
        [made] = deposit([draft], by=_for(matter), at=clock())
        if isinstance(made, PlatformError):
            raise made
        done += 1
    return done


def _for(matter: Matter) -> Actor:
    return Actor(
        user_id=matter.made_by,
        organisation_id=matter.organisation,
        organisation_name=organisation_name(matter.organisation) or "–",
        role="depositor",
    )
