"""The settings a person may give, read from `$CHOPMARK_HOME/config.toml` and the environment (which wins).

`Config` is the one list of them: each field says its variable, its help and its form, and
`docs/reference/settings.md` is made from it. A wrong value never stops the reading: it is noted as a
`Problem`, the default stands in, and `chopmark.site.checks` refuses to start with a hint.

Reads files and creates none, except in `prepare_home`, which `chopmark init` calls.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import secrets
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, unquote, urlsplit

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CONFIG_FILE = "config.toml"
SECRET_KEY_FILE = "keys/web_secret"  # noqa: S105 (a path, not a password)
GIGABYTE = 1_000_000_000
LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One wrong setting.

    Attributes:
        number: the check that reports it, `chopmark.E001`, one a setting.
        setting: its variable.
        message: what is wrong.
        hint: what to write instead.
    """

    number: str
    setting: str
    message: str
    hint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OidcProvider:
    """One identity provider that people may sign in with (OpenID Connect).

    Attributes:
        id: short name in the sign-in address, lower-case letters, digits and hyphens.
        name: shown on the button.
        server_url: the issuer; its `/.well-known/openid-configuration` is read.
        client_id: given by the provider.
        client_secret: given by the provider.
    """

    id: str
    name: str
    server_url: str
    client_id: str
    client_secret: str = field(repr=False)

    @property
    def origin(self) -> str:
        """Scheme and host, for the page's `form-action`."""
        parts = urlsplit(self.server_url)
        return f"{parts.scheme}://{parts.netloc}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """Where e-mail goes, read from `smtp://user:password@host:port/?from=address`.

    Attributes:
        tls: `none`, `start` (smtp:// with STARTTLS on request) or `full` (smtps://).
        sender: the address in the From line.
    """

    host: str
    port: int
    user: str
    password: str = field(repr=False)
    tls: Literal["none", "start", "full"]
    sender: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Tsa:
    """One external RFC 3161 time-stamp authority.

    Attributes:
        name: how people call it; stored with each stamp, so it does not change.
        url: where requests are posted.
        certificates: file of PEM certificates that are trusted for it, absolute.
    """

    name: str
    url: str
    certificates: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evm:
    """A public chain that checkpoints are written to.

    Attributes:
        name: how people call it; stored with each stamp, so it does not change.
        rpc: JSON-RPC address of a node.
        chain: the chain's number (EIP-155); a node of another one is refused.
        key_file: file with the paying account's private key, 64 hexadecimal digits, absolute.
        confirmations: how many blocks must follow before the anchor counts.
    """

    name: str
    rpc: str = field(repr=False)  # addresses of node providers carry keys
    chain: int
    key_file: str
    confirmations: int = 12


def _about(number: str, variable: str, form: str, help_text: str) -> dict[str, str]:
    return {"number": number, "variable": variable, "form": form, "help": help_text}


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Every setting of a Chopmark site."""

    home: Path = field(
        metadata=_about(
            "chopmark.E001",
            "CHOPMARK_HOME",
            "absolute path",
            "The one folder that holds data, keys, the log and mail. Default: $XDG_DATA_HOME/chopmark.",
        ),
    )
    base_url: str = field(
        default="http://localhost:8000",
        metadata=_about(
            "chopmark.E002",
            "CHOPMARK_BASE_URL",
            "http(s)://host[:port]",
            "The address at which people reach the site; no path. With https, cookies are marked secure and HSTS is "
            "sent.",
        ),
    )
    origin: str = field(
        default="",
        metadata=_about(
            "chopmark.E003",
            "CHOPMARK_ORIGIN",
            "host[:port]/path, no scheme",
            "The name of the transparency log, written in every checkpoint. Stored at init (the host of the base URL "
            "and /log) and never changed afterwards.",
        ),
    )
    database_url: str = field(
        default="",
        metadata=_about(
            "chopmark.E004",
            "CHOPMARK_DATABASE_URL",
            "sqlite:///absolute/path or postgresql://user:password@host:port/name",
            "The database. Default: the SQLite file chopmark.db in the home.",
        ),
    )
    debug: bool = field(
        default=False,
        metadata=_about(
            "chopmark.E005",
            "CHOPMARK_DEBUG",
            "true or false",
            "Shows error details to everybody: only for work on Chopmark itself.",
        ),
    )
    allowed_hosts: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E006",
            "CHOPMARK_ALLOWED_HOSTS",
            "host names, separated by commas",
            "Further host names to answer to. The host of the base URL is always one; on a local base URL, "
            "localhost and 127.0.0.1 are too.",
        ),
    )
    mail: Mail | None = field(
        default=None,
        metadata=_about(
            "chopmark.E007",
            "CHOPMARK_EMAIL_URL",
            "smtp[s]://[user:password@]host[:port]/?from=address[&tls=start]",
            "The mail server. Without one, each mail is written as a file to mail/ in the home and addresses need "
            "no confirmation.",
        ),
    )
    oidc: tuple[OidcProvider, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E008",
            "CHOPMARK_OIDC",
            "in config.toml: [[oidc]] tables of id, name, server_url, client_id, client_secret; in the environment: "
            "the same list as JSON",
            "Identity providers that people may sign in with.",
        ),
    )
    upload_limit: int = field(
        default=5 * GIGABYTE,
        metadata=_about(
            "chopmark.E009",
            "CHOPMARK_UPLOAD_LIMIT",
            "bytes, or a number with kB, MB or GB",
            "The largest file that can be kept here. Default: 5 GB.",
        ),
    )
    signup: Literal["open", "invite", "closed"] = field(
        default="open",
        metadata=_about(
            "chopmark.E010",
            "CHOPMARK_SIGNUP",
            "open, invite or closed",
            "Who may make an account: everybody, people holding an invitation, or nobody.",
        ),
    )
    trusted_proxies: tuple[Network, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E011",
            "CHOPMARK_TRUSTED_PROXIES",
            "addresses or networks, separated by commas",
            "Reverse proxies whose X-Forwarded-For, -Proto and -Host are believed; from others they are removed.",
        ),
    )
    tsas: tuple[Tsa, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E013",
            "CHOPMARK_TSAS",
            "in config.toml: [[tsas]] tables of name, url, certificates (absolute path of a PEM file); in the "
            "environment: the same list as JSON",
            "External RFC 3161 time-stamp authorities that stamp checkpoints beside the platform's own.",
        ),
    )
    ots_calendars: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E014",
            "CHOPMARK_OTS_CALENDARS",
            "https:// addresses, separated by commas",
            "OpenTimestamps calendars that take a checkpoint a day to the Bitcoin chain. Needs the extra `anchors`.",
        ),
    )
    evm: Evm | None = field(
        default=None,
        metadata=_about(
            "chopmark.E015",
            "CHOPMARK_EVM",
            "in config.toml: a table [evm] of name, rpc, chain, key_file (absolute path), confirmations (12); in the "
            "environment: the same as JSON",
            "An EVM chain that a checkpoint a day is written to, at the cost of the account. Needs the extra "
            "`anchors`.",
        ),
    )

    metrics_token: str = field(
        default="",
        repr=False,
        metadata=_about(
            "chopmark.E016",
            "CHOPMARK_METRICS_TOKEN",
            "16 to 200 characters without spaces",
            "Whoever shows it (Authorization: Bearer …) may read /metrics. Without one, only a site for its own "
            "machine has /metrics, and only for programs of that machine.",
        ),
    )

    relay: tuple[str, int] | None = field(
        default=None,
        metadata=_about(
            "chopmark.E017",
            "CHOPMARK_RELAY",
            "host:port, an IPv6 address in brackets",
            "Where the writer listens for members that open no port themselves and fetch what is meant for them; the "
            "reverse proxy passes /relay/ to it. Without it, such members are not reached.",
        ),
    )
    interval: float | None = field(
        default=None,
        metadata=_about(
            "chopmark.E018",
            "CHOPMARK_INTERVAL",
            "seconds, 0.05 to 60",
            "How long the first of a batch waits for others before the log is written. Default: 0.2, and 0.5 where a "
            "consortium cosigns, because each checkpoint costs every member signatures and writes.",
        ),
    )
    capture_allow: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E022",
            "CHOPMARK_CAPTURE_ALLOW",
            "host:port, separated by commas",
            "Hosts of this machine or network that captures may reach, a demonstration shop say. All other private "
            "addresses are refused.",
        ),
    )
    capture_resolvers: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E023",
            "CHOPMARK_CAPTURE_RESOLVERS",
            "address or address:port, separated by commas",
            "Resolvers that a capture asks beside the machine's own, so that a false answer of one shows.",
        ),
    )
    capture_time_sources: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E024",
            "CHOPMARK_CAPTURE_TIME_SOURCES",
            "host or host:port, separated by commas",
            "Time servers (SNTP) that a capture compares the machine's clock with; two or more.",
        ),
    )

    media_model: str = field(
        default="",
        metadata=_about(
            "chopmark.E025",
            "CHOPMARK_MEDIA_MODEL",
            "SHA-256 in hexadecimal, a colon, absolute path of an ONNX file",
            "A model of your own that describes pictures by vectors and so proposes more works to compare a picture "
            "with. Works registered before it was set are not proposed by it. Default: none.",
        ),
    )

    watch_storage: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E026",
            "CHOPMARK_WATCH_STORAGE",
            "addresses like s3://bucket/folder/, separated by commas",
            "Storage from which listings may be read: s3, gs, az, abfss, https or http. Others are not asked. Default: "
            "none.",
        ),
    )

    watch_clusters: tuple[str, ...] = field(
        default=(),
        metadata=_about(
            "chopmark.E027",
            "CHOPMARK_WATCH_CLUSTERS",
            "addresses like host:6379 or ray://host:10001, separated by commas",
            "Ray clusters on which scans may run that are asked for on pages or by the API. Who is at the machine may "
            "name any. Default: none.",
        ),
    )
    watch_scan_days: int = field(
        default=1200,
        metadata=_about(
            "chopmark.E028",
            "CHOPMARK_WATCH_SCAN_DAYS",
            "a whole number of days, up to 36500; 0 keeps them for ever",
            "How long after its end the files of a scan's results are kept; the sweep removes older ones. Rows of such "
            "a scan can no longer be proven or counted in back-tests; its hits and its statement stay.",
        ),
    )

    @property
    def https(self) -> bool:
        """Whether people reach the site over https."""
        return self.base_url.startswith("https://")

    @property
    def host(self) -> str:
        """The host name of the base URL, without port."""
        return urlsplit(self.base_url).hostname or "localhost"

    @property
    def local(self) -> bool:
        """Whether the site runs for its own machine only."""
        return self.host in LOCAL_HOSTS

    @property
    def secret_key_file(self) -> Path:
        """Where the key lives that signs sessions and tokens."""
        return self.home / SECRET_KEY_FILE


