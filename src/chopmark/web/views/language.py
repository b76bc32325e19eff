"""The switch between Chinese and English; it keeps the page."""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods

from chopmark.people.actions import keep_language


@require_http_methods(["GET", "HEAD", "POST"])
def switch(request: HttpRequest) -> HttpResponse:
    """Remember the chosen language in a cookie, for mails too, and go back to the page that was open."""
    response = HttpResponseRedirect(_back(request))
    wanted = request.POST.get("language", "")
    if wanted in dict(settings.LANGUAGES):
        if request.user.pk is not None:
            keep_language(request.user.pk, wanted[:2])
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            wanted,
            max_age=365 * 24 * 3600,
            secure=settings.LANGUAGE_COOKIE_SECURE,
            httponly=settings.LANGUAGE_COOKIE_HTTPONLY,
            samesite="Lax",
        )
    return response


def _back(request: HttpRequest) -> str:
    wanted = request.POST.get("next", "/")
    parts = urlsplit(wanted)
    local = not parts.scheme and not parts.netloc and wanted.startswith("/")
    return wanted if local and url_has_allowed_host_and_scheme(wanted, allowed_hosts=None) else "/"
