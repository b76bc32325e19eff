"""`/api/v1/rights`: file rights, read them and their history, license them, ask who may sell and who may act; mandates.

A record stands here as it stands in the events on the ledger: the members of `rights.record.Record`, dates as days,
digests in hexadecimal, nothing that has its default. Errors name the member that is wrong.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable
from datetime import UTC, date, datetime
from http import HTTPStatus
from typing import Annotated, Any, Literal
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from ninja import Query, Router
from pydantic import AwareDatetime, Field

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.base.wording import Language, say
from chopmark.people.actor import Actor
from chopmark.rights import encoding
from chopmark.rights.actions import customs, dispute, file, interest, mandate, verify
from chopmark.rights.answers import Reason
from chopmark.rights.imports import smd_files
from chopmark.rights.queries import registry
from chopmark.rights.record import Difference, Party
from chopmark.web.api import schemas
from chopmark.web.api.auth import MEMBERS
from chopmark.web.api.deposits import IdempotencyKey, _once
from chopmark.web.api.shown import answer, deposit, moment, page
from chopmark.web.downloads import COSE, TLOG_PROOF, attachment
from chopmark.web.errors import language_of

router = Router(tags=["Rights"], auth=MEMBERS)
mandates = Router(tags=["Mandates"], auth=MEMBERS)

Trouble: dict[Any, Any] = {frozenset({400, 401, 403, 404, 409, 413, 422, 429, 503}): schemas.Problem}
Made: dict[Any, Any] = {201: dict[str, Any], **Trouble}
Shown: dict[Any, Any] = {200: dict[str, Any], **Trouble}
Bytes: dict[Any, Any] = {200: None, **Trouble}

Territory = Annotated[str, Field(max_length=8, description="A country or region by WIPO ST.3, for example CN, DE, EU.")]
Class = Annotated[str, Field(max_length=40, description="A Nice class by its number, or `cn_subclass:2501`.")]
Codes = Annotated[list[Annotated[str, Field(max_length=253)]], Field(max_length=300)]
Day = date | None


class PaperIn(schemas.Strict):
    """A paper: a finished upload, or a deposit whose file is kept."""

    kind: str = Field(max_length=40, description="certificate, renewal, assignment, licence, mandate, ...")
    upload: UUID | None = None
    deposit: UUID | None = None
    language: str = Field("", max_length=16)


class RightIn(schemas.Strict):
    """A right to file."""

    record: dict[str, Any] = Field(description="What is claimed; see the guide of rights for its members.")
    papers: list[PaperIn] = Field(default_factory=list, max_length=50)
    organisation: UUID | None = Field(None, description="A client's, where you have its mandate.")
    draft: bool = Field(default=False, description="Keep it as a draft instead of handing it in.")


class RecordIn(schemas.Strict):
    """Another record for the same right."""

    record: dict[str, Any]
    version: int | None = Field(None, ge=1, le=2**31, description="The version that you saw; refused when it moved.")


class PapersIn(schemas.Strict):
    """Papers to put beside a right."""

    papers: list[PaperIn] = Field(min_length=1, max_length=50)


class ReasonIn(schemas.Strict):
    """Why."""

    reason: str = Field("", max_length=500)


class VerifyIn(schemas.Strict):
    """By what to verify: the office's record that is kept here, a code from its letter, or a signed mark."""

    code: str = Field("", max_length=64, description="The code that came to the address in the register.")
    signed: str = Field("", pattern=schemas.BASE64, max_length=2_000_000, description="A signed mark, in base64.")


class LicenceIn(schemas.Strict):
    """A licence, or an authorised seller; what is left out is as wide as what it hangs on."""

    party: dict[str, Any] = Field(description="`name`, and `country`, `identifiers`, `also` where known.")
    role: str = Field(max_length=32, description="licensee, licensee_exclusive or authorised_seller, ...")
    organisation: UUID | None = Field(None, description="The party's organisation here.")
    granted_by: str = Field("", max_length=40, description="Id of the licence that it hangs on.")
    territories: Codes = Field(default_factory=list)
    classes: Codes = Field(default_factory=list)
    channels: Codes = Field(default_factory=list)
    quantity: int | None = Field(None, ge=1, le=2**53 - 1, strict=True)
    share: str = Field("", max_length=40)
    since: Day = None
    until: Day = Field(None, description="The first day on which it no longer counts.")
    recorded_at_office: bool = False


