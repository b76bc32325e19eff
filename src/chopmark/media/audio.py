"""Sound: from a file to a fingerprint, and from two fingerprints to the part that they have in common.

    decode(file) -> Sound                    mono, 16 bit, 11,025 samples a second, within limits
    fingerprint(pcm) -> SoundPrint           Chromaprint codes and landmarks; `query=True` for the side that looks up
    match(query, reference) -> (Segment, ...)
    SoundIndex(prints).search(query)         the same against many references

Two methods, because each fails where the other does not: Chromaprint holds in noise, landmarks hold in a telephone's
band, under an equaliser and under a voice. A query is also looked up as if it ran up to 6 % too fast or too slow, or
had been stretched up to 12 % at its own pitch.
Nothing here starts a program, opens an address or asks for a file by name: `decode` reads the file object it is given.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from chopmark.base.errors import Invalid
from chopmark.media import chromaprint, landmarks
from chopmark.media.landmarks import Peaks
from chopmark.media.postings import Postings
from chopmark.media.segment import Segment, Span

if TYPE_CHECKING:
    import av.container

ALGORITHM: Final = "chromaprint2+landmarks-v1"
RATE: Final = 11025
LONGEST: Final = 3 * 3600.0
FORMATS: Final = "aac,ac3,aiff,amr,asf,au,avi,caf,flac,flv,matroska,webm,mov,mp4,mp3,mpeg,mpegts,ogg,wav,w64"
"""Containers that are opened; none that names other files or addresses, as play lists do."""

SPEEDS: Final = tuple(round(0.94 + 0.005 * step, 3) for step in range(25))
"""Pitch and tempo together: the record that turns too fast."""
TEMPOS: Final = tuple(round(0.88 + 0.015 * step, 3) for step in range(17))
"""Tempo alone."""
CODE_SPEEDS: Final = tuple(round(0.94 + 0.01 * step, 2) for step in range(13))
SWEEP_LONGEST: Final = 300.0
"""Seconds of query for which codes are also made at other speeds; landmarks are mapped at no cost for any length."""

_MAGIC: Final = b"CMsound1"
_HEAD: Final = struct.Struct("<8sIIIH")
_PART: Final = struct.Struct("<HI")

_REFERENCE_FAN, _QUERY_FAN = 4, 10
_OFFSET_CELL = 60  # milliseconds
_MOST_SWEPT = 40
"""Windows of one query that are looked up at other speeds: half an hour whole, of longer ones every so many."""
_COMMON = 4000  # a key found more often says nothing
_LEAST_VOTES = 4
_CANDIDATES = 8
_WINDOW, _WINDOW_STEP = 60_000, 45_000  # milliseconds of a long query looked up at once
_GAP = 4_000  # milliseconds between parts in neighbouring windows that are one
_NEAR_PEAKS = 41
_SHORTEST = 2_000  # milliseconds of a part
_SETTLED = 0.6
_LEAST_PEAKS = 14
_LEAST_SURPRISE, _LEAST_SURPRISE_SWEPT = 9.0, 11.0
"""How many standard deviations above chance (docs/media.md: unrelated music reached 9.9, excerpts begin at 14)."""
_SHIFTS = (-2310, -1370, -830, -510, -290, 310, 530, 790, 1430, 2290)

_PREFIX = 4  # bits of a code that are not looked up
_LEAST_CODES = 28
_LEAST_DISTINCT = 20
_SMOOTH_CODES = 24
_MOST_ERROR, _MOST_ERROR_SWEPT = 0.15, 0.13
"""Share of bits that differ; unrelated music reached 0.165 in its best run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sound:
    """Decoded sound.

    Attributes:
        complete: False where decoding stopped at damage; what came before it is here.
    """

    pcm: NDArray[np.int16]
    complete: bool

    @property
    def seconds(self) -> float:
        """Length by the samples that were decoded, whatever the file's header says."""
        return len(self.pcm) / RATE


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundPrint:
    """Fingerprint of a sound.

    Attributes:
        milliseconds: length.
        codes: Chromaprint, one each 0.124 s.
        sweep: for a query, codes as if it ran at other speeds.
    """

    milliseconds: int
    codes: NDArray[np.uint32]
    peaks: Peaks
    sweep: tuple[tuple[float, NDArray[np.uint32]], ...] = ()

    @property
    def distinctive(self) -> bool:
        """Whether it can be told from other sounds: silence and a steady tone cannot."""
        return len(np.unique(self.codes)) >= _LEAST_DISTINCT or len(self.peaks) >= 2 * _LEAST_PEAKS

    def encode(self) -> bytes:
        """As bytes, little-endian; `parse` gives it back."""
        parts = [_HEAD.pack(_MAGIC, self.milliseconds, len(self.codes), len(self.peaks), len(self.sweep))]
        parts.append(self.codes.astype("<u4").tobytes())
        parts += [self.peaks.at.astype("<u4").tobytes(), self.peaks.hz.astype("<u2").tobytes()]
        for speed, codes in self.sweep:
            parts += [_PART.pack(round(speed * 1000), len(codes)), codes.astype("<u4").tobytes()]
        return b"".join(parts)

    @classmethod
    def parse(cls, data: bytes) -> SoundPrint:
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


