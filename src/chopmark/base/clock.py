"""Time as the platform writes it: aware, UTC, passed in.

Nothing that computes a truth reads the clock; edges read it once with `now` and pass `at` on.
Text form is RFC 3339 with a `Z`; on the ledger, time is whole seconds since 1970 (RFC 8392 NumericDate).
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from chopmark.base.errors import Invalid

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def now() -> datetime:
    """The present moment, aware, UTC."""
    return datetime.now(UTC)


def from_seconds(seconds: int) -> datetime:
    """A moment from whole seconds since 1970-01-01T00:00:00Z.

    Raises:
        Invalid: `base.time_out_of_range` when the number is no moment of the years 1 to 9999.
    """
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Invalid("base.time_out_of_range", seconds=seconds) from error


def to_seconds(moment: datetime) -> int:
    """Whole seconds since 1970-01-01T00:00:00Z, rounded down."""
    return (moment - _EPOCH) // timedelta(seconds=1)  # in whole numbers: a float of a late day rounds up


def to_text(moment: datetime) -> str:
    """RFC 3339 in UTC to the second, for example `2026-11-22T09:30:00Z`."""
    return moment.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"