class OnIn(schemas.Strict):
    """From which day; today when left out."""

    on: Day = None


class AssignIn(OnIn):
    """To whom a right goes."""

    party: dict[str, Any]
    organisation: UUID | None = None
    classes: Codes = Field(default_factory=list, description="All of them when empty.")
    recorded_at_office: bool = False


class RenewIn(schemas.Strict):
    """Until when."""

    expiry_date: date


class CustomsIn(schemas.Strict):
    """A recordal with a customs authority."""

    authority: Territory
    number: str = Field(max_length=64)
    since: Day = None
    until: Day = None
    authorised: list[dict[str, Any]] = Field(default_factory=list, max_length=500)


class DisputeIn(schemas.Strict):
    """Something that puts a right in question."""

    kind: str = Field(max_length=40)
    effect: Literal["none", "suspend", "limit"] = "suspend"
    forum: str = Field("", max_length=200)
    number: str = Field("", max_length=100)
    opened_on: Day = None
    territories: Codes = Field(default_factory=list)
    other: str = Field("", max_length=300)


class CloseIn(OnIn):
    """How it ended."""

    outcome: str = Field("", max_length=300)


class MandateIn(schemas.Strict):
    """What an agent may do."""

    agent: UUID
    powers: list[Annotated[str, Field(max_length=16)]] = Field(
        min_length=1, max_length=6, description="file, notice, withdraw, settle, sue, customs."
    )
    territories: Codes = Field(default_factory=list)
    rights: list[Annotated[str, Field(max_length=40)]] = Field(default_factory=list, max_length=1000)
    since: Day = None
    until: Day = None
    paper: PaperIn | None = None


class Asked(schemas.Strict):
    """A place, a class, a day and a seller."""

    territory: Territory
    cls: Class = Field("", alias="class")
    on: Day = Field(None, description="Today when left out.")
    seller: UUID | None = Field(None, description="The seller's organisation here.")
    seller_name: str = Field("", max_length=300, description="The seller's name, where it has none here.")
    channel: str = Field("", max_length=253, description="The marketplace.")


class AskedToAct(Asked):
    """What somebody wants to do."""

    power: Literal["file", "notice", "withdraw", "settle", "sue", "customs"] = "notice"
    parallel: bool = Field(default=False, description="The goods are said to be genuine, from another market.")


# ---- rights ----------------------------------------------------------------------------------------------------------


@router.post("", operation_id="file_right", summary="File a right", response=Made)
def create(request: HttpRequest, body: RightIn, key: IdempotencyKey = None) -> HttpResponse:
    """Its events are on the ledger from here on; what it is claimed to be is not yet verified."""

    def work() -> HttpResponse:
        new = file.NewRight(
            record=encoding.parse_record(body.record),
            papers=_papers(body.papers),
            organisation=body.organisation,
            submit=not body.draft,
        )
        made = file.file_right(new, by=_actor(request), at=clock.now())
        response = answer(_right(made), HTTPStatus.CREATED)
        response["Location"] = f"/api/v1/rights/{made.number}"
        return response

    return _once(request, key, work, permission="file_rights")


@router.get("", operation_id="list_rights", summary="List rights", response=Shown)
def listing(  # noqa: PLR0917 (ninja reads the parameters of a call from here)
    request: HttpRequest,
    q: Annotated[str, Query(max_length=200, description="Words of the title, or a number in any form.")] = "",
    kind: Annotated[str, Query(max_length=16)] = "",
    state: Annotated[str, Query(max_length=16)] = "",
    office: Annotated[str, Query(max_length=8)] = "",
    cls: Annotated[str, Query(alias="class", max_length=32)] = "",
    territory: Annotated[str, Query(max_length=8)] = "",
    organisation: Annotated[UUID | None, Query(description="Of one client, for an agent.")] = None,
    after: Annotated[str, Query(max_length=24, description="Short number of the last right already seen.")] = "",
    limit: Annotated[int, Query(ge=1, le=registry.MAX_PAGE)] = 50,
) -> HttpResponse:
    """Newest first: your organisation's, and those of clients whose mandates let you see them."""
    filters = registry.Filters(
        q=q, kind=kind, state=state, office=office, cls=cls, territory=territory, organisation=organisation
    )
    found = registry.rights_of(_actor(request), filters, at=clock.now(), after=after, limit=limit)
    body = {"items": [_right(each) for each in found.items], "counts": dict(found.counts)}
    return page(request, body, found.next)


