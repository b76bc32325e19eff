"""Chromaprint (the AcoustID fingerprint, algorithm 2) computed here: 32 bits for every 0.124 s of sound.

    codes(pcm)                 what `fpcalc -raw -length 0` prints for the same samples
    codes(pcm, speed=1.03)     the same for sound that runs 3 % too fast, pitch and tempo

No library and no program is needed, so it also runs where a child process may start nothing.
The numbers in `_STEPS` are the published constants of the format; another number is another format.
Sound is mono, 16 bit, 11,025 samples a second; this module decodes and resamples nothing.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 11025
FRAME: Final = 4096
STEP: Final = FRAME // 3
SECONDS: Final = STEP / RATE
"""From one code to the next."""
REACH: Final = (FRAME + 19 * STEP) / RATE
"""Seconds of sound that one code looks at."""

_LOWEST, _HIGHEST = 28, 3520  # Hz
_BASE = 440.0 / 16.0
_SMOOTH = np.array([0.25, 0.75, 1.0, 0.75, 0.25])
_WIDEST = 16
_GRAY = np.array([0, 1, 3, 2], np.uint32)
_AT_ONCE = 1024  # frames

# kind of rectangle, first note, notes, frames, the three borders of the four values
_STEPS: Final = (
    (0, 4, 3, 15, 1.98215, 2.35817, 2.63523),
    (4, 4, 6, 15, -1.03809, -0.651211, -0.282167),
    (1, 0, 4, 16, -0.298702, 0.119262, 0.558497),
    (3, 8, 2, 12, -0.105439, 0.0153946, 0.135898),
    (3, 4, 4, 8, -0.142891, 0.0258736, 0.200632),
    (4, 0, 3, 5, -0.826319, -0.590612, -0.368214),
    (1, 2, 2, 9, -0.557409, -0.233035, 0.0534525),
    (2, 7, 3, 4, -0.0646826, 0.00620476, 0.0784847),
    (2, 6, 2, 16, -0.192387, -0.029699, 0.215855),
    (2, 1, 3, 2, -0.0397818, -0.00568076, 0.0292026),
    (5, 10, 1, 15, -0.53823, -0.369934, -0.190235),
    (3, 6, 2, 10, -0.124877, 0.0296483, 0.139239),
    (2, 1, 1, 14, -0.101475, 0.0225617, 0.231971),
    (3, 5, 6, 4, -0.0799915, -0.00729616, 0.063262),
    (1, 9, 2, 12, -0.272556, 0.019424, 0.302559),
    (3, 4, 2, 14, -0.164292, -0.0321188, 0.0846339),
)


def codes(pcm: NDArray[np.int16], *, speed: float = 1.0) -> NDArray[np.uint32]:
    """One code for every third of a frame; none for less than 2.7 s of sound.

    Args:
        pcm: mono, 11,025 samples a second.
        speed: how much faster than the original it runs; frames are shortened by it and notes lowered, so that the
            codes are those of the original.
    """
    image = _level(_smoothed(_chroma(pcm, speed)))
    count = len(image) - _WIDEST + 1
    if count <= 0:
        return np.zeros(0, np.uint32)
    sums = np.zeros((len(image) + 1, 13))
    np.cumsum(np.cumsum(image, axis=0), axis=1, out=sums[1:, 1:])
    found = np.zeros(count, np.uint32)
    for kind, note, notes, frames, *borders in _STEPS:
        more, less = _areas(sums, count, (kind, note, notes, frames))
        value = np.log((1.0 + more) / (1.0 + less))
        found = (found << np.uint32(2)) | _GRAY[np.searchsorted(borders, value, side="right")]
    return found


def _chroma(pcm: NDArray[np.int16], speed: float) -> NDArray[np.float64]:
    """Energy of the twelve notes in each frame."""
    size = round(FRAME / speed)
    step = STEP / speed
    count = 0 if len(pcm) < size else int((len(pcm) - size) / step) + 1
    starts = np.floor(np.arange(count) * step).astype(np.int64)
    window = np.hamming(size) / 32767.0 * (FRAME / size)
    first, last = max(1, round(_LOWEST * FRAME / RATE)), round(_HIGHEST * FRAME / RATE)
    octave = np.log2(np.arange(first, last) * RATE / FRAME / _BASE)
    to_notes = np.zeros((last - first, 12))
    to_notes[np.arange(last - first), (12 * (octave - np.floor(octave))).astype(np.int64)] = 1.0
    notes = np.zeros((count, 12))
    views = np.lib.stride_tricks.sliding_window_view(pcm, size) if count else pcm
    for at in range(0, count, _AT_ONCE):
        spectrum = np.fft.rfft(views[starts[at : at + _AT_ONCE]] * window, axis=1)[:, first:last]
        notes[at : at + _AT_ONCE] = (spectrum.real**2 + spectrum.imag**2) @ to_notes
    return notes


def _smoothed(notes: NDArray[np.float64]) -> NDArray[np.float64]:
    count = len(notes) - len(_SMOOTH) + 1
    if count <= 0:
        return np.zeros((0, 12))
    total = np.zeros((count, 12))
    for at, weight in enumerate(_SMOOTH):
        total += notes[at : at + count] * weight
    return total


def _level(notes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Each frame of length one; silence stays zero."""
    length = np.sqrt((notes * notes).sum(axis=1, keepdims=True))
    return np.where(length < 0.01, 0.0, notes / np.maximum(length, 0.01))


def _areas(
    sums: NDArray[np.float64], count: int, rectangle: tuple[int, int, int, int]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The sums over the two parts of a rectangle at every place, by the six ways of parting it."""

    def area(since: int, low: int, until: int, high: int) -> NDArray[np.float64]:
        rows = sums[:, high] - sums[:, low]
        found: NDArray[np.float64] = rows[until : until + count] - rows[since : since + count]
        return found

    kind, note, notes, frames = rectangle
    end, top = frames, note + notes
    if kind == 0:
        return area(0, note, end, top), np.zeros(count)
    if kind == 1:
        middle = note + notes // 2
        return area(0, middle, end, top), area(0, note, end, middle)
    if kind == 2:
        half = frames // 2
        return area(half, note, end, top), area(0, note, half, top)
    if kind == 3:
        half, middle = frames // 2, note + notes // 2
        return (
            area(0, middle, half, top) + area(half, note, end, middle),
            area(0, note, half, middle) + area(half, middle, end, top),
        )
    if kind == 4:
        third = notes // 3
        low, high = note + third, note + 2 * third
        return area(0, low, end, high), area(0, note, end, low) + area(0, high, end, top)
    third = frames // 3
    return area(third, note, 2 * third, top), area(0, note, third, top) + area(2 * third, note, end, top)
