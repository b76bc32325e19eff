"""`chopmark serve`: the web server, the writer of the log and what belongs to them under one process.

    supervisor ── web (granian) ── workers
               ├─ sequencer            exactly one; writes the log
               ├─ tsa, stamper         the own time-stamp authority and what asks all of them, where initialised
               ├─ worker               captures pages and builds bundles
               ├─ watcher              judges listings of marketplaces, sends measures, carries scans
               ├─ member-NAME          local members of the consortium, where the home has any
               └─ sweep                every hour, ends by itself

Each child has its own process group, so Ctrl-C reaches the supervisor alone, which stops them in order.
A child that dies is started again, later each time. Web and sequencer are vital: one of them that cannot live (it says
so by exit status 78, or dies five times without living a minute) takes the platform down, loudly: half a platform
helps nobody. Any other that cannot live is reported and tried again: a member is an institution of its own, and without
it deposits wait at worst. A member stopped by hand (`chopmark members stop`) stays stopped.
If the supervisor itself is killed, every child notices within a second and ends.

Only processes, signals and files of log lines: no rules and no database here.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import FrameType
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from chopmark.base.clock import now, to_text
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.cli.home import home, use_platform
from chopmark.cli.output import PLAIN, Common, say
from chopmark.cli.words import text
from chopmark.site.child import KILL, PID_FILE, STOP_PATIENCE, Child
from chopmark.site.config import read_config
from chopmark.site.demo_market import children_of as demo_of
from chopmark.site.demo_market import doors_of as demo_doors
from chopmark.site.desks import children_of as desks_of
from chopmark.site.desks import introduce as introduce_desks
from chopmark.site.members import children_of, introduce

CANNOT_LIVE = 78  # EX_CONFIG of sysexits.h: starting the same again cannot help
PARENT_CHECK = 0.5  # seconds
FIRST_WAIT, LONGEST_WAIT = 1.0, 30.0  # seconds before a dead child is started again
SOUND_AFTER = 60.0  # seconds; a child that lived this long has no record
MOST_DEATHS = 5
START_PATIENCE = 60.0  # seconds until the web server is called silent
SWEEP_EVERY = 3600.0  # seconds
LOG_LIMIT = 20_000_000  # bytes; a longer log file is put aside at start, one generation kept


def end_with_parent() -> None:
    """End this process soon after its parent has ended, however that ended (kill -9 included)."""
    parent = int(os.environ.get("CHOPMARK_PARENT", "0")) or os.getppid()
    os.environ.pop("CHOPMARK_PARENT", None)  # children of this process have another parent

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_CHECK)
        os._exit(CANNOT_LIVE)  # nothing to tidy: all that matters is durable before it is promised

    threading.Thread(target=watch, name="parent watch", daemon=True).start()


@dataclass(slots=True, kw_only=True)
class Supervisor:
    """Keeps the children of one home alive until it is told to stop.

    Attributes:
        home: holds `logs/`.
        children: what must be alive.
        sweep: arguments of the hourly program.
        say: takes a code and facts for the person at the terminal.
    """

    home: Path
    children: tuple[Child, ...]
    sweep: tuple[str, ...] | None
    say: Callable[..., None]
    environment: Mapping[str, str] = field(default_factory=dict)
    stopping: threading.Event = field(default_factory=threading.Event)
    opened: threading.Event = field(default_factory=threading.Event)
    _sweeper: subprocess.Popen[bytes] | None = None
    _next_sweep: float = 0.0

    def run(self, ready: Callable[[], None]) -> int:
        """Start all, call `ready` in a thread once, keep all alive; the exit status when told to stop or when lost.

        `ready` returns when the platform answers or was silent for too long; then the children that wait are started.
        """
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._asked_to_stop)
        self._next_sweep = time.monotonic() + 60
        threading.Thread(target=self._open, args=(ready,), name="ready", daemon=True).start()
        own_number = self.home / PID_FILE
        own_number.write_text(f"{os.getpid()}\n")
        status = 0
        try:
            while not self.stopping.is_set():
                for child in self.children:
                    self._keep(child)
                self._sweep_when_due()
                self.stopping.wait(0.2)
        except Unavailable as lost:
            self.say(lost.code, **lost.facts)
            status = 1
        finally:
            self._stop()
            own_number.unlink(missing_ok=True)
        return status

    def _open(self, ready: Callable[[], None]) -> None:
        try:
            ready()
        finally:
            self.opened.set()

    def _asked_to_stop(self, number: int, _frame: FrameType | None) -> None:
        self._log("stopping", signal=signal.Signals(number).name)
        self.stopping.set()

    def _keep(self, child: Child) -> None:
        """Start a child that is not running, unless it is not yet time or it cannot live.

        Raises:
            Unavailable: `site.process_lost`.
        """
        moment = time.monotonic()
        if (how := _held(child)) is not None:
            self._hold(child, how, moment)
            return
        if child.process is not None:
            status = child.process.poll()
            if status is None:
                return
            _ended(child)
            child.deaths = 1 if moment - child.started > SOUND_AFTER else child.deaths + 1
            child.again_at = moment + min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(child.deaths - 1, 9))
            self._log("died", name=child.name, status=status, deaths=child.deaths)
            lost = status == CANNOT_LIVE or child.deaths >= MOST_DEATHS
            if child.vital and lost:
                raise Unavailable(
                    "site.process_lost", name=child.name, status=status, log=str(self._log_of(child.name))
                )
            if child.vital or child.deaths == 1:
                self.say("site.process_died", name=child.name, status=status)
            elif child.deaths == MOST_DEATHS:
                self.say("site.process_failing", name=child.name, status=status, log=str(self._log_of(child.name)))
        if moment >= child.again_at and (self.opened.is_set() or not child.later):
            child.process = self._start(child.name, child.arguments)
            child.started = moment
            if child.pid_file is not None:
                child.pid_file.write_text(f"{child.process.pid}\n")

    def _hold(self, child: Child, how: str, moment: float) -> None:
        """Stop a child that somebody wants stopped; it starts with a clean record when it is no longer held."""
        child.deaths, child.again_at = 0, 0.0
        if child.process is None:
            return
        if child.process.poll() is not None:
            self._log("held", name=child.name)
            _ended(child)
        elif child.kill_at is None and how != KILL:
            child.process.terminate()
            child.kill_at = moment + STOP_PATIENCE
        elif child.kill_at is None or moment >= child.kill_at:
            os.killpg(child.process.pid, signal.SIGKILL)
            child.kill_at = moment + STOP_PATIENCE

    def _sweep_when_due(self) -> None:
        if self._sweeper is not None and self._sweeper.poll() is not None:
            if self._sweeper.returncode:
                self._log("sweep failed", status=self._sweeper.returncode)
            self._sweeper = None
        if self.sweep and self._sweeper is None and time.monotonic() >= self._next_sweep:
            self._next_sweep = time.monotonic() + SWEEP_EVERY
            self._sweeper = self._start("sweep", self.sweep)

    def _start(self, name: str, arguments: tuple[str, ...]) -> subprocess.Popen[bytes]:
        with self._log_of(name).open("ab") as lines:
            process = subprocess.Popen(  # noqa: S603 (our own modules, no shell)
                [sys.executable, "-m", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=lines,
                stderr=lines,
                env={**os.environ, **self.environment, "CHOPMARK_PARENT": str(os.getpid())},
                process_group=0,
            )
        self._log("started", name=name, pid=process.pid)
        return process

    def _stop(self) -> None:
        """End web, sweep and writer, then the others: the writer finishes its batch, and needs members for that."""
        vital = [child for child in self.children if child.vital]
        others = [child for child in self.children if not child.vital]
        sweeper = [] if self._sweeper is None else [("sweep", self._sweeper)]
        self._end([*_running(vital), *sweeper])
        self._end(_running(others))
        for child in self.children:
            _ended(child)
        self._log("stopped")

    def _end(self, running: list[tuple[str, subprocess.Popen[bytes]]]) -> None:
        """Ask these to end; kill the group of one that does not in time."""
        for _, process in running:
            process.terminate()
        until = time.monotonic() + STOP_PATIENCE
        for name, process in running:
            try:
                process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._log("killed", name=name, pid=process.pid)
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    def _log_of(self, name: str) -> Path:
        return self.home / "logs" / f"{name}.log"

    def _log(self, event: str, **facts: str | int) -> None:
        """One line in logs/supervisor.log, in the form of the other logs."""
        line = json.dumps({"event": event, **facts, "logger": "supervisor", "timestamp": to_text(now())})
        with self._log_of("supervisor").open("a") as lines:
            lines.write(line + "\n")


def _running(children: Iterable[Child]) -> list[tuple[str, subprocess.Popen[bytes]]]:
    return [(child.name, child.process) for child in children if child.process is not None]


def _held(child: Child) -> str | None:
    """What stands in the file that holds the child; None when it is not held."""
    try:
        return None if child.held is None else child.held.read_text("ascii", "replace").strip()
    except FileNotFoundError:
        return None


def _ended(child: Child) -> None:
    """The child's process is gone."""
    child.process = None
    child.kill_at = None
    if child.pid_file is not None:
        child.pid_file.unlink(missing_ok=True)


