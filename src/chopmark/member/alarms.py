"""The alarms that a member has raised: one file each, durable, never overwritten, never deleted by the program.

An alarm with the id of an earlier one (it says the same at another time) is that alarm again and makes no new file.
Of each code at most `MOST` are kept for one log: whoever could make a node write without end would have a way to stop
it. What is dropped then is counted.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from chopmark.base.errors import Fact
from chopmark.ledger.alarm import Alarm
from chopmark.ledger.stores.files import FileObjects

MOST = 100
_ENDING = ".json"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAlarm:
    """An alarm without its proof, which stays in the file.

    Attributes:
        id: names the file.
        code, origin, at, facts: as in `Alarm`.
        files: names of the proof's files.
    """

    id: str
    code: str
    origin: str
    at: datetime
    facts: Mapping[str, Fact]
    files: tuple[str, ...]


class AlarmBox:
    """The folder of alarms of one node; threads may share it.

    Args:
        folder: made when missing.

    Raises:
        Invalid: `ledger.alarm_malformed` when a file in it was altered.
    """

    def __init__(self, folder: Path) -> None:
        self._objects = FileObjects(folder, replaceable=())
        self._lock = threading.Lock()
        files = [name for name in self._objects.names() if name.endswith(_ENDING)]
        self._kept = {name.removesuffix(_ENDING): _kept(Alarm.parse(self._objects.get(name))) for name in files}
        self.dropped = 0

    def keep(self, alarm: Alarm) -> bool:
        """Keep an alarm; False when it is known already or there are too many of its kind.

        Raises:
            DurabilityLost: the disk did not confirm.
        """
        kept = _kept(alarm)
        with self._lock:
            if kept.id in self._kept:
                return False
            if self._counts()[alarm.origin, alarm.code] >= MOST:
                self.dropped += 1
                return False
            self._objects.put({kept.id + _ENDING: alarm.encode()})
            self._kept[kept.id] = kept
        return True

    def all(self) -> list[KeptAlarm]:
        """Every alarm, newest first."""
        with self._lock:
            kept = list(self._kept.values())
        return sorted(kept, key=lambda alarm: (alarm.at, alarm.id), reverse=True)

    def document(self, name: str) -> bytes | None:
        """The file of one alarm; None when there is none."""
        with self._lock:
            known = name in self._kept
        return self._objects.get(name + _ENDING) if known else None

    def counts(self) -> Counter[tuple[str, str]]:
        """How many are kept, by origin and code."""
        with self._lock:
            return self._counts()

    def _counts(self) -> Counter[tuple[str, str]]:
        return Counter((alarm.origin, alarm.code) for alarm in self._kept.values())


def _kept(alarm: Alarm) -> KeptAlarm:
    return KeptAlarm(
        id=alarm.id,
        code=alarm.code,
        origin=alarm.origin,
        at=alarm.at,
        facts=dict(alarm.facts),
        files=tuple(sorted(alarm.proof)),
    )