@router.get("/reminders", operation_id="list_reminders", summary="What comes due", response=Shown)
def reminders(request: HttpRequest) -> HttpResponse:
    """Renewals, last months to renew, declarations of use, licences and recordals that end; the next first."""
    found = registry.reminders_of(_actor(request), at=clock.now())
    return answer({"items": [_reminder(each) for each in found]})


@router.get("/portfolio", operation_id="get_portfolio", summary="Your clients, for an agent", response=Shown)
def portfolio(request: HttpRequest) -> HttpResponse:
    """Clients whose mandates are in force, and how many of their rights you may see."""
    found = registry.portfolio_of(_actor(request), at=clock.now())
    return answer(
        {
            "items": [
                {
                    "organisation": {"id": str(each.organisation_id), "name": each.name},
                    "rights": each.rights,
                    "mandates": [encoding.encode(one) for one in each.mandates],
                }
                for each in found
            ]
        }
    )


@router.get("/{which}", operation_id="get_right", summary="A right", response=Shown)
def get(
    request: HttpRequest,
    which: str,
    as_of: Annotated[AwareDatetime | None, Query(description="As it was known then; with an offset or Z.")] = None,
) -> HttpResponse:
    """By id, by short number, or by an office's number in any form where only one of yours has it."""
    found = registry.right_of(_actor(request), which, at=clock.now(), as_of=_moment(as_of))
    language = language_of(request)
    told = _right(found.summary) | {
        "organisation": {"id": str(found.summary.organisation_id), "name": found.organisation_name},
        "as_of": moment(found.as_of),
        "verification": _verification(found, language),
        "interests": [encoding.encode(each) for each in found.right.interests],
        "customs": [encoding.encode(each) for each in found.right.customs],
        "disputes": [encoding.encode(each) for each in found.right.disputes],
        "papers": [
            {
                "id": str(each.id),
                "kind": each.kind,
                "sha-256": each.sha256.hex(),
                "size": each.size,
                "file_name": each.file_name,
                "media_type": each.media_type,
                "language": each.language,
                "deposit": str(each.deposit_id),
                "added_at": clock.to_text(each.added_at),
            }
            for each in found.papers
        ],
        "reminders": [_reminder(each) for each in found.reminders],
    }
    return answer(told)


@router.put("/{which}/record", operation_id="amend_right", summary="Change what is claimed", response=Shown)
def amend(request: HttpRequest, which: str, body: RecordIn) -> HttpResponse:
    """A change of what was verified takes the right back to checking."""
    record = encoding.parse_record(body.record)
    return answer(_right(file.amend(which, record, by=_actor(request), at=clock.now(), version=body.version)))


@router.post("/{which}/papers", operation_id="add_papers", summary="Add papers", response=Shown)
def papers(request: HttpRequest, which: str, body: PapersIn) -> HttpResponse:
    """One that is there already stays as it is."""
    return answer(_right(file.add_papers(which, _papers(body.papers), by=_actor(request), at=clock.now())))


@router.post("/{which}/submit", operation_id="submit_right", summary="Hand it in for checking", response=Shown)
def submit(request: HttpRequest, which: str) -> HttpResponse:
    """A draft, or a right that was incorrect and has been corrected."""
    return answer(_right(file.submit(which, by=_actor(request), at=clock.now())))


