"""A segment: codes with their ids and band tables in one file, written once, mapped into memory, never changed.

    page 0       a line "chopmark codes 1", two bytes of length, a CBOR map: n, bands, width, the BLAKE3 of all that
                 follows this page, where each section begins, the size of the file
    ids          n x int64, little-endian
    codes        n x 4 x uint64
    order        bands x n x uint32
    starts       bands x (2^width + 1) x uint32

Each section begins on a page. A file is whole and durable before it has its name. Not trusted: who reads one compares
the checksum first, and what it holds can always be made again from the rows.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from blake3 import blake3

from chopmark.base import cbor
from chopmark.base.errors import Invalid
from chopmark.media.index import BITS
from chopmark.media.index.bands import WORDS, Arrangement, Bands, Words

MAGIC = b"chopmark codes 1\n"
PAGE = 4096
MOST = (1 << 32) - 1
CHUNK = 1 << 24

Ids = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Codes under their ids; `name` is the file's, empty for one in memory alone."""

    ids: Ids
    bands: Bands
    name: str = ""

    @classmethod
    def build(cls, ids: Ids, words: Words) -> Segment:
        """Make the tables."""
        return cls(ids=ids, bands=Bands.build(words))

    def __len__(self) -> int:
        """How many codes."""
        return len(self.ids)


def merged(parts: list[Segment], gone: Ids) -> Segment:
    """One segment of several, without the codes that are gone; codes stand in the order of their ids."""
    ids = np.concatenate([np.empty(0, np.int64), *(each.ids for each in parts)])
    words = np.concatenate([np.empty((0, WORDS), np.uint64), *(each.bands.words for each in parts)])
    if len(gone):
        kept = np.flatnonzero(~np.isin(ids, gone))
        ids, words = ids[kept], words[kept]
    if (ids[1:] < ids[:-1]).any():
        order = np.argsort(ids, kind="stable")
        ids, words = ids[order], words[order]
    return Segment.build(ids, words)


def write(segment: Segment, path: Path) -> None:
    """Write the file; durable under its name on return, but for the name itself, which the folder's owner syncs."""
    sections: tuple[npt.NDArray[np.generic], ...] = (
        segment.ids,
        segment.bands.words,
        segment.bands.order,
        segment.bands.starts,
    )
    hasher, places, at = blake3(), [], PAGE
    for each in sections:
        places.append(at)
        data = _bytes(each)
        padding = -len(data) % PAGE
        hasher.update(data)
        hasher.update(bytes(padding))
        at += len(data) + padding
    head = cbor.encode(
        {
            "n": len(segment),
            "bands": segment.bands.shape.bands,
            "width": segment.bands.shape.width,
            "blake3": hasher.digest(),
            "places": places,
            "size": at,
        }
    )
    draft = path.with_suffix(".new")
    page = (MAGIC + len(head).to_bytes(2) + head).ljust(PAGE, b"\0")
    contents = [(place, _bytes(each)) for place, each in zip(places, sections, strict=True)]
    durably(draft, [(0, page), *contents, (at, b"")])
    draft.rename(path)


def durably(path: Path, parts: Iterable[tuple[int, bytes | memoryview]]) -> None:
    """Write a file of parts at their places, as long as the last one reaches; nothing is left of one that has no room.

    Raises:
        OSError: it could not be written.
    """
    try:
        with path.open("wb") as file:
            for place, data in parts:
                file.seek(place)
                file.write(data)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        path.unlink(missing_ok=True)
        raise


def _bytes(section: npt.NDArray[np.generic]) -> memoryview:
    if not section.size:
        return memoryview(b"")
    return memoryview(np.ascontiguousarray(section).view(np.uint8).reshape(-1)).cast("B")  # type: ignore[arg-type]  # an array is a buffer; the stubs of 3.11 do not say so


def read(path: Path) -> Segment:
    """Map a file and compare its checksum.

    Raises:
        Invalid: `media.index_damaged`: it is cut off, altered, or no segment.
    """
    try:
        return _read(path)
    except (OSError, KeyError, TypeError, ValueError, OverflowError, Invalid) as error:
        raise Invalid("media.index_damaged", name=path.name) from error


def _read(path: Path) -> Segment:
    with path.open("rb") as file:
        page = file.read(PAGE)
        if not page.startswith(MAGIC) or len(page) != PAGE:
            raise ValueError
        start = len(MAGIC) + 2
        head = cbor.decode(page[start : start + int.from_bytes(page[len(MAGIC) : start])])
        hasher = blake3()
        while data := file.read(CHUNK):
            hasher.update(data)
    count, bands, width = head["n"], head["bands"], head["width"]
    whole = path.stat().st_size == head["size"] and hasher.digest() == head["blake3"]
    fits = 0 <= count <= MOST and bands >= 0 and 1 <= width <= 32 and bands * width <= BITS
    if not (whole and fits and len(head["places"]) == 4):
        raise ValueError
    shapes = (
        ("<i8", (count,)),
        ("<u8", (count, WORDS)),
        ("<u4", (bands, count)),
        ("<u4", (bands, (1 << width) + 1)),
    )
    ids, words, order, starts = (
        np.memmap(path, kind, "r", offset=place, shape=shape) if np.prod(shape) else np.empty(shape, kind)
        for place, (kind, shape) in zip(head["places"], shapes, strict=True)
    )
    return Segment(ids=ids, bands=Bands(words, order, starts, Arrangement(bands=bands, width=width)), name=path.name)
