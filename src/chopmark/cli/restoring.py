"""Rebuilding this home's ledger from members' copies: what `chopmark ledger restore` does, step by step.

    1 look     every copy's checkpoint; two roots for one size are a fork and nothing is done
    2 choose   the largest copy; all that is known here must be a beginning of it
    3 rebuild  entries into `log.restoring`, every hash computed anew
    4 cosign   a checkpoint that this home has not published needs the quorum, from the copies or from the members
    5 replace  the old folder is moved aside, the new one takes its place
    6 settle   what the database lacks, in one transaction

Broken off anywhere, the next call goes on. Needs the web framework.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.core.management import call_command

from chopmark.base import clock
from chopmark.base.errors import Invalid, PlatformError, Refused, Unavailable
from chopmark.cli.governor import sync
from chopmark.cli.writer import KEY_FILES, log_key
from chopmark.evidence import actions, wiring
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.consortium import Consortium
from chopmark.ledger.cose_receipt import sign_root
from chopmark.ledger.keys import ED25519
from chopmark.ledger.policy import Policy
from chopmark.ledger.stores import CHECKPOINT, Head, Published
from chopmark.ledger.stores.files import FileJournal, FileObjects
from chopmark.member.client import HttpLink
from chopmark.member.restore import Copy, joined, must_agree, only_of, open_copy, rebuild

PAGE = 500
PATIENCE = 30.0  # seconds for the members' cosignatures


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What will be done.

    Attributes:
        copies: those that can be used, largest first.
        size: entries that the log will have.
        known: size to roots that must be met on the way.
        note: the checkpoint that this home has settled for this size; None when it has none.
        notes: every checkpoint found, whose cosignatures count together.
        silent: copies that did not answer or are of no use, each with the reason's code.
    """

    copies: tuple[Copy, ...]
    size: int
    known: dict[int, set[bytes]]
    note: bytes | None
    notes: tuple[bytes, ...]
    silent: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What was done.

    Attributes:
        place: the copy it came from.
        size: entries.
        checkpoints: how many signed checkpoints were found to be beginnings of it.
        settled: entries that the database lacked.
        aside: where the folder that was there before is now; None when there was none.
    """

    place: str
    size: int
    checkpoints: int
    settled: int = 0
    aside: str | None = None


def make_tables() -> None:
    """Bring a new database, or one from an older version, up to this one."""
    call_command("migrate", verbosity=0, interactive=False)


def plan(places: Sequence[str]) -> Plan:
    """Steps 1 and 2.

    Raises:
        Unavailable: `ledger.restore_nothing` when no copy answers.
        Invalid: `ledger.restore_fork`; `ledger.heads_differ`.
        Refused: `ledger.restore_behind` when no copy has all that this home has published.
    """
    copies, silent = _look(places)
    if not copies:
        raise Unavailable("ledger.restore_nothing", places=[f"{place} ({code})" for place, code in silent.items()])
    latest, head = wiring.book().latest(), wiring.book().head()
    settled = Head(size=latest.size, root=latest.root) if latest else Head()
    found = {copy.name: copy.checkpoint for copy in copies}
    own_note, own = _own_checkpoint()
    here = {"log/": own} if own is not None else {}
    here |= {"database": _point(settled)} if settled.size else {}
    here |= {"database (head)": _point(head)} if head.size else {}
    must_agree(found | here)
    most = max(copies, key=lambda copy: copy.size)
    published = max(settled.size, own.size if own else 0)
    if most.size < published:
        raise Refused("ledger.restore_behind", place=most.name, size=most.size, published=published)
    if settled.size < most.size < head.size:
        raise Invalid("ledger.heads_differ", published=most.size, head=head.size)
    size = settled.size if most.size in (settled.size, head.size) and settled.size else most.size
    known: dict[int, set[bytes]] = {}
    for point in (*found.values(), *here.values(), *map(_point, _recorded())):
        if point.size <= size:
            known.setdefault(point.size, set()).add(point.root)
    note = latest.note if latest is not None and size == settled.size else None
    usable = tuple(sorted((copy for copy in copies if copy.size >= size), key=lambda copy: -copy.size))
    notes = (*(copy.note for copy in usable), *([own_note] if own is not None else []))
    return Plan(copies=usable, size=size, known=known, note=note, notes=notes, silent=silent)


def compare(planned: Plan, progress: Callable[[int], None]) -> Restored:
    """Go through the largest copy and compare; changes nothing.

    Raises:
        Invalid: what `rebuild` raises.
    """
    copy = planned.copies[0]
    rebuild(copy, planned.size, None, planned.known, progress=progress)
    return Restored(place=copy.name, size=planned.size, checkpoints=_count(planned))


def restore(planned: Plan, progress: Callable[[int], None], at: datetime) -> Restored:
    """Steps 3 to 6; the platform must be stopped.

    Raises:
        Unavailable: `ledger.writer_running`; `ledger.writer_elsewhere`; `ledger.quorum_missing` when a checkpoint that
            was never published here lacks cosignatures: then nothing was replaced, and the next call goes on.
        Invalid: what `rebuild` raises, of the last copy.
    """
    home = wiring.home()
    journal = FileJournal(home / "journal")
    journal.hold()
    try:
        wiring.book().hold()
        staging = home / "log.restoring"
        copy = _rebuilt(planned, staging, progress)
        published = None if planned.note is not None else _published(planned, FileObjects(staging))
        note = planned.note or (published.note if published else None)
        if note is not None:
            FileObjects(staging).put({CHECKPOINT: note})
        aside = _replace(home, staging, at)
        settled = actions.adopt_log(published) if published is not None else 0
    finally:
        with suppress(Unavailable):  # a database that does not answer has ended the session
            wiring.book().release()
        journal.release()
    return Restored(place=copy.name, size=planned.size, checkpoints=_count(planned), settled=settled, aside=aside)


def _look(places: Sequence[str]) -> tuple[list[Copy], dict[str, str]]:
    copies, silent = [], {}
    for place in dict.fromkeys(places):
        try:
            copies.append(open_copy(place, wiring.origin(), wiring.all_log_keys()))
        except PlatformError as error:
            silent[place] = error.code
    return copies, silent


def _own_checkpoint() -> tuple[bytes, Checkpoint | None]:
    """What the home's own folder shows; a damaged one shows nothing, since it is to be replaced."""
    objects = wiring.objects()
    try:
        note = objects.get(CHECKPOINT)
        return note, open_checkpoint(note, wiring.all_log_keys())[0]
    except (Invalid, Unavailable):
        return b"", None


