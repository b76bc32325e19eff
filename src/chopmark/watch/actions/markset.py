"""Mark sets: made of the registry, kept as files, the newest in use; and what changed rights ask for.

describe_mark     a person says more of a sign: other names, how distinctive it is
make_mark_set     from the registry as it is on a day; the same marks have the same version
follow_rights     by the worker: a new set when rights changed, and tasks for what changed
forget_sets       by the sweep: files of sets that nobody needs any more
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from functools import lru_cache
from pathlib import Path
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import F

from chopmark.base.errors import Invalid, Unavailable
from chopmark.evidence import wiring as evidence_wiring
from chopmark.people.actor import Actor
from chopmark.rights import coverage
from chopmark.rights.queries import scanning
from chopmark.rights.queries.access import right_to_change
from chopmark.watch import marks, wiring
from chopmark.watch.actions.common import move_to, must_read, position
from chopmark.watch.engine.manifest import write_whole
from chopmark.watch.marks import MAX_TERMS, Grant, Mark, MarkSet
from chopmark.watch.models import Hit, ListingRow, MarkNote, MarkSetRow, Scan, Seller, Serial, Task
from chopmark.watch.text import learn, vocabulary

_RIGHTS: Final = "rights"  # name of the position: the last event of the registry that was looked at
_DAY: Final = "marks day"
_STALE: Final = "marks stale"  # above nought when the set has to be made of everything
LARGE: Final = 10_000
"""Marks of a set that is made of everything at most once in `REST`, but for a new day."""
REST: Final = timedelta(minutes=10)
KEPT: Final = timedelta(days=7)
"""How long the file of a set stays that came out of use and that no scan names."""
LATE: Final = timedelta(seconds=10)
"""How much later than it says a note may be seen: it is there once its transaction is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSetSummary:
    """A set of marks."""

    version: str
    count: int
    made_at: datetime
    path: Path


@evidence_wiring.answering()
def describe_mark(
    right: UUID | str,
    *,
    by: Actor,
    at: datetime,
    aliases: Sequence[str] = (),
    distinctiveness: int | None = None,
    near: bool = False,
    well_known: bool = False,
) -> None:
    """Say more of a right's sign; the next set has it. What is not said is as it was made.

    Raises:
        Refused: `rights.not_found`, `rights.mandate_missing`; what people's `must` raises.
        Invalid: `watch.alias_malformed`, `watch.distinctiveness_malformed`.
    """
    by.must("file_rights")
    row = right_to_change(by, right, at, power="file")
    names = tuple(dict.fromkeys(must_read(each, marks.MAX_TEXT) for each in aliases if each.strip()))
    if len(names) >= MAX_TERMS or any("\n" in each or "\t" in each for each in names):
        raise Invalid("watch.alias_malformed", limit=MAX_TERMS - 1)
    if distinctiveness is not None and not 0 <= distinctiveness <= 1000:
        raise Invalid("watch.distinctiveness_malformed")
    said = {
        "organisation": row.organisation,
        "aliases": list(names),
        "distinctiveness": distinctiveness,
        "near": near,
        "well_known": well_known,
        "made_by": by.user_id,
        "changed_at": at,
    }
    with transaction.atomic():
        MarkNote.objects.update_or_create(right=row.pk, defaults=said)
        _plan([row.pk], at)


@evidence_wiring.answering()
def make_mark_set(*, at: datetime, changed: Collection[UUID] | None = None) -> MarkSetSummary:
    """The set of the day; with `changed`, only these rights are read anew and the others are as in the set in use.

    Raises:
        Invalid: `watch.marks_malformed`.
    """
    return _use(_made(at, changed), at)


def _made(at: datetime, changed: Collection[UUID] | None) -> MarkSet:
    """A set with its file; nobody uses it yet."""
    kept: list[Mark] = []
    if changed is not None and (newest := _newest()) is not None:
        gone = {str(each) for each in changed}
        kept = [each for each in read_marks(newest.version).marks if each.right not in gone]
    else:
        changed = None
    made = marks.mark_set([*kept, *_fresh(at.date(), changed)])
    path = path_of(made.version)
    if not path.is_file():
        write_whole(path, marks.encode(made))
    return made


def _use(made: MarkSet, at: datetime) -> MarkSetSummary:
    """It is the newest from now on."""
    size = path_of(made.version).stat().st_size
    row, _ = MarkSetRow.objects.update_or_create(
        version=made.version,
        defaults={"used_at": at},
        create_defaults={"count": len(made.marks), "size": size, "made_at": at, "used_at": at},
    )
    return _summary(row)


