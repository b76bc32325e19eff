"""What the cases room needs of the platform's home: the key that signs calls to desks, and the platform's card.

keys/node     Ed25519 signing key of the platform as a node (type 0x01); made with the first desk
"""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

from chopmark.base.errors import Invalid, Unavailable
from chopmark.desk.wire import PlatformCard
from chopmark.evidence import wiring
from chopmark.ledger.keys import ED25519, SigningKey

NODE_KEY = Path("keys") / "node"
CALLBACK = "/api/v1/desk-events"


def node_key() -> SigningKey:
    """The key that signs calls to desks.

    Raises:
        Unavailable: `cases.node_key_missing` while no desk was adopted.
        Invalid: what `SigningKey.parse` raises.
    """
    return _node_key(str(wiring.home() / NODE_KEY))


@lru_cache(maxsize=2)
def _node_key(place: str) -> SigningKey:
    try:
        key = SigningKey.parse(Path(place).read_text("ascii").strip())
    except FileNotFoundError as error:
        raise Unavailable("cases.node_key_missing") from error
    if key.type != ED25519:
        raise Invalid("ledger.key_type_unknown", type=key.type)
    return key


def make_node_key(home: Path, origin: str) -> SigningKey:
    """The key, made when there is none yet; whoever has it can file in the platform's name."""
    path = home / NODE_KEY
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = SigningKey.generate(f"{origin}/node", ED25519)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except FileExistsError:
        return _node_key(str(path))
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(key.text() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def platform_card(title: str = "Chopmark") -> PlatformCard:
    """What a desk's operator adopts.

    Raises:
        Unavailable: `cases.node_key_missing`.
    """
    return PlatformCard(
        form="chopmark-platform-1",
        origin=wiring.origin(),
        title=title,
        callback=f"{wiring.base_url()}{CALLBACK}",
        node=str(node_key().verifier),
    )
