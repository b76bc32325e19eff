"""Local members of the consortium: five nodes of this machine that stand in for institutions, to try and to show.

    $CHOPMARK_HOME/members/NAME/           a member's own home: keys, mirror, card (see chopmark.member)
    $CHOPMARK_HOME/members/NAME.stopped    somebody stopped it by hand; it stays stopped while the file is there
    $CHOPMARK_HOME/members/NAME.pid        number of its process while it runs

`chopmark serve` keeps them alive; `init` and `demo` start those that do not run and stop only those that they started.
A platform that others rely on has no such folder: there each institution runs its own node on its own machine.

Only processes and files here: a member's keys, state and rules are its own program's.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from cyclopts import Parameter

from chopmark.base.errors import Refused, Unavailable
from chopmark.cli.home import home as chosen_home
from chopmark.cli.output import PLAIN, Common, out, print_json, say
from chopmark.cli.status import DONE
from chopmark.cli.words import language, text
from chopmark.ledger.card import Card
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.policy import policy_text
from chopmark.site.child import KILL, PID_FILE, STOP_PATIENCE, Child

FOLDER = "members"
START_PATIENCE = 60.0  # seconds until a member that was started must answer
FIRST_PATIENCE = 180.0  # seconds until all must answer that are started at once; one that ends is noticed
ANSWER_PATIENCE = 2.0  # seconds
PORTS = range(21_000, 30_000, 10)  # below the range that systems hand out by themselves
TRIES = 100
RULE = "courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Institution:
    """One member to be made: its titles say that it only stands in for the institution."""

    name: str
    kind: str
    zh: str
    en: str


INSTITUTIONS = (
    Institution(
        name="hangzhou",
        kind="court",
        zh="杭州互联网法院（本机演示）",
        en="Hangzhou Internet Court (local demonstration)",
    ),
    Institution(
        name="beijing", kind="court", zh="北京互联网法院（本机演示）", en="Beijing Internet Court (local demonstration)"
    ),
    Institution(
        name="guangzhou",
        kind="court",
        zh="广州互联网法院（本机演示）",
        en="Guangzhou Internet Court (local demonstration)",
    ),
    Institution(name="notary", kind="notary", zh="公证处（本机演示）", en="Notary office (local demonstration)"),
    Institution(name="customs", kind="customs", zh="海关（本机演示）", en="Customs (local demonstration)"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalMember:
    """A member whose home lies in this platform's home.

    Attributes:
        folder: the member's home.
        card: who it is.
    """

    folder: Path
    card: Card

    @property
    def name(self) -> str:
        """Its name, as on its card."""
        return self.card.name

    @property
    def marker(self) -> Path:
        """The file that says that somebody stopped it."""
        return self.folder.with_name(f"{self.folder.name}.stopped")

    @property
    def pid_file(self) -> Path:
        """The file that holds the number of its process."""
        return self.folder.with_name(f"{self.folder.name}.pid")

    @property
    def arguments(self) -> tuple[str, ...]:
        """What the interpreter is started with, after `-m`."""
        return ("chopmark.site.command", "member", "serve", "--home", str(self.folder))

    @property
    def pid(self) -> int | None:
        """The number of its process; None when none is noted or it is gone."""
        try:
            pid = int(self.pid_file.read_text("ascii"))
            os.kill(pid, 0)
        except (FileNotFoundError, ValueError, ProcessLookupError, PermissionError):
            return None
        return pid

    @property
    def state(self) -> Literal["running", "silent", "stopped", "down"]:
        """Whether it runs; `stopped` is by hand, `silent` has a process that does not answer."""
        if self.answers():
            return "running"
        if self.pid is not None:
            return "silent"
        return "stopped" if self.marker.exists() else "down"

    def answers(self) -> bool:
        """Whether this member, and no other program, answers at its address now."""
        parts = urlsplit(self.card.url or "")
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=ANSWER_PATIENCE)
        try:
            connection.request("GET", f"{parts.path}/card.json")
            return connection.getresponse().read(len(self.card.encode()) + 1) == self.card.encode()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()


def members_of(home: Path) -> tuple[LocalMember, ...]:
    """The local members of a platform's home, in the order in which they are shown."""
    found = [
        LocalMember(folder=path.parent, card=Card.parse(path.read_bytes()))
        for path in sorted((home / FOLDER).glob("*/card.json"))
    ]
    order = [each.name for each in INSTITUTIONS]
    return tuple(sorted(found, key=lambda each: order.index(each.name) if each.name in order else len(order)))


