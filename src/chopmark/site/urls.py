"""The address table of the project: all of it is the web room's."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [path("", include("chopmark.web.urls"))]

handler400 = "chopmark.web.errors.bad_request"
handler403 = "chopmark.web.errors.forbidden"
handler404 = "chopmark.web.errors.not_found"
handler500 = "chopmark.web.errors.crashed"