def default_home(environ: Mapping[str, str]) -> Path:
    """The home when none is named: `$XDG_DATA_HOME/chopmark`, else `~/.local/share/chopmark`."""
    data = environ.get("XDG_DATA_HOME")
    return (Path(data) if data else Path.home() / ".local" / "share") / "chopmark"


def read_config(environ: Mapping[str, str] | None = None) -> tuple[Config, tuple[Problem, ...]]:
    """The settings in force and what is wrong with them; a wrong one is replaced by its default."""
    environ = os.environ if environ is None else environ
    problems: list[Problem] = []
    by_name = {each.name: each for each in fields(Config)}

    def note(name: str, message: str) -> None:
        about = by_name[name].metadata
        variable = about["variable"]
        problems.append(
            Problem(number=about["number"], setting=variable, message=message, hint=f"{variable}: {about['form']}")
        )

    home = Path(environ.get("CHOPMARK_HOME") or default_home(environ))
    if not home.is_absolute():
        note("home", f"{home} is not an absolute path")
        home = home.absolute()
    written = _read_file(home / CONFIG_FILE, problems)
    known = by_name.keys() - {"home", "mail"} | {"email_url"}
    problems += [
        Problem(
            number="chopmark.E012",
            setting=unknown,
            message=f"{CONFIG_FILE} names an unknown setting: {unknown}",
            hint=f"known are {', '.join(sorted(known))}",
        )
        for unknown in sorted(written.keys() - known)
    ]

    values: dict[str, Any] = {"home": home}
    for name, read in READERS.items():
        variable = by_name[name].metadata["variable"]
        key = "email_url" if name == "mail" else name
        raw = environ.get(variable) or written.get(key)
        if raw is None:
            continue
        try:
            values[name] = read(raw)
        except (ValueError, TypeError, KeyError) as error:
            note(name, f"{variable}: {error}")
    config = Config(**values)
    if not config.origin:
        values["origin"] = f"{urlsplit(config.base_url).netloc}/log"
    return Config(**values), tuple(problems)


