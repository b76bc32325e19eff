"""Scans: ask for one over a marketplace's stock, carry it, take its results over, put its root on the ledger.

The engine (`watch.engine`) does the reading and judging in processes of its own and resumes by itself; here stand who
asked, how far it is, and which partitions became hits. A partition is taken over in short transactions that bear being
done again, so that whoever is killed between two of them goes on without anything lost or twice.
"""

from __future__ import annotations

import os
import re
import shutil
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final
from uuid import UUID

from django.conf import settings
from django.db import transaction

from chopmark.base import clock as clocks
from chopmark.base import jcs
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import wiring as evidence_wiring
from chopmark.people.actor import Actor
from chopmark.watch import listing as listings
from chopmark.watch import sampling, wiring
from chopmark.watch.actions import judging
from chopmark.watch.actions.common import THE_RULES, count, state_on_ledger, take_numbers
from chopmark.watch.actions.keep import AUDIT_UNFLAGGED, Judged, keep, put_to_audit, room_for_audits
from chopmark.watch.actions.markset import catch_up, in_use, path_of
from chopmark.watch.actions.pictureset import path_of as path_of_pictures
from chopmark.watch.actions.pictureset import version_in_use
from chopmark.watch.actions.rules import count_rules
from chopmark.watch.cluster import CODE as UNREACHABLE
from chopmark.watch.driver import Told, carry
from chopmark.watch.engine.manifest import write_whole
from chopmark.watch.judge import Signals, Verdict
from chopmark.watch.models import Hit, Marketplace, Partition, Scan, Seller
from chopmark.watch.queries import access
from chopmark.watch.queries.rules import rules_in
from chopmark.watch.queries.scans import ScanSummary, summary_of
from chopmark.watch.reading import cleaned
from chopmark.watch.rules.rule import encode_rules
from chopmark.watch.signals import parse_known

if TYPE_CHECKING:
    from chopmark.watch.engine import manifest
    from chopmark.watch.results import Result

CHUNK: Final = 500
"""Listings of one transaction while results are taken over."""
KEEP: Final = timedelta(seconds=5)
"""Between two looks at what a running scan has found."""
MAX_WAITING: Final = 20
"""Scans of one organisation that are not over."""
OVER: Final = ("done", "failed", "stopped")
DEATHS: Final = 3
"""Times running that a scan's process may die with nothing done in between: then it would die for ever."""
CLUSTER_TRIES: Final = 120
"""Times running that a scan asks for a cluster that does not answer, before it fails: for an hour, where nothing else
is to be scanned meanwhile."""
CLUSTER_REST: Final = 30
"""Seconds between two of them, in which other scans have their turn."""
_RUNNER = re.compile(r"native|(ray://)?[A-Za-z0-9.-]{1,200}:[0-9]{1,5}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewScan:
    """What somebody asks for.

    Attributes:
        source: pattern of Parquet files below the marketplace's folder (`stock_of`).
        runner: `native` for this machine, or a Ray cluster's address.
    """

    marketplace: str
    source: str = "*.parquet"
    runner: str = "native"


def stock_of(marketplace: str) -> Path:
    """The folder where a marketplace's files of listings are laid for its scans."""
    return wiring.folder("stock") / marketplace


def folder_of(number: str) -> Path:
    """Where a scan keeps its plan, its manifest and its results."""
    return wiring.folder("scans") / number


@evidence_wiring.answering()
def start_scan(
    new: NewScan, *, by: Actor, at: datetime, anywhere: bool = False, any_cluster: bool = False
) -> ScanSummary:
    """Ask for a scan; the watcher takes it up within seconds.

    Args:
        anywhere: the pattern may lead out of the marketplace's folder: for who holds the machine, never for a page.
        any_cluster: the runner may be a cluster that the operator did not name: the same.

    Raises:
        Refused: `watch.marketplace_not_found`, `watch.marketplace_stopped`, `watch.scans_full`,
            `watch.runner_elsewhere`; what people's `must` raises.
        Invalid: `watch.scan_source_malformed`, `watch.scan_runner_malformed`.
        Unavailable: `watch.marks_missing`.
    """
    row = access.marketplace(by, new.marketplace, "manage_rules")
    if row.stopped_at is not None:
        raise Refused("watch.marketplace_stopped", marketplace=row.name)
    if not anywhere:
        must_stay_inside(new.source)
    if _RUNNER.fullmatch(new.runner) is None:
        raise Invalid("watch.scan_runner_malformed")
    # A cluster may run anything in the process that joins it: whose it is, the operator says.
    if not any_cluster and new.runner not in ("native", *settings.CHOPMARK_WATCH_CLUSTERS):
        raise Refused("watch.runner_elsewhere", runner=new.runner)
    marks, rules = in_use(), rules_in(row.organisation)
    with transaction.atomic():
        waiting = Scan.objects.filter(organisation=by.organisation_id).exclude(state__in=OVER).count()
        if waiting >= MAX_WAITING:
            raise Refused("watch.scans_full", limit=MAX_WAITING)
        [number] = take_numbers("S", 1, at)
        folder = folder_of(number)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / "rule-set.jsonl").write_bytes(encode_rules(rules))  # there before anybody can take the scan up
        made = Scan.objects.create(
            number=number,
            organisation=by.organisation_id,
            made_by=by.user_id,
            marketplace=row,
            source=str(Path(new.source).absolute()) if anywhere else new.source,
            runner=new.runner,
            marks=marks.version,
            rules=rules.version,
            state="waiting",
            made_at=at,
        )
    return summary_of(made)


