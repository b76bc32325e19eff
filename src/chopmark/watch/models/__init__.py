"""The tables of this room. Rows without behaviour: changed by `watch.actions`, read by `watch.queries`."""

from chopmark.watch.models.hits import (
    AuditSample,
    Claim,
    DecisionRecord,
    DecisionSheet,
    GoldenSample,
    Hit,
    HitEvent,
    Measure,
    Vote,
)
from chopmark.watch.models.listings import Figure, Inbox, ListingRow, Marketplace, Seller, Serial
from chopmark.watch.models.rules import RuleChange, RuleCount, RuleRow, RuleVersion
from chopmark.watch.models.scans import MarkNote, MarkSetRow, Partition, Scan, Task

__all__ = [
    "AuditSample",
    "Claim",
    "DecisionRecord",
    "DecisionSheet",
    "Figure",
    "GoldenSample",
    "Hit",
    "HitEvent",
    "Inbox",
    "ListingRow",
    "MarkNote",
    "MarkSetRow",
    "Marketplace",
    "Measure",
    "Partition",
    "RuleChange",
    "RuleCount",
    "RuleRow",
    "RuleVersion",
    "Scan",
    "Seller",
    "Serial",
    "Task",
    "Vote",
]
