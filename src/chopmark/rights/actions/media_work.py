"""What the worker does for works when nothing else is due: fingerprints, matching with earlier searches, indexes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from chopmark.base.errors import Refused
from chopmark.evidence import wiring
from chopmark.rights.actions.copies import build_indexes, compare_with_searches, forget_searches
from chopmark.rights.actions.work import fingerprint_waiting


@wiring.answering()
def work_media(clock: Callable[[], datetime]) -> str | None:
    """One piece of work; what it was about, None when nothing was due.

    Raises:
        Unavailable: `media.decoder_missing`, `media.decoder_busy`; what a deposit raises. It is tried again.
    """
    try:
        number = fingerprint_waiting(clock)
    except Refused:  # somebody changed the work in between: the next round sees it as it is then
        return None
    if number is not None:
        return number
    if compare_with_searches(clock) is not None:
        return "compared"
    if forget_searches(clock()):
        return "forgotten"
    return "indexed" if build_indexes() else None
