"""Pages of rights: list them, file one, look at one, change it, license it, ask who may sell.

No rule stands here: what is allowed is decided by `rights.actions` and `rights.coverage`; a refusal is shown on the
page it came from, with everything that was typed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core import signing
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.actions.upload import append_upload, start_upload
from chopmark.people.actor import Actor
from chopmark.people.queries import organisation_name
from chopmark.rights import encoding, history, imports, offices
from chopmark.rights.actions import file as filing
from chopmark.rights.actions.file import NewPaper, NewRight
from chopmark.rights.imports import smd_files
from chopmark.rights.queries import registry, signs
from chopmark.rights.queries.registry import EventSummary, Filters, RightDetail, RightSummary
from chopmark.rights.record import Class, Designation, Dispute, Mark, Party, Record, Source
from chopmark.web.context import actor_of, language
from chopmark.web.downloads import TLOG_PROOF, attachment
from chopmark.web.forms.rights import SCHEME_OF, CodeForm, CustomsForm, DisputeForm, PaperForm, RenewForm, RightForm
from chopmark.web.turns import turn
from chopmark.web.views import right_words as words
from chopmark.web.views.casework import tell
from chopmark.web.views.rights_nav import address, rights_nav, texts

PAGE = 50
FILED = "right-filed"
READ_SALT = "chopmark.web.rights.read"
READ_FOR = 7 * 24 * 3600  # seconds that a form may lie before it is sent
MAX_READ = 20_000_000  # bytes of an office's file that the form reads
PAPER_WORDS = {
    "certificate": gettext_lazy("Certificate"),
    "renewal": gettext_lazy("Renewal"),
    "assignment": gettext_lazy("Assignment"),
    "mandate": gettext_lazy("Power of attorney"),
    "identity": gettext_lazy("Proof of identity"),
    "licence": gettext_lazy("Licence"),
    "proof_of_use": gettext_lazy("Proof of use"),
    "translation": gettext_lazy("Translation"),
    "judgment": gettext_lazy("Judgment"),
    "office_file": gettext_lazy("File of the office"),
    "other": gettext_lazy("Other"),
}
END_OF_DAY = time(23, 59, 59, 999999, tzinfo=UTC)


def private(response: HttpResponse) -> HttpResponse:
    """What a page of somebody's own shows is kept by nobody else."""
    response["Cache-Control"] = "private, no-store"
    return response


# ---- the list


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """The organisation's rights and, for an agent, its clients'."""
    actor, after, now = actor_of(request), request.GET.get("after", ""), clock.now()
    chosen = {name: request.GET.get(name, "")[:200] for name in ("q", "kind", "state", "client")}
    clients = {str(each.organisation_id): each.name for each in registry.portfolio_of(actor, at=now)}
    client = UUID(chosen["client"]) if chosen["client"] in clients else None
    page = registry.rights_of(
        actor,
        Filters(q=chosen["q"], kind=chosen["kind"], state=chosen["state"], organisation=client),
        at=clock.now(),
        after=after,
        limit=PAGE,
    )
    kept = request.GET.copy()
    kept.pop("after", None)
    first_query = kept.urlencode()
    kept["after"] = page.next
    return render(
        request,
        "rights/list.html",
        {
            "rights": [
                {
                    **words.row_facts(each.right),
                    "client": clients.get(str(each.organisation_id), ""),
                    "received": was_received(each, actor.organisation_id),
                }
                for each in page.items
            ],
            "clients": list(clients.items()),
            "empty": not page.items and not any(chosen.values()) and not after,
            "chosen": chosen,
            "kinds": words.choices(words.KIND_WORDS),
            "states": words.choices(words.STATE_WORDS),
            "first_query": first_query,
            "next_query": kept.urlencode() if page.next else "",
            "not_first": bool(after),
            "may_file": actor.may("file_rights"),
            "import_url": address("right-import"),
            "rights_nav": rights_nav(request),
        },
    )


