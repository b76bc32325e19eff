"""Every address of the site. Each subject lists its own paths in its module; here they are put together."""

from __future__ import annotations

from django.urls import include, path

from chopmark.web import errors
from chopmark.web.views import health, home, language, metrics, people

urlpatterns = [
    path("", home.page, name="home"),
    path("language", language.switch, name="language"),
    path("healthz", health.alive, name="healthz"),
    path("readyz", health.ready, name="readyz"),
    path("metrics", metrics.page, name="metrics"),
    path("errors/<str:code>", errors.explain, name="error_code"),
    path("accounts/", include("allauth.urls")),
    path("organisations/", include(people.organisation_urls)),
    path("invitations/<str:token>", people.invitation, name="invitation"),
    path("", include("chopmark.web.views.deposits")),
    path("", include("chopmark.web.views.matters")),
    path("", include("chopmark.web.views.captures")),
    path("", include("chopmark.web.views.bundles")),
    path("", include("chopmark.web.views.filings")),
    path("", include("chopmark.web.views.right_import")),
    path("", include("chopmark.web.views.right_may")),
    path("", include("chopmark.web.views.right_search")),
    path("", include("chopmark.web.views.right_mandates")),
    path("", include("chopmark.web.views.rights")),
    path("", include("chopmark.web.views.right_changes")),
    path("", include("chopmark.web.views.right_assign")),
    path("", include("chopmark.web.views.works")),
    path("", include("chopmark.web.views.copies")),
    path("", include("chopmark.web.views.watch")),
    path("", include("chopmark.web.views.watch_queue")),
    path("", include("chopmark.web.views.watch_hits")),
    path("", include("chopmark.web.views.watch_scans")),
    path("", include("chopmark.web.views.watch_rules")),
    path("", include("chopmark.web.views.watch_marketplaces")),
    path("", include("chopmark.web.views.watch_marks")),
    path("", include("chopmark.web.views.watch_sellers")),
    path("", include("chopmark.web.views.access")),
    path("", include("chopmark.web.views.explorer")),
    path("", include("chopmark.web.views.verify")),
    path("", include("chopmark.web.views.trust")),
    path("", include("chopmark.web.views.log_files")),
    path("", include("chopmark.web.views.governance")),
    path("", include("chopmark.web.views.uploads")),
    path("", include("chopmark.web.views.scrapi")),
    path("", include("chopmark.web.api")),
]
