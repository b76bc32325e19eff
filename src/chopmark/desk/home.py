"""A desk's home and what stands in its `desk.toml`.

    desk.toml     name, kind, titles, profile, simulated, listen, url, tsa      card.json    the public card
    keys/node     signs calls and events; 0600                                  desk.db      cases, events, clerks
    seal/         a notary's seal (see evidence.sealing)                        lock         held by the running desk
    platforms/    <hash>.json: cards of platforms that may file here; <hash>.trust: whom the desk trusts for each
    bundles/      <sha-256>: bundles that came in or were signed here           incoming/    parts of those on their way

`<hash>` is the SHA-256 of the platform's log's origin in hexadecimal. What lies here is personal data of the parties.
"""

from __future__ import annotations

import fcntl
import json
import os
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from chopmark.base.errors import Invalid, Refused
from chopmark.desk import codec
from chopmark.desk.wire import DeskCard, Kind, PlatformCard
from chopmark.evidence.trust import Trust
from chopmark.law import court
from chopmark.ledger.keys import ED25519, SigningKey
from chopmark.ledger.wire import origin_hash
from chopmark.member.keyfiles import read_secret
from chopmark.member.settings import parse_listen

CONFIG = "desk.toml"
MAX_CONFIG = 1 << 20
_FIELDS = {"name", "kind", "zh", "en", "profile", "simulated", "listen", "url", "tsa"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an institution has decided about its desk.

    Attributes:
        profile: code of the court in `chopmark.law`; None for a notary.
        simulated: it only stands in for an institution.
        host, port: where it listens; port 0 takes any free one.
        url: how platforms and clerks reach it, without a slash at the end.
        tsa: addresses of time-stamp authorities (RFC 3161 over HTTP), asked for each of a notary's signatures.
    """

    name: str
    kind: Kind
    zh: str
    en: str
    profile: str | None
    simulated: bool
    host: str
    port: int
    url: str
    tsa: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """The file `desk.toml`."""
        listen = f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"
        told = {"name": self.name, "kind": self.kind, "zh": self.zh, "en": self.en, "profile": self.profile}
        told |= {"listen": listen, "url": self.url}
        lines = ["# What this desk is. Written by `chopmark desk init`; change it while it is stopped."]
        lines += [f"{name} = {json.dumps(text, ensure_ascii=False)}" for name, text in told.items() if text is not None]
        lines += [f"simulated = {str(self.simulated).lower()}", f"tsa = {json.dumps(list(self.tsa))}"]
        return ("\n".join(lines) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes) -> Settings:
        """Read `desk.toml`; a name that is not known is an error, not a wish.

        Raises:
            Invalid: `desk.config_malformed`; `member.listen_malformed`.
        """
        try:
            table = _known(tomllib.loads(data.decode()))
            host, port = parse_listen(str(table["listen"]))
            return cls(
                name=str(table["name"]),
                kind=table["kind"],
                zh=str(table["zh"]),
                en=str(table["en"]),
                profile=str(table["profile"]) if "profile" in table else None,
                simulated=bool(table["simulated"]),
                host=host,
                port=port,
                url=str(table["url"]),
                tsa=tuple(str(each) for each in table.get("tsa", ())),
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Invalid("desk.config_malformed", path=CONFIG) from error


def _known(table: dict[str, Any]) -> dict[str, Any]:
    if not set(table) <= _FIELDS or table["kind"] not in ("court", "notary"):
        raise ValueError
    return table


class DeskHome:
    """The places in one desk's home.

    Args:
        root: the folder; it may not exist yet.
    """

    def __init__(self, root: Path | str) -> None:
        self.root = Path(root).absolute()
        self.config = self.root / CONFIG
        self.card_file = self.root / "card.json"
        self.node_key = self.root / "keys" / "node"
        self.seal = self.root / "seal"
        self.database = self.root / "desk.db"
        self.platforms = self.root / "platforms"
        self.bundles = self.root / "bundles"
        self.incoming = self.root / "incoming"
        self.lock = self.root / "lock"

    def settings(self) -> Settings:
        """Read `desk.toml`.

        Raises:
            Refused: `desk.home_missing`.
            Invalid: as `Settings.parse`.
        """
        return Settings.parse(self._read(self.config))

    def card(self) -> DeskCard:
        """The card.

        Raises:
            Refused: `desk.home_missing`.
            Invalid: `desk.message_malformed`.
        """
        return codec.parse(DeskCard, self._read(self.card_file))

    def key(self) -> SigningKey:
        """The node key.

        Raises:
            Refused: what `read_secret` raises.
            Invalid: what `SigningKey.parse` raises.
        """
        return SigningKey.parse(read_secret(self.node_key).strip())

    def platform_cards(self) -> dict[str, PlatformCard]:
        """Origin to card of every platform that may file here.

        Raises:
            Invalid: `desk.message_malformed`.
        """
        cards = [codec.parse(PlatformCard, path.read_bytes()) for path in sorted(self.platforms.glob("*.json"))]
        return {card.origin: card for card in cards}

    def trust(self, origin: str) -> Trust | None:
        """Whom the desk trusts for bundles of this platform; None while nothing was given.

        Raises:
            Invalid: what `Trust.parse` raises.
        """
        path = self.platforms / f"{origin_hash(origin)}.trust"
        return Trust.parse(path.read_bytes()) if path.is_file() else None

    def adopt_platform(self, card: bytes, trust: bytes | None) -> PlatformCard:
        """Let a platform file here, or take its newer card; with whom the desk trusts for its bundles.

        Raises:
            Invalid: `desk.message_malformed`; what `Trust.parse` raises.
        """
        told = codec.parse(PlatformCard, card)
        if trust is not None:
            Trust.parse(trust)
            self.write(self.platforms / f"{origin_hash(told.origin)}.trust", trust)
        self.write(self.platforms / f"{origin_hash(told.origin)}.json", card)
        return told

    def write(self, path: Path, data: bytes, *, mode: int = 0o600) -> None:
        """Put a file of this home in place whole and durable."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        sync_folder(path.parent)

    def _read(self, path: Path) -> bytes:
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError) as error:
            raise Refused("desk.home_missing", home=str(self.root)) from error
        if len(data) > MAX_CONFIG:
            raise Invalid("desk.config_malformed", path=path.name)
        return data


