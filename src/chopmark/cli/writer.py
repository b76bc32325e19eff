"""The one writer of a home's log, put together: its files, its journal, its database, its private keys, its members."""

from __future__ import annotations

from pathlib import Path

from chopmark.base import clock
from chopmark.base.errors import Refused, Unavailable
from chopmark.evidence import wiring
from chopmark.evidence.actions import settle, take_force
from chopmark.ledger.checkpoint import Checkpoint
from chopmark.ledger.consortium import Consortium, Gathered, MemberState
from chopmark.ledger.keys import SigningKey
from chopmark.ledger.log import Log
from chopmark.ledger.stores.files import FileJournal
from chopmark.member.client import HttpLink

KEY_FILES = ("log.ed25519", "log.mldsa44")


def open_log() -> Log:
    """The log of the home that Django's settings name, under the quorum of its consortium if it has one.

    Raises:
        Unavailable: `cli.log_keys_missing` before `chopmark init`.
        Refused: `cli.log_keys_open` when others on this machine can read one.
        Invalid: a key file is damaged, or its key is not this log's.
    """
    folder = wiring.home()
    take_force()  # what a crash has kept from it
    return Log(
        wiring.origin(),
        wiring.objects(),
        FileJournal(folder / "journal"),
        wiring.book(on_settled=settle),
        [log_key(folder / "keys" / name) for name in KEY_FILES],
        clock.now,
        PresentConsortium(),
    )


class PresentConsortium:
    """Cosigners as the home's policy and cards say at each call: a decision of the consortium needs no new start."""

    def __init__(self) -> None:
        self._seen: object = None
        self._links: list[HttpLink] = []
        self._inner: Consortium | None = None

    def gather(self, signed: bytes, checkpoint: Checkpoint) -> Gathered:
        """See `Cosigners.gather`; without a consortium the log's own signatures are enough."""
        inner = self._present()
        return Gathered(note=signed) if inner is None else inner.gather(signed, checkpoint)

    def follow(self, signed: bytes, checkpoint: Checkpoint) -> None:
        """See `Cosigners.follow`."""
        inner = self._present()
        if inner is not None:
            inner.follow(signed, checkpoint)

    def states(self) -> tuple[MemberState, ...]:
        """See `Cosigners.states`."""
        return () if self._inner is None else self._inner.states()

    def close(self) -> None:
        """See `Cosigners.close`."""
        if self._inner is not None:
            self._inner.close()
        for link in self._links:
            link.close()
        self._seen, self._inner, self._links = None, None, []

    def _present(self) -> Consortium | None:
        policy = wiring.consortium_policy()
        seen = None if policy is None else (policy, *_versions(wiring.consortium() / "members"))
        if seen != self._seen:
            self.close()
            if policy is not None:
                cards = wiring.cards()
                self._links = [HttpLink(card.name, card.url) for card in cards if card.url is not None]
                self._inner = Consortium(policy, cards, self._links, wiring.objects(), clock.now)
            self._seen = seen
        return self._inner


def _versions(folder: Path) -> list[tuple[str, int, int]]:
    """What changes when a file is replaced, added or removed."""
    return sorted((path.name, path.stat().st_mtime_ns, path.stat().st_ino) for path in folder.glob("*.json"))


def log_key(path: Path) -> SigningKey:
    """The private key in a file of this home.

    Raises:
        Unavailable: `cli.log_keys_missing`.
        Refused: `cli.log_keys_open`.
        Invalid: the file is damaged.
    """
    if not path.is_file():
        raise Unavailable("cli.log_keys_missing", path=str(path))
    if path.stat().st_mode & 0o077:
        raise Refused("cli.log_keys_open", path=str(path))
    return SigningKey.parse(path.read_text("ascii").strip())
