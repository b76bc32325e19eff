"""The consortium of this machine's home: decisions made here, published by the home's writer, shown as plain values.

Needs the web framework; `cli.consortium` imports it after the home has been made usable.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chopmark.base import clock
from chopmark.base.errors import Refused, Unavailable
from chopmark.cli.embedded import write_batch
from chopmark.cli.writer import KEY_FILES, log_key
from chopmark.evidence import actions, governance, wiring
from chopmark.evidence.actions import Decided
from chopmark.evidence.governance import Paper
from chopmark.ledger.checkpoint import Checkpoint, cosign
from chopmark.ledger.governance import Rule, log_rotation_note, rule_of
from chopmark.ledger.keys import ED25519, MLDSA44_COSIGNATURE, SigningKey
from chopmark.ledger.note import Note
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.files import FileJournal

POLL = 0.1  # seconds
TYPES = dict(zip(KEY_FILES, (ED25519, MLDSA44_COSIGNATURE), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What came of a decision.

    Attributes:
        papers: those that it made, as they stand now.
        warnings: codes that the operator should hear.
        published: whether all of them stand on the ledger.
    """

    papers: tuple[Paper, ...]
    warnings: tuple[str, ...]
    published: bool


def add(cards: Sequence[bytes], wait: float) -> Outcome:
    """Adopt members."""
    return _published(actions.adopt_cards(cards, at=clock.now()), wait)


def update(rotation: bytes, wait: float) -> Outcome:
    """Exchange a member's card."""
    return _published(actions.exchange_card(rotation, at=clock.now()), wait)


def retire(name: str, reason: str, wait: float) -> Outcome:
    """Retire a member."""
    return _published(actions.retire_member(name, reason, at=clock.now()), wait)


def policy(rule: str, wait: float, *, force: bool, emergency: bool) -> Outcome:
    """Decide on a rule."""
    decided = actions.decide_policy(Rule.parse(rule), at=clock.now(), force=force, emergency=emergency)
    return _published(decided, wait)


def authority(certificate: bytes, wait: float, *, retire: bool) -> Outcome:
    """Adopt or retire a time-stamp authority."""
    return _published(actions.adopt_authority(certificate, at=clock.now(), retire=retire), wait)


def shown() -> dict[str, Any]:
    """Members, the policy in force and the one decided on, in plain values."""
    in_force, decided = wiring.consortium_policy(), governance.decided_policy()
    cards = wiring.cards()
    return {
        "members": [
            {
                "name": card.name,
                "kind": card.kind,
                "title": {"zh": card.zh, "en": card.en},
                "url": card.url,
                "keys": [str(key) for key in card.cosigning_keys],
            }
            for card in cards
        ],
        "rule": _rule(in_force),
        "waiting_rule": _rule(decided) if decided != in_force else None,
        "waiting_members": [card.name for card in governance.decided_cards() if card not in cards],
    }


def history() -> list[dict[str, Any]]:
    """Every paper in the order in which it was decided, in plain values."""
    return [
        {
            "kind": each.kind,
            "name": each.name,
            "sha-256": each.sha256.hex(),
            "made_at": clock.to_text(each.made_at),
            "position": each.position,
            "in_force_from": each.in_force_from,
        }
        for each in governance.papers()
    ]


def in_force() -> str:
    """The trust policy in force, as a file."""
    return wiring.log_policy().decode()


def announce_log_keys(wait: float) -> tuple[Outcome, list[str]]:
    """Make the log's next keys, unless they are there, and let the present ones announce them; their vkeys."""
    folder = wiring.home() / "keys"
    present = [log_key(folder / name) for name in KEY_FILES]
    folder.joinpath("next").mkdir(mode=0o700, exist_ok=True)
    following = [_next_key(folder / "next" / name, TYPES[name]) for name in KEY_FILES]
    note = folder / "next" / "rotation"
    if not note.exists():
        _write(note, log_rotation_note(wiring.origin(), present, following), 0o644)
    decided = actions.rotate_log_keys(note.read_bytes(), at=clock.now())
    return _published(decided, wait), [str(key.verifier) for key in following]