@router.post("/{which}/withdraw", operation_id="withdraw_right", summary="Take it out of use", response=Shown)
def withdraw(request: HttpRequest, which: str, body: ReasonIn) -> HttpResponse:
    """For ever; its history stays."""
    return answer(_right(file.withdraw(which, by=_actor(request), at=clock.now(), reason=body.reason)))


@router.post("/{which}/verify", operation_id="verify_right", summary="Verify it", response=Shown)
def verified(request: HttpRequest, which: str, body: VerifyIn) -> HttpResponse:
    """With nothing said: compare it with the office's record that is kept here, and say what differs."""
    by, at = _actor(request), clock.now()
    if body.signed:
        trust = smd_files.load(settings.CHOPMARK_HOME / smd_files.FOLDER)
        if trust is None:
            raise Invalid("imports.smd_unjudged")
        verify.verify_signed(which, _decoded(body.signed), trust, by=by, at=at)
    elif body.code:
        verify.show_control(which, body.code, by=by, at=at)
    else:
        verify.verify_against(which, by=by, at=at)
    return get(request, which)


@router.post("/{which}/renew", operation_id="renew_right", summary="Note its renewal", response=Shown)
def renew(request: HttpRequest, which: str, body: RenewIn) -> HttpResponse:
    """It counts once the office's record says so too."""
    return answer(_right(verify.renew(which, body.expiry_date, by=_actor(request), at=clock.now())))


# ---- history ---------------------------------------------------------------------------------------------------------


@router.get("/{which}/events", operation_id="list_right_events", summary="Its history", response=Shown)
def events(request: HttpRequest, which: str) -> HttpResponse:
    """Every change, oldest first; each has its receipt."""
    found = registry.events_of(_actor(request), which, at=clock.now())
    here = f"/api/v1/rights/{which}/events"
    return answer(
        {
            "items": [
                {
                    "seq": each.seq,
                    "type": each.type,
                    "at_law": _day(each.at_law),
                    "recorded_at": clock.to_text(each.recorded_at),
                    "payload": dict(each.payload),
                    "state": each.state,
                    "level": each.level,
                    "sha-256": each.sha256.hex(),
                    "deposit": str(each.deposit_id),
                    "by": None if each.by is None else str(each.by),
                    "links": {"document": f"{here}/{each.seq}", "deposit": f"{here}/{each.seq}/deposit"},
                }
                for each in found
            ]
        }
    )


@router.get("/{which}/events/{seq}", operation_id="get_right_event", summary="An event's bytes", response=Bytes)
def event(request: HttpRequest, which: str, seq: int) -> HttpResponse:
    """Canonical JSON, as its digest is on the ledger."""
    data = registry.event_document(_actor(request), which, seq, at=clock.now())
    return _file(data, "application/json", f"{which}-{seq}.json")


@router.get(
    "/{which}/events/{seq}/deposit", operation_id="get_right_event_deposit", summary="Its deposit", response=Shown
)
def event_deposit(request: HttpRequest, which: str, seq: int) -> HttpResponse:
    """How far its way onto the ledger it is."""
    found = registry.deposit_of_event(_actor(request), which, seq, at=clock.now())
    here = f"/api/v1/rights/{which}/events/{seq}"
    told = deposit(found)
    told["links"] = {"self": f"{here}/deposit", "document": here}
    if found.position is not None:
        told["links"] |= {
            "receipt.tlog-proof": f"{here}/receipt.tlog-proof",
            "receipt.cose": f"{here}/receipt.cose",
            "entry": f"/explorer/entries/{found.position}",
        }
    return answer(told)


@router.get(
    "/{which}/events/{seq}/receipt.tlog-proof",
    operation_id="get_right_receipt_tlog_proof",
    summary="An event's receipt as tlog-proof",
    response=Bytes,
)
def receipt_tlog_proof(request: HttpRequest, which: str, seq: int) -> HttpResponse:
    """It proves that these bytes existed by then, and verifies offline."""
    receipt = registry.receipt_of(_actor(request), which, seq, at=clock.now())
    return _file(receipt.tlog_proof(), TLOG_PROOF, f"{which}-{seq}.tlog-proof")


