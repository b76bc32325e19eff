"""Pages around deposits: make them, list them, look at one, share its receipt.

The page that deposits talks to `/api/v1` and `/uploads` from the browser; without JavaScript the same page
takes one file as a plain form. No rule stands here: what is allowed is decided by `evidence.actions`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Mapping
from uuid import UUID

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.templatetags.static import static
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.digests import digests_of
from chopmark.base.errors import PlatformError
from chopmark.base.wording import say
from chopmark.evidence import queries, wiring
from chopmark.evidence.actions.deposit import MAX_BATCH, NewDeposit, deposit
from chopmark.evidence.actions.share import share, unshare
from chopmark.evidence.actions.upload import append_upload, start_upload
from chopmark.evidence.queries import DepositSummary
from chopmark.people.actor import Actor
from chopmark.web.context import actor_of, language
from chopmark.web.downloads import attachment
from chopmark.web.forms.deposits import KIND_WORDS, KINDS, DepositFilters, PlainDepositForm
from chopmark.web.views import certificates, receipts, trust

PAGE = 50
PLACEHOLDER = UUID(int=0)
UPLOAD_CHUNK = 8 * 1024 * 1024
POLL_MS = 1000
# A cell that begins so would be computed by a spreadsheet (OWASP, CSV injection).
FORMULA = ("=", "+", "-", "@", "\t", "\r")


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponseBase:
    """The deposit page; a POST comes from its plain form only."""
    actor = actor_of(request)
    actor.must("deposit")
    form = PlainDepositForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        made = _deposit_plain(form, actor)
        if isinstance(made, DepositSummary):
            return redirect("deposit", made.id)
        form.add_error(None, say(made.code, made.facts, language()))
    response = render(
        request,
        "deposits/new.html",
        {
            "form": form,
            "kinds": KINDS,
            "upload_limit": receipts.size_text(settings.CHOPMARK_UPLOAD_LIMIT),
            "texts": texts(),
            "script_settings": _script_settings(actor),
            "notice": trust.waiting_notice(),
        },
        status=422 if form.errors else 200,
    )
    response["Cache-Control"] = "private, no-cache"  # it may be stored, so that going back finds what was typed
    return response


def _deposit_plain(form: PlainDepositForm, actor: Actor) -> DepositSummary | PlatformError:
    """Deposit the one file of the plain form, hashed here; what stopped it, when something did."""
    typed = form.cleaned_data
    file: UploadedFile = typed["file"]
    name, at = file.name or "", clock.now()
    about = {"kind": typed["kind"], "title": typed["title"] or name, "author": typed["author"]}
    try:
        upload = None
        if typed["keep"]:
            upload = start_upload(
                length=file.size or 0,
                file_name=name,
                file_type=file.content_type or "",
                sm3=typed["sm3"],
                by=actor,
                at=at,
            ).id
            append_upload(upload, offset=0, chunks=file.chunks(), by=actor, at=at)
        [made] = deposit(
            [
                NewDeposit(
                    **about,
                    digests=None if upload else digests_of(file.chunks(), sm3=typed["sm3"]),
                    upload=upload,
                    file_name=name,
                    media_type=file.content_type or "",
                    private=typed["private"],
                    source="page",
                )
            ],
            by=actor,
            at=at,
        )
    except PlatformError as error:
        return error
    return made


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """The organisation's deposits, narrowed by what stands in the address."""
    actor = actor_of(request)
    form = DepositFilters(request.GET)
    after = request.GET.get("after", "")
    page = queries.deposits_of(actor, **form.chosen(), after=after, limit=PAGE)
    address = request.GET.copy()
    address.pop("after", None)
    filters = address.urlencode()
    if page.next:
        address["after"] = page.next
    return render(
        request,
        "deposits/list.html",
        {
            "form": form,
            "items": [_shown(each) for each in page.items],
            "total": page.counts[form.cleaned_data.get("state") or "all"],
            "empty": not page.items and not any(request.GET.values()),
            "query": filters,
            "first_query": filters,
            "not_first": bool(after),
            "next_query": address.urlencode() if page.next else "",
            "may_deposit": actor.may("deposit"),
            "notice": trust.waiting_notice(),
        },
    )


