"""`/api/v1/listings:batch` and `/api/v1/watch`: listings in; hits, decisions, scans, rules and figures out.

The same actions as the pages. A program pushes listings and reads everything; what a hit is, a person says: calls that
decide need a session, and a key is refused (`watch.person_needed`). Marketplaces, measures and marks: `watch_markets`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Path, Query, Router, Schema
from pydantic import Field

from chopmark.base import clock, jcs
from chopmark.base.errors import Invalid, PlatformError
from chopmark.base.wording import Language, catalogue, say
from chopmark.watch import listing as listings
from chopmark.watch.actions import hand_over, review, rules, scan
from chopmark.watch.actions.push import Pushed, push_listings
from chopmark.watch.actions.review import Many, Opinion, Said
from chopmark.watch.doors import batch
from chopmark.watch.queries import decisions, figures, hits, queue, scans
from chopmark.watch.queries import rules as rules_kept
from chopmark.watch.queries.decisions import Decided
from chopmark.watch.queries.figures import Line, Share
from chopmark.watch.queries.hits import Filters, HitStory, HitSummary
from chopmark.watch.queries.rules import RuleSummary
from chopmark.watch.queries.scans import ScanSummary
from chopmark.watch.rules.rule import Rule, encode_rule, parse_rule
from chopmark.web.api import problems, schemas
from chopmark.web.api.auth import MEMBERS, caller
from chopmark.web.api.shown import answer, moment, page
from chopmark.web.api.watch_markets import After, measure_shown
from chopmark.web.downloads import TLOG_PROOF, ReceiptForm, attachment
from chopmark.web.errors import language_of

listed = Router(tags=["Listings"], auth=MEMBERS)
router = Router(tags=["Watch"], auth=MEMBERS)

Trouble: dict[Any, Any] = {frozenset({400, 401, 403, 404, 409, 413, 415, 422, 429, 503}): schemas.Problem}
Shown: dict[Any, Any] = {200: dict[str, Any], **Trouble}
Made: dict[Any, Any] = {201: dict[str, Any], **Trouble}


class Listed(Schema):
    """Some things, in order."""

    items: list[dict[str, Any]]


Several: dict[Any, Any] = {200: Listed, **Trouble}
Name = Annotated[str, Query(max_length=40, description="Short name of a marketplace.")]
Short = Annotated[str, Query(max_length=40)]
Limit = Annotated[int, Query(ge=1, le=hits.MAX_PAGE)]
Place = Annotated[int, Path(ge=0, lt=2**31)]
Taken = Annotated[int, Query(ge=0, lt=2**31, description="`place` of the last one already seen.")]
Days = Annotated[int, Query(ge=1, le=figures.MAX_DAYS)]


class DecisionIn(schemas.Strict):
    """What a person says of a hit."""

    answer: Literal["confirm", "dismiss", "skip"]
    why: str = Field(
        "",
        max_length=32,
        description="counterfeit, wrongful_use, copied_picture or design confirm; genuine, licensed, descriptive, "
        "other_class, other_territory, common_word, not_the_mark or unclear dismiss.",
    )
    note: str = Field("", max_length=2000, description="For your own organisation.")
    measure: Literal["", "hold", "takedown"] = Field("", description="What a confirmation asks of the marketplace.")

    def opinion(self) -> Opinion:
        """As the action takes it."""
        return Opinion(answer=self.answer, why=self.why, note=self.note, measure=self.measure)


class DecisionsIn(DecisionIn):
    """The same answer to many hits."""

    hits: list[Annotated[str, Field(max_length=40)]] = Field(min_length=1, max_length=review.MAX_MANY)


class ScanIn(schemas.Strict):
    """A stock to scan."""

    marketplace: str = Field(max_length=40)
    source: str = Field("*.parquet", max_length=300, description="Pattern below the marketplace's folder.")
    runner: str = Field("native", max_length=220, description="native, or a Ray cluster that the operator named.")


class RuleIn(schemas.Strict):
    """A rule, or a new version of one, as the guide of rules has it."""

    rule: dict[str, Any] = Field(
        description="id, zh, en, reason, action, condition, scope, flags_a_day, needed, expires, positive, negative."
    )


class RuleStateIn(schemas.Strict):
    """A step in the life of a rule."""

    state: Literal["shadow", "live", "stopped"]
    version: int | None = Field(None, ge=1, le=2**31 - 1, description="Its number; the newest when left out.")
    why: str = Field("", max_length=64, description="For `stopped`.")


# ---- listings in -----------------------------------------------------------------------------------------------------


_LISTING = {
    "type": "object",
    "description": "item, version, seller, title; description, brand, price, currency, category, classes, territories, "
    "pictures, gtin, stock, url, contact, listed_at, changed_at. What cannot be read is left out and flagged.",
}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["listings"],
                    "properties": {
                        "listings": {"type": "array", "maxItems": listings.MAX_BATCH, "items": _LISTING},
                    },
                }
            }
        },
    }
}


@listed.post(
    "/listings:batch",
    operation_id="push_listings",
    summary="Push listings of a marketplace",
    response=Shown,
    openapi_extra=_BODY,
)
def push(request: HttpRequest, marketplace: Name) -> HttpResponse:
    """Up to 1000, to be judged within seconds; the answers stand in their order, each for itself.

    The same version of an item again is `known` and changes nothing, so a batch may be sent again after any failure;
    the same version with other content is refused. 429 with `Retry-After` when too many wait.
    """
    language = language_of(request)
    rows = batch.rows_of(request.content_type or "", request.body)
    told: list[dict[str, Any]] = [_refused(Invalid("watch.push_row"), language) for _ in rows]
    good = [(place, each) for place, each in enumerate(rows) if isinstance(each, dict)]
    answers = push_listings(marketplace, [each for _, each in good], by=caller(request), at=clock.now())
    for (place, _), each in zip(good, answers, strict=True):
        told[place] = _pushed(each, language)
    states = [each["state"] for each in told]
    counts = {name: states.count(name) for name in ("accepted", "known", "older", "refused")}
    return answer({"items": told, **counts})


def _pushed(each: Pushed | PlatformError, language: Language) -> dict[str, Any]:
    if isinstance(each, PlatformError):
        return _refused(each, language)
    return {"state": each.state, "item": each.item, "version": each.version}


def _refused(error: PlatformError, language: Language) -> dict[str, Any]:
    return {"state": "refused", "error": problems.problem_of(error, language)}


# ---- hits ------------------------------------------------------------------------------------------------------------


@router.get("/hits", operation_id="list_hits", summary="Hits", response={200: dict[str, Any], **Trouble})
def found(  # noqa: PLR0917 (ninja reads the parameters of a call from here)
    request: HttpRequest,
    state: Short = "",
    marketplace: Name = "",
    seller: Annotated[str, Query(max_length=listings.MAX_ID)] = "",
    right: Annotated[str, Query(max_length=40, description="Number of a right.")] = "",
    rule: Short = "",
    outcome: Annotated[Literal["", "watch", "review", "hold", "takedown"], Query()] = "",
    since: Annotated[date | None, Query()] = None,
    after: After = "",
    limit: Limit = 50,
) -> HttpResponse:
    """On your marketplaces, and of your rights anywhere; newest first. A hit is a suspicion.

    `count` is how many fit, up to 10,000.
    """
    wanted = Filters(
        state=state, marketplace=marketplace, seller=seller, right=right, rule=rule, outcome=outcome, since=since
    )
    some = hits.hits_of(caller(request), wanted, after=after, limit=limit)
    return page(request, {"items": [_hit(each) for each in some.items], "count": some.total}, some.next)


@router.get("/hits/{which}", operation_id="get_hit", summary="One hit, by id or number", response=Shown)
def one(request: HttpRequest, which: str) -> HttpResponse:
    """With what was found where, the feature row that the rules saw, reasons, measures and history."""
    return answer(_story(hits.hit_of(caller(request), which), language_of(request)))


@router.get(
    "/hits/{which}/decisions", operation_id="list_decisions", summary="Decisions on a hit, proven", response=Several
)
def decided(request: HttpRequest, which: str, after: Taken = 0, limit: Limit = 50) -> HttpResponse:
    """Oldest first: each record, and once it stands in a sheet (within ten minutes) its proof, sheet and receipt.

    No person is named. `chopmark watch prove` checks a proof with its sheet without the platform.
    """
    some = decisions.decisions_of(caller(request), which, after=after, limit=limit)
    items = [_decided(each, some.number) for each in some.items]
    return page(request, {"items": items}, str(some.next or ""))


@router.get(
    "/hits/{which}/decisions/{sheet}/receipt.tlog-proof",
    operation_id="get_sheet_receipt",
    summary="Receipt of a sheet of decisions",
    response={200: None, **Trouble},
)
def sheet_receipt(request: HttpRequest, which: str, sheet: str) -> HttpResponse:
    """For whoever may see the hit; 409 until the sheet is on the ledger."""
    form = ReceiptForm(form=TLOG_PROOF)
    data = form.write(decisions.sheet_receipt(caller(request), which, sheet))
    response = HttpResponse(data, content_type=form.media_type)
    response["Content-Disposition"] = attachment(f"{sheet[:24]}.{form.ending}")
    response["Cache-Control"] = "private, no-store"
    return response


@router.post("/hits/{which}/decision", operation_id="decide_hit", summary="Decide a hit", response=Shown)
def decide(request: HttpRequest, which: str, body: DecisionIn) -> HttpResponse:
    """By a person. A takedown needs two of them where the marketplace wants it so: the first answer moves it on."""
    return answer(_said(review.decide_hit(which, body.opinion(), by=caller(request), at=clock.now())))


@router.post("/hits/{which}/undo", operation_id="undo_hit", summary="Take a decision back", response=Shown)
def undo(request: HttpRequest, which: str) -> HttpResponse:
    """By who made it, or an owner; what was sent to the marketplace is restored."""
    return answer(_said(review.undo(which, by=caller(request), at=clock.now())))


@router.post("/hits/{which}/matter", operation_id="open_hit_matter", summary="Open a matter", response=Made)
def matter(request: HttpRequest, which: str) -> HttpResponse:
    """A matter about the hit, with a capture of its page; a second time the matter that it has."""
    made = hand_over.hit_to_matter(which, by=caller(request), at=clock.now())
    told = {
        "matter": str(made.matter),
        "number": made.matter_number,
        "capture": str(made.capture) if made.capture else None,
        "links": {"matter": f"/api/v1/matters/{made.matter}", "page": f"/matters/{made.matter}"},
    }
    return answer(told, HTTPStatus.CREATED)


@router.post("/decisions", operation_id="decide_hits", summary="Decide many hits", response=Shown)
def decide_many(request: HttpRequest, body: DecisionsIn) -> HttpResponse:
    """The same answer to each, by a person; `batch` takes all of them back."""
    done = review.decide_many(body.hits, body.opinion(), by=caller(request), at=clock.now())
    return answer(_many(done, language_of(request)))


@router.post("/decisions/{made}/undo", operation_id="undo_hits", summary="Take many decisions back", response=Shown)
def undo_many(request: HttpRequest, made: UUID) -> HttpResponse:
    """Each where it still stands."""
    return answer(_many(review.undo_many(made, by=caller(request), at=clock.now()), language_of(request)))


@router.get("/queue", operation_id="get_queue", summary="What waits for a person", response=Shown)
def waiting(request: HttpRequest, limit: Limit = 20) -> HttpResponse:
    """How much, since when, and the most urgent."""
    told = queue.queue_of(caller(request), at=clock.now(), limit=limit)
    return answer(
        {
            "waiting": dict(told.waiting),
            "claimed": told.claimed,
            "audits": told.audits,
            "oldest": moment(told.oldest),
            "items": [_hit(each) for each in told.next],
        }
    )


# ---- scans -----------------------------------------------------------------------------------------------------------


@router.get("/scans", operation_id="list_scans", summary="Scans", response=Several)
def scanned(request: HttpRequest, limit: Annotated[int, Query(ge=1, le=scans.MAX_PAGE)] = 50) -> HttpResponse:
    """Newest first, with how far they are."""
    return answer({"items": [_scan(each) for each in scans.scans_of(caller(request), limit=limit)]})


@router.post("/scans", operation_id="start_scan", summary="Scan a stock", response=Made)
def start(request: HttpRequest, body: ScanIn) -> HttpResponse:
    """Taken up within seconds; look again to see how far it is. Needs an owner's session."""
    new = scan.NewScan(marketplace=body.marketplace, source=body.source, runner=body.runner)
    return answer(_scan(scan.start_scan(new, by=caller(request), at=clock.now())), HTTPStatus.CREATED)


