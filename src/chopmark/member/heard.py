"""What members say against a log in their `/alarms.json`, asked now and then in a thread of its own.

For people to look at: nothing is decided by it, and a member may say what it likes. So an answer is bounded in size
and time, and only what is understood is kept: how many alarms about this log, and the newest one's code and facts.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from chopmark.base.errors import Fact, Invalid, PlatformError
from chopmark.ledger.card import Card
from chopmark.member.fetch import Fetcher

EVERY = 60.0
"""Seconds between two questions."""
LIMIT = 1 << 20
"""Bytes of an answer."""
PATIENCE = 5.0
"""Seconds for an answer."""
MOST_FACTS = 8
LONGEST_FACT = 200

_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_CODE = re.compile(r"ledger\.alarm_[a-z_]{1,64}")
_NAME = re.compile(r"[a-z_]{1,32}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What one member says.

    Attributes:
        count: alarms about this log.
        code: of the newest; None when there is none.
        at: its time, by the member's clock.
        facts: those of its facts that are short texts and numbers.
    """

    count: int = 0
    code: str | None = None
    at: datetime | None = None
    facts: Mapping[str, Fact]


def parse(body: bytes, origin: str) -> Heard:
    """Read `/alarms.json`.

    Raises:
        Invalid: `ledger.alarm_malformed`.
    """
    try:
        newest, count = None, 0
        for each in json.loads(body):
            if each["origin"] != origin:
                continue
            count += 1
            code, at = str(each["code"]), datetime.strptime(each["at"], _MOMENT).replace(tzinfo=UTC)
            if _CODE.fullmatch(code) and (newest is None or at > newest[1]):
                newest = code, at, {name: fact for name, fact in each["facts"].items() if _is_plain(name, fact)}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, Invalid) as error:
        raise Invalid("ledger.alarm_malformed") from error
    if newest is None:
        return Heard(count=count, facts={})
    code, at, facts = newest
    return Heard(count=count, code=code, at=at, facts=dict(sorted(facts.items())[:MOST_FACTS]))


def _is_plain(name: str, fact: object) -> bool:
    if not _NAME.fullmatch(name):
        return False
    return (isinstance(fact, str) and len(fact) <= LONGEST_FACT) or (type(fact) is int and abs(fact) < 1 << 63)


class Listener:
    """Asks each member that has an address.

    Args:
        cards: the members.
        origin: the log's name.
        every: seconds.
    """

    def __init__(self, cards: Sequence[Card], origin: str, every: float = EVERY) -> None:
        self._members = {card.name: card.url for card in cards if card.url is not None}
        self._origin = origin
        self._every = every
        self._heard: dict[str, Heard] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="alarms", daemon=True)
        self._thread.start()

    def heard(self, name: str) -> Heard | None:
        """What a member said last; None when it said nothing yet that was understood."""
        return self._heard.get(name)

    def close(self) -> None:
        """Ask no more; a question under way is left behind."""
        self._stop.set()

    def _listen(self) -> None:
        while not self._stop.is_set():
            for name, url in self._members.items():
                if self._stop.is_set():
                    return
                try:
                    with Fetcher(url, limit=LIMIT, patience=PATIENCE) as fetch:
                        self._heard[name] = parse(fetch("alarms.json"), self._origin)
                except PlatformError:  # what was heard before stays; that it is away is said by its courier
                    continue
            self._stop.wait(self._every)
