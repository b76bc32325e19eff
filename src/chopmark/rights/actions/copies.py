"""Find copies: search with a file, keep the evidence, match what comes later, suppress what says nothing.

A search says which protected works share something with a file, which part of which, and why it is thought so; it does
not say that anything is infringed. Its query is remembered for a while, so that a work registered later is matched
against it. A file of a work that suddenly matches too much is quarantined until its owner looks at it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Window
from django.db.models.functions import RowNumber

from chopmark.base.digests import digests_of
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.blobs import digests_of_file
from chopmark.media.fingerprint import Fingerprint
from chopmark.media.guard import Limits
from chopmark.media.index import RADIUS, SIZE
from chopmark.people.actor import Actor
from chopmark.rights.actions.common import Operator, take_numbers
from chopmark.rights.actions.kept import NewWorkFile, keep, take_changes
from chopmark.rights.models import AskedCode, Common, Search, WorkCode, WorkFile
from chopmark.rights.models import Match as MatchRow
from chopmark.rights.queries import library
from chopmark.rights.queries.matching import MOST_COMMONS, matches_of, without_common
from chopmark.rights.queries.works import SearchSummary, own_search, search_summary

if TYPE_CHECKING:
    from chopmark.media.match import Library, Match, Owned, Part

LEAST_RADIUS, MOST_RADIUS = 0, 48
REMEMBERED = timedelta(days=30)
MOST_REMEMBERED = 5000
"""Codes of one query that are kept: a long film has more, and is matched by its print."""
DAY = timedelta(hours=24)
MOST_A_DAY = 20_000
"""Searches of one organisation: each is remembered, and every work that comes is compared with them."""
DRAWN = 5
"""Matches of a search that get a drawing."""
FLOOD = 200
FLOOD_SPAN = timedelta(hours=24)
"""A file that so many different queries match in so long is quarantined."""
FLOOD_SHARES = 4
"""One organisation's queries count for one such part at most: else a copier could hide the work that he copies."""
COMPARED = 200
"""Remembered queries of a kind that a new file's sound, film and features are compared with: the newest of every
organisation, then the second of every one, and so on, so that nobody takes the turns of the others."""
MAX_REASON = 300
MAX_NAME = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """The file of a search."""

    sha256: bytes
    size: int
    name: str
    radius: int
    crowded: int


def find_copies(
    file: NewWorkFile | Path | bytes,
    *,
    name: str = "",
    radius: int = RADIUS,
    limits: Limits | None = None,
    by: Actor,
    at: datetime,
) -> SearchSummary:
    """Search with a file: a finished upload, a deposit, or bytes that are not kept.

    A search is kept, counts among the organisation's, and may quarantine somebody else's file: whoever may only look
    reads what was found, and asks nothing.

    Args:
        radius: bits up to which two codes are of one picture; above 31 unrelated pictures match too.
        limits: what decoding may cost; the usual ones when None.

    Raises:
        Refused: `copies.searches_too_fast`; what people's `must` and `keep` raise.
        Invalid: `copies.radius_wrong`; what `Workshop.fingerprint` raises, `media.not_distinctive` among them.
        Unavailable: what `Workshop.fingerprint` raises.
    """
    by.must("file_rights")
    if not LEAST_RADIUS <= radius <= MOST_RADIUS:
        raise Invalid("copies.radius_wrong", least=LEAST_RADIUS, most=MOST_RADIUS)
    if Search.objects.filter(organisation=by.organisation_id, made_at__gt=at - DAY).count() >= MOST_A_DAY:
        raise Refused("copies.searches_too_fast", limit=MOST_A_DAY)
    source: Path | bytes
    if isinstance(file, NewWorkFile):
        kept = keep(file, by)
        source, digest, size, name = kept.path, kept.sha256, kept.size, name or kept.name
    else:
        digests = digests_of([file]) if isinstance(file, bytes) else digests_of_file(file, sm3=False)
        source, digest, size = file, digests.sha256, digests.size
    tools = library.tools()
    query = tools.workshop.fingerprint(source, limits, query=True)
    known = library.last_change(library.CODES)
    looked = matches_of(query, digest, by.organisation_id, radius)
    found = looked.matches
    drawings = _drawings(source, query, found, by.organisation_id, limits)
    with transaction.atomic():
        asked = _Asked(sha256=digest, size=size, name=name, radius=radius, crowded=looked.crowded)
        row = _remember(query, asked, by, at)
        _keep(row, found, drawings, at=at, later=False)
    if library.last_change(library.CODES) != known:  # a work came before this search could be remembered for it
        found = matches_of(query, digest, by.organisation_id, radius).matches
        with transaction.atomic():
            _keep(row, found, {}, at=at, later=True)
    _quarantine([each.file for each in found], at)
    return search_summary(row)