@router.get("/scans/{which}", operation_id="get_scan", summary="One scan, by id or number", response=Shown)
def one_scan(request: HttpRequest, which: str) -> HttpResponse:
    """How far it is; once over, the root over its results, and the deposit that carries it."""
    return answer(_scan(scans.scan_of(caller(request), which)))


@router.post("/scans/{which}/stop", operation_id="stop_scan", summary="Stop a scan", response=Shown)
def stop(request: HttpRequest, which: str) -> HttpResponse:
    """What was taken over stays."""
    return answer(_scan(scan.stop_scan(which, by=caller(request), at=clock.now())))


@router.get(
    "/scans/{which}/proofs/{partition}/{row}", operation_id="prove_result", summary="Prove one result", response=Shown
)
def prove(request: HttpRequest, which: str, partition: Place, row: Place) -> HttpResponse:
    """A row of a scan with its way up to the root, and the scan's statement, whose digest was deposited.

    410 once the files of its results were let go (`let_go_at` of the scan).
    """
    proof, content = scans.proof_of(caller(request), which, partition, row)
    return answer({"proof": jcs.decode(proof), "statement": jcs.decode(content)})


# ---- rules -----------------------------------------------------------------------------------------------------------


@router.get("/rules", operation_id="list_rules", summary="Rules", response=Several)
def rule_list(request: HttpRequest) -> HttpResponse:
    """Your organisation's, by name."""
    return answer({"items": [_rule(each) for each in rules_kept.rules_of(caller(request))]})


