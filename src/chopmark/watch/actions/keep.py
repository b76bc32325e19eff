"""Keep: verdicts become hits, hits that are over leave, measures that two keys allow are asked for.

For feed, scans, reverse searches and second thoughts alike; inside the caller's transaction, so that a listing and
everything that follows of it are there together or not at all. One hit a listing and right: a newer version, or
another finding, changes it. What a person has decided stays decided while the finding is the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from django.db.models import F

from chopmark.watch import judge, life, sampling, wiring
from chopmark.watch import listing as listings
from chopmark.watch.actions.bulk import is_shared
from chopmark.watch.actions.common import THE_RULES, count, decide, note, recount, step, take_numbers
from chopmark.watch.actions.markset import differing, in_use
from chopmark.watch.actions.measure import ask, take_back
from chopmark.watch.judge import ORDER, Verdict
from chopmark.watch.listing import Listing
from chopmark.watch.models import AuditSample, Hit, HitEvent, Marketplace, RuleVersion

AUDIT_AUTOMATIC: Final = 20_000
"""Of a million automatic measures that go to a person: 2 %."""
AUDIT_UNFLAGGED: Final = 10_000
"""Of a million listings that nothing flagged: 1 %; at most `MAX_WAITING` wait, since people are few."""
MAX_WAITING: Final = 2_000
AT_ONCE: Final = 500
"""Rows of one statement."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One listing with its verdicts.

    Attributes:
        right: only this right was asked about (its id); others' hits are left alone. Empty: every right was.
        looked: whether all of its pictures were looked at. Where not, hits that rest on a picture stay as they are.
    """

    listing: Listing
    verdicts: tuple[Verdict, ...]
    right: str = ""
    looked: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of a batch.

    Attributes:
        new: hits made or opened again. left: hits that are over.
    """

    new: tuple[UUID, ...]
    left: int
    automatic: int


def keep(
    row: Marketplace, batch: Sequence[Judged], *, marks: str, at: datetime, scan: UUID | None = None, source: str = ""
) -> Kept:
    """Write what a batch of judged listings of one marketplace comes to. Must run inside a transaction.

    Args:
        marks: version of the mark set.
        source: where it comes from, for the history: feed, look, scan, reverse, redecide.
    """
    flagged = [each for each in batch if any(_counts(verdict) for verdict in each.verdicts)]
    here = _locked(row, batch)
    new_ones = _without(here, flagged)
    if new_ones and is_shared():
        take_numbers("H", 0, at)  # whoever else makes hits waits here; what was made while we waited is there now
        here = _locked(row, batch)
        new_ones = _without(here, flagged)
    numbers = take_numbers("H", len(new_ones), at) if new_ones else []
    work = _Work(row=row, marks=marks, at=at, scan=scan, source=source)
    work.make([(number, judged.listing, verdict) for number, (judged, verdict) in zip(numbers, new_ones, strict=True)])
    for judged in batch:
        for verdict in judged.verdicts:
            known = here.pop((judged.listing.item, verdict.right), None)
            if known is not None and not _is_unseen(known, judged, verdict):
                work.meet(known, judged.listing, verdict)
    asked = {each.listing.item: each for each in batch}
    for (item, right), hit in here.items():
        each = asked[item]
        if each.right in ("", right) and each.listing.version >= hit.version and not _is_unseen(hit, each):
            work.leave(hit)
    if work.touched:
        recount(work.touched)
    if source == "feed":  # elsewhere only listings come here in which something was found
        items = {each.listing.item for each in flagged}
        _draw_unflagged(row, [each for each in batch if each.listing.item not in items], at)
    count(row.pk, at.date(), {"flagged": len(work.new), "automatic": work.automatic})
    return Kept(new=tuple(work.new), left=work.left, automatic=work.automatic)


def _locked(row: Marketplace, batch: Sequence[Judged]) -> dict[tuple[str, str], Hit]:
    """The hits of these listings, by item and right; always in one order, so that workers do not wait in a circle."""
    items = {each.listing.item for each in batch}
    rows = Hit.objects.filter(marketplace=row, item__in=items).select_related("marketplace").order_by("pk")
    rows = rows.select_for_update(of=("self",))
    return {(hit.item, hit.right): hit for hit in rows}


