"""Landmarks of a sound: the peaks of its spectrogram, and the pairs of them that are looked up.

    peaks(pcm) -> Peaks               where energy stands out from its surroundings, as milliseconds and hertz
    pairs(peaks, fan=, ...)           each peak with some that follow it: a key and the time of the first
    explained(query, reference, ...)  which peaks of one lie on peaks of the other when time and pitch are mapped so

Peaks outlive what is added to a sound (noise, voice, echo) and what is taken away (a telephone's band), because only
their places count. Speed and tempo are not searched here: they are a mapping of the same peaks, and the caller tries
several. Levels are compared with their surroundings in time and frequency, so an equaliser moves nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

RATE: Final = 11025
WINDOW: Final = 1024
HOP: Final = 256
PER_SECOND: Final = 20
"""Peaks kept of each second, the most prominent."""
LOWEST, HIGHEST = 80, 5000  # Hz

NEAR, FAR = 50, 1500  # milliseconds between the two peaks of a pair
APART: Final = 1000  # Hz between them, at most
CELL_HZ: Final = 16
CELL_MS: Final = 24
TOUCH_MS: Final = 35
TOUCH_HZ: Final = 12

_CHUNK = 60 * RATE // HOP  # frames worked on at once: a minute
_MARGIN = 2 * RATE // HOP
_FOLLOWERS = 48


@dataclass(frozen=True, slots=True, kw_only=True)
class Peaks:
    """Peaks in order of time, then of frequency.

    Attributes:
        at: milliseconds from the start.
        hz: frequency.
    """

    at: NDArray[np.int64]
    hz: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.at)

    def between(self, since: int, until: int) -> Peaks:
        """Those from `since` to before `until`, milliseconds."""
        low, high = np.searchsorted(self.at, [since, until])
        return Peaks(at=self.at[low:high], hz=self.hz[low:high])

    def mapped(self, *, speed: float, pitch: float) -> Peaks:
        """The same peaks as they were before the sound was made `speed` times faster and `pitch` times higher."""
        return Peaks(
            at=np.rint(self.at * speed).astype(np.int64),
            hz=np.rint(self.hz / pitch).astype(np.int64),
        )


def peaks(pcm: NDArray[np.int16]) -> Peaks:
    """The peaks of mono sound of 11,025 samples a second; none in silence and in less than a tenth of a second."""
    count = (len(pcm) - WINDOW) // HOP + 1 if len(pcm) >= WINDOW else 0
    found = [np.zeros((0, 3))]
    for start in range(0, count, _CHUNK):
        low, high = max(0, start - _MARGIN), min(count, start + _CHUNK + _MARGIN)
        part = _peaks_of(pcm[low * HOP : (high - 1) * HOP + WINDOW])
        part[:, 0] += low
        found.append(part[(part[:, 0] >= start) & (part[:, 0] < start + _CHUNK)])
    every = np.concatenate(found)
    at = np.rint((every[:, 0] * HOP + WINDOW / 2) * 1000 / RATE).astype(np.int64)
    hz = np.rint(every[:, 1] * RATE / WINDOW).astype(np.int64)
    keep = _prominent(at, every[:, 2])
    at, hz = at[keep], hz[keep]
    both = np.unique(np.stack([at, hz], axis=1), axis=0) if len(at) else np.zeros((0, 2), np.int64)
    return Peaks(at=both[:, 0], hz=both[:, 1])


def _peaks_of(pcm: NDArray[np.int16]) -> NDArray[np.float64]:
    """Rows of frame, bin and prominence; frame and bin with fractions."""
    first, last = LOWEST * WINDOW // RATE, HIGHEST * WINDOW // RATE
    frames = np.lib.stride_tricks.sliding_window_view(pcm, WINDOW)[::HOP]
    spectrum = np.fft.rfft(frames * np.hanning(WINDOW), axis=1)[:, first:last]
    level = np.log(np.abs(spectrum) + 8.0).astype(np.float32)  # 8: below it is the noise of 16 bits
    over = level - cv2.blur(level, (41, 43), borderType=cv2.BORDER_REFLECT)
    highest = cv2.dilate(over, np.ones((13, 9), np.uint8))  # 13 frames of 23 ms, 9 bins of 11 Hz
    inside = np.zeros(over.shape, bool)
    inside[1:-1, 1:-1] = (over[1:-1, 1:-1] >= highest[1:-1, 1:-1]) & (over[1:-1, 1:-1] > 0.7)
    frame, bin_ = np.nonzero(inside)
    return np.stack(
        [
            frame + _top(level[frame - 1, bin_], level[frame, bin_], level[frame + 1, bin_]),
            bin_ + first + _top(level[frame, bin_ - 1], level[frame, bin_], level[frame, bin_ + 1]),
            over[frame, bin_],
        ],
        axis=1,
    ).astype(np.float64)


def _top(before: NDArray[np.float32], here: NDArray[np.float32], after: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where between two neighbours a parabola through three points is highest, -0.5 to 0.5."""
    bend = before - 2 * here + after
    return np.clip(np.where(bend < -1e-6, (before - after) / np.where(bend < -1e-6, 2 * bend, 1), 0), -0.5, 0.5)


def _prominent(at: NDArray[np.int64], prominence: NDArray[np.float64]) -> NDArray[np.int64]:
    """The indices of the most prominent peaks of each second."""
    order = np.lexsort((-prominence, at // 1000))
    second = at[order] // 1000
    rank = np.arange(len(order)) - np.searchsorted(second, second)
    return order[rank < PER_SECOND]


def pairs(found: Peaks, *, fan: int) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Keys and the time of the first peak of each; a peak is paired with at most `fan` that follow it."""
    count = len(found)
    keys: list[NDArray[np.uint32]] = [np.zeros(0, np.uint32)]
    times: list[NDArray[np.int64]] = [np.zeros(0, np.int64)]
    taken = np.zeros(count, np.int64)
    for ahead in range(1, min(_FOLLOWERS, count - 1) + 1):
        gap = found.at[ahead:] - found.at[:-ahead]
        rise = found.hz[ahead:] - found.hz[:-ahead]
        fits = (gap >= NEAR) & (gap < FAR) & (np.abs(rise) < APART) & (taken[: count - ahead] < fan)
        taken[: count - ahead] += fits
        first = found.hz[:-ahead][fits] // CELL_HZ
        second = found.hz[ahead:][fits] // CELL_HZ
        keys.append(((first << 15) | ((second - first + 128) << 7) | (gap[fits] // CELL_MS)).astype(np.uint32))
        times.append(found.at[:-ahead][fits])
    return np.concatenate(keys), np.concatenate(times)


def explained(query: Peaks, reference: Peaks, offset: int) -> NDArray[np.int64]:
    """For each peak of the query the index of the peak of the reference that it lies on, or -1.

    Args:
        query: mapped to the reference's speed and pitch.
        offset: milliseconds of the reference at which the query begins.
    """
    hit = np.full(len(query), -1, np.int64)
    if not len(reference):
        return hit
    wide = np.int64(1 << 14)
    places = reference.at * wide + reference.hz
    near = np.full(len(query), TOUCH_MS + 1)
    low = np.searchsorted(reference.at, query.at + offset - TOUCH_MS)
    for ahead in range(8):
        index = np.minimum(low + ahead, len(places) - 1)
        late = np.abs(reference.at[index] - query.at - offset)
        off = np.abs(reference.hz[index] - query.hz)
        better = (low + ahead < len(places)) & (off <= TOUCH_HZ) & (late <= TOUCH_MS) & (late < near)
        hit[better], near[better] = index[better], late[better]
    return hit
