"""Film: codes of its frames, and which part of one film is which part of another.

    frames(file, query=)               the frames to look at: two a second of a reference, one a second of a query,
                                       but five in two seconds of its beginning
    fingerprint(frames, query=)        their codes (PDQ, `media.picture`) for regions and turns
    match(query, reference)            -> (Segment, ...), best first
    hits(query, reference)             the pairs of frames behind it, for who keeps an index of codes

One frame proves little; that the frames follow each other at the reference's pace does. So single frames may differ by
more than a picture may (`LOOSE`), where enough of them agree on one offset, one turn and one kind of region.
Regions of a query: the whole, the part inside bars that stay (letterbox), and rectangles whose edges stay while their
inside moves (picture in picture). Regions of a reference: the whole, the part inside bars, and centre crops.
Only frames are looked at; the sound track is `media.audio`'s. A film that is decoded here opens no other file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, BinaryIO, Final

import cv2
import faiss
import numpy as np
from numpy.typing import NDArray

from chopmark.base.errors import Invalid
from chopmark.media import picture
from chopmark.media.picture import LEAST_QUALITY, WHOLE, Gray, Region
from chopmark.media.segment import Segment, Span

if TYPE_CHECKING:
    import av.container

ALGORITHM: Final = f"film-{picture.ALGORITHM}-v1"
FORMATS: Final = "asf,avi,flv,gif,matroska,webm,mov,mp4,mpeg,mpegts,mpegvideo,ogg"
"""Containers that are opened; none that names other files or addresses, as play lists do."""
REFERENCE_STEP, QUERY_STEP = 500, 1000  # milliseconds between frames
BEGINNING, BEGINNING_STEP = 15_000, 400
"""Of a query the first milliseconds, and those between its frames there: a short one has few, and 400 drifts through
the 500 of a reference, so that some frames are near one of its own whatever was cut off."""
LONGEST: Final = 4 * 3600.0
MOST_PIXELS: Final = 8192 * 4352
HEIGHT: Final = 240
"""Rows that frames are scaled down to."""

TIGHT: Final = picture.RADIUS
LOOSE: Final = 56
"""Bits that a frame of a consistent series may differ by; unrelated pictures start at 58."""

_KEEP = (0.96, 0.92, 0.88, 0.84, 0.80, 0.76, 0.70)
_STRIPS = (("across-75", 0.75, 1.0), ("across-56", 0.5625, 1.0), ("down-75", 1.0, 0.75))
"""Other shapes of the screen: 4:3 and upright out of 16:9, 16:9 out of 4:3."""
_SPEEDS = (1.0, 0.8, 0.9, 0.95, 1.05, 1.1, 1.25)
_SLACK = 700  # milliseconds
_CHUNK = 60  # frames whose bars and edges are looked for together
_GAP = 3500
_STILL: Final = 60.0
"""Squared gray levels: what changes less over time is taken to stay."""
_LEAST_SECONDS = _LEAST_SCENES = 3
_LEAST_FRAMES = 6
_MOST_HITS, _LEAST_HITS = 4_000_000, 50
"""Pairs of codes that are held at once, and of each code at least."""
_MAGIC: Final = b"CMfilm01"
_HEAD: Final = struct.Struct("<8sIHI")
_REGION: Final = struct.Struct("<16s4H")
_ROW: Final = np.dtype([("at", "<u4"), ("region", "<u2"), ("turn", "u1"), ("quality", "u1"), ("bits", "u1", 32)])

Rows = NDArray[np.void]
Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One frame: milliseconds from the start, and its brightness, scaled down."""

    at: int
    pixels: Gray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class FilmPrint:
    """Fingerprint of a film.

    Attributes:
        milliseconds: up to the last frame that was looked at.
        regions: those that the rows name by their place.
        rows: `at` (milliseconds), `region`, `turn`, `quality`, `bits`; frames below the quality gate have none.
        frames: how many were looked at, with a code or without.
    """

    milliseconds: int
    frames: int
    regions: tuple[Region, ...]
    rows: Rows

    @property
    def distinctive(self) -> bool:
        """Whether there is any code to find it by."""
        return len(self.rows) > 0

    def encode(self) -> bytes:
        """As bytes, little-endian; `parse` gives it back."""
        head = _HEAD.pack(_MAGIC, self.milliseconds, len(self.regions), self.frames)
        names = b"".join(
            _REGION.pack(each.name.encode(), *(round(side * 65535) for side in _sides(each))) for each in self.regions
        )
        return head + names + self.rows.tobytes()

    @classmethod
    def parse(cls, data: bytes) -> FilmPrint:
        """The inverse of `encode`.

        Raises:
            Invalid: `media.print_malformed` for anything that `encode` does not print.
        """
        try:
            found = _parse(data)
        except (struct.error, ValueError) as error:
            raise Invalid("media.print_malformed") from error
        if found.encode() != data:
            raise Invalid("media.print_malformed")
        return found


