"""A member's home and what stands in its `member.toml`.

    member.toml      name, kind, titles, listen, url, logs          keys/      private keys, 0600
    card.json        the public card                                state/     per log: the pending checkpoint
    policies/        per log: the tlog-policy that its checkpoints must meet
    mirror/          per log: tiles, entries, checkpoint            alarms/    one file each, never overwritten
    seals/           roots sealed for COSE Receipts                 known/     COSE_Keys that were learnt
    index.db         search by digest; may be deleted               lock       held by the running node
    keys/next/       the next keys, while they are exchanged        rotation.json  what the consortium adopts then

A log's folders are named by the SHA-256 of its origin in hexadecimal, as in the node's addresses.
Keys, state and mirror belong together: state that is older than what was signed must never be brought back.
"""

from __future__ import annotations

import fcntl
import ipaddress
import json
import os
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from chopmark.base.errors import Invalid, Refused
from chopmark.ledger.card import Card
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, VerifierKey, is_key_name
from chopmark.ledger.policy import Policy
from chopmark.ledger.wire import origin_hash

CONFIG = "member.toml"
CARD = "card.json"
INTERVAL = 30.0  # seconds between two rounds of watching a log
_MAX_CONFIG = 1 << 20
_LISTEN = re.compile(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})")
_ADDRESS = re.compile(r"https?://[!-~]{1,500}(?<!/)")
_FIELDS = {"name", "kind", "zh", "en", "id", "listen", "url", "interval", "log"}
_LOG_FIELDS = {"origin", "keys", "url", "platform", "relay", "statements"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LogSettings:
    """A log that the node witnesses and mirrors.

    Attributes:
        origin: the log's name.
        keys: its public keys, retired ones too; their name is the origin.
        url: where its checkpoint and tiles are published, without a slash at the end.
        platform: where keys of its entries' signers are asked for; None when they are not checked.
        relay: where requests for a node that opens no port are fetched (see `relay`); None when others call it.
        statements: whether its entries are signed statements; not for a log of another kind.
    """

    origin: str
    keys: tuple[VerifierKey, ...]
    url: str
    platform: str | None = None
    relay: str | None = None
    statements: bool = True

    def __post_init__(self) -> None:
        right = bool(self.keys) and all(
            key.name == self.origin and key.type in (ED25519, MLDSA44_COSIGNATURE) for key in self.keys
        )
        right = right and len({key.public for key in self.keys}) == len(self.keys)
        right = right and all(_ADDRESS.fullmatch(each) for each in (self.url, self.platform, self.relay) if each)
        if not right:
            raise Invalid("member.log_malformed", origin=self.origin)

    @property
    def hash(self) -> str:
        """Its name in folders and addresses."""
        return origin_hash(self.origin)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an institution has decided about its node.

    Attributes:
        name: short name in policies and pages.
        kind: court, notary, customs, ...
        zh, en: the institution's name.
        id: begins the names of the node's keys, like a host: `court-hangzhou.example`.
        host: address that the node listens on; of this machine alone where there is no `url`.
        port: its port; 0 takes any free one.
        url: how others reach it, its submission prefix; None when it opens no port to anybody.
        interval: seconds between two rounds of watching.
        logs: the logs that it holds.
    """

    name: str
    kind: str
    zh: str
    en: str
    id: str
    host: str
    port: int
    url: str | None
    interval: float = INTERVAL
    logs: tuple[LogSettings, ...] = ()

    def __post_init__(self) -> None:
        right = is_key_name(f"{self.id}/witness") and 0 <= self.port <= 65_535 and 0.05 <= self.interval <= 86_400
        right = right and (self.url is None or bool(_ADDRESS.fullmatch(self.url)))
        if not right or len({log.origin for log in self.logs}) != len(self.logs):
            raise Invalid("member.config_malformed", path=CONFIG)
        if self.url is None and not _is_loopback(self.host):
            raise Invalid("member.listen_open", host=self.host)

    def encode(self) -> bytes:
        """The file `member.toml`."""
        listen = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        lines = [
            "# What this node is and which logs it holds. Written by `chopmark member`; change it while it is stopped.",
            *_table(name=self.name, kind=self.kind, zh=self.zh, en=self.en, id=self.id, listen=listen, url=self.url),
            f"interval = {self.interval:g}",
        ]
        for log in self.logs:
            keys = [str(key) for key in log.keys]
            lines += ["", "[[log]]", *_table(origin=log.origin, keys=keys, url=log.url, platform=log.platform)]
            lines += _table(relay=log.relay)
            lines += [] if log.statements else ["statements = false"]
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> Settings:
        """Read `member.toml`; a name that is not known is an error, not a wish.

        Raises:
            Invalid: `member.config_malformed`, `member.listen_open`, `member.log_malformed`, and what
                `VerifierKey.parse` raises.
        """
        try:
            table = _only(tomllib.loads(data.decode()), _FIELDS)
            host, port = parse_listen(_text(table, "listen"))
            return cls(
                name=_text(table, "name"),
                kind=_text(table, "kind"),
                zh=_text(table, "zh"),
                en=_text(table, "en"),
                id=_text(table, "id"),
                host=host,
                port=port,
                url=_text(table, "url") if "url" in table else None,
                interval=float(table.get("interval", INTERVAL)),
                logs=tuple(_log(each) for each in table.get("log", [])),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Invalid("member.config_malformed", path=CONFIG) from error

    def with_log(self, log: LogSettings) -> Settings:
        """The same with a log more, or with a known one's address changed and keys added; no key is ever dropped."""
        known = next((each for each in self.logs if each.origin == log.origin), None)
        if known is None:
            return replace(self, logs=(*self.logs, log))
        keys = (*known.keys, *(key for key in log.keys if key not in known.keys))
        joined = replace(log, keys=keys, platform=log.platform or known.platform, relay=log.relay or known.relay)
        return replace(self, logs=tuple(joined if each is known else each for each in self.logs))


def parse_listen(text: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:8101` or `[::1]:8101`.

    Raises:
        Invalid: `member.listen_malformed`.
    """
    found = _LISTEN.fullmatch(text)
    if found is None or int(found[2]) > 65_535:
        raise Invalid("member.listen_malformed", listen=text[:80])
    return found[1].strip("[]"), int(found[2])


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _log(table: dict[str, Any]) -> LogSettings:
    _only(table, _LOG_FIELDS)
    statements = table.get("statements", True)
    if not isinstance(statements, bool):
        raise TypeError("statements")
    return LogSettings(
        origin=_text(table, "origin"),
        keys=tuple(VerifierKey.parse(key) for key in table["keys"]),
        url=_text(table, "url"),
        platform=_text(table, "platform") if "platform" in table else None,
        relay=_text(table, "relay") if "relay" in table else None,
        statements=statements,
    )


def _only(table: dict[str, Any], names: set[str]) -> dict[str, Any]:
    if not set(table) <= names:
        raise ValueError
    return table


def _text(table: dict[str, Any], name: str) -> str:
    value = table[name]
    if not isinstance(value, str):
        raise TypeError(name)
    return value


def _table(**values: str | list[str] | None) -> list[str]:
    """Lines of TOML; a JSON string of printable characters is a TOML string."""
    return [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items() if value is not None]


class MemberHome:
    """The places in one member's home.

    Args:
        root: the folder; it may not exist yet.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()
        self.keys = self.root / "keys"
        self.next_keys = self.keys / "next"
        self.rotation = self.root / "rotation.json"
        self.alarms = self.root / "alarms"
        self.known = self.root / "known"
        self.card = self.root / CARD
        self.config = self.root / CONFIG
        self.index = self.root / "index.db"
        self.lock = self.root / "lock"

    def state(self, origin: str) -> Path:
        """Folder of the pending checkpoint of a log."""
        return self.root / "state" / origin_hash(origin)

    def mirror(self, origin: str) -> Path:
        """Folder of the copy of a log."""
        return self.root / "mirror" / origin_hash(origin)

    def seals(self, origin: str) -> Path:
        """Folder of the roots sealed for a log."""
        return self.root / "seals" / origin_hash(origin)

    def policy_file(self, origin: str) -> Path:
        """The tlog-policy of a log; it may not exist."""
        return self.root / "policies" / f"{origin_hash(origin)}.policy"

    def policy(self, origin: str) -> Policy | None:
        """The tlog-policy that checkpoints of a log must meet; None when none was given.

        Raises:
            Invalid: what `Policy.parse` raises.
        """
        path = self.policy_file(origin)
        return Policy.parse(path.read_bytes()) if path.is_file() else None

    def settings(self) -> Settings:
        """Read `member.toml`.

        Raises:
            Refused: `member.home_missing`.
            Invalid: as `Settings.parse`.
        """
        try:
            data = self.config.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Refused("member.home_missing", home=str(self.root)) from error
        if len(data) > _MAX_CONFIG:
            raise Invalid("member.config_malformed", path=str(self.config))
        return Settings.parse(data)

    def read_card(self) -> Card:
        """The card of this home.

        Raises:
            Refused: `member.home_missing`.
            Invalid: `ledger.card_malformed`.
        """
        try:
            return Card.parse(self.card.read_bytes())
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Refused("member.home_missing", home=str(self.root)) from error

    def write(self, path: Path, data: bytes, *, mode: int = 0o644) -> None:
        """Put a file of this home in place whole and durable."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.new")
        draft.unlink(missing_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def held(home: MemberHome) -> Iterator[None]:
    """Hold a home while inside; the end of the process gives it back too.

    Raises:
        Refused: `member.home_missing`; `member.running` when another process holds it.
    """
    try:
        descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refused("member.home_missing", home=str(home.root)) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("member.running", home=str(home.root)) from error
        yield
    finally:
        os.close(descriptor)
