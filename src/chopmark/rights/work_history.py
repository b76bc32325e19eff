"""What a work is after its events. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from chopmark.base.errors import Invalid
from chopmark.rights.history import Event, must_follow
from chopmark.rights.record import Work
from chopmark.rights.works import WorkAmended, WorkFiled, WorkIdentified, WorkWithdrawn


def fold_work(events: Iterable[Event]) -> Work:
    """The work after these events, which must be its whole history up to some point.

    Raises:
        Invalid: `rights.history_broken`.
    """
    work: Work | None = None
    last: Event | None = None
    for event in events:
        must_follow(last, event)
        work, last = follow(work, event), event
    if work is None:
        raise Invalid("rights.history_broken", seq=0, reason="first")
    return work


def follow(work: Work | None, event: Event) -> Work:
    """The work after one more event.

    Raises:
        Invalid: `rights.history_broken`.
    """
    said = event.payload
    match said:
        case WorkFiled() if work is None:
            return Work(
                id=event.right,
                number=said.number,
                organisation=said.organisation,
                state="filed",
                record=said.record,
                version=event.seq,
                files=said.files,
                identified=said.identified,
            )
        case WorkIdentified() if work is not None:
            others = tuple(each for each in work.identified if each.sha256 != said.found.sha256)
            return replace(work, version=event.seq, identified=(*others, said.found))
        case WorkAmended() if work is not None and work.state == "filed":
            return replace(work, version=event.seq, record=said.record)
        case WorkWithdrawn() if work is not None and work.state == "filed":
            return replace(work, version=event.seq, state="withdrawn")
        case _:
            raise Invalid("rights.history_broken", seq=event.seq, reason="state")
