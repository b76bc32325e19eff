"""`/access`: whoever holds an access code reads one matter and downloads its bundles, without an account.

The code opens the door once and is not kept; the session then names the grant, which is asked anew with every request:
a code that was revoked or has ended shows nothing from that moment on. Every page and download is logged first.
"""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import path, reverse
from django.views.decorators.http import require_http_methods, require_safe

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused
from chopmark.evidence import matters
from chopmark.evidence.actions.matter import guest_of, log_use, use_grant
from chopmark.evidence.matters import Guest
from chopmark.web import errors
from chopmark.web.downloads import attachment
from chopmark.web.forms.matters import AccessForm
from chopmark.web.views import bundles, casework
from chopmark.web.views.casework import sentence
from chopmark.web.views.matters import as_attachment

IN_SESSION = "access"
LOCKED = "matter.code_too_fast"


@require_http_methods(["GET", "HEAD", "POST"])
def enter(request: HttpRequest) -> HttpResponse:
    """The form for the code."""
    form = AccessForm(request.POST or None)
    locked, status = "", 200
    if request.method == "POST":
        status = 422
        if form.is_valid():
            typed = form.cleaned_data
            try:
                guest = use_grant(typed["code"], name=typed["name"], address=_address(request), at=clock.now())
            except (Refused, Invalid) as error:
                status = int(errors.status_of(error))
                if error.code == LOCKED:
                    locked = sentence(error)
                else:
                    form.add_error("code", sentence(error))
            else:
                request.session.cycle_key()
                request.session[IN_SESSION] = {"grant": str(guest.grant_id), "name": guest.name}
                return redirect("access-matter")
    response = render(request, "access/enter.html", {"form": form, "locked": locked}, status=status)
    return _guarded(response)


def _address(request: HttpRequest) -> str:
    return str(request.META.get("REMOTE_ADDR", ""))


def _guest(request: HttpRequest) -> Guest:
    """The guest of this session, as long as the code is valid.

    Raises:
        Refused: `matter.code_unknown`, `matter.code_expired`.
    """
    kept = request.session.get(IN_SESSION)
    if not isinstance(kept, dict):
        raise Refused("matter.code_unknown")
    return guest_of(UUID(kept["grant"]), name=kept["name"], address=_address(request), at=clock.now())


@require_safe
def matter(request: HttpRequest) -> HttpResponse:
    """The matter of the code."""
    try:
        guest = _guest(request)
    except Refused:
        request.session.pop(IN_SESSION, None)
        return redirect("access")
    one = matters.matter_of(guest, guest.matter_id)
    log_use(guest, "matter", one.number, at=clock.now())
    items = matters.items_of(guest, one.id)
    found = [casework.bundle_facts(each) for each in matters.bundles_of(guest, one.id)]
    phases = casework.by_phase(one, items, matters.captures_of(guest, one.id))
    for phase in phases:
        for item in phase["items"]:
            for file in item["files"]:
                file["url"] = reverse("access-file", args=[file["id"]])
    response = render(
        request,
        "access/matter.html",
        {
            "matter": casework.matter_facts(one),
            "until": guest.expires_at,
            "phases": phases,
            "items_count": len(items),
            "bundles": found,
            "newest": found[0] if found else {"file_name": "B-2026-000001.asice"},
            "verifier_url": reverse("access-verifier", args=[found[0]["id"]]) if found else "",
        },
    )
    return _guarded(response)


@require_safe
def bundle(request: HttpRequest, bundle_id: UUID) -> HttpResponseBase:
    """A bundle as a download."""
    guest = _guest(request)
    one = matters.bundle_of(guest, bundle_id)
    log_use(guest, "bundle", one.number, at=clock.now())
    return bundles.download(guest, one, "asice")


@require_safe
def verifier(request: HttpRequest, bundle_id: UUID) -> HttpResponseBase:
    """The verifier that lies in a bundle, by itself."""
    guest = _guest(request)
    return bundles.download(guest, matters.bundle_of(guest, bundle_id), "verifier")


@require_safe
def file(request: HttpRequest, file_id: UUID) -> HttpResponseBase:
    """A file of an item; where it is redacted, what is shown instead."""
    guest = _guest(request)
    stored = matters.file_of_item(guest, file_id)
    log_use(guest, "file", stored.file_name, at=clock.now())
    return as_attachment(stored)


@require_safe
def custody(request: HttpRequest) -> HttpResponse:
    """The custody log."""
    guest = _guest(request)
    one = matters.matter_of(guest, guest.matter_id)
    log_use(guest, "custody", one.number, at=clock.now())
    response = HttpResponse(matters.custody_log(guest, one.id), content_type="application/x-ndjson")
    response["Content-Disposition"] = attachment(f"{one.number}-custody.jsonl")
    return _guarded(response)


@require_http_methods(["GET", "HEAD", "POST"])
def leave(request: HttpRequest) -> HttpResponse:
    """Put the code away."""
    if request.method == "POST":
        request.session.pop(IN_SESSION, None)
    return redirect("access")


def _guarded(response: HttpResponse) -> HttpResponse:
    """Nothing of it is kept or found."""
    response["Cache-Control"] = "private, no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


urlpatterns = [
    path("access", enter, name="access"),
    path("access/matter", matter, name="access-matter"),
    path("access/bundles/<uuid:bundle_id>", bundle, name="access-bundle"),
    path("access/bundles/<uuid:bundle_id>/verify.html", verifier, name="access-verifier"),
    path("access/files/<uuid:file_id>", file, name="access-file"),
    path("access/custody.jsonl", custody, name="access-custody"),
    path("access/leave", leave, name="access-leave"),
]
