"""The public keys of signers of entries that a member has learnt: COSE_Keys, each a file named by its thumbprint.

A key is learnt from anywhere, because its name proves it: the thumbprint is the digest of its bytes. Whether its
owner may sign is the platform's rule and no question of trust in the key. A key that could not be had is asked for
again only after some minutes; and after an answer that was long in coming and was none, nobody is asked at all for as
long, so that a platform that lets others wait cannot hold up a monitor entry by entry.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

from chopmark.base.errors import Invalid, Unavailable
from chopmark.ledger.cose import PublicKey
from chopmark.ledger.stores import Objects
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.stores.memory import MemoryObjects
from chopmark.member.settings import LogSettings

AGAIN = 300.0
"""Seconds until a key that could not be had is asked for again."""
LONG = 2.0
"""Seconds that are long for a key that then is none."""
MOST_ASKED = 10_000
MAX_KEY = 4096
"""Bytes of a COSE_Key."""
KEY_PATIENCE = 10.0
"""Seconds for one."""

Fetch = Callable[[str], bytes]


class KnownKeys:
    """The keys in one folder; threads may share it.

    Args:
        folder: made when missing; None keeps them in memory.
        fetch: hexadecimal thumbprint to the bytes of a COSE_Key; raises `Unavailable`. None asks nobody.
    """

    def __init__(self, folder: Path | None, fetch: Fetch | None) -> None:
        self._objects: Objects = (
            MemoryObjects(replaceable=()) if folder is None else FileObjects(folder, replaceable=())
        )
        self._fetch = fetch
        self._lock = threading.Lock()
        self._asked: dict[bytes, float] = {}
        self._rests_until = 0.0
        self._keys: dict[bytes, PublicKey] = {}

    def kept(self, kid: bytes) -> PublicKey | None:
        """The key with this thumbprint if it has been learnt."""
        with self._lock:
            if kid in self._keys:
                return self._keys[kid]
        try:
            key = PublicKey.from_cose(self._objects.get(kid.hex()))
        except Unavailable:
            return None
        return self._remember(key) if key.thumbprint == kid else None

    def key_of(self, kid: bytes) -> PublicKey | None:
        """The key with this thumbprint, asked for where it is not yet known; None when it cannot be had now."""
        if (key := self.kept(kid)) is not None or self._fetch is None:
            return key
        moment = time.monotonic()
        with self._lock:
            if moment < self._rests_until or moment - self._asked.get(kid, -AGAIN) < AGAIN:
                return None
            if len(self._asked) >= MOST_ASKED:
                self._asked.clear()
            self._asked[kid] = moment
        try:
            key = PublicKey.from_cose(self._fetch(kid.hex()))
        except (Invalid, Unavailable):
            if (now := time.monotonic()) - moment > LONG:
                self._rests_until = now + AGAIN
            return None
        if key.thumbprint != kid:
            return None
        self._objects.put({kid.hex(): key.to_cose()})
        return self._remember(key)

    def _remember(self, key: PublicKey) -> PublicKey:
        with self._lock:
            self._keys[key.thumbprint] = key
        return key


def key_fetcher(logs: tuple[LogSettings, ...]) -> Fetch | None:
    """Asks the platforms of these logs for a signer's key, one after the other; None when none is named."""
    platforms = list(dict.fromkeys(log.platform for log in logs if log.platform is not None))
    if not platforms:
        return None

    def fetch(kid: str) -> bytes:
        from chopmark.member.fetch import Fetcher  # noqa: PLC0415 (as above)

        for platform in platforms:
            try:
                with Fetcher(platform, limit=MAX_KEY, patience=KEY_PATIENCE) as fetcher:
                    return fetcher(f"keys/{kid}")
            except (Unavailable, Invalid):
                continue
        raise Unavailable("member.not_there", address=f"keys/{kid}")

    return fetch
