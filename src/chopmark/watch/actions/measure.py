"""Measures: asked for in the transaction that decides, sent afterwards until the marketplace answers, never twice.

    ask        inside a transaction: an outbox row with its key
    send_measures   by the worker: the measure's digest on the ledger first, then the marketplace
    acknowledge_measure, answer_measure     by a program of the marketplace that fetched it (`queries.measures`)

The key of a measure is the digest of what it is about and of how many the hit had before: sent again after a crash it
is the same, and the marketplace changes nothing; after an undo it is another.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Min, Q, QuerySet

from chopmark.base import jcs
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import wiring as evidence_wiring
from chopmark.people.actor import Actor
from chopmark.watch import wiring
from chopmark.watch.actions.common import THE_RULES, By, count, note, state_on_ledger
from chopmark.watch.gateway import Answer, Gateway, HttpGateway, Kind, Wanted, answered
from chopmark.watch.models import Hit, Marketplace, Measure
from chopmark.watch.queries import access
from chopmark.watch.queries.measures import MeasureSummary, first_of_each, summary_of, taken_back

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
    takes = hit.marketplace.target or hit.marketplace.fetches
    if not takes or (kind != "restore" and hit.measure == kind):
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

    A measure that was tried, or is being sent at this moment, counts as sent: its restore is queued behind it, and it
    is not tried again (`send_measures`).
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
    sent = Q(acknowledged_at=None) & ~Q(marketplace__target="", marketplace__fetches=True)
    over = Q(taken_back()) & ~Q(kind="restore")
    due = first_of_each(Measure.objects.filter(sent | over | Q(deposit=None), state="waiting", next_try__lte=at))
    done = 0
    for pk in _next(due):
        with evidence_wiring.answering():
            if Measure.objects.filter(pk=pk, state="waiting", next_try__lte=at).update(next_try=at + HOLD):
                row = Measure.objects.select_related("marketplace", "hit__marketplace").get(pk=pk)
                done += _taken_back(row, clock()) or _try(row, connect, clock)
    return done


def _next(due: QuerySet[Measure]) -> list[int]:
    """What is tried in one go: of each marketplace its oldest, so that one that is slow or silent holds up no other."""
    markets = due.values("marketplace").annotate(first=Min("next_try")).order_by("first", "marketplace")
    found = [each["marketplace"] for each in markets[:AT_ONCE]]
    share = max(1, AT_ONCE // max(1, len(found)))
    return [
        pk
        for marketplace in found
        for pk in due.filter(marketplace=marketplace).order_by("next_try", "pk").values_list("pk", flat=True)[:share]
    ]


def _taken_back(row: Measure, at: datetime) -> bool:
    """Whether a restore waits behind it: then it is not asked for any more, whatever became of the tries before."""
    rows = Measure.objects.filter(taken_back(), pk=row.pk, state="waiting").exclude(kind="restore")
    return rows.update(state="cancelled", done_at=at) > 0


def _try(row: Measure, connect: Connect, clock: Callable[[], datetime]) -> bool:
    """One try; whether it is over. A marketplace that does not answer is left alone with all else for as long."""
    try:
        if row.deposit is None:
            title = f"{row.hit.number} {row.kind}"
            paper = (title, f"{row.hit.number}-{row.key[:8]}.json", bytes(row.body))
            [row.deposit] = state_on_ledger([paper], row.marketplace.organisation, by=THE_RULES, at=clock())
            Measure.objects.filter(pk=row.pk).update(deposit=row.deposit)
        if row.marketplace.fetches and not row.marketplace.target:
            Measure.objects.filter(pk=row.pk).update(next_try=row.made_at)  # its program fetches it now
            return False
        answer = connect(row.marketplace).send(row.key, bytes(row.body))
    except Unavailable as error:
        wait = min(LONGEST, FIRST * 2 ** min(row.tries, 12))
        again = clock() + timedelta(seconds=wait)
        Measure.objects.filter(pk=row.pk, state="waiting").update(
            tries=row.tries + 1, next_try=again, trouble=error.code[:64], facts=dict(error.facts)
        )
        if error.code == "watch.marketplace_silent":
            soon = Measure.objects.filter(marketplace=row.marketplace_id, state="waiting", next_try__lt=again)
            soon.update(next_try=again)
        return False
    except (Refused, Invalid) as error:
        _over(row, None, error, by=THE_RULES, at=clock())
        return True
    _over(row, answer, None, by=THE_RULES, at=clock())
    return True


@evidence_wiring.answering()
def acknowledge_measure(key: str, *, by: Actor, at: datetime) -> MeasureSummary:
    """A program of the marketplace has it and will answer: it is not sent any more. A second time changes nothing.

    Raises:
        Refused: `watch.measure_not_found`, `watch.measure_early_conflict` before it is on the ledger,
            `watch.measure_over_conflict` when it was answered or taken back; what people's `must` raises.
    """
    with transaction.atomic():
        row = _asked_of(key, by)
        if row.state != "waiting":
            raise Refused("watch.measure_over_conflict", state=row.state)
        if row.acknowledged_at is None:
            row.acknowledged_at = at
            row.save(update_fields=["acknowledged_at"])
            note(row.hit, "acknowledged", by=by, at=at, facts={"measure": row.kind, "key": row.key})
    return summary_of(row)


@evidence_wiring.answering()
def answer_measure(answer: Answer, *, by: Actor, at: datetime) -> MeasureSummary:
    """The marketplace's answer by its program, as if it had come over HTTP. The same again changes nothing.

    Raises:
        Refused: as `acknowledge_measure`; `watch.measure_over_conflict` only where the answer before was another.
        Invalid: `watch.answer_malformed`.
    """
    said = answered(answer.key, answer.state, answer.sold, answer.reason)
    with transaction.atomic():
        row = _asked_of(said.key, by)
        wanted = "refused" if said.state == "refused" else "done"
        if row.state not in ("waiting", wanted):
            raise Refused("watch.measure_over_conflict", state=row.state)
        _over(row, said, None, by=by, at=at)
    return summary_of(access.measure(by, said.key, "push_listings"))


def _asked_of(key: str, by: Actor) -> Measure:
    """A measure of the actor's marketplace that has left, locked; its hit before it, as decisions lock them."""
    found = access.measure(by, key, "push_listings")
    Hit.objects.select_for_update().get(pk=found.hit_id)
    row = Measure.objects.select_for_update(of=("self",)).select_related("marketplace", "hit").get(pk=found.pk)
    if row.deposit is None and row.state == "waiting":
        raise Refused("watch.measure_early_conflict")
    return row


