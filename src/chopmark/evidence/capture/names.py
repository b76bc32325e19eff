"""What two resolvers of one's choice say a name is, beside what the guard connected to.

Each answer is kept as it came (base64 of the message on the wire) and as lines people can read. A resolver that does
not answer is an entry too, with the reason; nothing is asked twice.
"""

from __future__ import annotations

import base64
import ipaddress
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rcode

from chopmark.base.errors import Invalid
from chopmark.evidence.capture.processlog import moment

PATIENCE: Final = 4.0  # seconds for one answer
KINDS: Final = ("A", "AAAA")
MAX_RESOLVERS: Final = 4


def resolver(text: str) -> tuple[str, int]:
    """Address and port of `address` or `address:port`, an IPv6 address in brackets when a port follows.

    Raises:
        Invalid: `capture.resolver_malformed`.
    """
    host, _, port = text.rpartition(":") if text.count(":") == 1 or "]:" in text else (text, "", "53")
    try:
        return str(ipaddress.ip_address(host.strip("[]"))), int(port)
    except ValueError as error:
        raise Invalid("capture.resolver_malformed", text=text) from error


def ask(name: str, resolvers: Sequence[str], clock: Callable[[], datetime]) -> list[dict[str, Any]]:
    """What each resolver answers for A and AAAA, one entry for each question."""
    return [_ask(name, kind, *resolver(each), clock) for each in resolvers[:MAX_RESOLVERS] for kind in KINDS]


def _ask(name: str, kind: str, address: str, port: int, clock: Callable[[], datetime]) -> dict[str, Any]:
    entry: dict[str, Any] = {"resolver": address, "port": port, "name": name, "kind": kind, "at": moment(clock())}
    start = time.monotonic()
    try:
        question = dns.message.make_query(name, kind, want_dnssec=True)
        answer, _ = dns.query.udp_with_fallback(question, address, timeout=PATIENCE, port=port)
    except (dns.exception.DNSException, OSError, UnicodeError) as error:
        return entry | {"failure": type(error).__name__, "milliseconds": _since(start)}
    wire = answer.to_wire()
    return entry | {
        "status": dns.rcode.to_text(answer.rcode()),
        "authenticated": bool(answer.flags & dns.flags.AD),
        "answers": [line for each in answer.answer for line in each.to_text().splitlines()],
        "message": base64.b64encode(wire).decode(),
        "milliseconds": _since(start),
    }


def _since(start: float) -> int:
    return round((time.monotonic() - start) * 1000)
