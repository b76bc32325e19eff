"""Captures are asked for here; a worker makes them (`actions.work`).

A request is a row, and the row is the job. Asking again for the same page makes another capture: pages change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import IntegrityError, transaction

from chopmark import law
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import wiring
from chopmark.evidence.actions.matter import must_be_open, purposed, titled
from chopmark.evidence.actions.record import LEASE, WORKER, changing, next_number, record, who_is
from chopmark.evidence.capture.commands import Folder
from chopmark.evidence.custody import Fact, Who
from chopmark.evidence.matters import (
    MODES,
    Both,
    CaptureSummary,
    ScheduleSummary,
    capture_summary,
    drive_of,
    schedule_summary,
)
from chopmark.evidence.models import Capture, Matter, Schedule
from chopmark.people.actor import Actor

MAX_URL = 2048
MAX_WAITING = 50  # captures of one matter that are not finished
LEAST_EVERY, MOST_EVERY = 5, 7 * 24 * 60  # minutes
LONGEST_SCHEDULE = timedelta(days=92)
MAX_SCHEDULES = 20  # of one matter


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCapture:
    """A page that somebody wants captured.

    Attributes:
        mode: `automatic`; `live` for a page that changes while one looks; `operator` for a session a person drives.
        title: empty for the page's address.
        purpose: what it is to prove (证明目的).
        phase: of the matter's template; empty for the matter's present one.
    """

    url: str
    mode: str = "automatic"
    title: Both = field(default_factory=Both)
    purpose: Both = field(default_factory=Both)
    phase: str = ""


def request_capture(matter_id: UUID, new: NewCapture, *, by: Actor, at: datetime) -> CaptureSummary:
    """Ask for a capture; a worker takes it within seconds.

    Raises:
        Refused: `matter.not_found`, `matter.closed_conflict`, `matter.captures_full`, `law.phase_unknown`; what
            people's `must` raises.
        Invalid: `matter.url_malformed`, `matter.mode_unknown`, `evidence.text_too_long`, `evidence.text_control`.
    """
    by.must("deposit")
    wanted = _wanted(new)
    with changing(matter_id, by) as row:
        must_be_open(row)
        wanted["phase"] = law.template(row.template).phase(new.phase or row.phase).code
        made = _queue(row, wanted, made_by=by.user_id, at=at, who=who_is(by))
        return capture_summary(made)


def cancel_capture(capture_id: UUID, *, by: Actor, at: datetime) -> CaptureSummary:
    """Take back a request that no worker has begun.

    Raises:
        Refused: `matter.capture_not_found`, `matter.begun_conflict`; what people's `must` raises.
    """
    by.must("deposit")
    found = Capture.objects.filter(pk=capture_id, organisation=by.organisation_id).select_related("matter").first()
    if found is None:
        raise Refused("matter.capture_not_found")
    with changing(found.matter_id, by) as row:
        if not Capture.objects.filter(pk=capture_id, state="queued").update(state="cancelled", ended_at=at):
            raise Refused("matter.begun_conflict", number=found.number)
        record(row, "capture.cancelled", who=who_is(by), at=at, facts={"capture": found.number})
    found.refresh_from_db()
    return capture_summary(found)


def command_capture(capture_id: UUID, command: Mapping[str, object], *, by: Actor, at: datetime) -> int:
    """Ask the browser of a running operator's capture for its next step; one at a time. The step's number.

    Args:
        command: as `capture.commands.parse` reads it, without `by`: who asks is written there.

    Raises:
        Refused: `matter.capture_not_found`; `matter.not_driven_conflict` while no browser waits for steps;
            `matter.driving_conflict` while the step before is being carried out; what people's `must` raises.
        Invalid: `capture.command_malformed`, `capture.url_malformed`.
    """
    by.must("deposit")
    found = Capture.objects.filter(pk=capture_id, organisation=by.organisation_id).first()
    if found is None:
        raise Refused("matter.capture_not_found")
    who = who_is(by)
    with changing(found.matter_id, by):
        stands = drive_of(by, found.pk)
        if stands is None:
            raise Refused("matter.not_driven_conflict", number=found.number)
        if stands.asked > stands.step:
            raise Refused("matter.driving_conflict", step=stands.asked)
        try:
            step = Folder(wiring.commands(found.number)).put({**command, "by": f"{who.kind} {who.id}"})
        except FileNotFoundError as error:  # the capture ended in this moment
            raise Refused("matter.not_driven_conflict", number=found.number) from error
        Capture.objects.filter(pk=found.pk, state="running").update(taken_until=at + LEASE)
    return step


def schedule_capture(
    matter_id: UUID, new: NewCapture, *, every_minutes: int, until: datetime, by: Actor, at: datetime
) -> ScheduleSummary:
    """Have a page captured now and again until a moment.

    Args:
        every_minutes: 5 to 10080 (a week).
        until: at most 92 days away.

    Raises:
        Refused: `matter.not_found`, `matter.closed_conflict`, `matter.schedules_full`, `law.phase_unknown`; what
            people's `must` raises.
        Invalid: `matter.schedule_wrong`; as `request_capture`.
    """
    by.must("deposit")
    wanted = _wanted(new)
    if not LEAST_EVERY <= every_minutes <= MOST_EVERY or not at < until <= at + LONGEST_SCHEDULE:
        raise Invalid("matter.schedule_wrong", least=LEAST_EVERY, most=MOST_EVERY, days=LONGEST_SCHEDULE.days)
    with changing(matter_id, by) as row:
        must_be_open(row)
        if Schedule.objects.filter(matter=row, ended_at=None).count() >= MAX_SCHEDULES:
            raise Refused("matter.schedules_full", limit=MAX_SCHEDULES)
        wanted["phase"] = law.template(row.template).phase(new.phase or row.phase).code
        made = Schedule.objects.create(
            matter=row,
            made_by=by.user_id,
            wanted=wanted,
            every_minutes=every_minutes,
            next_at=at,
            until=until,
            made_at=at,
        )
        facts: dict[str, Fact] = {"url": wanted["url"], "every_minutes": every_minutes}
        record(row, "schedule.made", who=who_is(by), at=at, facts=facts)
        return schedule_summary(made)


def end_schedule(schedule_id: UUID, *, by: Actor, at: datetime) -> None:
    """No further captures from this schedule; those made stay.

    Raises:
        Refused: `matter.schedule_not_found`; what people's `must` raises.
    """
    by.must("deposit")
    found = Schedule.objects.filter(pk=schedule_id, matter__organisation=by.organisation_id, ended_at=None).first()
    if found is None:
        raise Refused("matter.schedule_not_found")
    with changing(found.matter_id, by) as row:
        if not Schedule.objects.filter(pk=schedule_id, ended_at=None).update(ended_at=at):
            raise Refused("matter.schedule_not_found")
        record(row, "schedule.ended", who=who_is(by), at=at, facts={"url": found.wanted["url"]})


def plan_captures(at: datetime) -> int:
    """Queue what schedules want by now; how many. Turns that passed while nobody was here are one turn.

    A turn is captured once: whoever moves `next_at` on queues it, and the table allows no second row.
    """
    made = 0
    due = Schedule.objects.filter(ended_at=None, next_at__lte=at).select_related("matter").order_by("next_at")[:100]
    for each in due:
        made += _turn(each, at)
    return made


def _turn(schedule: Schedule, at: datetime) -> bool:
    matter = schedule.matter
    mine = Schedule.objects.filter(pk=schedule.pk, next_at=schedule.next_at, ended_at=None)
    if at > schedule.until or matter.closed_at is not None or matter.deleted_at is not None:
        mine.update(ended_at=at)
        return False
    step = timedelta(minutes=schedule.every_minutes)
    following = schedule.next_at + step * ((at - schedule.next_at) // step + 1)
    try:
        with changing(matter.pk, None) as row:
            if not mine.update(next_at=following):
                return False
            if Capture.objects.filter(schedule=schedule, state__in=("queued", "running")).exists():
                return False  # the turn before is not done: two at once would capture one moment twice
            _queue(
                row,
                schedule.wanted,
                made_by=schedule.made_by,
                at=at,
                who=WORKER,
                schedule=schedule,
                turn=schedule.next_at,
            )
    except (IntegrityError, Refused):  # another worker was quicker; the matter is gone or has too much to do
        return False
    return True


def _wanted(new: NewCapture) -> dict[str, Any]:
    """What is kept of a request, judged; whether the address may be reached is the engine's to say."""
    try:
        parts = urlsplit(new.url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    plain = len(new.url) <= MAX_URL and new.url.isprintable() and " " not in new.url
    if not good or not plain or parts.username is not None or parts.password is not None:
        raise Invalid("matter.url_malformed", limit=MAX_URL)
    if new.mode not in MODES:
        raise Invalid("matter.mode_unknown", mode=new.mode[:40], modes=list(MODES))
    title = titled(new.title or Both(zh=new.url[:300], en=new.url[:300]))
    purpose = purposed(new.purpose)
    return {
        "url": new.url,
        "mode": new.mode,
        "title_zh": title.zh,
        "title_en": title.en,
        "purpose_zh": purpose.zh,
        "purpose_en": purpose.en,
    }


def _queue(
    row: Matter,
    wanted: Mapping[str, Any],
    *,
    made_by: int | None,
    at: datetime,
    who: Who,
    schedule: Schedule | None = None,
    turn: datetime | None = None,
) -> Capture:
    if Capture.objects.filter(matter=row, state__in=("queued", "running")).count() >= MAX_WAITING:
        raise Refused("matter.captures_full", limit=MAX_WAITING)
    with transaction.atomic():
        made = Capture.objects.create(
            number=next_number("capture", "C", at),
            matter=row,
            organisation=row.organisation,
            made_by=made_by,
            schedule=schedule,
            turn=turn,
            state="queued",
            not_before=at,
            made_at=at,
            **wanted,
        )
        facts: dict[str, Fact] = {"capture": made.number, "url": made.url, "mode": made.mode}
        record(row, "capture.requested", who=who, at=at, facts=facts)
    return made
