"""A member's home looked at without running it, and a mirror audited wherever it lies. Nothing is signed or changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from chopmark.base import clock
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.ledger.audit import Audit, AuditFinding, audit
from chopmark.ledger.card import MIRROR, WITNESS
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.keys import VerifierKey
from chopmark.ledger.note import Note
from chopmark.ledger.statement import Statement
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.witness import PENDING
from chopmark.member.alarms import AlarmBox
from chopmark.member.founding import watched_log
from chopmark.member.known import MAX_KEY, KnownKeys, key_fetcher
from chopmark.member.settings import LogSettings, MemberHome

Fetch = Callable[[str], bytes]


def status_of(home: MemberHome) -> dict[str, Any]:
    """What a node of this home would say of itself, but for what only a running one knows.

    Raises:
        Refused: `member.home_missing`.
        Invalid: something kept in the home is damaged.
    """
    settings, card = home.settings(), home.read_card()
    alarms = AlarmBox(home.alarms).counts()
    logs = []
    for log in settings.logs:
        watched = watched_log(home, log)
        pending = _note(watched.state.get, PENDING)
        held = _note(FileObjects(home.mirror(log.origin)).get, CHECKPOINT)
        witnessed, mirrored = _cosigned(pending, card.keys_of(WITNESS)), _cosigned(held, card.keys_of(MIRROR))
        logs.append(
            {
                "origin": log.origin,
                "hash": log.hash,
                "url": log.url,
                "witness": witnessed,
                "mirror": mirrored,
                "next_entry": None,
                "indexed": None,
                "published": None,
                "watched_at": None,
                "trouble": None,
                "lag": max(0, (witnessed or {}).get("size", 0) - (mirrored or {}).get("size", 0)),
                "alarms": sum(count for (origin, _), count in alarms.items() if origin == log.origin),
            }
        )
    return {
        "name": card.name,
        "kind": card.kind,
        "title": {"zh": card.zh, "en": card.en},
        "url": card.url,
        "card": hashlib.sha256(card.encode()).hexdigest(),
        "at": clock.to_text(clock.now()),
        "started_at": None,
        "keys": [{"role": each.role, "vkey": str(each.key)} for each in card.keys],
        "alarms": sum(alarms.values()),
        "logs": logs,
    }


def _note(get: Fetch, path: str) -> bytes | None:
    with suppress(Unavailable):
        return get(path)
    return None


def _cosigned(note: bytes | None, keys: Sequence[VerifierKey]) -> dict[str, Any] | None:
    if note is None:
        return None
    point, times = Checkpoint.parse(Note.parse(note).text), []
    with suppress(Invalid):  # none of this card's keys on it
        times = [each.at for each in open_checkpoint(note, keys)[1] if each.at is not None]
    at = clock.to_text(max(times)) if times else None
    return {"size": point.size, "root": point.root.hex(), "cosigned_at": at}


# ---- auditing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorAudit:
    """What an audit of a mirror found.

    Attributes:
        entries: how many were hashed.
        signatures: how many entries' own signatures were checked and are true.
        without_key: how many entries' signers' keys could not be had, so that their signatures were not checked.
        findings: empty when all is well.
    """

    entries: int
    signatures: int
    without_key: int
    findings: tuple[AuditFinding, ...]


class Audited:
    """One mirror ready to be audited.

    Args:
        log: whose copy it shall be.
        fetch: path to bytes.
        size: of its checkpoint, not yet checked.
        keys: of signers.
    """

    def __init__(self, log: LogSettings, fetch: Fetch, size: int, keys: KnownKeys) -> None:
        self.origin = log.origin
        self.size = size
        self._log = log
        self._fetch = fetch
        self._keys = keys

    def run(self, step: Callable[[int], None]) -> MirrorAudit:
        """Verify everything anew; `step` is told of each entry."""
        counts = [0, 0]
        wrong: list[AuditFinding] = []

        def look(position: int, entry: bytes) -> None:
            step(1)
            try:
                statement = Statement.parse(entry)
            except Invalid:
                return  # a finding of the audit itself
            key = self._keys.key_of(statement.kid)
            if key is None:
                counts[1] += 1
                return
            try:
                statement.verify(key)
                counts[0] += 1
            except Invalid as error:
                wrong.append(AuditFinding(code=error.code, facts={**error.facts, "position": position}))

        found: Audit = audit(self._fetch, self._log.keys, entry=look)
        findings = (*found.findings, *wrong)
        if found.checkpoint is not None and found.checkpoint.origin != self.origin:
            findings = (AuditFinding(code="member.other_log", facts={"origin": self.origin}), *findings)
        return MirrorAudit(entries=found.entries, signatures=counts[0], without_key=counts[1], findings=findings)


def audit_all(home: MemberHome, place: str | None, logs: Sequence[LogSettings]) -> Iterator[Audited]:
    """The mirrors to audit: those of the home, or the one at an address.

    Args:
        home: whose mirrors, and whose settings where `logs` is empty.
        place: address or directory of one mirror; None for all of the home.
        logs: whose keys to trust.

    Raises:
        Refused: `member.home_missing`; `member.log_unknown` for a mirror of a log whose keys are not known.
        Unavailable: nothing answers at the address.
        Invalid: what is there is no checkpoint.
    """
    trusted = tuple(logs) or home.settings().logs
    if place is None:
        for log in trusted:
            fetch = FileObjects(home.mirror(log.origin)).get
            yield Audited(log, fetch, _size(fetch), KnownKeys(home.known, key_fetcher(trusted)))
        return
    if place.startswith(("http://", "https://")):
        from chopmark.member.fetch import Fetcher  # noqa: PLC0415 (only when an address is audited)

        place = place.rstrip("/")
        fetch, keys = Fetcher(place), Fetcher(place, limit=MAX_KEY)
        known = KnownKeys(None, lambda kid: keys(f"keys/{kid}"))
    else:
        fetch, known = FileObjects(place).get, KnownKeys(None, key_fetcher(trusted))
    origin = Checkpoint.parse(Note.parse(fetch(CHECKPOINT)).text).origin
    found = next((log for log in trusted if log.origin == origin), None)
    if found is None:
        raise Refused("member.log_unknown", origin=origin)
    yield Audited(found, fetch, _size(fetch), known)


def _size(fetch: Fetch) -> int:
    note = _note(fetch, CHECKPOINT)
    return Checkpoint.parse(Note.parse(note).text).size if note is not None else 0
