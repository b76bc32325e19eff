"""The two ways a command reaches a platform: the actions of this machine's home, or a server's API.

Both take the same wishes and give the same answers, so commands do not know which one they use.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from chopmark.base.digests import Digests
from chopmark.base.errors import PlatformError
from chopmark.evidence.receipt import ALL


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One file to deposit.

    Attributes:
        keep: leave the file itself with the platform.
    """

    path: Path
    digests: Digests
    kind: str
    title: str
    author: str
    media_type: str
    private: bool
    keep: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A deposit as the platform answers it.

    Attributes:
        created: False when it had been made before.
        position: on the ledger, None while pending.
    """

    id: str
    number: str
    position: int | None
    created: bool

    @property
    def state(self) -> str:
        """`pending` or `published`."""
        return "pending" if self.position is None else "published"


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """A receipt in both formats."""

    tlog_proof: bytes
    cose: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """Why nothing is published now: too few members of the consortium sign.

    Attributes:
        since: moment, as text.
        missing: names of the members that have not signed what waits.
    """

    since: str
    missing: tuple[str, ...]


class Door(Protocol):
    """A platform, as commands see it."""

    @property
    def name(self) -> str:
        """The server's address, or `home`; own keys remember where they are registered by it."""

    @property
    def organisation(self) -> str:
        """Public id of the organisation this door acts for."""

    def deposit(self, wishes: Sequence[Wish], sent: Callable[[int], None]) -> list[Made | PlatformError]:
        """Make the deposits; `sent` is told the bytes of kept files that arrived."""

    def wait(self, made: Sequence[Made], seconds: float) -> list[Made]:
        """The same deposits, published if that happens in time."""

    def waiting(self) -> Waiting | None:
        """What the platform waits for, if the quorum is missing."""

    def papers(self, deposit: str, signatures: str = ALL) -> Papers:
        """The receipt of a deposit, by id or short number, with these signatures; Unavailable while it is pending."""

    def certificate(self, deposit: str) -> bytes:
        """The certificate of a published deposit, by id or short number, as a PDF."""

    def register(self, key: bytes, name: str) -> None:
        """Make a public key (COSE_Key) the organisation's own."""
