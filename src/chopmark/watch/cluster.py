"""Whether a Ray cluster answers, asked within seconds, before a scan's process joins it.

    must_answer("ray-head:6379")        Unavailable `watch.cluster_unreachable` when it does not

Ray itself tries for a minute and then ends the process that asked, which looks like a file that kills who reads it.
Asked is what can be asked without joining: the name has an address, something listens there, and it greets as gRPC
servers do, which a head that hangs or another program does not. Whether the versions fit is seen when it is joined.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Final

from chopmark.base.errors import Unavailable
from chopmark.evidence.capture.lookups import LOOKUPS

WITHIN: Final = 5.0  # seconds for all of it
CODE: Final = "watch.cluster_unreachable"
_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4, 0, 0, 0, 0, 0))
"""RFC 9113, 3.4: how a client begins, with settings that change nothing."""
_HEAD: Final = 9
"""Bytes of a frame's head; the fourth is its kind."""
_SETTINGS: Final = 4


def must_answer(runner: str, *, within: float = WITHIN) -> None:
    """Stop where a cluster does not answer.

    Args:
        runner: `host:port`, or `ray://host:port`.

    Raises:
        Unavailable: `watch.cluster_unreachable`.
    """
    host, _, port = runner.removeprefix("ray://").rpartition(":")
    until = time.monotonic() + within
    try:
        found = LOOKUPS(host, int(port), within)
        if not any(_answers(address, int(port), until) for address in found):
            raise Unavailable(CODE, runner=runner)
    except (OSError, UnicodeError, OverflowError) as error:
        raise Unavailable(CODE, runner=runner) from error


def _answers(address: str, port: int, until: float) -> bool:
    """Whether a gRPC server greets there; with TLS, whether anybody listens, since it greets whom it knows."""
    try:
        with socket.create_connection((address, port), _left(until)) as connection:
            if os.environ.get("RAY_USE_TLS", "0") not in ("", "0"):
                return True
            connection.sendall(_PREFACE)
            head = b""
            while len(head) < _HEAD:
                connection.settimeout(_left(until))
                piece = connection.recv(_HEAD - len(head))
                if not piece:
                    return False
                head += piece
            return head[3] == _SETTINGS
    except OSError:
        return False


def _left(until: float) -> float:
    """Seconds.

    Raises:
        TimeoutError: there are none.
    """
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left