@evidence_wiring.answering()
def stop_scan(which: UUID | str, *, by: Actor, at: datetime) -> ScanSummary:
    """End a scan that is not over; what was taken over stays.

    Raises:
        Refused: `watch.scan_not_found`; what people's `must` raises.
    """
    row = access.scan(by, which, "manage_rules")
    Scan.objects.filter(pk=row.pk).exclude(state__in=OVER).update(state="stopped", ended_at=at)
    row.refresh_from_db()
    _forget_facts(row)
    return summary_of(row)


def must_stay_inside(source: str) -> None:
    """Stop at a pattern that leads out of its folder.

    Raises:
        Invalid: `watch.scan_source_malformed`.
    """
    parts = Path(source).parts
    if not source or len(source) > 300 or not source.isprintable() or source.startswith(("/", "~")) or ".." in parts:
        raise Invalid("watch.scan_source_malformed")


def work_scan(
    *,
    clock: Callable[[], datetime],
    stop: Callable[[], bool] = lambda: False,
    processes: int = 0,
    tell: Callable[[], None] = lambda: None,
) -> str:
    """Carry the oldest scan that is not over; its number, empty when there is none or it goes on later.

    One whose cluster does not answer lets others go first for a while, and fails after `CLUSTER_TRIES`: a network that
    is down for minutes costs nothing of what was done, and a machine that is gone for good holds up nobody.

    Args:
        tell: called when the scan's row says anew how far it is.

    Raises:
        Unavailable: `ledger.database_unavailable`, `evidence.busy` and what else deposits raise.
    """
    with evidence_wiring.answering():
        at = clock()
        rows = Scan.objects.filter(state__in=("running", "waiting")).order_by("made_at").select_related("marketplace")
        scan = next((each for each in rows if not _rests(each, at)), None)
        if scan is None:
            return ""
        Scan.objects.filter(pk=scan.pk, state="waiting").update(state="running", started_at=clock())
    try:
        over = _carry(scan, _Follow(scan, clock, tell), clock, stop, processes)
    except (Refused, Invalid, Unavailable) as error:
        if _goes_on_later(scan, error, clock()):
            return ""
        if isinstance(error, Unavailable) and not _is_over(scan, error):
            raise
        _fail(scan, error, clock())
        return scan.number
    except Exception:  # whatever one scan raises, again and again: the others go on
        if not _dies_for_ever(scan):
            raise
        _fail(scan, Unavailable("watch.scan_died", status=0), clock())
        return scan.number
    return scan.number if over else ""


def _rests(scan: Scan, at: datetime) -> bool:
    """Whether its cluster was asked in vain a moment ago."""
    again = scan.facts.get("again", 0) if scan.trouble == UNREACHABLE else 0
    return 0 < again - clocks.to_seconds(at) <= CLUSTER_REST  # a clock that was set back lets nobody wait


def _goes_on_later(scan: Scan, error: PlatformError, at: datetime) -> bool:
    """Whether nothing is wrong with it: what a killed watcher left still ends, or its cluster may yet answer."""
    return error.code == "watch.scan_running" or (error.code == UNREACHABLE and not _asked_in_vain(scan, error, at))


