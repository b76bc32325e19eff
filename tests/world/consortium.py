"""A consortium on hosts of its own: the platform on the hub, each member in a network namespace, real processes all.

with Network(NAMES) as network, Consortium(network, tmp_path) as consortium:
    consortium.deposit("one")
    network.cut("hangzhou")
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.note import Note
from chopmark.ledger.wire import origin_hash
from world.netns import Network
from world.patience import HANG, WORK, until

COURTS = ("hangzhou", "beijing", "guangzhou")
OTHERS = ("notary", "customs")
NAMES = COURTS + OTHERS
RULE = "courts: 2 of hangzhou beijing guangzhou and others: 1 of notary customs"
PORT = 8000
MEMBER_PORT = 8101

_CHOPMARK = [sys.executable, "-m", "chopmark.site.command"]
_AHEAD = """
import sys, datetime
from chopmark.base import clock
_true, _by = clock.now, datetime.timedelta(days=365.25 * float(sys.argv.pop(1)))
clock.now = lambda: _true() + _by
from chopmark.site.command import main
sys.exit(main())
"""
_FETCH = """
import sys
from http.client import HTTPConnection
host, slash, path = sys.argv[2].removeprefix("http://").partition("/")
connection = HTTPConnection(host, timeout=300)
connection.request(sys.argv[1], slash + path, body=sys.stdin.buffer.read() or None)
answer = connection.getresponse()
sys.stdout.buffer.write(str(answer.status).encode() + b"\\n" + answer.read())
"""


class Consortium:
    """One platform and five members, founded and running."""

    def __init__(self, network: Network, folder: Path) -> None:
        self.network = network
        self.folder = folder
        self.home = folder / "platform"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> Self:
        try:
            self._found()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for name in list(self.processes):
            self.kill(name)

    # ---- the platform ------------------------------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """The platform's address on the network."""
        return f"http://{self.network.address('hub')}:{PORT}"

    def chopmark(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command on the platform's home."""
        return self.run("hub", [*_CHOPMARK, *arguments], check=check)

    def start(self, *, port: int = PORT) -> None:
        """Serve, and wait until the platform answers."""
        listen = ["serve", "--quiet", "--host", self.network.address("hub"), "--port", str(port)]
        self._start("platform", "hub", [*_CHOPMARK, *listen])
        until(lambda: self.fetch(f"{self.url}/healthz")[0] == 200)

    def stop(self, name: str = "platform") -> None:
        """Ask a process to end."""
        process = self.processes.pop(name)
        process.terminate()
        process.wait(HANG)

    def deposit(self, text: str) -> str:
        """Deposit a file with these words; its number. Does not wait for the receipt."""
        [number] = self.deposits([text])
        return number

    def deposits(self, texts: Sequence[str], *, check: bool = True) -> list[str]:
        """The same for several; the numbers of those that were accepted."""
        files = [self.folder / f"{text}.txt" for text in texts]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        done = self.chopmark("deposit", *map(str, files), "--no-wait", "--json", check=check)
        return [str(each["number"]) for each in json.loads(done.stdout or "[]")]

    def published(self, *numbers: str) -> bool:
        """Whether each of these deposits has its receipt, which is fetched; the last is the likeliest to lack it."""
        for number in reversed(numbers):
            target = self.folder / number
            done = self.chopmark("receipt", number, "--output", str(target), "--force", check=False)
            if done.returncode:
                return False
        return True

    def verify(self, text: str, number: str) -> dict[str, Any]:
        """The report on a deposit's file and the receipt that `published` has fetched."""
        receipt = next(path for path in self.folder.glob(f"{number}*") if path.name.endswith("tlog-proof"))
        done = self.chopmark(
            "verify", str(self.folder / f"{text}.txt"), "--receipt", str(receipt), "--json", check=False
        )
        return dict(json.loads(done.stdout))

    def state(self) -> dict[str, Any]:
        """What the platform says of its consortium."""
        status, body = self.fetch(f"{self.url}/api/v1/consortium")
        assert status == 200, body
        return dict(json.loads(body))

    def audit(self, place: str | None = None) -> dict[str, Any]:
        """The whole log checked anew, at the platform or at a member."""
        of_member = ["--from", place, "--no-quorum"] if place else []  # its copy carries its own cosignature only
        found = self.chopmark("log", "audit", *of_member, "--json", check=False)
        assert found.stdout, found.stderr
        return dict(json.loads(found.stdout))

    # ---- members -----------------------------------------------------------------------------------------------------

    def member_home(self, name: str) -> Path:
        """Where a member keeps its things."""
        return self.folder / name

    def member_url(self, name: str) -> str:
        """Its address on the network."""
        return f"http://{self.network.address(name)}:{MEMBER_PORT}"

    def member_command(self, name: str, *, years_ahead: float = 0) -> list[str]:
        """What serves a member, with a clock that is wrong by some years."""
        program = [sys.executable, "-c", _AHEAD, str(years_ahead)] if years_ahead else _CHOPMARK
        return [*program, "member", "serve", "--home", str(self.member_home(name))]

    def start_member(self, name: str, *, years_ahead: float = 0) -> None:
        """Serve a member, and wait until it answers on its own host."""
        self._start(name, name, self.member_command(name, years_ahead=years_ahead))
        until(lambda: self.fetch(f"{self.member_url(name)}/healthz", host=name)[0] == 200)

    def ended(self, name: str) -> bool:
        """Whether a member's program has ended by itself."""
        if self.processes[name].poll() is None:
            return False
        del self.processes[name]
        return True

    def mirror(self, name: str) -> str:
        """Address of a member's copy of the log."""
        return f"{self.member_url(name)}/mirror/{origin_hash(self._origin())}"

    def has_cosigned(self, name: str) -> bool:
        """Whether a member's cosignature is on the checkpoint that the platform shows."""
        return f"— {name}.test/mirror ".encode() in (self.home / "log" / "checkpoint").read_bytes()

    def alarms(self, name: str) -> list[dict[str, Any]]:
        """What a member has raised."""
        status, body = self.fetch(f"{self.member_url(name)}/alarms.json", host=name)
        assert status == 200
        return list(json.loads(body))

    # ---- processes ---------------------------------------------------------------------------------------------------

    def run(self, host: str, command: Sequence[str], *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command on a host."""
        done = subprocess.run(
            self.network.inside(host, command),
            env=self._environment(),
            check=False,
            capture_output=True,
            text=True,
            timeout=WORK,
        )
        assert not check or done.returncode == 0, f"{command[2:]}: {done.stdout}{done.stderr}"
        return done

    def fetch(self, url: str, *, method: str = "GET", body: bytes = b"", host: str = "hub") -> tuple[int, bytes]:
        """A request made on a host; status 0 when nobody answered."""
        done = subprocess.run(
            self.network.inside(host, [sys.executable, "-ISc", _FETCH, method, url]),
            input=body,
            check=False,
            capture_output=True,
            timeout=WORK,
        )
        status, _, content = done.stdout.partition(b"\n")
        return int(status or 0), content

    def freeze(self, name: str) -> None:
        """Let a process hang, as an overloaded host would."""
        os.killpg(self.processes[name].pid, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Undo `freeze`."""
        os.killpg(self.processes[name].pid, signal.SIGCONT)

    def kill(self, name: str) -> None:
        """SIGKILL to a process and its children."""
        process = self.processes.pop(name)
        for group in {process.pid, *_groups_below(process.pid)}:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(group, signal.SIGKILL)
        process.wait(HANG)

    def _start(self, name: str, host: str, command: Sequence[str]) -> None:
        with (self.folder / f"{name}.out").open("ab") as lines:
            self.processes[name] = subprocess.Popen(
                self.network.inside(host, command),
                env=self._environment(),
                stdout=lines,
                stderr=lines,
                start_new_session=True,
            )

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CHOPMARK_", "DJANGO_"))}
        more = {"CHOPMARK_HOME": str(self.home), "CHOPMARK_BASE_URL": self.url, "PYTHONPATH": "", "LC_ALL": "C.UTF-8"}
        return kept | more | {"CHOPMARK_ALLOWED_HOSTS": self.network.address("hub")}

    def _found(self) -> None:
        self.chopmark("init", "--quiet")
        self.chopmark("demo", "--quiet")
        cards = []
        for name in NAMES:
            self.run(name, [*_CHOPMARK, "member", "init", *self._member_options(name)])
            cards.append(str(self.member_home(name) / "card.json"))
            self.start_member(name)
        self.chopmark("consortium", "add", *cards, "--wait", str(HANG))
        self.chopmark("consortium", "policy", RULE, "--wait", str(HANG))
        for name in NAMES:  # so that each watches for the quorum too
            shutil.copy(self.home / "consortium" / "policy", self._policy_of(name))
        self.start()

    def _policy_of(self, name: str) -> Path:
        folder = self.member_home(name) / "policies"
        folder.mkdir(exist_ok=True)
        return folder / f"{origin_hash(self._origin())}.policy"

    def _origin(self) -> str:
        return Checkpoint.parse(Note.parse((self.home / "log" / "checkpoint").read_bytes()).text).origin

    def _member_options(self, name: str) -> list[str]:
        chosen = {
            "home": self.member_home(name),
            "name": name,
            "kind": "court" if name in COURTS else name,
            "zh": f"{name}（测试）",
            "en": f"{name} (test)",
            "url": self.member_url(name),
            "listen": f"{self.network.address(name)}:{MEMBER_PORT}",
            "host-id": f"{name}.test",
            "log": self.home / "trust.policy",
            "log-url": f"{self.url}/log",
            "platform": self.url,
            "interval": 1,
        }
        return [part for option, value in chosen.items() for part in (f"--{option}", str(value))]


def _groups_below(pid: int) -> set[int]:
    """The process groups of everything that a process has started."""
    found: set[int] = set()
    waiting = [pid]
    while waiting:
        with contextlib.suppress(OSError):
            for task in Path(f"/proc/{waiting.pop()}/task").iterdir():
                for child in map(int, (task / "children").read_text().split()):
                    waiting.append(child)
                    with contextlib.suppress(OSError):
                        found.add(os.getpgid(child))
    return found
