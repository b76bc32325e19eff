"""The tables of this room. Rows without behaviour: changed by `rights.actions`, read by `rights.queries`."""

from chopmark.rights.models.registry import (
    Challenge,
    Event,
    Mandate,
    OfficeNumber,
    OfficeRecord,
    Paper,
    Reminder,
    Right,
    RightClass,
    RightNumber,
    RightTerritory,
    Serial,
    Standing,
)

__all__ = [
    "Challenge",
    "Event",
    "Mandate",
    "OfficeNumber",
    "OfficeRecord",
    "Paper",
    "Reminder",
    "Right",
    "RightClass",
    "RightNumber",
    "RightTerritory",
    "Serial",
    "Standing",
]
