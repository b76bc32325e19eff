"""Whether this process lives, and whether the site is fit to serve. For machines; says nothing about people."""

from __future__ import annotations

import shutil
from datetime import timedelta
from http import HTTPStatus

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from chopmark.base import clock
from chopmark.base.errors import PlatformError
from chopmark.evidence import queries
from chopmark.web import standing

MIN_FREE = 500_000_000
"""Bytes that must be free in the home: below, deposits could not be written."""

WAITING = "waiting"
FIT = frozenset({"ok", WAITING})
DEGRADED = "degraded: deposits wait for members of the consortium\n"

MAX_WAIT = timedelta(minutes=2)
"""How old the oldest unpublished deposit may be."""


@require_safe
@never_cache
def alive(_request: HttpRequest) -> HttpResponse:
    """The process answers; what else is degraded is said and changes nothing: starting it again would not help."""
    try:
        degraded = standing.waiting() is not None
    except (PlatformError, DatabaseError):
        degraded = False  # whether the database is fit is /readyz's to say
    return HttpResponse(DEGRADED if degraded else "ok\n", content_type="text/plain")


@require_safe
@never_cache
def ready(_request: HttpRequest) -> HttpResponse:
    """200 when every part is fit, else 503; either way each part's state as JSON.

    A missing quorum is told and makes nothing unfit: deposits are accepted and wait for members.
    """
    parts = {"database": _database(), "disk": _disk(), "ledger": "unknown"}
    if parts["database"] == "ok":
        parts["migrations"] = _migrations()
        parts["ledger"] = _ledger() if parts["migrations"] == "ok" else "unknown"
    fit = all(state in FIT for state in parts.values())
    status = HTTPStatus.OK if fit else HTTPStatus.SERVICE_UNAVAILABLE
    return JsonResponse({"ready": fit, "parts": parts}, status=status)


def _database() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        return "unreachable"
    return "ok"


def _migrations() -> str:
    executor = MigrationExecutor(connection)
    return "missing" if executor.migration_plan(executor.loader.graph.leaf_nodes()) else "ok"


def _disk() -> str:
    try:
        free = shutil.disk_usage(settings.CHOPMARK_HOME).free
    except OSError:
        return "unreachable"
    return "ok" if free >= MIN_FREE else "full"


def _ledger() -> str:
    """`waiting` while the quorum is missing.

    `late` when the oldest deposit that waits for publication waits too long: the writer is not running.
    """
    try:
        health = queries.health()
    except PlatformError as error:
        return error.code
    if standing.waiting() is not None:
        return WAITING
    waiting_since = health.oldest_pending
    return "late" if waiting_since is not None and clock.now() - waiting_since > MAX_WAIT else "ok"
