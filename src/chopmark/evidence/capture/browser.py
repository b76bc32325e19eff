"""Driving Chromium through one capture. Runs in a thread of its own, which `engine` watches and, late, ends.

Everything a page can make hang (scripts, printing, pictures) is called here and nowhere else: the watching thread kills
the browser, every call then fails, and what was put down until then is the capture. Nothing of the page's own scripts
is trusted: sizes come from the browser's layout, texts from an isolated world, input goes in as real events.

The browser says what it is (HeadlessChrome in its user agent). A page that shows robots something else is recorded as
it was shown.
"""

from __future__ import annotations

import base64
import contextlib
import os
import queue
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from playwright.sync_api import BrowserContext, CDPSession, Download, Error, Page, Playwright, Response, sync_playwright
from playwright.sync_api import Request as WebRequest
from playwright.sync_api import TimeoutError as Late

from chopmark.base.errors import PlatformError
from chopmark.evidence.capture import commands, warc
from chopmark.evidence.capture.commands import Command, Outcome
from chopmark.evidence.capture.guard import Guard
from chopmark.evidence.capture.processlog import ProcessLog
from chopmark.evidence.capture.recording import Recording
from chopmark.evidence.capture.request import Request, web_address

FLAGS: Final = (
    "--disable-quic",
    "--webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    # The guard resolves names; the browser itself cannot, not even its prefetching.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
    "--dns-prefetch-disable",
    "--no-pings",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-domain-reliability",
    "--disable-sync",
    "--disable-plugins-discovery",
    "--disk-cache-size=1",
    "--net-log-capture-mode=Everything",
    "--net-log-max-size-mb=64",
)
TURN: Final = 700  # pixels of one turn of the wheel
PAUSE: Final = 250  # milliseconds after it
QUIET: Final = 5000  # milliseconds the network is waited for
LOADING: Final = 45_000  # milliseconds for a page
STEP: Final = 10_000  # milliseconds for one output or command
MAX_TEXT: Final = 20_000_000  # characters of a document
MAX_ORIGINS: Final = 40
MAX_POST: Final = 5_000_000  # bytes
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
EMPTY: Final = frozenset({204, 205, 304})

Keep = Callable[..., None]


@dataclass(slots=True)
class Found:
    """What the browsing thread found; read by the engine when the thread has ended.

    Attributes:
        reasons: why the capture is not complete, codes of `capture.reason.…` without that beginning, each once.
        notes: what a reader must know of a complete capture, the same way as `capture.note.…`.
        main: the exchange of the page's main document.
    """

    product: str = ""
    user_agent: str = ""
    final_url: str = ""
    title: str = ""
    main: warc.Exchange | None = None
    pages: list[warc.Page] = field(default_factory=list)
    reasons: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    headers: list[dict[str, Any]] = field(default_factory=list)
    tls: list[dict[str, Any]] = field(default_factory=list)
    lost_bodies: int = 0


class _Stopped(Exception):
    """The capture was cancelled."""


