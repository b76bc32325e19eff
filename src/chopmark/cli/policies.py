"""Which trust policy judges a receipt: the one named, or of several the one that was in force at its size.

A consortium changes: members come and go, keys are replaced. Each policy that was ever in force is kept in a folder as
`<from size>.policy`; a receipt under a checkpoint of n entries is judged by the one with the largest size up to n, or,
when that one asks for no quorum, by the first later one that does (`evidence.quorum.in_force` says why).
"""

from __future__ import annotations

import os
from pathlib import Path

from chopmark.base.errors import Refused
from chopmark.cli import files, home
from chopmark.evidence import quorum
from chopmark.evidence.receipt import size_of
from chopmark.ledger.policy import Policy

HISTORY = Path("consortium") / "history"


def policy_for(receipt: bytes, named: Path | None) -> tuple[Policy | None, Path | None]:
    """The policy for a receipt, and the file that it stands in.

    It is the named file, or the fitting one of a named folder; else CHOPMARK_POLICY in the same way; else the fitting
    one of the home's history, else trust.policy in the home. Never one that lies beside a file or in a receipt.
    Every file of a folder is read, since each may decide which of them fits.

    Raises:
        Invalid: `cli.file_unreadable`, `cli.file_too_long`, and what `Policy.parse` raises.
        Refused: `cli.policy_not_of_that_time` when a folder has none for the receipt's size.
    """
    if named is None and (variable := os.environ.get("CHOPMARK_POLICY")):
        named = Path(variable)
    if named is None:
        found = _fitting(home.home() / HISTORY, receipt)
        if found is not None:
            return found
        named = home.home() / home.POLICY
        if not named.is_file():
            return None, None
    elif named.is_dir():
        found = _fitting(named, receipt)
        if found is None:
            raise Refused("cli.policy_not_of_that_time", path=str(named), size=size_of(receipt) or 0)
        return found
    return _read(named), named


def _fitting(folder: Path, receipt: bytes) -> tuple[Policy, Path] | None:
    paths = {int(path.stem): path for path in folder.glob("*.policy") if path.stem.isdecimal()}
    policies = {start: _read(path) for start, path in paths.items()}
    start = quorum.in_force(policies, size_of(receipt))
    return None if start is None else (policies[start], paths[start])


def _read(path: Path) -> Policy:
    return Policy.parse(files.read(path, files.POLICY_LIMIT))
