"""The egress guard: a small proxy that everything a capture sends must pass.

Chromium is told to use it for all schemes and hosts, loopback too, and to resolve no name itself. The guard resolves a
name once, judges every address it got, and connects to one of exactly those addresses: no second look-up can answer
differently (DNS rebinding), and a redirect is only another request through the same gate. It speaks CONNECT and plain
HTTP, opens no tunnel for itself to look into, and forges no answer: what is refused finds a closed connection.

Bounded in bytes, requests and connections. Time is bounded by whoever owns the guard: `close` ends everything at once.
An allow-list of exact `host:port` opens single doors on this machine, for tests and the demo shop.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit

from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.evidence.capture import addresses
from chopmark.evidence.capture.lookups import LOOKUPS, Resolve

CHUNK: Final = 64 * 1024
MAX_HEAD: Final = 64 * 1024
DIAL_PATIENCE: Final = 10.0  # seconds for a name to be found, and for a connection to be made
HEAD_PATIENCE: Final = 30.0  # seconds for the head of a request to arrive
IDLE_PATIENCE: Final = 60.0  # seconds without a byte in either direction
HOP: Final = frozenset({b"connection", b"proxy-connection", b"keep-alive", b"proxy-authorization", b"te"})

Dial = Callable[[str, int], socket.socket]
Heard = Callable[[str, dict[str, object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caps:
    """What may pass at most.

    Attributes:
        size: bytes, both directions together.
        requests: plain requests and tunnels together.
        connections: open at one moment.
    """

    size: int = 200_000_000
    requests: int = 3000
    connections: int = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Contact:
    """One host and port that was asked for.

    Attributes:
        addresses: what the name resolved to.
        used: the address connected to; empty when there was no connection.
        refused: why not, one word; empty when it was allowed.
    """

    host: str
    port: int
    addresses: tuple[str, ...]
    used: str
    refused: str


def resolve(host: str, port: int) -> Sequence[str]:
    """The addresses of a name by this machine's own resolver, each once, in its order.

    Raises:
        Unavailable: `capture.name_unknown`, also when it does not answer in `DIAL_PATIENCE`.
    """
    try:
        return LOOKUPS(host, port, DIAL_PATIENCE)
    except (OSError, UnicodeError) as error:
        raise Unavailable("capture.name_unknown", host=host) from error


def dial(address: str, port: int) -> socket.socket:
    """A connection to an address (never a name)."""
    return socket.create_connection((address, port), DIAL_PATIENCE)


class Guard:
    """The proxy, listening on a port of its own on loopback between `start` and `close` (or as a context)."""

    def __init__(
        self,
        *,
        caps: Caps | None = None,
        allow: frozenset[str] = frozenset(),
        resolve: Resolve = resolve,
        dial: Dial = dial,
        heard: Heard = lambda _action, _facts: None,
        upstream: tuple[str, int] | None = None,
    ) -> None:
        """Make a guard.

        Args:
            allow: `host:port` that are not judged.
            resolve: name and port to addresses.
            dial: address and port to a connection.
            heard: is told each contact; called from the guard's threads.
            upstream: another HTTP proxy that makes the connections, to the address that was judged here.
        """
        self._caps = caps or Caps()
        self._allow = allow
        self._resolve = resolve
        self._dial = dial
        self._heard = heard
        self._upstream = upstream
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._contacts: dict[Contact, None] = {}
        self._listener: socket.socket | None = None
        self._closed = False
        self.size = 0
        self.requests = 0
        self.exhausted = ""

    # ---- life ----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen; returns at once."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(0.5)
        self._spawn(self._accept)

    def close(self) -> None:
        """Cut every connection and wait until the threads have ended."""
        with self._lock:
            self._closed = True
            sockets = [*self._open, *([self._listener] if self._listener is not None else ())]
        for each in sockets:
            _cut(each)
        for thread in list(self._threads):
            if thread is not threading.current_thread():
                thread.join(DIAL_PATIENCE + 5)
        if self._listener is not None:
            self._listener.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    @property
    def url(self) -> str:
        """Where clients find the proxy."""
        if self._listener is None:
            raise RuntimeError("the guard was not started")
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def contacts(self) -> tuple[Contact, ...]:
        """Every different contact so far, in order."""
        with self._lock:
            return tuple(self._contacts)

    def used(self, host: str) -> str:
        """The address last connected to for a host, empty when there was none."""
        return next((each.used for each in reversed(self.contacts) if each.host == host and each.used), "")

    def refused(self, host: str) -> str:
        """Why a host was last refused, empty when it was not."""
        return next((each.refused for each in reversed(self.contacts) if each.host == host), "")

    # ---- judging -------------------------------------------------------------------------------------------------

    def connect(self, host: str, port: int) -> socket.socket:
        """A connection to a host whose every address was judged.

        Raises:
            Refused: `capture.address_refused`.
            Unavailable: `capture.name_unknown`, `capture.host_silent`.
        """
        host = host.rstrip(".").lower()
        found: Sequence[str] = ()
        try:
            found = (host,) if addresses.parse(host) else tuple(self._resolve(host, port))
            self._judge(host, port, found)
        except Refused as error:
            self._note(
                Contact(host=host, port=port, addresses=tuple(found), used="", refused=str(error.facts["reason"]))
            )
            raise
        except Unavailable:
            self._note(Contact(host=host, port=port, addresses=(), used="", refused="name_unknown"))
            raise
        for address in found:
            try:
                connection = self._reach(address, port)
            except OSError:
                continue
            self._note(Contact(host=host, port=port, addresses=tuple(found), used=address, refused=""))
            return connection
        self._note(Contact(host=host, port=port, addresses=tuple(found), used="", refused="silent"))
        raise Unavailable("capture.host_silent", host=host)

    def _judge(self, host: str, port: int, found: Sequence[str]) -> None:
        if f"{host}:{port}" in self._allow:
            return
        if (why := addresses.port_refusal(port)) is not None:
            raise Refused("capture.address_refused", host=host, reason=why)
        for each in found:
            address = addresses.parse(each)
            why = "malformed" if address is None else addresses.refusal(address) or _own(address)
            if why is not None:
                raise Refused("capture.address_refused", host=host, reason=why)

    def _reach(self, address: str, port: int) -> socket.socket:
        if self._upstream is None:
            return self._dial(address, port)
        connection = self._dial(*self._upstream)
        try:
            target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            connection.sendall(f"CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n".encode())
            answer = _head(connection).split(b" ", 2)
        except (OSError, Invalid) as error:
            connection.close()
            raise ConnectionError(address) from error
        if len(answer) < 2 or answer[1] != b"200":
            connection.close()
            raise ConnectionError(address)
        return connection

    def _note(self, contact: Contact) -> None:
        with self._lock:
            known = contact in self._contacts
            self._contacts[contact] = None
        if not known:
            action = "guard.refused" if contact.refused else "guard.connected"
            facts: dict[str, object] = {
                "host": contact.host,
                "port": contact.port,
                "addresses": list(contact.addresses),
            }
            facts |= {"reason": contact.refused} if contact.refused else {"used": contact.used}
            self._heard(action, facts)

    # ---- serving -------------------------------------------------------------------------------------------------

    def _spawn(self, run: Callable[..., None], *arguments: object) -> None:
        def whole() -> None:
            try:
                run(*arguments)
            finally:
                with self._lock:
                    self._threads.discard(thread)

        thread = threading.Thread(target=whole, name="capture-guard", daemon=True)
        with self._lock:
            self._threads.add(thread)
        thread.start()

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and not self._closed:
            try:
                client, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return
            if len(self._open) >= 2 * self._caps.connections:
                client.close()
                continue
            self._spawn(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with self._kept(client), contextlib.suppress(OSError, PlatformError):
            client.settimeout(HEAD_PATIENCE)
            self._one(client)

    def _one(self, client: socket.socket) -> None:
        """One request of one client connection."""
        head = _head(client)
        if not head or not self._counted_request():
            return
        line, *rest = head.split(b"\r\n")
        method, target, _version = line.split(b" ") if line.count(b" ") == 2 else (b"", b"", b"")
        if method == b"CONNECT":
            host, port = _authority(target.decode("ascii", "replace"), None)
            try:
                server = self.connect(host, port)
            except PlatformError as error:
                status = "403 Forbidden" if isinstance(error, Refused) else "502 Bad Gateway"
                client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
                return
            with self._kept(server):
                client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
                self._relay(client, server)
            return
        parts = urlsplit(target.decode("ascii", "replace"))
        if parts.scheme != "http" or not parts.hostname:
            return
        host, port = _authority(parts.netloc.rpartition("@")[2], 80)
        with self._kept(self.connect(host, port)) as server:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            lines = [b" ".join((method, path.encode("ascii", "replace"), b"HTTP/1.1")), *_without_hop(rest)]
            self._counted(len(head))
            server.sendall(b"\r\n".join([*lines, b"Connection: close", b"", b""]))
            self._answer(client, server)

    def _answer(self, client: socket.socket, server: socket.socket) -> None:
        """Pass a plain answer on, saying `Connection: close`, so that the next request comes as a new one."""
        waiting = b""
        for source, chunk in self._chunks(client, server):
            if source is client:
                server.sendall(chunk)
                continue
            waiting += chunk
            while b"\r\n\r\n" in waiting:
                head, _, waiting = waiting.partition(b"\r\n\r\n")
                line, *rest = head.split(b"\r\n")
                if line[9:10] == b"1":  # an interim answer, another follows
                    client.sendall(head + b"\r\n\r\n")
                    continue
                lines = [line, *_without_hop(rest), b"Connection: close", b"", b""]
                client.sendall(b"\r\n".join(lines) + waiting)
                self._relay(client, server)
                return
            if len(waiting) > MAX_HEAD:
                return

    def _relay(self, client: socket.socket, server: socket.socket) -> None:
        """Pass bytes both ways until one side ends, nothing comes for a minute, or a cap is reached."""
        for source, chunk in self._chunks(client, server):
            (server if source is client else client).sendall(chunk)

    def _chunks(self, client: socket.socket, server: socket.socket) -> Iterator[tuple[socket.socket, bytes]]:
        """What comes from either side, counted, until it ends."""
        client.settimeout(IDLE_PATIENCE)
        server.settimeout(IDLE_PATIENCE)
        with selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, client)
            ready.register(server, selectors.EVENT_READ, server)
            while not self._closed and (events := ready.select(IDLE_PATIENCE)):
                for key, _ in events:
                    source: socket.socket = key.data
                    chunk = source.recv(CHUNK)
                    if not chunk or not self._counted(len(chunk)):
                        return
                    yield source, chunk

    @contextlib.contextmanager
    def _kept(self, connection: socket.socket) -> Iterator[socket.socket]:
        """Remember a connection, so that `close` can cut it."""
        with self._lock:
            closed = self._closed
            self._open.add(connection)
        try:
            if closed:
                raise ConnectionAbortedError
            yield connection
        finally:
            with self._lock:
                self._open.discard(connection)
            _cut(connection)
            connection.close()

    # ---- caps ----------------------------------------------------------------------------------------------------

    def _counted_request(self) -> bool:
        with self._lock:
            self.requests += 1
            if self.requests <= self._caps.requests:
                return not self.exhausted
        self._exhaust("requests")
        return False

    def _counted(self, size: int) -> bool:
        with self._lock:
            self.size += size
            if self.size <= self._caps.size:
                return True
        self._exhaust("bytes")
        return False

    def _exhaust(self, what: str) -> None:
        with self._lock:
            first = not self.exhausted
            self.exhausted = self.exhausted or what
        if first:
            self._heard("guard.cap_reached", {"cap": what})


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)


def _own(address: addresses.Address) -> str | None:
    """`own` when the address is one of this machine's: a service bound to it is not meant for the whole Internet."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return None
    return "own"


