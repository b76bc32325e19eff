"""Keep: verdicts become hits, hits that are over leave, measures that two keys allow are asked for.

For feed, scans, reverse searches and second thoughts alike; inside the caller's transaction, so that a listing and
everything that follows of it are there together or not at all. One hit a listing and right: a newer version, or
another finding, changes it. What a person has decided stays decided while the finding is the same.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from chopmark.base import jcs
from chopmark.watch import judge, life, sampling, wiring
from chopmark.watch import listing as listings
from chopmark.watch.actions.common import THE_RULES, count, note, recount, step, take_numbers
from chopmark.watch.actions.measure import ask, take_back
from chopmark.watch.judge import ORDER, Verdict
from chopmark.watch.listing import Listing
from chopmark.watch.models import AuditSample, Hit, Marketplace

AUDIT_AUTOMATIC: Final = 20_000
"""Of a million automatic measures that go to a person: 2 %."""
AUDIT_UNFLAGGED: Final = 10_000
"""Of a million listings that nothing flagged: 1 %; at most `MAX_WAITING` wait, since people are few."""
MAX_WAITING: Final = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One listing with its verdicts.

    Attributes:
        right: only this right was asked about (its id); others' hits are left alone. Empty: every right was.
    """

    listing: Listing
    verdicts: tuple[Verdict, ...]
    right: str = ""


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
        source: where it comes from, for the history: feed, scan, reverse, redecide.
    """
    flagged = [each for each in batch if any(_counts(verdict) for verdict in each.verdicts)]
    here: dict[tuple[str, str], Hit] = {}
    for hit in Hit.objects.select_for_update().filter(marketplace=row, item__in={each.listing.item for each in batch}):
        here[hit.item, hit.right] = hit
    new_ones = [
        (each, verdict)
        for each in flagged
        for verdict in each.verdicts
        if _counts(verdict) and (each.listing.item, verdict.right) not in here
    ]
    numbers = take_numbers("H", len(new_ones), at) if new_ones else []
    work = _Work(row=row, marks=marks, at=at, scan=scan, source=source)
    for number, (judged, verdict) in zip(numbers, new_ones, strict=True):
        work.make(number, judged.listing, verdict)
    for judged in batch:
        for verdict in judged.verdicts:
            known = here.pop((judged.listing.item, verdict.right), None)
            if known is not None:
                work.meet(known, judged.listing, verdict)
    asked = {each.listing.item: each.right for each in batch}
    for (item, right), hit in here.items():
        if asked[item] in ("", right):
            work.leave(hit)
    if work.touched:
        recount(work.touched)
    if source == "feed":  # elsewhere only listings come here in which something was found
        _draw_unflagged(row, [each for each in batch if each not in flagged], at)
    count(row.pk, at.date(), {"flagged": len(work.new), "automatic": work.automatic})
    return Kept(new=tuple(work.new), left=work.left, automatic=work.automatic)


def _counts(verdict: Verdict) -> bool:
    return verdict.decided.measure != "none"


class _Work:
    """One call of `keep`."""

    def __init__(self, *, row: Marketplace, marks: str, at: datetime, scan: UUID | None, source: str) -> None:
        self.row, self.marks, self.at, self.scan, self.source = row, marks, at, scan, source
        self.new: list[UUID] = []
        self.touched: list[Hit] = []
        self.left = self.automatic = 0

    def make(self, number: str, listing: Listing, verdict: Verdict) -> None:
        """A hit that was not there."""
        hit = Hit(number=number, marketplace=self.row, item=listing.item, right=verdict.right, state="open")
        hit.found_at = hit.changed_at = self.at
        self._say(hit, listing, verdict)
        hit.save(force_insert=True)
        note(hit, "found", before="", by=THE_RULES, at=self.at, facts=self._facts(verdict))
        self._follow(hit, verdict)
        hit.save()
        self.new.append(hit.pk)
        self.touched.append(hit)

    def meet(self, hit: Hit, listing: Listing, verdict: Verdict) -> None:
        """A hit that was there, as it is found now."""
        if listing.version < hit.version:
            return
        changed = bytes(hit.digest) != verdict.digest
        if not _counts(verdict):
            self._over(hit, verdict)
            return
        newer = listing.version > hit.version
        event: life.Event | None = None
        if hit.state == "released":
            event = "reopen"
        elif hit.state == "gone" or (hit.state in ("dismissed", "watched") and changed):
            event = "found"
        elif hit.state == "confirmed" and hit.removed_at is not None and newer and changed:
            event = "undo"  # it came back, with something else: a person looks
        self._say(hit, listing, verdict)
        if event is not None:
            step(hit, event, by=THE_RULES, at=self.at, facts=self._facts(verdict))
            hit.wanted, hit.why, hit.measure, hit.automatic, hit.removed_at = "", "", "", False, None
            self._follow(hit, verdict)
            self.new.append(hit.pk)
        elif hit.state == "confirmed" and hit.removed_at is not None and newer:
            hit.measure, hit.removed_at = "", None  # it came back as it was
            ask(hit, "takedown", reason=hit.why, by=THE_RULES, at=self.at, automatic=hit.automatic)
        elif changed:
            note(hit, "changed", by=THE_RULES, at=self.at, facts=self._facts(verdict))
            if hit.state == "open":
                self._follow(hit, verdict)
        hit.save()
        self.touched.append(hit)

    def leave(self, hit: Hit) -> None:
        """A hit whose listing does not show it any more."""
        if hit.state in ("open", "second", "contested", "watched"):
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
        if decided.measure not in ("hold", "takedown") or not (decided.automatic and self.row.automatic):
            return
        if decided.measure == "takedown":
            step(hit, "automatic", by=THE_RULES, at=self.at, facts=self._facts(verdict))
            hit.automatic = True
        ask(hit, decided.measure, reason="", by=THE_RULES, at=self.at, automatic=True)
        self.automatic += 1
        self._draw_automatic(hit)

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
    if not drawn:
        return
    room = MAX_WAITING - AuditSample.objects.filter(marketplace=row, kind="unflagged", answered_at=None).count()
    for each in drawn[: max(0, room)]:
        AuditSample.objects.get_or_create(
            kind="unflagged",
            marketplace=row,
            item=each.listing.item,
            version=each.listing.version,
            right="",
            defaults={"body": listings.encode(each.listing), "taken_at": at},
        )


def rule_counts(verdicts: Iterable[Verdict]) -> Mapping[str, tuple[int, int, int]]:
    """By rule: candidates that it was asked about, that it fired on, and that it alone fired on."""
    seen: Counter[str] = Counter()
    fired: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for verdict in verdicts:
        decided = verdict.decided
        live = any(yes for _, yes in decided.asked)
        for name, yes in (*decided.asked, *decided.shadow):
            seen[name] += 1
            fired[name] += yes
        for name, yes in decided.shadow:
            alone[name] += yes and not live
    return {name: (seen[name], fired[name], alone[name]) for name in sorted(seen)}


def by_marketplace(batch: Iterable[Judged]) -> Mapping[str, list[Judged]]:
    """The batch, by the name of the marketplace."""
    grouped: dict[str, list[Judged]] = defaultdict(list)
    for each in batch:
        grouped[each.listing.marketplace].append(each)
    return grouped


def paper_of(hit: Hit) -> bytes:
    """What is put on the ledger of a decision: canonical JSON, without the listing's words or anybody's name."""
    return jcs.encode(
        {
            "form": "chopmark-hit-1",
            "number": hit.number,
            "marketplace": hit.marketplace.name,
            "item": hit.item,
            "version": hit.version,
            "right": hit.right_number,
            "marks": hit.marks,
            "rules": [list(each) for each in hit.rules],
            "digest": bytes(hit.digest).hex(),
            "state": hit.state,
        }
    )
