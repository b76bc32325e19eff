"""A member node put together: witness, mirror, monitor and reader of logs over one home. Knows no HTTP server.

    caller ── witness ── mirror ── objects of the home            what others send
    monitor ── the log's address                                  what the log shows to everybody
    reader ── mirror, index, seals                                what others ask

Everything that a node signs is signed by its witness or mirror. Alarms are kept before anything else happens.
"""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from chopmark.base.clock import to_text
from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.ledger.alarm import Alarm
from chopmark.ledger.card import MIRROR, WITNESS, Card
from chopmark.ledger.checkpoint import Checkpoint, open_checkpoint
from chopmark.ledger.cose_receipt import assemble_receipt, transparent_statement
from chopmark.ledger.keys import Signer
from chopmark.ledger.mirror import Mirror
from chopmark.ledger.monitor import Monitor
from chopmark.ledger.note import Note
from chopmark.ledger.statement import Statement
from chopmark.ledger.stores import CHECKPOINT
from chopmark.ledger.stores.files import FileObjects
from chopmark.ledger.tiles import TILE_WIDTH, TileReader
from chopmark.ledger.tree import verify_inclusion
from chopmark.ledger.witness import Witness
from chopmark.member.alarms import AlarmBox
from chopmark.member.founding import watched_log
from chopmark.member.index import Index, digests_of
from chopmark.member.known import KnownKeys
from chopmark.member.logs import Lines
from chopmark.member.settings import LogSettings, MemberHome, Settings

MOST_SEALS = 1024
_INDEXED_AT_ONCE = 16  # bundles

