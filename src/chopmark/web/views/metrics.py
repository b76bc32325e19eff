"""`/metrics` for Prometheus: how the ledger and its consortium stand.

Every value is read from the database when asked for, so it is the same in each worker process; nothing is counted in
memory.

Not public. With the setting CHOPMARK_METRICS_TOKEN, whoever shows that token; without it only programs of this machine,
and only where the site itself is for this machine: behind a proxy every caller seems to come from here.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Iterator
from datetime import datetime
from urllib.parse import urlsplit

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.registry import Collector

from chopmark.base import clock
from chopmark.evidence import queries, stamps
from chopmark.web import standing

LOOPBACK = frozenset({"127.0.0.1", "::1"})
LOCAL = LOOPBACK | {"localhost"}
QUORUM = {"met": 1, "missing": 0}


@require_safe
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """Gauges of the platform in the text format of Prometheus, for whoever may read them."""
    if not _may_read(request):
        raise Http404
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gauges())
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)


def _may_read(request: HttpRequest) -> bool:
    token = settings.CHOPMARK_METRICS_TOKEN
    if token:
        shown = request.headers.get("Authorization", "")
        return hmac.compare_digest(shown.encode(), f"Bearer {token}".encode())
    host = urlsplit(settings.CHOPMARK_BASE_URL).hostname
    return host in LOCAL and request.META.get("REMOTE_ADDR") in LOOPBACK


class _Gauges(Collector):
    """Reads everything when it is asked."""

    def collect(self) -> Iterable[Metric]:
        """The gauges, each with its help."""
        health, now, at = queries.health(), standing.standing(), clock.now()
        yield _gauge("pending_entries", "Entries that wait for the writer.", health.pending)
        yield _gauge("oldest_pending_seconds", "Age of the oldest pending deposit.", _age(health.oldest_pending, at))
        yield _gauge("log_entries", "Entries published.", health.size)
        yield _gauge("checkpoint_age_seconds", "Age of the newest checkpoint.", _age(health.published_at, at))
        if now.quorum != "none":
            yield _gauge("quorum_reached", "1 while the consortium's quorum signs, else 0.", QUORUM[now.quorum])
            yield _gauge("quorum_waiting_seconds", "Since when a batch waits for it.", _age(now.waiting_since, at))
            yield from _members(now, at)
        yield _gauge("stamps_open", "Time stamps and anchors not done yet.", len(stamps.open_stamps()))


def _members(now: standing.Standing, at: datetime) -> Iterator[Metric]:
    size = _by_member("member_entries", "Entries under a member's last cosignature.")
    behind = _by_member("member_behind_entries", "Published entries beyond a member's last cosignature.")
    age = _by_member("member_cosignature_age_seconds", "Age of a member's last cosignature.")
    well = _by_member("member_up", "1 while the writer has no trouble with a member, else 0.")
    for each in now.members:
        size.add_metric([each.name], each.size)
        well.add_metric([each.name], 0 if each.trouble else 1)
        if each.behind is not None and each.at is not None:
            behind.add_metric([each.name], each.behind)
            age.add_metric([each.name], _age(each.at, at))
    return iter((size, behind, age, well))


def _gauge(name: str, about: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"chopmark_{name}", about, value=value)


def _by_member(name: str, about: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"chopmark_{name}", about, labels=["member"])


def _age(since: datetime | None, at: datetime) -> float:
    return 0.0 if since is None else max(0.0, (at - since).total_seconds())