def _recorded() -> Iterator[Published]:
    """Every checkpoint in the database, greatest first."""
    before = wiring.book().head().size + 1
    while page := wiring.book().checkpoints(before, PAGE):
        yield from page
        before = page[-1].size


def _point(of: Head | Published) -> Checkpoint:
    return Checkpoint(origin=wiring.origin(), size=of.size, root=of.root)


def _count(planned: Plan) -> int:
    return sum(map(len, planned.known.values()))


def _rebuilt(planned: Plan, staging: Path, progress: Callable[[int], None]) -> Copy:
    """From the first copy that is what its checkpoint says."""
    *others, last = planned.copies
    for copy in others:
        with suppress(Invalid, Unavailable):
            _rebuild(copy, planned, staging, progress)
            return copy
    _rebuild(last, planned, staging, progress)
    return last


def _rebuild(copy: Copy, planned: Plan, staging: Path, progress: Callable[[int], None]) -> None:
    """On top of what is there already; if that proves wrong, it may be another copy's fault: once more from nothing."""
    begun = staging.exists()
    try:
        rebuild(copy, planned.size, FileObjects(staging), planned.known, progress=progress)
    except Invalid:
        shutil.rmtree(staging, ignore_errors=True)
        if not begun:
            raise
        _rebuild(copy, planned, staging, progress)


def _published(planned: Plan, objects: FileObjects) -> Published:
    """The checkpoint of a size that this home has not settled, under the quorum that was in force for it."""
    point = next(each.checkpoint for each in planned.copies if each.size == planned.size)
    note = joined(point, planned.notes)
    policy = Policy.parse(wiring.policy_then(planned.size))
    seals: tuple[bytes, ...] = ()
    if not policy.open(note)[1].quorum_reached:
        note, seals = _gathered(policy, point, only_of(note, wiring.all_log_keys()), objects)
    checkpoint, signatures = open_checkpoint(note, wiring.all_log_keys())
    signed_at = max((each.at for each in signatures if each.at is not None), default=clock.now())
    [seal] = [key for key in (log_key(wiring.home() / "keys" / name) for name in KEY_FILES) if key.type == ED25519]
    return Published(
        size=checkpoint.size,
        root=checkpoint.root,
        note=note,
        sealed_root=sign_root(wiring.origin(), checkpoint.root, seal, signed_at, size=checkpoint.size),
        member_seals=seals,
        at=signed_at,
    )


def _gathered(
    policy: Policy, point: Checkpoint, signed: bytes, objects: FileObjects
) -> tuple[bytes, tuple[bytes, ...]]:
    cards = wiring.cards()
    links = [HttpLink(card.name, card.url) for card in cards if card.url is not None]
    try:
        with closing(Consortium(policy, cards, links, objects, clock.now, patience=PATIENCE)) as members:
            gathered = members.gather(signed, point)
    finally:
        for link in links:
            link.close()
    return gathered.note, gathered.seals


def _replace(home: Path, staging: Path, at: datetime) -> str | None:
    log, aside = home / "log", None
    if log.exists():
        aside = home / f"log.before-{clock.to_text(at).replace(':', '').replace('-', '')}"
        log.rename(aside)
    staging.rename(log)
    sync(home)
    return None if aside is None else str(aside)