class Browsing:
    """One browser's life."""

    def __init__(
        self,
        request: Request,
        *,
        program: Path,
        work: Path,
        log: ProcessLog,
        guard: Guard,
        archive: warc.Warc,
        clock: Callable[[], datetime],
        keep: Keep,
        tell: Callable[..., None],
    ) -> None:
        """Prepare; `run` does it.

        Args:
            work: an empty folder of this capture.
            keep: writes one output: name, bytes, media type.
            tell: says a step of progress; code and facts.
        """
        self._request, self._program, self._work = request, program, work
        self._log, self._guard, self._archive, self._clock = log, guard, archive, clock
        self._keep, self._tell = keep, tell
        self.profile = work / "profile"
        self.net_log = work / "netlog.json"
        self.found = Found()
        self.inbox: queue.Queue[Command] = queue.Queue()
        self.outbox: queue.Queue[Outcome] = queue.Queue()
        self.stop = threading.Event()
        self.crash: Exception | None = None
        self._short = ""
        self._until = 0.0
        self._requests = 0
        self._ended: list[WebRequest] = []
        self._strays: list[Page] = []
        self._downloads: list[Download] = []
        self._origins: dict[str, dict[str, Any]] = {}
        self._recording: Recording | None = None
        self._recorded_from = 0.0

    @property
    def pictures(self) -> int:
        """How many pictures the recording holds."""
        return self._recording.pictures if self._recording is not None else 0

    # ---- the whole -----------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Browse and put down; what a page or a killed browser can cause is a reason, anything else is in `crash`."""
        try:
            self._run()
        except Exception as error:  # noqa: BLE001 (the outermost loop of a thread; the engine raises it again)
            self.crash = error

    def _run(self) -> None:
        self._until = time.monotonic() + self._request.seconds * 3 / 4
        try:
            # Chromium's sockets lie in its TMPDIR, and a socket's path may have 107 bytes only.
            with tempfile.TemporaryDirectory(prefix="cap-") as self._short, sync_playwright() as playwright:
                context = self._launch(playwright)
                try:
                    self._browse(context)
                finally:
                    with contextlib.suppress(Error):
                        self._drain()
                    with contextlib.suppress(Error):
                        context.close()
        except _Stopped:
            self._because("cancelled")
        except Error as error:
            self._log.add("browser", "browser.ended", error=_words(error))
            self._because("browser_ended")
        finally:
            if self._recording is not None:
                self._recording.close()

    def kill(self) -> None:
        """End the browser at once, from another thread."""
        end_processes_of(self.profile)

    def _launch(self, playwright: Playwright) -> BrowserContext:
        home = self._work / "home"
        home.mkdir()
        request = self._request
        context = playwright.chromium.launch_persistent_context(
            str(self.profile),
            executable_path=str(self._program),
            headless=True,
            args=[*FLAGS, f"--log-net-log={self.net_log}"],
            # Chromium's own sandbox cannot be made by root in a container; everybody else has it.
            chromium_sandbox=os.geteuid() != 0,
            env={"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TMPDIR": self._short},
            proxy={"server": self._guard.url},
            viewport={"width": request.width, "height": request.height},
            locale=request.locale,
            timezone_id=request.time_zone,
            ignore_https_errors=request.accept_bad_certificate,
            accept_downloads=True,
            downloads_path=str(self._work / "downloads"),
            timeout=60_000,
        )
        context.on("request", self._asked)
        context.on("requestfinished", self._finished)
        context.on("requestfailed", self._failed)
        context.on("page", self._opened)
        return context

    def _browse(self, context: BrowserContext) -> None:
        page = context.pages[0]
        self._strays.clear()
        page.on("download", self._offered)
        page.on("crash", lambda _page: self._because("page_crashed"))
        session = context.new_cdp_session(page)
        version = session.send("Browser.getVersion")
        self.found.product, self.found.user_agent = version["product"], version["userAgent"]
        self._log.add("browser", "browser.started", **{name: str(value) for name, value in version.items()})
        # Certificates are remembered by a session that listens; its own copies of bodies are not wanted.
        session.send("Network.enable", {"maxTotalBufferSize": 1024, "maxResourceBufferSize": 1024})
        self._record(session)
        self._tell("open", url=self._request.url)
        if not self._open(page):
            return
        self._quiet(page)
        if self._request.mode == "operator":
            self._operate(page)
        else:
            self._tell("scroll")
            self._scroll(page, session)
        self._put_down(page, session, "")
        for number in range(2, self._request.passes + 1) if self._request.mode == "live" else ():
            if not self._wait_for_pass(page, number):
                break
        self._stop_recording(session)
        self._drain()
        self._late()
        self._certificates(session)

    # ---- events --------------------------------------------------------------------------------------------------

    def _asked(self, _request: WebRequest) -> None:
        self._requests += 1
        if self._requests == self._request.limits.egress.requests:
            self._because("requests")

    def _finished(self, request: WebRequest) -> None:
        self._ended.append(request)

    def _opened(self, page: Page) -> None:
        self._strays.append(page)

    def _offered(self, download: Download) -> None:
        self._downloads.append(download)

    def _failed(self, request: WebRequest) -> None:
        self._log.add("browser", "request.failed", url=request.url, failure=request.failure or "")

    def _because(self, reason: str, **facts: object) -> None:
        if reason not in self.found.reasons:
            self.found.reasons[reason] = None
            self._log.add("worker", "capture.incomplete", reason=reason, **facts)

    def _drain(self) -> None:
        """Put ended requests into the archive, close pages that the page opened, note downloads."""
        while self._ended:
            with contextlib.suppress(Late):
                self._archived(self._ended.pop(0))
        while self._strays:
            stray = self._strays.pop()
            self._log.add("browser", "popup.closed", url=stray.url)
            stray.close()
        if self._request.mode != "operator" and self.stop.is_set():
            raise _Stopped

    def _archived(self, request: WebRequest) -> None:
        if not request.url.startswith(("http:", "https:")):
            return
        response = request.response()
        if response is None:
            return
        empty = response.status in REDIRECTS or response.status in EMPTY or request.method == "HEAD"
        body: bytes | None = b""
        if not empty:
            try:
                body = response.body()
            except Error:
                self.found.lost_bodies += 1
                body = None
        exchange = warc.Exchange(
            url=request.url,
            method=request.method,
            at=_when(request, self._clock),
            request_headers=[(each["name"], each["value"]) for each in request.headers_array()],
            post=(request.post_data_buffer or b"")[:MAX_POST],
            status=response.status,
            reason=response.status_text,
            headers=[(each["name"], each["value"]) for each in response.headers_array()],
            body=body,
            address=self._guard.used((urlsplit(request.url).hostname or "").strip("[]")),
            protocol=self._protocol(response),
        )
        self._archive.add(exchange)
        headers = [list(each) for each in warc.public(exchange.headers)]
        self.found.headers.append(
            {
                "url": request.url,
                "method": request.method,
                "status": response.status,
                "address": exchange.address,
                "size": len(body or b""),
                "body": body is not None,
                "request": [list(each) for each in warc.public(exchange.request_headers)],
                "response": headers,
            }
        )
        self._log.add("browser", "response.kept", url=request.url, status=response.status, size=len(body or b""))
        if _is_main(request) and response.status not in REDIRECTS:
            self.found.main = exchange

    def _protocol(self, response: Response) -> str:
        """Notes the parameters of the origin's TLS; the HTTP version as the browser names it, for example `h2`."""
        parts = urlsplit(response.url)
        origin = f"{parts.scheme}://{parts.netloc}"
        if parts.scheme == "https" and origin not in self._origins and len(self._origins) < MAX_ORIGINS:
            self._origins[origin] = {"origin": origin, **(response.security_details() or {})}
        return response.http_version().lower()

    # ---- moving --------------------------------------------------------------------------------------------------

    def _left(self, most: int) -> int:
        """Milliseconds a call may take: what is left for looking, at most `most`, at least one second."""
        return max(1000, min(most, int((self._until - time.monotonic()) * 1000)))

    def _late(self) -> bool:
        if self.stop.is_set() and self._request.mode != "operator":
            raise _Stopped
        if self._guard.exhausted:
            self._because(self._guard.exhausted)
            return True
        if time.monotonic() > self._until:
            self._because("time")
            return True
        return "requests" in self.found.reasons

    def _open(self, page: Page) -> bool:
        """Go to the address; False when there is no page to put down."""
        url = self._request.url
        self._log.add("worker", "navigate", url=url)
        try:
            page.goto(url, wait_until="load", timeout=self._left(LOADING))
        except Late:
            self._because("load_timeout")
        except Error as error:
            return self._not_opened(page, error)
        self._arrived(page)
        return True

    def _not_opened(self, page: Page, error: Error) -> bool:
        said = _words(error)
        refused = [each for each in self._guard.contacts if each.refused]
        self._log.add("browser", "navigation.failed", error=said)
        if not processes_of(self.profile):
            raise error
        if "ERR_CERT" in said or "ERR_SSL" in said:
            self._because("certificate", error=said)
        elif "Download is starting" in said:
            self._because("download")
            self._downloaded(page)
        elif self._guard.exhausted:
            self._because(self._guard.exhausted)
        elif refused:
            self._because("refused", host=refused[-1].host, why=refused[-1].refused)
        else:
            self._because("unreachable", error=said)
        # A document that broke off in the middle still shows what had come.
        if self.found.reasons.keys() & {"bytes", "requests"} and page.url.startswith("http"):
            self._arrived(page)
            return True
        return False

    def _arrived(self, page: Page) -> None:
        self.found.final_url = page.url
        self.found.title = self._title(page)
        self.found.pages.append(warc.Page(url=page.url, title=self.found.title, at=self._clock()))
        self._log.add("browser", "page.shown", url=page.url, title=self.found.title)

    def _title(self, page: Page) -> str:
        with contextlib.suppress(Error):
            return (page.locator("title").first.text_content(timeout=3_000) or "").strip()[:1000]
        return ""

    def _quiet(self, page: Page) -> None:
        with contextlib.suppress(Late):
            page.wait_for_load_state("networkidle", timeout=self._left(QUIET))
        self._drain()

    def _scroll(self, page: Page, session: CDPSession) -> None:
        """Down to the end with the wheel, as a person would, and up again."""
        page.mouse.move(self._request.width // 2, self._request.height // 2)
        still = 0
        for turn in range(1, self._request.limits.scrolls + 1):
            if self._late():
                break
            page.mouse.wheel(0, TURN)
            page.wait_for_timeout(PAUSE)
            self._drain()
            top, shown, whole = _layout(session)
            self._log.add("worker", "scroll", turn=turn, top=top, height=whole)
            still = still + 1 if top + shown >= whole - 2 else 0
            if still == 2:
                break
        else:
            if self._request.limits.scrolls:
                self._because("endless")
        page.mouse.wheel(0, -10_000_000)
        page.wait_for_timeout(PAUSE)

    def _wait_for_pass(self, page: Page, number: int) -> bool:
        """Wait for the next pass of a live page and put it down; False when there is no time for it."""
        until = time.monotonic() + self._request.interval
        while time.monotonic() < until:
            if self._late():
                return False
            page.wait_for_timeout(min(500, max(1, (until - time.monotonic()) * 1000)))
            self._drain()
        self._tell("pass", number=number)
        self._log.add("worker", "reload", number=number)
        try:
            page.reload(wait_until="load", timeout=self._left(LOADING))
        except Late:
            self._because("load_timeout")
        self._arrived(page)
        self._quiet(page)
        self._pictures(page, None, f"pass-{number:02}-")
        return True

    # ---- operator ------------------------------------------------------------------------------------------------

    def _operate(self, page: Page) -> None:
        """Carry out commands until one says `finish`, nobody says anything, or time is over."""
        self._tell("operator")
        self._answer(page, 0, Command(action="wait", by="worker"), "")
        number, heard = 0, time.monotonic()
        while number < commands.MAX_COMMANDS and not self._late() and not self.stop.is_set():
            page.wait_for_timeout(50)
            self._drain()
            try:
                command = self.inbox.get_nowait()
            except queue.Empty:
                if time.monotonic() - heard > self._request.limits.idle:
                    self._because("idle")
                    return
                continue
            number += 1
            if command.action == "finish":
                self._log.add(command.by, "operator.finish", number=number)
                self._answer(page, number, command, "")
                return
            failure = self._carry_out(page, command)
            self._log.add(command.by, f"operator.{command.action}", number=number, failure=failure, **command.facts())
            self._answer(page, number, command, failure)
            heard = time.monotonic()
        if self.stop.is_set():
            self._because("cancelled")

    def _carry_out(self, page: Page, command: Command) -> str:
        """Do it; empty, or why not in one word."""
        try:
            self._act(page, command)
            with contextlib.suppress(Late):
                page.wait_for_load_state("load", timeout=self._left(QUIET))
        except Late:
            return "timeout"
        except PlatformError:
            return "refused"
        except Error as error:
            if not processes_of(self.profile):
                raise
            self._log.add("browser", "command.failed", error=_words(error))
            return "refused" if any(each.refused for each in self._guard.contacts[-1:]) else "failed"
        return ""

    def _act(self, page: Page, command: Command) -> None:
        patience = self._left(STEP)
        match command.action:
            case "navigate":
                web_address(command.url)
                page.goto(command.url, wait_until="load", timeout=self._left(LOADING))
                self._arrived(page)
            case "click" if command.selector:
                page.locator(command.selector).first.click(timeout=patience)
            case "click":
                page.mouse.click(command.x or 0, command.y or 0)
            case "type" if command.selector:
                page.locator(command.selector).first.fill(command.text, timeout=patience)
            case "type":
                page.keyboard.type(command.text)
            case "press":
                page.keyboard.press(command.key)
            case "scroll":
                page.mouse.wheel(command.x or 0, command.y or 0)
            case _:
                page.wait_for_timeout(command.milliseconds)

    def _answer(self, page: Page, number: int, command: Command, failure: str) -> None:
        picture = b""
        with contextlib.suppress(Late):
            picture = page.screenshot(type="jpeg", quality=70, timeout=STEP)
        if picture and number:
            self._keep(f"step-{number:03}.jpg", picture, "image/jpeg")
        if page.url != self.found.final_url:
            self._arrived(page)
        self.outbox.put(
            Outcome(
                number=number,
                command=command,
                failure=failure,
                url=page.url,
                title=self.found.title,
                screenshot=picture,
            )
        )

    # ---- putting down --------------------------------------------------------------------------------------------

    def _put_down(self, page: Page, session: CDPSession, before: str) -> None:
        """The page in every form, each for itself: one that fails is named, the others follow."""
        self.found.final_url = page.url
        self.found.title = self._title(page)
        self._pictures(page, session, before)
        self._tell("archive")
        with self._output("mhtml"):
            snapshot = session.send("Page.captureSnapshot", {"format": "mhtml"})["data"]
            self._keep("page.mhtml", snapshot.encode("utf-8", "replace"), "multipart/related")
        self._tell("print")
        with self._output("pdf"):
            # Bounded by cutting the paper's number, not the page.
            pages = f"1-{self._request.limits.pdf_pages}"
            self._keep("page.pdf", page.pdf(format="A4", print_background=True, page_ranges=pages), "application/pdf")

    def _pictures(self, page: Page, session: CDPSession | None, before: str) -> None:
        self._drain()
        self._tell("picture")
        with self._output("screenshot"):
            self._screenshot(page, session, before)
        self._tell("text")
        with self._output("text"):
            self._keep(f"{before}visible-text.txt", self._visible(page).encode("utf-8", "replace"), "text/plain")
        with self._output("dom"):
            self._keep(f"{before}dom.html", page.content()[:MAX_TEXT].encode("utf-8", "replace"), "text/html")
        self._drain()

    def _screenshot(self, page: Page, session: CDPSession | None, before: str) -> None:
        limit = self._request.limits.height
        whole = _layout(session)[2] if session is not None else limit
        options: dict[str, Any] = {"full_page": True, "type": "png", "timeout": self._left(3 * STEP), "scale": "css"}
        if whole > limit:
            self._because("height", pixels=whole)
            options["clip"] = {"x": 0, "y": 0, "width": self._request.width, "height": limit}
        elif session is None:
            options["full_page"] = False
        self._keep(f"{before}screenshot.png", page.screenshot(**options), "image/png")

    def _visible(self, page: Page) -> str:
        try:
            return page.locator("body").first.inner_text(timeout=2000)[:MAX_TEXT]
        except Error:  # an SVG or XML document has no body
            return (page.locator(":root").text_content(timeout=2000) or "")[:MAX_TEXT]

    @contextlib.contextmanager
    def _output(self, name: str) -> Iterator[None]:
        try:
            yield
        except Error as error:
            if not processes_of(self.profile):
                raise
            self._because(f"no_{name}", error=_words(error))

    def _downloaded(self, page: Page) -> None:
        """The file that the address turned out to be; its own event comes a little later."""
        for _ in range(20):
            if self._downloads:
                break
            page.wait_for_timeout(100)
        for download in self._downloads[:1]:
            path = Path(download.path())
            if path.stat().st_size <= self._request.limits.egress.size:
                self._keep("download.bin", path.read_bytes(), "application/octet-stream")

    # ---- recording -----------------------------------------------------------------------------------------------

    def _record(self, session: CDPSession) -> None:
        self._recording = recording = Recording(self._work / "recording.avi", self._request.width, self._request.height)
        self._recorded_from = time.time()

        def frame(event: dict[str, Any]) -> None:
            shown = float(event["metadata"].get("timestamp") or time.time()) - self._recorded_from
            recording.add(max(0.0, shown), base64.b64decode(event["data"]))
            with contextlib.suppress(Error):
                session.send("Page.screencastFrameAck", {"sessionId": event["sessionId"]})

        session.on("Page.screencastFrame", frame)
        size = {"maxWidth": self._request.width, "maxHeight": self._request.height}
        session.send("Page.startScreencast", {"format": "jpeg", "quality": 60, "everyNthFrame": 1, **size})

    def _stop_recording(self, session: CDPSession) -> None:
        with contextlib.suppress(Error):
            session.send("Page.stopScreencast")

    # ---- TLS -----------------------------------------------------------------------------------------------------

    def _certificates(self, session: CDPSession) -> None:
        """The chain of each origin as the browser saw it."""
        for origin, facts in self._origins.items():
            with contextlib.suppress(Error):
                names = session.send("Network.getCertificate", {"origin": origin})["tableNames"]
                facts["chain"] = [_certificate(base64.b64decode(each)) for each in names]
            self.found.tls.append(facts)


def processes_of(profile: Path) -> list[int]:
    """The numbers of the browser processes that use a profile."""
    mark = f"--user-data-dir={profile}".encode()
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def end_processes_of(profile: Path) -> None:
    """Kill the browser processes that use a profile, and wait until they are gone (five seconds at most)."""
    for _ in range(50):
        found = processes_of(profile)
        if not found:
            return
        for number in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(number, signal.SIGKILL)
        time.sleep(0.1)


def remove_folder_of(work: Path) -> None:
    """Remove a capture's working folder, whose profile the browser's helpers may still be writing.

    They bear no mark in their command line and end by themselves a moment after the browser, so that a file can
    appear in a folder that has just been emptied: five seconds at most. What remains goes with the capture's folder.
    """
    for _ in range(50):
        shutil.rmtree(work, ignore_errors=True)
        if not work.exists():
            return
        time.sleep(0.1)


def _layout(session: CDPSession) -> tuple[int, int, int]:
    """How far the page is scrolled, how much is shown, how high it is, in CSS pixels."""
    metrics = session.send("Page.getLayoutMetrics")
    shown = metrics["cssVisualViewport"]
    return round(shown["pageY"]), round(shown["clientHeight"]), round(metrics["cssContentSize"]["height"])


def _certificate(der: bytes) -> dict[str, Any]:
    """PEM and digest; the names as far as they can be read."""
    facts: dict[str, Any] = {"sha256": _sha256(der)}
    try:
        certificate = x509.load_der_x509_certificate(der)
    except ValueError:
        return facts | {"der": base64.b64encode(der).decode()}
    return facts | {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "not_before": certificate.not_valid_before_utc.isoformat(),
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "pem": certificate.public_bytes(Encoding.PEM).decode(),
    }


def _sha256(data: bytes) -> str:
    made = hashes.Hash(hashes.SHA256())
    made.update(data)
    return made.finalize().hex()


def _when(request: WebRequest, clock: Callable[[], datetime]) -> datetime:
    started = request.timing["startTime"]
    return datetime.fromtimestamp(started / 1000, UTC) if started > 0 else clock()


def _is_main(request: WebRequest) -> bool:
    """Whether it asked for the main frame's document; a service worker's request has no frame."""
    try:
        return request.is_navigation_request() and request.frame.parent_frame is None
    except Error:
        return False


def _words(error: Error) -> str:
    """The first line of what Playwright says."""
    return error.message.split("\n", 1)[0][:500]
