"""`chopmark watch`: scans, listings from files, searches backwards, rules, hits and marks of this machine's home.

    scan      over files of listings, in this process's children, or by the watcher where one runs
    feed      listings of files go the way of the feed
    reverse   which listings of scanned stocks hold a name
    rules, backtest, hits, measures, sellers, marks, card
    decisions, prove    decisions on a hit with their proofs; a proof checked without a platform

The same actions as the pages; whoever holds the machine acts as an owner of its organisation.
"""

from __future__ import annotations

import fcntl
import time
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from cyclopts import Parameter
from cyclopts.validators import Number
from rich.table import Table
from rich.text import Text

from chopmark.base import clock, jcs
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.cli import files
from chopmark.cli.home import home, use_platform
from chopmark.cli.output import PLAIN, Common, out, print_json, progress, say
from chopmark.cli.status import DONE, FAILED
from chopmark.cli.words import text

if TYPE_CHECKING:
    from chopmark.cli.output import Bar
    from chopmark.people.actor import Actor
    from chopmark.watch.marks import Mark
    from chopmark.watch.queries.decisions import Decided
    from chopmark.watch.queries.hits import HitSummary
    from chopmark.watch.queries.marketplaces import SellerSummary
    from chopmark.watch.queries.measures import MeasureSummary
    from chopmark.watch.queries.rules import RuleSummary
    from chopmark.watch.queries.scans import ScanSummary
    from chopmark.watch.rules.rule import RuleSet

LOOK: Final = 0.5  # seconds between looks at a scan
PATIENCE: Final = 600  # times that a full inbox is waited for, a few seconds each
MAX_RULES: Final = 4_000_000  # bytes of a file of rules
MAX_SHOWN: Final = 1_000
MAX_SHEET: Final = 1 << 16  # bytes of a sheet of decisions
MAX_PROOF: Final = 1 << 20  # bytes of a proof

Limit = Annotated[int, Parameter(validator=Number(gte=1), help=text("cli.watch.limit"))]
Organisation = Annotated[str | None, Parameter(help=text("cli.option.organisation"))]
Marketplace = Annotated[str, Parameter(help=text("cli.watch.marketplace"))]


