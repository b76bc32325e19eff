"""What the watch room needs of the platform's home.

keys/watch                      32-byte secret in hexadecimal: audit samples and the keys of measures come of it
watch/marks/marks-<version>.*   sets of marks (`watch.marks`), the newest in use
watch/picture-sets/pictures-<v>.*  sets of protected pictures (`watch.pictures`), `current.json` names the one in use
watch/pictures/cache/           what pictures of listings look like, and those with a hit (`watch.shelf.Cache`)
watch/scans/<number>/           results and manifest of a scan (`watch.engine`)
watch/cards/<organisation>.json  score cards that were learned (`watch.score.Learned`)
watch/hand, watch/hand-<slot>   ids of the inbox that a worker has in hand, so that what kills it is found
"""

from __future__ import annotations

import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path
from uuid import UUID

from chopmark.evidence import wiring

SECRET = Path("keys") / "watch"


def folder(name: str) -> Path:
    """A folder of this room in the home, made when there is none."""
    path = wiring.home() / "watch" / name
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def hand(slot: int = 0) -> Path:
    """Where a worker notes what it has in hand; those that help the first one have slots from one on."""
    return folder(".") / (f"hand-{slot}" if slot else "hand")


def audit_key() -> bytes:
    """Decides what goes to audit."""
    return hmac.digest(_secret(str(wiring.home() / SECRET)), b"chopmark watch audit", "sha256")


def golden_key() -> bytes:
    """Decides which cards of a queue are golden ones."""
    return hmac.digest(_secret(str(wiring.home() / SECRET)), b"chopmark watch golden", "sha256")


def measure_key(marketplace: UUID) -> str:
    """The key with which measures to a marketplace are signed, as text; it gets its own once, from its page."""
    return hmac.digest(
        _secret(str(wiring.home() / SECRET)), b"chopmark watch measures " + marketplace.bytes, "sha256"
    ).hex()


@lru_cache(maxsize=4)
def _secret(place: str) -> bytes:
    """Made when there is none yet; read once a process."""
    path = Path(place)
    if not path.is_file():
        _make_secret(path)
    return bytes.fromhex(path.read_text("ascii").strip())


def _make_secret(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(32) + "\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:  # another process was first: its key counts
        pass
    finally:
        draft.unlink()