def _sides(region: Region) -> tuple[float, float, float, float]:
    return (region.left, region.top, region.right, region.bottom)


def _parse(data: bytes) -> FilmPrint:
    magic, milliseconds, regions, frames = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError
    at = _HEAD.size
    found = []
    for _ in range(regions):
        name, left, top, right, bottom = _REGION.unpack_from(data, at)
        at += _REGION.size
        sides = {"left": left / 65535, "top": top / 65535, "right": right / 65535, "bottom": bottom / 65535}
        found.append(Region(name=name.rstrip(b"\0").decode("ascii"), **sides))
    rows = np.frombuffer(data, _ROW, -1, at) if len(data) > at else np.zeros(0, _ROW)
    if np.any(rows["region"] >= regions) or np.any(rows["turn"] > 7) or np.any(np.diff(rows["at"].astype(int)) < 0):
        raise ValueError
    return FilmPrint(milliseconds=milliseconds, frames=frames, regions=tuple(found), rows=rows)


# --- frames


def frames(
    file: BinaryIO, *, query: bool = False, keyframes_only: bool = False, longest: float = LONGEST
) -> Iterator[Frame]:
    """The frames to look at, in order, from what is decoded; what the header says counts for nothing.

    Args:
        query: one frame a second, not two, after the first `BEGINNING`.
        keyframes_only: the film's own key frames, at a fiftieth of the cost: the net thrown first.
        longest: seconds of film that are accepted.

    Raises:
        Invalid: `media.film_unreadable`, `media.no_film`, `media.film_too_long`, `media.film_too_large`. Damage after
            the first frame ends the film there.
    """
    import av  # noqa: PLC0415 (in the decoding process alone: its wheel brings encoders under the GPL, see decision 0015)
    import av.error  # noqa: PLC0415 (the same)

    due, given = 0, 0
    try:
        with av.open(file, "r", metadata_errors="ignore", options={"format_whitelist": FORMATS}) as container:
            stream = _stream(container)
            stream.codec_context.skip_frame = "NONKEY" if keyframes_only else "NONREF"
            for at, frame in _decoded(container, stream, keyframes_only=keyframes_only):
                if at > longest * 1000:
                    raise Invalid("media.film_too_long", seconds=int(longest))
                if at < due:
                    continue
                due = _due(at, query=query)
                given += 1
                yield Frame(at, _small(frame))
    except (av.error.FFmpegError, ValueError, OverflowError) as error:
        if not given:
            raise Invalid("media.film_unreadable") from error
    if not given:
        raise Invalid("media.film_unreadable")