def _is_over(scan: Scan, error: Unavailable) -> bool:
    """Whether to give it up."""
    died = error.code == "watch.scan_died"
    return _dies_for_ever(scan) if died else error.code in (UNREACHABLE, "watch.scan_incomplete")


def _asked_in_vain(scan: Scan, error: PlatformError, at: datetime) -> bool:
    """Note that its cluster did not answer, which is no death; whether it was asked often enough."""
    with evidence_wiring.answering():
        scan.refresh_from_db()
        tries = scan.facts.get("tries", 0) + 1 if scan.trouble == UNREACHABLE else 1
        told = {**scan.facts, **error.facts, "tries": tries, "again": clocks.to_seconds(at) + CLUSTER_REST}
        rows = Scan.objects.filter(pk=scan.pk).exclude(state__in=OVER)
        rows.update(trouble=UNREACHABLE, facts=told, rate=0, remaining=None)
    return bool(tries >= CLUSTER_TRIES)


def _dies_for_ever(scan: Scan) -> bool:
    """Count one death more; whether there were too many since anything was done.

    One file that kills every process that reads it would hold up the scans of all others.
    """
    with evidence_wiring.answering():
        scan.refresh_from_db()
        got = [scan.counted or 0, scan.partitions_done]
        deaths = scan.facts.get("deaths", 0) + 1 if scan.facts.get("got") == got else 1
        Scan.objects.filter(pk=scan.pk).exclude(state__in=OVER).update(trouble="", facts={"deaths": deaths, "got": got})
    return bool(deaths >= DEATHS)


def _carry(
    scan: Scan, follow: _Follow, clock: Callable[[], datetime], stop: Callable[[], bool], processes: int
) -> bool:
    """Read, judge, take over, state; whether it came to its end."""
    from chopmark.watch.engine.run import Scan as Job  # noqa: PLC0415 (heavy; only who scans)

    job = Job(
        folder=folder_of(scan.number),
        files=[str(_source(scan))],
        marks=scan.marks,
        rules=scan.rules,
        opener="chopmark.watch.engine.bench:open_bench",
        census="chopmark.watch.engine.bench:open_census",
        argument=_argument(scan, clock()),
        marketplace=scan.marketplace.name,
        runner=scan.runner,
        processes=processes or max(1, (os.cpu_count() or 1) - 1),
        stock=True,
    )
    content = carry(job, progress=follow.tell, stop=lambda: stop() or follow.stopped())
    if content is None:
        if follow.stopped():
            _forget_facts(scan)
        return False
    with evidence_wiring.answering():
        keep_results(scan, clock=clock)
        if Scan.objects.filter(pk=scan.pk, state="stopped").exists():  # while its results were taken over
            return False
        finish_scan(scan, content, clock())
    _make_peers(scan)
    return True


def _source(scan: Scan) -> Path:
    path = Path(scan.source)
    return path if path.is_absolute() else stock_of(scan.marketplace.name) / path


def _argument(scan: Scan, at: datetime) -> str:
    """What the processes of the scan open: everything from files, none from tables."""
    from chopmark.watch.engine.bench import Setting, write_sellers  # noqa: PLC0415 (the judge's machinery)

    folder = folder_of(scan.number)
    sellers = folder / "sellers.jsonl"
    if not sellers.is_file():
        draft = folder / "sellers.new"
        write_sellers(draft, _known_sellers(scan.marketplace, at))
        draft.replace(sellers)
    rules = rules_in(scan.marketplace.organisation)
    pictures, shown = folder / "pictures.cbor", stock_of(scan.marketplace.name) / "pictures"
    if not pictures.is_file() and (version := version_in_use()):
        with suppress(FileExistsError):
            os.link(path_of_pictures(version), pictures)  # the scan's own: newer sets let older ones go
    card, learned = folder / "card.json", judging.card_path(scan.marketplace.organisation)
    if not card.is_file() and learned.is_file():
        with suppress(FileExistsError):
            os.link(learned, card)  # replaced as a whole when it is learned anew: the scan keeps its own
    return Setting(
        card=card if card.is_file() else None,
        marks=path_of(scan.marks),
        rules=folder / "rule-set.jsonl",
        on=at.date(),
        bounds=judging.bounds_of(scan.marketplace.organisation, rules),
        sellers=sellers,
        pictures=pictures if pictures.is_file() else None,
        folder=shown if pictures.is_file() and shown.is_dir() else None,
    ).encode()


