"""The demo's works, made from numbers: a picture of a harbour, a song of half a minute, a short film, and a copy.

Every call makes the same pixels and samples; nobody else has a right in any of it. Nothing here asks for a home.
"""

from __future__ import annotations

import io
from collections.abc import Iterator

import av
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageOps

SIZE = (960, 640)
RATE = 11025  # samples a second
SONG = 36.0  # seconds
VIEWS, LASTS, PACE, SCREEN = 8, 24, 10, (320, 212)  # of the film: 24 frames each, 10 a second
WALLS = ("#8c4a3c", "#c98b4b", "#5d6d7e", "#b9a38a", "#7a5c61", "#4f6367", "#d0b084")
SAILS = ("#f4efe6", "#e8c7a0", "#c9564a", "#27506b")


def picture() -> bytes:
    """Boats before a town, as a JPEG of 960 x 640."""
    return _jpeg(_harbour(11), 90)


def copied_picture() -> bytes:
    """The same as a shop might show it: cut, mirrored, smaller, with the shop's words over it."""
    wide, high = SIZE
    cut = _harbour(11).crop((wide // 10, high // 12, wide - wide // 8, high - high // 10))
    turned = ImageOps.mirror(cut).resize((640, 448))
    draw = ImageDraw.Draw(turned)
    draw.rectangle((0, 404, 640, 448), fill="#f7f3ec")
    draw.text((18, 412), "shop-2291   harbour scarf   49.90", fill="#b03a2e", font_size=24)
    return _jpeg(turned, 72)


def sign() -> bytes:
    """The mark's picture: three waves in a ring, as a PNG."""
    image = Image.new("RGB", (1024, 1024), "white")
    draw = ImageDraw.Draw(image)
    draw.ellipse((56, 56, 968, 968), outline="#14395b", width=44)
    for row, colour in enumerate(("#14395b", "#2f76a8", "#7fb7d6")):
        for x in range(220, 805):
            y = 392 + 136 * row + 56 * np.sin((x - 220) / 584 * 4 * np.pi + row)
            draw.ellipse((x - 28, y - 28, x + 28, y + 28), fill=colour)
    image = image.resize((512, 512), Image.Resampling.LANCZOS)
    return _file(image, "PNG")


def song() -> bytes:
    """Chords, a melody and a drum, as FLAC."""
    chance = np.random.default_rng(7)
    out = np.zeros(int(SONG * RATE) + RATE)
    scale = 220 * 2 ** (np.array([0, 2, 4, 7, 9, 12, 14, 16, 19]) / 12)
    at = 0.0
    while at < SONG - 1:
        for hz in chance.choice(scale, int(chance.integers(1, 4)), replace=False):
            _note(out, at, float(hz) * float(chance.choice([0.5, 1, 2])), float(chance.uniform(0.4, 0.9)))
        if chance.random() < 0.6:
            knock = chance.normal(0, 0.6, RATE // 8) * np.exp(-np.arange(RATE // 8) / 180)
            out[int(at * RATE) :][: len(knock)] += knock
        at += 0.31 * float(chance.choice([0.5, 1, 1, 1.5]))
    samples = out[: int(SONG * RATE)]
    return _flac(np.clip(samples / (3 * samples.std()) * 20000, -32000, 32000).astype(np.int16))


def film() -> bytes:
    """Eight views of other harbours over which a camera moves, as MP4: 19 seconds."""
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=PACE, width=SCREEN[0], height=SCREEN[1], pix_fmt="yuv420p")
        stream.bit_rate = 1_200_000
        for number, view in enumerate(_views()):
            frame = av.VideoFrame.from_ndarray(view, format="rgb24").reformat(format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return data.getvalue()


# ---- what they are made of -------------------------------------------------------------------------------------------


def _harbour(seed: int) -> Image.Image:
    """Sky, hills, houses, water and boats; another seed is another place at another hour."""
    chance = np.random.default_rng(seed)
    wide, high = SIZE
    shore = int(high * chance.uniform(0.52, 0.6))
    image = Image.fromarray(_sky(chance, wide, high))
    draw = ImageDraw.Draw(image)
    for depth, colour in enumerate(("#6f7f95", "#4d5f74")):
        ridge = _curve(chance, wide, shore - 120 + 45 * depth, 60)
        draw.polygon([(0, shore), *enumerate(ridge), (wide, shore)], fill=colour)
    _houses(draw, chance, shore)
    image.paste(_water(image, chance, shore), (0, shore))
    draw = ImageDraw.Draw(image)
    for _ in range(5):
        _boat(draw, chance, int(chance.integers(60, wide - 120)), int(chance.integers(shore + 50, high - 30)))
    grain = chance.normal(0, 4, (high, wide, 1))
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def _sky(chance: np.random.Generator, wide: int, high: int) -> npt.NDArray[np.uint8]:
    top, low = chance.uniform((40, 60, 110), (70, 105, 165)), chance.uniform((225, 165, 120), (250, 205, 165))
    down = np.linspace(0, 1, high)[:, None, None] ** 0.8
    cloud = Image.fromarray(chance.integers(0, 255, (10, 8)).astype(np.uint8)).resize(
        (wide, high), Image.Resampling.BICUBIC
    )
    light = (np.asarray(cloud).astype(float)[:, :, None] - 128) * 0.18
    return np.clip(top * (1 - down) + low * down + light, 0, 255).astype(np.uint8)


def _curve(chance: np.random.Generator, wide: int, level: float, swing: float) -> list[float]:
    knots = level + chance.uniform(-swing, swing, 9)
    return [float(each) for each in np.interp(np.arange(wide), np.linspace(0, wide, 9), knots)]


def _houses(draw: ImageDraw.ImageDraw, chance: np.random.Generator, shore: int) -> None:
    left = 0
    while left < SIZE[0]:
        width, height = int(chance.integers(44, 96)), int(chance.integers(50, 150))
        top = shore - height
        draw.rectangle((left, top, left + width, shore), fill=str(chance.choice(WALLS)), outline="#2b2a2c")
        roof = [(left - 4, top), (left + width // 2, top - int(chance.integers(14, 40))), (left + width + 4, top)]
        draw.polygon(roof, fill="#5a2f2a", outline="#2b2a2c")
        for x in range(left + 8, left + width - 14, 20):
            for y in range(top + 10, shore - 18, 26):
                lit = "#ffd98a" if chance.random() < 0.5 else "#31404f"
                draw.rectangle((x, y, x + 9, y + 14), fill=lit, outline="#efe7da")
        left += width + int(chance.integers(0, 14))


def _water(image: Image.Image, chance: np.random.Generator, shore: int) -> Image.Image:
    """The shore upside down, paler, broken by ripples."""
    wide, high = SIZE
    depth = high - shore
    turned = ImageOps.flip(image.crop((0, max(0, shore - depth), wide, shore))).resize((wide, depth))
    mirrored = np.asarray(turned.filter(ImageFilter.GaussianBlur(2))).astype(float)
    ripples = np.empty_like(mirrored)
    for row in range(depth):
        ripples[row] = np.roll(mirrored[row], int((2 + row / 14) * np.sin(row * 0.9 + chance.uniform(0, 1))), axis=0)
    water = Image.fromarray(np.clip(ripples * 0.72 + np.array((10, 30, 48)), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(water)
    for _ in range(160):
        x, y, long = int(chance.integers(0, wide)), int(chance.integers(4, depth)), int(chance.integers(8, 46))
        draw.line((x, y, x + long, y), fill="#e9c9a4" if chance.random() < 0.5 else "#1d3a52", width=2)
    return water


def _boat(draw: ImageDraw.ImageDraw, chance: np.random.Generator, x: int, y: int) -> None:
    size = int(chance.integers(36, 78))
    draw.line((x, y, x, y - size * 2), fill="#2b2a2c", width=4)
    sail = str(chance.choice(SAILS))
    draw.polygon([(x + 5, y - 8), (x + 5, y - size * 2), (x + size, y - 12)], fill=sail, outline="#2b2a2c")
    draw.polygon(
        [(x - 5, y - 8), (x - 5, y - int(size * 1.6)), (x - size * 2 // 3, y - 12)], fill=sail, outline="#2b2a2c"
    )
    hull = [
        (x - size, y - 4),
        (x + size + 8, y - 4),
        (x + size * 2 // 3, y + size // 3),
        (x - size * 2 // 3, y + size // 3),
    ]
    draw.polygon(hull, fill=str(chance.choice(WALLS)), outline="#221f20")


def _views() -> Iterator[npt.NDArray[np.uint8]]:
    """The film's frames."""
    wide, high = SCREEN
    for number in range(VIEWS * LASTS):
        view, gone = divmod(number, LASTS)
        if gone == 0:
            place = np.asarray(_harbour(40 + view).resize((wide * 3 // 2, high * 3 // 2)))
        left, top = 40 + gone * 2, 30 + (gone if view % 2 else -gone)
        yield np.ascontiguousarray(place[top : top + high, left : left + wide])


def _note(out: npt.NDArray[np.float64], at: float, hz: float, lasts: float) -> None:
    time = np.arange(int(lasts * RATE)) / RATE
    wave = sum((np.sin(2 * np.pi * hz * n * time) / n**1.2 for n in range(1, 6)), start=np.zeros(len(time)))
    out[int(at * RATE) :][: len(time)] += wave * np.exp(-3 * time / lasts)


def _flac(samples: npt.NDArray[np.int16]) -> bytes:
    data = io.BytesIO()
    with av.open(data, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=RATE, layout="mono")
        for at in range(0, len(samples), 4096):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + 4096], format="s16", layout="mono")
            frame.rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return data.getvalue()


def _jpeg(image: Image.Image, quality: int) -> bytes:
    return _file(image, "JPEG", quality=quality)


def _file(image: Image.Image, form: str, **more: int) -> bytes:
    data = io.BytesIO()
    image.save(data, form, **more)
    return data.getvalue()
