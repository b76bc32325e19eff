"""Films made from numbers, and what is done to them before they are used by others."""

from __future__ import annotations

import io

import av
import cv2
import numpy as np

FPS = 8
SIZE = (320, 180)


def film(seed: int, seconds: float = 20.0) -> list[np.ndarray]:
    """Frames: every few seconds another scene, over which the camera moves; another seed is another film."""
    chance = np.random.default_rng(seed)
    frames: list[np.ndarray] = []
    while len(frames) < seconds * FPS:
        scene = _scene(chance)
        ahead, down = chance.uniform(-60, 60, 2)
        for step in np.linspace(0, 1, int(chance.uniform(2.5, 4.5) * FPS)):
            x, y = int(80 + ahead * step), int(80 + down * step)
            frames.append(scene[y : y + SIZE[1], x : x + SIZE[0]].copy())
    return frames[: int(seconds * FPS)]


def _scene(chance) -> np.ndarray:
    wide, high = SIZE[0] + 160, SIZE[1] + 160
    rough = chance.normal(0, 1, (high, wide)).astype(np.float32)
    picture = sum(cv2.GaussianBlur(rough * chance.uniform(0.6, 1.4), (0, 0), sigma) * sigma for sigma in (3, 12, 40))
    picture = cv2.normalize(picture, None, 20, 235, cv2.NORM_MINMAX).astype(np.uint8)
    for _ in range(9):
        at = (int(chance.integers(0, wide)), int(chance.integers(0, high)))
        gray = int(chance.integers(0, 256))
        if chance.random() < 0.5:
            cv2.circle(picture, at, int(chance.integers(10, 60)), gray, -1)
        else:
            corner = (at[0] + int(chance.integers(20, 120)), at[1] + int(chance.integers(20, 120)))
            cv2.rectangle(picture, at, corner, gray, -1)
    return picture


def excerpt(frames, start: float, seconds: float) -> list[np.ndarray]:
    return frames[int(start * FPS) : int((start + seconds) * FPS)]


def letterboxed(frames) -> list[np.ndarray]:
    return [cv2.copyMakeBorder(each, 45, 45, 0, 0, cv2.BORDER_CONSTANT, value=0) for each in frames]


def cropped(frames, share: float) -> list[np.ndarray]:
    """Without `share` of each side."""
    across, down = int(SIZE[0] * share), int(SIZE[1] * share)
    return [each[down : SIZE[1] - down, across : SIZE[0] - across] for each in frames]


def inlaid(frames, over, scale: float = 0.45) -> list[np.ndarray]:
    """In the corner of another film."""
    done = []
    for each, other in zip(frames, over, strict=False):
        small = cv2.resize(each, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        whole = other.copy()
        whole[12 : 12 + small.shape[0], 20 : 20 + small.shape[1]] = small
        done.append(whole)
    return done


def captioned(frames) -> list[np.ndarray]:
    done = []
    for each in frames:
        whole = each.copy()
        whole[-30:] = 250
        cv2.putText(whole, "SALE 50%", (40, SIZE[1] - 8), cv2.FONT_HERSHEY_SIMPLEX, 0.8, 0, 2)
        done.append(whole)
    return done


def written(frames, kind: str = "mp4", codec: str = "mpeg4", *, quality: int = 2_000_000) -> bytes:
    """The file that somebody would upload."""
    out = io.BytesIO()
    with av.open(out, "w", format=kind) as container:
        high, wide = frames[0].shape
        stream = container.add_stream(codec, rate=FPS, width=wide // 2 * 2, height=high // 2 * 2)
        stream.pix_fmt, stream.bit_rate = "yuv420p", quality
        for number, each in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(
                np.ascontiguousarray(each[: high // 2 * 2, : wide // 2 * 2]), format="gray"
            ).reformat(format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()