def _known_sellers(row: Marketplace, at: datetime) -> Mapping[str, Signals]:
    """Sellers of whom tables know more than nothing."""
    return {each.number: judging.signals(each, at) for each in Seller.objects.filter(marketplace=row).iterator()}


class _Follow:
    """Writes how far a scan is, at most once a second; takes over what is found; sees whether somebody stopped it."""

    def __init__(self, scan: Scan, clock: Callable[[], datetime], also: Callable[[], None]) -> None:
        self._scan, self._clock, self._also = scan, clock, also
        self._last: datetime | None = None
        self._kept = clock()
        self._stopped = False

    def tell(self, told: Told) -> None:
        """The engine's word."""
        at = self._clock()
        if self._last is not None and (at - self._last).total_seconds() < 1 and told.done < told.partitions:
            return
        self._last = at
        with evidence_wiring.answering():
            rows = Scan.objects.filter(pk=self._scan.pk)
            rows.update(
                partitions=told.partitions,
                partitions_done=told.done,
                counted=told.counted,
                scanned=told.scanned,
                rate=round(told.rate),
                remaining=None if told.remaining is None else round(told.remaining),
                trouble="",  # whatever it waited for is there
            )
            self._stopped = rows.filter(state="stopped").exists()
            if at - self._kept >= KEEP:
                keep_results(self._scan, clock=self._clock)
                self._kept = self._clock()
            self._also()

    def stopped(self) -> bool:
        """Somebody stopped it."""
        return self._stopped


def keep_results(scan: Scan, *, clock: Callable[[], datetime]) -> int:
    """Take over what the partitions found that are done and not taken over yet; how many new hits.

    Raises:
        Invalid: `watch.results_malformed` when a file is not the one whose root its line has.
    """
    from chopmark.watch.engine import reading  # noqa: PLC0415 (loads what reads Parquet)

    folder = folder_of(scan.number)
    kept = set(Partition.objects.filter(scan=scan).values_list("name", flat=True))
    new = 0
    for done in (each for _, each in sorted(reading.parts(folder).items()) if each.file not in kept):
        grouped = _grouped(reading.rows(folder, done), scan.marketplace.name)
        for start in range(0, len(grouped), CHUNK):
            with transaction.atomic():
                new += _take_over(scan, grouped[start : start + CHUNK], clock())
        with transaction.atomic():
            at = clock()
            _, fresh = Partition.objects.get_or_create(
                scan=scan, name=done.file, defaults={"rows": done.part.results, "kept_at": at}
            )
            if fresh:
                _draw_unflagged(scan, done, grouped, at)
                count(scan.marketplace_id, at.date(), {"scanned": done.part.listings})
                count_rules(scan.marketplace.organisation, _rule_counts(done), at=at)
    Scan.objects.filter(pk=scan.pk).update(found=Hit.objects.filter(scan=scan.pk).count())
    return new


def _draw_unflagged(scan: Scan, done: manifest.Done, found: Sequence[Judged], at: datetime) -> None:
    """A random part of a partition in which nothing was flagged goes to audit, while the auditors keep up."""
    from chopmark.watch.engine.plan import Plan  # noqa: PLC0415 (loads what reads Parquet)
    from chopmark.watch.engine.run import PLAN  # noqa: PLC0415 (the same)
    from chopmark.watch.engine.work import read  # noqa: PLC0415 (the same)

    row, key = scan.marketplace, wiring.audit_key()
    places = (
        place
        for place in range(done.part.listings)
        if sampling.drawn(key, AUDIT_UNFLAGGED, "unflagged", scan.number, str(done.part.index), str(place))
    )
    drawn = list(islice(places, room_for_audits(row)))
    if not drawn:
        return
    flagged = {each.listing.item for each in found if any(said.decided.measure != "none" for said in each.verdicts)}
    task = Plan.parse((folder_of(scan.number) / PLAN).read_bytes()).tasks[done.part.index]
    try:
        raws = read(Path(task.file), task.start, task.rows).take(drawn).to_pylist()
    except Invalid:  # the marketplace took its file away: what was judged is in the results, what was not is gone
        return
    put_to_audit(row, (each for each in cleaned(raws, row.name) if each.item not in flagged), at)