Fetch = Callable[[str], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A checkpoint that this node has signed.

    Attributes:
        size: number of entries.
        root: 32 bytes.
        at: when this node signed; None when its signature states no time.
        note: the note with this node's signatures.
    """

    size: int
    root: bytes
    at: datetime | None
    note: bytes = field(repr=False)


@dataclass(slots=True)
class Watching:
    """How watching one log goes; replaced as a whole by the watcher, read by pages.

    Attributes:
        size: of the newest checkpoint that the log showed; None before the first.
        at: when it was looked at with success.
        trouble: code of what kept the last round from succeeding.
    """

    size: int | None = None
    at: datetime | None = None
    trouble: str | None = None


class HeldLog:
    """One log as this node holds it.

    Args:
        settings: the log.
        node: what it belongs to.
    """

    def __init__(self, settings: LogSettings, node: Node) -> None:
        self.settings = settings
        self.origin = settings.origin
        self.hash = settings.hash
        self.watching = Watching()
        self.watched = watched_log(node.home, settings)
        self.has_more = threading.Event()
        self._node = node
        self._seals = _Seals(FileObjects(node.home.seals(self.origin), replaceable=()))

    # ---- what was signed ------------------------------------------------------------------------------------------

    def witnessed(self) -> Cosigned | None:
        """The checkpoint that the witness cosigned last."""
        return self._cosigned(self._node.witness.checkpoint(self.origin), WITNESS)

    def mirrored(self) -> Cosigned | None:
        """The checkpoint under which every entry is held here."""
        return self._cosigned(self._node.mirror.checkpoint(self.origin), MIRROR)

    def _cosigned(self, note: bytes | None, role: str) -> Cosigned | None:
        if note is None:
            return None
        keys = self._node.card.keys_of(role)
        own = {(key.name, key.key_id) for key in keys}
        signed = Note.parse(note)
        if not any((each.name, each.key_id) in own for each in signed.signatures):
            point = Checkpoint.parse(signed.text)
            return Cosigned(size=point.size, root=point.root, at=None, note=note)
        point, signatures = open_checkpoint(note, keys)
        times = [each.at for each in signatures if each.at is not None]
        return Cosigned(size=point.size, root=point.root, at=max(times, default=None), note=note)

    # ---- reading --------------------------------------------------------------------------------------------------

    def sealed_root(self, size: int) -> bytes | None:
        """This member's seal of the root at a size; None where that is not mirrored.

        At the size of the mirror's checkpoint, which is asked for when the log publishes it, the same bytes each time.
        At any other size made for who asks and not kept, so that no stranger can write to the disk or drive seals out.
        """
        if (known := self._seals.get(size)) is not None:
            return known
        made = self._node.mirror.sealed_root(self.origin, size)
        held = self._node.mirror.checkpoint(self.origin)
        if made is None or held is None or Checkpoint.parse(Note.parse(held).text).size != size:
            return made
        return self._seals.keep(size, made)

    def receipt(self, position: int) -> bytes:
        """The Transparent Statement of an entry with this member's own COSE Receipt and cosigned checkpoint.

        Raises:
            Unavailable: `member.not_mirrored` for an entry that is not held here yet; `ledger.receipt_too_early`.
            Invalid: `member.not_a_statement`; `ledger.proof_wrong` when a file of the mirror was altered.
        """
        held = self.mirrored()
        if held is None or position >= held.size:
            raise Unavailable("member.not_mirrored", position=position)
        tiles = self.tiles(held.size)
        entry = tiles.entry(position)
        path = tiles.inclusion_proof(position)
        leaf = tiles.nodes(0, position)
        if leaf != digests_of(entry)[0]:
            raise Invalid("ledger.proof_wrong")
        verify_inclusion(leaf=leaf, index=position, size=held.size, proof=path, root=held.root)
        sealed = self.sealed_root(held.size)
        if sealed is None:
            raise Unavailable("member.not_mirrored", position=position)
        try:
            statement = Statement.parse(entry)
        except Invalid as error:
            raise Invalid("member.not_a_statement", position=position) from error
        extra: dict[str, Any] = {"checkpoint": held.note, "disclosures": []}
        if (key := self._node.known.key_of(statement.kid)) is not None:
            extra["key"] = key.to_cose()
        return transparent_statement(entry, [assemble_receipt(sealed, held.size, position, path)], extra)

    def search(self, digest: bytes) -> tuple[list[int], int]:
        """Positions of the entries with a digest, each looked at, and how many entries were searched."""
        reached = self._node.index.reached(self.hash)
        held = self.mirrored()
        if held is None:
            return [], 0
        tiles = self.tiles(held.size)
        found = [position for position in self._node.index.find(self.hash, digest) if position < held.size]
        return [each for each in found if digest in digests_of(tiles.entry(each))], min(reached, held.size)

    def file(self, path: str) -> bytes:
        """A file of the mirror.

        Raises:
            Unavailable: `ledger.object_missing`.
        """
        if self.watched.copy is None:
            raise Unavailable("ledger.object_missing", path=path)
        return self.watched.copy.get(path)

    def tiles(self, size: int) -> TileReader:
        """The mirror's tiles at a size that it has reached."""
        return self._node.mirror.tiles(self.origin).at(size)

    def index_more(self, stop: threading.Event) -> None:
        """Bring the search index up to the mirror."""
        held = self.mirrored()
        size = held.size if held else 0
        index = self._node.index
        if (reached := index.reached(self.hash)) > size:  # of another mirror, or of one that was brought back
            index.forget(self.hash)
            reached = 0
        tiles = self.tiles(size) if size else None
        while tiles is not None and reached < size and not stop.is_set():
            end = min(size, (reached // TILE_WIDTH + _INDEXED_AT_ONCE) * TILE_WIDTH)
            index.add(self.hash, reached, [tiles.entry(position) for position in range(reached, end)])
            reached = end

    # ---- watching -------------------------------------------------------------------------------------------------

    def watch(self, fetch: Fetch) -> None:
        """One round of watching by the policy that lies in the home now: alarms are kept, how it went is noted.

        Raises:
            Refused: `ledger.member_state_lost` when the log shows that this node has signed more than it remembers.
        """
        node, at = self._node, self._node.clock()
        shown: list[int] = []

        def noting(path: str) -> bytes:
            data = fetch(path)
            if path == CHECKPOINT:
                with suppress(Invalid):
                    shown.append(open_checkpoint(data, self.settings.keys)[0].size)
            return data

        trouble: str | None = None
        try:
            policy = node.home.policy(self.origin)
            monitor = Monitor(self.watched, node.mirror, policy, node.known.key_of, statements=self.settings.statements)
            for alarm in monitor.round(noting, at):
                node.raise_alarm(alarm)
        except (Invalid, Unavailable) as error:
            trouble = error.code
        if not shown:
            trouble = trouble or "member.log_silent"
        if trouble is not None and trouble != self.watching.trouble:
            node.lines.warning("watching failed", log=self.hash, code=trouble)
        self.watching = Watching(
            size=shown[-1] if shown else self.watching.size, at=at if shown else self.watching.at, trouble=trouble
        )
        if node.witness.lost:
            raise Refused("ledger.member_state_lost", origin=self.origin)

    def status(self) -> dict[str, Any]:
        """What `/status.json` says of this log."""
        witnessed, mirrored, watching = self.witnessed(), self.mirrored(), self.watching
        held = mirrored.size if mirrored else 0
        ahead = max(watching.size or 0, witnessed.size if witnessed else 0)
        return {
            "origin": self.origin,
            "hash": self.hash,
            "url": self.settings.url,
            "witness": _shown(witnessed),
            "mirror": _shown(mirrored),
            "next_entry": self._node.mirror.next_entry(self.origin),
            "indexed": self._node.index.reached(self.hash),
            "published": watching.size,
            "watched_at": None if watching.at is None else to_text(watching.at),
            "trouble": watching.trouble,
            "lag": max(0, ahead - held),
            "alarms": sum(count for (origin, _), count in self._node.alarms.counts().items() if origin == self.origin),
        }


def _shown(cosigned: Cosigned | None) -> dict[str, Any] | None:
    if cosigned is None:
        return None
    at = None if cosigned.at is None else to_text(cosigned.at)
    return {"size": cosigned.size, "root": cosigned.root.hex(), "cosigned_at": at}


class _Seals:
    """Sealed roots that were made, the last 1024 of them: who asks twice gets the same bytes."""

    def __init__(self, objects: FileObjects) -> None:
        self._objects = objects
        self._lock = threading.Lock()
        self._sizes = OrderedDict.fromkeys(sorted(int(name) for name in objects.names() if name.isdecimal()))

    def get(self, size: int) -> bytes | None:
        with self._lock:
            return self._objects.get(str(size)) if size in self._sizes else None

    def keep(self, size: int, made: bytes) -> bytes:
        with self._lock:
            if size in self._sizes:  # another thread was quicker
                return self._objects.get(str(size))
            self._objects.put({str(size): made})
            self._sizes[size] = None
            while len(self._sizes) > MOST_SEALS:
                oldest, _ = self._sizes.popitem(last=False)
                self._objects.delete([str(oldest)])
            return made


class Node:
    """One node over one home; threads may share it.

    Args:
        home: the folder; held by this process alone.
        settings: of `member.toml`.
        card: of `card.json`.
        keys: file name to key, as `keys.KeyReader.all` reads them; `…-next` for those that sign beside them.
        clock: the present moment.
        fetch_key: hexadecimal thumbprint to a COSE_Key; None asks nobody.

    Raises:
        Refused: `ledger.member_state_lost`.
        Invalid: what is kept in the home is damaged.
    """

    def __init__(
        self,
        *,
        home: MemberHome,
        settings: Settings,
        card: Card,
        keys: Mapping[str, Signer],
        clock: Callable[[], datetime],
        fetch_key: Fetch | None = None,
    ) -> None:
        self.home = home
        self.settings = settings
        self.card = card
        self.clock = clock
        self.lines = Lines()
        self.started = clock()
        self.node_key = keys["node"]
        self.next_node_key = keys.get("node-next")
        self.alarms = AlarmBox(home.alarms)
        self.index = Index(home.index)
        self.known = KnownKeys(home.known, fetch_key)
        self.logs = tuple(HeldLog(each, self) for each in settings.logs)
        watched = [log.watched for log in self.logs]
        self.witness = Witness(watched, _of_role(keys, WITNESS), clock, self.raise_alarm)
        self.mirror = Mirror(self.witness, watched, _of_role(keys, MIRROR), clock)
        self.mirror.on_entries = self._entries_came

    def log(self, name: str) -> HeldLog | None:
        """The log with this hash."""
        return next((log for log in self.logs if log.hash == name), None)

    def raise_alarm(self, alarm: Alarm) -> None:
        """Keep an alarm and say it."""
        if self.alarms.keep(alarm):
            self.lines.warning("alarm", code=alarm.code, id=alarm.id, log=alarm.origin)

    def status(self) -> dict[str, Any]:
        """What `/status.json` says."""
        return {
            "name": self.card.name,
            "kind": self.card.kind,
            "title": {"zh": self.card.zh, "en": self.card.en},
            "url": self.card.url,
            "card": hashlib.sha256(self.card.encode()).hexdigest(),
            "at": to_text(self.clock()),
            "started_at": to_text(self.started),
            "keys": [{"role": each.role, "vkey": str(each.key)} for each in self.card.keys],
            "alarms": len(self.alarms.all()),
            "logs": [log.status() for log in self.logs],
        }

    def close(self) -> None:
        """Close what is open."""
        self.index.close()

    def _entries_came(self, origin: str, _first: int, _entries: Sequence[bytes]) -> None:
        for log in self.logs:
            if log.origin == origin:
                log.has_more.set()


def _of_role(keys: Mapping[str, Signer], role: str) -> tuple[Signer, ...]:
    return tuple(key for file, key in keys.items() if file.startswith(f"{role}-"))
