"""The platform's own parts, put together from the settings: stores, the log's reader, keys, names, the policy.

Reads `CHOPMARK_HOME`, `CHOPMARK_BASE_URL` and `CHOPMARK_ORIGIN`. The web process needs the log's public keys and
the intake key only; the log's private keys are opened by the writer, never here.

    keys/log.ed25519.pub, keys/log.mldsa44.pub    the log's verifier keys, one vkey a file
    keys/retired/*.pub                            the log's former keys, served for ever
    keys/next/log.*                               the keys that follow, during a rotation
    keys/intake                                   32-byte seed of the intake key, in hexadecimal
    consortium/members/<name>.json                cards of the institutions that were adopted
    consortium/retired/<name>-<8 hex>.json        cards that were: of former members, and of present ones before
    consortium/policy                             the tlog-policy in force; there is none without a consortium
    consortium/history/<size>.policy              those in force for checkpoints of this size and more
    consortium/documents/<sha-256>                every paper whose digest a governance statement carries
    keys/governance                               seed of the key that signs those; the web process never opens it
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache, lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.evidence import quorum
from chopmark.evidence.blobs import Blobs
from chopmark.evidence.trust import Root, Trust, Use
from chopmark.ledger.card import Card
from chopmark.ledger.governance import at_size
from chopmark.ledger.keys import ED25519, VerifierKey
from chopmark.ledger.policy import Policy, PolicyLog, policy_text
from chopmark.ledger.reader import LogReader
from chopmark.ledger.statement import IssuerKey, PublicKey
from chopmark.ledger.stores import OnSettled
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.stores.sql import Dialect, SqlBook
from chopmark.ledger.timestamp import authority_from_pem
from chopmark.ledger.tree import leaf_hash


def home() -> Path:
    """The folder that holds data, keys and logs."""
    return Path(settings.CHOPMARK_HOME)


def origin() -> str:
    """The log's name in its checkpoints."""
    return str(settings.CHOPMARK_ORIGIN)


def base_url() -> str:
    """Where the platform is reached, without a slash at the end."""
    return str(settings.CHOPMARK_BASE_URL).rstrip("/")


def issuer_of(organisation_id: UUID) -> str:
    """The issuer URI of an organisation that signs its own statements."""
    return f"https://{_host()}/issuers/{organisation_id}"


def intake_issuer() -> str:
    """The issuer URI of the platform itself, for depositors without a key and for its own statements."""
    return f"https://{_host()}/issuers/intake"


def subject_of(deposit_id: UUID) -> str:
    """What a statement is about: the deposit, under a name that says nothing about it."""
    return f"urn:uuid:{deposit_id}"


@cache
def registration_policy() -> bytes:
    """The text of the registration policy in force, in zh and en."""
    return files("chopmark.evidence").joinpath("registration_policy.txt").read_bytes()


@cache
def policy_id() -> bytes:
    """SHA-256 of that text, 32 bytes; every statement names it."""
    return hashlib.sha256(registration_policy()).digest()


def intake_key() -> IssuerKey:
    """The key that signs for depositors without one.

    Raises:
        Unavailable: `evidence.intake_key_missing` before `chopmark init`.
    """
    return _intake_key(str(settings.CHOPMARK_HOME))


@lru_cache(maxsize=2)
def _intake_key(place: str) -> IssuerKey:
    """Read once a process: a new key takes a restart."""
    path = Path(place) / "keys" / "intake"
    if not path.is_file():
        raise Unavailable("evidence.intake_key_missing")
    return IssuerKey.from_seed(bytes.fromhex(path.read_text("ascii").strip()))


def governance_key() -> IssuerKey:
    """The key that signs what the consortium decides. Only the operator's commands read it, each time anew.

    Raises:
        Unavailable: `evidence.governance_key_missing` before the first decision.
        Refused: `evidence.governance_key_open` when others on this machine can read it.
    """
    path = home() / "keys" / "governance"
    if not path.is_file():
        raise Unavailable("evidence.governance_key_missing")
    if path.stat().st_mode & 0o077:
        raise Refused("evidence.governance_key_open", path=str(path))
    return IssuerKey.from_seed(bytes.fromhex(path.read_text("ascii").strip()))


def governance_issuer() -> str:
    """The issuer URI of governance statements."""
    return f"https://{_host()}/issuers/governance"


def log_keys() -> tuple[VerifierKey, ...]:
    """The log's verifier keys in use, Ed25519 first.

    Raises:
        Unavailable: `evidence.log_keys_missing` before `chopmark init`.
    """
    keys = _keys_below(home() / "keys", "log.*.pub")
    if not keys:
        raise Unavailable("evidence.log_keys_missing")
    return keys