def _without(here: Mapping[tuple[str, str], Hit], flagged: Sequence[Judged]) -> list[tuple[Judged, Verdict]]:
    """What was flagged and is no hit yet."""
    return [
        (each, verdict)
        for each in flagged
        for verdict in each.verdicts
        if _counts(verdict) and (each.listing.item, verdict.right) not in here
    ]


def _is_unseen(hit: Hit, judged: Judged, verdict: Verdict | None = None) -> bool:
    """Whether a hit rests on a picture that nobody looked at this time; a licence counts all the same."""
    if judged.looked or not hit.found.get("pictures"):
        return False
    return verdict is None or not (verdict.pictures or verdict.row["licensed"])


def _opening(hit: Hit, *, changed: bool, newer: bool, sure: bool) -> life.Event | None:
    """What opens a hit again that is met again; None where it stays as it is.

    Args:
        sure: a takedown may follow without a person.
    """
    if hit.state == "released":
        return "reopen"
    if hit.state == "gone" or (hit.state in ("second", "contested", "dismissed", "watched") and changed):
        return "found"  # what somebody said of another finding does not count
    came_back = hit.state == "confirmed" and hit.removed_at is not None and newer
    if came_back and (changed or (hit.automatic and not sure)):
        return "undo"  # with something else, or two keys would not take it down now: a person looks
    return None


def _counts(verdict: Verdict) -> bool:
    return verdict.decided.measure != "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Now:
    """What counts when a scan's results are taken over.

    Attributes:
        changed: rights whose marks are others than the scan's; None when nobody can tell.
        rules: live ones, by name and version.
        automatic: whether the marketplace takes automatic measures.
    """

    changed: frozenset[str] | None
    rules: frozenset[tuple[str, str]]
    automatic: bool


