"""`chopmark tsa …`: the platform's own RFC 3161 time-stamp authority.

    init     makes root, key and certificate; run again, it renews a certificate that ends soon
    serve    the front: answers requests over HTTP, holds no key, starts the signer beside it
    signer   the only process that opens the key; asked over `tsa/signer.sock`, which only its owner may open, and the
             group of `tsa/` where that may pass it

    $CHOPMARK_HOME/tsa/            0700
        root.key, root.pem         the root; its key is needed by `init` alone and may be kept elsewhere
        signer.key, signer.pem     in use
        trusted/own.pem            what those who check need: the root, and every signer's certificate there ever was
        mark                       how many tokens were made, and the last time stated
        signer.sock, lock
        address                    where the front is reached while it runs

To the signer goes an order of 131 bytes; back come a status byte (0: a token follows; 1: the code of a trouble), a
length of four bytes and that many bytes. One order a connection.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key
from cyclopts import Parameter

from chopmark.base import clock
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.parent import until_told
from chopmark.cli.home import home
from chopmark.cli.output import PLAIN, Common, print_json, say
from chopmark.cli.status import DONE
from chopmark.cli.words import text
from chopmark.ledger.tsa import MAX_REQUEST, Mark, Order, Signer, answer, make_root, make_signer
from chopmark.site.config import read_config
from chopmark.site.supervisor import CANNOT_LIVE, free_port

FOLDER = "tsa"
RENEW_BEFORE = timedelta(days=365)  # a token lives on after its certificate, but should not be born near its end
ORDER_TIME, ANSWER_TIME = 5.0, 10.0  # seconds
MAX_ANSWER = 65_535
START_PATIENCE = 120.0  # seconds; a busy machine starts slowly, and a signer that ends is noticed at once
FIRST_PORT, LAST_PORT = 8318, 8399
QUERY_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"


# ---- init ------------------------------------------------------------------------------------------------------------


def init_command(*, common: Common = PLAIN) -> int:
    """Make the authority's root, key and certificate, or renew the certificate when it ends within a year."""
    place = home()
    if not (place / "keys").is_dir():
        raise Refused("cli.home_missing", home=str(place))
    made, until = prepare(place, clock.now())
    if common.json:
        print_json(
            {"made": made, "until": clock.to_text(until), "trusted": str(place / FOLDER / "trusted" / "own.pem")}
        )
    else:
        say("site.tsa_made" if made else "site.tsa_kept", common, until=f"{until:%Y-%m-%d}", folder=str(place / FOLDER))
    return DONE


def prepare(place: Path, at: datetime) -> tuple[bool, datetime]:
    """Whether a signer was made, and until when the one in use is valid. What is good is left alone.

    Raises:
        Refused: `site.tsa_root_away` when a new signer is needed and the root's key is not there.
    """
    folder = place / FOLDER
    for each in (folder, folder / "trusted"):
        each.mkdir(mode=0o700, exist_ok=True)
    with _hold(folder / "init.lock"):
        if (folder / "signer.pem").is_file():
            certificate = x509.load_pem_x509_certificate((folder / "signer.pem").read_bytes())
            if certificate.not_valid_after_utc - at > RENEW_BEFORE:
                return False, certificate.not_valid_after_utc
        return True, _make(folder, read_config()[0].host, at).not_valid_after_utc


def _make(folder: Path, name: str, at: datetime) -> x509.Certificate:
    """A signer under the root. Order: what others must trust, then the key, then the certificate that names it."""
    if not (folder / "root.pem").is_file():
        root_key, root = make_root(name, at)
        _write(folder / "root.key", _key_pem(root_key))
        _write(folder / "root.pem", root.public_bytes(Encoding.PEM))
    elif not (folder / "root.key").is_file():
        raise Refused("site.tsa_root_away", path=str(folder / "root.key"))
    root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
    key, certificate = make_signer(name, at, root_key=_key(folder / "root.key"), root=root)
    trusted = folder / "trusted" / "own.pem"
    before = trusted.read_bytes() if trusted.is_file() else root.public_bytes(Encoding.PEM)
    _write(trusted, before + certificate.public_bytes(Encoding.PEM))
    _write(folder / "signer.key", _key_pem(key))
    _write(folder / "signer.pem", certificate.public_bytes(Encoding.PEM))
    return certificate


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _key(path: Path) -> ec.EllipticCurvePrivateKey:
    if path.stat().st_mode & 0o077:
        raise Refused("site.tsa_key_open", path=str(path))
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise Invalid("site.tsa_key_other", path=str(path))
    return key


