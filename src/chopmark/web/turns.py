"""Turns at what is heavy: decoding a file, searching with it, reading a large table, while somebody waits.

Each such call holds a thread of the server for seconds, and there are few decoding processes. Whoever sends many at
once has one of them worked on and one waiting; the others are refused at once. All heavy calls together get half of
the server's threads. Counted in this process: with several server processes each counts alone.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from chopmark.base.errors import Refused, Unavailable
from chopmark.people.actor import Actor

EACH = 2
"""Heavy calls that one person, or one organisation, has here: one is worked on."""
PATIENCE = 20.0  # seconds that a call waits for the one before it


class Turns:
    """Who has how many calls here, and whose is worked on."""

    def __init__(self, room: int, patience: float = PATIENCE) -> None:
        self._room, self._patience = room, patience
        self._changed = threading.Condition()
        self._here: Counter[str] = Counter()
        self._working: set[str] = set()
        self._all = 0

    @contextmanager
    def turn(self, *names: str) -> Iterator[None]:
        """Work while none of these has another call that is worked on.

        Raises:
            Refused: `web.heavy_too_fast`.
            Unavailable: `media.decoder_busy`.
        """
        with self._changed:
            if any(self._here[each] >= EACH for each in names):
                raise Refused("web.heavy_too_fast", limit=EACH)
            if self._all >= self._room:
                raise Unavailable("media.decoder_busy")
            self._here.update(names)
            self._all += 1
            free = self._changed.wait_for(lambda: self._working.isdisjoint(names), self._patience)
            if not free:
                self._leave(names)
                raise Refused("web.heavy_too_fast", limit=EACH)
            self._working.update(names)
        try:
            yield
        finally:
            with self._changed:
                self._working.difference_update(names)
                self._leave(names)

    def _leave(self, names: tuple[str, ...]) -> None:
        self._here.subtract(names)
        self._here += Counter()  # forgets who has none
        self._all -= 1
        self._changed.notify_all()


_TURNS = Turns(settings.CHOPMARK_UPLOADS_AT_ONCE)


@contextmanager
def turn(actor: Actor) -> Iterator[None]:
    """One heavy call of a person, in whichever organisation, and of their organisation. Raises as `Turns.turn`."""
    names = [f"organisation {actor.organisation_id}"]
    if actor.user_id is not None:
        names.append(f"user {actor.user_id}")
    with _TURNS.turn(*names):
        yield