class _Work:
    """One call of `keep`."""

    def __init__(self, *, row: Marketplace, marks: str, at: datetime, scan: UUID | None, source: str) -> None:
        self.row, self.marks, self.at, self.scan, self.source = row, marks, at, scan, source
        self.new: list[UUID] = []
        self.touched: list[Hit] = []
        self.left = self.automatic = 0
        self._now: _Now | None = None

    def make(self, found: Sequence[tuple[str, Listing, Verdict]]) -> None:
        """Hits that were not there, each with its number: all in a few statements."""
        hits, events = [], []
        for number, listing, verdict in found:
            hit = Hit(number=number, marketplace=self.row, item=listing.item, right=verdict.right, state="open")
            hit.found_at = hit.changed_at = self.at
            self._say(hit, listing, verdict)
            events.append(self._event(hit, "found", "", verdict))
            if verdict.decided.measure == "watch":
                hit.state = life.after("open", "watch")
                events.append(HitEvent(hit=hit, kind="watch", before="open", after=hit.state, at=self.at))
            hits.append(hit)
        Hit.objects.bulk_create(hits, batch_size=AT_ONCE)
        HitEvent.objects.bulk_create(events, batch_size=AT_ONCE)
        for hit, (_, _, verdict) in zip(hits, found, strict=True):
            if self._asks(verdict):
                self._follow(hit, verdict)
                hit.save()
                self.touched.append(hit)
            self.new.append(hit.pk)

    def _event(self, hit: Hit, kind: str, before: str, verdict: Verdict) -> HitEvent:
        return HitEvent(hit=hit, kind=kind, before=before, after=hit.state, facts=self._facts(verdict), at=self.at)

    def meet(self, hit: Hit, listing: Listing, verdict: Verdict) -> None:
        """A hit that was there, as it is found now."""
        if listing.version < hit.version or self._is_past(hit.right):
            return
        changed = bytes(hit.digest) != verdict.digest
        if not _counts(verdict):
            self._over(hit, verdict)
            return
        newer = listing.version > hit.version
        sure = verdict.decided.measure == "takedown" and self._asks(verdict)
        event = _opening(hit, changed=changed, newer=newer, sure=sure)
        self._say(hit, listing, verdict)
        if event is not None:
            in_force = hit.measure if hit.state in ("second", "contested") else ""  # a hold that two keys asked for
            step(hit, event, by=THE_RULES, at=self.at, facts=self._facts(verdict))
            hit.wanted, hit.why, hit.measure, hit.automatic, hit.removed_at = "", "", in_force, False, None
            self._follow(hit, verdict)
            self.new.append(hit.pk)
        elif hit.state == "confirmed" and hit.removed_at is not None and newer:
            decide(hit, "again", at=self.at, facts={**self._facts(verdict), "measure": "takedown"})
            hit.measure, hit.removed_at = "", None  # it came back as it was
            ask(hit, "takedown", reason=hit.why, by=THE_RULES, at=self.at, automatic=hit.automatic)
            if hit.automatic:
                self.automatic += 1
                self._draw_automatic(hit)
        elif changed:
            note(hit, "changed", by=THE_RULES, at=self.at, facts=self._facts(verdict))
            if hit.state == "open":
                self._follow(hit, verdict)
        hit.save()
        self.touched.append(hit)

    def leave(self, hit: Hit) -> None:
        """A hit whose listing does not show it any more."""
        if hit.state in ("open", "second", "contested", "watched") and not self._is_past(hit.right):
            step(hit, "leave", by=THE_RULES, at=self.at, facts={"source": self.source})
            take_back(hit, by=THE_RULES, at=self.at)
            hit.save()
            self.left += 1
            self.touched.append(hit)

    def _over(self, hit: Hit, verdict: Verdict) -> None:
        """The right is still touched, and nothing is proposed: mostly because the seller may sell."""
        if verdict.row["licensed"] is True and hit.state not in ("released", "dismissed", "gone"):
            step(hit, "release", by=THE_RULES, at=self.at, facts={"source": self.source, "why": "licensed"})
            hit.why, hit.features = "licensed", dict(verdict.row)
            take_back(hit, by=THE_RULES, at=self.at)
            hit.save()
            self.left += 1
            self.touched.append(hit)
        else:
            self.leave(hit)

    def _follow(self, hit: Hit, verdict: Verdict) -> None:
        """What an open hit's outcome leads to without a person."""
        decided = verdict.decided
        if decided.measure == "watch" and hit.state == "open":
            step(hit, "watch", by=THE_RULES, at=self.at)
        if decided.measure not in ("hold", "takedown") or not self._asks(verdict):
            return
        if decided.measure == "takedown":
            step(hit, "automatic", by=THE_RULES, at=self.at, facts=self._facts(verdict))
            hit.automatic = True
        if hit.measure != decided.measure:  # a hold that is in force is not another one
            if decided.measure == "hold":
                decide(hit, "hold", at=self.at, facts={**self._facts(verdict), "measure": "hold"})
            ask(hit, decided.measure, reason="", by=THE_RULES, at=self.at, automatic=True)
            self.automatic += 1
            self._draw_automatic(hit)

    def _asks(self, verdict: Verdict) -> bool:
        """Whether a measure may follow without a person."""
        sure = verdict.decided.automatic and self.row.automatic and self.row.stopped_at is None
        return sure and (self.source != "scan" or self._still_stands(verdict))

    def _still_stands(self, verdict: Verdict) -> bool:
        """Whether what a scan found holds now: it may have begun hours ago, with the licences and rules of then."""
        now = self._what_counts()
        return now.automatic and not self._is_past(verdict.right) and now.rules.issuperset(verdict.decided.fired)

    def _is_past(self, right: str) -> bool:
        """Whether a scan read other marks of this right than count now: then what its hits say is newer.

        Whoever ends the scan has them decided anew (`markset.catch_up`).
        """
        if self.source != "scan":
            return False
        changed = self._what_counts().changed
        return changed is None or right in changed

    def _what_counts(self) -> _Now:
        if self._now is None:
            live = RuleVersion.objects.filter(
                rule__organisation=self.row.organisation, rule__state="live", seq=F("rule__version")
            ).values_list("rule__name", "sha256")
            self._now = _Now(
                changed=differing(self.marks, in_use().version),
                rules=frozenset((name, bytes(digest).hex()) for name, digest in live),
                automatic=Marketplace.objects.filter(pk=self.row.pk, automatic=True, stopped_at=None).exists(),
            )
        return self._now

    def _draw_automatic(self, hit: Hit) -> None:
        name = (self.row.name, hit.item, str(hit.version), hit.right)
        if sampling.drawn(wiring.audit_key(), AUDIT_AUTOMATIC, "automatic", *name):
            AuditSample.objects.get_or_create(
                kind="automatic",
                marketplace=self.row,
                item=hit.item,
                version=hit.version,
                right=hit.right,
                defaults={"hit": hit, "taken_at": self.at},
            )

    def _say(self, hit: Hit, listing: Listing, verdict: Verdict) -> None:
        decided = verdict.decided
        hit.version, hit.seller, hit.title = listing.version, listing.seller, listing.title
        hit.category, hit.territory, hit.nice = listing.category, verdict.territory, verdict.nice
        hit.listing, hit.listed_at = listings.encode(listing), listing.listed_at
        hit.right_number, hit.marks, hit.scan = verdict.number, self.marks, self.scan or hit.scan
        hit.organisation = UUID(verdict.organisation) if verdict.organisation else self.row.organisation
        hit.rules = [list(each) for each in decided.fired]
        hit.features, hit.found = dict(verdict.row), verdict.found
        hit.reasons = [[code, dict(facts)] for code, facts in decided.reasons]
        hit.keys, hit.outcome, hit.score = list(decided.keys), decided.measure, decided.score
        hit.digest, hit.priority = verdict.digest, priority(verdict)

    def _facts(self, verdict: Verdict) -> dict[str, Any]:
        return {
            "source": self.source,
            "outcome": verdict.decided.measure,
            "score": verdict.decided.score,
            "rules": [name for name, _ in verdict.decided.fired],
            "marks": self.marks,
            "digest": verdict.digest.hex(),
        }


