"""One capture from wish to deposit: the worker's whole work, in one call.

 1 look around (cleanliness), ask the resolvers        5 look around again
 2 browse, behind the egress guard                     6 digests, time stamps, deposit: in this same step
 3 the same address by a second tool, and what differs 7 close the process log, describe everything in capture.json
 4 pack: WACZ, sealed net-log, names, headers, TLS

The browser lives in a thread of its own. The calling thread watches it: it passes progress and an operator's commands
on, and kills the browser when time is over or somebody cancels. Callbacks and hooks run in the calling thread only.

Nothing is thrown away: a capture that broke off is packed, stamped and deposited as what it is, with the reasons in
`capture.json`. `salvage` does the same for a folder whose worker was killed.
"""

from __future__ import annotations

import hashlib
import queue
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from os import environ
from pathlib import Path
from typing import Any, Final, Protocol

import chopmark
from chopmark.base import clock as clocks
from chopmark.base import jcs
from chopmark.base.errors import Invalid, PlatformError, Refused
from chopmark.evidence.capture import cleanliness, names, sealed, vantage, warc
from chopmark.evidence.capture.browser import Browsing, Found, end_processes_of, remove_folder_of
from chopmark.evidence.capture.commands import Source
from chopmark.evidence.capture.guard import Contact, Guard
from chopmark.evidence.capture.processlog import ProcessLog, moment, tidy
from chopmark.evidence.capture.request import Request, Station, web_address