@router.post("/rules", operation_id="propose_rule", summary="Propose a rule", response=Made)
def propose(request: HttpRequest, body: RuleIn) -> HttpResponse:
    """A draft, or a new version; its digest goes on the ledger. The same text again changes nothing."""
    made = rules.propose_rule(_read_rule(body.rule), by=caller(request), at=clock.now())
    return answer(_rule(made), HTTPStatus.CREATED)


@router.get("/rules/{name}", operation_id="get_rule", summary="One rule", response=Shown)
def one_rule(request: HttpRequest, name: str) -> HttpResponse:
    """With its versions, what was done with it, and how often it fired."""
    told = rules_kept.rule_of(caller(request), name)
    ringing = told.trial_ringing(clock.now().date())
    return answer(
        {
            **_rule(told.summary),
            "trial_alarm": {"code": ringing.code, "facts": dict(ringing.facts)} if ringing is not None else None,
            "versions": [
                {
                    "version": each.seq,
                    "sha-256": each.sha256.hex(),
                    "deposit": str(each.deposit) if each.deposit else None,
                    "rule": jcs.decode(each.text.encode()),
                    "made_at": clock.to_text(each.made_at),
                }
                for each in told.versions
            ],
            "changes": [
                {
                    "version": each.seq,
                    "state": each.state,
                    "why": each.why,
                    "facts": dict(each.facts),
                    "at": clock.to_text(each.at),
                }
                for each in told.changes
            ],
            "days": [
                {
                    "day": each.day.isoformat(),
                    "version": each.seq,
                    "seen": each.seen,
                    "fired": each.fired,
                    "alone": each.alone,
                }
                for each in told.counts
            ],
        }
    )