# ---- file one


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """File a right: ten fields, filled in from the office's file where there is one."""
    actor = actor_of(request)
    actor.must("file_rights")
    said: dict[str, Any] = {}
    if request.method == "POST" and "read" in request.POST and request.POST["read"] == "1":
        said = _read(request, actor)
        typed = {**request.POST.dict(), **said.get("fields", {})}
        form = RightForm(initial=typed, clients=_clients(actor))
    else:
        form = RightForm(request.POST or None, clients=_clients(actor))
        if request.method == "POST" and form.is_valid():
            try:
                made = filing.file_right(_new_right(form.cleaned_data, actor), by=actor, at=clock.now())
            except (Refused, Invalid, Unavailable) as error:
                form.add_error(None, words.sentence(error))
            else:
                request.session[FILED] = f"right-new.{actor.organisation_id}"
                messages.success(request, _("The right is filed. Its receipt follows within seconds."))
                return redirect("right", made.number)
    response = render(
        request,
        "rights/new.html",
        {
            "form": form,
            "may_read": bool(address("right-read")),
            "read_sentence": said.get("sentence", ""),
            "read_problems": said.get("problems", []),
            "territory_choices": words.territory_choices(),
            "texts": texts(),
        },
        status=422 if form.errors else 200,
    )
    response["Cache-Control"] = "private, no-cache"
    return response


def _clients(actor: Actor) -> list[tuple[str, str]]:
    """Whom an agent may file for now."""
    found = registry.portfolio_of(actor, at=clock.now())
    may = (each for each in found if any("file" in mandate.powers and not mandate.rights for mandate in each.mandates))
    return [(str(each.organisation_id), each.name) for each in may]


def _new_right(typed: Mapping[str, Any], actor: Actor) -> NewRight:
    """What the form says, upon what the file said."""
    basis = _basis(typed["read"], actor)
    record = record_of(typed, basis)
    papers: tuple[NewPaper, ...] = ()
    if typed["paper"] is not None:
        certificate = basis is not None and basis.source.format == "certificate"
        papers = (NewPaper(kind="certificate" if certificate else "office_file", upload=typed["paper"]),)
    client = typed.get("client", "")
    return NewRight(record=record, papers=papers, organisation=UUID(client) if client else None)


def _basis(signed: str, actor: Actor) -> Record | None:
    """The record that a file gave this person, from the form's hidden field; what was tampered with is as empty."""
    if not signed:
        return None
    try:
        return encoding.parse_record(signing.loads(signed, salt=_read_salt(actor), max_age=READ_FOR))
    except (signing.BadSignature, Invalid):
        return None


def _read_salt(actor: Actor) -> str:
    """What was read for one person fills nobody else's form, nor their own for another organisation."""
    return f"{READ_SALT}.{actor.user_id}.{actor.organisation_id}"


def shown_fields(record: Record) -> dict[str, str]:
    """A record as the form's fields."""
    registered = record.status == "registered" or (record.status == "unknown" and bool(record.registration_number))
    granted = record.registration_date if registered else record.application_date
    return {
        "kind": record.kind,
        "name": (record.mark.verbal if record.mark is not None else "") or record.title,
        "office": record.office,
        "status": "registered" if registered else "pending",
        "number": (record.registration_number if registered else "") or record.application_number,
        "classes": ", ".join(dict.fromkeys(each.code for each in record.classes)),
        "owner": record.owners[0].name if record.owners else "",
        "territories": ", ".join(dict.fromkeys(each.territory for each in record.designations)),
        "granted_on": granted.isoformat() if granted is not None else "",
        "expires_on": record.expiry_date.isoformat() if record.expiry_date is not None else "",
    }


