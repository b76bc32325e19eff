"""Pages of bundles: have one made, watch it, download it and what goes with it."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import IO
from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import matters
from chopmark.evidence.actions.bundle import cancel_bundle, delete_bundle, request_bundle
from chopmark.evidence.bundle.bagit import bagit
from chopmark.evidence.bundle.container import Container
from chopmark.evidence.matters import BundleSummary, Reader
from chopmark.web.context import actor_of
from chopmark.web.downloads import attachment
from chopmark.web.views import casework
from chopmark.web.views.casework import finished, may_change, tell
from chopmark.web.views.receipts import size_text

# What is offered from inside a bundle: form in the address, name inside, ending, media type.
INSIDE = {
    "certificate": ("certificate.pdf", "certificate.pdf", "application/pdf"),
    "verifier": ("verify.html", "verify.html", "text/html; charset=utf-8"),
    "custody": ("custody/custody.jsonld", "custody.jsonld", "application/ld+json"),
    "readme": ("README.txt", "README.txt", "text/plain; charset=utf-8"),
}
MAX_INSIDE = 64_000_000  # bytes

# One at a time: a bag is a whole copy of its bundle on this machine's disk while it is downloaded.
_ROOM = threading.BoundedSemaphore(1)
_PATIENCE = 20.0  # seconds


@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, matter_id: UUID) -> HttpResponse:
    """Ask for a bundle of the ticked evidence, or of all."""
    back = redirect(reverse("matter", args=[matter_id]) + "#head-bundles")
    if request.method != "POST":  # back from signing in
        return back
    try:
        made = request_bundle(matter_id, items=request.POST.getlist("item"), by=actor_of(request), at=clock.now())
    except (Refused, Invalid) as error:
        tell(request, error)
        return back
    return redirect("bundle", made.id)


@require_safe
def detail(request: HttpRequest, bundle_id: UUID) -> HttpResponse:
    """One bundle."""
    actor = actor_of(request)
    one = matters.bundle_of(actor, bundle_id)
    matter = matters.matter_of(actor, one.matter_id)
    inside = _inside(actor, one)
    response = render(
        request,
        "bundles/detail.html",
        {
            "matter": casework.matter_facts(matter),
            "bundle": {**casework.bundle_facts(one), "facts": _facts(one)},
            "downloads": _downloads(one, inside),
            "verifier_url": reverse("bundle-file", args=[one.id, "verifier"]) if "verify.html" in inside else "",
            "may_change": may_change(actor, matter),
            "may_delete": actor.may("manage_members") and not matter.held and one.state == "done",
        },
    )
    response["Cache-Control"] = "private, no-store"
    return response


def _inside(reader: Reader, one: BundleSummary) -> tuple[str, ...]:
    if one.state != "done":
        return ()
    where, _name = matters.bundle_file(reader, one.id)
    with where.open("rb") as file:
        return tuple(Container(file).names)


def _facts(one: BundleSummary) -> list[tuple[object, object]]:
    facts: list[tuple[object, object]] = [
        (_("Size"), "" if one.size is None else f"{size_text(one.size)} ({one.size:,} B)"),
        (_("Evidence"), ", ".join(one.items)),
        (_("Signatures"), one.signatures),
        (_("Made (UTC)"), f"{one.ended_at or one.made_at:%Y-%m-%d %H:%M:%S}"),
    ]
    if one.signed_from:
        facts.append((_("Signed by a notary over"), one.signed_from))
    if one.deposit_number:
        facts.append((_("Deposit"), one.deposit_number))
    return facts


def _downloads(one: BundleSummary, inside: tuple[str, ...]) -> list[dict[str, object]]:
    texts = {
        "asice": (_("Bundle (.asice)"), _("Everything, signed and time-stamped. Give this to the court.")),
        "certificate": (_("Certificate (PDF)"), _("What was deposited when, in Chinese and English, to print.")),
        "custody": ("CASE/UCO JSON-LD", _("The custody log for forensic software.")),
        "verifier": (_("Verifier (verify.html)"), _("Checks bundles in a browser without network.")),
        "readme": ("README.txt", _("How to verify in three ways, with the exact commands.")),
        "bagit": (_("BagIt (ZIP)"), _("The same files as a bag, for archives that keep bags.")),
    }
    offered = ["asice", "bagit", *(form for form, (name, *_rest) in INSIDE.items() if name in inside)]
    return [
        {"url": reverse("bundle-file", args=[one.id, form]), "name": texts[form][0], "text": texts[form][1]}
        for form in texts
        if form in offered
    ]


@require_safe
def progress(request: HttpRequest, bundle_id: UUID) -> HttpResponse:
    """How far a bundle is, as a piece of its page."""
    one = matters.bundle_of(actor_of(request), bundle_id)
    response = render(request, "bundles/_progress.html", {"bundle": casework.bundle_facts(one)})
    return finished(response, done=one.state not in casework.WORKING)


@require_safe
def file(request: HttpRequest, bundle_id: UUID, form: str) -> HttpResponseBase:
    """The bundle, or a file of it, always as a download."""
    actor = actor_of(request)
    return download(actor, matters.bundle_of(actor, bundle_id), form)


def download(reader: Reader, one: BundleSummary, form: str) -> HttpResponseBase:
    """A finished bundle in one of its forms.

    Raises:
        Refused: `matter.bundle_not_found`.
        Unavailable: `matter.bundle_missing`; `evidence.busy` while another bag is made.
    """
    where, name = matters.bundle_file(reader, one.id)
    response: HttpResponseBase
    if form == "asice":
        response = FileResponse(where.open("rb"), content_type="application/vnd.etsi.asic-e+zip")
    elif form == "bagit":
        response = FileResponse(_bag(where), content_type="application/zip")
        name = f"{one.number}-bagit.zip"
    elif form in INSIDE:
        inside, ending, media_type = INSIDE[form]
        with where.open("rb") as opened:
            container = Container(opened)
            if inside not in container.names:
                raise Refused("matter.bundle_not_found")
            response = HttpResponse(container.read(inside, MAX_INSIDE), content_type=media_type)
        name = f"{one.number}-{ending}"
    else:
        raise Refused("matter.bundle_not_found")
    response["Content-Disposition"] = attachment(name)
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


def _bag(bundle: Path) -> IO[bytes]:
    """The bundle as a bag, in a file without a name that is gone when it is closed."""
    if not _ROOM.acquire(timeout=_PATIENCE):
        raise Unavailable("evidence.busy")
    try:
        with tempfile.TemporaryFile() as made, bundle.open("rb") as source:
            bagit(source, made)
            made.seek(0)
            return os.fdopen(os.dup(made.fileno()), "rb")
    finally:
        _ROOM.release()


@require_http_methods(["GET", "HEAD", "POST"])
def cancel(request: HttpRequest, bundle_id: UUID) -> HttpResponse:
    """Take a request back before a worker begins."""
    if request.method == "POST":
        try:
            cancel_bundle(bundle_id, by=actor_of(request), at=clock.now())
        except (Refused, Invalid) as error:
            tell(request, error)
    return redirect("bundle", bundle_id)


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, bundle_id: UUID) -> HttpResponse:
    """Delete the file of a bundle."""
    if request.method != "POST":
        return redirect("bundle", bundle_id)
    actor = actor_of(request)
    one = matters.bundle_of(actor, bundle_id)
    try:
        delete_bundle(one.id, by=actor, at=clock.now())
    except (Refused, Invalid) as error:
        tell(request, error)
        return redirect("bundle", one.id)
    messages.success(request, _("The bundle was deleted. The evidence stays in the matter."))
    return redirect(reverse("matter", args=[one.matter_id]) + "#head-bundles")


urlpatterns = [
    path("matters/<uuid:matter_id>/bundles/new", new, name="bundle-new"),
    path("bundles/<uuid:bundle_id>", detail, name="bundle"),
    path("bundles/<uuid:bundle_id>/progress", progress, name="bundle-progress"),
    path("bundles/<uuid:bundle_id>/cancel", cancel, name="bundle-cancel"),
    path("bundles/<uuid:bundle_id>/delete", delete, name="bundle-delete"),
    path("bundles/<uuid:bundle_id>/<str:form>", file, name="bundle-file"),
]
