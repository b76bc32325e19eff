"""The judge of the moment: the set of marks in use, an organisation's rules, and what tables know of sellers.

Matchers are made when the set or the rules are others than the last time, so that new marks count without a restart.
A judge is kept for each organisation that runs marketplaces; the matcher, which is what costs, is shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from chopmark.base import jcs
from chopmark.rights.queries import scanning
from chopmark.watch import marks as sets
from chopmark.watch import wiring
from chopmark.watch.actions.markset import in_use, read_marks
from chopmark.watch.actions.pictureset import matcher_in_use, version_in_use
from chopmark.watch.deciding import deciding
from chopmark.watch.features import Value
from chopmark.watch.judge import Decide, Judge, PictureFinder, Signals, Work
from chopmark.watch.listing import Listing
from chopmark.watch.marks import Mark, MarkSet
from chopmark.watch.models import Marketplace, RuleRow, Seller
from chopmark.watch.prices import Peers, parse_peers
from chopmark.watch.queries.labels import labels_of
from chopmark.watch.queries.rules import rules_in
from chopmark.watch.reading import Words
from chopmark.watch.rules.rule import RuleSet
from chopmark.watch.score import Bound, Learned, bound, default_card, parse_learned
from chopmark.watch.signals import told

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


def judge_of(
    organisation: UUID, *, at: datetime, marks: MarkSet | None = None, pictures: PictureFinder | None = None
) -> Judge:
    """The judge of an organisation's marketplaces, with the set in use or another.

    Args:
        pictures: with another set, who finds in pictures; as in use when not said.

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
        pictures=matcher_in_use() if pictures is None else pictures,
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
    learned = learned_of(organisation)
    card = learned.card.version if learned else ""
    of = (version, version_in_use(), card, at.date(), *rules.values_list("name", "state", "version"))
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
    rules, learned = rules_in(organisation), learned_of(organisation)
    return deciding(
        rules,
        on=at.date(),
        card=learned.card if learned else default_card(),
        bounds=bounds_of(organisation, rules),
        least=learned.least if learned else None,
    )


def card_path(organisation: UUID) -> Path:
    """Where lies what an organisation has learned of its decisions."""
    return wiring.folder("cards") / f"{organisation}.json"


def learned_of(organisation: UUID) -> Learned | None:
    """What an organisation has learned; None where the card that ships is in use.

    Raises:
        Invalid: `watch.card_malformed`.
    """
    path = card_path(organisation)
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return _learned(str(path), seen.st_mtime_ns, seen.st_ino)


@lru_cache(maxsize=8)
def _learned(path: str, _changed: int, _inode: int) -> Learned:
    return parse_learned(Path(path).read_bytes())


def bounds_of(organisation: UUID, rules: RuleSet) -> Mapping[str, Bound]:
    """What persons' labels prove of each rule's precision, by its version; see `queries.labels` for which count."""
    found = labels_of(organisation, [each.version for each in rules.rules])
    return {
        each.version: bound(found[each.version].confirmed, found[each.version].labelled, needed=each.needed)
        for each in rules.rules
    }


def signals_of(row: Marketplace, batch: Sequence[Listing], *, at: datetime) -> Mapping[str, Signals]:
    """What tables know of the sellers of a batch, by seller."""
    numbers = {each.seller for each in batch}
    known = {each.number: each for each in Seller.objects.filter(marketplace=row, number__in=numbers)}
    peers, brands = peers_in(row.name), brands_in(row.name)
    nobody = Signals(price=partial(told, peers, brands, None))
    found: dict[str, Signals] = {}
    for number in numbers:
        seller = known.get(number)
        if seller is None:
            found[number] = nobody
        else:
            days = _days(seller, at)
            found[number] = signals(seller, at, price=partial(told, peers, brands, days))
    return found


Price = Callable[[Listing, Mark | None], Mapping[str, Value]]


def signals(seller: Seller, at: datetime, *, price: Price | None = None) -> Signals:
    """What the table knows of a seller."""
    return Signals(
        seller_days=_days(seller, at),
        seller_confirmed=seller.confirmed,
        seller_dismissed=seller.dismissed,
        shared_pictures=seller.shared_pictures,
        shared_contact=seller.shared_contact,
        group_confirmed=seller.group_confirmed,
        organisation=str(seller.organisation or ""),
        price=price,
    )


def _days(seller: Seller, at: datetime) -> int | None:
    return None if seller.joined_at is None else max(0, (at - seller.joined_at).days)


def peers_path(marketplace: str) -> Path:
    """Where the usual prices and stocks of a marketplace lie, as its last scan saw them."""
    return wiring.folder("peers") / f"{marketplace}.json"


def brands_path(marketplace: str) -> Path:
    """Where lies whose products the GTINs of a marketplace are, as the last night saw them."""
    return wiring.folder("peers") / f"{marketplace}.gtins"


def peers_in(marketplace: str) -> Peers | None:
    """The usual prices and stocks; None before the first scan."""
    path = peers_path(marketplace)
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return _peers(str(path), seen.st_mtime_ns, seen.st_ino)


def brands_in(marketplace: str) -> Mapping[str, str]:
    """Whose products GTINs are; nobody's before the first night."""
    path = brands_path(marketplace)
    try:
        seen = path.stat()
    except FileNotFoundError:
        return {}
    return _brands(str(path), seen.st_mtime_ns, seen.st_ino)


@lru_cache(maxsize=8)
def _peers(path: str, _changed: int, _inode: int) -> Peers:
    return parse_peers(Path(path).read_bytes())


@lru_cache(maxsize=8)
def _brands(path: str, _changed: int, _inode: int) -> Mapping[str, str]:
    found: dict[str, str] = jcs.decode(Path(path).read_bytes())
    return found
