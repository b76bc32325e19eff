"""Stamp: have the newest checkpoint at each turn of the hour stamped by every authority, and see it through.

    plan   rows for what is to be stamped, one for each authority and checkpoint, made once
    work   takes what is due, one at a time, and keeps what came of it

Safe to run at any time, by several processes. A row is taken by moving its next try on (compare and swap), so a second
stamper passes it by and a killed one's rows come up again after `LEASE`. Asking twice does no harm: a token more at a
time-stamp authority, the same commitment again in a calendar; a chain's transaction is kept before it is sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from django.db import IntegrityError, transaction

from chopmark.base.errors import PlatformError, Refused
from chopmark.evidence import wiring
from chopmark.evidence.models import Stamp
from chopmark.evidence.stamps import DONE, OPEN, PENDING, SUPERSEDED, WAITING
from chopmark.ledger.anchor import Anchored, AnchorService, Pending
from chopmark.ledger.note import Note
from chopmark.ledger.stores import Published

LEASE = timedelta(minutes=5)
FIRST_WAIT, LONGEST_WAIT = timedelta(seconds=30), timedelta(hours=1)
LOOK_AGAIN = timedelta(minutes=10)  # at what is pending
PORTION = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What came of one round.

    Attributes:
        done: stamps that are there now.
        begun: stamps that a service finishes later.
        failed: tries that came to nothing; they are repeated.
    """

    done: int = 0
    begun: int = 0
    failed: int = 0


def plan_stamps(services: Sequence[AnchorService], at: datetime) -> int:
    """Want a stamp on the newest checkpoint before the last turn of the hour, or of the day (UTC); how many are new.

    Turns that passed while nobody was here are not made up for: a newer checkpoint covers all entries of older ones.
    """
    hour = at.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    made = 0
    for service in services:
        turn = hour.replace(hour=0) if service.daily else hour
        published = newest_before(turn)
        if published is not None:
            made += _want(service, published, at)
    return made


def stamp_newest(services: Sequence[AnchorService], at: datetime) -> int:
    """Want a stamp on the newest checkpoint of all, now; how many are new.

    Raises:
        Refused: `evidence.stamp_nothing` while the log is empty.
    """
    published = wiring.book().latest()
    if published is None:
        raise Refused("evidence.stamp_nothing")
    return sum(_want(service, published, at) for service in services)


def newest_before(moment: datetime) -> Published | None:
    """The checkpoint of greatest size that was published before a moment.

    Sizes and times grow together, so sizes are halved: some thirty short queries, and none that reads the whole table.
    """
    book = wiring.book()
    latest = book.latest()
    if latest is None or latest.at < moment:
        return latest
    best: Published | None = None
    low, high = 0, latest.size  # the answer is `best`, or lies strictly between these sizes
    while low + 1 < high:
        middle = (low + high) // 2
        found = next(iter(book.checkpoints(middle + 1, 1)), None)
        if found is not None and found.size > low and found.at >= moment:
            high = found.size
        else:
            best = found if found is not None and found.size > low else best
            low = middle
    return best


def _want(service: AnchorService, published: Published, at: datetime) -> int:
    """One row, made once; older ones that nobody has begun are superseded by it."""
    text = Note.parse(published.note).text.encode()
    try:
        with transaction.atomic():
            if Stamp.objects.filter(authority=service.name, size__gte=published.size).exists():
                return 0
            Stamp.objects.create(
                authority=service.name,
                kind=service.kind,
                own=service.own,
                size=published.size,
                text=text,
                state=WAITING,
                next_try=at,
                made_at=at,
            )
            Stamp.objects.filter(authority=service.name, size__lt=published.size, state=WAITING).update(
                state=SUPERSEDED
            )
    except IntegrityError:  # another stamper was quicker
        return 0
    return 1


def work_on_stamps(services: Sequence[AnchorService], clock: Callable[[], datetime]) -> Worked:
    """Take every stamp that is due and go on with it; troubles are kept with the row, and told by the count."""
    by_name = {service.name: service for service in services}
    due = Stamp.objects.filter(state__in=OPEN, next_try__lte=clock(), authority__in=by_name)
    done = begun = failed = 0
    for row in due.order_by("next_try")[:PORTION]:
        if not _take(row, clock()):
            continue
        match _go_on(by_name[row.authority], row):
            case Anchored() as anchored:
                done += _keep(row, anchored, clock())
            case Pending() as pending:
                begun += _keep_pending(row, pending, clock())
            case PlatformError() as error:
                _keep_trouble(row, error, clock())
                failed += 1
    return Worked(done=done, begun=begun, failed=failed)


def _take(row: Stamp, at: datetime) -> bool:
    """Whether this process may go on with the row; nobody else does for a while."""
    mine = Stamp.objects.filter(pk=row.pk, state=row.state, tries=row.tries, next_try=row.next_try)
    return bool(mine.update(next_try=at + LEASE, tries=row.tries + 1))


def _go_on(service: AnchorService, row: Stamp) -> Anchored | Pending | PlatformError:
    imprint = sha256(bytes(row.text)).digest()
    try:
        if row.state == PENDING:
            return service.upgrade(imprint, bytes(row.handle))
        return service.submit(imprint)
    except PlatformError as error:
        return error


def _keep(row: Stamp, anchored: Anchored, at: datetime) -> bool:
    return bool(
        Stamp.objects.filter(pk=row.pk, state__in=OPEN).update(
            state=DONE, token=anchored.token, stamped_at=anchored.at, done_at=at, trouble="", handle=b""
        )
    )


def _keep_pending(row: Stamp, pending: Pending, at: datetime) -> bool:
    """What was just begun is looked at again soon; what waits on, later."""
    wait = LOOK_AGAIN if row.state == PENDING else FIRST_WAIT
    return bool(
        Stamp.objects.filter(pk=row.pk, state=row.state).update(
            state=PENDING, handle=pending.state, next_try=at + wait, trouble=""
        )
    )


def _keep_trouble(row: Stamp, error: PlatformError, at: datetime) -> None:
    """What is lost is begun anew, all else tried again, later each time."""
    wait = min(FIRST_WAIT * 2 ** min(row.tries, 10), LONGEST_WAIT)
    changes = {"trouble": error.code[:64], "next_try": at + wait}
    if isinstance(error, Refused) and row.state == PENDING:
        changes |= {"state": WAITING, "handle": b""}
    Stamp.objects.filter(pk=row.pk, state=row.state).update(**changes)
