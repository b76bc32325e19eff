"""Where this machine keeps Chopmark's things, and the keys a client needs to reach a server.

$CHOPMARK_HOME/            0700, made by `chopmark init` or `chopmark keys new`
    trust.policy           the tlog-policy that `chopmark verify` trusts
    client.toml            server, api_key, organisation: what a client of a server needs (0600)
    keys/own/*.key         this person's own signing keys (0600)
"""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path

from chopmark.base.errors import Invalid, Refused

POLICY = "trust.policy"


def home() -> Path:
    """CHOPMARK_HOME, or `var` in a checkout of the source, or the user's data directory (XDG)."""
    if named := os.environ.get("CHOPMARK_HOME"):
        return Path(named).absolute()
    checkout = Path(__file__).parents[3]
    if (checkout / "pyproject.toml").is_file() and (checkout / "run").is_file():
        return checkout / "var"
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(data).expanduser() / "chopmark"


def own_keys() -> Path:
    """The folder of this person's own signing keys; it may not exist."""
    return home() / "keys" / "own"


def use_platform() -> None:
    """Make this home's database and actions usable in this process.

    Raises:
        Refused: `cli.home_missing` when `chopmark init` has not been run there.
    """
    place = home()
    if not (place / "keys").is_dir():
        raise Refused("cli.home_missing", home=str(place))
    os.environ["CHOPMARK_HOME"] = str(place)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "chopmark.site.settings")
    import django  # noqa: PLC0415 (only commands that work on the home may need the framework)

    django.setup()


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """How to reach a server.

    Attributes:
        server: for example `https://chopmark.example`, without a slash at its end.
        api_key: a secret; never shown.
    """

    server: str
    api_key: str | None

    def __repr__(self) -> str:
        """Without the secret."""
        return f"Client(server={self.server!r})"


def client(server: str | None) -> Client | None:
    """The server to use: the option, then CHOPMARK_SERVER, then client.toml; None means this machine's home.

    The API key comes from CHOPMARK_API_KEY or, for the server that client.toml names, from there.

    Raises:
        Invalid: `cli.client_malformed` when client.toml is not what it should be.
        Refused: `cli.client_open` when others may read client.toml.
    """
    written = _written()
    chosen = server or os.environ.get("CHOPMARK_SERVER") or written.get("server")
    if not chosen:
        return None
    chosen = chosen.rstrip("/")
    if not chosen.startswith(("http://", "https://")):
        raise Invalid("cli.server_malformed", server=chosen)
    kept = written.get("api_key") if chosen == written.get("server", "").rstrip("/") else None
    return Client(server=chosen, api_key=os.environ.get("CHOPMARK_API_KEY") or kept)


def _written() -> dict[str, str]:
    path = home() / "client.toml"
    if not path.is_file():
        return {}
    if path.stat().st_mode & 0o077:
        raise Refused("cli.client_open", path=str(path))
    try:
        table = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Invalid("cli.client_malformed", path=str(path)) from error
    if not all(name in ("server", "api_key") and isinstance(value, str) for name, value in table.items()):
        raise Invalid("cli.client_malformed", path=str(path))
    return table