def priority(verdict: Verdict) -> int:
    """Of the queue: harm that is to be expected. Score, plus what the rules propose; a seller with a history first."""
    confirmed = verdict.row["seller_confirmed"]
    return (
        verdict.decided.score
        + 250 * ORDER.index(verdict.decided.measure)
        + 20 * min(10, confirmed if isinstance(confirmed, int) else 0)
    )


def outcome_of(verdicts: Iterable[Verdict]) -> judge.Kind:
    """The harshest."""
    return max((each.decided.measure for each in verdicts), key=ORDER.index, default="none")


def _draw_unflagged(row: Marketplace, batch: Sequence[Judged], at: datetime) -> None:
    """A random part of what nothing flagged, while the auditors keep up."""
    key = wiring.audit_key()
    drawn = [
        each
        for each in batch
        if sampling.drawn(key, AUDIT_UNFLAGGED, "unflagged", row.name, each.listing.item, str(each.listing.version))
    ]
    if drawn:
        put_to_audit(row, [each.listing for each in drawn][: room_for_audits(row)], at)


def room_for_audits(row: Marketplace) -> int:
    """How many listings that nothing flagged may still be put before auditors."""
    waiting = AuditSample.objects.filter(marketplace=row, kind="unflagged", answered_at=None).count()
    return max(0, MAX_WAITING - waiting)


def put_to_audit(row: Marketplace, unflagged: Iterable[Listing], at: datetime) -> None:
    """Have people look at these listings; each version once."""
    AuditSample.objects.bulk_create(
        [
            AuditSample(
                kind="unflagged",
                marketplace=row,
                item=each.item,
                version=each.version,
                right="",
                body=listings.encode(each),
                taken_at=at,
            )
            for each in unflagged
        ],
        ignore_conflicts=True,
    )


def rule_counts(verdicts: Iterable[Verdict]) -> Mapping[tuple[str, str], tuple[int, int, int]]:
    """By rule and version: candidates that it was asked about, fired on, and in its shadow alone fired on."""
    seen: Counter[tuple[str, str]] = Counter()
    fired: Counter[tuple[str, str]] = Counter()
    alone: Counter[tuple[str, str]] = Counter()
    for verdict in verdicts:
        decided = verdict.decided
        live = any(yes for _, _, yes in decided.asked)
        for name, version, yes in (*decided.asked, *decided.shadow):
            seen[name, version] += 1
            fired[name, version] += yes
        for name, version, yes in decided.shadow:
            alone[name, version] += yes and not live
    return {each: (seen[each], fired[each], alone[each]) for each in sorted(seen)}


def unsaid(row: Marketplace, item: str, verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Verdicts of which no hit says the same yet: what rules are counted with when a listing is judged once more."""
    here = Hit.objects.filter(marketplace=row, item=item).values_list("right", "digest")
    known = {(right, bytes(digest)) for right, digest in here}
    return [each for each in verdicts if (each.right, each.digest) not in known]
