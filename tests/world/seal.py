"""A seal and what stands around it, in memory or in a folder of the test's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from chopmark.evidence.sealing import Seal, make_seal
from chopmark.ledger.timestamp import accept, request
from world.tsa import AT, TsaWorld


@dataclass
class WorldStamper:
    """A stamper that asks an authority in memory."""

    tsa: TsaWorld = field(default_factory=TsaWorld)
    name: str = "own"
    own: bool = True

    def token(self, sha256: bytes) -> bytes:
        from chopmark.ledger.tsa import answer  # noqa: PLC0415 (beside its one use)

        asked = request(sha256, nonce=7)
        return accept(answer(asked.encode(), self.tsa.signer), asked)


def seal_in(folder: Path, *, organisation: str = "Seal Test", stamped: bool = True) -> Seal:
    """A seal made ten days before the authority's time, used at that time."""
    made = make_seal(folder, organisation, AT - timedelta(days=10))
    return Seal.load(made, [WorldStamper()] if stamped else [], lambda: AT)