@router.post("/rules/{name}/state", operation_id="move_rule", summary="Shadow, publish or stop a rule", response=Shown)
def move(request: HttpRequest, name: str, body: RuleStateIn) -> HttpResponse:
    """`shadow` only counts; `live` proposes measures; `stopped` does neither. Hits that it found stay.

    A version that is let into its shadow while another one is in force counts beside it, as `trial`.
    """
    by, at = caller(request), clock.now()
    if body.state == "stopped":
        return answer(_rule(rules.stop_rule(name, by=by, at=at, why=body.why)))
    step = rules.shadow_rule if body.state == "shadow" else rules.publish_rule
    return answer(_rule(step(name, by=by, at=at, seq=body.version)))


@router.delete("/rules/{name}/trial", operation_id="end_trial", summary="End a rule's trial", response=Shown)
def end_trial(
    request: HttpRequest, name: str, version: Annotated[int | None, Query(ge=1, le=2**31 - 1)] = None
) -> HttpResponse:
    """What counts beside the version in force counts no more; that one goes on. `version` is the one that is meant."""
    return answer(_rule(rules.end_trial(name, by=caller(request), at=clock.now(), seq=version)))


# ---- figures ---------------------------------------------------------------------------------------------------------


@router.get("/figures", operation_id="get_figures", summary="Figures", response=Shown)
def told(
    request: HttpRequest,
    days: Days = 30,
    by: Annotated[Literal["", "right", "class", "seller", "territory", "rule", "marketplace"], Query()] = "",
) -> HttpResponse:
    """Scanned, flagged, confirmed, removed, how fast, how often wrong with its bound; `by` cuts them."""
    actor, at = caller(request), clock.now()
    board = figures.dashboard(actor, at=at, days=days)
    lines = figures.cut_by(actor, by, at=at, days=days) if by else ()
    return answer(
        {
            "since": board.since.isoformat(),
            "scanned": board.scanned,
            "waiting": board.waiting,
            "total": _line(board.total),
            "false_flags": _share(board.false_flags),
            "wrong_measures": _share(board.wrong_measures),
            "missed": _share(board.missed),
            "median_hours": board.median_hours,
            "p95_hours": board.p95_hours,
            "within_day": board.within_day,
            "days": [
                {"day": each.day.isoformat(), "scanned": each.scanned, "flagged": each.flagged, "removed": each.removed}
                for each in board.days
            ],
            "by": by,
            "lines": [_line(each) for each in lines],
        }
    )