def make_members(home: Path, origin: str, keys: Sequence[VerifierKey], log_url: str) -> bool:
    """Make the homes of the local members that are not there yet, on free ports; whether any was made.

    Raises:
        Refused: `site.no_free_ports`.
    """
    from chopmark.member.founding import found_home  # noqa: PLC0415 (a platform without local members needs it not)
    from chopmark.member.settings import CONFIG, LogSettings, MemberHome, Settings  # noqa: PLC0415

    missing = [each for each in INSTITUTIONS if not (home / FOLDER / each.name / CONFIG).exists()]
    if not missing:
        return False
    log = LogSettings(origin=origin, keys=tuple(keys), url=log_url)
    for each, port in zip(missing, free_ports(len(missing)), strict=True):
        folder = home / FOLDER / each.name
        shutil.rmtree(folder, ignore_errors=True)  # its settings are written last: it was never finished, never served
        found_home(
            MemberHome(folder),
            Settings(
                name=each.name,
                kind=each.kind,
                zh=each.zh,
                en=each.en,
                id=f"{each.name}.localhost",
                host="127.0.0.1",
                port=port,
                url=f"http://127.0.0.1:{port}",
                logs=(log,),
            ),
            passphrase=None,
        )
    return True


def introduce(home: Path, site: str) -> None:
    """Tell the local members that do not run where the log is published now, and the policy that it must meet.

    The policy is told once the newest checkpoint meets it: the one that published it did not have to.

    Args:
        home: the platform's; Django must be set up.
        site: address of the platform, without a slash at the end.
    """
    from chopmark.evidence import wiring  # noqa: PLC0415 (the framework is set up only now)
    from chopmark.member.founding import add_log  # noqa: PLC0415 (a platform without local members needs it not)
    from chopmark.member.settings import LogSettings, MemberHome  # noqa: PLC0415

    policy, latest = wiring.consortium_policy(), wiring.book().latest()
    meets = policy is not None and latest is not None and policy.open(latest.note)[1].accepted
    told = policy_text(policy).encode() if policy is not None and meets else None
    log = LogSettings(origin=wiring.origin(), keys=wiring.all_log_keys(), url=f"{site}/log", platform=site)
    for each in members_of(home):
        if not each.answers():
            add_log(MemberHome(each.folder), log, told)


def children_of(home: Path) -> tuple[Child, ...]:
    """The local members as the supervisor keeps them alive."""
    return tuple(
        Child(
            name=f"member-{each.name}",
            arguments=each.arguments,
            vital=False,
            held=each.marker,
            pid_file=each.pid_file,
        )
        for each in members_of(home)
    )


@contextmanager
def local_members(home: Path) -> Iterator[None]:
    """While inside, every local member runs that nobody stopped by hand; those started here end with the block.

    Raises:
        Unavailable: `site.member_silent` when one that was started does not answer in time.
    """
    idle = [each for each in members_of(home) if not each.marker.exists() and not each.answers()]
    with ExitStack() as started:
        processes = [(each, started.enter_context(_running(home, each))) for each in idle]
        _await(home, processes)
        yield


@contextmanager
def _running(home: Path, member: LocalMember) -> Iterator[subprocess.Popen[bytes]]:
    """The member's process; it ends with the block, and by itself when this process is gone."""
    log = _log_of(home, member.name)
    log.parent.mkdir(mode=0o700, exist_ok=True)
    with log.open("ab") as lines:
        process = subprocess.Popen(  # noqa: S603 (our own modules, no shell)
            [sys.executable, "-m", *member.arguments],
            stdin=subprocess.DEVNULL,
            stdout=lines,
            stderr=lines,
            env={**os.environ, "CHOPMARK_PARENT": str(os.getpid())},
            process_group=0,
        )
    member.pid_file.write_text(f"{process.pid}\n")
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(STOP_PATIENCE)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        member.pid_file.unlink(missing_ok=True)


