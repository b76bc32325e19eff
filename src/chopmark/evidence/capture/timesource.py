"""How far this machine's clock is from a time server's: one SNTP question (RFC 4330 over RFC 5905's packet).

It sets no clock. Unauthenticated as the protocol is, the answer shows an honest clock's error, not a forger.
"""

from __future__ import annotations

import secrets
import socket
import struct
import time
from collections.abc import Callable
from datetime import datetime
from typing import Final

from chopmark.base.errors import Unavailable

PATIENCE: Final = 3.0  # seconds
_SINCE_1900: Final = 2_208_988_800  # seconds between the NTP epoch and 1970
_PACKET: Final = 48  # bytes
_SERVER: Final = 4  # the mode of an answer


def offset(server: str, clock: Callable[[], datetime]) -> int:
    """Milliseconds that must be added to this machine's clock to agree with the server (`host` or `host:port`).

    Raises:
        Unavailable: `capture.time_source_silent`.
    """
    host, _, port = server.partition(":")
    # The time we send is a random number, so that only who saw the question can answer it (RFC 9109, RFC 5905 data
    # minimisation); the true moments stay here.
    nonce = secrets.token_bytes(8)
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, int(port or "123"), type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as connection:
            connection.settimeout(PATIENCE)
            connection.connect(address)
            sent, start = clock().timestamp(), time.monotonic()
            connection.send(bytes([0x23]) + bytes(39) + nonce)
            answer = connection.recv(512)
            received = sent + time.monotonic() - start
    except (OSError, ValueError) as error:
        raise Unavailable("capture.time_source_silent", server=server) from error
    if len(answer) < _PACKET or answer[0] & 7 != _SERVER or answer[24:32] != nonce or answer[1] == 0:
        raise Unavailable("capture.time_source_silent", server=server)
    arrived, left = (
        whole - _SINCE_1900 + part / (1 << 32)
        for whole, part in (struct.unpack(">II", answer[at : at + 8]) for at in (32, 40))
    )
    apart: float = ((arrived - sent) + (left - received)) / 2
    return round(apart * 1000)
