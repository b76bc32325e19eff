"""Music made from numbers, and what is done to it before it is used by others. Seconds, 11,025 samples a second."""

from __future__ import annotations

import io

import av
import numpy as np

RATE = 11025


def song(seed: int, seconds: float = 40.0, *, tempo: float = 1.0) -> np.ndarray:
    """Voices, chords and drums; another seed is another piece, another tempo the same piece played faster."""
    chance = np.random.default_rng(seed)
    out = np.zeros(int(seconds / tempo * RATE) + RATE)
    scale = 220 * 2 ** (chance.choice(12) / 12) * 2 ** (np.array([0, 2, 3, 5, 7, 8, 10, 12, 14, 15]) / 12)
    beat = float(chance.uniform(0.24, 0.36))
    at = 0.0
    while at < seconds:
        for _ in range(int(chance.integers(1, 4))):
            _note(out, at / tempo, float(chance.choice(scale)) * 2.0 ** int(chance.integers(0, 3)), chance)
        if chance.random() < 0.6:
            _drum(out, at / tempo, chance)
        at += beat * float(chance.choice([0.5, 1, 1, 1.5]))
    out = out[: int(seconds / tempo * RATE)]
    return np.clip(out / (3 * out.std()) * 20000, -32000, 32000).astype(np.int16)


def _note(out, at, hz, chance) -> None:
    start, length = int(at * RATE), int(chance.uniform(0.3, 0.9) * RATE)
    time = np.arange(length) / RATE
    wave = sum(np.sin(2 * np.pi * hz * n * time + chance.uniform(0, 6)) / n**1.2 for n in range(1, 7) if hz * n < 5000)
    end = min(len(out), start + length)
    out[start:end] += (wave * np.exp(-3 * time))[: end - start]


def _drum(out, at, chance) -> None:
    start, length = int(at * RATE), RATE // 8
    end = min(len(out), start + length)
    out[start:end] += (chance.normal(0, 0.7, length) * np.exp(-np.arange(length) / 200))[: end - start]


def part(sound, start: float, seconds: float) -> np.ndarray:
    return sound[int(start * RATE) : int((start + seconds) * RATE)]


def noisy(sound, level: float = 1.0) -> np.ndarray:
    """With white noise, as loud as itself times `level`."""
    noise = np.random.default_rng(1).normal(0, level * sound.std(), len(sound))
    return np.clip((sound + noise) / 2, -32768, 32767).astype(np.int16)


def telephone(sound) -> np.ndarray:
    """Only what is between 300 and 3,400 Hz."""
    terms = np.fft.rfft(sound)
    hz = np.fft.rfftfreq(len(sound), 1 / RATE)
    terms[(hz < 300) | (hz > 3400)] = 0
    return np.clip(np.fft.irfft(terms, len(sound)), -32768, 32767).astype(np.int16)


def faster(sound, by: float) -> np.ndarray:
    """A record that turns too fast: pitch and tempo."""
    return np.interp(np.arange(0, len(sound) - 1, by), np.arange(len(sound)), sound).astype(np.int16)


def written(sound, kind: str = "wav", codec: str = "pcm_s16le") -> bytes:
    """The file that somebody would upload."""
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=RATE, layout="mono")
        for at in range(0, len(sound), 1024):
            frame = av.AudioFrame.from_ndarray(sound[None, at : at + 1024], format="s16", layout="mono")
            frame.rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