SCHEMA: Final = "urn:chopmark:capture:1"
SOFTWARE: Final = f"chopmark {chopmark.__version__}"
LOG: Final = "process.jsonl"
DESCRIPTION: Final = "capture.json"
WORK: Final = "work"
DRAFT: Final = ".draft"
GRACE: Final = 20.0  # seconds for a killed browser's thread to end
ARCHIVED: Final = "page.wacz"
STAMPED: Final = (ARCHIVED, LOG)
TYPES: Final = {
    "page.wacz": "application/wacz",
    "recording.avi": "video/x-msvideo",
    "tls-chain.pem": "application/x-pem-file",
    "netlog.json.zst.sealed": "application/octet-stream",
    "screenshot.png": "image/png",
    "page.mhtml": "multipart/related",
    "page.pdf": "application/pdf",
    "dom.html": "text/html",
    "visible-text.txt": "text/plain",
    LOG: "application/jsonl",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of progress.

    Attributes:
        code: of its sentence, `capture.step.…`.
        facts: what the sentence names.
    """

    code: str
    facts: dict[str, str | int]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """One file of a capture.

    Attributes:
        path: its name in the capture's folder.
        role: `primary` (the archive), `rendition` (made from the same page), `record` (how it was done) or `token`.
        derived_from: the file that it shows in another form, empty when there is none.
    """

    path: str
    media_type: str
    size: int
    sha256: bytes
    role: str
    derived_from: str = ""


class Hooks(Protocol):
    """What a platform adds in the same step; called in the thread that called `capture`."""

    def stamp(self, sha256: bytes) -> bytes | None:
        """An RFC 3161 token (DER) over this digest; None when there is no authority."""

    def deposit(self, files: Sequence[Kept]) -> Sequence[str]:
        """Put these files' digests on the ledger; their deposit numbers in the same order, none without a ledger."""


class NoHooks:
    """Neither stamps nor deposits."""

    def stamp(self, sha256: bytes) -> bytes | None:  # noqa: ARG002 (the protocol's signature)
        """See `Hooks`."""
        return None

    def deposit(self, files: Sequence[Kept]) -> Sequence[str]:  # noqa: ARG002 (the protocol's signature)
        """See `Hooks`."""
        return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What a capture left.

    Attributes:
        files: everything in the folder, tokens included.
        log_head: SHA-256 of the process log's last line, hex.
        cleanliness: `pass` or `fail`, before and after together.
        reasons: why it is not complete, codes below `capture.reason.`.
        notes: what a reader must know besides, codes below `capture.note.`.
        engine: product and version of the browser; `engine_sha256` of its program file, hex.
        tokens: pairs of a token's file and the file it stamps.
        deposits: file to deposit number.
        vantages: names of the points the page was seen from.
    """

    folder: Path
    mode: str
    requested_url: str
    final_url: str
    title: str
    status: int
    started: datetime
    ended: datetime
    engine: str
    engine_sha256: str
    files: tuple[Kept, ...]
    log_head: str
    log_entries: int
    cleanliness: str
    complete: bool
    reasons: tuple[str, ...]
    notes: tuple[str, ...]
    vantages: tuple[str, ...]
    tokens: tuple[tuple[str, str], ...] = ()
    deposits: dict[str, str] = field(default_factory=dict)


def capture(
    request: Request,
    out: Path,
    *,
    station: Station | None = None,
    hooks: Hooks | None = None,
    progress: Callable[[Step], None] = lambda _step: None,
    source: Source | None = None,
    cancelled: Callable[[], bool] = lambda: False,
    clock: Callable[[], datetime] = clocks.now,
) -> Captured:
    """Capture one address into an empty or new folder.

    Args:
        source: of an operator's commands; needed in that mode only.
        cancelled: asked a few times a second; True ends the capture, which is kept as partial.

    Raises:
        Invalid: `capture.url_malformed`, `capture.request_malformed`; what the station's settings are wrong in.
        Refused: `capture.folder_taken`; `capture.operator_without_commands`.
        Unavailable: `capture.browser_missing`.
    """
    request.must_fit()
    if (request.mode == "operator") != (source is not None):
        raise Refused("capture.operator_without_commands")
    place = station or Station()
    program = place.program()
    for each in place.resolvers:
        names.resolver(each)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise Refused("capture.folder_taken", path=str(out))
    (out / WORK / "profile").mkdir(parents=True)
    (out / WORK).chmod(0o700)
    log = ProcessLog(out / LOG, clock)
    state = _Capture(request, out, place, program, hooks=hooks or NoHooks(), progress=progress, clock=clock, log=log)
    return state.run(source, cancelled)


def salvage(
    out: Path, *, name: str = "local", hooks: Hooks | None = None, clock: Callable[[], datetime] = clocks.now
) -> Captured:
    """Finish the folder of a capture whose worker was killed: what it had written becomes a partial capture.

    Args:
        name: of the vantage point.

    Raises:
        Refused: `capture.folder_unfit` when it holds no capture, or one that was finished (see `reread`).
        Invalid: `capture.log_broken`.
    """
    if not (out / LOG).is_file() or reread(out) is not None:
        raise Refused("capture.folder_unfit", path=str(out))
    log, lines = ProcessLog.resume(out / LOG, clock)
    asked = lines[0]["facts"] if lines else {}
    if {"url", "mode"} - set(asked):
        raise Refused("capture.folder_unfit", path=str(out))
    request = Request(url=asked["url"], mode=asked["mode"], actor=lines[0]["actor"])
    state = _Capture(
        request,
        out,
        Station(name=name),
        Path(),
        hooks=hooks or NoHooks(),
        progress=lambda _step: None,
        clock=clock,
        log=log,
    )
    return state.salvage(lines)


def holds_page(out: Path) -> bool:
    """Whether a killed worker left bytes of the page in a folder, so that `salvage` makes more than a log of it.

    Ends what is left of its browser first.
    """
    end_processes_of(out / WORK / "profile")
    archive = out / WORK / warc.ARCHIVE
    return (out / LOG).is_file() and (
        (out / ARCHIVED).is_file() or (archive.is_file() and warc.repair(archive) > 1)  # the first record is the tool's
    )


def reread(out: Path) -> Captured | None:
    """A capture that was finished, as its `capture.json` tells it; None where there is no whole one."""
    try:
        facts = jcs.decode((out / DESCRIPTION).read_bytes())
    except (FileNotFoundError, Invalid):
        return None
    files = tuple(
        Kept(
            path=each["path"],
            media_type=each["media_type"],
            size=each["bytes"],
            sha256=bytes.fromhex(each["sha256"]),
            role=each["role"],
            derived_from=each.get("derived_from", ""),
        )
        for each in facts["files"]
    )
    data = (out / DESCRIPTION).read_bytes()
    own = Kept(
        path=DESCRIPTION,
        media_type="application/json",
        size=len(data),
        sha256=hashlib.sha256(data).digest(),
        role="record",
    )
    return Captured(
        folder=out,
        mode=facts["mode"],
        requested_url=facts["requested_url"],
        final_url=facts["final_url"],
        title=facts["title"],
        status=facts["status"],
        started=datetime.fromisoformat(facts["started"]),
        ended=datetime.fromisoformat(facts["ended"]),
        engine=facts["engine"],
        engine_sha256=facts["engine_sha256"],
        files=tuple(sorted((*files, own), key=lambda each: each.path)),
        log_head=facts["log"]["head"],
        log_entries=facts["log"]["entries"],
        cleanliness=facts["cleanliness"],
        complete=facts["complete"],
        reasons=tuple(facts["reasons"]),
        notes=tuple(facts["notes"]),
        vantages=tuple(facts["vantages"]),
        tokens=tuple((each["path"], each["over"]) for each in facts["tokens"]),
        deposits={each["path"]: each["number"] for each in facts["deposits"]},
    )


class _Capture:
    """The state of one capture while it runs."""

    def __init__(
        self,
        request: Request,
        out: Path,
        station: Station,
        program: Path,
        *,
        hooks: Hooks,
        progress: Callable[[Step], None],
        clock: Callable[[], datetime],
        log: ProcessLog,
    ) -> None:
        self._request, self._out, self._station, self._program = request, out, station, program
        self._hooks, self._progress, self._clock = hooks, progress, clock
        self._work = out / WORK
        self._log = log
        self._kept: dict[str, Kept] = {}
        self._keeping = threading.Lock()
        self._told: queue.Queue[Step] = queue.Queue()
        self._contacts: list[Contact] = []
        self._deposits: dict[str, str] = {}
        self._tokens: list[tuple[str, str]] = []
        self._notes: dict[str, None] = {}
        self._started = clock()

    # ---- the whole -----------------------------------------------------------------------------------------------

    def run(self, source: Source | None, cancelled: Callable[[], bool]) -> Captured:
        request, station = self._request, self._station
        host = web_address(request.url)
        self._log.add(
            request.actor,
            "capture.asked",
            url=request.url,
            mode=request.mode,
            software=SOFTWARE,
            seconds=request.seconds,
            bytes=request.limits.egress.size,
            requests=request.limits.egress.requests,
            accept_bad_certificate=request.accept_bad_certificate,
            allowed=sorted(station.allow),
        )
        self._tell("clean")
        place = self._place(host)
        before = cleanliness.look(place, self._clock, before=True)
        self._log.add("worker", "cleanliness.before", verdict=before["verdict"], browser_sha256=_engine_digest(before))
        self._tell("names")
        answers = names.ask(host, station.resolvers, self._clock)
        archive = warc.Warc(self._work / warc.ARCHIVE, software=SOFTWARE, at=self._clock())
        with self._guard() as guard:
            browsing = self._browse(guard, archive, source, cancelled)
            self._contacts += guard.contacts
        archive.close()
        found = browsing.found
        final = web_address(found.final_url) if found.final_url.startswith("http") else host
        if final != host:
            answers += names.ask(final, station.resolvers, self._clock)
        vantages = [station.name]
        if request.second and not cancelled():
            vantages.append(self._second(found))
        self._tell("pack")
        self._pack(browsing, archive, answers)
        after = cleanliness.look(place, self._clock, before=False)
        self._log.add("worker", "cleanliness.after", verdict=after["verdict"])
        clean = cleanliness.FAIL if cleanliness.FAIL in {before["verdict"], after["verdict"]} else cleanliness.PASS
        self._json("cleanliness.json", {"verdict": clean, "before": before, "after": after})
        remove_folder_of(self._work)
        return self._finish(found, clean=clean, engine_sha256=_engine_digest(before), vantages=tuple(vantages))

    def _place(self, host: str) -> cleanliness.Place:
        return cleanliness.Place(
            host=host,
            browser=self._program,
            profile=self._work / "profile",
            locale=self._request.locale,
            time_zone=self._request.time_zone,
            screen=(self._request.width, self._request.height),
            time_sources=self._station.time_sources,
            image=self._station.image,
            environment=environ,
        )

    def _guard(self, upstream: tuple[str, int] | None = None) -> Guard:
        return Guard(
            caps=self._request.limits.egress,
            allow=self._station.allow,
            resolve=self._station.resolve,
            dial=self._station.dial,
            heard=lambda action, facts: self._log.add("guard", action, **facts),
            upstream=upstream,
        )

    def salvage(self, lines: Sequence[dict[str, Any]]) -> Captured:
        """See the function of this name."""
        self._started = datetime.fromisoformat(lines[0]["at"])
        self._log.add("worker", "capture.salvaged")
        end_processes_of(self._work / "profile")
        found = Found(reasons={"worker_lost": None})
        engine_sha256 = ""
        for line in lines:
            if line["action"] == "browser.started":
                found.product = line["facts"].get("product", "")
            elif line["action"] == "cleanliness.before":
                engine_sha256 = line["facts"].get("browser_sha256", "")
            elif line["action"] == "page.shown":
                found.final_url, found.title = line["facts"]["url"], line["facts"]["title"]
                at = datetime.fromisoformat(line["at"])
                found.pages.append(warc.Page(url=found.final_url, title=found.title, at=at))
        for path in sorted(each for each in self._out.iterdir() if each.is_file()):
            if path.suffix in {".tst", DRAFT} or path.name == DESCRIPTION:
                path.unlink()  # half written, or over a log that goes on now; new ones follow
            elif path.name != LOG:
                self._keep_file(path.name, role=_role_of(path.name))
        archive = self._work / warc.ARCHIVE
        if ARCHIVED not in self._kept and archive.is_file() and warc.repair(archive) > 1:
            self._wacz(found)
        remove_folder_of(self._work)
        return self._finish(
            found, clean=cleanliness.NOT_MEASURED, engine_sha256=engine_sha256, vantages=(self._station.name,)
        )

    # ---- browsing ------------------------------------------------------------------------------------------------

    def _browse(
        self, guard: Guard, archive: warc.Warc, source: Source | None, cancelled: Callable[[], bool]
    ) -> Browsing:
        browsing = Browsing(
            self._request,
            program=self._program,
            work=self._work,
            log=self._log,
            guard=guard,
            archive=archive,
            clock=self._clock,
            keep=self._keep,
            tell=self._tell,
        )
        thread = threading.Thread(target=browsing.run, name="capture-browser", daemon=True)
        until = time.monotonic() + self._request.seconds
        thread.start()
        while thread.is_alive():
            self._pass_on()
            if source is not None:
                self._serve(source, browsing)
            if cancelled():
                self._end(browsing, thread, "cancelled")
            elif time.monotonic() > until:
                self._end(browsing, thread, "time")
            thread.join(0.1)
        if source is not None:
            self._serve(source, browsing)
        self._pass_on()
        if browsing.crash is not None:
            raise browsing.crash
        return browsing

    def _end(self, browsing: Browsing, thread: threading.Thread, reason: str) -> None:
        """Ask the browser's thread to end, then make it."""
        browsing.stop.set()
        if reason == "cancelled":
            thread.join(GRACE / 4)
        if thread.is_alive():
            self._log.add("worker", "browser.killed", reason=reason)
            browsing.kill()
            thread.join(GRACE)
        browsing.found.reasons[reason] = None
        if thread.is_alive():
            raise RuntimeError("the browser's thread outlives its browser")

    def _serve(self, source: Source, browsing: Browsing) -> None:
        """Pass commands in and outcomes out."""
        while not browsing.outbox.empty():
            source.done(browsing.outbox.get())
        if browsing.inbox.empty() and (command := source.next()) is not None:
            browsing.inbox.put(command)

    def _pass_on(self) -> None:
        while not self._told.empty():
            self._progress(self._told.get())

    def _tell(self, step: str, **facts: str | int) -> None:
        """Say a step, from whichever thread; it is shown by the calling one."""
        self._told.put(Step(code=f"capture.step.{step}", facts=facts, at=self._clock()))
        if threading.current_thread().name != "capture-browser":
            self._pass_on()

    # ---- packing -------------------------------------------------------------------------------------------------

    def _keep(
        self, name: str, data: bytes, media_type: str, *, role: str = "rendition", derived_from: str = ""
    ) -> None:
        """Write one output and its digest, at the moment it was made."""
        draft = self._out / f"{name}{DRAFT}"
        draft.write_bytes(data)
        draft.replace(self._out / name)  # so that what a killed worker leaves under this name is whole
        self._note(name, media_type, hashlib.sha256(data).digest(), len(data), role=role, derived_from=derived_from)

    def _keep_file(self, name: str, *, role: str) -> None:
        path = self._out / name
        digest = bytes.fromhex(cleanliness.sha256_of(path))
        self._note(name, TYPES.get(name, "application/octet-stream"), digest, path.stat().st_size, role=role)

    def _note(self, name: str, media_type: str, sha256: bytes, size: int, *, role: str, derived_from: str = "") -> None:
        kept = Kept(path=name, media_type=media_type, size=size, sha256=sha256, role=role, derived_from=derived_from)
        with self._keeping:
            self._kept[name] = kept
        self._log.add("worker", "file.kept", path=name, size=size, sha256=sha256.hex())

    def _json(self, name: str, document: object) -> None:
        self._keep(name, jcs.encode(tidy_json(document)), "application/json", role="record")

    def _second(self, found: Found) -> str:
        """Fetch the address with another tool, perhaps from another egress; the vantage point's name."""
        upstream = self._station.second_egress
        name = "second-egress" if upstream is not None else f"{self._station.name}-second-tool"
        self._tell("second")
        self._log.add("worker", "second.fetch", url=self._request.url, vantage=name)
        with self._guard(upstream) as guard:
            seen, record = vantage.fetch(
                self._request.url,
                guard.url,
                user_agent=found.user_agent or "Mozilla/5.0",
                language=self._request.locale,
                check_certificate=not self._request.accept_bad_certificate,
                clock=self._clock,
            )
            self._contacts += guard.contacts
        document: dict[str, Any] = {"vantage": name, "second": record}
        if seen.body:
            self._keep("second-body.bin", seen.body, "application/octet-stream")
        if found.main is not None:
            first = vantage.Seen(
                url=found.main.url,
                status=found.main.status,
                headers={key.lower(): value for key, value in warc.public(found.main.headers)},
                body=found.main.body or b"",
            )
            document["difference"] = vantage.difference(first, seen)
        self._json("vantage.json", document)
        return name

    def _pack(self, browsing: Browsing, archive: warc.Warc, answers: list[dict[str, Any]]) -> None:
        found = browsing.found
        contacts = [
            {
                "host": each.host,
                "port": each.port,
                "addresses": list(each.addresses),
                "used": each.used,
                "refused": each.refused,
            }
            for each in dict.fromkeys(self._contacts)
        ]
        self._json("dns.json", {"resolvers": answers, "guard": contacts})
        self._json("http-headers.json", {"note": warc.NOTE, "exchanges": found.headers})
        if found.tls:
            self._json("tls.json", {"origins": found.tls})
            if chain := _chain(found):
                self._keep("tls-chain.pem", chain.encode(), TYPES["tls-chain.pem"], role="record")
        if archive.exchanges:
            self._wacz(found)
        recording = self._work / "recording.avi"
        if recording.is_file() and browsing.pictures:
            shutil.move(recording, self._out / "recording.avi")
            self._keep_file("recording.avi", role="rendition")
        self._seal(browsing.net_log)

    def _wacz(self, found: Found) -> None:
        draft = self._out / f"{ARCHIVED}{DRAFT}"
        with draft.open("wb") as file:
            warc.wacz(file, self._work / warc.ARCHIVE, found.pages, software=SOFTWARE, clock=self._clock)
        draft.replace(self._out / ARCHIVED)
        self._keep_file(ARCHIVED, role=_role_of(ARCHIVED))

    def _seal(self, net_log: Path) -> None:
        """The raw layer, to whom it may concern; without a key it is not kept at all, because it holds secrets."""
        if self._station.seal_to is None or not net_log.is_file():
            self._notes["no_raw_layer"] = None
            self._log.add("worker", "netlog.dropped")
            return
        data, whole = sealed.seal(net_log, self._station.seal_to)
        self._keep("netlog.json.zst.sealed", data, TYPES["netlog.json.zst.sealed"], role="record")
        self._log.add("worker", "netlog.sealed", to=self._station.seal_to.hex(), whole=whole)

    # ---- the end -------------------------------------------------------------------------------------------------

    def _finish(self, found: Found, *, clean: str, engine_sha256: str, vantages: tuple[str, ...]) -> Captured:
        """Stamp, deposit, close the log, stamp and deposit that too, and describe it all."""
        self._tell("deposit")
        self._stamp(STAMPED[0])
        self._deposit(sorted(self._kept))
        self._log.add("worker", "log.closed")
        entries, head = self._log.entries, self._log.close()
        self._keep_file(LOG, role="record")
        self._stamp(LOG)
        notes = self._noted(found)
        ended = self._clock()
        facts = {
            "$schema": SCHEMA,
            "mode": self._request.mode,
            "requested_url": self._request.url,
            "final_url": found.final_url,
            "title": found.title,
            "status": found.main.status if found.main is not None else 0,
            "started": moment(self._started),
            "ended": moment(ended),
            "software": SOFTWARE,
            "engine": found.product,
            "engine_sha256": engine_sha256,
            "vantages": list(vantages),
            "cleanliness": clean,
            "complete": not found.reasons,
            "reasons": list(found.reasons),
            "notes": list(notes),
            "log": {"path": LOG, "head": head, "entries": entries},
            "files": [_described(each) for _, each in sorted(self._kept.items())],
            "tokens": [{"path": token, "over": over} for token, over in self._tokens],
            "deposits": [{"path": path, "number": number} for path, number in sorted(self._deposits.items())],
        }
        self._json(DESCRIPTION, facts)
        self._deposit([LOG, DESCRIPTION])
        self._tell("done")
        return Captured(
            folder=self._out,
            mode=self._request.mode,
            requested_url=self._request.url,
            final_url=found.final_url,
            title=found.title,
            status=found.main.status if found.main is not None else 0,
            started=self._started,
            ended=ended,
            engine=found.product,
            engine_sha256=engine_sha256,
            files=tuple(each for _, each in sorted(self._kept.items())),
            log_head=head,
            log_entries=entries,
            cleanliness=clean,
            complete=not found.reasons,
            reasons=tuple(found.reasons),
            notes=tuple(self._noted(found)),
            vantages=vantages,
            tokens=tuple(self._tokens),
            deposits=dict(self._deposits),
        )

    def _noted(self, found: Found) -> dict[str, None]:
        notes = {**found.notes, **self._notes}
        if self._request.accept_bad_certificate:
            notes["certificate_not_checked"] = None
        if found.main is not None and found.main.status >= 400:
            notes["http_error"] = None
        if found.lost_bodies:
            notes["bodies_lost"] = None
        return notes

    def _stamp(self, name: str) -> None:
        """A token over one file; an authority that does not answer is written down, the capture goes on."""
        if name not in self._kept:
            return
        try:
            token = self._hooks.stamp(self._kept[name].sha256)
        except PlatformError as error:
            self._log.add("worker", "stamp.failed", path=name, code=error.code)
            self._notes["stamp_failed"] = None
            return
        if token is not None:
            self._keep(f"{name}.tst", token, "application/timestamp-token", role="token", derived_from=name)
            self._tokens.append((f"{name}.tst", name))

    def _deposit(self, paths: Sequence[str]) -> None:
        files = [self._kept[path] for path in paths]
        try:
            numbers = self._hooks.deposit(files)
        except PlatformError as error:
            self._log.add("worker", "deposit.failed", code=error.code)
            self._notes["deposit_failed"] = None
            return
        for path, number in zip(paths, numbers, strict=False):
            self._deposits[path] = number
            self._log.add("worker", "deposited", path=path, number=number)


def _role_of(name: str) -> str:
    """What a file is, told by its name alone."""
    if name == ARCHIVED:
        return "primary"
    return "record" if name.endswith((".json", ".pem", ".sealed")) else "rendition"


def _described(kept: Kept) -> dict[str, object]:
    facts: dict[str, object] = {
        "path": kept.path,
        "media_type": kept.media_type,
        "bytes": kept.size,
        "sha256": kept.sha256.hex(),
        "role": kept.role,
    }
    return facts | ({"derived_from": kept.derived_from} if kept.derived_from else {})


def _chain(found: Found) -> str:
    """The PEM chain of the page's own origin."""
    for each in found.tls:
        if found.final_url.startswith(each["origin"]):
            return "".join(certificate.get("pem", "") for certificate in each.get("chain", ()))
    return ""


def _engine_digest(look: dict[str, Any]) -> str:
    return next((str(line["sha256"]) for line in look["lines"] if line["check"] == "browser"), "")


def tidy_json(value: Any) -> Any:  # noqa: ANN401 (it takes what pages and tools say)
    """The value as canonical JSON can hold it, with texts uncut."""
    match value:
        case dict():
            return {str(tidy(key)): tidy_json(each) for key, each in value.items()}
        case list() | tuple():
            return [tidy_json(each) for each in value]
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case _:
            return tidy(value)