def record_of(typed: Mapping[str, Any], basis: Record | None = None) -> Record:
    """The form's fields as a record. What a file said of a field stays where the field was not changed."""
    registered = typed["status"] == "registered"
    record = basis or Record(kind=typed["kind"], source=Source(format="form"))
    before = shown_fields(basis) if basis is not None else {}

    def changed(name: str, value: str) -> bool:
        return basis is None or before[name] != value

    record = replace(record, kind=typed["kind"], office=typed["office"])
    if changed("name", typed["name"]):
        record = _named(record, typed["name"])
    if changed("status", typed["status"]) or basis is None:
        record = replace(record, status="registered" if registered else "pending")
    if changed("number", typed["number"]):
        field = "registration_number" if registered else "application_number"
        record = replace(record, **{field: typed["number"]}, st13="")
    if changed("owner", typed["owner"]):
        record = replace(record, owners=(Party(name=typed["owner"]),))
    if changed("classes", ", ".join(typed["classes"])):
        scheme = SCHEME_OF.get(typed["kind"], "nice")
        kept = {each.code: each for each in record.classes}
        record = replace(
            record, classes=tuple(kept.get(each) or Class(scheme=scheme, code=each) for each in typed["classes"])
        )
    if changed("granted_on", _day(typed["granted_on"])):
        field = "registration_date" if registered else "application_date"
        record = replace(record, **{field: typed["granted_on"]})
    if changed("expires_on", _day(typed["expires_on"])):
        record = replace(record, expiry_date=typed["expires_on"])
    if changed("territories", ", ".join(typed["territories"])) or not record.designations:
        record = replace(record, designations=_designations(typed, record))
    return record


def _day(value: date | None) -> str:
    return value.isoformat() if value is not None else ""


def _named(record: Record, name: str) -> Record:
    """The words, as a mark's or as a title; a mark without words is a figurative one."""
    if record.kind != "trademark":
        return replace(record, title=name)
    mark = record.mark or Mark(feature="word" if name else "figurative")
    return replace(record, title=name, mark=replace(mark, verbal=name))


def _designations(typed: Mapping[str, Any], record: Record) -> tuple[Designation, ...]:
    codes = typed["territories"]
    if not codes and typed["office"]:
        try:
            territory = offices.office(typed["office"]).territory
        except Invalid:
            territory = ""
        codes = (territory,) if territory else ()
    kept = {each.territory: each for each in record.designations}
    via = "madrid" if typed["office"] == "WO" and typed["kind"] == "trademark" else "direct"
    return tuple(
        kept.get(code) or Designation(territory=code, status=record.status, via=via, since=record.registration_date)  # type: ignore[arg-type]  # one of Via
        for code in codes
    )


@require_POST
def read(request: HttpRequest) -> HttpResponse:
    """Read an office's file for the form: fields, and what could not be read."""
    actor = actor_of(request)
    actor.must("file_rights")
    return private(JsonResponse(_read(request, actor), json_dumps_params={"ensure_ascii": False}))


def _read(request: HttpRequest, actor: Actor) -> dict[str, Any]:
    """What the file says, as the form's fields; the file itself is kept as a paper."""
    file: UploadedFile | None = request.FILES.get("office_file")
    if file is None:
        return {"sentence": _("Choose a file."), "problems": []}
    if (file.size or 0) > MAX_READ:
        return {"sentence": _("This file is too large to be read here. Import it instead."), "problems": []}
    try:
        at = clock.now()
        trust = smd_files.load(wiring.home() / smd_files.FOLDER)
        with turn(actor):
            found = imports.read(file.read(), file.name or "", trust=trust, at=at if trust is not None else None)
    except (Refused, Invalid, Unavailable) as error:
        return {"sentence": words.sentence(error), "problems": []}
    problems = [f"{words.place(each.where)}: {words.coded(each.code, each.facts)}" for each in found.problems[:20]]
    if not found.records:
        sentence = _("Nothing could be read from this file. Type the fields; the file can be added as a paper.")
        return {"sentence": sentence, "problems": problems}
    if len(found.records) > 1:
        sentence = _("This file holds %(n)s rights. Import it, or type one of them here.") % {"n": len(found.records)}
        return {"sentence": sentence, "problems": problems}
    record = found.records[0]
    fields = {name: value for name, value in shown_fields(record).items() if value}
    fields["read"] = signing.dumps(encoding.encode(record), salt=_read_salt(actor), compress=True)
    file.seek(0)
    fields["paper"] = str(taken(file, actor, at))
    count = sum(1 for name in fields if name not in {"read", "paper", "status", "kind"})
    sentence = _("Read as %(format)s: %(n)s fields are filled in. Look them over, then file.") % {
        "format": words.in_words(words.FORMAT_WORDS, found.format),
        "n": count,
    }
    return {"sentence": sentence, "problems": problems, "fields": fields}


