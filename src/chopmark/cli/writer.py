"""The one writer of a home's log, put together: its files, its journal, its database and its private keys."""

from __future__ import annotations

from pathlib import Path

from chopmark.base import clock
from chopmark.base.errors import Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.actions import settle
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.log import Log
from chopmark.ledger.stores.files import FileJournal

KEY_FILES = ("log.ed25519", "log.mldsa44")


def open_log() -> Log:
    """The log of the home that Django's settings name.

    Raises:
        Unavailable: `cli.log_keys_missing` before `chopmark init`.
        Refused: `cli.log_keys_open` when others on this machine can read one.
        Invalid: a key file is damaged, or its key is not this log's.
    """
    folder = wiring.home()
    return Log(
        wiring.origin(),
        wiring.objects(),
        FileJournal(folder / "journal"),
        wiring.book(on_settled=settle),
        [_key(folder / "keys" / name) for name in KEY_FILES],
        clock.now,
    )


def _key(path: Path) -> SigningKey:
    if not path.is_file():
        raise Unavailable("cli.log_keys_missing", path=str(path))
    if path.stat().st_mode & 0o077:
        raise Refused("cli.log_keys_open", path=str(path))
    return SigningKey.parse(path.read_text("ascii").strip())
