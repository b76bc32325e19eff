"""`chopmark watcher`: the process that judges listings, sends measures and carries scans; nothing is decided here.

A home has one; `watcher.lock` sees to that. The feed has the process's own thread, so that a listing waits neither for
a marketplace that answers slowly nor for a scan: measures, scans, changed rights, second looks at pictures and what is
stated of decisions have threads of theirs, and a scan's work is in processes of its own. It is no vital part: without
it listings wait in the inbox. It ends with its parent, and what it had in hand then is taken up again.
"""

from __future__ import annotations

import fcntl
import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

from cyclopts import Parameter

from chopmark.base import clock
from chopmark.base.errors import PlatformError, Refused, Unavailable
from chopmark.base.parent import until_told
from chopmark.cli.home import home, use_platform
from chopmark.cli.output import PLAIN, Common, print_json
from chopmark.cli.status import DONE
from chopmark.cli.words import text
from chopmark.site.config import read_config
from chopmark.site.supervisor import CANNOT_LIVE

if TYPE_CHECKING:
    import structlog

ROUND = 0.2  # seconds between looks at the inbox when it is empty
SLOW = 1.0  # seconds between looks at measures and scans
FAILED = 10.0  # seconds of rest after what nobody expected
FOLLOW = timedelta(seconds=2)  # between looks at the registry
LEAST, SMALL, MOST = 50, 250, 2_000  # listings of a batch: at the least, at first, at the most
LONG = 1.0  # seconds of a batch, from which on batches shrink
HELPERS = 64
ENDING = 8.0  # seconds that all threads have together to end what they do; the supervisor's patience is 15


def command(
    *,
    once: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.watcher.once"))] = False,
    helper: Annotated[bool, Parameter(negative="", show_default=False, help=text("cli.watcher.helper"))] = False,
    common: Common = PLAIN,
) -> int:
    """Watch until told to stop; with `--once`, until nothing is due; with `--helper`, judge listings beside another."""
    import structlog  # noqa: PLC0415 (other commands import from here, and log nothing)

    use_platform()
    stop = until_told(CANNOT_LIVE, once=once)
    lines = structlog.get_logger("watcher")
    if helper:
        with beside(home()) as slot:
            _help(stop, lines, slot, once=once)
        return DONE
    with alone(home()):
        if once:
            judged = _once(lines)
            if common.json:
                print_json({"judged": judged})
            return DONE
        _watch(stop, lines)
    return DONE


def _watch(stop: threading.Event, lines: structlog.stdlib.BoundLogger) -> None:
    from chopmark.watch.actions.feed import give_back  # noqa: PLC0415 (the framework is set up by the caller)

    lines.info("started", left=_patiently(lambda: give_back(clock.now()), stop, lines))
    threads = [
        threading.Thread(target=_repeat, args=(name, work, stop, lines), name=name, daemon=True)
        for name, work in (
            ("measures", _measures),
            ("scans", lambda: _scans(stop)),
            ("rights", _rights),
            ("decisions", _decisions),
            ("looks", Looks().round),
        )
    ]
    for each in threads:
        each.start()
    feed = Feed()
    while not stop.is_set():
        more = _try("feed", feed.round, lines)
        if not more:
            stop.wait(ROUND)
    until = time.monotonic() + ENDING
    for each in threads:
        each.join(max(0.0, until - time.monotonic()))
    feed.close()
    lines.info("stopped")


def _help(stop: threading.Event, lines: structlog.stdlib.BoundLogger, slot: int, *, once: bool) -> None:
    """Judge listings and nothing else."""
    from chopmark.watch.actions.feed import give_back  # noqa: PLC0415 (the framework is set up by the caller)

    lines.info("started", slot=slot, left=_patiently(lambda: give_back(clock.now(), slot=slot), stop, lines))
    feed = Feed(slot)
    while not stop.is_set():
        more = _try("feed", feed.judge, lines)
        if not more and once:
            break
        if not more:
            stop.wait(ROUND)
    feed.close()
    lines.info("stopped", slot=slot)