def _await(home: Path, processes: Sequence[tuple[LocalMember, subprocess.Popen[bytes]]]) -> None:
    until = time.monotonic() + FIRST_PATIENCE
    for member, process in processes:
        while not member.answers():
            if process.poll() is not None or time.monotonic() > until:
                raise Unavailable("site.member_silent", name=member.name, log=str(_log_of(home, member.name)))
            time.sleep(0.1)


def _log_of(home: Path, name: str) -> Path:
    return home / "logs" / f"member-{name}.log"


def free_ports(count: int) -> list[int]:
    """Neighbouring ports of this machine that nobody uses now; members of many homes rarely meet there.

    Raises:
        Refused: `site.no_free_ports`.
    """
    for first in random.sample(PORTS, min(TRIES, len(PORTS))):
        ports = list(range(first + 1, first + 1 + count))
        if all(_is_free(port) for port in ports):
            return ports
    raise Refused("site.no_free_ports", count=count)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


# ---- chopmark members ------------------------------------------------------------------------------------------------


def command(
    action: Annotated[Literal["list", "start", "stop"], Parameter(help=text("cli.members.action"))] = "list",
    *names: Annotated[str, Parameter(help=text("cli.members.names"))],
    kill: Annotated[bool, Parameter(negative="", help=text("cli.members.kill"))] = False,
    common: Common = PLAIN,
) -> int:
    """Show the local members, stop some as if they had failed, start them again.

    Raises:
        Refused: `site.no_local_members`, `site.member_unknown`.
        Unavailable: `site.member_alive` when one goes on although it should stop.
    """
    home = chosen_home()
    members = members_of(home)
    if not members:
        raise Refused("site.no_local_members", home=str(home))
    chosen = [_called(name, members) for name in dict.fromkeys(names)] or list(members)
    if action == "stop":
        for each in chosen:
            each.marker.write_text(KILL if kill else "", "ascii")
        _await_end(chosen)
    elif action == "start":
        for each in chosen:
            each.marker.unlink(missing_ok=True)
        if not _supervised(home):
            say("site.members_wait", common)
        else:
            _await_answer(chosen)
    _show(members if action == "list" and not names else chosen, common)
    return DONE


def _called(name: str, members: Sequence[LocalMember]) -> LocalMember:
    for each in members:
        if each.name == name:
            return each
    raise Refused("site.member_unknown", name=name, names=[each.name for each in members])


def _await_end(members: Sequence[LocalMember]) -> None:
    """Wait until the supervisor has stopped these."""
    until = time.monotonic() + STOP_PATIENCE + 5
    for each in members:
        while each.pid is not None:
            if time.monotonic() > until:
                raise Unavailable("site.member_alive", name=each.name)
            time.sleep(0.1)


def _await_answer(members: Sequence[LocalMember]) -> None:
    """Wait a while until these answer; one that does not is shown as it is."""
    until = time.monotonic() + START_PATIENCE
    while time.monotonic() < until and not all(each.answers() for each in members):
        time.sleep(0.2)


def _supervised(home: Path) -> bool:
    """Whether `chopmark serve` runs for this home."""
    try:
        os.kill(int((home / PID_FILE).read_text("ascii")), 0)
    except (FileNotFoundError, ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


def _show(members: Sequence[LocalMember], common: Common) -> None:
    rows = [(each, each.state, each.pid) for each in members]
    if common.json:
        print_json(
            [
                {"name": each.name, "kind": each.card.kind, "state": state, "pid": pid, "url": each.card.url}
                for each, state, pid in rows
            ]
        )
        return
    for each, state, pid in rows:
        title = each.card.zh if language() == "zh" else each.card.en
        words = text(f"cli.members.{state}")
        out().print(f"{each.name:<10} {words:<10} {pid or '-':>8}  {each.card.url or '-'}/  {title}")
