"""Pages of works: list them, deposit one, look at one, say something else of it.

No rule stands here: what is allowed is decided by `rights.actions`. A work's file leaves as a download only; what a
page shows of a picture was decoded and encoded anew.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence import queries as evidence
from chopmark.evidence import wiring
from chopmark.people.actor import Actor
from chopmark.rights.actions import copies as searching
from chopmark.rights.actions import work as registering
from chopmark.rights.actions.kept import NewWorkFile
from chopmark.rights.actions.work import NewWork
from chopmark.rights.queries import works
from chopmark.rights.queries.works import FileSummary, MatchSummary, WorkEvent, WorkSummary
from chopmark.rights.record import Party, Publication, WorkRecord
from chopmark.web.context import actor_of
from chopmark.web.forms.works import BASES, MINING, SHOWN, WorkForm, WorkRecordForm
from chopmark.web.turns import turn
from chopmark.web.views import right_words as words
from chopmark.web.views.casework import tell
from chopmark.web.views.matters import as_attachment
from chopmark.web.views.receipts import size_text
from chopmark.web.views.rights import FILED, private, taken
from chopmark.web.views.rights_nav import address, rights_nav, texts
from chopmark.web.views.thumbnails import MAX_BYTES, has, picture, thumbnail

PAGE = 48
SMALL = 400  # pixels a side, in a list
KIND_WORDS = {
    "picture": gettext_lazy("Picture"),
    "audio": gettext_lazy("Sound"),
    "video": gettext_lazy("Film"),
    "text": gettext_lazy("Text"),
}
EVENT_WORDS = {
    "work_filed": gettext_lazy("Deposited"),
    "work_identified": gettext_lazy("Fingerprinted"),
    "work_amended": gettext_lazy("Statement changed"),
    "work_withdrawn": gettext_lazy("Withdrawn"),
}
SHOWABLE = ("image/png", "image/jpeg", "image/webp")


# ---- the list


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """The organisation's works."""
    actor, after = actor_of(request), request.GET.get("after", "")
    found = works.works_of(actor, after=after, limit=PAGE + 1)
    shown = found[:PAGE]
    context = {
        "works": [row_facts(each) for each in shown],
        "next_query": f"after={shown[-1].number}" if len(found) > PAGE else "",
        "not_first": bool(after),
        "may_file": actor.may("file_rights"),
        "rights_nav": rights_nav(request),
    }
    return private(render(request, "works/list.html", context))


def row_facts(one: WorkSummary) -> dict[str, Any]:
    """A work in a list."""
    states = {each.state for each in one.files}
    state, mark = "", ""
    if one.state == "withdrawn":
        state = _("Withdrawn")
    elif any(each.held for each in one.files):
        state, mark = _("Held: it matches too much"), "mark-wait"
    elif "waiting" in states:
        state, mark = _("Waits for its fingerprints"), "mark-wait"
    elif "unfit" in states:
        state, mark = _("Cannot be matched"), "mark-bad"
    first = next((each for each in one.files if showable(each)), None)
    return {
        "number": one.number,
        "title": one.record.title,
        "kind": one.record.kind,
        "kind_text": words.in_words(KIND_WORDS, one.record.kind),
        "author": ", ".join(each.name for each in one.record.authors),
        "state_text": state,
        "state_mark": mark,
        "picture_url": f"{picture_address(one.number, first.id)}?small=1" if first is not None else "",
    }


def showable(one: FileSummary) -> bool:
    """Whether a page can show the file as a picture."""
    return one.media_type in SHOWABLE and one.size <= MAX_BYTES


def picture_address(number: str, file: int) -> str:
    """Where the picture of a work's file is shown."""
    return reverse("work-picture", args=[number, file])


