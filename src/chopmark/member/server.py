"""The process of a node: one home, one lock, one listening socket, some threads. Ends within seconds of SIGTERM.

Exit statuses: 0 told to stop; 1 another node has the home, or the port is taken; 74 the disk did not confirm a write;
78 the node must not run as it is (sysexits.h): its keys, its settings, or a state that is older than what it signed.
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from chopmark.base import clock
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.base.parent import until_told
from chopmark.member import keys as member_keys
from chopmark.member.keys import KeyReader
from chopmark.member.known import key_fetcher
from chopmark.member.logs import Lines, configure
from chopmark.member.node import Fetch, Node
from chopmark.member.rotation import next_signers
from chopmark.member.settings import LogSettings, MemberHome, held

STOPPED, BUSY, DISK, MUST_NOT_RUN = 0, 1, 74, 78
THREADS = 6
CONNECTIONS = 200
QUIET = 30  # seconds after which a connection on which nothing moves is closed
MAX_HEADER = 16 * 1024
PULL_PATIENCE = 3.0  # seconds for an answer under way to a fetched request, when the node ends


def open_node(home: MemberHome, reader: KeyReader, fetch_key: Fetch | None = None) -> Node:
    """The node of a home that this process holds.

    Raises:
        Refused: `member.home_missing`, `member.card_differs`; as `Node`, `KeyReader.read`.
        Invalid: something kept in the home is damaged.
    """
    settings = home.settings()
    card = home.read_card()
    signers = reader.all(home.keys)
    member_keys.must_fit(card, signers)
    if (card.name, card.url) != (settings.name, settings.url):
        raise Refused("member.card_differs", name=card.name)
    for file, signer in next_signers(home, reader).items():
        signers[f"{file}-next"] = signer
    return Node(home=home, settings=settings, card=card, keys=signers, clock=clock.now, fetch_key=fetch_key)


def serve(
    home: MemberHome,
    reader: KeyReader,
    *,
    ready: Callable[[int], None] = lambda _port: None,
    complain: Callable[[PlatformError], None] = lambda _error: None,
) -> int:
    """Run the node until SIGTERM or SIGINT; the exit status.

    Args:
        ready: told the port when requests are answered.
        complain: told what keeps the node from running.
    """
    stop = until_told(MUST_NOT_RUN)
    configure()
    lines = Lines()
    try:
        with held(home), ExitStack() as opened:
            return _run(home, reader, stop, ready, opened)
    except (Refused, Invalid, Unavailable) as error:
        lines.warning("cannot run", code=error.code, trouble=str(error))
        complain(error)
        return BUSY if error.code in ("member.running", "member.port_taken") else MUST_NOT_RUN
    finally:
        lines.info("stopped")


def _run(
    home: MemberHome, reader: KeyReader, stop: threading.Event, ready: Callable[[int], None], opened: ExitStack
) -> int:
    from chopmark.member.metrics import Metrics  # noqa: PLC0415 (only a node that serves has figures)
    from chopmark.member.serving import Server  # noqa: PLC0415 (and a server)
    from chopmark.member.watch import Watcher  # noqa: PLC0415
    from chopmark.member.web import MAX_ENTRIES, application  # noqa: PLC0415

    settings = home.settings()
    node = open_node(home, reader, key_fetcher(settings.logs))
    opened.callback(node.close)
    metrics = Metrics()
    lost: list[Refused] = []

    def state_lost(error: Refused) -> None:
        lost.append(error)
        stop.set()

    app = application(node, metrics, _disk_lost)
    try:
        server = Server(
            app,
            settings.host,
            settings.port,
            large=("/add-entries",),
            threads=THREADS,
            connection_limit=CONNECTIONS,
            channel_timeout=QUIET,
            cleanup_interval=5,
            max_request_header_size=MAX_HEADER,
            max_request_body_size=MAX_ENTRIES,
            log_socket_errors=False,
        )
    except OSError as error:
        if error.errno not in (errno.EADDRINUSE, errno.EACCES, errno.EADDRNOTAVAIL):
            raise
        raise Refused("member.port_taken", host=settings.host, port=settings.port) from error
    watcher = Watcher(node, metrics, _fetcher, state_lost, _disk_lost)
    watcher.start()
    opened.callback(watcher.stop)
    for log in settings.logs:
        if log.relay is not None:
            opened.callback(_pull(node, log, app, stop))
    node.lines.info("started", name=node.card.name, port=server.port, logs=len(node.logs))
    ready(server.port)
    server.run(stop)
    if lost:
        raise lost[0]
    return STOPPED


def _disk_lost() -> None:
    """The disk did not confirm: only a new process knows what it holds."""
    Lines().failure("the disk did not confirm a write")
    os._exit(DISK)


def _fetcher(address: str) -> Fetch:
    from chopmark.member.fetch import Fetcher  # noqa: PLC0415 (a second of a slow machine, in the background)

    return Fetcher(address)


def _pull(node: Node, log: LogSettings, app: Callable[..., Any], stop: threading.Event) -> Callable[[], None]:
    """Fetch the requests for a node that opens no port, in a thread of its own; what ends it."""
    from functools import partial  # noqa: PLC0415 (few nodes pull)

    import httpx  # noqa: PLC0415

    from chopmark.member.relay import POLL, Puller  # noqa: PLC0415
    from chopmark.member.web import call  # noqa: PLC0415

    client = httpx.Client(timeout=POLL + 20, trust_env=False)
    puller = Puller(
        log.relay or "", node.card.name, node.node_key, log.origin, partial(call, app), client, node.next_node_key
    )

    def trouble(error: Exception | None) -> None:
        if error is None:
            node.lines.info("pulling goes on", log=log.hash)
        elif isinstance(error, PlatformError):
            node.lines.warning("pulling failed", log=log.hash, code=error.code)
        else:
            node.lines.failure("pulling failed", log=log.hash)

    def end() -> None:
        stop.set()
        if not puller.end(PULL_PATIENCE):  # the home must not be given back while something is written to it
            node.lines.warning("ended while answering", log=log.hash)
            os._exit(STOPPED)

    threading.Thread(target=puller.run, args=(stop, trouble), name="pull", daemon=True).start()
    return end


def passphrase_of(file: Path | None, question: str | None) -> Callable[[], bytes]:
    """How `KeyReader` asks."""
    return lambda: member_keys.find_passphrase(file, question)
