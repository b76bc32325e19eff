"""Where a log's static files come from: a directory, or any server of C2SP tlog-tiles."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from chopmark.base.errors import Invalid, Unavailable
from chopmark.cli import home
from chopmark.cli.files import POLICY_LIMIT, read
from chopmark.ledger.checkpoint import Checkpoint, VerifiedSignature, open_checkpoint
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy

Fetch = Callable[[str], bytes]

FILE_LIMIT = 32 << 20  # bytes; the largest entry bundle is 256 entries of 65,537 bytes
TIMEOUT = 30.0  # seconds


def open_source(place: str | None, server: str | None) -> Fetch:
    """Path to bytes, from `place` (address or directory), else the server's log, else this home's log."""
    if place is None and (client := home.client(server)) is not None:
        place = client.server + "/log"
    if place is None:
        return _directory(home.home() / "log")
    if place.startswith(("http://", "https://")):
        return _http(place.rstrip("/"))
    return _directory(Path(place))


def _directory(root: Path) -> Fetch:
    def fetch(path: str) -> bytes:
        try:
            return (root / path).read_bytes()
        except OSError as error:
            raise Unavailable("cli.log_file_missing", path=str(root / path)) from error

    return fetch


def _http(address: str) -> Fetch:
    import httpx  # noqa: PLC0415 (only when a server is read)

    client = httpx.Client(timeout=TIMEOUT, follow_redirects=False)

    def fetch(path: str) -> bytes:
        try:
            with client.stream("GET", f"{address}/{path}") as answer:
                if answer.status_code != httpx.codes.OK:
                    raise Unavailable("cli.log_file_missing", path=f"{address}/{path}")
                data = b""
                for chunk in answer.iter_bytes():
                    data += chunk
                    if len(data) > FILE_LIMIT:
                        raise Invalid("cli.file_too_long", path=f"{address}/{path}", limit=FILE_LIMIT)
                return data
        except httpx.HTTPError as error:
            raise Unavailable("cli.server_silent", server=address, reason=type(error).__name__) from error

    return fetch


def find_policy(named: Path | None) -> Policy | None:
    """The trust policy: the one named, else CHOPMARK_POLICY, else trust.policy in the home; never one beside a file.

    Raises:
        Invalid: when a named one cannot be read; what `Policy.parse` raises.
    """
    if named is None and (variable := os.environ.get("CHOPMARK_POLICY")):
        named = Path(variable)
    if named is None:
        named = home.home() / home.POLICY
        if not named.is_file():
            return None
    return Policy.parse(read(named, POLICY_LIMIT))


def head(fetch: Fetch, policy: Policy | None) -> tuple[bytes, Checkpoint, tuple[VerifiedSignature, ...]]:
    """The newest checkpoint: its bytes, its content, and the signatures that the policy knows and that are true.

    Raises:
        Invalid: malformed, or a known key's signature is wrong.
    """
    note = fetch("checkpoint")
    point = Checkpoint.parse(Note.parse(note).text)
    keys = policy.keys if policy is not None else []
    signed = {(each.name, each.key_id) for each in Note.parse(note).signatures}
    if not any((key.name, key.key_id) in signed for key in keys):
        return note, point, ()
    return note, point, tuple(open_checkpoint(note, keys)[1])
