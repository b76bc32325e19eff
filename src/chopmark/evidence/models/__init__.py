"""The tables of this room. Rows without behaviour: changed by `evidence.actions`, read by its queries."""

from chopmark.evidence.models.deposits import (
    Deposit,
    Founding,
    Governance,
    IdempotencyKey,
    Serial,
    ShareLink,
    Stamp,
    Upload,
)
from chopmark.evidence.models.matters import (
    Bundle,
    Capture,
    CustodyLine,
    Grant,
    GrantUse,
    Hold,
    Item,
    ItemFile,
    Matter,
    Redaction,
    Schedule,
    WrongCode,
)

__all__ = [
    "Bundle",
    "Capture",
    "CustodyLine",
    "Deposit",
    "Founding",
    "Governance",
    "Grant",
    "GrantUse",
    "Hold",
    "IdempotencyKey",
    "Item",
    "ItemFile",
    "Matter",
    "Redaction",
    "Schedule",
    "Serial",
    "ShareLink",
    "Stamp",
    "Upload",
    "WrongCode",
]