def scan_command(
    marketplace: Marketplace,
    source: Annotated[str, Parameter(help=text("cli.watch.source"))] = "",
    /,
    *,
    runner: Annotated[str, Parameter(help=text("cli.watch.runner"))] = "native",
    wait: Annotated[bool, Parameter(help=text("cli.watch.wait"))] = True,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Scan Parquet files of listings: those given, or the marketplace's own. 1 when it did not come to its end."""
    by = _actor(organisation)
    from chopmark.watch.actions.scan import NewScan, start_scan  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.watch.queries.scans import scan_of  # noqa: PLC0415

    new = NewScan(marketplace=marketplace, source=source or "*.parquet", runner=runner)
    told = start_scan(new, by=by, at=clock.now(), anywhere=bool(source), any_cluster=True)
    if wait:
        _carried(by, told, common)
        told = scan_of(by, told.number)
    if common.json:
        print_json(_scan(told))
    else:
        facts = {"number": told.number, "state": text(f"cli.state.scan_{told.state}")}
        say("cli.watch.scanned", common, **facts, scanned=told.scanned, found=told.found)
        if told.trouble:
            say("cli.watch.trouble", common, trouble=text(told.trouble, **dict(told.facts)))
    return FAILED if wait and told.state != "done" else DONE


def feed_command(
    marketplace: Marketplace,
    files: Annotated[list[str], Parameter(help=text("cli.watch.files"))],
    /,
    *,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Put listings of files into the marketplace's inbox; waits while it is full. 1 when any was refused."""
    by = _actor(organisation)
    from django.conf import settings  # noqa: PLC0415 (the framework is set up only now)

    from chopmark.watch.doors import files as doors  # noqa: PLC0415 (as above)

    within = settings.CHOPMARK_WATCH_STORAGE
    counts = dict.fromkeys(("accepted", "known", "older", "refused"), 0)
    for file in (each for name in files for each in doors.named(name, within=within)):
        rows = iter(doors.read(file, doors.kind_of(file), within=within))
        while batch := list(islice(rows, _MOST)):
            good = [each for each in batch if each is not None]
            counts["refused"] += len(batch) - len(good)
            for state in _pushed(marketplace, good, by):
                counts[state] += 1
    if common.json:
        print_json(counts)
    else:
        say("cli.watch.fed", common, **counts)
    return FAILED if counts["refused"] else DONE


def reverse_command(
    names: Annotated[list[str], Parameter(help=text("cli.watch.names"))],
    /,
    *,
    stock: Annotated[list[str] | None, Parameter(help=text("cli.watch.stock"))] = None,
    limit: Limit = 100,
    common: Common = PLAIN,
) -> int:
    """Show listings of scanned stocks that hold a name, plainly or in disguise; 1 when there is none."""
    use_platform()
    from chopmark.watch import wiring  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.watch.engine.reverse import reverse  # noqa: PLC0415

    places = stock or [str(wiring.folder("scans") / "*" / "stock" / "part-*.parquet")]
    rows = [
        {
            "marketplace": each.marketplace,
            "item": each.item,
            "version": each.version,
            "seller": each.seller,
            "title": each.title,
            "term": each.hits[0].term,
            "view": each.hits[0].view,
        }
        for each in islice(reverse(places, _marks(names)), limit)
    ]
    _shown(rows, ("marketplace", "item", "seller", "term", "view", "title"), common)
    return DONE if rows else FAILED


def rules_command(
    name: Annotated[str, Parameter(help=text("cli.watch.rule"))] = "",
    /,
    *,
    propose: Annotated[Path | None, Parameter(help=text("cli.watch.propose"))] = None,
    to: Annotated[Literal["shadow", "live", "stopped"] | None, Parameter(help=text("cli.watch.to"))] = None,
    end_trial: Annotated[bool, Parameter(negative="", help=text("cli.watch.end_trial"))] = False,
    default: Annotated[bool, Parameter(negative="", help=text("cli.watch.default"))] = False,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show rules, or one with its condition; propose those of a file, adopt those that ship, move one on."""
    by = _actor(organisation)
    from chopmark.watch.actions import rules  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.watch.queries.rules import rule_of, rules_of  # noqa: PLC0415

    if (to is not None or end_trial) and not name:
        raise Refused("cli.watch.rule_missing")
    at = clock.now()
    if default:
        shown: Sequence[RuleSummary] = rules.adopt_default_rules(by=by, at=at)
    elif propose is not None:
        shown = [rules.propose_rule(each, by=by, at=at) for each in _read_rules(propose).rules]
    elif end_trial:
        shown = [rules.end_trial(name, by=by, at=at)]
    elif to == "stopped":
        shown = [rules.stop_rule(name, by=by, at=at)]
    elif to is not None:
        shown = [(rules.shadow_rule if to == "shadow" else rules.publish_rule)(name, by=by, at=at)]
    elif name:
        shown = [rule_of(by, name).summary]
    else:
        shown = rules_of(by)
    rows = [
        {
            "name": each.name,
            "state": each.state,
            "version": each.version,
            "trial": each.trial.seq if each.trial is not None else None,
            "action": each.rule.action,
            "sha-256": each.rule.version,
            "condition": each.rule.condition.text,
        }
        for each in shown
    ]
    columns = ("name", "state", "version", "trial", "action", "condition")
    worded = [_worded({**each, "trial": each["trial"] or ""}, state="rule", action="action") for each in rows]
    _shown(rows if common.json else worded, columns, common)
    return DONE


def backtest_command(
    results: Annotated[list[str] | None, Parameter(help=text("cli.watch.results"))] = None,
    /,
    *,
    rules: Annotated[Path | None, Parameter(help=text("cli.watch.rules_file"))] = None,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Count what rules would have flagged in the results of scans, and against the version in force: +1,204 -35.

    Without a file each version that counts in the shadow beside one in force is compared with that one.
    """
    by = _actor(organisation)
    from chopmark.watch import wiring  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.watch.queries.rules import rules_in  # noqa: PLC0415
    from chopmark.watch.queries.scans import scans_of  # noqa: PLC0415
    from chopmark.watch.rules.backtest import backtest, backtest_trials  # noqa: PLC0415

    kept = rules_in(by.organisation_id)
    asked = _read_rules(rules) if rules is not None else kept
    scans = scans_of(by)
    gone = [each.number for each in scans if each.let_go_at is not None]
    if gone and not results:
        say("cli.watch.left_out", common, scans=", ".join(gone))
    own = [wiring.folder("scans") / each.number / "results" for each in scans]
    files = results or [str(each / "part-*.parquet") for each in own if any(each.glob("part-*.parquet"))]
    if not files:
        raise Invalid("watch.backtest_unreadable", problem="no results")
    before = {each.id: each for each in kept.standing} if rules is not None else None
    counted = [(each, before is not None) for each in backtest(files, asked.standing, before=before)]
    counted += [(each, True) for each in backtest_trials(files, asked)]
    rows = [
        {
            "rule": each.rule,
            "rows": each.rows,
            "flagged": each.flagged,
            "licensed": each.licensed,
            "alone": each.alone,
            "difference": each.difference if compared else "",
            "sha-256": each.version,
        }
        for each, compared in counted
    ]
    _shown(rows, ("rule", "rows", "flagged", "licensed", "alone", "difference"), common)
    return DONE


def hits_command(
    number: Annotated[str, Parameter(help=text("cli.watch.hit"))] = "",
    /,
    *,
    state: Annotated[
        Literal["open", "second", "contested", "watched", "confirmed", "dismissed", "released", "gone"] | None,
        Parameter(help=text("cli.watch.state")),
    ] = None,
    marketplace: Annotated[str, Parameter(help=text("cli.watch.marketplace"))] = "",
    right: Annotated[str, Parameter(help=text("cli.watch.right"))] = "",
    limit: Limit = 100,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show hits, newest first, or one with why it was flagged; 1 when there is none. A hit is a suspicion."""
    by = _actor(organisation)
    from chopmark.watch.queries.hits import Filters, hit_of, hits_of  # noqa: PLC0415 (the framework is set up only now)

    if number:
        story = hit_of(by, number)
        told = {
            **_hit(story.summary),
            "found": dict(story.found),
            "reasons": [{"code": code, "sentence": text(code, **_in_words(facts))} for code, facts in story.reasons],
            "features": {name: value for name, value in story.features.items() if value not in (None, 0, False, "")},
        }
        if common.json:
            print_json(told)
            return DONE
        _table([_hit_row(_hit(story.summary))], _HIT)
        for sentence in told["reasons"]:
            out().print(Text(f"- {seen(sentence['sentence'])}"))
        for each in story.found.get("texts", ()):
            read = getattr(story.listing, each["field"])[each["start"] : each["end"]]
            field, view = text(f"cli.state.field_{each['field']}"), text(f"cli.state.view_{each['view']}")
            line = text("cli.watch.read", field=field, read=seen(read), term=seen(each["term"]), view=view)
            out().print(Text(f"  {line}"))
        for each in story.found.get("pictures", ()):
            stage = text(f"cli.state.stage_{each['stage']}")
            work = each["work"] or story.summary.right_number
            facts = {"place": each["picture"] + 1, "stage": stage, "work": work, "score": each["score"]}
            out().print(Text(f"  {text('cli.watch.pictured', **facts)}"))
        return DONE
    wanted = Filters(state=state or "", marketplace=marketplace, right=right)

    def page(after: str, size: int) -> tuple[list[dict[str, Any]], str]:
        found = hits_of(by, wanted, after=after, limit=size)
        return [_hit(each) if common.json else _hit_row(_hit(each)) for each in found.items], found.next

    return _listed(page, _HIT, limit, common)


def decisions_command(
    number: Annotated[str, Parameter(help=text("cli.watch.hit"))],
    /,
    *,
    save: Annotated[Path | None, Parameter(help=text("cli.watch.save"))] = None,
    limit: Limit = 100,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show what was decided of a hit, oldest first, and save the proofs; 1 when nothing was decided."""
    by = _actor(organisation)
    from chopmark.watch.queries.decisions import decisions_of  # noqa: PLC0415 (the framework is set up only now)

    if save is not None:
        save.mkdir(parents=True, exist_ok=True)

    def page(after: str, size: int) -> tuple[list[dict[str, Any]], str]:
        found = decisions_of(by, number, after=int(after or 0), limit=size)
        if save is not None:
            _save(by, found.number, found.items, save)
        rows = [_decided(each) for each in found.items]
        return [each if common.json else _decided_row(each) for each in rows], str(found.next or "")

    return _listed(page, ("place", "step", "by", "why", "action", "at", "sheet"), limit, common)


def prove_command(
    proof: Annotated[Path, Parameter(help=text("cli.watch.proof"))],
    sheet: Annotated[Path, Parameter(help=text("cli.watch.sheet"))],
    /,
    *,
    common: Common = PLAIN,
) -> int:
    """Check that a decision stands in a sheet, by these two files alone; `chopmark verify` checks the sheet's receipt.

    Asks no platform, no home and no network.
    """
    from chopmark.watch.decisions import Proof, Sheet, check  # noqa: PLC0415 (loads more than other commands need)

    stated = Sheet.parse(files.read(sheet, MAX_SHEET))
    record = check(Proof.parse(files.read(proof, MAX_PROOF)), stated)
    if common.json:
        print_json({"record": record, "sheet": stated.number, "root": stated.root.hex()})
        return DONE
    facts = {"number": seen(record["number"]), "place": record["place"], "sheet": seen(stated.number)}
    say("cli.watch.proven", common, **facts, root=stated.root.hex())
    _table([_decided_row(_record_row(record, stated.number))], ("place", "step", "by", "why", "action", "at", "sheet"))
    return DONE


def measures_command(
    marketplace: Marketplace,
    /,
    *,
    state: Annotated[
        Literal["waiting", "done", "refused", "cancelled"] | None, Parameter(help=text("cli.watch.measure_state"))
    ] = None,
    limit: Limit = 100,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show what a marketplace was asked for, newest first, with its answers; 1 when there is nothing."""
    by = _actor(organisation)
    from chopmark.watch.queries.measures import measures_of  # noqa: PLC0415 (the framework is set up only now)

    def page(after: str, size: int) -> tuple[list[dict[str, Any]], str]:
        found = measures_of(by, marketplace, state=state or "", after=after, limit=size)
        rows = map(_measure, found.items)
        return [each if common.json else _worded(each, kind="action", state="measure") for each in rows], found.next

    return _listed(page, ("kind", "state", "hit", "item", "seller", "tries", "trouble"), limit, common)


def sellers_command(
    marketplace: Marketplace,
    words: Annotated[str, Parameter(help=text("cli.watch.seller_words"))] = "",
    /,
    *,
    limit: Limit = 100,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show a marketplace's sellers by their numbers, with what persons made of their hits; 1 when there is none."""
    by = _actor(organisation)
    from chopmark.watch.queries.sellers import sellers_in_order  # noqa: PLC0415 (the framework is set up only now)

    def page(after: str, size: int) -> tuple[list[dict[str, Any]], str]:
        found = sellers_in_order(by, marketplace, q=words, after=after, limit=size)
        return list(map(_seller, found.items)), found.next

    return _listed(page, ("number", "name", "organisation", "confirmed", "dismissed"), limit, common)


def marks_command(
    *,
    make: Annotated[bool, Parameter(negative="", help=text("cli.watch.make"))] = False,
    right: Annotated[str, Parameter(help=text("cli.watch.right"))] = "",
    aliases: Annotated[list[str] | None, Parameter(name="--alias", help=text("cli.watch.alias"))] = None,
    distinctiveness: Annotated[int | None, Parameter(help=text("cli.watch.distinctiveness"))] = None,
    near: Annotated[bool | None, Parameter(help=text("cli.watch.near"))] = None,
    well_known: Annotated[bool | None, Parameter(help=text("cli.watch.well_known"))] = None,
    teach: Annotated[Path | None, Parameter(help=text("cli.watch.teach"))] = None,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show the set of marks in use; make it anew; say more of a right's sign; learn of trusted titles."""
    use_platform()
    from chopmark.watch.actions.markset import (  # noqa: PLC0415 (the framework is set up only now)
        describe_mark,
        in_use,
        make_mark_set,
    )

    if right and (aliases, distinctiveness, near, well_known) != (None, None, None, None):
        from chopmark.watch.queries.marks import mark_of  # noqa: PLC0415 (the same)

        by, at = _actor(organisation), clock.now()
        known = mark_of(by, right, at=at)  # what is not said now stays as it was said
        describe_mark(
            known.id,
            by=by,
            at=at,
            aliases=known.aliases if aliases is None else tuple(aliases),
            distinctiveness=known.distinctiveness if distinctiveness is None else distinctiveness,
            near=known.near if near is None else near,
            well_known=known.well_known if well_known is None else well_known,
        )
    if teach is not None:
        from chopmark.watch.actions.teach import read_titles, teach_marks  # noqa: PLC0415 (the same)

        taught = teach_marks(read_titles(teach), by=_actor(organisation), at=clock.now())
        if not common.json:
            say("cli.watch.taught", common, titles=taught.titles, marks=taught.marks)
    told = make_mark_set(at=clock.now()) if make or right or teach is not None else in_use()
    if common.json:
        print_json({"version": told.version, "marks": told.count, "made_at": clock.to_text(told.made_at)})
    else:
        say("cli.watch.marks_in_use", common, count=told.count, version=told.version[:16])
    return DONE


def card_command(
    *,
    learn: Annotated[bool, Parameter(negative="", help=text("cli.watch.learn"))] = False,
    forget: Annotated[bool, Parameter(negative="", help=text("cli.watch.forget"))] = False,
    needed: Annotated[int, Parameter(help=text("cli.watch.needed"))] = 990,
    organisation: Organisation = None,
    common: Common = PLAIN,
) -> int:
    """Show the score card in use; learn it anew of what persons decided; go back to the one that ships."""
    by = _actor(organisation)
    from chopmark.watch.actions.card import card_of, forget_card, learn_card  # noqa: PLC0415 (the framework is set up)
    from chopmark.watch.score import default_card  # noqa: PLC0415 (the same)

    if forget:
        forget_card(by=by)
    learned = learn_card(by=by, at=clock.now(), needed=needed) if learn else card_of(by)
    card = learned.card if learned is not None else default_card()
    if common.json:
        print_json(
            {
                "version": card.version,
                "samples": learned.samples if learned is not None else 0,
                "needed": learned.needed if learned is not None else None,
                "threshold": learned.threshold if learned is not None else None,
                "base": card.base,
                "terms": {each.name: each.points for each in card.terms},
            }
        )
        return DONE
    rows = [{"name": each.name, "points": each.points, "condition": each.condition.text} for each in card.terms]
    _shown([{"name": "base", "points": card.base, "condition": ""}, *rows], ("name", "points", "condition"), common)
    if learned is None:
        say("cli.watch.card_shipped", common)
    elif learned.threshold is None:
        say("cli.watch.card_unproven", common, samples=learned.samples, needed=learned.needed)
    else:
        facts = {"samples": learned.samples, "threshold": learned.threshold, "needed": learned.needed}
        say("cli.watch.card_learned", common, **facts)
    return DONE


# ---- scans -----------------------------------------------------------------------------------------------------------


def _carried(by: Actor, asked: ScanSummary, common: Common) -> None:
    """Carry the scan in this process where no watcher runs, else look until it is over; a bar shows how far it is."""
    from chopmark.watch.actions.scan import OVER, work_scan  # noqa: PLC0415 (the framework is set up)
    from chopmark.watch.queries.scans import scan_of  # noqa: PLC0415

    with _alone() as free, progress(asked.number, 100, common, in_bytes=False) as bar:
        far = Far(bar)
        while (told := scan_of(by, asked.number)).state not in OVER:
            far.show(told)
            if not (free and work_scan(clock=clock.now, tell=lambda: far.show(scan_of(by, asked.number)))):
                time.sleep(LOOK)


class Far:
    """A bar over the passes of a scan, each from nought to a hundred, with its rate."""

    def __init__(self, bar: Bar) -> None:
        self._bar, self._at = bar, 0

    def show(self, told: ScanSummary) -> None:
        """How far it is now."""
        done = (told.counted or 0) if told.counting else told.partitions_done
        now = 100 * done // max(1, told.partitions)
        label = "cli.watch.counting" if told.counting else "cli.watch.scanning"
        self._bar.call(text(label, number=told.number, rate=told.rate))
        self._bar.step(now - self._at)
        self._at = now


@contextmanager
def _alone() -> Iterator[bool]:
    """Whether this process is the home's watcher while inside; the same lock that `chopmark watcher` takes."""
    with (home() / "watcher.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        yield True


# ---- listings --------------------------------------------------------------------------------------------------------

_MOST: Final = 1_000  # listings of one push


def _pushed(marketplace: str, batch: Sequence[Mapping[str, object]], by: Actor) -> Iterator[str]:
    """What became of each; a full inbox is waited for."""
    from chopmark.watch.actions.push import push_listings  # noqa: PLC0415 (the framework is set up)

    for left in range(PATIENCE, -1, -1):
        try:
            answers = push_listings(marketplace, batch, by=by, at=clock.now())
        except Refused as error:
            if error.code != "watch.inbox_full" or not left:
                raise
            time.sleep(float(str(error.facts["retry_after"])))
        else:
            yield from ("refused" if isinstance(each, PlatformError) else each.state for each in answers)
            return


def _marks(names: Iterable[str]) -> tuple[Mark, ...]:
    from chopmark.watch.marks import Mark  # noqa: PLC0415 (only here)

    plain = dict.fromkeys(each.strip() for each in names)
    return tuple(
        Mark(id=place, right=f"name-{place:04}", number="", organisation="", text=each)
        for place, each in enumerate(plain)
    )


def _read_rules(path: Path) -> RuleSet:
    from chopmark.watch.rules.rule import read_toml  # noqa: PLC0415 (loads the parser of conditions)

    try:
        if path.stat().st_size > MAX_RULES:
            raise Refused("cli.file_too_long", path=str(path), limit=MAX_RULES)
        return read_toml(path.read_text("utf-8"))
    except OSError as error:
        raise Refused("cli.file_unreadable", path=str(path), reason=error.strerror or "") from None
    except UnicodeDecodeError as error:
        raise Invalid("watch.rules_toml", problem="UTF-8") from error


# ---- shown -----------------------------------------------------------------------------------------------------------

_HIT: Final = ("number", "state", "outcome", "score", "right", "marketplace", "item", "seller", "title")


def _hit(each: HitSummary) -> dict[str, Any]:
    return {
        "number": each.number,
        "state": each.state,
        "outcome": each.outcome,
        "score": each.score,
        "right": each.right_number,
        "work": each.work or None,
        "marketplace": each.marketplace,
        "item": each.item,
        "version": each.version,
        "seller": each.seller,
        "title": each.title,
        "keys": list(each.keys),
        "rules": [name for name, _ in each.rules],
        "measure": each.measure or None,
        "found_at": clock.to_text(each.found_at),
    }


def _worded(said: Mapping[str, Any], **kinds: str) -> dict[str, Any]:
    """The same for people: codes of these names in words, `state="found"` as `cli.state.found_…`."""
    return {**said, **{name: text(f"cli.state.{kind}_{said[name]}") for name, kind in kinds.items()}}


def _hit_row(said: Mapping[str, Any]) -> dict[str, Any]:
    return _worded(said, state="found", outcome="action")


def _in_words(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts of a reason, with words for those that are codes."""
    kinds = ("action", "view", "stage")
    return {**facts, **{name: text(f"cli.state.{name}_{facts[name] or 'none'}") for name in kinds if name in facts}}


def _decided(each: Decided) -> dict[str, Any]:
    row = _record_row(jcs.decode(each.record), each.sheet)
    return {**row, "deposit": str(each.deposit) if each.deposit else None}


def _record_row(record: Mapping[str, Any], sheet: str) -> dict[str, Any]:
    """A decision's record as a row of a list."""
    kept = ("place", "step", "before", "after", "why", "measure", "in_force", "source", "marks", "rules", "at")
    return {**{name: record[name] for name in kept}, "by": record["who"], "sheet": sheet}


def _decided_row(said: Mapping[str, Any]) -> dict[str, Any]:
    action = text(f"cli.state.action_{said['measure'] or 'none'}")
    return {**_worded(said, step="step", by="by"), "action": action}


def _save(by: Actor, number: str, decided: Iterable[Decided], folder: Path) -> None:
    """Each proof, each sheet and, as far as the log has published it, each sheet's receipt."""
    from chopmark.watch.queries.decisions import sheet_receipt  # noqa: PLC0415 (the framework is set up)

    sheets = {}
    for each in decided:
        if each.proof:
            files.write(folder / f"{number}-{each.place}.json", each.proof, force=False)
            sheets[each.sheet] = each
    for name, each in sheets.items():
        files.write(folder / f"{name}.json", each.content, force=False)
        if each.deposit is not None:
            with suppress(Unavailable):  # not published yet: the same command saves it later
                files.write(
                    folder / f"{name}.json.tlog-proof", sheet_receipt(by, number, name).tlog_proof(), force=True
                )


def _measure(each: MeasureSummary) -> dict[str, Any]:
    return {
        "key": each.key,
        "kind": each.kind,
        "state": each.state,
        "hit": each.hit,
        "item": each.item,
        "seller": each.seller,
        "automatic": each.automatic,
        "tries": each.tries,
        "trouble": text(each.trouble, **dict(each.facts)) if each.trouble else "",
        "deposit": str(each.deposit) if each.deposit else None,
        "made_at": clock.to_text(each.made_at),
        "acknowledged_at": clock.to_text(each.acknowledged_at) if each.acknowledged_at else None,
        "done_at": clock.to_text(each.done_at) if each.done_at else None,
    }


def _seller(each: SellerSummary) -> dict[str, Any]:
    return {
        "number": each.number,
        "name": each.name,
        "organisation": str(each.organisation or ""),
        "confirmed": each.confirmed,
        "dismissed": each.dismissed,
    }


def _listed(
    page: Callable[[str, int], tuple[list[dict[str, Any]], str]], columns: Sequence[str], limit: int, common: Common
) -> int:
    """Show the first rows of a list that is read page by page, at most so many; 1 when there is none."""
    rows: list[dict[str, Any]] = []
    left, after = min(limit, MAX_SHOWN), ""
    while left > len(rows):
        found, after = page(after, min(100, left - len(rows)))
        rows += found
        if not after:
            break
    _shown(rows, columns, common)
    return DONE if rows else FAILED


def _scan(each: ScanSummary) -> dict[str, Any]:
    return {
        "number": each.number,
        "state": each.state,
        "trouble": each.trouble or None,
        "marks": each.marks,
        "rules": each.rules,
        "partitions": each.partitions,
        "scanned": each.scanned,
        "found": each.found,
        "root": each.root.hex() if each.root else None,
        "deposit": str(each.deposit) if each.deposit else None,
    }


def _shown(rows: list[dict[str, Any]], columns: Sequence[str], common: Common) -> None:
    if common.json:
        print_json(rows)
    elif rows:
        _table(rows, columns)
    else:
        say("cli.watch.nothing", common)


def _table(rows: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> None:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(text(f"cli.column.listed_{column}"))
    for row in rows:
        table.add_row(*(Text(seen(str(row[column]))) for column in columns))
    out().print(table)


def seen(said: str) -> str:
    """A text of anybody for a terminal: what would not be seen, or would turn or steer the line, by its code point."""
    return "".join(f"[U+{ord(each):04X}]" if unicodedata.category(each) in _UNSEEN else each for each in said)


_UNSEEN: Final = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})


def _actor(organisation: str | None) -> Actor:
    use_platform()
    from chopmark.cli.embedded import choose  # noqa: PLC0415 (the framework is set up only now)

    return choose(organisation)