def _read_file(path: Path, problems: list[Problem]) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        problems.append(
            Problem(
                number="chopmark.E012",
                setting=CONFIG_FILE,
                message=f"{path} cannot be read: {error}",
                hint="TOML, UTF-8, readable by the one who runs Chopmark",
            )
        )
        return {}


def _text(raw: object) -> str:
    if not isinstance(raw, str):
        raise TypeError("a text is needed")
    return raw.strip()


def _base_url(raw: object) -> str:
    parts = urlsplit(_text(raw).rstrip("/"))
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("a http:// or https:// address is needed")
    if parts.path or parts.query or parts.fragment or parts.username:
        raise ValueError("only scheme, host and port may stand in it")
    _ = parts.port  # raises ValueError when it is no port
    return f"{parts.scheme}://{parts.netloc.lower()}"


def _origin(raw: object) -> str:
    text = _text(raw)
    if not re.fullmatch(r"[!-*,-~]{1,255}", text) or "://" in text:
        raise ValueError("a host and path without scheme, spaces or plus signs is needed")
    return text


def _database_url(raw: object) -> str:
    text = _text(raw)
    parts = urlsplit(text)
    name = unquote(parts.path[1:])
    if parts.scheme == "sqlite" and not parts.netloc and Path("/" + name.lstrip("/")).name:
        return text
    if parts.scheme in {"postgresql", "postgres"} and name:
        _ = parts.port
        return text
    raise ValueError("neither sqlite:///path nor postgresql://…/name")