@router.get(
    "/{which}/events/{seq}/receipt.cose",
    operation_id="get_right_receipt_cose",
    summary="An event's receipt as COSE",
    response=Bytes,
)
def receipt_cose(request: HttpRequest, which: str, seq: int) -> HttpResponse:
    """A transparent statement (RFC 9943)."""
    receipt = registry.receipt_of(_actor(request), which, seq, at=clock.now())
    return _file(receipt.transparent_statement(), COSE, f"{which}-{seq}.cose")


# ---- licences, assignments, customs, disputes ------------------------------------------------------------------------


@router.post("/{which}/licences", operation_id="license_right", summary="Grant a licence", response=Made)
def license_(request: HttpRequest, which: str, body: LicenceIn, key: IdempotencyKey = None) -> HttpResponse:
    """Its territories, classes, channels and days lie within those of what it hangs on."""

    def work() -> HttpResponse:
        new = interest.NewInterest(
            party=encoding.parse_party(body.party),
            role=body.role,
            granted_by=body.granted_by,
            organisation=body.organisation,
            territories=tuple(body.territories),
            classes=tuple(body.classes),
            channels=tuple(body.channels),
            quantity=body.quantity,
            share=body.share,
            since=body.since,
            until=body.until,
            recorded_at_office=body.recorded_at_office,
        )
        made = interest.license(which, new, by=_actor(request), at=clock.now())
        return answer(_right(made) | {"licence": encoding.encode(made.right.interests[-1])}, HTTPStatus.CREATED)

    return _once(request, key, work, permission="file_rights")


@router.post("/{which}/licences/{licence}/end", operation_id="end_licence", summary="End a licence", response=Shown)
def end_licence(request: HttpRequest, which: str, licence: str, body: OnIn) -> HttpResponse:
    """Those that hang on it end with it."""
    return answer(_right(interest.end_interest(which, licence, by=_actor(request), at=clock.now(), on=body.on)))


@router.post("/{which}/assign", operation_id="assign_right", summary="Assign it", response=Shown)
def assign(request: HttpRequest, which: str, body: AssignIn, key: IdempotencyKey = None) -> HttpResponse:
    """For good; the new owner finds a draft that is verified anew in their name."""

    def work() -> HttpResponse:
        made = interest.assign(
            which,
            encoding.parse_party(body.party),
            by=_actor(request),
            at=clock.now(),
            on=body.on,
            organisation=body.organisation,
            classes=tuple(body.classes),
            recorded_at_office=body.recorded_at_office,
        )
        return answer(_right(made))

    return _once(request, key, work, permission="file_rights")


@router.post("/{which}/customs", operation_id="record_customs", summary="Note a customs recordal", response=Made)
def record_customs(request: HttpRequest, which: str, body: CustomsIn, key: IdempotencyKey = None) -> HttpResponse:
    """One of the same authority and number is replaced."""

    def work() -> HttpResponse:
        new = customs.NewRecordal(
            authority=body.authority,
            number=body.number,
            since=body.since,
            until=body.until,
            authorised=tuple(encoding.parse_party(each) for each in body.authorised),
        )
        made = customs.record_customs(which, new, by=_actor(request), at=clock.now())
        return answer(
            _right(made) | {"customs": [encoding.encode(each) for each in made.right.customs]}, HTTPStatus.CREATED
        )

    return _once(request, key, work, permission="file_rights")


@router.post("/{which}/customs/{recordal}/end", operation_id="end_customs", summary="End a recordal", response=Shown)
def end_customs(request: HttpRequest, which: str, recordal: str, body: OnIn) -> HttpResponse:
    """Today unless another day is named."""
    return answer(_right(customs.end_customs(which, recordal, by=_actor(request), at=clock.now(), on=body.on)))


@router.post("/{which}/disputes", operation_id="open_dispute", summary="Note a dispute", response=Made)
def open_dispute(request: HttpRequest, which: str, body: DisputeIn, key: IdempotencyKey = None) -> HttpResponse:
    """What puts your right in question; it is suspended, or limited, while that is open."""

    def work() -> HttpResponse:
        new = dispute.NewDispute(
            kind=body.kind,
            effect=body.effect,
            forum=body.forum,
            number=body.number,
            opened_on=body.opened_on,
            territories=tuple(body.territories),
            other=body.other,
        )
        made = dispute.open_dispute(which, new, by=_actor(request), at=clock.now())
        return answer(_right(made) | {"dispute": encoding.encode(made.right.disputes[-1])}, HTTPStatus.CREATED)

    return _once(request, key, work, permission="file_rights")


