"""Which trust policy judges a receipt: the one named, or of several the one that was in force at its size.

A consortium changes: members come and go, keys are replaced. Each policy that was ever in force is kept in a folder as
`<from size>.policy`; a receipt under a checkpoint of n entries is judged by the one with the largest size up to n.
"""

from __future__ import annotations

import os
from pathlib import Path

from chopmark.base.errors import Invalid, Refused
from chopmark.cli import files, home
from chopmark.evidence.receipt import read_receipt
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy

HISTORY = Path("consortium") / "history"


def policy_for(receipt: bytes, named: Path | None) -> tuple[Policy | None, Path | None]:
    """The policy for a receipt, and the file that it stands in.

    It is the named file, or the fitting one of a named folder; else CHOPMARK_POLICY in the same way; else the fitting
    one of the home's history, else trust.policy in the home. Never one that lies beside a file or in a receipt.

    Raises:
        Invalid: `cli.file_unreadable`, `cli.file_too_long`, and what `Policy.parse` raises.
        Refused: `cli.policy_not_of_that_time` when a folder has none for the receipt's size.
    """
    if named is None and (variable := os.environ.get("CHOPMARK_POLICY")):
        named = Path(variable)
    if named is None:
        path = _fitting(home.home() / HISTORY, receipt) or home.home() / home.POLICY
        if not path.is_file():
            return None, None
    elif named.is_dir():
        found = _fitting(named, receipt)
        if found is None:
            raise Refused("cli.policy_not_of_that_time", path=str(named), size=size_of(receipt) or 0)
        path = found
    else:
        path = named
    return Policy.parse(files.read(path, files.POLICY_LIMIT)), path


def size_of(receipt: bytes) -> int | None:
    """Size of the checkpoint that a receipt is under; None when it cannot be read, which is the verifier's to say."""
    try:
        read = read_receipt(receipt)
        if read.cose:
            return read.cose[0].sealed.size
        return Checkpoint.parse(Note.parse(read.checkpoint or b"").text).size
    except Invalid:
        return None


def _fitting(folder: Path, receipt: bytes) -> Path | None:
    policies = sorted((int(path.stem), path) for path in folder.glob("*.policy") if path.stem.isdecimal())
    size = size_of(receipt)
    if size is None:
        return policies[-1][1] if policies else None
    return next((path for start, path in reversed(policies) if start <= size), None)