def _flag(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
    if (word := _text(raw).lower()) not in known:
        raise ValueError(f"{word!r} is neither true nor false")
    return known[word]


def _words(raw: object) -> tuple[str, ...]:
    words = raw if isinstance(raw, list) else _text(raw).split(",")
    return tuple(_text(word) for word in words if _text(word))


def _ends(raw: object) -> tuple[str, ...]:
    ends = _words(raw)
    for each in ends:
        if re.fullmatch(r"[A-Za-z0-9.:\[\]-]{1,253}:[0-9]{1,5}", each) is None:
            raise ValueError(f"{each!r} is no host:port")
    return ends


def _clusters(raw: object) -> tuple[str, ...]:
    clusters = _words(raw)
    for each in clusters:
        if re.fullmatch(r"(ray://)?[A-Za-z0-9.-]{1,200}:[0-9]{1,5}", each) is None:
            raise ValueError(f"{each!r} is no address of a cluster")
    return clusters


def _storage(raw: object) -> tuple[str, ...]:
    places = _words(raw)
    for each in places:
        if (
            re.fullmatch(
                r"((s3|gs|az|https?)://|abfss://[A-Za-z0-9-]{1,63}@)[A-Za-z0-9.:_-]{1,253}(/[!-.0-9:-~]+)*/?", each
            )
            is None
        ):
            raise ValueError(f"{each!r} is no address of a storage")
    return places


def _hosts(raw: object) -> tuple[str, ...]:
    hosts = _words(raw)
    for host in hosts:
        if "/" in host or " " in host:
            raise ValueError(f"{host!r} is not a host name")
    return hosts


def _mail(raw: object) -> Mail:
    parts: SplitResult = urlsplit(_text(raw))
    if parts.scheme not in {"smtp", "smtps"} or not parts.hostname:
        raise ValueError("a smtp:// or smtps:// address is needed")
    options = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    tls: Literal["none", "start", "full"] = "full" if parts.scheme == "smtps" else "none"
    if options.get("tls") == "start" and tls == "none":
        tls = "start"
    elif "tls" in options:
        raise ValueError("tls can only be start, and only with smtp://")
    sender = unquote(options.get("from", ""))
    if sender.count("@") != 1:
        raise ValueError("?from=address is missing")
    return Mail(
        host=parts.hostname,
        port=parts.port or {"none": 25, "start": 587, "full": 465}[tls],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        tls=tls,
        sender=sender,
    )


def _oidc(raw: object) -> tuple[OidcProvider, ...]:
    tables = json.loads(raw) if isinstance(raw, str) else raw
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("a list of tables is needed")
    wanted = {each.name for each in fields(OidcProvider)}
    providers = []
    for table in tables:
        if table.keys() != wanted:
            raise ValueError(f"each provider has exactly {', '.join(sorted(wanted))}")
        provider = OidcProvider(**{name: _text(value) for name, value in table.items()})
        if not re.fullmatch(r"[a-z0-9-]{1,40}", provider.id):
            raise ValueError(f"the id {provider.id!r} has other than lower-case letters, digits and hyphens")
        server = urlsplit(provider.server_url)
        if not server.hostname or server.scheme not in {"https", "http"}:
            raise ValueError(f"the server_url of {provider.id} is no address")
        if server.scheme == "http" and server.hostname not in LOCAL_HOSTS:
            raise ValueError(f"the server_url of {provider.id} needs https: its tokens are believed because of it")
        providers.append(provider)
    if len({provider.id for provider in providers}) != len(providers):
        raise ValueError("two providers have the same id")
    return tuple(providers)


def _tsas(raw: object) -> tuple[Tsa, ...]:
    tables = json.loads(raw) if isinstance(raw, str) else raw
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ValueError("a list of tables is needed")
    found = []
    for table in tables:
        if table.keys() != {"name", "url", "certificates"}:
            raise ValueError("each authority has exactly certificates, name, url")
        tsa = Tsa(**{name: _text(value) for name, value in table.items()})
        _must_be_authority(tsa.name)
        _must_be_outside_address(tsa.url, tsa.name)
        if not Path(tsa.certificates).is_absolute():
            raise ValueError(f"the certificates of {tsa.name} need an absolute path")
        found.append(tsa)
    if len({tsa.name for tsa in found}) != len(found):
        raise ValueError("two authorities have the same name")
    return tuple(found)


def _must_be_authority(name: str) -> None:
    """A file is called so, and receipts carry it; the platform's own authority has taken one name."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,60}", name) or name == "own":
        raise ValueError(f"the name {name!r} has other than lower-case letters, digits, dots and hyphens, or is own")


def _must_be_outside_address(url: str, name: str) -> None:
    """https, or a program of this machine."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in {"https", "http"} or parts.fragment or parts.username:
        raise ValueError(f"the address of {name} is none that can be used")
    if parts.scheme == "http" and parts.hostname not in LOCAL_HOSTS:
        raise ValueError(f"the address of {name} needs https")
    _ = parts.port


def _calendars(raw: object) -> tuple[str, ...]:
    calendars = tuple(word.rstrip("/") for word in _words(raw))
    for calendar in calendars:
        _must_be_outside_address(calendar, calendar)
    if len({urlsplit(calendar).netloc for calendar in calendars}) != len(calendars):
        raise ValueError("two calendars have the same host")
    return calendars


def _evm(raw: object) -> Evm:
    table = json.loads(raw) if isinstance(raw, str) else raw
    wanted = {"name", "rpc", "chain", "key_file"}
    if not isinstance(table, dict) or table.keys() - {"confirmations"} != wanted:
        raise ValueError("a table of name, rpc, chain, key_file and, if wanted, confirmations is needed")
    chain, confirmations = table["chain"], table.get("confirmations", 12)
    for number, most in ((chain, 2**63 - 1), (confirmations, 10_000)):
        if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
            raise ValueError("chain and confirmations are numbers from 1")
    evm = Evm(
        name=_text(table["name"]),
        rpc=_text(table["rpc"]),
        chain=chain,
        key_file=_text(table["key_file"]),
        confirmations=confirmations,
    )
    _must_be_authority(evm.name)
    _must_be_outside_address(evm.rpc, evm.name)
    if not Path(evm.key_file).is_absolute():
        raise ValueError("key_file needs an absolute path")
    return evm


def _token(raw: object) -> str:
    text = _text(raw)
    if not re.fullmatch(r"[!-~]{16,200}", text):
        raise ValueError("not 16 to 200 characters without spaces")
    return text


def _listen(raw: object) -> tuple[str, int] | None:
    text = _text(raw)
    if not text:
        return None
    match = re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):([0-9]{1,5})", text)
    if match is None or not 1 <= int(match[2]) <= 65_535:
        raise ValueError("an address with a port is needed, such as 127.0.0.1:8020")
    return match[1].strip("[]"), int(match[2])


