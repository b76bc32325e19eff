"""What a node does by itself: follows each log as a stranger would, and keeps its search index up to its mirror.

Two threads, each with one outermost loop that survives what it meets: a log that is silent or strange for a while must
not keep a node from cosigning. One finding stops the node: that it has signed more than it remembers.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable

from chopmark.base.errors import PlatformError, Refused
from chopmark.ledger.stores import DurabilityLost
from chopmark.member.metrics import Metrics
from chopmark.member.node import Fetch, HeldLog, Node

INDEX_PAUSE = 0.5  # seconds in which entries that come are gathered
NICENESS = 10  # cosigning, on which receipts wait, comes first where processors are few


class Watcher:
    """The background threads of one node.

    Args:
        node: what is watched for.
        metrics: where rounds are counted.
        fetch: address of a log to a function that gets its files.
        state_lost: called once when the node must stop.
        disk_lost: called when the disk did not confirm a write; it must end the process.
    """

    def __init__(
        self,
        node: Node,
        metrics: Metrics,
        fetch: Callable[[str], Fetch],
        state_lost: Callable[[Refused], None],
        disk_lost: Callable[[], None],
    ) -> None:
        self._node = node
        self._metrics = metrics
        self._fetch = fetch
        self._state_lost = state_lost
        self._disk_lost = disk_lost
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), name=work.__name__.strip("_"), daemon=True)
            for work in (self._watch, self._index)
        ]

    def start(self) -> None:
        """Begin."""
        for thread in self._threads:
            thread.start()

    def stop(self, patience: float = 1.0) -> None:
        """End; a round that waits for the network is left behind."""
        self._stop.set()
        for log in self._node.logs:
            log.has_more.set()
        for thread in self._threads:
            thread.join(patience / len(self._threads))

    def _guarded(self, work: Callable[[], None]) -> None:
        if sys.platform == "linux":  # elsewhere a thread has no priority of its own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)
        try:
            work()
        except DurabilityLost:
            self._disk_lost()
            raise

    def _watch(self) -> None:
        fetches = {log.hash: self._fetch(log.settings.url) for log in self._node.logs}
        while not self._stop.is_set():
            for log in self._node.logs:
                began = time.monotonic()
                try:
                    log.watch(fetches[log.hash])
                    outcome = log.watching.trouble or "ok"
                except Refused as lost:
                    self._state_lost(lost)
                    return
                except Exception:  # noqa: BLE001 (the outermost loop of a worker: one bad round must not be the last)
                    self._node.lines.failure("a round failed", log=log.hash)
                    outcome = "failed"
                self._metrics.watched(log.origin, outcome, time.monotonic() - began)
            self._stop.wait(self._node.settings.interval)

    def _index(self) -> None:
        while not self._stop.is_set():
            for log in self._node.logs:
                log.has_more.clear()
                self._index_one(log)
            for log in self._node.logs[:1]:
                log.has_more.wait(INDEX_PAUSE if len(self._node.logs) > 1 else self._node.settings.interval)
            self._stop.wait(INDEX_PAUSE)

    def _index_one(self, log: HeldLog) -> None:
        try:
            log.index_more(self._stop)
        except PlatformError as error:
            self._node.lines.warning("indexing failed", log=log.hash, code=error.code)
        except Exception:  # noqa: BLE001 (the same)
            self._node.lines.failure("indexing failed", log=log.hash)