def retired_log_keys() -> tuple[VerifierKey, ...]:
    """The log's former verifier keys."""
    return _keys_below(home() / "keys" / "retired", "*.pub")


def next_log_keys() -> tuple[VerifierKey, ...]:
    """The verifier keys that the log will sign with after a rotation that has begun; none at other times."""
    return _keys_below(home() / "keys" / "next", "log.*.pub")


def all_log_keys() -> tuple[VerifierKey, ...]:
    """Those in use, those that follow in a rotation, and the retired ones.

    Raises:
        Unavailable: `evidence.log_keys_missing` before `chopmark init`.
    """
    return tuple(dict.fromkeys((*log_keys(), *next_log_keys(), *retired_log_keys())))


def receipt_keys() -> tuple[PublicKey, ...]:
    """The keys that verify COSE Receipts: the Ed25519 keys of the log, those in use first.

    Raises:
        Unavailable: `evidence.log_keys_missing` before `chopmark init`.
    """
    both = (*log_keys(), *retired_log_keys())
    return tuple(PublicKey.ed25519(key.public) for key in both if key.type == ED25519)


def key_algorithm(cose_key: bytes) -> str:
    """`Ed25519` or `ES256`, for people."""
    return "Ed25519" if PublicKey.from_cose(cose_key).y is None else "ES256"


def log_policy() -> bytes:
    """The trust policy (C2SP tlog-policy) that names this log and, where there is one, the consortium's quorum.

    Raises:
        Unavailable: `evidence.log_keys_missing` before `chopmark init`.
    """
    return policy_text(consortium_policy() or own_policy()).encode()


def own_policy() -> Policy:
    """The trust policy of the log alone: no quorum, its keys in use, those that follow, and the retired ones.

    Raises:
        Unavailable: `evidence.log_keys_missing` before `chopmark init`.
    """
    return Policy(logs=tuple(PolicyLog(key=key) for key in all_log_keys()))


def consortium() -> Path:
    """The folder of the consortium; it may not exist."""
    return home() / "consortium"


def consortium_policy() -> Policy | None:
    """The trust policy that the writer must satisfy; None without a consortium. Read anew when the file changes.

    Raises:
        Invalid: what `Policy.parse` raises.
    """
    path = consortium() / "policy"
    try:
        seen = path.stat()
    except FileNotFoundError:
        return None
    return _policy(path, seen.st_mtime_ns, seen.st_ino)


@lru_cache(maxsize=2)
def _policy(path: Path, _changed: int, _inode: int) -> Policy:
    return Policy.parse(path.read_bytes())


def policy_history() -> tuple[tuple[int, bytes], ...]:
    """Every trust policy that was ever in force: from which checkpoint size on, and its text; smallest size first."""
    found = (path for path in (consortium() / "history").glob("*.policy") if path.stem.isdecimal())
    return tuple(sorted((int(path.stem), path.read_bytes()) for path in found))


def policy_then(size: int) -> bytes:
    """The trust policy that was in force when a checkpoint of this size was made; nobody judges a receipt by it.

    Raises:
        Unavailable: `evidence.log_keys_missing` before `chopmark init`.
    """
    return at_size(policy_history(), size) or log_policy()


def policy_at(size: int) -> bytes:
    """The trust policy that judges what is under a checkpoint of this size; none without quorum once there is one.

    Raises:
        Unavailable: `evidence.log_keys_missing` before `chopmark init`.
    """
    history = dict(policy_history())
    start = quorum.in_force({start: _parsed(text) for start, text in history.items()}, size)
    return log_policy() if start is None else history[start]


def least_size(size: int) -> int:
    """The least size of a checkpoint under which an entry may be proven that one of this size covers."""
    return quorum.least_size({start: _parsed(text) for start, text in policy_history()}, size)


@lru_cache(maxsize=64)
def _parsed(text: bytes) -> Policy:
    return Policy.parse(text)


def own_trust() -> Trust:
    """What the platform tells its visitors to trust: the ledger's policies, its seal, its time-stamp authorities.

    Notaries of the consortium lie in `trust/notaries/<name>.pem`, one or more certificates a file. The seal and the own
    authority are marked as the platform's own: their word is no independent one.

    Raises:
        Unavailable: `evidence.log_keys_missing` before `chopmark init`.
        Invalid: `ledger.authority_malformed`, `bundle.trust_malformed`.
    """
    policies = dict(policy_history()) or {0: log_policy()}
    roots = [
        *_roots(home() / "seal", "root.pem", Use.SEAL, own="*"),
        *_roots(home() / "tsa" / "trusted", "*.pem", Use.TSA, own="own"),
        *_roots(home() / "trust" / "notaries", "*.pem", Use.NOTARY, own=""),
    ]
    return Trust.of(policies, roots)


