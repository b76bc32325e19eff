"""Figures of a node in the form of Prometheus; one registry a node."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    ProcessCollector,
    generate_latest,
)

from chopmark.member.node import Cosigned, Node


class Metrics:
    """Counts and gauges; threads may share it."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._answers = Counter(
            "chopmark_member_answers", "Requests answered.", ["route", "status"], registry=self._registry
        )
        self._rounds = Counter(
            "chopmark_member_rounds", "Rounds of watching a log.", ["log", "outcome"], registry=self._registry
        )
        self._round_seconds = Gauge(
            "chopmark_member_round_seconds", "Duration of the last round.", ["log"], registry=self._registry
        )
        self._size = Gauge(
            "chopmark_member_size", "Entries, by what holds them.", ["log", "role"], registry=self._registry
        )
        self._cosigned = Gauge(
            "chopmark_member_cosigned_seconds",
            "Time of the last cosignature, since 1970.",
            ["log", "role"],
            registry=self._registry,
        )
        self._alarms = Gauge("chopmark_member_alarms", "Alarms kept.", ["log", "code"], registry=self._registry)
        self._dropped = Gauge(
            "chopmark_member_alarms_dropped", "Alarms beyond the limit, not kept.", registry=self._registry
        )

    def answered(self, route: str, status: int) -> None:
        """A request was answered."""
        self._answers.labels(route, str(status)).inc()

    def watched(self, log: str, outcome: str, seconds: float) -> None:
        """A round of watching ended."""
        self._rounds.labels(log, outcome).inc()
        self._round_seconds.labels(log).set(seconds)

    def exposition(self, node: Node) -> tuple[str, bytes]:
        """Content type and text of what is known now."""
        for log in node.logs:
            self._role(log.origin, "witness", log.witnessed())
            self._role(log.origin, "mirror", log.mirrored())
            self._size.labels(log.origin, "published").set(log.watching.size or 0)
            self._size.labels(log.origin, "indexed").set(node.index.reached(log.hash))
        for (origin, code), count in node.alarms.counts().items():
            self._alarms.labels(origin, code).set(count)
        self._dropped.set(node.alarms.dropped)
        return CONTENT_TYPE_LATEST, generate_latest(self._registry)

    def _role(self, origin: str, role: str, cosigned: Cosigned | None) -> None:
        at: datetime | None = cosigned.at if cosigned else None
        self._size.labels(origin, role).set(cosigned.size if cosigned else 0)
        self._cosigned.labels(origin, role).set(at.timestamp() if at else 0)
