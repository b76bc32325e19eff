"""What a capture is asked for, and the place it runs in.

A `Request` is one person's wish; a `Station` is what the operator of the machine configured once.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal
from urllib.parse import urlsplit

from chopmark.base.errors import Invalid, Unavailable
from chopmark.evidence.capture import guard
from chopmark.evidence.capture.lookups import Resolve

Mode = Literal["automatic", "live", "operator"]
MAX_URL: Final = 2048  # characters, as the courts' own services allow
MAX_PASSES: Final = 60
MAX_INTERVAL: Final = 600  # seconds
MAX_SECONDS: Final = 14 * 3600
USUAL_SECONDS: Final = 120
OPERATOR_SECONDS: Final = 3600
BROWSERS: Final = ("/usr/lib/chromium/chromium", "chromium", "chromium-browser", "google-chrome")


def web_address(url: str) -> str:
    """The host of an address that may be captured.

    Raises:
        Invalid: `capture.url_malformed` unless it is http or https, with a host, without a password, printable, and at
            most 2,048 characters.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise Invalid("capture.url_malformed") from error
    if parts.scheme not in {"http", "https"} or not host or parts.username is not None or parts.password is not None:
        raise Invalid("capture.url_malformed")
    if len(url) > MAX_URL or not url.isprintable() or " " in url or "\\" in url:
        raise Invalid("capture.url_malformed")
    return host


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Where a capture stops, whatever the page does.

    Attributes:
        seconds: of the browser's work; three quarters of it are for looking, the rest for putting down. 0: what the
            mode usually needs, see `Request.seconds`.
        egress: bytes, requests and connections.
        scrolls: wheel turns of 700 pixels.
        height: pixels of the page on the screenshot.
        pdf_pages: pages printed.
        idle: seconds an operator may be silent.
    """

    seconds: int = 0
    egress: guard.Caps = guard.Caps()  # noqa: RUF009 (frozen)
    scrolls: int = 40
    height: int = 16_000
    pdf_pages: int = 60
    idle: int = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What to capture.

    Attributes:
        mode: `automatic`: one pass · `live`: `passes` of it, `interval` seconds apart · `operator`: by commands.
        actor: who asked, for the process log; never shown to the page.
        locale, time_zone: what the browser tells the page (BCP 47, IANA).
        accept_bad_certificate: go on where the certificate is bad; the record says so either way.
        second: whether a second tool fetches the same address.
    """

    url: str
    mode: Mode = "automatic"
    actor: str = "worker"
    locale: str = "zh-CN"
    time_zone: str = "Asia/Shanghai"
    width: int = 1280
    height: int = 900
    passes: int = 3
    interval: int = 30
    accept_bad_certificate: bool = False
    second: bool = True
    limits: Limits = Limits()

    @property
    def seconds(self) -> int:
        """The seconds allowed: two minutes for one pass, an hour for an operator, unless somebody said otherwise."""
        if self.limits.seconds:
            return self.limits.seconds
        return {
            "automatic": USUAL_SECONDS,
            "live": USUAL_SECONDS + self.passes * self.interval * 4 // 3 + self.passes * 20,
            "operator": OPERATOR_SECONDS,
        }[self.mode]

    def must_fit(self) -> None:
        """Check the wish itself.

        Raises:
            Invalid: `capture.url_malformed`; `capture.request_malformed` naming the member that is out of range.
        """
        web_address(self.url)
        for name, fits in {
            "passes": 1 <= self.passes <= MAX_PASSES,
            "interval": 1 <= self.interval <= MAX_INTERVAL,
            "width": 320 <= self.width <= 3840,
            "height": 320 <= self.height <= 2160,
            "seconds": 5 <= self.seconds <= MAX_SECONDS,
            "scrolls": 0 <= self.limits.scrolls <= 1000,
            "idle": 1 <= self.limits.idle <= 3600,
            "actor": 0 < len(self.actor) <= 200,
        }.items():
            if not fits:
                raise Invalid("capture.request_malformed", member=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """Where captures run.

    Attributes:
        browser: the program; None looks for the system's Chromium.
        allow: `host:port` on this machine or network that the guard lets through without judging.
        resolvers: `address` or `address:port` of the resolvers asked beside the machine's own.
        time_sources: `host` or `host:port` of time servers.
        seal_to: X25519 public key for the net-log, 32 bytes; without one the net-log is not kept.
        second_egress: `host:port` of another HTTP proxy for the second tool; it gets checked addresses only.
        image: digest of the machine's image.
        name: of the vantage point, for the record.
        resolve, dial: how the guard finds and reaches hosts.
    """

    browser: Path | None = None
    allow: frozenset[str] = frozenset()
    resolvers: tuple[str, ...] = ()
    time_sources: tuple[str, ...] = ()
    seal_to: bytes | None = None
    second_egress: tuple[str, int] | None = None
    image: str = ""
    name: str = "local"
    resolve: Resolve = guard.resolve
    dial: guard.Dial = guard.dial

    def program(self) -> Path:
        """The browser's program file, not Debian's wrapper, which would add flags from /etc/chromium.d.

        Raises:
            Unavailable: `capture.browser_missing`.
        """
        if self.browser is not None and self.browser.is_file():
            return self.browser
        for each in BROWSERS if self.browser is None else ():
            if (found := shutil.which(each)) is not None:
                return Path(found)
        raise Unavailable("capture.browser_missing")