# ---- as JSON ---------------------------------------------------------------------------------------------------------


def _read_rule(said: Mapping[str, Any]) -> Rule:
    """A rule of JSON; the order of its members and how its condition is spaced do not matter."""
    try:
        return parse_rule(jcs.encode({**said, "condition": _plain(said.get("condition"))}))
    except (TypeError, ValueError) as error:
        raise Invalid("watch.rule_malformed", field="") from error


def _plain(condition: object) -> object:
    from chopmark.watch.rules.language import parse  # noqa: PLC0415 (loads the parser of conditions)

    return parse(condition).text if isinstance(condition, str) else condition


def _hit(each: HitSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "number": each.number,
        "state": each.state,
        "marketplace": each.marketplace,
        "item": each.item,
        "version": each.version,
        "seller": each.seller,
        "title": each.title,
        "right": each.right_number,
        "work": each.work or None,
        "outcome": each.outcome,
        "score": each.score,
        "priority": each.priority,
        "keys": list(each.keys),
        "rules": [{"rule": name, "sha-256": version} for name, version in each.rules],
        "measure": each.measure or None,
        "automatic": each.automatic,
        "found_at": clock.to_text(each.found_at),
        "changed_at": clock.to_text(each.changed_at),
        "decided_at": moment(each.decided_at),
        "removed_at": moment(each.removed_at),
        "links": {"self": f"/api/v1/watch/hits/{each.number}", "page": f"/watch/hits/{each.number}"},
    }