@router.post(
    "/{which}/disputes/{number}/close", operation_id="close_dispute", summary="Close a dispute", response=Shown
)
def close_dispute(request: HttpRequest, which: str, number: str, body: CloseIn) -> HttpResponse:
    """Only one that you reported yourselves."""
    made = dispute.close_dispute(which, number, body.outcome, by=_actor(request), at=clock.now(), on=body.on)
    return answer(_right(made))


@router.get("/{which}/conflicts", operation_id="list_conflicts", summary="Rights of others in the sign", response=Shown)
def conflicts(request: HttpRequest, which: str) -> HttpResponse:
    """Verified rights of other owners in the same sign, and where both have effect."""
    found = registry.conflicts_of(_actor(request), which, at=clock.now())
    return answer(
        {
            "items": [
                {"number": each.number, "owners": list(each.owners), "territories": list(each.territories)}
                for each in found
            ]
        }
    )


# ---- may he sell here? may we act? -----------------------------------------------------------------------------------


@router.post("/{which}/may-sell", operation_id="may_sell", summary="May he sell here?", response=Shown)
def may_sell(request: HttpRequest, which: str, body: Asked) -> HttpResponse:
    """Yes, no or unknown, with the reasons in your language and the chain of grants, from the seller's up."""
    sale = registry.sale_of(
        _actor(request),
        which,
        territory=body.territory,
        at=clock.now(),
        on=body.on,
        seller=body.seller,
        party=_party(body.seller_name),
        cls=body.cls,
        channel=body.channel,
    )
    return answer(
        {
            "may": sale.value,
            "reasons": reasons(sale.reasons, language_of(request)),
            "chain": [encoding.encode(each) for each in sale.chain],
        }
    )


@router.post("/{which}/may-act", operation_id="may_act", summary="May you base a measure on it?", response=Shown)
def may_act(request: HttpRequest, which: str, body: AskedToAct) -> HttpResponse:
    """Yes, no or unknown, and the countries that a measure may reach: those of the right, never all."""
    decision = registry.decision_of(
        _actor(request),
        which,
        territory=body.territory,
        cls=body.cls,
        at=clock.now(),
        on=body.on,
        power=body.power,
        seller=body.seller,
        seller_party=_party(body.seller_name),
        channel=body.channel,
        parallel=body.parallel,
    )
    return answer(
        {
            "may": decision.may,
            "reasons": reasons(decision.reasons, language_of(request)),
            "limits": list(decision.limits),
            "disputes": len(decision.disputes),
        }
    )


# ---- mandates --------------------------------------------------------------------------------------------------------


@mandates.get("", operation_id="list_mandates", summary="Mandates given and had", response=Shown)
def list_mandates(request: HttpRequest) -> HttpResponse:
    """Newest first."""
    return answer({"items": [_mandate(each) for each in registry.mandates_of(_actor(request), at=clock.now())]})


@mandates.post("", operation_id="give_mandate", summary="Give a mandate", response=Made)
def give_mandate(request: HttpRequest, body: MandateIn, key: IdempotencyKey = None) -> HttpResponse:
    """Let another organisation act for yours, as soon as it accepts."""

    def work() -> HttpResponse:
        new = mandate.NewMandate(
            agent=body.agent,
            powers=frozenset(body.powers),
            territories=tuple(body.territories),
            rights=tuple(body.rights),
            since=body.since,
            until=body.until,
            paper=None if body.paper is None else _papers([body.paper])[0],
        )
        return answer(_mandate(mandate.give_mandate(new, by=_actor(request), at=clock.now())), HTTPStatus.CREATED)

    return _once(request, key, work, permission="file_rights")


