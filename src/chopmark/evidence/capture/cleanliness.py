"""The cleanliness report: what a capture ran in, line by line with pass or fail, before and after.

Chinese practice (SF/T 0091-2021; the 2016 guide of the union for trusted time stamps) has an operator show processes,
hosts file, proxy settings, empty history and clock before a capture. Here a program looks, and writes what it saw.
A line that fails stays, and the capture goes on: hiding the fault would be worse than having it.
A line says `not_measured` when nobody configured what it needs.

It reads `/proc` and files; it changes nothing. Command lines are left out: they may hold secrets of others.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import os
import platform
import re
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from chopmark.base.digests import chunks_of
from chopmark.base.errors import Unavailable
from chopmark.evidence.capture import timesource
from chopmark.evidence.capture.processlog import moment

PASS: Final = "pass"  # noqa: S105 (a verdict)
FAIL: Final = "fail"
NOT_MEASURED: Final = "not_measured"
MAX_FILE: Final = 1 << 20  # bytes of a hosts file or resolver configuration that are kept
MAX_PROCESSES: Final = 2000
MAX_OFFSET: Final = 1000  # milliseconds
# Programs whose business is to change what a browser sees or does.
TAMPERING: Final = frozenset(
    {
        *("mitmproxy", "mitmdump", "mitmweb", "burpsuite", "charles", "fiddler", "bettercap", "ettercap", "sslsplit"),
        *("proxychains", "proxychains4", "privoxy", "squid", "frida-server", "zaproxy", "gdb", "strace", "ltrace"),
    }
)
PROXY_NAMES: Final = ("http_proxy", "https_proxy", "all_proxy", "ftp_proxy", "no_proxy")
POLICY_FOLDERS: Final = (
    "/etc/chromium/policies/managed",
    "/etc/chromium/policies/recommended",
    "/etc/opt/chrome/policies/managed",
)
CA_STORE: Final = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is looked at.

    Attributes:
        host: the name that will be captured.
        browser: the program file.
        profile: the folder the browser will use, or has used.
        locale: what the browser is told.
        screen: width and height in pixels.
        time_sources: `host` or `host:port` of time servers.
        image: digest of the container or machine image, empty when nobody said it.
        root: where `/proc` and `/etc` lie.
        environment: variables of this process.
    """

    host: str
    browser: Path
    profile: Path
    locale: str
    time_zone: str
    screen: tuple[int, int]
    time_sources: Sequence[str] = ()
    image: str = ""
    root: Path = Path("/")
    environment: Mapping[str, str]


Line = dict[str, Any]


def look(place: Place, clock: Callable[[], datetime], *, before: bool) -> dict[str, Any]:
    """One look around: `at`, `verdict` and the lines."""
    started = time.monotonic()
    lines = [
        _processes(place),
        _hosts(place),
        _resolver(place),
        _proxy(place),
        _preload(place),
        _policies(place),
        _profile(place, before=before),
        _clock(place, clock),
        _browser(place),
        _image(place),
        _trust_store(place),
        {"check": "system", "status": PASS, "kernel": " ".join(platform.uname()[i] for i in (0, 2, 3, 4))},
        {
            "check": "display",
            "status": PASS,
            "locale": place.locale,
            "time_zone": place.time_zone,
            "width": place.screen[0],
            "height": place.screen[1],
        },
    ]
    return {
        "at": moment(clock()),
        "milliseconds": round((time.monotonic() - started) * 1000),
        "verdict": verdict(lines),
        "lines": lines,
    }


def verdict(lines: Sequence[Mapping[str, Any]]) -> str:
    """`fail` when any line failed."""
    return FAIL if any(line["status"] == FAIL for line in lines) else PASS


def _line(check: str, *, ok: bool, **facts: object) -> Line:
    return {"check": check, "status": PASS if ok else FAIL, **facts}


def _processes(place: Place) -> Line:
    """Every process by number, parent, user and name; a tampering tool or a debugger at our own process fails."""
    found, tampering, traced = [], set(), False
    for folder in sorted(place.root.glob("proc/[0-9]*"), key=lambda path: int(path.name))[:MAX_PROCESSES]:
        try:
            status = dict(
                re.findall(r"^(\w+):\s*(.*)$", (folder / "status").read_text("utf-8", "replace"), re.MULTILINE)
            )
        except OSError:
            continue  # it ended meanwhile
        name, number = status.get("Name", ""), int(folder.name)
        user = status.get("Uid", "-1").split()[0]
        found.append({"pid": number, "ppid": int(status.get("PPid", 0)), "uid": int(user), "name": name})
        if name.lower() in TAMPERING:
            tampering.add(name)
        traced = traced or (number == os.getpid() and status.get("TracerPid", "0") != "0")
    return _line(
        "processes",
        ok=bool(found) and not tampering and not traced,
        tampering=sorted(tampering),
        traced=traced,
        processes=found,
    )


