"""Pages of matters: list them, open one, look at one, add a file, hold, give and revoke access codes.

No rule stands here: what is allowed is decided by `evidence.actions`; a refusal is shown on the page it came from.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import matters
from chopmark.evidence.actions import matter as actions
from chopmark.evidence.actions.capture import end_schedule
from chopmark.evidence.actions.matter import NewFile, NewItem, NewMatter
from chopmark.evidence.actions.upload import append_upload, start_upload
from chopmark.evidence.matters import KINDS, Both, MatterSummary
from chopmark.evidence.queries import StoredFile
from chopmark.people.actor import Actor
from chopmark.web.context import actor_of
from chopmark.web.downloads import attachment
from chopmark.web.forms.matters import MAX_TITLE, GrantForm, HoldForm, ItemForm, NewMatterForm, RedactForm
from chopmark.web.views import casework, filings
from chopmark.web.views.casework import finished, may_change, sentence, tell
from chopmark.web.views.deposits import UPLOAD_CHUNK

PAGE = 50
SHOWN_LOG = 50
NEW_CODE = "access-code"


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """The organisation's matters."""
    actor = actor_of(request)
    after = request.GET.get("after", "")
    found = matters.matters_of(actor, after=after, limit=PAGE + 1)
    shown = found[:PAGE]
    return render(
        request,
        "matters/list.html",
        {
            "matters": [casework.matter_facts(each) for each in shown],
            "next_query": f"after={shown[-1].number}" if len(found) > PAGE else "",
            "not_first": bool(after),
            "may_change": may_change(actor),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Open a matter."""
    actor = actor_of(request)
    actor.must("deposit")
    form = NewMatterForm(request.POST or None, templates=casework.template_choices(), courts=casework.court_choices())
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data
        try:
            made = actions.open_matter(
                NewMatter(
                    template=typed["template"], title=_both(typed, "title"), court_profile=typed["court_profile"]
                ),
                by=actor,
                at=clock.now(),
            )
        except (Refused, Invalid) as error:
            form.add_error(None, sentence(error))
        else:
            return redirect("matter", made.id)
    return render(request, "matters/new.html", {"form": form}, status=422 if form.errors else 200)


def _both(typed: dict, name: str) -> Both:
    return Both(zh=typed[f"{name}_zh"], en=typed[f"{name}_en"])


@require_safe
def detail(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """One matter with everything in it."""
    return page(request, actor_of(request), matter_id)


def page(
    request: HttpRequest, actor: Actor, matter_id: UUID, *, grant: GrantForm | None = None, hold: HoldForm | None = None
) -> HttpResponse:
    """The matter's page, with the forms as they came back."""
    one = matters.matter_of(actor, matter_id)
    items = matters.items_of(actor, one.id)
    captures = matters.captures_of(actor, one.id)
    log = matters.custody_of(actor, one.id)
    holds = [each for each in matters.holds_of(actor, one.id) if each.lifted_at is None]
    code = request.session.pop(f"{NEW_CODE}:{one.id}", None) if request.method == "GET" else None
    shown = casework.matter_facts(one)
    response = render(
        request,
        "matters/detail.html",
        {
            "matter": {**shown, "hold_reason": holds[0].reason if holds else ""},
            "phases": casework.by_phase(one, items, captures),
            "items_count": len(items),
            "captures": [casework.capture_facts(each) for each in captures],
            "schedules": [
                casework.schedule_facts(each)
                for each in matters.schedules_of(actor, one.id)
                if each.ended_at is None and each.until > clock.now()
            ],
            "captures_running": any(each.state in casework.WORKING for each in captures),
            "bundles": [casework.bundle_facts(each) for each in matters.bundles_of(actor, one.id)],
            "custody": [casework.entry_facts(each) for each in reversed(log[-SHOWN_LOG:])],
            "custody_total": len(log),
            "custody_more": len(log) > SHOWN_LOG,
            "grants": [casework.grant_facts(each) for each in matters.grants_of(actor, one.id, clock.now())],
            **filings.of_matter(actor, one.id),
            "grant_form": grant or GrantForm(auto_id="grant-%s"),
            "lift_form": HoldForm(auto_id="lift-%s"),
            "hold_form": hold or HoldForm(auto_id="hold-%s"),
            "new_code": code["text"] if code else "",
            "new_code_until": datetime.fromisoformat(code["until"]) if code else None,
            "access_address": request.build_absolute_uri(reverse("access")),
            "may_change": may_change(actor, one),
            "may_lift": actor.may("manage_members"),
            "may_reopen": may_change(actor) and one.state == "closed",
        },
        status=422 if (grant and grant.errors) or (hold and hold.errors) else 200,
    )
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
def captures(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """How far the captures are, as a piece of the page."""
    found = matters.captures_of(actor_of(request), matter_id)
    response = render(request, "matters/_captures.html", {"captures": [casework.capture_facts(each) for each in found]})
    return finished(response, done=not any(each.state in casework.WORKING for each in found))


@require_safe
def custody(request: HttpRequest, matter_id: UUID, form: str) -> HttpResponse:
    """The custody log as a file."""
    actor = actor_of(request)
    one = matters.matter_of(actor, matter_id)
    if form == "jsonl":
        response = HttpResponse(matters.custody_log(actor, one.id), content_type="application/x-ndjson")
    elif form == "jsonld":
        response = HttpResponse(matters.custody_case(actor, one.id), content_type="application/ld+json")
    else:
        raise Http404
    response["Content-Disposition"] = attachment(f"{one.number}-custody.{form}")
    response["Cache-Control"] = "private, no-store"
    return response


def as_attachment(stored: StoredFile) -> StreamingHttpResponse:
    """Bytes of evidence: always saved, never shown inside this site."""
    response = StreamingHttpResponse(stored.chunks, content_type="application/octet-stream")
    response["Content-Length"] = str(stored.size)
    response["Content-Disposition"] = attachment(stored.file_name)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
def item_file(request: HttpRequest, file_id: UUID) -> HttpResponseBase:
    """One file of an item."""
    return as_attachment(matters.file_of_item(actor_of(request), file_id))


# ---- a file that becomes evidence


@require_http_methods(["GET", "HEAD", "POST"])
def upload(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """Add a file; with JavaScript it comes up in pieces before the form does."""
    actor = actor_of(request)
    actor.must("deposit")
    one = matters.matter_of(actor, matter_id)
    kinds = [(kind, casework.KIND_WORDS[kind]) for kind in KINDS if kind != "capture"]
    form = ItemForm(
        request.POST or None,
        request.FILES or None,
        kinds=kinds,
        roles=list(casework.ROLE_WORDS.items()),
        phases=casework.phase_choices(one),
        initial={"phase": request.GET.get("phase") or one.phase, "kind": "document"},
    )
    if request.method == "POST" and form.is_valid():
        try:
            _add(form, actor, one)
        except (Refused, Invalid) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, _("The file was added and is being deposited."))
            return redirect("matter", one.id)
    response = render(
        request,
        "matters/upload.html",
        {
            "matter": casework.matter_facts(one),
            "form": form,
            "script_settings": {
                "organisation": str(actor.organisation_id),
                "uploads": "/uploads/",
                "chunk": UPLOAD_CHUNK,
                "worker": static("chopmark/hash-worker.js"),
                "libraries": [
                    static("vendor/hash-wasm/sha256.umd.min.js"),
                    static("vendor/hash-wasm/sm3.umd.min.js"),
                ],
            },
            "texts": {
                "hashing": _("Making the digest: {percent}"),
                "uploading": _("Uploading: {percent}"),
                "adding": _("The file is here; adding it to the matter."),
                "unreadable": _("The browser cannot read this file. A folder, or no permission?"),
                "changed": _("The file was changed, moved or deleted after you chose it. Choose it again."),
                "network": _("The connection was lost. Press the button again: the upload goes on where it stopped."),
                "trouble": _("The server did not take the file. Try again in a moment."),
            },
        },
        status=422 if form.errors else 200,
    )
    response["Cache-Control"] = "private, no-cache"
    return response


def _add(form: ItemForm, actor: Actor, matter: MatterSummary) -> None:
    """Take the file in, when it came with the form, and make it evidence."""
    typed, at = form.cleaned_data, clock.now()
    file: UploadedFile | None = typed["file"]
    upload_id = typed["upload"]
    if upload_id is None and file is not None:
        upload_id = _taken(file, actor, at)
    name = (file.name if file is not None else "") or typed["file_name"]
    title = _both(typed, "title") or Both(zh=name[:MAX_TITLE], en=name[:MAX_TITLE])
    actions.add_item(
        matter.id,
        NewItem(
            kind=typed["kind"],
            role=typed["role"],
            title=title,
            purpose=_both(typed, "purpose"),
            phase=typed["phase"],
            source={"origin": typed["obtained"]} if typed["obtained"] else {},
            files=(NewFile(upload=upload_id),),
        ),
        by=actor,
        at=at,
    )


# ---- something else in a file's place


@require_http_methods(["GET", "HEAD", "POST"])
def redact(request: HttpRequest, matter_id: UUID, file_id: UUID) -> HttpResponse:
    """Show another file to everybody but the court, in the place of one that not everybody may see."""
    actor = actor_of(request)
    actor.must("deposit")
    one = matters.matter_of(actor, matter_id)
    found = (file for item in matters.items_of(actor, one.id) for file in item.files if file.id == file_id)
    original = next(found, None)
    if original is None:
        raise Refused("matter.file_not_found")
    form = RedactForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        typed, at = form.cleaned_data, clock.now()
        try:
            shown = _taken(typed["file"], actor, at)
            actions.redact(file_id, upload=shown, reason=typed["reason"], court_key=typed["court_key"], by=actor, at=at)
        except (Refused, Invalid) as error:
            form.add_error(None, sentence(error))
        else:
            messages.success(request, _("Bundles and holders of a code now get the other file. The original is kept."))
            return redirect(reverse("matter", args=[one.id]) + "#head-evidence")
    context = {"matter": casework.matter_facts(one), "file": casework.file_facts(original), "form": form}
    return render(request, "matters/redact.html", context, status=422 if form.errors else 200)


def _taken(file: UploadedFile, actor: Actor, at: datetime) -> UUID:
    """A file that came with a form, as an upload."""
    started = start_upload(
        length=file.size or 0, file_name=file.name or "", file_type=file.content_type or "", by=actor, at=at
    )
    append_upload(started.id, offset=0, chunks=file.chunks(), by=actor, at=at)
    return started.id


# ---- small forms of the matter's page

Change = Callable[..., HttpResponse | None]


def _form(change: Change, anchor: str) -> Callable[..., HttpResponse]:
    """A view for one small form: do it, go back to the page; a refusal is said there."""

    @require_http_methods(["GET", "HEAD", "POST"])
    def view(request: HttpRequest, matter_id: UUID, **more: UUID) -> HttpResponse:
        actor = actor_of(request)
        back = redirect(reverse("matter", args=[matter_id]) + anchor)
        if request.method != "POST":  # back from signing in
            return back
        actor.must("deposit")
        one = matters.matter_of(actor, matter_id)
        try:
            return change(request, actor, one, **more) or back
        except (Refused, Invalid) as error:
            tell(request, error)
            return back

    return view


def _hold(request: HttpRequest, actor: Actor, one: MatterSummary) -> HttpResponse | None:
    form = HoldForm(request.POST, auto_id="hold-%s")
    if not form.is_valid():
        return page(request, actor, one.id, hold=form)
    actions.hold(one.id, reason=form.cleaned_data["reason"], by=actor, at=clock.now())
    messages.success(request, _("The legal hold is set."))
    return None


def _close(request: HttpRequest, actor: Actor, one: MatterSummary) -> None:
    actions.close_matter(one.id, by=actor, at=clock.now())
    messages.success(request, _("The matter is closed. Everything in it can still be read."))


def _reopen(request: HttpRequest, actor: Actor, one: MatterSummary) -> None:
    actions.reopen_matter(one.id, by=actor, at=clock.now())
    messages.success(request, _("The matter is open again."))


def _release(request: HttpRequest, actor: Actor, one: MatterSummary) -> None:
    actions.lift_hold(one.id, reason=request.POST.get("reason", ""), by=actor, at=clock.now())
    messages.success(request, _("The legal hold has ended."))


def _grant(request: HttpRequest, actor: Actor, one: MatterSummary) -> HttpResponse | None:
    form = GrantForm(request.POST, auto_id="grant-%s")
    if not form.is_valid():
        return page(request, actor, one.id, grant=form)
    typed = form.cleaned_data
    try:
        code, made = actions.grant(
            one.id,
            given_to=typed["given_to"],
            purpose=typed["purpose"],
            life=timedelta(hours=int(typed["hours"])),
            by=actor,
            at=clock.now(),
        )
    except (Refused, Invalid) as error:
        form.add_error(None, sentence(error))
        return page(request, actor, one.id, grant=form)
    request.session[f"{NEW_CODE}:{one.id}"] = {"text": code, "until": made.expires_at.isoformat()}
    return None


def _revoke(request: HttpRequest, actor: Actor, one: MatterSummary, *, grant_id: UUID) -> None:  # noqa: ARG001 (one of many)
    actions.revoke_grant(grant_id, by=actor, at=clock.now())
    messages.success(request, _("The code was revoked. It opens nothing any more."))


def _unredact(request: HttpRequest, actor: Actor, one: MatterSummary, *, file_id: UUID) -> None:  # noqa: ARG001 (the same)
    actions.undo_redaction(file_id, by=actor, at=clock.now())
    messages.success(request, _("The original is shown again."))


def _end_schedule(request: HttpRequest, actor: Actor, one: MatterSummary, *, schedule_id: UUID) -> None:  # noqa: ARG001 (the same)
    end_schedule(schedule_id, by=actor, at=clock.now())
    messages.success(request, _("The page is not captured again. What was captured stays."))


def _remove(request: HttpRequest, actor: Actor, one: MatterSummary, *, item_id: UUID) -> None:  # noqa: ARG001 (the same)
    actions.remove_item(item_id, reason=request.POST.get("reason", ""), by=actor, at=clock.now())
    messages.success(request, _("The item was removed. The custody log keeps that it was here."))


urlpatterns = [
    path("matters/", listing, name="matters"),
    path("matters/new", new, name="matter-new"),
    path("matters/<uuid:matter_id>", detail, name="matter"),
    path("matters/<uuid:matter_id>/captures", captures, name="matter-captures"),
    path("matters/<uuid:matter_id>/upload", upload, name="matter-upload"),
    path("matters/<uuid:matter_id>/custody.<str:form>", custody, name="matter-custody"),
    path("matters/<uuid:matter_id>/hold", _form(_hold, "#head-hold"), name="matter-hold"),
    path("matters/<uuid:matter_id>/release", _form(_release, "#head-hold"), name="matter-release"),
    path("matters/<uuid:matter_id>/close", _form(_close, ""), name="matter-close"),
    path("matters/<uuid:matter_id>/reopen", _form(_reopen, ""), name="matter-reopen"),
    path("matters/<uuid:matter_id>/grants", _form(_grant, "#head-code"), name="grant-new"),
    path("matters/<uuid:matter_id>/grants/<uuid:grant_id>", _form(_revoke, "#head-grants"), name="grant-revoke"),
    path("matters/<uuid:matter_id>/items/<uuid:item_id>", _form(_remove, "#head-evidence"), name="item-remove"),
    path(
        "matters/<uuid:matter_id>/schedules/<uuid:schedule_id>",
        _form(_end_schedule, "#head-captures"),
        name="schedule-end",
    ),
    path("matters/<uuid:matter_id>/files/<uuid:file_id>/redact", redact, name="file-redact"),
    path(
        "matters/<uuid:matter_id>/files/<uuid:file_id>/unredact",
        _form(_unredact, "#head-evidence"),
        name="file-unredact",
    ),
    path("evidence/<uuid:file_id>", item_file, name="item-file"),
]