def _parse(data: bytes) -> SoundPrint:
    magic, milliseconds, codes, peaks, sweeps = _HEAD.unpack_from(data)
    if magic != _MAGIC:
        raise ValueError
    at = _HEAD.size

    def take(kind: str, count: int) -> NDArray[np.int64]:
        nonlocal at
        values = np.frombuffer(data, kind, count, at)
        at += values.nbytes
        return values.astype(np.int64)

    first = take("<u4", codes).astype(np.uint32)
    found = Peaks(at=take("<u4", peaks), hz=take("<u2", peaks))
    order = found.at * 65536 + found.hz
    if np.any(order[1:] <= order[:-1]):
        raise ValueError
    sweep = []
    for _ in range(sweeps):
        speed, count = _PART.unpack_from(data, at)
        at += _PART.size
        sweep.append((speed / 1000, take("<u4", count).astype(np.uint32)))
    return SoundPrint(milliseconds=milliseconds, codes=first, peaks=found, sweep=tuple(sweep))


def decode(file: BinaryIO, *, longest: float = LONGEST) -> Sound:
    """The first sound track of a file, mixed to mono.

    Args:
        longest: seconds of sound that are accepted, by what is decoded and not by what the header says.

    Raises:
        Invalid: `media.sound_unreadable`, `media.no_sound`, `media.sound_too_long`.
    """
    import av  # noqa: PLC0415 (in the decoding process alone: its wheel brings encoders under the GPL, see decision 0015)
    import av.error  # noqa: PLC0415 (the same)

    pieces: list[NDArray[np.int16]] = []
    complete, room = True, int(longest * RATE)
    try:
        with av.open(file, "r", metadata_errors="ignore", options={"format_whitelist": FORMATS}) as container:
            if not container.streams.audio:
                raise Invalid("media.no_sound")
            for piece in _resampled(container):
                room -= len(piece)
                if room < 0:
                    raise Invalid("media.sound_too_long", seconds=int(longest))
                pieces.append(piece)
    except (av.error.FFmpegError, ValueError) as error:
        if not pieces:
            raise Invalid("media.sound_unreadable") from error
        complete = False
    if not pieces:
        raise Invalid("media.sound_unreadable")
    return Sound(pcm=np.concatenate(pieces), complete=complete)


def _resampled(container: av.container.InputContainer) -> Iterator[NDArray[np.int16]]:
    """Pieces in order; a track that changes its form half-way gets a new resampler."""
    import av  # noqa: PLC0415 (as above)

    form, resampler = None, None
    for frame in container.decode(container.streams.audio[0]):
        if not 4_000 <= frame.sample_rate <= 768_000:
            raise Invalid("media.sound_unreadable")
        now = (frame.format.name, frame.layout.name, frame.sample_rate)
        if resampler is None or now != form:
            form, resampler = now, av.AudioResampler(format="s16", layout="mono", rate=RATE)
        frame.pts = None
        for made in resampler.resample(frame):
            yield made.to_ndarray()[0]
    if resampler is not None:
        for made in resampler.resample(None):
            yield made.to_ndarray()[0]


def fingerprint(pcm: NDArray[np.int16], *, query: bool = False) -> SoundPrint:
    """Fingerprint of mono sound of 11,025 samples a second.

    Args:
        query: also make the codes at other speeds, which only the side that looks up needs.
    """
    sweep = CODE_SPEEDS if query and len(pcm) <= SWEEP_LONGEST * RATE else ()
    return SoundPrint(
        milliseconds=len(pcm) * 1000 // RATE,
        codes=chromaprint.codes(pcm),
        peaks=landmarks.peaks(pcm),
        sweep=tuple((speed, chromaprint.codes(pcm, speed=speed)) for speed in sweep if speed != 1.0),
    )


