"""This person's own signing keys: files in `$CHOPMARK_HOME/keys/own`, never sent anywhere.

{"name": "studio laptop", "made_at": "2026-11-22T09:30:00Z", "registered": ["home"], "seed": "<64 hex>"}
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from chopmark.base.clock import to_text
from chopmark.base.errors import Invalid, Refused
from chopmark.cli.files import read
from chopmark.cli.home import own_keys
from chopmark.ledger.cose import IssuerKey

FILE_LIMIT = 1 << 16  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnKey:
    """One key.

    Attributes:
        registered: names of the doors where an organisation has made it its own.
    """

    name: str
    made_at: str
    registered: tuple[str, ...]
    key: IssuerKey = field(repr=False)

    @property
    def thumbprint(self) -> str:
        """RFC 9679 thumbprint, 64 hexadecimal digits."""
        return self.key.public.thumbprint.hex()

    @property
    def path(self) -> Path:
        """Where it is kept."""
        return own_keys() / f"{self.thumbprint}.key"


def new(name: str, at: datetime) -> OwnKey:
    """Make and keep a new key."""
    own = OwnKey(name=name, made_at=to_text(at), registered=(), key=IssuerKey.generate())
    own_keys().mkdir(mode=0o700, parents=True, exist_ok=True)
    _save(own)
    return own


def all_keys() -> list[OwnKey]:
    """Every key kept here, oldest first.

    Raises:
        Invalid: `cli.key_malformed`.
    """
    folder = own_keys()
    found = [_load(path) for path in sorted(folder.glob("*.key"))] if folder.is_dir() else []
    return sorted(found, key=lambda own: (own.made_at, own.thumbprint))


def find(start: str) -> OwnKey:
    """The key whose thumbprint begins so.

    Raises:
        Refused: `cli.key_missing` when none or several do.
    """
    found = [own for own in all_keys() if own.thumbprint.startswith(start.lower())]
    if len(found) != 1:
        raise Refused("cli.key_missing", thumbprint=start, count=len(found))
    return found[0]


def registered_at(door: str) -> OwnKey | None:
    """The newest key registered there, if any."""
    return next((own for own in reversed(all_keys()) if door in own.registered), None)


def remember(own: OwnKey, door: str) -> OwnKey:
    """Note that a key is registered at a door."""
    known = replace(own, registered=tuple(sorted({*own.registered, door})))
    _save(known)
    return known


def _save(own: OwnKey) -> None:
    table = {
        "name": own.name,
        "made_at": own.made_at,
        "registered": list(own.registered),
        "seed": own.key.seed.hex(),
    }
    draft = own.path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(table, file)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(own.path)


def _load(path: Path) -> OwnKey:
    try:
        table = json.loads(read(path, FILE_LIMIT))
        own = OwnKey(
            name=str(table["name"]),
            made_at=str(table["made_at"]),
            registered=tuple(map(str, table["registered"])),
            key=IssuerKey.from_seed(bytes.fromhex(table["seed"])),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise Invalid("cli.key_malformed", path=str(path)) from error
    if own.path.name != path.name:
        raise Invalid("cli.key_malformed", path=str(path))
    return own