# ---- deposit one


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Deposit a work. What resembles it is shown first; the file is asked for once."""
    actor = actor_of(request)
    actor.must("file_rights")
    typed = _with_upload(request, actor)
    form = WorkForm(typed) if request.method == "POST" else WorkForm()
    similar: list[dict[str, Any]] = []
    if request.method == "POST" and form.is_valid():
        try:
            with turn(actor):
                made = _register(form.cleaned_data, actor)
        except (Refused, Invalid, Unavailable) as error:
            if error.code == "works.similar_before":
                similar = _similar(form.cleaned_data["upload"], error, actor)
                typed["anyway"] = "on"  # whoever sends the form again has seen them
            form.add_error(None, words.sentence(error))
        else:
            request.session[FILED] = f"work-new.{actor.organisation_id}"
            messages.success(request, _("The work is deposited. Its receipt follows within seconds."))
            return redirect("work", made.number)
    response = render(
        request,
        "works/new.html",
        {"form": form, "similar": similar, "chosen_name": _chosen(form, actor), "texts": texts()},
        status=422 if form.is_bound and form.errors else 200,
    )
    response["Cache-Control"] = "private, no-cache"
    return response


def _with_upload(request: HttpRequest, actor: Actor) -> QueryDict:
    """What was typed; a file that came is taken in at once, so that a refusal does not lose it."""
    typed = request.POST.copy()
    file = request.FILES.get("file")
    if file is not None and file.size:
        typed["upload"] = str(taken(file, actor, clock.now()))
        typed["anyway"] = ""
    return typed


def _chosen(form: WorkForm, actor: Actor) -> str:
    """The name of the file that is here already."""
    try:
        return evidence.upload_of(actor, UUID(form.data.get("upload", ""))).file_name if form.is_bound else ""
    except (ValueError, Refused):
        return ""


def _register(typed: Mapping[str, Any], actor: Actor) -> WorkSummary:
    """Register the work as what its file is: the kind is read from the file, not asked."""
    earlier = works.work_of(actor, typed["version_of"]).id if typed["version_of"] else None
    record = replace(record_of(typed, "picture"), version_of="" if earlier is None else str(earlier))
    asked = NewWork(record=record, files=(NewWorkFile(upload=typed["upload"]),), anyway=typed["anyway"])
    try:
        return registering.register_work(asked, by=actor, at=clock.now())
    except Invalid as error:
        if error.code != "works.kind_differs":
            raise
        found = str(error.facts["kind"])
    kept = replace(asked, record=replace(record, kind=found))  # type: ignore[arg-type]  # as the file was read
    return registering.register_work(kept, by=actor, at=clock.now())


def record_of(typed: Mapping[str, Any], kind: str) -> WorkRecord:
    """The form's fields as a record."""
    return WorkRecord(
        kind=kind,  # type: ignore[arg-type]  # checked by the action against the file
        title=typed["title"],
        authors=tuple(Party(name=each, person=True) for each in typed["authors"]),
        basis=typed["basis"],
        statement=typed["statement"],
        created_on=typed["created_on"],
        publication=Publication(on=typed["published_on"]) if typed["published_on"] else None,
        licence=typed["licence"],
        tdm_reserved={"reserved": True, "open": False}.get(typed["mining"]),
        series=typed["series"],
        shown=typed["shown"],
    )


def _similar(upload: UUID, error: PlatformError, actor: Actor) -> list[dict[str, Any]]:
    """What resembles the file, as far as its owners show it; the numbers alone where nothing more can be said."""
    try:
        with turn(actor):
            found = searching.show_similar(NewWorkFile(upload=upload), by=actor, at=clock.now()).matches
    except (Refused, Invalid, Unavailable):
        found = ()
    known = [_similar_facts(each) for each in found]
    told = {each["number"] for each in known}
    numbers = error.facts.get("numbers", [])
    rest = [each for each in numbers if each not in told] if isinstance(numbers, list) else []
    return [*known, *({"number": each, "title": each, "url": "", "text": ""} for each in rest)]


def _similar_facts(one: MatchSummary) -> dict[str, Any]:
    registered = _("deposited on %(day)s") % {"day": one.registered_at.date().isoformat()}
    return {
        "number": one.work,
        "title": one.title or words.in_words(KIND_WORDS, one.kind),
        "url": reverse("work", args=[one.work]) if one.own else "",
        "text": " · ".join(each for each in (", ".join(one.authors), registered, one.statement) if each),
    }


