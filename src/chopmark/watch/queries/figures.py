"""Figures of the watch: what was scanned, found, confirmed, removed, how fast, and how often it was wrong.

Counts are of the marketplaces that the actor's organisation runs; for a right's holder, of hits of its own rights. What
a share may be at worst is its one-sided bound at 95 % (Clopper and Pearson 1934): samples that persons judged prove it,
automatic decisions prove nothing about themselves.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal

from django.db.models import Count, Q, QuerySet, Sum
from django.db.models.functions import TruncDate

from chopmark.people.actor import Actor
from chopmark.watch.bounds import upper_bound
from chopmark.watch.models import AuditSample, Figure, Hit
from chopmark.watch.queries import access

Cut = Literal["right", "class", "seller", "territory", "rule", "marketplace"]
COLUMNS: Final[Mapping[Cut, str]] = {
    "right": "right_number",
    "class": "nice",
    "seller": "seller",
    "territory": "territory",
    "marketplace": "marketplace__name",
}
MAX_ROWS: Final = 500
MAX_DAYS: Final = 366


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a table.

    Attributes:
        name: what it is of, empty for none.
        removed_unsold: of `removed`, those that the marketplace says sold nothing before.
    """

    name: str
    flagged: int
    confirmed: int
    dismissed: int
    automatic: int
    removed: int
    removed_unsold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A share with what it may be at worst, in thousandths; None without samples."""

    wrong: int
    of: int
    share: int | None
    at_most: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """One day's counts."""

    day: date
    scanned: int
    flagged: int
    removed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """The figures of some days.

    Attributes:
        false_flags: of what persons decided, what was dismissed.
        wrong_measures: of automatic measures that went to audit, what was wrong.
        missed: of unflagged listings that went to audit, what should have been flagged.
        median_hours, p95_hours: from a listing's appearance (or the hit) to its removal, in hours.
        within_day: of removals, those within 24 hours, in thousandths.
    """

    since: date
    scanned: int
    total: Line
    waiting: int
    days: tuple[Day, ...]
    false_flags: Share
    wrong_measures: Share
    missed: Share
    median_hours: float | None
    p95_hours: float | None
    within_day: int | None


