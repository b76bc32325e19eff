"""Which key files a member has, and how a secret file is read. What stands in them is known to `keys` and `pkcs11`."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.card import MIRROR, NODE, WITNESS
from chopmark.ledger.keys import ED25519, ED25519_COSIGNATURE, MLDSA44_COSIGNATURE

ROLES: Mapping[str, tuple[str, int]] = {
    "witness-ed25519": (WITNESS, ED25519_COSIGNATURE),
    "witness-mldsa44": (WITNESS, MLDSA44_COSIGNATURE),
    "mirror-ed25519": (MIRROR, ED25519_COSIGNATURE),
    "mirror-mldsa44": (MIRROR, MLDSA44_COSIGNATURE),
    "node": (NODE, ED25519),
}
TOKEN = "chopmark-token-key-1"  # noqa: S105 (the name of a form)
_MAX_FILE = 64 * 1024


def key_name(identity: str, role: str) -> str:
    """The name that a key signs under: `court-hangzhou.example/mirror`."""
    return f"{identity}/{role}"


def read_secret(path: Path) -> str:
    """The text of a file that its owner alone can read.

    Raises:
        Refused: `member.key_missing`, `member.key_open`.
        Invalid: `member.key_malformed` when it is no short text.
    """
    try:
        with path.open("rb") as file:
            about = os.fstat(file.fileno())
            if not stat.S_ISREG(about.st_mode) or about.st_mode & 0o077:
                raise Refused("member.key_open", path=str(path))
            data = file.read(_MAX_FILE + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refused("member.key_missing", path=str(path)) from error
    except PermissionError as error:
        raise Refused("member.key_unreadable", path=str(path)) from error
    try:
        text = data.decode()
    except ValueError as error:
        raise Invalid("member.key_malformed", path=str(path)) from error
    if len(data) > _MAX_FILE:
        raise Invalid("member.key_malformed", path=str(path))
    return text
