"""The judge of the moment: the set of marks in use, an organisation's rules, and what tables know of sellers.

Matchers are made when the set or the rules are others than the last time, so that new marks count without a restart.
A judge is kept for each organisation that runs marketplaces; the matcher, which is what costs, is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from chopmark.rights.queries import scanning
from chopmark.watch import marks as sets
from chopmark.watch import wiring
from chopmark.watch.actions.markset import in_use, read_marks
from chopmark.watch.actions.pictureset import matcher_in_use, version_in_use
from chopmark.watch.deciding import deciding
from chopmark.watch.features import Value
from chopmark.watch.judge import NOTHING, Decide, Judge, Signals, Work
from chopmark.watch.listing import Listing
from chopmark.watch.marks import Mark, MarkSet
from chopmark.watch.models import Hit, Marketplace, RuleRow, Seller
from chopmark.watch.prices import Peers, parse_peers
from chopmark.watch.queries.rules import rules_in
from chopmark.watch.reading import Words
from chopmark.watch.rules.rule import RuleSet
from chopmark.watch.score import Bound, bound, default_card

if TYPE_CHECKING:
    from chopmark.watch.text.matcher import TextMatcher


@dataclass(slots=True)
class _Kept:
    """What one process keeps of the last time."""

    version: str = ""
    matcher: TextMatcher | None = None
    rules: str = ""


_KEPT = _Kept()


def matcher_of(marks: MarkSet) -> TextMatcher:
    """The matcher of a set; the one made last stays in memory."""
    if _KEPT.matcher is None or _KEPT.version != marks.version:
        from chopmark.watch.text.matcher import TextMatcher  # noqa: PLC0415 (loads the canonicaliser and the automaton)

        _KEPT.matcher, _KEPT.version = TextMatcher(marks), marks.version
    return _KEPT.matcher


def judge_of(organisation: UUID, *, at: datetime, marks: MarkSet | None = None) -> Judge:
    """The judge of an organisation's marketplaces, with the set in use or another.

    Raises:
        Unavailable: `watch.marks_missing`.
        Invalid: `watch.marks_malformed`.
    """
    if marks is None:
        return _judge_in_use(organisation, at)
    from chopmark.watch.text.matcher import TextMatcher  # noqa: PLC0415 (as above)

    return Judge(
        marks,
        text=TextMatcher(marks),
        decide=decider(organisation, at=at),
        reading=Words(),
        pictures=matcher_in_use(),
        works=works(),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Made:
    """A judge and what it was made of; what samples prove is looked up again after a while."""

    of: tuple[object, ...]
    at: datetime
    judge: Judge


_JUDGES: dict[UUID, _Made] = {}
FRESH: Final = timedelta(seconds=60)


def _judge_in_use(organisation: UUID, at: datetime) -> Judge:
    version = in_use().version
    rules = RuleRow.objects.filter(organisation=organisation).order_by("name")
    of = (version, version_in_use(), at.date(), *rules.values_list("name", "state", "version"))
    made = _JUDGES.get(organisation)
    if made is None or made.of != of or not timedelta() <= at - made.at < FRESH:
        marks = read_marks(version)
        judge = Judge(
            marks,
            text=matcher_of(marks),
            decide=decider(organisation, at=at),
            reading=Words(),
            pictures=matcher_in_use(),
            works=works(),
        )
        made = _JUDGES[organisation] = _Made(of=of, at=at, judge=judge)
    return made.judge


def some_of(marks: MarkSet, rights: Iterable[str]) -> MarkSet:
    """The marks of these rights alone, as a set of its own."""
    wanted = set(rights)
    return sets.mark_set(each for each in marks.marks if each.right in wanted)


def works() -> Mapping[str, Work]:
    """Whose works are, by number."""
    return {
        number: Work(right=number, number=number, organisation=str(organisation))
        for number, organisation in scanning.holders().items()
    }


def decider(organisation: UUID, *, at: datetime) -> Decide:
    """An organisation's rules, its card, and what labelled samples prove, as one function over a row."""
    rules = rules_in(organisation)
    return deciding(rules, on=at.date(), card=default_card(), bounds=bounds_of(organisation, rules))


def bounds_of(organisation: UUID, rules: RuleSet) -> Mapping[str, Bound]:
    """What decided hits prove of each rule's precision, by its version.

    Only what persons decided counts, and of automatic measures only those that went to audit: a rule does not prove
    itself.
    """
    labels: dict[str, list[bool]] = {each.version: [] for each in rules.rules}
    rows = Hit.objects.filter(
        marketplace__organisation=organisation, automatic=False, state__in=("confirmed", "dismissed")
    ).values_list("rules", "state")
    audited = Hit.objects.filter(
        marketplace__organisation=organisation, audits__kind="automatic", audits__answer__in=("confirm", "dismiss")
    ).values_list("rules", "audits__answer")
    for names, said in (*rows.iterator(), *audited.iterator()):
        for _, version in names:
            if version in labels:
                labels[version].append(said in ("confirmed", "confirm"))
    return {
        each.version: bound(sum(labels[each.version]), len(labels[each.version]), needed=each.needed)
        for each in rules.rules
    }


def signals_of(row: Marketplace, batch: Sequence[Listing], *, at: datetime) -> Mapping[str, Signals]:
    """What tables know of the sellers of a batch, by seller."""
    known = Seller.objects.filter(marketplace=row, number__in={each.seller for each in batch})
    peers = peers_in(row.name)
    nobody = replace(NOTHING, price=peers)
    found = {each.number: replace(signals(each, at), price=peers) for each in known}
    return {each.seller: found.get(each.seller, nobody) for each in batch}


def signals(seller: Seller, at: datetime) -> Signals:
    """What the table knows of a seller."""
    return Signals(
        seller_days=None if seller.joined_at is None else max(0, (at - seller.joined_at).days),
        seller_confirmed=seller.confirmed,
        seller_dismissed=seller.dismissed,
        shared_pictures=seller.shared_pictures,
        shared_contact=seller.shared_contact,
        group_confirmed=seller.group_confirmed,
    )


def peers_path(marketplace: str) -> Path:
    """Where the usual prices of a marketplace lie, as its last scan saw them."""
    return wiring.folder("peers") / f"{marketplace}.json"


def peers_in(marketplace: str) -> Callable[[Listing, Mark | None], Mapping[str, Value]] | None:
    """The usual prices, as the judge asks for them; None before the first scan."""
    path = peers_path(marketplace)
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    peers = _peers(str(path), seen.st_mtime_ns, seen.st_ino)

    def price(listing: Listing, mark: Mark | None) -> Mapping[str, Value]:
        right = mark.number if mark is not None else ""
        return peers.features(right=right, category=listing.category, currency=listing.currency, price=listing.price)

    return price


@lru_cache(maxsize=8)
def _peers(path: str, _changed: int, _inode: int) -> Peers:
    return parse_peers(Path(path).read_bytes())