def _head(connection: socket.socket) -> bytes:
    """A head up to and without its empty line; empty when the other side ended first.

    Read byte for byte after the first look, so that what follows the head stays in the connection.

    Raises:
        Invalid: `capture.head_malformed` when it is longer than 64 KiB.
    """
    head = b""
    while True:
        seen = connection.recv(CHUNK, socket.MSG_PEEK)
        if not seen:
            return b""
        end = (head + seen).find(b"\r\n\r\n")
        take = len(seen) if end < 0 else end + 4 - len(head)
        head += connection.recv(take)
        if end >= 0:
            return head[:-4]
        if len(head) > MAX_HEAD:
            raise Invalid("capture.head_malformed")


def _authority(text: str, default: int | None) -> tuple[str, int]:
    """Host and port of `host:port` or `[address]:port`.

    Raises:
        Invalid: `capture.head_malformed`.
    """
    try:
        parts = urlsplit(f"//{text}")
        port = parts.port or default
    except ValueError as error:
        raise Invalid("capture.head_malformed") from error
    if not parts.hostname or port is None:
        raise Invalid("capture.head_malformed")
    return parts.hostname, port


def _without_hop(lines: Sequence[bytes]) -> list[bytes]:
    """Header lines but those that are between two neighbours only (RFC 9110 7.6.1)."""
    return [line for line in lines if line.partition(b":")[0].strip().lower() not in HOP]
