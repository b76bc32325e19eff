"""The process of a desk: one home, one lock, one listening socket, two threads; ends within seconds of SIGTERM.

    worker     checks bundles that came in whole, signs those that a notary shall sign
    courier    carries events to the platforms

Exit statuses: 0 told to stop; 1 another desk has the home, or the port is taken; 78 the desk must not run as it is.
"""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from contextlib import ExitStack

import httpx

from chopmark.base import clock
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.parent import until_told
from chopmark.desk.clerks import Clerks
from chopmark.desk.delivery import Courier
from chopmark.desk.home import DeskHome, held
from chopmark.desk.office import Office
from chopmark.desk.stamping import HttpStamper
from chopmark.desk.store import Store
from chopmark.desk.web import MAX_BODY, application
from chopmark.member.logs import Lines, configure
from chopmark.member.serving import Server

STOPPED, BUSY, MUST_NOT_RUN = 0, 1, 78
THREADS = 6
CONNECTIONS = 100
QUIET = 30  # seconds after which a connection on which nothing moves is closed
PAUSE = 0.5  # seconds between two looks of the courier
REST = 5.0  # seconds of rest after trouble


def serve(
    home: DeskHome,
    *,
    ready: Callable[[int], None] = lambda _port: None,
    complain: Callable[[PlatformError], None] = lambda _error: None,
) -> int:
    """Run the desk until SIGTERM or SIGINT; the exit status.

    Args:
        ready: told the port when requests are answered.
        complain: told what keeps the desk from running.
    """
    stop = until_told(MUST_NOT_RUN)
    configure()
    lines = Lines("desk")
    try:
        with held(home), ExitStack() as opened:
            run(home, stop, ready, opened, lines)
    except (Refused, Invalid, Unavailable) as error:
        lines.warning("cannot run", code=error.code, trouble=str(error))
        complain(error)
        return BUSY if error.code in ("desk.running", "desk.port_taken") else MUST_NOT_RUN
    lines.info("stopped")
    return STOPPED


def open_office(home: DeskHome, store: Store) -> Office:
    """The desk's work over its home.

    Raises:
        Refused: `desk.home_missing`, `desk.card_differs`; what the keys' files refuse.
        Invalid: something kept in the home is damaged.
    """
    settings, card, key = home.settings(), home.card(), home.key()
    if (card.name, card.kind, card.node) != (settings.name, settings.kind, str(key.verifier)):
        raise Refused("desk.card_differs", name=card.name)
    stampers = tuple(HttpStamper(address) for address in settings.tsa)
    if settings.kind == "court":
        return Office(home, settings, key, store)
    from chopmark.evidence.sealing import Seal  # noqa: PLC0415 (a court's desk signs no bundles)

    return Office(home, settings, key, store, seal=Seal.load(home.seal, stampers), stampers=stampers)


def run(home: DeskHome, stop: threading.Event, ready: Callable[[int], None], opened: ExitStack, lines: Lines) -> None:
    """Serve a home that this process holds, until told to stop.

    Raises:
        Refused: `desk.port_taken`; as `open_office`.
        Invalid: as `open_office`.
    """
    store = Store(home.database)
    opened.callback(store.close)
    office = open_office(home, store)
    settings = office.settings
    client = httpx.Client(follow_redirects=False, trust_env=False)
    opened.callback(client.close)
    courier = Courier(store, home.key(), client)
    app = application(office, Clerks(store), lines)
    try:
        server = Server(
            app,
            settings.host,
            settings.port,
            threads=THREADS,
            connection_limit=CONNECTIONS,
            channel_timeout=QUIET,
            cleanup_interval=5,
            max_request_header_size=16 * 1024,
            max_request_body_size=MAX_BODY,
            log_socket_errors=False,
        )
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            raise
        raise Refused("desk.port_taken", host=settings.host, port=settings.port) from error
    threads = [
        threading.Thread(target=_work, args=(office, stop, lines), name="worker"),
        threading.Thread(target=_carry, args=(home, courier, office, stop, lines), name="courier"),
    ]
    for thread in threads:
        thread.start()
    try:
        lines.info("started", name=settings.name, port=server.port)
        ready(server.port)
        server.run(stop)
    finally:
        stop.set()
        office.something.set()
        for thread in threads:
            thread.join()


def _work(office: Office, stop: threading.Event, lines: Lines) -> None:
    while not stop.is_set():
        try:
            if not office.work(clock.now()):
                office.something.wait(PAUSE)
                office.something.clear()
        except PlatformError as error:
            lines.warning("the work failed", code=error.code)
            stop.wait(REST)
        except Exception:  # noqa: BLE001 (the outermost loop of the worker: a bug with one case must not end the desk)
            lines.failure("the work failed")
            stop.wait(REST)


def _carry(home: DeskHome, courier: Courier, office: Office, stop: threading.Event, lines: Lines) -> None:
    while not stop.is_set():
        try:
            if not courier.deliver(home.platform_cards(), clock.now()):
                office.something.wait(PAUSE)
        except PlatformError as error:
            lines.warning("delivery failed", code=error.code)
            stop.wait(REST)
        except Exception:  # noqa: BLE001 (the outermost loop of the courier)
            lines.failure("delivery failed")
            stop.wait(REST)
        stop.wait(PAUSE / 5)
