"""The tables of this room. Rows without behaviour: changed by `rights.actions`, read by `rights.queries`."""

from chopmark.rights.models.digests import Digest, DigestItem, DigestMail
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
from chopmark.rights.models.watches import Find, LogoCode, Watch
from chopmark.rights.models.works import AskedCode, Common, Match, Search, Work, WorkCode, WorkFile

__all__ = [
    "AskedCode",
    "Challenge",
    "Common",
    "Digest",
    "DigestItem",
    "DigestMail",
    "Event",
    "Find",
    "LogoCode",
    "Mandate",
    "Match",
    "OfficeNumber",
    "OfficeRecord",
    "Paper",
    "Reminder",
    "Right",
    "RightClass",
    "RightNumber",
    "RightTerritory",
    "Search",
    "Serial",
    "Standing",
    "Watch",
    "Work",
    "WorkCode",
    "WorkFile",
]