# ---- one work


@require_safe
def detail(request: HttpRequest, number: str) -> HttpResponse:
    """One work with its files, statement, history."""
    actor = actor_of(request)
    one = works.work_of(actor, number)
    if number != one.number:
        return redirect("work", one.number)
    may_change = actor.may("file_rights") and one.state == "filed"
    first = next((each for each in one.files if showable(each)), None)
    context = {
        "work": {
            **row_facts(one),
            "picture_url": picture_address(one.number, first.id) if first is not None else "",
        },
        "draft_done": request.session.pop(FILED, "") if request.method == "GET" else "",
        "files": [file_facts(one.number, each) for each in one.files],
        "prints": [{"label": f"ISCC · {each.name}", "value": each.iscc} for each in one.files if each.iscc],
        "facts": statement_facts(actor, one),
        "versions": [
            {"url": reverse("work", args=[each.number]), "number": each.number, "title": each.record.title}
            for each in works.versions_of(actor, one.id)
        ],
        "events": [event_facts(each) for each in reversed(works.events_of(actor, one.id))],
        "held": [each for each in one.files if each.held] if may_change else [],
        "change_url": reverse("work-change", args=[one.number]) if may_change else "",
        "withdraw_url": reverse("work-withdraw", args=[one.number]) if may_change else "",
        "copies_url": address("copies"),
    }
    return private(render(request, "works/detail.html", context))


def file_facts(number: str, one: FileSummary) -> dict[str, Any]:
    """A file of a work."""
    note = words.in_words(KIND_WORDS, one.kind) if one.kind else ""
    if one.state == "unfit":
        note = words.coded(one.trouble, one.facts)
    elif one.state == "waiting":
        note = _("Waits for its fingerprints")
    return {
        "name": one.name or one.sha256.hex()[:16],
        "note": note,
        "size_text": size_text(one.size),
        "sha256_hex": one.sha256.hex(),
        "url": reverse("work-file", args=[number, one.id]),
        "deposit_url": reverse("deposit", args=[one.deposit]),
    }


def statement_facts(actor: Actor, one: WorkSummary) -> list[dict[str, Any]]:
    """What is said of the work."""
    record = one.record
    mining = "" if record.tdm_reserved is None else "reserved" if record.tdm_reserved else "open"
    published = record.publication.on if record.publication is not None else None
    rows: Sequence[tuple[Any, Any]] = (
        (_("Who made it"), ", ".join(each.name for each in record.authors)),
        (_("Your claim"), words.in_words(dict(BASES), record.basis)),
        (_("Statement of rights"), record.statement),
        (_("Licence"), record.licence or _("All rights reserved")),
        (_("Mining by machines (TDM, AI training)"), words.in_words(dict(MINING), mining)),
        (_("Finished on"), record.created_on),
        (_("First published on"), published),
        (_("What others see"), words.in_words(dict(SHOWN), record.shown)),
        (_("Series"), record.series),
        (_("Later version of"), _number_of(actor, record.version_of)),
    )
    return [{"label": label, "value": str(value)} for label, value in rows if value]


def _number_of(actor: Actor, work: str) -> str:
    return works.work_of(actor, work).number if work else ""


def event_facts(one: WorkEvent) -> dict[str, Any]:
    """One event of the history."""
    return {
        "seq": one.event.seq,
        "text": words.in_words(EVENT_WORDS, one.event.type),
        "at": one.event.recorded_at,
        "deposit_url": reverse("deposit", args=[one.deposit]),
    }


@require_safe
def file(request: HttpRequest, number: str, file_id: int) -> HttpResponseBase:
    """A file of the work, always as a download."""
    return as_attachment(works.file_of(actor_of(request), number, file_id))


@require_safe
def shown(request: HttpRequest, number: str, file_id: int) -> HttpResponse:
    """A picture of the work, decoded and encoded anew."""
    one = works.work_of(actor_of(request), number)
    found = next((each for each in one.files if each.id == file_id), None)
    if found is None or not showable(found):
        raise Http404
    return stored_picture(request, found.sha256)


