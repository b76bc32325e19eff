"""Pictures, sounds and films made up for tests: each seed is another work, none is anybody's."""

from __future__ import annotations

from io import BytesIO

import av
import cv2
import numpy as np


def picture(seed: int, side: int = 480):
    """Coloured shapes on a coarse pattern: distinctive, with many corners."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (7, 9, 3)).astype(np.uint8)
    made = cv2.resize(coarse, (side * 4 // 3, side), interpolation=cv2.INTER_CUBIC)
    for _ in range(60):
        x, y, size = int(rng.integers(0, side * 4 // 3)), int(rng.integers(0, side)), int(rng.integers(8, side // 6))
        colour = tuple(int(each) for each in rng.integers(0, 255, 3))
        if rng.random() < 0.5:
            cv2.circle(made, (x, y), size, colour, -1)
        else:
            cv2.rectangle(made, (x, y), (x + size, y + size * 2 // 3), colour, -1)
    return made


def jpeg(pixels, quality: int = 85) -> bytes:
    """The file."""
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(pixels), [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return data.tobytes()


def png(pixels) -> bytes:
    """The file."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(pixels))
    assert done
    return data.tobytes()


def tune(seed: int, seconds: float = 20.0, rate: int = 11025):
    """Notes that come and go: mono, 16 bit."""
    rng = np.random.default_rng(seed)
    length = int(seconds * rate)
    made = np.zeros(length)
    at = 0.0
    while at < seconds - 0.3:
        lasts = float(rng.uniform(0.15, 0.5))
        note = 220 * 2 ** (rng.integers(0, 30) / 12)
        time = np.arange(int(lasts * rate)) / rate
        sound = sum(np.sin(2 * np.pi * note * k * time) / k for k in (1, 2, 3)) * np.exp(-3 * time / lasts)
        first = int(at * rate)
        room = made[first : first + len(sound)]
        room += sound[: len(room)]
        at += float(rng.uniform(0.1, 0.3))
    return (made / np.abs(made).max() * 20000).astype(np.int16)


def wav(samples, rate: int = 11025) -> bytes:
    """The file."""
    data = samples.astype("<i2").tobytes()
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += (1).to_bytes(2, "little") + (1).to_bytes(2, "little") + rate.to_bytes(4, "little")
    head += (2 * rate).to_bytes(4, "little") + (2).to_bytes(2, "little") + (16).to_bytes(2, "little")
    return head + b"data" + len(data).to_bytes(4, "little") + data


def film(seed: int, seconds: int = 8, *, side: int = 240, form: str = "mp4") -> bytes:
    """A scene a second and a half, panned over."""
    file = BytesIO()
    rate = 10
    with av.open(file, "w", format=form) as container:
        stream = container.add_stream("mpeg4", rate=rate, width=side * 4 // 3, height=side, bit_rate=2_000_000)
        for count in range(seconds * rate):
            scene = picture(seed * 1000 + count // 15, side)
            moved = np.roll(scene, 3 * (count % 15), axis=1)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(moved), format="bgr24").reformat(format="yuv420p")
            frame.pts = count
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return file.getvalue()