def _over(row: Measure, answer: Answer | None, trouble: PlatformError | None, *, by: By, at: datetime) -> None:
    """Write the marketplace's word, once. The hit is locked before its measure, as decisions lock them."""
    with transaction.atomic():
        hit = Hit.objects.select_for_update(of=("self",)).select_related("marketplace").get(pk=row.hit_id)
        fresh = Measure.objects.select_for_update().get(pk=row.pk)
        if fresh.state != "waiting":
            return
        refused = answer is None or answer.state == "refused"
        fresh.state, fresh.done_at, fresh.tries = ("refused" if refused else "done"), at, fresh.tries + 1
        reason = answer.reason if answer else ""
        said = "watch.measure_refused_because" if reason else "watch.measure_refused"
        fresh.trouble = trouble.code[:64] if trouble else said if refused else ""
        fresh.facts = dict(trouble.facts) if trouble else {"reason": reason} if reason else {}
        fresh.save()
        if refused:
            hit.measure = _in_force(hit) if hit.measure == fresh.kind else hit.measure
        elif fresh.kind == "takedown" and hit.measure == "takedown":
            hit.removed_at, hit.sold = at, answer.sold if answer else None
            unsold = {"removed_unsold": 1} if hit.sold == 0 else {}
            count(hit.marketplace_id, at.date(), {"removed": 1, **unsold})
        note(
            hit,
            "refused" if refused else "done",
            by=by,
            at=at,
            facts={"measure": fresh.kind, "key": fresh.key, "state": answer.state if answer else fresh.trouble},
        )
        hit.save()


def _in_force(hit: Hit) -> str:
    """What the marketplace did last: a hold outlives the takedown that was refused after it, until it is restored."""
    last = Measure.objects.filter(hit=hit, state="done").order_by("-pk").first()
    return last.kind if last is not None and last.kind != "restore" else ""