def show_similar(file: NewWorkFile, *, by: Actor, at: datetime) -> SearchSummary:
    """What is here already that resembles a file about to be registered: a search like any other.

    Raises: as `find_copies`.
    """
    return find_copies(file, by=by, at=at)


def judge(which: UUID | str, match: int, verdict: str, *, by: Actor, at: datetime) -> SearchSummary:
    """Say of a match that it is a copy, or something else; empty takes it back.

    Raises:
        Refused: `copies.not_found`; what people's `must` raises.
        Invalid: `copies.verdict_unknown`.
    """
    by.must("file_rights")
    if verdict not in ("", "copy", "other"):
        raise Invalid("copies.verdict_unknown", verdict=verdict[:20])
    search = own_search(by, which)
    if not search.matches.filter(pk=match).update(verdict=verdict, judged_by=by.user_id, judged_at=at):
        raise Refused("copies.not_found")
    return search_summary(search)


def suppress(file: NewWorkFile | bytes, reason: str, *, by: Actor, at: datetime) -> int:
    """Put a picture on the organisation's list of what is no match: a template, a shop's logo. Its id.

    Raises:
        Refused: `copies.too_many_commons`; what people's `must` and `keep` raise.
        Invalid: `copies.no_picture`, `works.too_long`, `works.incomplete`; what `Workshop.fingerprint` raises.
        Unavailable: as `find_copies`.
    """
    by.must("file_rights")
    return _suppress(lambda: keep(file, by).path if isinstance(file, NewWorkFile) else file, reason, by=by, at=at)


def unsuppress(common: int, *, by: Actor, at: datetime) -> None:
    """Take one of the organisation's entries off the list.

    Raises:
        Refused: `copies.not_found`; what people's `must` raises.
    """
    by.must("file_rights")
    _unsuppress(common, by.organisation_id, at)


def suppress_for_all(file: Path, reason: str, *, operator: Operator, at: datetime) -> int:
    """Put a picture on the platform's list of what is no match for anybody. Its id. Raises as `suppress`."""
    return _suppress(lambda: file, reason, by=operator, at=at)


def unsuppress_for_all(common: int, *, operator: Operator, at: datetime) -> None:
    """Take one entry off the platform's list.

    Raises:
        Refused: `copies.not_found`.
    """
    del operator
    _unsuppress(common, None, at)


def compare_with_searches(clock: Callable[[], datetime]) -> int | None:
    """Match a file that came with what was asked before; how many searches it met, None when no file waits.

    For the worker. Codes are looked up in the index of remembered queries; sound, film and local features are compared
    with the newest queries of the kind, the organisations taking turns.
    """
    file = (
        WorkFile.objects.filter(state="done", compared_at=None, gone=None)
        .select_related("work")
        .order_by("done_at", "pk")
        .first()
    )
    if file is None:
        return None
    at = clock()
    met = 0
    if file.work.state == "filed":
        for search, match in _asked_before(file, at):
            with transaction.atomic():
                met += _keep(search, [match], {}, at=at, later=True)
    WorkFile.objects.filter(pk=file.pk).update(compared_at=at)
    return met


def forget_searches(at: datetime, limit: int = 200) -> int:
    """Forget the fingerprints of queries whose time is over; searches and matches stay. For the worker."""
    rows = list(
        Search.objects.filter(forget_at__lte=at, fingerprint__isnull=False).values_list("pk", flat=True)[:limit]
    )
    if rows:
        with transaction.atomic():
            change = take_changes(library.ASKED, 1)
            AskedCode.objects.filter(search__in=rows, gone=None).update(gone=change)
            Search.objects.filter(pk__in=rows).update(fingerprint=None)
    return len(rows)


def build_indexes(*, whole: bool = False) -> bool:
    """Write to disk what the indexes have in memory only; whether there was anything. For the worker."""
    if not whole and not any(map(library.last_change, (library.CODES, library.ASKED))):
        return False  # nothing was ever kept: what searches run on need not be loaded
    tools = library.tools()
    written = [each.build(whole=whole) for each in (tools.codes, tools.asked) if whole or _worth_writing(each.size())]
    return any(written)


def index_sizes() -> dict[str, dict[str, int]]:
    """How large the indexes of this home are, by name; see `media.index.Size`."""
    tools = library.tools()
    return {name: asdict(each.size()) for name, each in ((library.CODES, tools.codes), (library.ASKED, tools.asked))}