def stored_picture(request: HttpRequest, sha256: bytes) -> HttpResponse:
    """A stored file as a picture made here; the caller has checked who asks."""
    side = SMALL if "small" in request.GET else 0
    tag = hashlib.sha256(sha256 + bytes([bool(side)])).hexdigest()[:32]
    if not wiring.blobs().holds(sha256):
        raise Http404
    if has(request, tag):
        return picture(tag, None)
    path = wiring.blobs().path(sha256)
    return picture(tag, thumbnail(path, side) if side else thumbnail(path))


# ---- change one


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, number: str) -> HttpResponse:
    """Say something else of a work."""
    actor = actor_of(request)
    actor.must("file_rights")
    one = works.work_of(actor, number)
    form = WorkRecordForm(request.POST) if request.method == "POST" else WorkRecordForm(initial=_typed(one.record))
    if request.method == "POST" and form.is_valid():
        record = record_of(form.cleaned_data, one.record.kind)
        kept = one.record
        record = replace(
            record,
            authors=_same_parties(record.authors, kept.authors),
            publication=_published(record, kept),
            licence_url=kept.licence_url,
            tdm_policy=kept.tdm_policy,
            version_of=kept.version_of,
        )
        seen = request.POST.get("version", "")
        version = int(seen) if seen.isdecimal() and len(seen) < 9 else None
        try:
            registering.amend_work(one.id, record, by=actor, at=clock.now(), version=version)
        except (Refused, Invalid, Unavailable) as error:
            form.add_error(None, words.sentence(error))
        else:
            messages.success(request, _("The change is recorded."))
            return redirect("work", one.number)
    context = {
        "form": form,
        "work": row_facts(one),
        "version": request.POST.get("version") or one.work.version,
    }
    return private(render(request, "works/change.html", context, status=422 if form.is_bound and form.errors else 200))


def _typed(record: WorkRecord) -> dict[str, Any]:
    return {
        "title": record.title,
        "authors": "; ".join(each.name for each in record.authors),
        "basis": record.basis,
        "statement": record.statement,
        "created_on": record.created_on,
        "published_on": record.publication.on if record.publication is not None else None,
        "licence": record.licence,
        "mining": "" if record.tdm_reserved is None else "reserved" if record.tdm_reserved else "open",
        "shown": record.shown,
        "series": record.series,
    }


def _same_parties(typed: tuple[Party, ...], kept: tuple[Party, ...]) -> tuple[Party, ...]:
    known = {each.name: each for each in kept}
    return tuple(known.get(each.name, each) for each in typed)


def _published(record: WorkRecord, kept: WorkRecord) -> Publication | None:
    if record.publication is None or kept.publication is None:
        return record.publication
    return replace(kept.publication, on=record.publication.on)


@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: HttpRequest, number: str) -> HttpResponse:
    """Protect a work here no more."""
    if request.method == "POST":
        try:
            registering.withdraw_work(number, by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
        else:
            messages.success(request, _("The work is withdrawn. Its deposits and history stay."))
    return redirect("work", number)


@require_http_methods(["GET", "HEAD", "POST"])
def release(request: HttpRequest, number: str, file_id: int) -> HttpResponse:
    """Let a held file be matched again."""
    if request.method == "POST":
        registering.release(file_id, by=actor_of(request), at=clock.now())
        messages.success(request, _("The file is matched again."))
    return redirect("work", number)


urlpatterns = [
    path("works/", listing, name="works"),
    path("works/new", new, name="work-new"),
    path("works/<str:number>", detail, name="work"),
    path("works/<str:number>/change", change, name="work-change"),
    path("works/<str:number>/withdraw", withdraw, name="work-withdraw"),
    path("works/<str:number>/files/<int:file_id>", file, name="work-file"),
    path("works/<str:number>/files/<int:file_id>.png", shown, name="work-picture"),
    path("works/<str:number>/files/<int:file_id>/release", release, name="work-release"),
]
