"""How to reach offices: the operator's `offices.toml` in the home, with the keys that the offices gave him.

    [euipo]
    client_id = "..."
    client_secret = "..."
    api = "https://api.euipo.europa.eu/trademark-search"      # as EUIPO's developer portal names it
    token = "https://euipo.europa.eu/cas-server-webapp/oidc/accessToken"

    [tsdr]
    key = "..."
    api = "https://tsdrapi.uspto.gov"

Only `https` is called, and `http` on this machine, for the simulator.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from chopmark.base.errors import Invalid

FILE = "offices.toml"
EUIPO_API = "https://api.euipo.europa.eu/trademark-search"
EUIPO_TOKEN = "https://euipo.europa.eu/cas-server-webapp/oidc/accessToken"  # noqa: S105  an address
TSDR_API = "https://tsdrapi.uspto.gov"
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class EuipoAccess:
    """EUIPO's developer portal: an application's identifier and secret."""

    client_id: str
    client_secret: str
    api: str = EUIPO_API
    token: str = EUIPO_TOKEN

    def __repr__(self) -> str:
        """Without the secret."""
        return f"EuipoAccess({self.api})"


@dataclass(frozen=True, slots=True, kw_only=True)
class TsdrAccess:
    """The USPTO's key for TSDR."""

    key: str
    api: str = TSDR_API

    def __repr__(self) -> str:
        """Without the key."""
        return f"TsdrAccess({self.api})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What is set up; None for what is not."""

    euipo: EuipoAccess | None = None
    tsdr: TsdrAccess | None = None


def load(file: Path) -> Access:
    """What the file sets up; nothing where there is no file.

    Raises:
        Invalid: `imports.offices_file` with the place.
    """
    if not file.is_file():
        return Access()
    try:
        data = tomllib.loads(file.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise Invalid("imports.offices_file", place=FILE) from None
    if unknown := set(data) - {"euipo", "tsdr"}:
        raise Invalid("imports.offices_file", place=min(unknown)[:40])
    euipo = _table(data, "euipo", needed=("client_id", "client_secret"), also=("api", "token"))
    tsdr = _table(data, "tsdr", needed=("key",), also=("api",))
    return Access(
        euipo=EuipoAccess(**euipo) if euipo else None,
        tsdr=TsdrAccess(**tsdr) if tsdr else None,
    )


def _table(data: Mapping[str, object], name: str, *, needed: tuple[str, ...], also: tuple[str, ...]) -> dict[str, str]:
    if name not in data:
        return {}
    table = data[name]
    if not isinstance(table, dict) or set(needed) - set(table) or set(table) - {*needed, *also}:
        raise Invalid("imports.offices_file", place=name)
    if not all(isinstance(value, str) and value and value.isprintable() for value in table.values()):
        raise Invalid("imports.offices_file", place=name)
    for field in ("api", "token"):
        if field in table and not _is_address(table[field]):
            raise Invalid("imports.offices_file", place=f"{name}.{field}")
    return dict(table)


def _is_address(text: str) -> bool:
    """An address without user, query or fragment, over TLS unless it is on this machine."""
    try:
        parts = urlsplit(text)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        return False
    plain = parts.scheme == "http" and host in _LOOPBACK
    whole = bool(host) and not (parts.query or parts.fragment or parts.username) and not text.endswith("/")
    return whole and (parts.scheme == "https" or plain)