def _worth_writing(size: Any) -> bool:  # noqa: ANN401 (`index.Size`)
    return bool(size.codes - size.on_disk >= 2000 or size.gone > 2000 or size.damaged)


# ---- steps -----------------------------------------------------------------------------------------------------------


def _suppress(source: Callable[[], Path | bytes], reason: str, *, by: Actor | Operator, at: datetime) -> int:
    organisation, user = (by.organisation_id, by.user_id) if isinstance(by, Actor) else (None, None)
    reason = reason.replace("\x00", "").strip()
    if not reason:
        raise Invalid("works.incomplete", name="reason")
    if len(reason) > MAX_REASON:
        raise Invalid("works.too_long", name="reason", limit=MAX_REASON)
    if Common.objects.filter(organisation=organisation, removed_at=None).count() >= MOST_COMMONS:
        raise Refused("copies.too_many_commons", limit=MOST_COMMONS)
    found = library.tools().workshop.fingerprint(source())
    whole = next((each for each in found.codes if each.region == "whole"), None)
    if found.kind != "picture" or whole is None:
        raise Invalid("copies.no_picture")
    row = Common.objects.create(organisation=organisation, bits=whole.bits, reason=reason, made_by=user, made_at=at)
    return int(row.pk)


def _unsuppress(common: int, organisation: UUID | None, at: datetime) -> None:
    if not Common.objects.filter(pk=common, organisation=organisation, removed_at=None).update(removed_at=at):
        raise Refused("copies.not_found")


def _remember(query: Fingerprint, asked: _Asked, by: Actor, at: datetime) -> Search:
    """The row of a search. Must run inside a transaction."""
    [number] = take_numbers("C", 1, at)
    row = Search.objects.create(
        number=number,
        organisation=by.organisation_id,
        made_by=by.user_id,
        name=asked.name.replace("\x00", "")[:MAX_NAME],
        sha256=asked.sha256,
        size=asked.size,
        kind=query.kind,
        media_type=query.media_type,
        radius=asked.radius,
        facts={**query.facts, "crowded": asked.crowded} if asked.crowded else dict(query.facts),
        iscc=query.iscc,
        fingerprint=query.encode(),
        made_at=at,
        forget_at=at + REMEMBERED,
    )
    codes = query.codes[:MOST_REMEMBERED]
    if codes:
        first = take_changes(library.ASKED, len(codes))
        AskedCode.objects.bulk_create(
            [
                AskedCode(search=row, place=place, bits=each.bits, number=first + place)
                for place, each in enumerate(codes)
            ],
            batch_size=500,
        )
    return row


def _keep(row: Search, found: Sequence[Match], drawings: Mapping[int, bytes], *, at: datetime, later: bool) -> int:
    """Write the matches that are new; how many. Must run inside a transaction."""
    known = set(row.matches.filter(file__in=[each.file for each in found]).values_list("file_id", flat=True))
    new = [each for each in found if each.file not in known]
    MatchRow.objects.bulk_create(
        [
            MatchRow(
                search=row,
                file_id=each.file,
                stage=each.stage,
                score=each.score,
                parts=[_part(part) for part in each.parts],
                why=dict(each.why),
                overlay=drawings.get(each.file),
                later=later,
                found_at=at,
            )
            for each in new
        ],
        ignore_conflicts=True,  # the worker and who searches may find it at the same moment
    )
    return len(new)


def _part(part: Part) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(part).items()}


def _drawings(
    source: Path | bytes, query: Fingerprint, found: Sequence[Match], organisation: UUID, limits: Limits | None
) -> dict[int, bytes]:
    """Drawings of the best matches with pictures of one's own: another's file is shown to nobody."""
    if query.kind != "picture":
        return {}
    mine = WorkFile.objects.filter(
        pk__in=[each.file for each in found if each.kind == "picture"], work__organisation=organisation
    )
    digests = {pk: bytes(digest) for pk, digest in mine.values_list("pk", "sha256")}
    drawn: dict[int, bytes] = {}
    for each in [match for match in found if match.file in digests][:DRAWN]:
        try:
            data = library.tools().workshop.ask(
                "drawing", [source, wiring.blobs().path(digests[each.file])], {}, limits
            )
        except (Invalid, Unavailable):  # without a drawing a match is a match
            continue
        if data:
            drawn[each.file] = data
    return drawn


