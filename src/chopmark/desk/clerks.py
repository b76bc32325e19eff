"""Clerks: who may decide at a desk. Passwords through scrypt (RFC 7914), sessions, and what slows guessing down.

A name that does not exist takes as long as a wrong password and is answered alike, also when it is locked. Five wrong
passwords within a quarter of an hour lock the name, twenty from one address lock the address. A session ends after a
working day, or after an hour without a call.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import threading
from dataclasses import dataclass
from datetime import datetime

from chopmark.base.clock import to_text
from chopmark.base.errors import Invalid, Refused
from chopmark.desk.store import Store

COST = 1 << 14
"""scrypt's n; with r = 8 and p = 1 a try takes 16 MiB and about 50 ms."""
LEAST, MOST = 10, 256  # characters of a password
WRONG_TRIES, ADDRESS_TRIES = 5, 20
LOCK = 900.0  # seconds
SESSION, IDLE = 10 * 3600.0, 3600.0  # seconds
_NAME = re.compile(r"[a-z][a-z0-9._-]{1,31}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A clerk who is signed in.

    Attributes:
        csrf: every form of the session carries it.
    """

    clerk: str
    csrf: str


class Clerks:
    """The clerks of one desk.

    Args:
        store: the desk's.
        cost: scrypt's n for new passwords.
    """

    def __init__(self, store: Store, cost: int = COST) -> None:
        self._store = store
        self._cost = cost
        self._busy = threading.BoundedSemaphore(2)  # memory for two tries at a time

    def add(self, name: str, password: str, at: datetime) -> None:
        """A new clerk, or a known one's new password; sessions of the old one end.

        Raises:
            Invalid: `desk.clerk_name_malformed`, `desk.password_unfit`.
        """
        if _NAME.fullmatch(name) is None:
            raise Invalid("desk.clerk_name_malformed", name=name[:32])
        if not LEAST <= len(password) <= MOST or not password.isprintable():
            raise Invalid("desk.password_unfit", least=LEAST, most=MOST)
        salt = secrets.token_bytes(16)
        derived = self._derive(password, salt, self._cost)
        with self._store.change():
            self._store.run("DELETE FROM session WHERE clerk = ?", name)
            self._store.run("DELETE FROM guess WHERE address = ?", _named(name))
            self._store.run(
                "INSERT INTO clerk (name, salt, hash, cost, made_at) VALUES (?, ?, ?, ?, ?) ON CONFLICT (name) "
                "DO UPDATE SET salt = excluded.salt, hash = excluded.hash, cost = excluded.cost",
                name,
                salt,
                derived,
                self._cost,
                to_text(at),
            )

    def remove(self, name: str) -> None:
        """The clerk signs in no more.

        Raises:
            Refused: `desk.clerk_unknown`.
        """
        with self._store.change():
            self._store.run("DELETE FROM session WHERE clerk = ?", name)
            if not self._store.run("DELETE FROM clerk WHERE name = ?", name):
                raise Refused("desk.clerk_unknown", name=name[:32])

    def names(self) -> tuple[str, ...]:
        """All of them."""
        return tuple(str(row["name"]) for row in self._store.all("SELECT name FROM clerk ORDER BY name"))

    def sign_in(self, name: str, password: str, address: str, now: float) -> str:
        """The token of a new session.

        Args:
            address: of the caller.
            now: seconds since 1970.

        Raises:
            Refused: `desk.sign_in_locked` after too many wrong passwords; `desk.sign_in_wrong`.
        """
        if self._wrong(_named(name), now) >= WRONG_TRIES or self._wrong(address, now) >= ADDRESS_TRIES:
            raise Refused("desk.sign_in_locked", minutes=int(LOCK // 60))
        row = self._store.one("SELECT * FROM clerk WHERE name = ?", name)
        salt, wanted, cost = (row["salt"], row["hash"], row["cost"]) if row is not None else (b"", b"", self._cost)
        right = hmac.compare_digest(self._derive(password[:MOST], salt, cost), wanted)
        if row is None or not right:
            self._note_wrong(name, address, now)
            raise Refused("desk.sign_in_wrong")
        token = secrets.token_urlsafe(32)
        session = {"clerk": name, "csrf": secrets.token_urlsafe(32), "made": now, "seen": now}
        with self._store.change():
            self._store.run("DELETE FROM guess WHERE address = ?", _named(name))
            self._store.run("DELETE FROM session WHERE made < ? OR seen < ?", now - SESSION, now - IDLE)
            self._store.insert("session", {"token": _digest(token), **session})
        return token

    def session(self, token: str, now: float) -> Session | None:
        """The session of a token; None when there is none or it has ended."""
        row = self._store.one("SELECT * FROM session WHERE token = ?", _digest(token))
        if row is None or row["made"] < now - SESSION or row["seen"] < now - IDLE:
            return None
        if row["seen"] < now - 60:
            self._store.run("UPDATE session SET seen = ? WHERE token = ?", now, _digest(token))
        return Session(clerk=row["clerk"], csrf=row["csrf"])

    def sign_out(self, token: str) -> None:
        """End a session."""
        self._store.run("DELETE FROM session WHERE token = ?", _digest(token))

    def _note_wrong(self, name: str, address: str, now: float) -> None:
        with self._store.change():
            self._store.run("DELETE FROM guess WHERE at < ?", now - LOCK)
            for whose in (address, _named(name)):
                self._store.insert("guess", {"address": whose, "at": now})

    def _wrong(self, whose: str, now: float) -> int:
        row = self._store.one("SELECT count(*) AS n FROM guess WHERE address = ? AND at > ?", whose, now - LOCK)
        return int(row["n"]) if row is not None else 0

    def _derive(self, password: str, salt: bytes, cost: int) -> bytes:
        with self._busy:
            secret = password.encode("utf-8", "replace")
            return hashlib.scrypt(secret, salt=salt, n=cost, r=8, p=1, maxmem=1 << 28, dklen=32)


def _named(name: str) -> str:
    """How wrong passwords of a name are counted, whether there is such a clerk or not; no address looks so."""
    return f"name {_digest(name).hex()}"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