def _write(path: Path, content: bytes) -> None:
    """Whole and durable, in place of what was there; readable by its owner alone."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _hold(path: Path, *, wait: bool = True) -> Iterator[None]:
    """An exclusive lock that ends with the process.

    Raises:
        Refused: `site.tsa_signer_runs` when it is held and not waited for.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise Refused("site.tsa_signer_runs", path=str(path)) from error
        yield
    finally:
        os.close(descriptor)


# ---- signer ----------------------------------------------------------------------------------------------------------


def signer_command() -> int:
    """Sign what the front asks for, until told to stop."""
    folder = home() / FOLDER
    if not (folder / "signer.pem").is_file():
        raise Refused("site.tsa_missing")
    stop = until_told(CANNOT_LIVE)
    with _hold(folder / "lock", wait=False):
        serve_orders(folder, open_signer(folder, clock.now), stop)
    return DONE


def open_signer(folder: Path, now: Callable[[], datetime]) -> Signer:
    """The signer of a folder, going on from its mark."""
    key = _key(folder / "signer.key")
    certificates = x509.load_pem_x509_certificates((folder / "signer.pem").read_bytes())
    root = x509.load_pem_x509_certificate((folder / "root.pem").read_bytes())
    if certificates[0].public_key() != key.public_key():
        raise Invalid("site.tsa_key_other", path=str(folder / "signer.key"))
    return Signer(
        key=key,
        certificates=[*certificates, root],
        mark=read_mark(folder / "mark", certificates[0].not_valid_before_utc),
        keep=lambda mark: _write(folder / "mark", f"{mark.serial} {mark.time.isoformat()}\n".encode()),
        clock=now,
    )


def read_mark(path: Path, start: datetime) -> Mark:
    """What was kept last, or a beginning.

    Raises:
        Invalid: `site.tsa_mark_damaged`.
    """
    try:
        serial, _, moment = path.read_text("ascii").strip().partition(" ")
        return Mark(serial=int(serial), time=datetime.fromisoformat(moment))
    except FileNotFoundError:
        return Mark(serial=0, time=start)
    except ValueError as error:
        raise Invalid("site.tsa_mark_damaged", path=str(path)) from error


def serve_orders(folder: Path, signer: Signer, stop: threading.Event) -> None:
    """Answer orders one by one at `signer.sock`; who holds the lock may replace a socket left behind."""
    path = folder / "signer.sock"
    path.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listener, _reachable(path) as name:
        shared = folder.stat().st_mode & 0o010  # a folder that its group may pass: the front is of that group
        before = os.umask(0o117 if shared else 0o177)  # born so: no moment in which another may connect
        try:
            listener.bind(name)
        finally:
            os.umask(before)
        listener.listen(64)
        listener.settimeout(0.2)
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                connection, _ = listener.accept()
                with connection:
                    _one_order(connection, signer)
        path.unlink(missing_ok=True)


def _one_order(connection: socket.socket, signer: Signer) -> None:
    """Whoever does not say what he wants in time, or does not listen, is left."""
    connection.settimeout(ORDER_TIME)
    with contextlib.suppress(OSError):
        try:
            status, body = 0, signer.stamp(Order.parse(_receive(connection, len(_EMPTY_ORDER))))
        except PlatformError as error:
            status, body = 1, error.code.encode()
        connection.sendall(bytes([status]) + len(body).to_bytes(4, "big") + body)


_EMPTY_ORDER = Order(algorithm="2.16.840.1.101.3.4.2.1", imprint=bytes(32), nonce=None, certificates=False).encode()