def _quarantine(files: Collection[int], at: datetime) -> None:
    """Hold the files that too many different queries of others have met of late: who watches over a work asks often."""
    rows = WorkFile.objects.filter(pk__in=files, held_at=None).values_list("pk", "work__organisation", "released_at")
    for pk, owner, released in rows:
        since = max(at - FLOOD_SPAN, released or at - FLOOD_SPAN)
        met = MatchRow.objects.filter(file=pk, found_at__gt=since).exclude(search__organisation=owner)
        met = met.exclude(stage="same").exclude(verdict="copy")
        asked = met.values_list("search__organisation").annotate(queries=Count("search__sha256", distinct=True))
        if sum(min(queries, max(1, FLOOD // FLOOD_SHARES)) for _, queries in asked) >= FLOOD:
            WorkFile.objects.filter(pk=pk, held_at=None).update(held_at=at)


# ---- what was asked before -------------------------------------------------------------------------------------------


def _asked_before(file: WorkFile, at: datetime) -> Iterator[tuple[Search, Match]]:
    """The remembered searches that a new file would have matched; one of them is held in memory at a time.

    What was asked until the file's codes were there counts, also what was asked while it waited for the worker.
    """
    fits = Search.objects.filter(fingerprint__isnull=False, forget_at__gt=at, made_at__lte=file.done_at)
    near = _near_codes(file)
    turn = Window(RowNumber(), partition_by="organisation", order_by=F("made_at").desc())
    of_kind = fits.filter(kind=file.work.kind).annotate(turn=turn).order_by("turn", "-made_at")
    newest = set(of_kind.values_list("pk", flat=True)[:COMPARED])
    alone = _Alone(file).library()
    for pk in dict.fromkeys([*near, *newest]):
        search = fits.filter(pk=pk).first()
        if search is None or (pk in near and near[pk] > search.radius and pk not in newest):
            continue
        try:
            asked = Fingerprint.parse(bytes(search.fingerprint or b""))
        except Invalid:  # another version's: it can be compared with nothing any more
            continue
        query, common = without_common(asked, search.organisation)
        best = () if common else alone.find(query, radius=search.radius, limit=1)
        if best:
            yield search, best[0]


def _near_codes(file: WorkFile) -> dict[UUID, int]:
    """Searches with a code near one of the file's, and how near."""
    bits = [bytes(each) for each in file.codes.filter(gone=None).values_list("bits", flat=True)]
    if not bits:
        return {}

    import numpy as np  # noqa: PLC0415 (loaded for the first search)

    hits = library.tools().asked.nearest(np.frombuffer(b"".join(bits), np.uint8).reshape(-1, SIZE), MOST_RADIUS)
    nearest = {each.id: each.distance for each in hits.codes}
    found: dict[UUID, int] = defaultdict(lambda: MOST_RADIUS)
    ids = list(nearest)
    for start in range(0, len(ids), library.AT_ONCE):
        rows = AskedCode.objects.filter(pk__in=ids[start : start + library.AT_ONCE], gone=None)
        for pk, search in rows.values_list("pk", "search_id"):
            found[search] = min(found[search], nearest[pk])
    return dict(found)


class _Alone:
    """A library of one file: the same rules decide, whichever came first."""

    def __init__(self, file: WorkFile) -> None:
        self._file = file
        self._codes = list(WorkCode.objects.filter(file=file, gone=None).order_by("number"))

    def library(self) -> Library:
        """It."""
        from chopmark.media.index.codes import CodeIndex  # noqa: PLC0415 (loaded for the first search)
        from chopmark.media.match import Library  # noqa: PLC0415 (the same)

        return Library(CodeIndex(Path("nowhere"), _Rows(self._codes), library.NAME), self._owners, _Print(self._file))

    def _owners(self, ids: Sequence[int]) -> Mapping[int, Owned]:
        return library.owners_of(ids)


class _Rows:
    """Some codes, as rows."""

    def __init__(self, codes: Sequence[WorkCode]) -> None:
        self._codes = codes

    def last(self) -> int:
        """See `media.index.codes.Source`."""
        return max((each.number for each in self._codes), default=0)

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, bytes]]:
        """See there."""
        fits = [each for each in self._codes if after < each.number <= last]
        return [(each.number, each.pk, bytes(each.bits)) for each in fits[:limit]]

    def gone(self, after: int, last: int) -> Sequence[int]:
        """See there."""
        del after, last
        return []


class _Print:
    """One print, as rows."""

    def __init__(self, file: WorkFile) -> None:
        self._file = file

    def last(self) -> int:
        """See `media.match.Prints`."""
        return 1

    def added(self, after: int, last: int, limit: int) -> Sequence[Any]:
        """See there."""
        del last, limit
        if after:
            return []
        prints = library.prints_of(bytes(self._file.print or b""))
        return [(1, self._file.pk, library.kind_of(self._file.kind), prints)]

    def gone(self, after: int, last: int) -> Sequence[int]:
        """See there."""
        del after, last
        return []