def taken(file: UploadedFile, actor: Actor, at: datetime) -> UUID:
    """A file that came with a form, as an upload."""
    started = start_upload(
        length=file.size or 0, file_name=file.name or "", file_type=file.content_type or "", by=actor, at=at
    )
    append_upload(started.id, offset=0, chunks=file.chunks(), by=actor, at=at)
    return started.id


# ---- one right


@require_safe
def detail(request: HttpRequest, number: str) -> HttpResponse:
    """One right with everything that belongs to it, now or as of a past day."""
    return page(request, actor_of(request), number)


def own_right_of(actor: Actor, number: str, at: datetime) -> RightDetail:
    """A right of the actor's own organisation; for its agents' pages it is not there.

    Raises:
        Refused: `rights.not_found`; what people's `must` raises.
    """
    found = registry.right_of(actor, number, at=at)
    if found.summary.organisation_id != actor.organisation_id:
        raise Refused("rights.not_found")
    return found


def as_of_day(text: str) -> datetime | None:
    """The last moment of a day, or the moment, that an address names."""
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        try:
            moment = datetime.fromisoformat(text)
            return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise Http404 from error
    return datetime.combine(day, END_OF_DAY)


def page(request: HttpRequest, actor: Actor, number: str, **forms: Any) -> HttpResponse:  # noqa: ANN401 (forms by name)
    """The right's page, with the forms as they came back."""
    now = clock.now()
    as_of = as_of_day(request.GET.get("as_of", ""))
    found = registry.right_of(actor, number, at=now, as_of=as_of)
    right, record = found.right, found.right.record
    on = as_of.date() if as_of is not None else offices.day(record.office, now)
    may_change = as_of is None and actor.may("file_rights")
    events = registry.events_of(actor, found.summary.id, at=now)
    seen = [each for each in events if as_of is None or each.recorded_at <= as_of]
    mine = found.summary.organisation_id == actor.organisation_id
    close_url = reverse("right-dispute-close", args=[right.number]) if may_change and mine else ""
    context = {
        "right": {
            **words.row_facts(right),
            "feature": words.in_words(words.FEATURE_WORDS, record.mark.feature)
            if record.mark is not None and record.mark.feature in words.FEATURE_WORDS
            else "",
        },
        "as_of": as_of,
        "sign_url": reverse("right-sign", args=[right.number]) if signs.sign_of(actor, number, at=now) else "",
        "draft_done": request.session.pop(FILED, "") if request.method == "GET" else "",
        "record": record_facts(record),
        "classes": words.class_facts(record),
        "designations": words.designation_facts(record),
        "map": words.map_of(record, on),
        "grants": words.interest_tree(right.interests, on),
        "verification": verification_facts(found, seen),
        "events": [event_facts(actor, found, each) for each in reversed(seen)],
        "papers": [paper_facts(actor, each) for each in found.papers],
        "disputes": [dispute_facts(each, close_url) for each in right.disputes],
        "customs": [
            {
                "name": words.territory_name(each.authority),
                "number": each.number,
                "since": each.since,
                "until": each.until,
            }
            for each in right.customs
        ],
        "notes": [*received(actor, found), *notes_of(found)],
        "territory_choices": words.territory_choices(),
        "texts": texts(),
        **offered(actor, found, may_change=may_change),
        **forms,
    }
    bound = any(getattr(each, "errors", None) for each in forms.values())
    return private(render(request, "rights/detail.html", context, status=422 if bound else 200))


@dataclass(frozen=True, slots=True)
class Offer:
    """A small form or a link of the page: what it is called in the template, its page, and the event it leads to."""

    name: str
    page: str
    event: str
    own: bool = False  # the holder's organisation only, no agent
    owner: bool = False  # of that organisation, its owners only


OFFERS = (
    Offer("withdraw_url", "right-withdraw", "withdrawn"),
    Offer("paper_url", "right-paper", "paper_added"),
    Offer("customs_url", "right-customs", "customs_recorded"),
    Offer("licence_url", "right-licence", "interest_granted", own=True),
    Offer("assign_url", "right-assign", "assigned", own=True, owner=True),
    Offer("end_url", "right-licence-end", "interest_ended", own=True),
    Offer("dispute_url", "right-dispute", "dispute_opened", own=True),
    Offer("code_url", "right-code", "verified"),
    Offer("renew_url", "right-renew", "renewal_claimed"),
    Offer("sign_form_url", "right-sign-new", "amended"),
    Offer("submit_url", "right-submit", "submitted"),
    Offer("compare_url", "right-compare", "verified"),
    Offer("change_url", "right-change", "amended"),
)