@evidence_wiring.answering()
def follow_rights(at: datetime) -> tuple[UUID, ...]:
    """Make the set anew where rights changed since the last time, and on a new day; the rights that changed.

    Each of them becomes two tasks: its open hits are decided anew, and the stock is searched for it. So does every
    right whose mark is another one in the new set, whatever made it so: a licence that began or ended with the day, a
    seller that is somebody now, a name that a person added. The set comes into use in the transaction that makes the
    tasks: who dies before it compares with the old one again.
    """
    last = position(_RIGHTS)
    here, changed = scanning.changed_since(last)
    today, stale = at.date().toordinal(), position(_STALE)
    before = _newest()
    fresh = position(_DAY) != today or (stale > 0 and _may_remake(before, at))
    noted = _noted_since(before.used_at - LATE) if before is not None else set()
    made: MarkSet | None = None
    if fresh or before is None:
        made = _made(at, None)
    elif (here != last and changed) or noted:
        made = _made(at, {*changed, *noted})
    elif here == last:
        return ()
    told = differing(before.version, made.version) if before is not None and made is not None else None
    others = told or frozenset()
    with transaction.atomic():
        if made is not None:
            _use(made, at)
        if here != last or fresh or others:
            if ListingRow.objects.exists() or Hit.objects.exists() or Scan.objects.filter(state="done").exists():
                _plan({*map(str, changed if here != last else ()), *others}, at)
            move_to(_RIGHTS, here)
            if fresh:
                move_to(_DAY, today)
                Serial.objects.filter(name=_STALE, last=stale).update(last=0)
    return changed if here != last else ()


def catch_up(version: str, at: datetime) -> None:
    """A scan that read this set ends: what changed since is asked of its hits and of its stock. In a transaction.

    Searches of stocks that are under way begin anew: their places are counted over the newest scans, and this is one.
    """
    Task.objects.filter(kind="stock", done_at=None).update(position=0, made_at=at)
    newest = _newest()
    _plan((differing(version, newest.version) if newest is not None else None) or (), at, kinds=("redecide", "stock"))


def forget_sets(at: datetime) -> int:
    """Remove sets that came out of use long ago, since each change of a right leaves one; how many were removed.

    A scan's statement names its set, so that anybody may ask what was looked for: such a set stays, as the scan does.
    """
    then = MarkSetRow.objects.filter(used_at__lte=at - KEPT).order_by("-used_at", "version").first()
    if then is None:
        return 0
    scans = Scan.objects.values_list("marks", flat=True)
    old = MarkSetRow.objects.filter(used_at__lt=then.used_at).exclude(version__in=scans)
    gone = list(old.values_list("version", flat=True))
    for version in gone:
        path_of(version).unlink(missing_ok=True)
        MarkSetRow.objects.filter(version=version, used_at__lt=then.used_at).delete()
    return len(gone)


def remake_soon() -> None:
    """Who may sell may have changed though no right did: the next set is made of everything."""
    position(_STALE)
    Serial.objects.filter(name=_STALE).update(last=F("last") + 1)


def _may_remake(newest: MarkSetRow | None, at: datetime) -> bool:
    """A large set is not made as a whole for each seller that is named."""
    return newest is None or newest.count < LARGE or not timedelta() <= at - newest.used_at < REST


def _noted_since(since: datetime) -> set[UUID]:
    return set(MarkNote.objects.filter(changed_at__gt=since).values_list("right", flat=True))


@lru_cache(maxsize=4)
def differing(before: str, after: str) -> frozenset[str] | None:
    """Rights whose marks are not the same in two sets; None when a file is gone and nobody can tell any more."""
    if before == after:
        return frozenset()
    try:
        old, new = ({replace(each, id=0) for each in read_marks(version).marks} for version in (before, after))
    except (Unavailable, Invalid):
        return None
    return frozenset(each.right for each in old ^ new)


def in_use() -> MarkSetSummary:
    """The set in use.

    Raises:
        Unavailable: `watch.marks_missing` before the first was made.
    """
    row = _newest()
    if row is None:
        raise Unavailable("watch.marks_missing")
    return _summary(row)


def read_marks(version: str) -> MarkSet:
    """A set, from its file; the one read last stays in memory.

    Raises:
        Unavailable: `watch.marks_missing`.
        Invalid: `watch.marks_malformed`.
    """
    return _read(str(path_of(version)), version)