def _interval(raw: object) -> float:
    seconds = raw if isinstance(raw, int | float) and not isinstance(raw, bool) else float(_text(raw))
    if not 0.05 <= seconds <= 60:
        raise ValueError("not a number of seconds from 0.05 to 60")
    return float(seconds)


def _days(raw: object) -> int:
    text = str(raw) if isinstance(raw, int) and not isinstance(raw, bool) else _text(raw)
    if re.fullmatch(r"[0-9]{1,5}", text) is None or int(text) > 36_500:
        raise ValueError("not a whole number of days from 0 to 36500")
    return int(text)


def _size(raw: object) -> int:
    if isinstance(raw, int) and not isinstance(raw, bool):
        size = raw
    else:
        match = re.fullmatch(r"([0-9]{1,15})\s*(kB|MB|GB|)", _text(raw))
        if match is None:
            raise ValueError("not a number of bytes")
        size = int(match[1]) * {"": 1, "kB": 1000, "MB": 1_000_000, "GB": GIGABYTE}[match[2]]
    if size < 1:
        raise ValueError("at least one byte is needed")
    return size


def _signup(raw: object) -> Literal["open", "invite", "closed"]:
    match _text(raw):
        case "open":
            return "open"
        case "invite":
            return "invite"
        case "closed":
            return "closed"
        case other:
            raise ValueError(f"{other!r} is not one of open, invite, closed")


