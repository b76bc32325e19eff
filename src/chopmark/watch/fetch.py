"""Pictures of listings over HTTP, through a guard.

    Fetcher(allow=...)(picture)      bytes of `listing.Picture`

Addresses come from strangers. So each is judged before each connection, also after each redirect: the name is resolved
once, every address that it has must be public (`evidence.capture.addresses`), and the connection goes to one of
exactly those, so that no second look-up can answer otherwise (DNS rebinding). Bounded in size, in time however slowly
a host speaks (`watch.timed`) or its name is found (`evidence.capture.lookups`), in redirects, connections and pace for
each host; nothing is unpacked, no cookie and no proxy is used. A host that says "too many" is left alone for as long as
it asks. What was fetched is kept by `watch.shelf`.
"""

from __future__ import annotations

import ssl
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Final

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence.capture import addresses
from chopmark.evidence.capture.lookups import WITHIN, Lookups, Resolve, by_machine
from chopmark.watch.listing import Picture, address_is_allowed, address_is_public
from chopmark.watch.shelf import MAX_SIZE, Fetched

if TYPE_CHECKING:
    import httpx

MAX_REDIRECTS: Final = 3
REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
BUSY: Final = frozenset({429, 503})
HOSTS: Final = 64
"""Hosts to which connections are kept."""
USER_AGENT: Final = "chopmark (pictures of listings)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """What one picture and one host may cost.

    Attributes:
        size: bytes of a picture. seconds: for one picture, redirects and all.
        together: connections to one host. gap: seconds between two requests to one host.
        rest: seconds that a busy host is left alone at most, and one that was silent `silent` times running.
    """

    size: int = MAX_SIZE
    seconds: float = 10.0
    together: int = 4
    gap: float = 0.02
    rest: float = 60.0
    silent: int = 4


@dataclass(slots=True)
class _Host:
    """What is known of one host and port.

    Attributes:
        free: connections left. next: when it may be asked again. until: left alone till then.
        silent: how often running it took too long.
    """

    free: threading.BoundedSemaphore
    client: httpx.Client
    lock: threading.Lock = field(default_factory=threading.Lock)
    next: float = 0.0
    until: float = 0.0
    silent: int = 0


class Fetcher:
    """See the module. May be shared by threads.

    Args:
        allow: `host:port` that may be asked though they are private: a demonstration shop, a marketplace's own network.
        clock, sleep: seconds that only grow, and waiting for some.
    """

    def __init__(
        self,
        *,
        allow: Collection[str] = (),
        pace: Pace | None = None,
        resolve: Resolve = by_machine,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._allow, self._pace = frozenset(allow), pace or Pace()
        self._lookups, self._clock, self._sleep = Lookups(resolve), clock, sleep
        self._context = ssl.create_default_context()
        self._lock = threading.Lock()
        self._time = threading.local()
        self._hosts: OrderedDict[tuple[str, int, str], _Host] = OrderedDict()

    def __call__(self, picture: Picture) -> bytes:
        """The bytes of a picture.

        Raises:
            Refused: `watch.address_refused`, `watch.picture_refused`, `watch.redirects`.
            Invalid: `watch.picture_too_large`.
            Unavailable: `watch.picture_silent`.
        """
        return self.fetch(picture.url).data

    def fetch(self, url: str, *, etag: str = "") -> Fetched:
        """What lies at an address; nothing when it is still what had this ETag. Raises as a call."""
        until = self._time.until = self._clock() + self._pace.seconds
        for _ in range(MAX_REDIRECTS + 1):
            found = self._asked(url, etag, until)
            if not isinstance(found, str):
                if found.same and not etag:  # the same as what? nothing was named
                    raise Refused("watch.picture_refused", status=304)
                return found
            url = found
        raise Refused("watch.redirects", most=MAX_REDIRECTS)

    def close(self) -> None:
        """End the connections that are kept."""
        with self._lock:
            hosts, self._hosts = list(self._hosts.values()), OrderedDict()
        for each in hosts:
            each.client.close()

    def _asked(self, url: str, etag: str, until: float) -> Fetched | str:
        """What lies there, or where it leads."""
        import httpx  # noqa: PLC0415 (an HTTP client is loaded where one is used)

        try:
            asked = httpx.URL(url)
            _ = asked.host  # read now: a name that is no name of the Internet is noticed only then
        except (httpx.InvalidURL, UnicodeError) as error:
            raise Refused("watch.address_refused", host="", why="malformed") from error
        port = asked.port or (443 if asked.scheme == "https" else 80)
        there = self._judged(asked, port, url, until)
        headers = {"Host": asked.netloc.decode("ascii"), **({"If-None-Match": etag} if etag else {})}
        with self._turn(asked.scheme, asked.host, port, until) as host:
            try:
                with host.client.stream(
                    "GET",
                    asked.copy_with(host=there),  # the address that was judged, not what the name says a moment later
                    headers=headers,
                    extensions={"sni_hostname": asked.host},
                    timeout=max(0.1, min(5.0, until - self._clock())),
                ) as answer:
                    answered = self._answered(answer, asked, host, until)
                    host.silent = 0
                    return answered
            except httpx.TimeoutException as error:
                self._is_silent(host)
                raise Unavailable("watch.picture_silent", host=asked.host) from error
            except (httpx.HTTPError, httpx.InvalidURL, ssl.SSLError, ValueError) as error:
                raise Unavailable("watch.picture_silent", host=asked.host) from error

    def _answered(self, answer: httpx.Response, asked: httpx.URL, host: _Host, until: float) -> Fetched | str:
        if answer.status_code in REDIRECTS and "location" in answer.headers:
            leads = asked.join(answer.headers["location"])
            if asked.scheme == "https" and leads.scheme != "https":
                raise Refused("watch.address_refused", host=leads.host, why="plain")
            return str(leads)
        if answer.status_code == 304:
            return Fetched(data=b"", etag="", same=True)
        if answer.status_code in BUSY:
            host.until = self._clock() + min(self._pace.rest, _seconds(answer.headers.get("retry-after", "")))
            raise Unavailable("watch.picture_silent", host=asked.host)
        if answer.status_code != 200:
            raise Refused("watch.picture_refused", status=answer.status_code)
        if _more_than(answer.headers.get("content-length", ""), self._pace.size):
            raise Invalid("watch.picture_too_large", most=self._pace.size)
        data = bytearray()
        for piece in answer.iter_raw():
            data += piece
            if len(data) > self._pace.size:
                raise Invalid("watch.picture_too_large", most=self._pace.size)
            if self._clock() > until:
                self._is_silent(host)
                raise Unavailable("watch.picture_silent", host=asked.host)
        etag = answer.headers.get("etag", "")
        return Fetched(data=bytes(data), etag=etag if len(etag) <= 200 and etag.isascii() else "")

    def _is_silent(self, host: _Host) -> None:
        """Whoever lets callers wait is left alone for a while, or all of them would wait with its pictures."""
        host.silent += 1
        if host.silent >= self._pace.silent:
            host.until, host.silent = self._clock() + self._pace.rest, 0

    def _judged(self, asked: httpx.URL, port: int, url: str, until: float) -> str:
        """The address to connect to, when all that the name has may be contacted."""
        allowed = f"{asked.host}:{port}" in self._allow and address_is_allowed(url, self._allow)
        if not allowed and not address_is_public(url):
            raise Refused("watch.address_refused", host=asked.host[:100], why="private")
        try:
            found = self._lookups(asked.host, port, max(0.0, min(WITHIN, until - self._clock())))
        except (OSError, UnicodeError) as error:
            raise Unavailable("watch.picture_silent", host=asked.host) from error
        for each in () if allowed else found:
            address = addresses.parse(each)
            why = "malformed" if address is None else addresses.refusal(address)
            if why is not None:
                raise Refused("watch.address_refused", host=asked.host, why=why)
        if not found:
            raise Unavailable("watch.picture_silent", host=asked.host)
        return found[0].partition("%")[0]

    @contextmanager
    def _turn(self, scheme: str, name: str, port: int, until: float) -> Iterator[_Host]:
        """A connection to this host that is not too much for it."""
        host = self._host(scheme, name, port)
        if self._clock() < host.until or not host.free.acquire(timeout=max(0.0, until - self._clock())):
            raise Unavailable("watch.picture_silent", host=name)
        try:
            with host.lock:
                wait = host.next - self._clock()
                host.next = max(self._clock(), host.next) + self._pace.gap
            if wait > 0:
                self._sleep(wait)
            yield host
        finally:
            host.free.release()

    def _host(self, scheme: str, name: str, port: int) -> _Host:
        """Connections are kept by name: one that was made for another name proves nothing of this one."""
        import httpx  # noqa: PLC0415 (as above)

        from chopmark.watch.timed import TimedTransport  # noqa: PLC0415 (as above)

        with self._lock:
            key = (name, port, scheme)
            if key not in self._hosts:
                limits = httpx.Limits(max_connections=self._pace.together, max_keepalive_connections=2)
                client = httpx.Client(
                    transport=TimedTransport(context=self._context, limits=limits, left=self._left),
                    trust_env=False,
                    follow_redirects=False,
                    headers={"User-Agent": USER_AGENT, "Accept": "image/*", "Accept-Encoding": "identity"},
                )
                client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=()))  # takes none, sends none
                self._hosts[key] = _Host(free=threading.BoundedSemaphore(self._pace.together), client=client)
                while len(self._hosts) > HOSTS:
                    self._hosts.popitem(last=False)  # closed when the last who uses it lets go
            self._hosts.move_to_end(key)
            return self._hosts[key]

    def _left(self) -> float:
        """Seconds of the request that this thread is at."""
        return float(self._time.until) - self._clock()


def _more_than(length: str, most: int) -> bool:
    """Whether a header says so; what it says falsely is found out while reading."""
    return length.isascii() and length.isdigit() and (len(length) > 20 or int(length) > most)


def _seconds(retry_after: str) -> float:
    """What a host asks for; some seconds where it says nothing, or a date."""
    return float(retry_after) if retry_after.isascii() and retry_after.isdigit() and len(retry_after) < 6 else 5.0