def _file(path: Path) -> tuple[bytes, dict[str, Any]]:
    """Up to 1 MiB of a file, and what the report says of it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE)
    except OSError:
        return b"", {"present": False}
    content = base64.b64encode(data).decode()
    return data, {"present": True, "bytes": content, "sha256": hashlib.sha256(data).hexdigest()}


def _hosts(place: Place) -> Line:
    """Only this machine's own names may stand in it: anything else could lead a page's name elsewhere."""
    data, facts = _file(place.root / "etc/hosts")
    foreign = []
    for line in data.decode("utf-8", "replace").splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        try:
            loopback = not address or ipaddress.ip_address(address.partition("%")[0]).is_loopback
        except ValueError:
            loopback = False
        own = {"localhost", socket.gethostname(), place.environment.get("HOSTNAME", "")}
        foreign += [
            name
            for name in names
            if name == place.host or not (loopback or name in own or name.startswith(("ip6-", "localhost")))
        ]
    return _line("hosts", ok=not foreign, foreign=foreign[:100], **facts)


def _resolver(place: Place) -> Line:
    data, facts = _file(place.root / "etc/resolv.conf")
    servers = re.findall(r"^\s*nameserver\s+(\S+)", data.decode("utf-8", "replace"), re.MULTILINE)
    return _line("resolver", ok=bool(servers), servers=servers[:10], **facts)


def _proxy(place: Place) -> Line:
    """None is set in the environment; the capture's own guard is named in the log, not here."""
    named = sorted(name for name in place.environment if name.lower() in PROXY_NAMES and place.environment[name])
    return _line("proxy", ok=not named, variables=named)


def _preload(place: Place) -> Line:
    """No library was put before those of the programs.

    What the loader heeds is the environment that this process was started with. Python libraries set such variables
    for themselves later (OpenCV does); they reach neither this process nor the browser, which is given its own.
    """
    try:
        given = (place.root / "proc/self/environ").read_bytes().split(b"\0")
    except OSError:
        given = []
    variables = dict(each.decode("utf-8", "replace").partition("=")[::2] for each in given)
    named = sorted(name for name, value in variables.items() if name.startswith("LD_") and value)
    data, _ = _file(place.root / "etc/ld.so.preload")
    return _line("preload", ok=bool(given) and not named and not data.strip(), variables=named, file=bool(data.strip()))


def _policies(place: Place) -> Line:
    """No administrator's policy steers the browser."""
    files = [
        str(path) for folder in POLICY_FOLDERS for path in sorted((place.root / folder.lstrip("/")).glob("*.json"))[:20]
    ]
    return _line("browser_policies", ok=not files, files=files)


def _profile(place: Place, *, before: bool) -> Line:
    """Before: empty (no history, cookies, cache, extensions). After: what the browser wrote, which is then removed."""
    names = sorted(path.name for path in place.profile.iterdir())[:200] if place.profile.is_dir() else []
    if before:
        return _line("profile", ok=place.profile.is_dir() and not names, entries=names)
    extensions = any((place.profile / each / "Extensions").exists() for each in names)
    return _line("profile", ok=not extensions, entries=names, extensions=extensions)


def _clock(place: Place, clock: Callable[[], datetime]) -> Line:
    """The clock's offset to each source; one second or more fails, and so does a source that is silent."""
    if not place.time_sources:
        return {"check": "clock", "status": NOT_MEASURED}
    sources: list[dict[str, Any]] = []
    for each in place.time_sources[:4]:
        try:
            sources.append({"source": each, "offset_milliseconds": timesource.offset(each, clock)})
        except Unavailable as error:
            sources.append({"source": each, "failure": error.code})
    ok = all(abs(each.get("offset_milliseconds", MAX_OFFSET)) < MAX_OFFSET for each in sources)
    return _line("clock", ok=ok, sources=sources)


def _browser(place: Place) -> Line:
    digest = sha256_of(place.browser)
    return _line("browser", ok=bool(digest), path=str(place.browser), sha256=digest)


def _image(place: Place) -> Line:
    if not place.image:
        return {"check": "image", "status": NOT_MEASURED}
    return {"check": "image", "status": PASS, "digest": place.image}


def _trust_store(place: Place) -> Line:
    """The system's certificates; Chromium brings its own, which are part of the program's digest."""
    digest = sha256_of(place.root / CA_STORE.lstrip("/"))
    if not digest:
        return {"check": "trust_store", "status": NOT_MEASURED}
    return {"check": "trust_store", "status": PASS, "path": CA_STORE, "sha256": digest}


def sha256_of(path: Path) -> str:
    """The file's SHA-256 in hex, empty when it cannot be read."""
    made = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for chunk in chunks_of(file):
                made.update(chunk)
    except OSError:
        return ""
    return made.hexdigest()