def put_logs_aside(home: Path) -> None:
    """Make logs/ and move files over the limit to `.1`; called before anything writes there."""
    folder = home / "logs"
    folder.mkdir(mode=0o700, exist_ok=True)
    for path in folder.glob("*.log"):
        if path.stat().st_size > LOG_LIMIT:
            path.replace(path.with_suffix(".log.1"))


def free_port(host: str, wanted: int | None, first: int = 8000, last: int = 8099) -> int:
    """The wanted port, or the first free one of a range when none was asked for; 0 means any.

    Raises:
        Refused: `site.port_taken`.
    """
    for port in range(first, last + 1) if wanted is None else (wanted,):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise Refused("site.port_taken", host=host, port=wanted or first)


def answers(host: str, port: int, path: str = "/healthz") -> bool:
    """Whether the web server answers 200 there now."""
    connection = HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def tell_when_open(host: str, port: int, *, running: Callable[[], None], silent: Callable[[], None]) -> None:
    """Call `running` once the web server answers; when it does not in time, `silent`, and `running` when it does later.

    Returns when either has been called. A slow machine may take minutes to start, and a person waits for the address.
    """
    until = time.monotonic() + START_PATIENCE
    while not answers(host, port):
        if time.monotonic() > until:
            silent()
            threading.Thread(target=_tell_late, args=(host, port, running), name="late", daemon=True).start()
            return
        time.sleep(0.2)
    running()


