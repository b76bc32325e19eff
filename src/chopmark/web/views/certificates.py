"""The certificate of a deposit as a file."""

from __future__ import annotations

from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.http import require_safe

from chopmark.base import clock
from chopmark.evidence import queries
from chopmark.evidence.actions.certify import certificate
from chopmark.web.context import actor_of
from chopmark.web.downloads import attachment


@require_safe
def deposit(request: HttpRequest, deposit_id: UUID) -> HttpResponse:
    """PDF, always as a download; it is printed and sealed anew each time."""
    actor = actor_of(request)
    one = queries.deposit_of(actor, deposit_id)
    response = HttpResponse(certificate(one.id, by=actor, at=clock.now()), content_type="application/pdf")
    response["Content-Disposition"] = attachment(f"{one.number}.certificate.pdf")
    response["Cache-Control"] = "private, no-store"
    return response


urlpatterns = [path("deposits/<uuid:deposit_id>/certificate.pdf", deposit, name="deposit-certificate")]
