"""Statements signed on this machine with one's own key: the platform then only publishes them."""

from __future__ import annotations

from uuid import uuid4

from chopmark.base import clock
from chopmark.cli.doors import Wish
from chopmark.cli.own_keys import OwnKey
from chopmark.evidence.deposit import Draft, prepare


def sign_wish(wish: Wish, own: OwnKey, *, issuer: str, policy: bytes) -> tuple[bytes, tuple[bytes, ...]]:
    """The statement of a wish and its encoded disclosures.

    Args:
        issuer: URI of the organisation where the key is registered.
        policy: id of the registration policy in force, 32 bytes.
    """
    prepared = prepare(
        Draft(
            digests=wish.digests,
            kind=wish.kind,
            title=wish.title,
            author=wish.author,
            file_name=wish.path.name,
            media_type=wish.media_type,
            private=wish.private,
        ),
        issuer=issuer,
        subject=f"urn:uuid:{uuid4()}",
        depositor="",
        agent=False,
        policy=policy,
        key=own.key,
        at=clock.now(),
    )
    return prepared.statement, tuple(each.encode() for each in prepared.disclosures)