@require_safe
def export(request: HttpRequest, form: str) -> HttpResponseBase:
    """Everything that fits the address, on all pages, as a file."""
    rows = queries.export_rows(actor_of(request), **DepositFilters(request.GET).chosen())
    if form == "csv":
        response = StreamingHttpResponse(_csv(rows), content_type="text/csv; charset=utf-8")
    else:
        response = StreamingHttpResponse(_json(rows), content_type="application/json")
    response["Content-Disposition"] = attachment(f"deposits-{clock.now():%Y%m%d}.{form}")
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
def detail(request: HttpRequest, deposit_id: UUID) -> HttpResponse:
    """One deposit: where it stands, its digests, its receipt, its share link."""
    actor = actor_of(request)
    one = queries.deposit_of(actor, deposit_id)
    token = request.session.pop(_token_key(one.id), None) if request.method == "GET" else None
    earlier = queries.earlier_deposits(one.sha256, actor) if one.sha256 else ()
    checkpoint = None if one.position is None else wiring.reader().covering(one.position)
    response = render(
        request,
        "deposits/detail.html",
        {
            "deposit": one,
            "kind": KIND_WORDS[one.kind],
            "digests": receipts.digest_facts(one),
            "disclosures": receipts.described(one, actor.organisation_name),
            "earlier": [each for each in earlier if each.id != one.id and each.made_at <= one.made_at],
            "checkpoint": checkpoint,
            "cosigners": trust.cosigners(checkpoint),
            "notice": trust.waiting_notice() if checkpoint is None else None,
            "command": receipts.command(one),
            "may_deposit": actor.may("deposit"),
            "is_shared": queries.is_shared(actor, one.id),
            "share_url": request.build_absolute_uri(reverse("shared", args=[token])) if token else "",
            "share_qr": reverse("shared-qr", args=[token]) if token else "",
        },
    )
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
def receipt(request: HttpRequest, deposit_id: UUID, form: str) -> HttpResponse:
    """The receipt as a file, in one of its two forms."""
    actor = actor_of(request)
    one = queries.deposit_of(actor, deposit_id)
    return receipts.as_file(queries.receipt_for(actor, deposit_id), one, form)


@require_safe
def file(request: HttpRequest, deposit_id: UUID) -> HttpResponseBase:
    """The kept file, always as a download and never shown inside this site."""
    stored = queries.file_of(actor_of(request), deposit_id)
    response = StreamingHttpResponse(stored.chunks, content_type="application/octet-stream")
    response["Content-Length"] = str(stored.size)
    response["Content-Disposition"] = attachment(stored.file_name)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


@require_http_methods(["GET", "HEAD", "POST"])
def make_link(request: HttpRequest, deposit_id: UUID) -> HttpResponse:
    """Make a share link; the page after this shows it, once."""
    if request.method != "POST":  # back from signing in
        return redirect("deposit", deposit_id)
    request.session[_token_key(deposit_id)] = share(deposit_id, by=actor_of(request), at=clock.now())
    return redirect(reverse("deposit", args=[deposit_id]) + "#head-share")


@require_http_methods(["GET", "HEAD", "POST"])
def revoke_links(request: HttpRequest, deposit_id: UUID) -> HttpResponse:
    """Revoke every share link of a deposit."""
    if request.method != "POST":  # back from signing in
        return redirect("deposit", deposit_id)
    unshare(deposit_id, by=actor_of(request), at=clock.now())
    return redirect(reverse("deposit", args=[deposit_id]) + "#head-share")


def _token_key(deposit_id: UUID) -> str:
    return f"shared:{deposit_id}"


def _shown(one: DepositSummary) -> dict[str, object]:
    """A row of the list."""
    return {
        "id": one.id,
        "number": one.number,
        "title": one.title,
        "file_name": one.file_name,
        "kind_text": KIND_WORDS[one.kind],
        "private": one.private,
        "kept": one.kept,
        "state": one.state,
        "made_at": one.made_at,
        "size_text": "—" if one.size is None else receipts.size_text(one.size),
        "sha256_hex": one.sha256.hex() if one.sha256 else "",
    }


class _Line:
    """A file for `csv.writer` that gives each line back instead of keeping it."""

    def write(self, line: str) -> str:
        return line