def _decided(each: Decided, number: str) -> dict[str, Any]:
    receipt = f"/api/v1/watch/hits/{number}/decisions/{each.sheet}/receipt.tlog-proof"
    return {
        "place": each.place,
        "step": each.step,
        "at": clock.to_text(each.at),
        "record": jcs.decode(each.record),
        "sheet": each.sheet or None,
        "proof": jcs.decode(each.proof) if each.proof else None,
        "statement": jcs.decode(each.content) if each.content else None,
        "deposit": str(each.deposit) if each.deposit else None,
        "links": {"receipt": receipt if each.deposit else None},
    }


def _story(each: HitStory, language: Language) -> dict[str, Any]:
    return {
        **_hit(each.summary),
        "listing": jcs.decode(listings.encode(each.listing)),
        "found": dict(each.found),
        "features": dict(each.features),
        "reasons": [_reason(code, facts, language) for code, facts in each.reasons],
        "marks": each.marks,
        "why": each.why or None,
        "wanted": each.wanted or None,
        "scan": str(each.scan) if each.scan else None,
        "matter": each.matter_number or None,
        "seller_hits": dict(each.seller_hits),
        "measures": [measure_shown(one, language) for one in each.measures],
        "history": [
            {
                "kind": one.kind,
                "before": one.before,
                "after": one.after,
                "facts": dict(one.facts),
                "at": clock.to_text(one.at),
                "sheet": one.sheet or None,
            }
            for one in each.history
        ],
    }


def _reason(code: str, facts: Mapping[str, Any], language: Language) -> dict[str, Any]:
    sentence = say(code, facts, language) if code in catalogue() else ""
    return {"code": code, "facts": dict(facts), "sentence": sentence}


def _said(each: Said) -> dict[str, Any]:
    return {"number": each.number, "state": each.state}


def _many(each: Many, language: Language) -> dict[str, Any]:
    failed = [{"hit": number, "error": problems.problem_of(error, language)} for number, error in each.failed]
    return {"batch": str(each.batch), "done": [_said(one) for one in each.done], "failed": failed}


def _scan(each: ScanSummary) -> dict[str, Any]:
    return {
        "id": str(each.id),
        "number": each.number,
        "marketplace": each.marketplace,
        "source": each.source,
        "runner": each.runner,
        "marks": each.marks,
        "rules": each.rules,
        "state": each.state,
        "trouble": {"code": each.trouble, "facts": dict(each.facts)} if each.trouble else None,
        "partitions": each.partitions,
        "partitions_counted": each.counted,
        "partitions_done": each.partitions_done,
        "scanned": each.scanned,
        "found": each.found,
        "rate": each.rate,
        "remaining": each.remaining,
        "root": each.root.hex() if each.root else None,
        "deposit": str(each.deposit) if each.deposit else None,
        "made_at": clock.to_text(each.made_at),
        "started_at": moment(each.started_at),
        "ended_at": moment(each.ended_at),
        "let_go_at": moment(each.let_go_at),
        "links": {"self": f"/api/v1/watch/scans/{each.number}", "page": f"/watch/scans/{each.number}"},
    }


def _rule(each: RuleSummary) -> dict[str, Any]:
    return {
        "name": each.name,
        "state": each.state,
        "version": each.version,
        "sha-256": each.rule.version,
        "why": each.why or None,
        "changed_at": clock.to_text(each.changed_at),
        "rule": jcs.decode(encode_rule(each.rule)),
        "trial": None
        if each.trial is None
        else {
            "version": each.trial.seq,
            "sha-256": each.trial.rule.version,
            "rule": jcs.decode(encode_rule(each.trial.rule)),
        },
    }


def _line(each: Line) -> dict[str, Any]:
    return {name: getattr(each, name) for name in _LINE}


def _share(each: Share) -> dict[str, Any]:
    return {"wrong": each.wrong, "of": each.of, "share": each.share, "at_most": each.at_most}


_LINE: Iterable[str] = tuple(Line.__dataclass_fields__)