def _roots(folder: Path, pattern: str, use: Use, *, own: str) -> list[Root]:
    """Every certificate of these files, named by its file; `own` says which names are the platform's."""
    platform = urlsplit(base_url()).hostname or "platform"
    return [
        Root(
            name=platform if use == Use.SEAL else path.stem,
            use=use,
            own=own in ("*", path.stem),
            certificate=certificate,
        )
        for path in sorted(folder.glob(pattern))
        for certificate in authority_from_pem(path.stem, path.read_bytes()).certificates
    ]


def papers() -> Path:
    """The folder of governance papers; it may not exist."""
    return consortium() / "documents"


def paper(sha256: bytes) -> bytes:
    """The paper with this digest.

    Raises:
        Unavailable: `evidence.paper_missing`.
        Invalid: `evidence.paper_wrong` when the file is not what it was.
    """
    path = papers() / sha256.hex()
    if not path.is_file():
        raise Unavailable("evidence.paper_missing", sha256=sha256.hex())
    data = path.read_bytes()
    if hashlib.sha256(data).digest() != sha256:
        raise Invalid("evidence.paper_wrong", sha256=sha256.hex())
    return data


def cards() -> tuple[Card, ...]:
    """The cards of the consortium's members, by name.

    Raises:
        Invalid: what `Card.parse` raises.
    """
    return tuple(Card.parse(path.read_bytes()) for path in sorted((consortium() / "members").glob("*.json")))


def retired_cards() -> tuple[Card, ...]:
    """Cards that were in use once, of members gone and of members that have other keys now.

    Raises:
        Invalid: what `Card.parse` raises.
    """
    return tuple(Card.parse(path.read_bytes()) for path in sorted((consortium() / "retired").glob("*.json")))


def blobs() -> Blobs:
    """The files that depositors left here."""
    return Blobs(home() / "blobs")


def bundles() -> Blobs:
    """The evidence bundles that were made here."""
    return Blobs(home() / "bundles")


def captures() -> Path:
    """Where captures lie while they are made."""
    return home() / "captures"


def commands(number: str) -> Path:
    """Where an operator's steps for a capture, by its number, reach the browser (`capture.commands.Folder`)."""
    return captures() / f"{number}-commands"


def uploads() -> Path:
    """Where files lie while they are coming in."""
    return home() / "uploads"


def objects() -> FileObjects:
    """The public directory of the log: checkpoint, tiles, entry bundles."""
    return FileObjects(home() / "log")


def book(on_settled: OnSettled | None = None) -> SqlBook:
    """The database side of the log, over Django's connection: joins the caller's transaction."""
    return SqlBook(_transaction, dialect(), on_settled, reading=_cursor)


def reader() -> LogReader:
    """Reads the published log; one for all threads, so that its tiles stay in memory."""
    return _reader(home())


@lru_cache(maxsize=2)
def _reader(place: Path) -> LogReader:
    return LogReader(FileObjects(place / "log"), book(), least_size=least_size)


def leaf_at(log: LogReader, position: int) -> bytes:
    """The leaf hash of the entry at a position of the published log."""
    return leaf_hash(log.entry(position))


def dialect() -> Dialect:
    """Which database Django was given."""
    return "postgresql" if connection.vendor == "postgresql" else "sqlite"


@contextmanager
def answering() -> Iterator[None]:
    """Around work with the database; a lost connection is opened anew by the next use.

    Raises:
        Unavailable: `ledger.database_unavailable` when the database is locked for too long, full or does not answer.
    """
    try:
        yield
    except (OperationalError, InterfaceError) as error:
        if not passes(error):
            raise
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        raise Unavailable("ledger.database_unavailable") from error


def passes(error: Exception) -> bool:
    """Whether the database's trouble is not ours and may be over soon; a missing table, say, is a bug."""
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    code = getattr(error.__cause__, "sqlite_errorcode", None)
    return code & 0xFF in _PASSING if code is not None else connection.vendor != "sqlite"


_PASSING = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_FULL)


@contextmanager
def _cursor() -> Iterator[Any]:
    """Asked for anew each time, since a connection belongs to one thread."""
    with answering(), connection.cursor() as cursor:
        yield cursor


@contextmanager
def _transaction() -> Iterator[Any]:
    with answering(), transaction.atomic(savepoint=False), connection.cursor() as cursor:
        yield cursor


def _host() -> str:
    return urlsplit(base_url()).netloc


def _keys_below(folder: Path, pattern: str) -> tuple[VerifierKey, ...]:
    keys = [VerifierKey.parse(path.read_text("ascii").strip()) for path in sorted(folder.glob(pattern))]
    return tuple(sorted(keys, key=lambda key: key.type))