def _csv(rows: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """Lines of CSV; the mark in front lets spreadsheets read UTF-8."""
    writer = csv.writer(_Line())
    yield "\ufeff"
    for number, row in enumerate(rows):
        if number == 0:
            yield writer.writerow(row.keys())
        yield writer.writerow([f"'{cell}" if cell.startswith(FORMULA) else cell for cell in row.values()])


def _json(rows: Iterable[Mapping[str, str]]) -> Iterator[str]:
    """One JSON array, an object a line."""
    yield "["
    for number, row in enumerate(rows):
        yield ("\n" if number == 0 else ",\n") + json.dumps(row, ensure_ascii=False)
    yield "\n]\n"


def _script_settings(actor: Actor) -> dict[str, object]:
    """What deposit.js needs to know; addresses of one deposit carry a placeholder for its id."""

    def of_one(name: str, *more: str) -> str:
        return reverse(name, args=[PLACEHOLDER, *more])

    api = "/api/v1/deposits"
    return {
        "organisation": str(actor.organisation_id),
        "list": api,
        "batch": f"{api}/batch",
        "one": f"{api}/{PLACEHOLDER}",
        "consortium": reverse("api:consortium"),
        "uploads": "/uploads/",
        "detail": of_one("deposit"),
        "proof": of_one("deposit-receipt", "tlog-proof"),
        "cose": of_one("deposit-receipt", "receipt.cose"),
        "placeholder": str(PLACEHOLDER),
        "worker": static("chopmark/hash-worker.js"),
        "libraries": [static("vendor/hash-wasm/sha256.umd.min.js"), static("vendor/hash-wasm/sm3.umd.min.js")],
        "most": MAX_BATCH,
        "chunk": UPLOAD_CHUNK,
        "poll": POLL_MS,
    }


def texts() -> dict[str, str]:
    """The sentences that deposit.js says, in the reader's language; `{name}` is filled in by the script."""
    return {
        "state_queued": _("Waiting to be hashed"),
        "state_hashing": _("Hashing"),
        "state_ready": _("Ready"),
        "state_cancelled": _("Cancelled"),
        "state_unread": _("Not readable"),
        "state_refused": _("Not possible"),
        "state_duplicate": _("Twice in this list"),
        "state_waiting": _("Waiting"),
        "state_uploading": _("Uploading"),
        "state_paused": _("Paused"),
        "state_uploaded": _("Uploaded"),
        "state_sending": _("Depositing"),
        "state_failed": _("Not deposited"),
        "state_pending": _("Pending"),
        "state_published": _("Published"),
        "state_members": _("Waiting for members"),
        "note_members": _(
            "Deposited and kept. Not enough members of the consortium sign now; "
            "the receipt comes by itself when they do."
        ),
        "note_pending": _("Deposited. Waiting for the next signed checkpoint, usually a second or two."),
        "note_published": _("On the ledger. Its receipt is ready."),
        "progress": _("{done} of {all} ({percent})"),
        "progress_rate": _("{done} of {all} ({percent}), {rate} per second"),
        "paused_at": _("Paused at {percent}."),
        "upload_lost": _(
            "The connection was lost. The upload goes on where it stopped, at the latest when you say so."
        ),
        "empty_file": _("This file is empty. An empty file has nothing to prove, so it is left out."),
        "file_changed": _(
            "The file was changed, moved or deleted after you chose it. Remove it and choose it again, "
            "so that the digest fits what you keep."
        ),
        "unreadable": _("The browser cannot read this file. A folder, or no permission?"),
        "no_engine": _(
            "The hashing engine did not start in this browser. "
            "Another browser, or the form without JavaScript, will do."
        ),
        "same_file": _("Same bytes as {name}: one deposit covers both."),
        "earlier": _("You already deposited these bytes on {at}. See that deposit."),
        "too_many": _("At most {most} files go at once. {left} were left out; deposit them after these."),
        "added": _("{n} files added."),
        "removed": _("{name} removed."),
        "all_hashed": _("{n} files are hashed and ready."),
        "applied": _("Applied to {n} files."),
        "submit": _("Deposit"),
        "submit_n": _("Deposit {n}"),
        "still_hashing": _("{n} files are still being hashed."),
        "will_stay": _("Digests of {n} files will be deposited. The files stay on your computer."),
        "will_keep": _("{n} files will be uploaded and deposited."),
        "sending": _("Working. Keep this page open."),
        "deposited": _("{n} of {of} deposited."),
        "all_published": _("Everything is published. The receipts are ready."),
        "nothing_lost": _("Nothing was deposited, and nothing you typed is lost: {reason}"),
        "offline": _("The server cannot be reached. Check the connection and try again."),
        "signed_out": _("You are signed out. Sign in in another tab, come back and try again."),
        "server_trouble": _("The server answered with an error ({status}). Try again in a moment."),
    }


urlpatterns = [
    path("deposits/", listing, name="deposits"),
    path("deposits/new", new, name="deposit-new"),
    path("deposits/export.csv", export, {"form": "csv"}, name="deposits-csv"),
    path("deposits/export.json", export, {"form": "json"}, name="deposits-json"),
    path("deposits/<uuid:deposit_id>", detail, name="deposit"),
    path("deposits/<uuid:deposit_id>/file", file, name="deposit-file"),
    path("deposits/<uuid:deposit_id>/share", make_link, name="deposit-share"),
    path("deposits/<uuid:deposit_id>/unshare", revoke_links, name="deposit-unshare"),
    *certificates.urlpatterns,
    path("deposits/<uuid:deposit_id>/<str:form>", receipt, name="deposit-receipt"),
    *receipts.urlpatterns,
]