class Feed:
    """What the process's own thread does in turn: the registry, the inbox.

    Batches grow while they are full and quick, and shrink when they take long, so that whatever a machine can do, a
    listing waits for about a second of others.
    """

    def __init__(self, slot: int = 0) -> None:
        from chopmark.watch.actions.pictureset import FeedPictures  # noqa: PLC0415 (the framework is set up by the caller)

        config, _ = read_config()
        self._pictures = FeedPictures(config.capture_allow)
        self._followed: datetime | None = None
        self._slot, self._size = slot, SMALL
        self.judged = 0

    def close(self) -> None:
        """Let connections go."""
        self._pictures.close()

    def round(self) -> bool:
        """One round; whether more is due at once.

        Raises:
            Unavailable: what the actions raise.
        """
        from chopmark.watch.actions.markset import follow_rights  # noqa: PLC0415 (the framework is set up by the caller)
        from chopmark.watch.actions.pictureset import follow_pictures  # noqa: PLC0415
        from chopmark.watch.queries.marketplaces import any_registered  # noqa: PLC0415

        at = clock.now()
        if not any_registered():
            return False
        if self._followed is None or not timedelta() <= at - self._followed < FOLLOW:
            follow_rights(at)
            follow_pictures(at)
            self._followed = at
        return self.judge()

    def judge(self) -> bool:
        """One batch of each marketplace; whether more is due at once.

        Raises:
            Unavailable: what the action raises.
        """
        from chopmark.watch.actions.feed import work_feed  # noqa: PLC0415 (the framework is set up by the caller)

        started = time.monotonic()
        fed = work_feed(self._size, clock=clock.now, pictures=self._pictures, slot=self._slot)
        took = time.monotonic() - started
        if took > LONG:
            self._size = max(LEAST, self._size // 2)
        elif took < LONG / 3 and fed.judged >= self._size:
            self._size = min(MOST, self._size * 2)
        self.judged += fed.judged
        return fed.more


class Looks:
    """Second looks at pictures; the connections to where they lie are kept."""

    def __init__(self) -> None:
        from chopmark.watch.actions.pictureset import FeedPictures  # noqa: PLC0415 (the framework is set up by the caller)
        from chopmark.watch.actions.second_look import PATIENCE  # noqa: PLC0415 (as above)

        config, _ = read_config()
        self._pictures = FeedPictures(config.capture_allow, patience=PATIENCE, haste=math.inf)

    def round(self) -> bool:
        """One piece; whether more is due at once.

        Raises:
            Unavailable: what the action raises.
        """
        from chopmark.watch.actions.second_look import look_again  # noqa: PLC0415 (as above)

        return look_again(self._pictures, clock=clock.now).more


def _once(lines: structlog.stdlib.BoundLogger) -> int:
    from chopmark.watch.actions.feed import give_back  # noqa: PLC0415 (the framework is set up by the caller)

    give_back(clock.now())
    feed = Feed()
    looks = Looks()
    while feed.round() or _rights() or looks.round() or _measures() or _scans(threading.Event()) or _decisions():
        lines.info("worked", judged=feed.judged)
    feed.close()
    return feed.judged


def _rights() -> bool:
    """One piece of what changed rights ask for."""
    from chopmark.watch.actions.turn import work_tasks  # noqa: PLC0415 (the framework is set up by the caller)

    return work_tasks(clock.now()).more


def _measures() -> bool:
    """Send what is due; whether anything was answered."""
    from chopmark.watch.actions.measure import connect_over_http, send_measures  # noqa: PLC0415 (as above)

    config, _ = read_config()
    return send_measures(connect_over_http(config.capture_allow), clock=clock.now) > 0


def _decisions() -> bool:
    """State what was decided, where a sheet is due; whether one was."""
    from chopmark.watch.actions.state_decisions import state_decisions  # noqa: PLC0415 (as above)

    return state_decisions(clock=clock.now) > 0


def _scans(stop: threading.Event) -> bool:
    """Carry a scan; whether one came to its end. Once a day, look who is linked with whom, and forget old pictures."""
    from chopmark.watch.actions.scan import work_scan  # noqa: PLC0415 (the framework is set up by the caller)
    from chopmark.watch.actions.sellers import link_sellers  # noqa: PLC0415
    from chopmark.watch.actions.tidying import tidy_pictures  # noqa: PLC0415

    link_sellers(clock.now())
    tidy_pictures(clock.now())
    return bool(work_scan(clock=clock.now, stop=stop.is_set))


def _repeat(name: str, work: Callable[[], bool], stop: threading.Event, lines: structlog.stdlib.BoundLogger) -> None:
    """A thread of the watcher."""
    from django.db import connection  # noqa: PLC0415 (the framework is set up by the caller)

    while not stop.is_set():
        try:
            more = _try(name, work, lines)
        except Exception:  # noqa: BLE001 (a thread's outermost loop: ended, nobody would miss it until work piles up)
            lines.exception("failed", what=name)
            connection.close()
            more = stop.wait(FAILED)
        if not more:
            stop.wait(SLOW)
    connection.close()


def _try(name: str, work: Callable[[], bool], lines: structlog.stdlib.BoundLogger) -> bool:
    try:
        return work()
    except PlatformError as error:
        lines.warning("waiting", what=name, code=error.code)
        return False


def _patiently(work: Callable[[], int], stop: threading.Event, lines: structlog.stdlib.BoundLogger) -> int:
    """A first step that must succeed before anything else."""
    while not stop.is_set():
        try:
            return work()
        except Unavailable as error:
            lines.warning("waiting", what="start", code=error.code)
            stop.wait(SLOW)
    return 0


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """While no other process is this home's watcher.

    Raises:
        Refused: `site.watcher_running`.
    """
    with (place / "watcher.lock").open("a+") as file:
        if not _locked(file):
            raise Refused("site.watcher_running")
        yield


@contextmanager
def beside(place: Path) -> Iterator[int]:
    """While this process helps; its slot, the first from one on that no other helper has.

    Raises:
        Refused: `site.watcher_alone` where the database has one writer, or when there are `HELPERS` already.
    """
    from chopmark.watch.actions.bulk import is_shared  # noqa: PLC0415 (the framework is set up by the caller)

    for slot in range(1, HELPERS + 1) if is_shared() else ():
        with (place / f"watcher-{slot}.lock").open("a+") as file:
            if _locked(file):
                yield slot
                return
    raise Refused("site.watcher_alone", limit=HELPERS)


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