def use_next_log_keys(wait: float) -> Outcome:
    """Let the announced keys take the place of the present ones; a crash in between is finished by doing it again.

    The public checkpoint gets the new keys' signatures beside the old ones, so that the writer goes on from it.

    Raises:
        Refused: `evidence.no_next_log_keys`; `evidence.log_rotation_waits` while the announcement is not published.
        Unavailable: `ledger.writer_running` while the platform runs.
    """
    keys, home = wiring.home() / "keys", wiring.home()
    if not (keys / "next" / "rotation").exists():
        raise Refused("evidence.no_next_log_keys")
    stated = [each for each in governance.papers() if each.kind == "log_key_rotation"]
    if not stated or stated[-1].position is None:
        raise Refused("evidence.log_rotation_waits")
    journal = FileJournal(home / "journal")
    journal.hold()
    try:
        following = [name for name in KEY_FILES if (keys / "next" / name).exists()]
        _sign_anew([log_key(keys / "next" / name) for name in following])
        (keys / "retired").mkdir(mode=0o755, exist_ok=True)
        for name in following:
            former = log_key(keys / name).verifier
            _write(keys / "retired" / f"log-{former.key_id.hex()}.pub", f"{former}\n".encode(), 0o644)
            (keys / "next" / name).replace(keys / name)
            (keys / "next" / f"{name}.pub").replace(keys / f"{name}.pub")
        for name in KEY_FILES:  # after a crash between the two renames above
            if (keys / "next" / f"{name}.pub").exists():
                (keys / "next" / f"{name}.pub").replace(keys / f"{name}.pub")
        sync(keys)
        shutil.rmtree(keys / "next")
    finally:
        journal.release()
    return _published(actions.state_log_keys(at=clock.now()), wait)


def _sign_anew(keys: Sequence[SigningKey]) -> None:
    objects = wiring.objects()
    if not objects.exists(CHECKPOINT):
        return
    note = Note.parse(objects.get(CHECKPOINT))
    checkpoint, at = Checkpoint.parse(note.text), clock.now()
    there = {(each.name, each.key_id) for each in note.signatures}
    more = tuple(cosign(checkpoint, key, at) for key in keys if (key.name, key.verifier.key_id) not in there)
    objects.put({CHECKPOINT: Note(text=note.text, signatures=(*note.signatures, *more)).encode()})


def _next_key(path: Path, kind: int) -> SigningKey:
    if not path.exists():
        _write(path, (SigningKey.generate(wiring.origin(), kind).text() + "\n").encode(), 0o600)
    key = log_key(path)
    _write(path.with_name(f"{path.name}.pub"), f"{key.verifier}\n".encode(), 0o600)
    return key


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole and durable; the same again is no error."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    sync(path.parent)


def sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _published(decided: Decided, wait: float) -> Outcome:
    """Wait for the home's writer, or be it, until the papers stand on the ledger."""
    leaves = [paper.leaf for paper in decided.papers]
    until = time.monotonic() + wait

    def done() -> bool:
        return all(paper.position is not None for paper in governance.papers_with(leaves))

    while not done() and time.monotonic() < until:
        if not _try(write_batch):
            time.sleep(POLL)
    actions.take_force()
    if actions.restate(clock.now()):
        _try(write_batch)
    papers = governance.papers_with(leaves)
    return Outcome(papers=papers, warnings=decided.warnings, published=done())


def _try(write: Callable[[], bool]) -> bool:
    """Whether a batch was written; without the quorum there is none to write yet."""
    try:
        return write()
    except Unavailable as error:
        if error.code != "ledger.quorum_missing":
            raise
        return False


def _rule(policy: Policy | None) -> str | None:
    rule = None if policy is None else rule_of(policy)
    return None if rule is None else rule.text()