@lru_cache(maxsize=1)
def _read(path: str, version: str) -> MarkSet:
    try:
        found = marks.parse(Path(path).read_bytes())
    except FileNotFoundError as error:
        raise Unavailable("watch.marks_missing") from error
    if found.version != version:
        raise Invalid("watch.marks_malformed", why="version", at=0)
    return found


def path_of(version: str) -> Path:
    """Where a set lies."""
    return wiring.folder("marks") / f"marks-{version}.jsonl.zst"


def _newest() -> MarkSetRow | None:
    return MarkSetRow.objects.order_by("-used_at", "version").first()


def _summary(row: MarkSetRow) -> MarkSetSummary:
    return MarkSetSummary(version=row.version, count=row.count, made_at=row.made_at, path=path_of(row.version))


def _plan(
    rights: Iterable[UUID | str], at: datetime, *, kinds: Sequence[str] = ("redecide", "reverse", "stock")
) -> None:
    """Tasks for changed rights; one that waits already begins anew: what it did so far, it did with other marks."""
    wanted = sorted({str(each) for each in rights})
    Task.objects.filter(kind__in=kinds, right__in=wanted, done_at=None).update(position=0, made_at=at)
    Task.objects.bulk_create(
        [Task(kind=kind, right=right, made_at=at) for right in wanted for kind in kinds],
        ignore_conflicts=True,
    )


def _fresh(on: date, rights: Collection[UUID] | None) -> Iterable[Mark]:
    notes = {each.right: each for each in MarkNote.objects.all()}
    sellers = _sellers()
    words = vocabulary.shipped()
    for sign in scanning.signs(on, rights):
        if not sign.texts and sign.image is None:
            continue
        note = notes.get(sign.id)
        text, *others = (each[: marks.MAX_TEXT] for each in sign.texts or ("",))  # of a picture alone: no words
        aliases = tuple(each for each in dict.fromkeys((*others, *(note.aliases if note else ()))) if each != text)
        said = note.distinctiveness if note else None
        yield Mark(
            id=0,
            right=str(sign.id),
            number=sign.number,
            organisation=str(sign.organisation),
            text=text,
            aliases=aliases[: MAX_TERMS - 1],
            classes=sign.classes,
            territories=sign.territories,
            distinctiveness=_begun(text, words) if said is None else said,
            near=bool(note and note.near),
            well_known=bool(note and note.well_known),
            grants=tuple(_grants(sign, sellers, on)),
        )


def _begun(text: str, words: frozenset[str]) -> int:
    """What a dictionary says of a name; it says nothing against a picture alone."""
    return learn.prior(text, words) if text else learn.UNKNOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """A seller whose organisation the marketplace vouches for."""

    marketplace: str
    channels: tuple[str, ...]
    number: str


def _sellers() -> Mapping[UUID, list[_Known]]:
    found: dict[UUID, list[_Known]] = defaultdict(list)
    rows = Seller.objects.filter(organisation__isnull=False).select_related("marketplace").order_by("pk")
    for row in rows:
        if row.organisation is not None:
            channels = (row.marketplace.name, *row.marketplace.channels)
            found[row.organisation].append(
                _Known(marketplace=row.marketplace.name, channels=channels, number=row.number)
            )
    return found


def _grants(sign: scanning.Sign, sellers: Mapping[UUID, Sequence[_Known]], on: date) -> Iterable[Grant]:
    """Sellers who surely may sell, where and what: what `coverage.may_sell` says yes to."""
    held = {each.organisation for each in sign.right.interests if each.organisation} | {str(sign.organisation)}
    for organisation in sorted(held):
        for seller in sellers.get(UUID(organisation), ()):
            if organisation == str(sign.organisation):
                yield Grant(marketplace=seller.marketplace, seller=seller.number)
                continue
            by_places: dict[tuple[str, ...], list[str]] = defaultdict(list)
            for cls in sign.classes or ("",):
                places = tuple(
                    place for place in sign.territories if _may(sign, organisation, seller, place=place, cls=cls, on=on)
                )
                if places:
                    by_places[places].append(cls)
            for places, codes in sorted(by_places.items()):
                everywhere, everything = places == sign.territories, tuple(codes) == (sign.classes or ("",))
                yield Grant(
                    marketplace=seller.marketplace,
                    seller=seller.number,
                    territories=() if everywhere else places,
                    classes=() if everything else tuple(codes),
                )


def _may(sign: scanning.Sign, organisation: str, seller: _Known, *, place: str, cls: str, on: date) -> bool:
    return any(
        coverage.may_sell(sign.right, territory=place, on=on, organisation=organisation, cls=cls, channel=channel).value
        == "yes"
        for channel in seller.channels
    )