def match(query: SoundPrint, reference: SoundPrint) -> tuple[Segment, ...]:
    """The parts that two sounds have in common, best first; none when they have nothing in common.

    `why` has `method` (`landmarks` or `chromaprint`), `speed` (the query's, 1.03 is 3 % too fast), `pitch` (the same
    as speed, or 1 for a change of tempo alone) and, by method, `agree` of `peaks` with `by_chance` (peaks that agree,
    out of how many, and how many would anyhow) or `error` over `codes` (share of bits that differ, codes compared).
    """
    return tuple(segment for _, segment in SoundIndex([(0, reference)]).search(query))


class SoundIndex:
    """References in memory, looked up by landmarks and by codes; made from rows and thrown away."""

    def __init__(self, prints: Iterable[tuple[int, SoundPrint]] = ()) -> None:
        self._pairs, self._codes = Postings(np.uint32), Postings(np.uint32)
        self._known: dict[int, tuple[int, SoundPrint]] = {}  # by the owner's number in the tables
        self._owners: dict[int, int] = {}
        self._next = 0
        self._add(prints)

    def add(self, number: int, print_: SoundPrint) -> None:
        """Found from now on; a number that is there is replaced."""
        self._add([(number, print_)])

    def _add(self, prints: Iterable[tuple[int, SoundPrint]]) -> None:
        fresh = []
        for number, print_ in prints:
            self.remove(number)
            self._owners[number] = self._next
            self._known[self._next] = (number, print_)
            fresh.append((self._next, print_))
            self._next += 1
        self._pairs.add((owner, *landmarks.pairs(each.peaks, fan=_REFERENCE_FAN)) for owner, each in fresh)
        self._codes.add((owner, each.codes >> np.uint32(_PREFIX), np.arange(len(each.codes))) for owner, each in fresh)

    def remove(self, number: int) -> None:
        """Not found from now on."""
        owner = self._owners.pop(number, None)
        if owner is not None:
            del self._known[owner]
            self._pairs.drop(owner)
            self._codes.drop(owner)

    def __len__(self) -> int:
        return len(self._known)

    def search(self, query: SoundPrint, *, limit: int = 20) -> tuple[tuple[int, Segment], ...]:
        """References with a part of the query, best first; one entry for each part.

        Of a query of hours that is mostly unknown, windows are looked up at other speeds only here and there.
        """
        found: list[tuple[int, Segment]] = []
        windows = _windows(query.milliseconds)
        for count, (since, until) in enumerate(windows):
            here = self._by_landmarks(query, since, until, swept=count % -(-len(windows) // _MOST_SWEPT) == 0)
            if not any(segment.score >= 0.3 for _, segment in here):
                here += self._by_codes(query, since, until)
            found += here
        return tuple(_merged(found)[:limit])

    def _by_landmarks(
        self, query: SoundPrint, since: int, until: int, *, swept: bool = True
    ) -> list[tuple[int, Segment]]:
        """At its own speed first; what most of the window is explained by so is not searched at others."""
        found = self._at_speeds(query, since, until, ((1.0, 1.0),))
        length = (min(until, query.milliseconds) - since) / 1000
        if swept and not any(segment.query.length >= _SETTLED * length for segment in found.values()):
            sweep = [(speed, speed) for speed in SPEEDS] + [(tempo, 1.0) for tempo in TEMPOS]
            for number, segment in self._at_speeds(query, since, until, sweep).items():
                if number not in found or _agree(found[number]) < _agree(segment):
                    found[number] = segment
        return list(found.items())

    def _at_speeds(
        self, query: SoundPrint, since: int, until: int, speeds: Iterable[tuple[float, float]]
    ) -> dict[int, Segment]:
        part = query.peaks.between(since, until)
        best: list[tuple[int, int, int, float, float]] = []
        for speed, pitch in speeds:
            keys, at = landmarks.pairs(part.mapped(speed=speed, pitch=pitch), fan=_QUERY_FAN)
            found_here = _votes(self._pairs, keys, at, cell=_OFFSET_CELL)
            best += [(*vote, speed, pitch) for vote in found_here[:_CANDIDATES]]
        best.sort(reverse=True)
        found: dict[int, Segment] = {}
        for votes, owner, offset, speed, pitch in best[: 2 * _CANDIDATES]:
            if votes < _LEAST_VOTES:
                break
            number, print_ = self._known[owner]
            segment = _explain(part, print_.peaks, offset, speed, pitch)
            if segment is not None and (number not in found or _agree(found[number]) < _agree(segment)):
                found[number] = segment
        return found

    def _by_codes(self, query: SoundPrint, since: int, until: int) -> list[tuple[int, Segment]]:
        for speed, codes in ((1.0, query.codes), *query.sweep):
            step = chromaprint.SECONDS * 1000 / speed
            first = round(since / step)
            part = codes[first : max(first, round(until / step))]
            found = self._codes_at(part, first, speed)
            if found:
                return found
        return []

    def _codes_at(self, codes: NDArray[np.uint32], first: int, speed: float) -> list[tuple[int, Segment]]:
        if len(np.unique(codes)) < _LEAST_DISTINCT:
            return []
        flips = np.concatenate([[0], 1 << np.arange(32 - _PREFIX)]).astype(np.uint32)
        keys = ((codes >> np.uint32(_PREFIX))[:, None] ^ flips).ravel()
        at = np.repeat(np.arange(len(codes)), len(flips))
        found = []
        for votes, owner, offset in _votes(self._codes, keys, at, cell=1)[:_CANDIDATES]:
            if votes >= _LEAST_VOTES:
                number, print_ = self._known[owner]
                tries = [_compare(codes, print_.codes, offset - back, first, speed) for back in (0, 1)]
                best = max((one for one in tries if one), key=lambda one: one.score, default=None)
                if best is not None:
                    found.append((number, best))
        return found


def _votes(
    postings: Postings, keys: NDArray[np.uint32], at: NDArray[np.int64], *, cell: int
) -> list[tuple[int, int, int]]:
    """For each owner that has any: votes of its best offset, the owner, the offset; most votes first."""
    which, owner, there = postings.find(keys, most=_COMMON)
    if not len(which):
        return []
    offset = (there - at[which]) // cell
    spots, counts = np.unique(owner * (1 << 32) + offset + (1 << 31), return_counts=True)
    after = np.append(np.where(spots[1:] == spots[:-1] + 1, counts[1:], 0), 0)
    total = counts + after
    order = np.argsort(-total, kind="stable")
    _, first = np.unique(spots[order] >> 32, return_index=True)
    best = order[np.sort(first)]
    offsets = ((spots[best] & 0xFFFFFFFF) - (1 << 31)) * cell + np.where(after[best] > 0, cell, cell // 2)
    return list(zip(total[best].tolist(), (spots[best] >> 32).tolist(), offsets.tolist(), strict=True))


def _agree(segment: Segment) -> float:
    return float(segment.why["agree"])


def _windows(milliseconds: int) -> list[tuple[int, int]]:
    if milliseconds <= _WINDOW + _WINDOW_STEP:
        return [(0, milliseconds + 1)]
    return [(since, since + _WINDOW) for since in range(0, milliseconds - _WINDOW + _WINDOW_STEP, _WINDOW_STEP)]


def _explain(query: Peaks, reference: Peaks, offset: int, speed: float, pitch: float) -> Segment | None:
    """The longest part in which the query's peaks lie on the reference's far more often than by chance."""
    mapped = query.mapped(speed=speed, pitch=pitch)
    hit = landmarks.explained(mapped, reference, offset)
    on = np.flatnonzero(hit >= 0)
    if len(on) < _LEAST_PEAKS:
        return None
    late = reference.at[hit[on]] - mapped.at[on]
    offset = int(np.median(late))
    hit = landmarks.explained(mapped, reference, offset)
    first, last = _densest(hit >= 0)
    on = first + np.flatnonzero(hit[first:last] >= 0)
    if len(on) < _LEAST_PEAKS:
        return None
    low, high = int(mapped.at[on[0]]), int(mapped.at[on[-1]])
    if high - low < _SHORTEST:
        return None
    part = mapped.between(low, high + 1)
    others = [np.count_nonzero(landmarks.explained(part, reference, offset + shift) >= 0) for shift in _SHIFTS]
    chance = float(np.median(others))
    least = _LEAST_SURPRISE if speed == 1.0 else _LEAST_SURPRISE_SWEPT
    if (len(on) - chance) / (chance + 1.0) ** 0.5 < least:
        return None
    return Segment(
        query=Span(start=int(query.at[on[0]]) / 1000, end=int(query.at[on[-1]]) / 1000),
        reference=Span(start=(low + offset) / 1000, end=(high + offset) / 1000),
        score=round(len(on) / len(part), 4),
        why={
            "method": "landmarks",
            "agree": len(on),
            "peaks": len(part),
            "by_chance": round(chance, 1),
            "speed": speed,
            "pitch": pitch,
        },
    )


def _densest(hit: NDArray[np.bool_]) -> tuple[int, int]:
    """From where to where peaks are explained: the run with the most beyond half of the best share near one place."""
    share = np.convolve(hit, np.ones(_NEAR_PEAKS) / _NEAR_PEAKS, "same").max()
    total = np.concatenate([[0.0], np.cumsum(hit - share / 2)])
    lowest = np.minimum.accumulate(total)
    end = int(np.argmax(total - lowest))
    return int(np.flatnonzero(total[: end + 1] == lowest[end])[-1]), end


def _compare(
    codes: NDArray[np.uint32], reference: NDArray[np.uint32], offset: int, first: int, speed: float
) -> Segment | None:
    """The longest run of codes with few bits that differ, code `n` against code `n + offset`."""
    low, high = max(0, -offset), min(len(codes), len(reference) - offset)
    if high - low < _LEAST_CODES:
        return None
    there = reference[low + offset : high + offset]
    differ = np.bitwise_count(codes[low:high] ^ there) / 32
    level = np.convolve(differ, np.ones(_SMOOTH_CODES) / _SMOOTH_CODES, "same")
    near = np.concatenate([[False], level <= 0.24, [False]])
    edges = np.flatnonzero(near[1:] != near[:-1])
    since, until = max(zip(edges[::2], edges[1::2], strict=True), key=lambda run: run[1] - run[0], default=(0, 0))
    count, error = int(until - since), float(differ[since:until].mean()) if until > since else 1.0
    bound = _MOST_ERROR if speed == 1.0 else _MOST_ERROR_SWEPT
    if count < _LEAST_CODES or error > bound or len(np.unique(there[since:until])) < _LEAST_DISTINCT:
        return None
    step = chromaprint.SECONDS
    return Segment(
        query=Span(
            start=round((low + since + first) * step / speed, 3),
            end=round(((low + until + first - 1) * step + chromaprint.REACH) / speed, 3),
        ),
        reference=Span(
            start=round((low + since + offset) * step, 3),
            end=round((low + until + offset - 1) * step + chromaprint.REACH, 3),
        ),
        score=round(1 - 2 * error, 4),
        why={"method": "chromaprint", "error": round(error, 4), "codes": count, "speed": speed, "pitch": speed},
    )


def _merged(found: list[tuple[int, Segment]]) -> list[tuple[int, Segment]]:
    """Neighbouring windows that continue each other become one part; best first."""
    done: list[tuple[int, Segment]] = []
    for number, segment in sorted(found, key=lambda one: (one[0], one[1].query.start)):
        last = done[-1][1] if done and done[-1][0] == number else None
        if last is not None and _continues(last, segment):
            done[-1] = (number, _joined(last, segment))
        else:
            done.append((number, segment))
    return sorted(done, key=lambda one: (-one[1].score, one[0], one[1].query.start))


def _continues(last: Segment, segment: Segment) -> bool:
    same = last.why["method"] == segment.why["method"] and last.why["speed"] == segment.why["speed"]
    shift = (segment.reference.start - segment.query.start) - (last.reference.start - last.query.start)
    slack = 1.5 + 0.01 * (segment.query.start - last.query.start)
    speed = float(last.why["speed"])
    drift = (speed - 1) * (segment.query.start - last.query.start)
    return same and abs(shift - drift) <= slack and segment.query.start <= last.query.end + 2 * _GAP / 1000


def _joined(last: Segment, segment: Segment) -> Segment:
    better = max(last, segment, key=lambda one: one.score)
    return replace(
        better,
        query=Span(start=last.query.start, end=max(last.query.end, segment.query.end)),
        reference=Span(start=last.reference.start, end=max(last.reference.end, segment.reference.end)),
    )
