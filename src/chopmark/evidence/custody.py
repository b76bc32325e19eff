"""The custody log of a matter: who did what with its evidence, each line chained to the one before.

One line is canonical JSON (RFC 8785), the lines are joined by line feeds, the last one ends with one:

    {"action":"item.added","actor":{"id":"12","kind":"person"},"at":"2026-11-22T09:30:00Z",
     "facts":{"files":2},"item":"E-001","prev":"<SHA-256 of the line before, without its line feed>","seq":1}

`seq` counts from 0; the first line's `prev` is 64 zeros; `item` is left out where a line is about the whole matter.
The head is the SHA-256 of the last line. Whoever holds the head can tell when a line was changed, left out, moved or
put in; nobody can tell from the log alone that its last lines were cut off: that is why heads are deposited.

`case_jsonld` says the same in the words of CASE/UCO 1.x, for other people's tools.

Pure: takes and gives bytes and values, stores nothing, reads no clock.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from chopmark.base import jcs
from chopmark.base.clock import to_text
from chopmark.base.errors import Invalid

ZERO = bytes(32)
MAX_LINE = 16 * 1024  # bytes
MAX_ENTRIES = 100_000
MAX_LOG = 64 * 1024 * 1024  # bytes
ACTION = re.compile(r"[a-z]+(\.[a-z_]+)+")
ITEM = re.compile(r"E-[0-9]{3,6}")
NAME = re.compile(r"[a-z][a-z0-9_]*")
ACTORS = ("person", "program", "worker", "guest")

Fact = str | int | list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who did it.

    Attributes:
        kind: `person`, `program` (an API key), `worker` (the platform itself) or `guest` (a holder of an access code).
        id: the account's number, the key's public id, the worker's or the grant's name; no name of a person.
    """

    kind: str
    id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line.

    Attributes:
        seq: counts from 0.
        at: whole seconds, UTC.
        action: what was done, dotted, for example `item.added`.
        item: the short number of the item it is about, or empty.
        facts: names to text, whole numbers or lists of text.
        prev: SHA-256 of the line before, 32 bytes.
    """

    seq: int
    at: datetime
    who: Who
    action: str
    item: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    prev: bytes = ZERO

    def __post_init__(self) -> None:
        good = (
            0 <= self.seq < MAX_ENTRIES
            and self.at.microsecond == 0
            and self.at.utcoffset() is not None
            and self.who.kind in ACTORS
            and 0 < len(self.who.id) <= 128
            and ACTION.fullmatch(self.action)
            and (not self.item or ITEM.fullmatch(self.item))
            and all(NAME.fullmatch(name) and _is_fact(value) for name, value in self.facts.items())
            and len(self.prev) == 32
        )
        if not good:
            raise Invalid("matter.custody_malformed", line=self.seq + 1)

    def line(self) -> bytes:
        """Its bytes, without the line feed.

        Raises:
            Invalid: `matter.custody_malformed` when it is longer than a line may be.
        """
        written: dict[str, Any] = {
            "action": self.action,
            "actor": {"id": self.who.id, "kind": self.who.kind},
            "at": to_text(self.at),
            "facts": dict(self.facts),
            "prev": self.prev.hex(),
            "seq": self.seq,
        }
        if self.item:
            written["item"] = self.item
        made = jcs.encode(written)
        if len(made) > MAX_LINE:
            raise Invalid("matter.custody_malformed", line=self.seq + 1)
        return made

    @property
    def hash(self) -> bytes:
        """SHA-256 of its line: what the next one is chained to."""
        return sha256(self.line()).digest()


def parse_line(line: bytes) -> Entry:
    """Read one line strictly; whether it fits the line before is `read`'s to say.

    Raises:
        Invalid: `base.json_malformed`, `matter.custody_malformed`.
    """
    if len(line) > MAX_LINE:
        raise Invalid("matter.custody_malformed", line=0)
    match jcs.decode(line):
        case {
            "action": str(action),
            "actor": {"id": str(who), "kind": str(kind)},
            "at": str(at),
            "facts": dict(facts),
            "prev": str(prev),
            "seq": int(seq),
            **rest,
        }:
            made = Entry(
                seq=seq,
                at=_moment(at, seq),
                who=Who(kind=kind, id=who),
                action=action,
                item=str(rest.get("item", "")),
                facts=facts,
                prev=_digest(prev, seq),
            )
        case _:
            raise Invalid("matter.custody_malformed", line=0)
    if made.line() != line:
        raise Invalid("matter.custody_malformed", line=seq + 1)
    return made


def follow(before: Entry | None, *, at: datetime, who: Who, action: str, item: str, facts: Mapping[str, Fact]) -> Entry:
    """The entry that comes after another; a clock that went back does not take the log back."""
    moment = at.astimezone(UTC).replace(microsecond=0)
    if before is None:
        return Entry(seq=0, at=moment, who=who, action=action, item=item, facts=facts)
    later = max(moment, before.at)
    return Entry(seq=before.seq + 1, at=later, who=who, action=action, item=item, facts=facts, prev=before.hash)


def write(lines: Iterable[bytes]) -> bytes:
    """The file: each line and a line feed."""
    return b"".join(line + b"\n" for line in lines)


def read(data: bytes) -> tuple[Entry, ...]:
    """Every entry of a log, each chained to the one before.

    Raises:
        Invalid: `matter.custody_malformed` for a line that is none; `matter.custody_broken` for one that does not
            follow; both tell the line, counted from 1. `matter.custody_too_large`.
    """
    if len(data) > MAX_LOG or data.count(b"\n") > MAX_ENTRIES:
        raise Invalid("matter.custody_too_large", limit=MAX_ENTRIES)
    if data and not data.endswith(b"\n"):
        raise Invalid("matter.custody_malformed", line=data.count(b"\n") + 1)
    entries: list[Entry] = []
    prev = ZERO
    for seq, line in enumerate(data.split(b"\n")[:-1]):
        try:
            entry = parse_line(line)
        except Invalid as error:
            raise Invalid("matter.custody_malformed", line=seq + 1) from error
        if entry.seq != seq or entry.prev != prev or (entries and entry.at < entries[-1].at):
            raise Invalid("matter.custody_broken", line=seq + 1)
        entries.append(entry)
        prev = sha256(line).digest()
    return tuple(entries)


def head(data: bytes) -> bytes:
    """SHA-256 of the last line of a log that was read; 32 zero bytes for an empty one."""
    lines = data.split(b"\n")
    return sha256(lines[-2]).digest() if len(lines) > 1 else ZERO


def _is_fact(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(each, str) for each in value)
    return isinstance(value, str | int) and not isinstance(value, bool)


def _moment(text: str, seq: int) -> datetime:
    try:
        moment = datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)
    except ValueError as error:
        raise Invalid("matter.custody_malformed", line=seq + 1) from error
    return moment


def _digest(text: str, seq: int) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise Invalid("matter.custody_malformed", line=seq + 1) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """An item as CASE calls it: an exhibit with its files.

    Attributes:
        number: `E-001`.
        files: path in the bundle, bytes, SHA-256 in hexadecimal, media type.
    """

    number: str
    title: str
    files: tuple[tuple[str, int, str, str], ...]


CONTEXT = {
    "@vocab": "http://example.org/local#",
    "action": "https://ontology.unifiedcyberontology.org/uco/action/",
    "core": "https://ontology.unifiedcyberontology.org/uco/core/",
    "identity": "https://ontology.unifiedcyberontology.org/uco/identity/",
    "investigation": "https://ontology.caseontology.org/case/investigation/",
    "kb": "urn:chopmark:kb:",
    "observable": "https://ontology.unifiedcyberontology.org/uco/observable/",
    "types": "https://ontology.unifiedcyberontology.org/uco/types/",
    "vocabulary": "https://ontology.unifiedcyberontology.org/uco/vocabulary/",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
}


def case_jsonld(matter: UUID, name: str, exhibits: Sequence[Exhibit], entries: Sequence[Entry]) -> bytes:
    """The custody log as CASE/UCO JSON-LD, for tools of examiners. The chained log stays what counts.

    Each line is an investigative action with its performer and time; each item is a provenance record with its
    exhibit number, whose files are observable objects with their SHA-256.
    """
    node = _Nodes(matter)
    graph: list[dict[str, Any]] = []
    objects: dict[str, list[dict[str, str]]] = {}
    for exhibit in exhibits:
        files = [_file(node, *each) for each in exhibit.files]
        graph += files
        objects[exhibit.number] = [{"@id": each["@id"]} for each in files]
        graph.append(
            {
                "@id": node("provenance-record", exhibit.number),
                "@type": "investigation:ProvenanceRecord",
                "core:description": exhibit.title,
                "core:object": objects[exhibit.number],
                "investigation:exhibitNumber": exhibit.number,
            }
        )
    performers = dict.fromkeys(entry.who for entry in entries)
    graph += [_performer(node, who) for who in performers]
    graph += [_action(node, entry, objects) for entry in entries]
    graph.append(
        {
            "@id": node("investigation", name),
            "@type": "investigation:Investigation",
            "core:name": name,
            "core:object": [{"@id": each["@id"]} for each in graph],
        }
    )
    return json.dumps({"@context": CONTEXT, "@graph": graph}, ensure_ascii=False, indent=1).encode() + b"\n"


class _Nodes:
    """Names of nodes: the same for the same thing, ending in a UUID as CASE asks for."""

    def __init__(self, matter: UUID) -> None:
        self._matter = uuid5(NAMESPACE_URL, f"urn:chopmark:matter:{matter}")

    def __call__(self, kind: str, name: str) -> str:
        return f"kb:{kind}-{uuid5(self._matter, f'{kind}:{name}')}"


def _file(node: _Nodes, path: str, size: int, digest: str, media_type: str) -> dict[str, Any]:
    return {
        "@id": node("file", path),
        "@type": "observable:File",
        "core:hasFacet": [
            {
                "@id": node("file-facet", path),
                "@type": "observable:FileFacet",
                "observable:fileName": path.rpartition("/")[2],
                "observable:filePath": path,
                "observable:sizeInBytes": {"@type": "xsd:integer", "@value": str(size)},
            },
            {
                "@id": node("content-data-facet", path),
                "@type": "observable:ContentDataFacet",
                "observable:hash": [
                    {
                        "@id": node("hash", path),
                        "@type": "types:Hash",
                        "types:hashMethod": {"@type": "vocabulary:HashNameVocab", "@value": "SHA256"},
                        "types:hashValue": {"@type": "xsd:hexBinary", "@value": digest},
                    }
                ],
                "observable:mimeType": media_type,
            },
        ],
    }


def _performer(node: _Nodes, who: Who) -> dict[str, Any]:
    kind = "identity:Identity" if who.kind in ("person", "guest") else "observable:Application"
    return {"@id": node("performer", f"{who.kind}:{who.id}"), "@type": kind, "core:name": f"{who.kind} {who.id}"}


def _action(node: _Nodes, entry: Entry, objects: Mapping[str, list[dict[str, str]]]) -> dict[str, Any]:
    time = {"@type": "xsd:dateTime", "@value": to_text(entry.at)}
    made: dict[str, Any] = {
        "@id": node("investigative-action", str(entry.seq)),
        "@type": "investigation:InvestigativeAction",
        "action:performer": {"@id": node("performer", f"{entry.who.kind}:{entry.who.id}")},
        "action:startTime": time,
        "action:endTime": time,
        "core:name": entry.action,
        "core:description": jcs.encode(dict(entry.facts)).decode(),
    }
    if entry.item in objects:
        made["action:object"] = objects[entry.item]
        made["action:result"] = [{"@id": node("provenance-record", entry.item)}]
    if entry.seq:
        made["investigation:wasInformedBy"] = {"@id": node("investigative-action", str(entry.seq - 1))}
    return made
