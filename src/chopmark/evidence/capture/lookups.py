"""Look-ups of names, each with a limit of its own.

    LOOKUPS("shop.example", 443)                 its addresses by this machine's resolver; shared by the process
    Lookups(resolve)("shop.example", 443, 1.5)   by another function, and waiting no longer than 1.5 seconds

The machine's resolver waits as long as it likes, and nothing can end a look-up that has begun. So each one runs in a
thread, which whoever asked leaves behind when the time is over. What is left behind is bounded, for who owns a domain
whose servers never answer has as many names in it as they like: so many at once, few of them in one domain, one of a
name. A name whose look-up was late and then failed is left alone for a while.

Judges no address; see `addresses`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Final

WITHIN: Final = 5.0  # seconds that somebody waits who does not say how long
LATE: Final = 5.0  # seconds after which a look-up is late: nobody else waits for it
NAMES: Final = 1_000
"""Names that are remembered as late."""

Resolve = Callable[[str, int], Sequence[str]]


def by_machine(host: str, port: int) -> Sequence[str]:
    """The addresses of a name by this machine's own resolver, each once, in its order.

    Raises:
        OSError, UnicodeError: there are none, or it is no name.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return tuple(dict.fromkeys(str(each[4][0]) for each in found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may be in the air, and how long what failed late is left alone.

    Attributes:
        together: look-ups at once. alike: of these, in one domain.
        late, rest: seconds.
    """

    together: int = 32
    alike: int = 4
    late: float = LATE
    rest: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """A look-up in the air."""

    domain: str
    began: float
    answer: Future[Sequence[str]] = field(default_factory=Future)


class Lookups:
    """See the module. May be shared by threads."""

    def __init__(self, resolve: Resolve = by_machine, limits: Limits | None = None) -> None:
        self._resolve, self._limits = resolve, limits or Limits()
        self._turn = threading.Condition()
        self._asked: dict[tuple[str, int], _Asked] = {}
        self._resting: OrderedDict[tuple[str, int], float] = OrderedDict()

    def __call__(self, host: str, port: int, within: float = WITHIN) -> Sequence[str]:
        """The addresses of a name.

        Raises:
            TimeoutError: not within these seconds.
            OSError, UnicodeError: and whatever else the function raises that resolves.
        """
        until = time.monotonic() + within
        return self._answer((host.lower(), port), until).result(max(0.0, until - time.monotonic()))

    def _answer(self, name: tuple[str, int], until: float) -> Future[Sequence[str]]:
        """That of a look-up in the air, or of a new one as soon as there is room for it."""
        domain = domain_of(name[0])
        with self._turn:
            while True:
                now = time.monotonic()
                asked = self._asked.get(name)
                if asked is not None and not self._is_late(asked, now):
                    return asked.answer
                if asked is not None or now < self._resting.get(name, now) or self._is_stuck(domain, now):
                    raise TimeoutError(name[0])
                if self._has_room(domain):
                    return self._begin(name, domain, now)
                if not self._turn.wait(until - now):
                    raise TimeoutError(name[0])

    def _begin(self, name: tuple[str, int], domain: str, now: float) -> Future[Sequence[str]]:
        asked = self._asked[name] = _Asked(domain=domain, began=now)
        threading.Thread(target=self._look, args=(name, asked), name="look-up", daemon=True).start()
        return asked.answer

    def _look(self, name: tuple[str, int], asked: _Asked) -> None:
        """The thread."""
        try:
            found = self._resolve(*name)
        except BaseException as error:  # noqa: BLE001 (handed to whoever asked)
            self._end(name, asked, failed=True)
            asked.answer.set_exception(error)
        else:
            self._end(name, asked, failed=False)
            asked.answer.set_result(found)

    def _end(self, name: tuple[str, int], asked: _Asked, *, failed: bool) -> None:
        with self._turn:
            del self._asked[name]  # before it is answered: who asks after the answer asks anew
            now = time.monotonic()
            if failed and self._is_late(asked, now):
                self._resting[name] = now + self._limits.rest
                self._resting.move_to_end(name)
                while len(self._resting) > NAMES:
                    self._resting.popitem(last=False)
            self._turn.notify_all()

    def _is_late(self, asked: _Asked, now: float) -> bool:
        return now - asked.began > self._limits.late

    def _is_stuck(self, domain: str, now: float) -> bool:
        """Whether all that may be asked of a domain is late."""
        late = sum(self._is_late(each, now) for each in self._asked.values() if each.domain == domain)
        return late >= self._limits.alike

    def _has_room(self, domain: str) -> bool:
        alike = sum(each.domain == domain for each in self._asked.values())
        return len(self._asked) < self._limits.together and alike < self._limits.alike


def domain_of(host: str) -> str:
    """What one owner most likely has as a whole: the last two labels, three below `co.uk` and the like.

    A guess, without the public suffix list: what it takes together waits for one another, no more.
    """
    labels = host.rstrip(".").split(".")
    country = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= 3
    return ".".join(labels[-3:] if country else labels[-2:])


LOOKUPS: Final = Lookups()