def _networks(raw: object) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(word) for word in _words(raw))


def _model(raw: object) -> str:
    text = _text(raw)
    digest, _, path = text.partition(":")
    if re.fullmatch(r"[0-9a-f]{64}", digest) is None or not Path(path).is_absolute():
        raise ValueError("a SHA-256 in hexadecimal, a colon and an absolute path are needed")
    try:
        with Path(path).open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ValueError(f"{path} cannot be read") from error
    if found != digest:
        raise ValueError(f"the SHA-256 of {path} is {found}")
    return text


READERS: Mapping[str, Callable[[object], Any]] = {
    "base_url": _base_url,
    "origin": _origin,
    "database_url": _database_url,
    "debug": _flag,
    "allowed_hosts": _hosts,
    "mail": _mail,
    "oidc": _oidc,
    "upload_limit": _size,
    "signup": _signup,
    "trusted_proxies": _networks,
    "tsas": _tsas,
    "ots_calendars": _calendars,
    "evm": _evm,
    "metrics_token": _token,
    "relay": _listen,
    "interval": _interval,
    "capture_allow": _ends,
    "capture_resolvers": _words,
    "capture_time_sources": _words,
    "media_model": _model,
    "watch_storage": _storage,
    "watch_clusters": _clusters,
    "watch_scan_days": _days,
}


def databases(config: Config) -> dict[str, Any]:
    """Django's `DATABASES["default"]` for the configured URL.

    SQLite: WAL, `synchronous=FULL` (a receipt must survive power loss), IMMEDIATE transactions.
    """
    parts = urlsplit(config.database_url or f"sqlite:///{config.home / 'chopmark.db'}")
    if parts.scheme == "sqlite":
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": "/" + unquote(parts.path).lstrip("/"),
            "CONN_MAX_AGE": None,
            "OPTIONS": {
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; "
                "PRAGMA journal_size_limit=67108864; PRAGMA foreign_keys=ON;",
            },
        }
    options = dict(pair.partition("=")[::2] for pair in parts.query.split("&") if pair)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path[1:]),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(options.pop("host", "")) or unquote(parts.hostname or ""),
        "PORT": options.pop("port", "") or str(parts.port or ""),
        "CONN_MAX_AGE": 60,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": _durable({name: unquote(value) for name, value in options.items()}),
    }


def _durable(options: dict[str, str]) -> dict[str, str]:
    """What has been answered survives power loss, whatever the server is set to."""
    return options | {"options": f"{options.get('options', '')} -c synchronous_commit=on".strip()}


def prepare_home(config: Config) -> None:
    """Make the home, its folders, the secret key and a config file that fixes the log's origin; keeps what is there."""
    for folder in ("", "keys", "log", "journal", "mail", "logs"):
        (config.home / folder).mkdir(mode=0o755 if folder == "log" else 0o700, parents=True, exist_ok=True)
    _write_new(config.secret_key_file, secrets.token_urlsafe(64) + "\n", 0o600)
    _write_new(
        config.home / CONFIG_FILE,
        "# The settings of this Chopmark site; environment variables CHOPMARK_… win over them.\n"
        "# The name of the log is in every checkpoint: it must never change.\n"
        f'origin = "{config.origin}"\n',
        0o600,
    )


def read_secret_key(config: Config) -> str | None:
    """The stored key, or None before init."""
    try:
        return config.secret_key_file.read_text("ascii").strip() or None
    except FileNotFoundError:
        return None


def _write_new(path: Path, text: str, mode: int) -> None:
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError:
        return
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