def offered(actor: Actor, found: RightDetail, *, may_change: bool) -> dict[str, Any]:
    """What may be done with a right in its state; the actions decide again."""
    number, record, state = found.right.number, found.right.record, found.right.state
    own = found.summary.organisation_id == actor.organisation_id
    offers: dict[str, Any] = {
        each.name: reverse(each.page, args=[number])
        for each in OFFERS
        if may_change
        and (own or not each.own)
        and (not each.owner or actor.may("manage_members"))
        and state in history.allowed_in(each.event)
    }
    if not record.office:
        offers.pop("compare_url", None)
    if record.expiry_date is None:
        offers.pop("renew_url", None)
    if record.kind != "trademark":
        offers.pop("sign_form_url", None)
    forms: dict[str, tuple[str, Callable[[], object]]] = {
        "paper_form": ("paper_url", paper_form),
        "customs_form": ("customs_url", lambda: CustomsForm(auto_id="customs-%s")),
        "dispute_form": ("dispute_url", lambda: DisputeForm(auto_id="dispute-%s")),
        "code_form": ("code_url", lambda: CodeForm(auto_id="control-%s")),
        "renew_form": ("renew_url", lambda: RenewForm(auto_id="renewed-%s")),
    }
    offers |= {name: make() for name, (url, make) in forms.items() if url in offers}
    return {**offers, "actions": _actions(number, offers)}