def dashboard(actor: Actor, *, at: datetime, days: int = 30) -> Dashboard:
    """The figures of the last days.

    Raises:
        Refused: what people's `must` raises.
    """
    since = at.date() - timedelta(days=min(days, MAX_DAYS) - 1)
    rows = _since(access.hits(actor), since)
    figures = Figure.objects.filter(marketplace__organisation=actor.organisation_id, day__gte=since)
    hours = sorted(_hours(rows))
    return Dashboard(
        since=since,
        scanned=figures.filter(name="scanned").aggregate(sum=Sum("count"))["sum"] or 0,
        total=_line("", rows.aggregate(**_SUMS)),
        waiting=access.hits(actor).filter(state__in=("open", "second", "contested")).count(),
        days=_days(figures, rows),
        false_flags=_false_flags(rows),
        wrong_measures=_audited(actor, "automatic", since, wrong="dismiss"),
        missed=_audited(actor, "unflagged", since, wrong="confirm"),
        median_hours=hours[len(hours) // 2] if hours else None,
        p95_hours=hours[min(len(hours) - 1, int(0.95 * len(hours)))] if hours else None,
        within_day=round(1000 * sum(each <= 24 for each in hours) / len(hours)) if hours else None,
    )


def cut_by(actor: Actor, cut: Cut, *, at: datetime, days: int = 30) -> tuple[Line, ...]:
    """The same figures by right, class, seller, territory, rule or marketplace, most flagged first.

    Raises:
        Refused: what people's `must` raises.
    """
    rows = _since(access.hits(actor), at.date() - timedelta(days=min(days, MAX_DAYS) - 1))
    if cut == "rule":
        return _by_rule(rows)
    name = COLUMNS[cut]
    found = rows.values(name).annotate(**_SUMS).order_by("-flagged", name)[:MAX_ROWS]
    return tuple(_line(str(each[name]), each) for each in found)


def export(lines: Iterable[Line]) -> str:
    """A table as CSV (RFC 4180); a cell that a spreadsheet would take for a formula is quoted with an apostrophe.

    Texts stand in quotes, so that where a semicolon parts cells none begins in the middle of a seller's name.
    """
    names = tuple(Line.__dataclass_fields__)
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(names)
    for each in lines:
        writer.writerow([_cell(getattr(each, name)) for name in names])
    return out.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and {value[:1], value.lstrip()[:1]} & _FORMULA else value


_FORMULA: Final = frozenset("=+-@|%\t\r\n＝＋－＠")
"""How a cell begins that spreadsheets may calculate; the wide forms count in Chinese and Japanese ones."""


_SUMS: Final = {
    "flagged": Count("pk"),
    "confirmed": Count("pk", filter=Q(state="confirmed")),
    "dismissed": Count("pk", filter=Q(state="dismissed")),
    "automatic": Count("pk", filter=Q(automatic=True)),
    "removed": Count("pk", filter=Q(removed_at__isnull=False)),
    "removed_unsold": Count("pk", filter=Q(removed_at__isnull=False, sold=0)),
}


def _line(name: str, counts: Mapping[str, int]) -> Line:
    return Line(name=name, **{each: int(counts[each]) for each in _SUMS})


def _since(rows: QuerySet[Hit], since: date) -> QuerySet[Hit]:
    return rows.filter(found_at__gte=_midnight(since)).exclude(outcome="watch", state="watched")


def _midnight(day: date) -> datetime:
    """In UTC; to compare days of the table instead would pass by its indexes."""
    return datetime.combine(day, time(), UTC)


def _days(figures: QuerySet[Figure], rows: QuerySet[Hit]) -> tuple[Day, ...]:
    scanned = dict(figures.filter(name="scanned").values_list("day").annotate(Sum("count")).order_by("day"))
    flagged = dict(rows.annotate(day=TruncDate("found_at")).values_list("day").annotate(Count("pk")).order_by("day"))
    removed = dict(
        rows.filter(removed_at__isnull=False)
        .annotate(day=TruncDate("removed_at"))
        .values_list("day")
        .annotate(Count("pk"))
        .order_by("day")
    )
    return tuple(
        Day(day=day, scanned=scanned.get(day, 0), flagged=flagged.get(day, 0), removed=removed.get(day, 0))
        for day in sorted({*scanned, *flagged, *removed})
    )


def _false_flags(rows: QuerySet[Hit]) -> Share:
    decided = rows.filter(automatic=False, state__in=("confirmed", "dismissed"))
    return _share(decided.filter(state="dismissed").count(), decided.count())


def _audited(actor: Actor, kind: str, since: date, *, wrong: str) -> Share:
    rows = AuditSample.objects.filter(
        marketplace__organisation=actor.organisation_id, kind=kind, answered_at__gte=_midnight(since)
    ).exclude(answer="")
    return _share(rows.filter(answer=wrong).count(), rows.count())


def _share(wrong: int, of: int) -> Share:
    if not of:
        return Share(wrong=0, of=0, share=None, at_most=None)
    return Share(wrong=wrong, of=of, share=round(1000 * wrong / of), at_most=round(1000 * upper_bound(wrong, of)))


def _hours(rows: QuerySet[Hit]) -> Iterable[float]:
    removed = rows.filter(removed_at__isnull=False).values_list("removed_at", "listed_at", "found_at")
    for gone, listed, found in removed.iterator():
        if gone is not None:
            yield max(0.0, (gone - (listed or found)).total_seconds() / 3600)


def _by_rule(rows: QuerySet[Hit]) -> tuple[Line, ...]:
    tally: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(_SUMS, 0))
    values = rows.values_list("rules", "state", "automatic", "removed_at", "sold")
    for rules, state, automatic, removed, sold in values.iterator():
        for name, _ in rules:
            mine = tally[name]
            mine["flagged"] += 1
            mine["confirmed"] += state == "confirmed"
            mine["dismissed"] += state == "dismissed"
            mine["automatic"] += automatic
            mine["removed"] += removed is not None
            mine["removed_unsold"] += removed is not None and sold == 0
    lines = [_line(name, counts) for name, counts in tally.items()]
    return tuple(sorted(lines, key=lambda each: (-each.flagged, each.name))[:MAX_ROWS])
