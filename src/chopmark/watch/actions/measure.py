"""Measures: asked for in the transaction that decides, sent afterwards until the marketplace answers, never twice.

    ask        inside a transaction: an outbox row with its key
    send_measures   by the worker: the measure's digest on the ledger first, then the marketplace

The key of a measure is the digest of what it is about and of how many the hit had before: sent again after a crash it
is the same, and the marketplace changes nothing; after an undo it is another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Exists, OuterRef

from chopmark.base import jcs
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import wiring as evidence_wiring
from chopmark.watch import wiring
from chopmark.watch.actions.common import THE_RULES, By, count, note, state_on_ledger
from chopmark.watch.gateway import Answer, Gateway, HttpGateway, Kind, Wanted
from chopmark.watch.models import Hit, Marketplace, Measure

FIRST, LONGEST = 5.0, 3600.0  # seconds between two tries
AT_ONCE: Final = 50
HOLD: Final = timedelta(minutes=10)
"""How long a try may take before another worker would begin it anew."""

Connect = Callable[[Marketplace], Gateway]


def connect_over_http(allow: tuple[str, ...] = ()) -> Connect:
    """Gateways over HTTP; `allow` as in `HttpGateway`."""
    return lambda row: HttpGateway(row.name, row.target, wiring.measure_key(row.pk), allow=allow)


def ask(hit: Hit, kind: Kind, *, reason: str, by: By, at: datetime, automatic: bool = False) -> Measure | None:
    """Put a measure into the outbox; None where the marketplace takes none, or has this one. In a transaction."""
    if not hit.marketplace.target or (kind != "restore" and hit.measure == kind):
        return None
    earlier = Measure.objects.filter(hit=hit).count()
    about = {"hit": str(hit.pk), "item": hit.item, "version": hit.version, "kind": kind, "earlier": earlier}
    key = hashlib.sha256(jcs.encode(about)).hexdigest()
    wanted = Wanted(
        key=key,
        kind=kind,
        item=hit.item,
        version=hit.version,
        number=hit.number,
        right=hit.right_number,
        reason=reason,
        automatic=automatic,
        at=at,
    )
    row = Measure.objects.create(
        key=key, hit=hit, marketplace=hit.marketplace, kind=kind, body=wanted.encode(), made_at=at, next_try=at
    )
    hit.measure = "" if kind == "restore" else kind
    note(hit, "measure", by=by, at=at, facts={"measure": kind, "key": key})
    return row


def take_back(hit: Hit, *, by: By, at: datetime) -> None:
    """Undo what was asked for of this hit: what waits is cancelled, what was sent is restored. In a transaction.

    A measure that is being sent at this moment counts as sent: its restore is queued behind it.
    """
    if not hit.measure:
        return
    waiting = Measure.objects.select_for_update().filter(hit=hit, state="waiting", kind__in=("hold", "takedown"))
    for row in waiting:
        if row.tries == 0 and row.deposit is None and row.next_try <= at:
            row.state, row.done_at = "cancelled", at
            row.save(update_fields=["state", "done_at"])
    sent = Measure.objects.filter(hit=hit, kind__in=("hold", "takedown")).exclude(state__in=("cancelled", "refused"))
    last = Measure.objects.filter(hit=hit).exclude(state__in=("cancelled", "refused")).order_by("-pk").first()
    if sent.exists() and last is not None and last.kind != "restore":
        ask(hit, "restore", reason="", by=by, at=at)
    hit.measure = ""
    hit.removed_at = None


def send_measures(connect: Connect, *, clock: Callable[[], datetime]) -> int:
    """Try everything that is due, each hit's in their order; how many were answered for good.

    Raises:
        Unavailable: `ledger.database_unavailable`, `evidence.busy` and what else deposits raise.
    """
    at = clock()
    earlier = Measure.objects.filter(hit=OuterRef("hit"), pk__lt=OuterRef("pk"), state="waiting")
    due = Measure.objects.filter(~Exists(earlier), state="waiting", next_try__lte=at)
    done = 0
    for pk in list(due.order_by("next_try", "pk").values_list("pk", flat=True)[:AT_ONCE]):
        with evidence_wiring.answering():
            if due.filter(pk=pk).update(next_try=at + HOLD):
                row = Measure.objects.select_related("marketplace", "hit__marketplace").get(pk=pk)
                done += _try(row, connect, clock)
    return done


def _try(row: Measure, connect: Connect, clock: Callable[[], datetime]) -> bool:
    """One try; whether it is over."""
    try:
        if row.deposit is None:
            title = f"{row.hit.number} {row.kind}"
            paper = (title, f"{row.hit.number}-{row.key[:8]}.json", bytes(row.body))
            [row.deposit] = state_on_ledger([paper], row.marketplace.organisation, by=THE_RULES, at=clock())
            Measure.objects.filter(pk=row.pk).update(deposit=row.deposit)
        answer = connect(row.marketplace).send(row.key, bytes(row.body))
    except Unavailable as error:
        wait = min(LONGEST, FIRST * 2 ** min(row.tries, 12))
        Measure.objects.filter(pk=row.pk).update(
            tries=row.tries + 1,
            next_try=clock() + timedelta(seconds=wait),
            trouble=error.code[:64],
            facts=dict(error.facts),
        )
        return False
    except (Refused, Invalid) as error:
        _over(row, None, error, clock())
        return True
    _over(row, answer, None, clock())
    return True


def _over(row: Measure, answer: Answer | None, trouble: PlatformError | None, at: datetime) -> None:
    """Write the marketplace's word, once."""
    with transaction.atomic():
        fresh = Measure.objects.select_for_update().get(pk=row.pk)
        if fresh.state != "waiting":
            return
        refused = answer is None or answer.state == "refused"
        fresh.state, fresh.done_at, fresh.tries = ("refused" if refused else "done"), at, fresh.tries + 1
        fresh.trouble = trouble.code[:64] if trouble else "watch.measure_refused" if refused else ""
        fresh.facts = dict(trouble.facts) if trouble else {"reason": answer.reason} if answer and answer.reason else {}
        fresh.save()
        hit = Hit.objects.select_for_update(of=("self",)).select_related("marketplace").get(pk=row.hit_id)
        if refused:
            hit.measure = "" if hit.measure == fresh.kind else hit.measure
        elif fresh.kind == "takedown" and hit.measure == "takedown":
            hit.removed_at, hit.sold = at, answer.sold if answer else None
            unsold = {"removed_unsold": 1} if hit.sold == 0 else {}
            count(hit.marketplace_id, at.date(), {"removed": 1, **unsold})
        note(
            hit,
            "refused" if refused else "done",
            by=THE_RULES,
            at=at,
            facts={"measure": fresh.kind, "key": fresh.key, "state": answer.state if answer else fresh.trouble},
        )
        hit.save()