def _tell_late(host: str, port: int, running: Callable[[], None]) -> None:
    while not answers(host, port):
        time.sleep(1)
    running()


def serve_web(host: str, port: int, *, threads: int, workers: int) -> None:
    """Be the web server: granian in WSGI mode, which streams bodies both ways. Returns when stopped."""
    from granian import Granian  # noqa: PLC0415 (only the web process needs it)
    from granian.constants import Interfaces  # noqa: PLC0415

    end_with_parent()
    os.environ["CHOPMARK_THREADS"] = str(threads)  # for the settings of the worker processes
    Granian(
        "chopmark.site.worker:application",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=threads,
        websockets=False,
        respawn_failed_workers=True,
        workers_kill_timeout=5,
    ).serve()


def command(
    *,
    host: Annotated[str, Parameter(help=text("cli.serve.host"))] = "127.0.0.1",
    port: Annotated[int | None, Parameter(help=text("cli.serve.port"))] = None,
    threads: Annotated[int, Parameter(help=text("cli.serve.threads"), validator=Number(gte=1, lte=64))] = 8,
    workers: Annotated[int, Parameter(help=text("cli.serve.workers"), validator=Number(gte=1, lte=64))] = 1,
    common: Common = PLAIN,
) -> int:
    """Run the platform until told to stop."""
    place = home()
    chosen = free_port(host, port)
    config, _problems = read_config(os.environ | {"CHOPMARK_HOME": str(place)})
    # The address that the pages believe in follows the port, unless the operator has fixed it.
    if not os.environ.get("CHOPMARK_BASE_URL") and config.local:
        os.environ["CHOPMARK_BASE_URL"] = f"http://localhost:{chosen}"
    use_platform()
    from django.core.exceptions import ImproperlyConfigured  # noqa: PLC0415 (only a server needs the framework)

    from chopmark.site.checks import refuse_wrong_settings  # noqa: PLC0415

    try:
        refuse_wrong_settings()
    except ImproperlyConfigured as error:
        raise Invalid("site.settings_wrong", problems=str(error).splitlines()) from error
    put_logs_aside(place)
    if members := children_of(place):
        introduce(place, f"http://127.0.0.1:{chosen}" if config.local else config.base_url)
    if desks := desks_of(place):
        introduce_desks(place, f"http://127.0.0.1:{chosen}" if config.local else config.base_url)

    def running() -> None:
        say("site.running", common, address=os.environ.get("CHOPMARK_BASE_URL", f"http://localhost:{chosen}"))
        if (place / "demo.txt").is_file():
            say("site.sign_in", common, path=str(place / "demo.txt"))
        say("site.how_to_stop", common, logs=str(place / "logs"))

    def silent() -> None:
        say("site.silent", log=str(place / "logs" / "web.log"))

    def ready() -> None:
        tell_when_open(host, chosen, running=running, silent=silent)

    if doors := demo_doors(place):
        os.environ["CHOPMARK_CAPTURE_ALLOW"] = ",".join(dict.fromkeys((*config.capture_allow, *doors)))
    me = "chopmark.site"
    own_time = (place / "tsa" / "signer.pem").is_file()
    tsa = Child(name="tsa", arguments=(f"{me}.command", "tsa", "serve"), vital=False)
    stamper = Child(name="stamper", arguments=(f"{me}.command", "stamper"), vital=False)
    worker = Child(name="worker", arguments=(f"{me}.command", "worker"), vital=False, later=True)
    watcher = Child(name="watcher", arguments=(f"{me}.command", "watcher"), vital=False, later=True)
    return Supervisor(
        home=place,
        children=(
            Child(name="web", arguments=(f"{me}.supervisor", host, str(chosen), str(threads), str(workers))),
            Child(name="sequencer", arguments=(f"{me}.command", "sequencer")),
            *([tsa] if own_time else []),
            *([stamper] if own_time or config.tsas or config.ots_calendars or config.evm else []),
            worker,
            watcher,
            *members,
            *desks,
            *demo_of(place, f"http://127.0.0.1:{chosen}" if config.local else config.base_url),
        ),
        sweep=(f"{me}.command", "sweep"),
        say=say,
    ).run(ready)


if __name__ == "__main__":
    serve_web(sys.argv[1], int(sys.argv[2]), threads=int(sys.argv[3]), workers=int(sys.argv[4]))
