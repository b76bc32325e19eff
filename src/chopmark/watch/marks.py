"""What is looked for: the marks and works of rights in force, resolved for one day, as one versioned set.

A mark set is made from the registry by an action (`actions/markset.py`), read by every scanner, and named by its
digest, which stands in each result. Aliases belong to the mark, not to the title (耐克, nike, naike are one right).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from itertools import pairwise
from typing import Any, Final

from chopmark.base import jcs
from chopmark.base.errors import Invalid


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A seller who may sell: the marketplace's number of the seller, with what its chain of grants leaves.

    Attributes:
        territories, classes: empty for all that the right has.
    """

    marketplace: str
    seller: str
    territories: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One sign of one right.

    Attributes:
        id: position in the set.
        right: id of the right (UUID as text); number: `R-2026-000001`.
        organisation: whose right it is (UUID as text).
        text: as registered; empty for a picture alone. aliases: other names, scripts, spellings that stand for it.
        classes: Nice classes. territories: countries where it is in force, resolved (EU is its members).
        distinctiveness: 0 to 1000; below `COMMON` it is an everyday word (苹果, target) and never decides alone.
            Set by a person or learned from trusted text only, never from frequency in what is scanned.
        near: on the watch-list for near misses (addidas); for a few thousand marks that need it.
        well_known: protected beyond its classes.
        grants: sellers who may sell.
    """

    id: int
    right: str
    number: str
    organisation: str
    text: str
    aliases: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    territories: tuple[str, ...] = ()
    distinctiveness: int = 1000
    near: bool = False
    well_known: bool = False
    grants: tuple[Grant, ...] = ()


COMMON = 300
"""A mark with less distinctiveness is a common word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkSet:
    """All marks of a day.

    Attributes:
        version: SHA-256 over the canonical form of all marks, hex.
    """

    version: str
    marks: tuple[Mark, ...]


MAX_MARKS: Final = 2_000_000
MAX_TERMS: Final = 100
"""Aliases of one mark."""
MAX_TEXT: Final = 200
"""Characters of one name."""
MAX_BYTES: Final = 2 << 30
"""Of a set when it is unpacked."""
_FORMAT: Final = "chopmark-marks/1"


def mark_set(marks: Iterable[Mark]) -> MarkSet:
    """The set of these marks, in order of right and text, each with its position as its id.

    Raises:
        Invalid: `watch.marks_malformed` for a mark that says nothing, twice the same, or more than the limits.
    """
    ordered = sorted(marks, key=_order)
    numbered = tuple(each if each.id == at else replace(each, id=at) for at, each in enumerate(ordered))
    return MarkSet(version=_version(_checked(numbered)), marks=numbered)


def encode(marks: MarkSet) -> bytes:
    """For a file `marks-<version>.jsonl.zst`: one line that says what it is, one line a mark, packed by Zstandard."""
    import zstandard  # noqa: PLC0415 (loaded by who writes sets)

    head = jcs.encode({"format": _FORMAT, "marks": len(marks.marks), "version": marks.version})
    lines = b"".join(map(_line, marks.marks))
    return zstandard.ZstdCompressor(level=6, write_checksum=True).compress(head + b"\n" + lines)


def parse(data: bytes) -> MarkSet:
    """Read what `encode` wrote; it prints back and its version is that of its lines.

    Raises:
        Invalid: `watch.marks_malformed`.
    """
    import zstandard  # noqa: PLC0415 (loaded by who reads sets)

    try:
        with zstandard.ZstdDecompressor().stream_reader(data) as reader:
            unpacked = reader.read(MAX_BYTES + 1)
    except zstandard.ZstdError as error:
        raise Invalid("watch.marks_malformed", why="zstd", at=0) from error
    head, _, rest = unpacked.partition(b"\n")
    if len(unpacked) > MAX_BYTES or not unpacked.endswith(b"\n"):
        raise Invalid("watch.marks_malformed", why="size", at=0)
    lines = rest.split(b"\n")[:-1]
    marks = _checked(tuple(_read(line, at) for at, line in enumerate(lines)))
    said = MarkSet(version=hashlib.sha256(rest).hexdigest(), marks=marks)  # of its lines, each of which printed back
    if head != jcs.encode({"format": _FORMAT, "marks": len(marks), "version": said.version}):
        raise Invalid("watch.marks_malformed", why="version", at=0)
    return said


def _order(mark: Mark) -> tuple[str, ...]:
    return mark.right, mark.text, *mark.aliases


def _version(marks: Iterable[Mark]) -> str:
    digest = hashlib.sha256()
    for each in marks:
        digest.update(_line(each))
    return digest.hexdigest()


def _line(mark: Mark) -> bytes:
    """RFC 8785, without the members that have their defaults; the id is the line's place."""
    said = {
        name: [_grant(each) for each in value]
        if name == "grants"
        else list(value)
        if isinstance(value, tuple)
        else value
        for name in _FIELDS
        if (value := getattr(mark, name)) != _DEFAULTS.get(name)
    }
    return jcs.encode(said) + b"\n"


def _grant(grant: Grant) -> dict[str, object]:
    said: dict[str, object] = {"marketplace": grant.marketplace, "seller": grant.seller}
    if grant.territories:
        said["territories"] = list(grant.territories)
    if grant.classes:
        said["classes"] = list(grant.classes)
    return said


def _read(line: bytes, at: int) -> Mark:
    try:
        said = jcs.decode(line)
        grants = tuple(Grant(**_tuples(each)) for each in said.pop("grants", []))
        mark = Mark(id=at, grants=grants, **_tuples(said))
    except (Invalid, TypeError, AttributeError) as error:
        raise Invalid("watch.marks_malformed", why="line", at=at) from error
    if not _typed(mark) or _line(mark) != line + b"\n":
        raise Invalid("watch.marks_malformed", why="line", at=at)
    return mark


def _tuples(said: Mapping[str, object]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in said.items()}


def _typed(mark: Mark) -> bool:
    """Whether what came from outside has the types that the classes name; lists are tuples by now."""
    return all(_is(getattr(mark, name), kind) for name, kind in _KINDS.items()) and all(
        _is(getattr(grant, name), kind) for grant in mark.grants for name, kind in _GRANT_KINDS.items()
    )


def _is(value: object, kind: str) -> bool:
    if kind == "tuple[str, ...]":
        return isinstance(value, tuple) and all(type(each) is str for each in value)
    return type(value).__name__ == kind


def _checked(marks: tuple[Mark, ...]) -> tuple[Mark, ...]:
    if len(marks) > MAX_MARKS:
        raise Invalid("watch.marks_malformed", why="count", at=MAX_MARKS)
    for at, (left, right) in enumerate(pairwise(marks)):
        if _order(left) >= _order(right):
            raise Invalid("watch.marks_malformed", why="order", at=at + 1)
    for at, each in enumerate(marks):
        names = (each.text, *each.aliases) if each.text else each.aliases
        if (
            not each.right
            or not all(name.strip() and len(name) <= MAX_TEXT for name in names)
            or len(names) > MAX_TERMS
            or not 0 <= each.distinctiveness <= 1000
        ):
            raise Invalid("watch.marks_malformed", why="mark", at=at)
    return marks


_FIELDS: Final = tuple(each.name for each in fields(Mark) if each.name != "id")
_KINDS: Final = {each.name: str(each.type) for each in fields(Mark) if each.name not in {"id", "grants"}}
_GRANT_KINDS: Final = {each.name: str(each.type) for each in fields(Grant)}
_DEFAULTS: Final = {each.name: each.default for each in fields(Mark) if each.default is not MISSING}