def _actions(number: str, offers: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The buttons at the head of the page."""
    actions: list[dict[str, Any]] = []
    if "submit_url" in offers:
        actions.append({"post": True, "first": True, "url": offers["submit_url"], "text": _("Submit for checking")})
    if "compare_url" in offers:
        actions.append(
            {"post": True, "first": True, "url": offers["compare_url"], "text": _("Compare with the office")}
        )
    if "change_url" in offers:
        actions.append({"url": offers["change_url"], "text": _("Correct")})
    actions.append({"url": f"{reverse('right-may')}?right={number}", "text": _("May he sell here?")})
    return actions


def paper_form(*given: Any) -> PaperForm:  # noqa: ANN401 (what Django forms take)
    """The form for one paper."""
    return PaperForm(*given, kinds=words.choices(PAPER_WORDS), auto_id="paper-%s")


def received(actor: Actor, found: RightDetail) -> list[dict[str, str]]:
    """What the new owner is told of a right that was assigned to them and waits for them."""
    if not was_received(found.summary, actor.organisation_id):
        return []
    text = _("%(who)s assigned this right to you. Look it over and submit it: it is verified anew in your name.")
    return [{"tone": "info", "text": text % {"who": organisation_name(found.summary.filed_by) or "?"}}]


def was_received(one: RightSummary, organisation: UUID) -> bool:
    """Whether it is a draft that an assignment made here for this organisation."""
    return (
        one.state == "draft"
        and one.organisation_id == organisation != one.filed_by
        and any(each.role == "assignee" and each.organisation == str(organisation) for each in one.right.interests)
    )


def notes_of(found: RightDetail) -> list[dict[str, str]]:
    """What needs somebody's eye, over the page."""
    notes = [
        {
            "tone": "warning",
            "text": _("%(what)s is due on %(day)s.")
            % {"what": words.in_words(REMINDER_WORDS, each.kind), "day": each.due.isoformat()},
        }
        for each in found.reminders
    ]
    state = found.right.state
    if state == "incorrect":
        text = _("Something differs from the office's record. See the comparison, and correct it.")
        notes.append({"tone": "danger", "text": text})
    if state == "suspended":
        notes.append({"tone": "danger", "text": _("While a dispute suspends it, this right backs no measure.")})
    return notes


REMINDER_WORDS = {
    "renewal": gettext_lazy("The renewal"),
    "grace": gettext_lazy("The end of the grace period"),
    "declaration_of_use": gettext_lazy("The declaration of use"),
    "customs": gettext_lazy("The end of a recordal"),
    "interest": gettext_lazy("The end of a licence"),
}


def record_facts(record: Record) -> list[dict[str, Any]]:
    """The record's facts with the office's codes (INID, ST.60) and its own words beside what was normalised."""
    mark = record.mark
    rows: list[tuple[Any, str, Any, str]] = [
        (_("Office"), "", office_name(record.office), "office"),
        (_("Registration no."), "111", record.registration_number, "registration_number"),
        (_("Application number"), "210", record.application_number, "application_number"),
        ("ST.13", "", record.st13, "st13"),
        (_("Status"), "", words.in_words(words.STATUS_WORDS, record.status), "status"),
        (_("Applied for on"), "220", record.application_date, "application_date"),
        (_("Published on"), "", record.publication_date, "publication_date"),
        (_("Registered on"), "151", record.registration_date, "registration_date"),
        (_("Valid until"), "180", record.expiry_date, "expiry_date"),
        (_("Right holder"), "730", "; ".join(_party(each) for each in record.owners), "owners"),
        (_("Representative"), "740", "; ".join(_party(each) for each in record.representatives), "representatives"),
    ]
    if record.title and (mark is None or record.title != mark.verbal):
        rows.insert(0, (_("Title"), "", record.title, "title"))
    if mark is not None:
        rows += [
            (_("Transliteration"), "561", mark.transliteration, "transliteration"),
            (_("Translation"), "566", mark.translation, "translation"),
            (_("Disclaimer"), "526", mark.disclaimer, "disclaimer"),
            (_("Colours"), "591", ", ".join(mark.colours), "colours"),
            (_("Vienna codes"), "531", ", ".join(mark.vienna), "vienna"),
            (_("Description"), "571", words.best_text(mark.description), "description"),
        ]
    priorities = (f"{each.country} {each.number} {each.date or ''}".strip() for each in record.priorities)
    rows += [
        (_("Priority"), "300", "; ".join(priorities), ""),
        (_("Read from"), "", words.in_words(words.FORMAT_WORDS, record.source.format), ""),
    ]
    return [
        {"label": label, "inid": inid, "value": str(value), "raw": record.raw.get(name, "")}
        for label, inid, value, name in rows
        if value
    ]


def _party(one: Party) -> str:
    return f"{one.name} ({one.country})" if one.country else one.name


def office_name(code: str) -> str:
    """An office's name in the reader's language, with its code."""
    if not code:
        return ""
    try:
        found = offices.office(code)
    except Invalid:
        return code
    return f"{found.zh if language() == 'zh' else found.en} ({code})"


def verification_facts(found: RightDetail, events: Sequence[EventSummary]) -> dict[str, Any] | None:
    """How the right was checked, what differed, and what is still missing."""
    one = found.right.verification
    if one is None:
        return None
    last = next((each for each in reversed(events) if "verification" in each.payload), None)
    reasons = last.payload.get("reasons", ()) if last is not None else ()
    return {
        "at": one.at,
        "text": words.in_words(words.LEVEL_WORDS, one.level),
        "differences": words.difference_facts(one.differences),
        # What the comparison says stands in its table; the rest are codes of their own.
        "missing": [words.coded(each, {}) for each in reasons if ":" not in each],
    }


def event_facts(actor: Actor, found: RightDetail, one: EventSummary) -> dict[str, Any]:
    """One event of the time line."""
    number = found.right.number
    own = found.summary.organisation_id == actor.organisation_id
    receipt = reverse("deposit", args=[one.deposit_id]) if own else reverse("right-receipt", args=[number, one.seq])
    return {
        "seq": one.seq,
        "text": words.in_words(words.EVENT_WORDS, one.type),
        "bad": one.type in words.BAD_EVENTS,
        "at": one.recorded_at,
        "at_law": one.at_law,
        "detail": event_detail(one),
        "deposit_url": receipt,
        "as_of_url": f"{reverse('right', args=[number])}?as_of={one.recorded_at.strftime('%Y-%m-%dT%H:%M:%S.%fZ')}",
    }


def event_detail(one: EventSummary) -> str:
    """What an event says, in a few words."""
    said = one.payload
    if one.type in {"interest_granted", "assigned"}:
        given = said["interest"]
        where = ", ".join(words.territory_name(each) for each in given.get("territories", ()))
        role = words.in_words(words.ROLE_WORDS, given["role"])
        return " · ".join(each for each in (given["party"]["name"], role, where) if each)
    if one.type == "filed" and said.get("predecessor"):
        return _("after an assignment")
    if one.type == "paper_added":
        return words.in_words(PAPER_WORDS, said["kind"])
    if one.type == "dispute_opened":
        return words.in_words(words.DISPUTE_WORDS, said["dispute"]["kind"])
    if one.type in {"renewed", "renewal_claimed"}:
        return _("until %(day)s") % {"day": said["expiry_date"]}
    return str(said.get("reason", "") or said.get("outcome", ""))


def dispute_facts(one: Dispute, close_url: str = "") -> dict[str, Any]:
    """A dispute for templates."""
    return {
        "close_url": close_url if one.closed_on is None else "",
        "id": one.id,
        "kind": words.in_words(words.DISPUTE_WORDS, one.kind),
        "effect": words.in_words(words.EFFECT_WORDS, one.effect),
        "forum": one.forum,
        "number": one.number,
        "opened_on": one.opened_on,
        "closed_on": one.closed_on,
        "outcome": one.outcome,
    }


def paper_facts(actor: Actor, one: registry.PaperSummary) -> dict[str, Any]:
    """A paper beside a right."""
    own = one.organisation_id == actor.organisation_id
    return {
        "name": one.file_name or one.sha256.hex()[:16],
        "kind": words.in_words(PAPER_WORDS, one.kind),
        "url": reverse("deposit", args=[one.deposit_id]) if own else "",
    }


@require_safe
def receipt(request: HttpRequest, number: str, seq: int) -> HttpResponse:
    """The receipt of one event, for whoever may see the right."""
    found = registry.receipt_of(actor_of(request), number, seq, at=clock.now())
    response = HttpResponse(found.tlog_proof(), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = attachment(f"{number}-{seq}.{TLOG_PROOF}")
    return private(response)


@require_safe
def document(request: HttpRequest, number: str, seq: int) -> HttpResponse:
    """One event byte for byte, as its digest stands on the ledger."""
    response = HttpResponse(
        registry.event_document(actor_of(request), number, seq, at=clock.now()), content_type="application/octet-stream"
    )
    response["Content-Disposition"] = attachment(f"{number}-{seq}.json")
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    return private(response)


# ---- small forms of the page

Change = Callable[[HttpRequest, Actor, str], HttpResponse | None]


def small_form(change: Change, anchor: str = "") -> Callable[..., HttpResponse]:
    """A view for one small form: do it, go back to the page; a refusal is said there."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, number: str) -> HttpResponse:
        actor = actor_of(request)
        back = redirect(reverse("right", args=[number]) + anchor)
        if request.method != "POST":  # back from signing in
            return back
        actor.must("file_rights")
        try:
            return change(request, actor, number) or back
        except (Refused, Invalid) as error:
            tell(request, error)
            return back

    return view


def _submit(request: HttpRequest, actor: Actor, number: str) -> None:
    filing.submit(number, by=actor, at=clock.now())
    messages.success(request, _("The right is being checked."))


def _withdraw(request: HttpRequest, actor: Actor, number: str) -> None:
    filing.withdraw(number, by=actor, at=clock.now())
    messages.success(request, _("The right is withdrawn. Its history stays."))


urlpatterns = [
    path("rights/", listing, name="rights"),
    path("rights/new", new, name="right-new"),
    path("rights/read", read, name="right-read"),
    path("rights/<str:number>", detail, name="right"),
    path("rights/<str:number>/submit", small_form(_submit), name="right-submit"),
    path("rights/<str:number>/withdraw", small_form(_withdraw), name="right-withdraw"),
    path("rights/<str:number>/events/<int:seq>.tlog-proof", receipt, name="right-receipt"),
    path("rights/<str:number>/events/<int:seq>.json", document, name="right-event"),
]