@mandates.post("/{mandate_id}/accept", operation_id="accept_mandate", summary="Accept a mandate", response=Shown)
def accept_mandate(request: HttpRequest, mandate_id: UUID) -> HttpResponse:
    """For an owner of the agent, in a session: until then the mandate has no effect."""
    return answer(_mandate(mandate.accept_mandate(mandate_id, by=_actor(request), at=clock.now())))


@mandates.post("/{mandate_id}/revoke", operation_id="revoke_mandate", summary="End a mandate", response=Shown)
def revoke_mandate(request: HttpRequest, mandate_id: UUID, body: OnIn) -> HttpResponse:
    """The principal revokes it, or the agent refuses it or lays it down."""
    return answer(_mandate(mandate.revoke_mandate(mandate_id, by=_actor(request), at=clock.now(), on=body.on)))


# ---- as JSON ---------------------------------------------------------------------------------------------------------


def reasons(found: Iterable[Reason], language: Language) -> list[dict[str, Any]]:
    """Reasons with their sentences."""
    return [
        {
            "code": each.code,
            "value": each.value,
            "facts": dict(each.facts),
            "sentence": say(each.code, each.facts, language),
        }
        for each in found
    ]


def differences(found: Iterable[Difference], language: Language) -> list[dict[str, Any]]:
    """What a comparison found, with the sentence of each rule."""
    return [
        {
            "field": each.field,
            "claimed": each.claimed,
            "found": each.found,
            "verdict": each.verdict,
            "rule": each.rule,
            "sentence": say(f"rules.difference_{each.rule}" if each.rule else "rules.verdict_equal", {}, language),
        }
        for each in found
    ]


def _verification(found: registry.RightDetail, language: Language) -> dict[str, Any] | None:
    checked = found.right.verification
    if checked is None:
        return None
    return {
        "level": checked.level,
        "method": checked.method,
        "at": clock.to_text(checked.at),
        "source": None if checked.source is None else encoding.encode(checked.source),
        "differences": differences(checked.differences, language),
    }


def _right(each: registry.RightSummary) -> dict[str, Any]:
    here = f"/api/v1/rights/{each.number}"
    return {
        "id": str(each.id),
        "number": each.number,
        "title": each.title,
        "state": each.state,
        "level": each.level,
        "version": each.version,
        "record": encoding.encode(each.record),
        "created_at": clock.to_text(each.made_at),
        "changed_at": clock.to_text(each.changed_at),
        "verified_at": moment(each.verified_at),
        "links": {"self": here, "page": f"/rights/{each.number}", "events": f"{here}/events"},
    }


def _reminder(each: registry.ReminderSummary) -> dict[str, Any]:
    return {
        "right": each.number,
        "title": each.title,
        "kind": each.kind,
        "due": each.due.isoformat(),
        "subject": each.subject,
    }


def _mandate(each: registry.MandateSummary) -> dict[str, Any]:
    return {
        **encoding.encode(each.mandate),
        "principal_name": each.principal_name,
        "agent_name": each.agent_name,
        "in_force": each.in_force,
        "offered": each.offered,
        "created_at": clock.to_text(each.made_at),
    }


def _moment(given: datetime | None) -> datetime | None:
    try:
        return None if given is None else given.astimezone(UTC)
    except OverflowError:  # the last hours of the year 9999, or the first of the year 1, elsewhere
        raise Refused("rights.not_found") from None


def _papers(given: Iterable[PaperIn]) -> tuple[file.NewPaper, ...]:
    return tuple(
        file.NewPaper(kind=each.kind, upload=each.upload, deposit=each.deposit, language=each.language)
        for each in given
    )


def _party(name: str) -> Party | None:
    return Party(name=name.strip()) if name.strip() else None


def _day(value: date | None) -> str | None:
    return None if value is None else value.isoformat()


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        raise Invalid("imports.not_base64") from None


def _file(data: bytes, content_type: str, name: str) -> HttpResponse:
    response = HttpResponse(data, content_type=content_type)
    response["Content-Disposition"] = attachment(name)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-store"
    return response


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.auth  # type: ignore[attr-defined]  # set by ninja from MEMBERS
    return actor