def finish_scan(scan: Scan, content: bytes, at: datetime) -> ScanSummary:
    """Put the statement of a whole scan on the ledger: the root in it proves any single row later.

    Rights whose marks changed while it ran are asked about again: its hits and its stock were read with the old ones.

    Raises:
        Refused, Unavailable: what evidence's `deposit` raises.
    """
    paper = (scan.number, f"{scan.number}.json", content)
    [deposit] = state_on_ledger([paper], scan.organisation, by=THE_RULES, at=at)
    root = bytes.fromhex(jcs.decode(content)["root"])
    with transaction.atomic():
        Scan.objects.filter(pk=scan.pk).update(
            state="done", ended_at=at, root=root, deposit=deposit, remaining=0, trouble="", facts={}
        )
        catch_up(scan.marks, at)
    scan.refresh_from_db()
    return summary_of(scan)


def _grouped(rows: Iterable[Result], marketplace: str) -> list[Judged]:
    """Results of one listing stand together, each right once; those of other marketplaces are left out."""
    verdicts: dict[bytes, dict[str, Verdict]] = defaultdict(dict)  # the very same row may stand in a stock twice
    for each in rows:
        verdicts[each.listing][each.verdict.right] = each.verdict
    found = (
        Judged(listing=listings.decode(body), verdicts=tuple(by_right.values()), looked=False)
        for body, by_right in verdicts.items()
    )
    return [each for each in found if each.listing.marketplace == marketplace]


def _take_over(scan: Scan, batch: Sequence[Judged], at: datetime) -> int:
    """Hits of listings for which something is proposed, or of which there are hits; an item there twice counts once."""
    newest: dict[str, Judged] = {}
    for each in batch:
        known_as = newest.get(each.listing.item)
        if known_as is None or each.listing.version >= known_as.listing.version:
            newest[each.listing.item] = each
    batch = list(newest.values())
    known = set(
        Hit.objects.filter(marketplace=scan.marketplace, item__in=[each.listing.item for each in batch]).values_list(
            "item", flat=True
        )
    )
    wanted = [
        each
        for each in batch
        if each.listing.item in known or any(said.decided.measure != "none" for said in each.verdicts)
    ]
    sellers = sorted({each.listing.seller for each in wanted})
    Seller.objects.bulk_create(
        [Seller(marketplace=scan.marketplace, number=each, seen_at=at) for each in sellers], ignore_conflicts=True
    )
    done = keep(scan.marketplace, wanted, marks=scan.marks, at=at, scan=scan.pk, source="scan") if wanted else None
    return len(done.new) if done else 0


def _rule_counts(done: manifest.Done) -> Mapping[tuple[str, str], tuple[int, int, int]]:
    """The engine's counts of versions of rules, as `keep.rule_counts` has them of the feed."""
    counts = done.counts
    asked = [name.removeprefix("asked:") for name in counts if name.startswith("asked:")]
    told = {
        each: (counts[f"asked:{each}"], counts.get(f"fired:{each}", 0), counts.get(f"alone:{each}", 0))
        for each in asked
    }
    return {(rule, version): three for each, three in told.items() for rule, _, version in [each.partition(":")]}


def _make_peers(scan: Scan) -> None:
    """What prices and stocks are usual in this stock, for the feed: the very numbers that the scan judged with."""
    from chopmark.watch.engine.work import SIGNALS  # noqa: PLC0415 (loads what reads Parquet)
    from chopmark.watch.prices import encode  # noqa: PLC0415 (as above)

    counted = folder_of(scan.number) / SIGNALS
    if counted.is_file():
        known = parse_known(counted.read_bytes())
        write_whole(judging.peers_path(scan.marketplace.name), encode(known.peers))


def _forget_facts(scan: Scan) -> None:
    """What the first pass counted of a scan that is over, and had no time to add up: contacts of people are in it."""
    shutil.rmtree(folder_of(scan.number) / "census", ignore_errors=True)


def _fail(scan: Scan, error: PlatformError, at: datetime) -> None:
    _forget_facts(scan)
    Scan.objects.filter(pk=scan.pk).exclude(state__in=OVER).update(
        state="failed", ended_at=at, trouble=error.code[:64], facts=dict(error.facts)
    )