class SignerLink:
    """The way to the signer process; implements `Stamps`."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "signer.sock"

    def stamp(self, order: Order) -> bytes:
        """See `Stamps.stamp`.

        Raises:
            Unavailable: `ledger.tsa_signer_silent`, or what the signer said.
        """
        try:
            with socket.socket(socket.AF_UNIX) as connection, _reachable(self._path) as name:
                connection.settimeout(ANSWER_TIME)
                connection.connect(name)
                connection.sendall(order.encode())
                head = _receive(connection, 5)
                size = int.from_bytes(head[1:], "big")
                body = _receive(connection, min(size, MAX_ANSWER))
        except (OSError, Invalid) as error:
            raise Unavailable("ledger.tsa_signer_silent") from error
        if head[0] == 0:
            return body
        raise Unavailable(body.decode("ascii", "replace"))


def _receive(connection: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = connection.recv(count - len(data))
        if not chunk:
            raise Invalid("ledger.timestamp_malformed")
        data += chunk
    return data


@contextlib.contextmanager
def _reachable(path: Path) -> Iterator[str]:
    """A name for a socket that fits the 107 bytes an address has, however deep the home lies (Linux)."""
    if len(os.fsencode(path)) < 100:
        yield str(path)
        return
    descriptor = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{descriptor}/{path.name}"
    finally:
        os.close(descriptor)


# ---- front -----------------------------------------------------------------------------------------------------------


def serve_command(
    *,
    host: Annotated[str, Parameter(help=text("cli.tsa.serve.host"))] = "127.0.0.1",
    port: Annotated[int | None, Parameter(help=text("cli.tsa.serve.port"))] = None,
    signer: Annotated[bool, Parameter(help=text("cli.tsa.serve.signer"))] = True,
    common: Common = PLAIN,
) -> int:
    """Answer time-stamp requests until told to stop; without a signer of its own, one must be running."""
    folder = home() / FOLDER
    if not (folder / "signer.pem").is_file():
        raise Refused("site.tsa_missing")
    stop = until_told(CANNOT_LIVE)
    process = _start_signer(folder, stop) if signer else None
    server = make_server(folder, host, free_port(host, port, FIRST_PORT, LAST_PORT))
    address = f"http://{host}:{server.effective_port}/"
    (folder / "address").write_text(address + "\n", "ascii")
    threading.Thread(target=server.run, name="front", daemon=True).start()
    say("site.tsa_serves", common, address=address)
    status = DONE
    while not stop.wait(0.2):
        if process is not None and process.poll() is not None:
            status = CANNOT_LIVE if process.returncode == CANNOT_LIVE else 1
            break
    (folder / "address").unlink(missing_ok=True)
    if process is not None and process.poll() is None:
        process.terminate()
        process.wait(10)
    server.close()
    return status


def _start_signer(folder: Path, stop: threading.Event) -> subprocess.Popen[bytes]:
    """The signer process, ready to be asked.

    Raises:
        Unavailable: `site.tsa_signer_died`.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "chopmark.site.command", "tsa", "signer"],
        stdin=subprocess.DEVNULL,
        env={**os.environ, "CHOPMARK_HOME": str(folder.parent), "CHOPMARK_PARENT": str(os.getpid())},
    )
    until = time.monotonic() + START_PATIENCE
    while process.poll() is None and time.monotonic() < until and not stop.is_set():
        if answers(folder):
            return process
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise Unavailable("site.tsa_signer_died", status=process.returncode)


def answers(folder: Path) -> bool:
    """Whether a signer listens."""
    with socket.socket(socket.AF_UNIX) as probe, _reachable(folder / "signer.sock") as name:
        try:
            probe.connect(name)
        except OSError:
            return False
    return True


def make_server(folder: Path, host: str, port: int) -> Any:  # noqa: ANN401 (waitress has no types)
    """A waitress server of the front, bound and not yet running; small limits, since requests have some 70 bytes."""
    from waitress.server import create_server  # noqa: PLC0415 (only the front needs it)

    return create_server(
        front(SignerLink(folder)),
        host=host,
        port=port,
        threads=4,
        connection_limit=100,
        backlog=64,
        channel_timeout=15,
        max_request_body_size=MAX_REQUEST,
        max_request_header_size=8192,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )


Start = Callable[[str, list[tuple[str, str]]], Any]


def front(link: SignerLink) -> Callable[[dict[str, Any], Start], Iterable[bytes]]:
    """The WSGI application (RFC 3161 3.4): POST of a request, and nothing else."""

    def application(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] != "POST":
            return _plain(start, "405 Method Not Allowed", ("Allow", "POST"))
        kind = environ.get("CONTENT_TYPE", "").partition(";")[0].strip().lower()
        if kind != QUERY_TYPE:
            return _plain(start, "415 Unsupported Media Type", ("Accept", QUERY_TYPE))
        body = environ["wsgi.input"].read(MAX_REQUEST + 1)
        if len(body) > MAX_REQUEST:
            return _plain(start, "413 Content Too Large")
        reply = answer(body, link)
        start("200 OK", [("Content-Type", REPLY_TYPE), ("Content-Length", str(len(reply))), *_ALWAYS])
        return [reply]

    return application


_ALWAYS = [("Cache-Control", "no-store"), ("X-Content-Type-Options", "nosniff")]


def _plain(start: Start, status: str, *headers: tuple[str, str]) -> Iterable[bytes]:
    start(status, [("Content-Type", "text/plain; charset=utf-8"), *headers, *_ALWAYS])
    return [f"{status}\n".encode()]