def sync_folder(path: Path) -> None:
    """Make names in a folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def found_desk(home: DeskHome, settings: Settings, at: datetime) -> DeskCard:
    """Make the home of a new desk: node key, a notary's seal, card, settings (last); its card.

    Raises:
        Refused: `desk.home_taken`; `law.court_unknown`.
        Invalid: `desk.message_malformed`; what `make_seal` raises.
    """
    if home.config.exists() or home.node_key.exists():
        raise Refused("desk.home_taken", home=str(home.root))
    if settings.profile is not None:
        court(settings.profile)
    home.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    key = SigningKey.generate(f"{settings.name}.desk.invalid/node", ED25519)
    root = None
    if settings.kind == "notary":
        from chopmark.evidence.sealing import Seal, make_seal  # noqa: PLC0415 (a court's desk signs no bundles)

        root = Seal.load(make_seal(home.root, settings.en, at)).card().root
    card = DeskCard(
        form="chopmark-desk-1",
        name=settings.name,
        kind=settings.kind,
        zh=settings.zh,
        en=settings.en,
        url=settings.url,
        profile=settings.profile,
        simulated=settings.simulated,
        node=str(key.verifier),
        root=root,
    )
    home.write(home.node_key, (key.text() + "\n").encode())
    home.write(home.card_file, codec.canonical(card), mode=0o644)
    for folder in (home.platforms, home.bundles, home.incoming):
        folder.mkdir(mode=0o700, exist_ok=True)
    home.write(home.config, settings.encode())
    return card


@contextmanager
def held(home: DeskHome) -> Iterator[None]:
    """Hold a home while inside; the end of the process gives it back too.

    Raises:
        Refused: `desk.home_missing`; `desk.running` when another process holds it.
    """
    try:
        descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Refused("desk.home_missing", home=str(home.root)) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused("desk.running", home=str(home.root)) from error
        yield
    finally:
        os.close(descriptor)