def _due(at: int, *, query: bool) -> int:
    """When the frame after one at `at` is looked at."""
    step = REFERENCE_STEP
    if query:
        step = BEGINNING_STEP if at < BEGINNING else QUERY_STEP
    return (at // step + 1) * step


def _stream(container: av.container.InputContainer) -> av.video.VideoStream:
    import av.stream  # noqa: PLC0415 (as above)

    moving = [each for each in container.streams.video if not each.disposition & av.stream.Disposition.attached_pic]
    if not moving:
        raise Invalid("media.no_film")
    stream = moving[0]
    _must_fit(stream.codec_context.width, stream.codec_context.height)
    stream.codec_context.options = {"max_pixels": str(MOST_PIXELS)}
    stream.thread_type = "NONE"
    return stream


def _must_fit(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise Invalid("media.film_too_large", width=width, height=height, most=MOST_PIXELS)


def _decoded(
    container: av.container.InputContainer, stream: av.video.VideoStream, *, keyframes_only: bool
) -> Iterator[tuple[int, av.VideoFrame]]:
    """Frames with their milliseconds, which never go back; where the file has no times, by the rate it claims."""
    first: float | None = None
    last = -1
    rate = float(stream.average_rate or 25) or 25.0
    for count, frame in enumerate(_of_packets(container, stream, keyframes_only=keyframes_only)):
        time = count / rate if frame.pts is None else frame.time
        if first is None:
            first = time
        at = round((time - first) * 1000)
        if at > last:
            last = at
            yield at, frame


def _of_packets(
    container: av.container.InputContainer, stream: av.video.VideoStream, *, keyframes_only: bool
) -> Iterator[av.VideoFrame]:
    """Some decoders (VP9) heed no `skip_frame`: of key frames only, other packets never reach the decoder."""
    for packet in container.demux(stream):
        if not keyframes_only or packet.is_keyframe or packet.size == 0:
            yield from packet.decode()


def _small(frame: av.VideoFrame) -> Gray:
    _must_fit(frame.width, frame.height)
    height = min(frame.height, HEIGHT)
    width = max(16, round(frame.width * height / frame.height))
    small = frame.reformat(width=min(width, 8 * HEIGHT), height=max(16, height), format="gray", interpolation="AREA")
    return np.ascontiguousarray(small.to_ndarray())


# --- codes


def fingerprint(found: Iterable[Frame], *, query: bool = False) -> FilmPrint:
    """Codes of frames; `query` for the side that looks up, which takes all turns and looks for inlaid pictures."""
    table: dict[Region, int] = {}
    rows: list[Rows] = []
    count = last = 0
    for chunk in _chunks(found):
        count, last = count + len(chunk), chunk[-1].at
        regions = query_regions(chunk) if query else reference_regions(chunk)
        rows.extend(_codes(each, regions, table, turns=8 if query else 1) for each in chunk)
    made = np.concatenate(rows) if rows else np.zeros(0, _ROW)
    return FilmPrint(milliseconds=last, frames=count, regions=tuple(table), rows=made)


def _chunks(found: Iterable[Frame]) -> Iterator[list[Frame]]:
    chunk: list[Frame] = []
    for each in found:
        if len(chunk) == _CHUNK or (chunk and chunk[-1].pixels.shape != each.pixels.shape):
            yield chunk
            chunk = []
        chunk.append(each)
    if chunk:
        yield chunk


def _codes(frame: Frame, regions: Sequence[Region], table: dict[Region, int], *, turns: int) -> Rows:
    rows = np.zeros(len(regions) * turns, _ROW)
    count = 0
    for region in regions:
        bits, quality = picture.dihedral(picture.of_pixels(_cut(frame.pixels, region), least=64))
        if quality < LEAST_QUALITY:
            continue
        place = table.setdefault(region, len(table))
        for turn in range(turns):
            rows[count] = (frame.at, place, turn, quality, np.frombuffer(bits[turn], np.uint8))
            count += 1
    return rows[:count]


def _cut(pixels: Gray, region: Region) -> Gray:
    rows, columns = pixels.shape
    top, left = round(region.top * rows), round(region.left * columns)
    bottom, right = max(top + 8, round(region.bottom * rows)), max(left + 8, round(region.right * columns))
    return np.ascontiguousarray(pixels[top:bottom, left:right])


def reference_regions(chunk: Sequence[Frame]) -> tuple[Region, ...]:
    """The whole, what is above a line of text, centre crops and strips; all again for the part inside bars."""
    inside = bars(chunk)
    return (*_kept("", WHOLE), *((inside, *_kept("in-", inside)) if inside else ()))


def query_regions(chunk: Sequence[Frame]) -> tuple[Region, ...]:
    """The whole, what is above a line of text, the part inside bars, and pictures that are laid in."""
    inside = bars(chunk)
    return (WHOLE, _upper(WHOLE), *((inside,) if inside else ()), *inlaid(chunk))


def _kept(prefix: str, frame: Region) -> Iterator[Region]:
    if frame is WHOLE:
        yield WHOLE
    yield _upper(frame)
    for keep in _KEEP:
        yield _centre(f"{prefix}centre-{round(keep * 100)}", frame, keep, keep)
    for name, across, down in _STRIPS:
        yield _centre(prefix + name, frame, across, down)


def _upper(frame: Region) -> Region:
    name = "upper-80" if frame is WHOLE else "in-upper-80"
    return _region(name, frame.left, frame.top, frame.right, frame.top + 0.8 * (frame.bottom - frame.top))


def _centre(name: str, frame: Region, across: float, down: float) -> Region:
    """What is left of the width and of the height, around the middle."""
    aside, above = (frame.right - frame.left) * (1 - across) / 2, (frame.bottom - frame.top) * (1 - down) / 2
    return _region(name, frame.left + aside, frame.top + above, frame.right - aside, frame.bottom - above)


def _region(name: str, left: float, top: float, right: float, bottom: float) -> Region:
    """Sides as they can be encoded: in steps of 1/65535."""
    sides = [round(side * 65535) / 65535 for side in (left, top, right, bottom)]
    return Region(name=name, left=sides[0], top=sides[1], right=sides[2], bottom=sides[3])


def bars(chunk: Sequence[Frame]) -> Region | None:
    """What lies inside rows and columns that are plain in every frame; None where there are none."""
    stack = _stack(chunk)
    # A row is plain when it hardly varies along itself in any frame.
    across = _plain(stack.std(axis=2).max(axis=0))
    down = _plain(stack.std(axis=1).max(axis=0))
    if across is None or down is None:
        return None
    rows, columns = stack.shape[1:]
    if across == (0, rows) and down == (0, columns):
        return None
    return _region("trimmed", down[0] / columns, across[0] / rows, down[1] / columns, across[1] / rows)


def _plain(most: NDArray[np.floating]) -> tuple[int, int] | None:
    busy = np.flatnonzero(most > 7)  # gray levels: compression leaves a few
    if not len(busy):
        return None
    first, last = int(busy[0]), int(busy[-1]) + 1
    return (first, last) if last - first >= 0.2 * len(most) else None


def _stack(chunk: Sequence[Frame]) -> NDArray[np.float32]:
    """Up to 24 frames of the chunk, spread over it."""
    picked = chunk[:: max(1, len(chunk) // 24)][:24]
    return np.stack([each.pixels for each in picked]).astype(np.float32)


def inlaid(chunk: Sequence[Frame], *, most: int = 3) -> tuple[Region, ...]:
    """Rectangles whose four edges stay in place while the picture changes, the clearest first.

    `most` by edges that stand out, then `most` others by how independently their two sides change.
    Where nothing around it moves, also the rectangle in which anything moves.
    """
    stack = _stack(chunk)
    rows, columns = stack.shape[1:]
    sideways = stack.transpose(0, 2, 1)
    clearest: list[Box] = []
    for judge in (_lasting, _parting):
        clearest += _distinct(_rectangles(judge(stack), judge(sideways).T), clearest, most)
    found = [_box("inlaid", box, rows, columns) for box in clearest]
    moving = _moving(stack)
    if moving is not None:
        found.append(_box("moving", moving, rows, columns))
    return tuple(dict.fromkeys(found))


def _box(name: str, box: tuple[int, int, int, int], rows: int, columns: int) -> Region:
    left, top, right, bottom = box
    return _region(name, left / columns, top / rows, right / columns, bottom / rows)


def _moving(stack: NDArray[np.float32]) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom of what changes over time, where most of the frame does not."""
    changes = stack.std(axis=0) > 4
    still = 1 - changes.mean()
    across, down = np.flatnonzero(changes.mean(axis=1) > 0.1), np.flatnonzero(changes.mean(axis=0) > 0.1)
    if still < 0.3 or not len(across) or not len(down):
        return None
    box = (int(down[0]), int(across[0]), int(down[-1]) + 1, int(across[-1]) + 1)
    wide, high = box[2] - box[0], box[3] - box[1]
    rows, columns = changes.shape
    fits = 0.15 * columns <= wide and 0.15 * rows <= high and wide * high <= 0.9 * rows * columns
    return box if fits else None


def _distinct(boxes: Sequence[Box], known: Sequence[Box], most: int) -> list[Box]:
    """The first with a side that is more than two pixels from that of each known one and of each before."""
    kept: list[Box] = []
    for box in boxes:
        if len(kept) == most:
            break
        if all(max(abs(one - two) for one, two in zip(box, other, strict=True)) > 2 for other in (*known, *kept)):
            kept.append(box)
    return kept


def _rectangles(upright: NDArray[np.float32], level: NDArray[np.float32]) -> list[Box]:
    """Rectangles of edges (0 to 1 for each step across and down), by how clear their weakest side is."""
    rows, columns = len(upright), level.shape[1]
    down = np.vstack([np.zeros((1, columns - 1)), np.cumsum(upright, axis=0)])
    along = np.hstack([np.zeros((rows - 1, 1)), np.cumsum(level, axis=1)])
    lines_x = [0, *_strongest(upright.sum(axis=0) / rows), columns]
    lines_y = [0, *_strongest(level.sum(axis=1) / columns), rows]
    scored = []
    for left in lines_x:
        for right in (x for x in lines_x if 0.15 * columns <= x - left <= 0.92 * columns):
            for top in lines_y:
                for bottom in (y for y in lines_y if 0.15 * rows <= y - top <= 0.92 * rows):
                    sides = [
                        (down[bottom, x - 1] - down[top, x - 1]) / (bottom - top)
                        for x in (left, right)
                        if 0 < x < columns
                    ]
                    sides += [
                        (along[y - 1, right] - along[y - 1, left]) / (right - left)
                        for y in (top, bottom)
                        if 0 < y < rows
                    ]
                    if len(sides) >= 2 and min(sides) > 0.35:
                        scored.append((min(sides) * len(sides) ** 0.5, (left, top, right, bottom)))
    scored.sort(reverse=True)
    return [box for _, box in scored]


def _lasting(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each step across: in what share of the frames it stands out from the steps beside it."""
    rows, columns = stack.shape[1:]
    total = np.zeros((rows, columns - 1), np.float32)
    for frame in stack:
        steps = np.abs(np.diff(frame, axis=1))
        around = np.maximum((11 * cv2.blur(steps, (11, 1)) - 3 * cv2.blur(steps, (3, 1))) / 8, 1.0)
        total += np.clip((steps / around - 1.4) / 1.6, 0, 1)
    return (total / len(stack)).astype(np.float32)


def _parting(stack: NDArray[np.float32]) -> NDArray[np.float32]:
    """For each step across: how far the pixels beside it change independently of each other, against steps around it.

    Edges that belong to one picture stay or move with it; at the edge of a picture laid over another they do not.
    """
    spread = stack.var(axis=0)
    apart = np.diff(stack, axis=2).var(axis=0)
    apart /= spread[:, 1:] + spread[:, :-1] + _STILL
    around = (11 * cv2.blur(apart, (11, 1)) - 3 * cv2.blur(apart, (3, 1))) / 8
    return np.asarray(np.clip(1.5 * (apart - around), 0, 1), np.float32)


def _strongest(lines: NDArray[np.float32]) -> list[int]:
    """Places of up to eight lines with the most lasting edge, no two within three of each other."""
    found: list[int] = []
    for place in np.argsort(-lines):
        if lines[place] < 0.08 or len(found) == 8:
            break
        if all(abs(int(place) + 1 - other) > 3 for other in found):
            found.append(int(place) + 1)
    return sorted(found)


# --- matching


@dataclass(frozen=True, slots=True, eq=False)
class Hits:
    """Pairs of rows of a query and of a reference that differ by few bits."""

    query: NDArray[np.int64]
    reference: NDArray[np.int64]
    distance: NDArray[np.int64]


def hits(query: FilmPrint, reference: FilmPrint, *, radius: int = LOOSE) -> Hits:
    """The pairs within `radius`, in order; of a code with very many (a still that lasts) only the closest."""
    none = np.zeros(0, np.int64)
    found = [(none, none, none)]
    if len(query.rows) and len(reference.rows):
        index = faiss.IndexBinaryFlat(256)
        index.add(np.ascontiguousarray(reference.rows["bits"]))
        asked = np.ascontiguousarray(query.rows["bits"])
        step, most = max(1, _MOST_HITS // len(reference.rows)), max(_LEAST_HITS, _MOST_HITS // len(asked))
        for start in range(0, len(asked), step):
            ends, distance, two = index.range_search(asked[start : start + step], radius + 1)
            one = np.repeat(np.arange(len(ends) - 1), np.diff(ends.astype(np.int64))) + start
            kept = _closest(one, distance, two, most)
            found.append((one[kept], two[kept].astype(np.int64), distance[kept].astype(np.int64)))
    return Hits(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _closest(
    one: NDArray[np.int64], distance: NDArray[np.int32], two: NDArray[np.int64], most: int
) -> NDArray[np.int64]:
    """In order of `one` and `two`, at most `most` of each `one`: those with the least distance."""
    order = np.lexsort((two, distance, one))
    rank = np.arange(len(order)) - np.searchsorted(one[order], one[order])
    kept = order[rank < most]
    return kept[np.lexsort((two[kept], one[kept]))]


def _words(rows: Rows) -> NDArray[np.uint64]:
    return np.ascontiguousarray(rows["bits"]).view(np.uint64).reshape(len(rows), 4)


def match(query: FilmPrint, reference: FilmPrint) -> tuple[Segment, ...]:
    """The parts that two films have in common, best first; none when they have nothing in common.

    `why` has `frames` that agree `of` those in the part, `distance` (their mean of bits that differ), `closest`,
    `speed` (the query's), `turn` and `mirrored`, `query_region` and `reference_region`.
    """
    found = hits(query, reference)
    if not len(found.query):
        return ()
    taken: list[Segment] = []
    for turn in np.unique(query.rows["turn"][found.query]):
        here = query.rows["turn"][found.query] == turn
        pairs = Hits(found.query[here], found.reference[here], found.distance[here])
        taken += _parts(query, reference, pairs, int(turn))
    return tuple(_apart(sorted(taken, key=lambda one: -_weight(one))))


def _weight(segment: Segment) -> float:
    return float(segment.why["frames"]) * segment.score


def _apart(segments: Sequence[Segment]) -> list[Segment]:
    """Without those whose part of the query is mostly explained by a better one."""
    kept: list[Segment] = []
    for each in segments:
        shared = max(
            (min(each.query.end, other.query.end) - max(each.query.start, other.query.start) for other in kept),
            default=0,
        )
        if shared <= 0.5 * max(each.query.length, 0.5):
            kept.append(each)
    return kept


def _parts(query: FilmPrint, reference: FilmPrint, pairs: Hits, turn: int) -> list[Segment]:
    """The best alignment first, then again with what it leaves, for a film that quotes a work several times."""
    found: list[Segment] = []
    at_query = query.rows["at"][pairs.query].astype(np.int64)
    at_reference = reference.rows["at"][pairs.reference].astype(np.int64)
    left = np.ones(len(at_query), bool)
    for _ in range(4):
        best: tuple[float, Segment, NDArray[np.bool_]] | None = None
        for speed in _SPEEDS:
            aligned = _align(query, reference, pairs, (at_query, at_reference, left), speed=speed, turn=turn)
            if aligned is not None and (best is None or aligned[0] > best[0] + 1.5):
                best = aligned
        if best is None:
            break
        found.append(best[1])
        left &= ~best[2]
    return found


def _align(
    query: FilmPrint,
    reference: FilmPrint,
    pairs: Hits,
    times: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]],
    *,
    speed: float,
    turn: int,
) -> tuple[float, Segment, NDArray[np.bool_]] | None:
    """The offset with the most frames at one speed; its weight, its part, and the pairs of its query frames."""
    at_query, at_reference, left = times
    offset = at_reference - np.rint(at_query * speed).astype(np.int64)
    best = _densest(offset[left], at_query[left], pairs.distance[left])
    if best is None:
        return None
    on = np.flatnonzero(left & (np.abs(offset - best) <= _SLACK))
    closest: dict[int, int] = {}
    for pair in on:
        at = int(at_query[pair])
        if at not in closest or pairs.distance[pair] < pairs.distance[closest[at]]:
            closest[at] = int(pair)
    run = max(_runs(sorted(closest)), key=lambda one: _gain(pairs.distance, closest, one))
    chosen = [closest[at] for at in run]
    distance = pairs.distance[chosen]
    looked_at = np.unique(query.rows["at"])
    of = int(np.count_nonzero((looked_at >= run[0]) & (looked_at <= run[-1])))
    words = _words(reference.rows)[pairs.reference[chosen]]
    if len(np.unique(np.floor_divide(run, 1000))) < min(_LEAST_SECONDS, len(np.unique(looked_at // 1000))):
        return None
    if not _enough(distance, words, of=of):
        return None
    low, high = (int(at_reference[chosen[place]]) for place in (0, -1))
    best_pair = chosen[int(np.argmin(distance))]
    segment = Segment(
        query=Span(start=run[0] / 1000, end=run[-1] / 1000),
        reference=Span(start=min(low, high) / 1000, end=max(low, high) / 1000),
        score=round(float(1 - distance.mean() / 128) * len(chosen) / of, 4),
        why={
            "method": "frames",
            "frames": len(chosen),
            "of": of,
            "distance": round(float(distance.mean()), 1),
            "closest": int(distance.min()),
            "speed": speed,
            "turn": turn,
            "mirrored": int(turn >= 4),
            "query_region": query.regions[int(query.rows["region"][pairs.query[best_pair]])].name,
            "reference_region": reference.regions[int(reference.rows["region"][pairs.reference[best_pair]])].name,
        },
    )
    used = np.isin(at_query, run)
    return float((64 - distance).clip(0).sum()), segment, used


def _densest(offset: NDArray[np.int64], at: NDArray[np.int64], distance: NDArray[np.int64]) -> int | None:
    """The offset with the most weight of frames near it, each frame counting once with its closest pair."""
    if not len(offset):
        return None
    cells = offset // _SLACK
    order = np.lexsort((distance, at, cells))
    spot = cells[order] * (1 << 32) + at[order]
    first = np.append(True, spot[1:] != spot[:-1])
    places, inverse = np.unique(cells[order][first], return_inverse=True)
    weight = np.bincount(inverse, (64 - distance[order][first]).clip(1))
    beside = np.append(np.where(places[1:] == places[:-1] + 1, weight[1:], 0), 0.0)
    top = int(np.argmax(weight + beside))
    near = (cells == places[top]) | (cells == places[top] + (beside[top] > 0))
    return int(np.median(offset[near & (distance <= np.median(distance[near]))]))


def _runs(at: Sequence[int]) -> list[list[int]]:
    runs = [[at[0]]]
    for before, after in pairwise(at):
        if after - before > _GAP:
            runs.append([])
        runs[-1].append(after)
    return runs


def _gain(distance: NDArray[np.int64], closest: dict[int, int], run: Sequence[int]) -> float:
    return float(sum(64 - distance[closest[at]] for at in run))


def _enough(distance: NDArray[np.int64], words: NDArray[np.uint64], *, of: int) -> bool:
    """Half of the frames agree, and they show different pictures or are close.

    A still that lasts is one picture however many frames it fills, so it must agree like a picture.
    """
    count = len(distance)
    if count < 0.5 * of:
        return False
    if distance.min() <= TIGHT and np.median(distance) <= TIGHT + 8:
        return True
    scenes = 1 + sum(int(np.bitwise_count(one ^ two).sum()) > TIGHT + 29 for one, two in pairwise(words))
    return count >= _LEAST_FRAMES and scenes >= _LEAST_SCENES and float(distance.mean()) <= LOOSE - 10
