"""What the decoding process does: files in, fingerprints and drawings out. Runs inside the cage, see `child`.

Loads every decoder; nothing else of the platform imports this.
"""

from __future__ import annotations

import importlib
import os
import pkgutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.logging
import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from chopmark.base import cbor
from chopmark.base.errors import Invalid
from chopmark.media import audio, decode, features, iscc, picture, shortlist, sketch, text, video
from chopmark.media.fingerprint import MILLION, Code, Fingerprint, Print
from chopmark.media.guard import HEAD, Limits, Sniffed, sniff, text_of
from chopmark.media.learned import Model
from chopmark.media.match import overlap
from chopmark.media.shown import FORMS, Frame

_SAMPLE = 128  # pixels
_SKETCHED = 8  # pictures sketched together
_WIDE = 4_000_000  # pixels of brightness that wait for that
MOST_FILM_CODES = 20_000
"""Codes of one film in the index; a longer one has fewer of each minute."""
SHOWN = 32
"""Frames of a film, at least, that its ISCC is made of."""
STILL = 8
"""Bits by which a frame must differ from the one before to be kept."""


def operations(model: str) -> Mapping[str, Callable[[Sequence[BinaryIO], Mapping[str, Any], Limits], bytes]]:
    """What can be asked for, ready to be done in the cage.

    Args:
        model: SHA-256 and path of a learned model (`learned`), a colon between; empty for none.

    Raises:
        Invalid: `media.model_wrong`.
    """
    warm_up()
    digest, _, path = model.partition(":")
    loaded = Model(Path(path), digest) if model else None
    if loaded is not None:
        data = BytesIO()
        Image.fromarray(np.eye(_SAMPLE, dtype=np.uint8)).save(data, "PNG")
        loaded.describe(data.getvalue())
    return {
        "fingerprint": partial(fingerprint, model=loaded),
        "drawing": drawing,
        "brightness": brightness,
        "shown": shown,
        "sketches": sketches,
        "closely": closely,
    }


def warm_up() -> None:
    """Load what is loaded at the first use, while files can still be opened: make and read one file of each kind."""
    cv2.setNumThreads(1)
    av.logging.set_level(None)
    Image.init()
    for each in pkgutil.walk_packages(av.__path__, "av."):
        if not each.name.endswith("__main__"):
            importlib.import_module(each.name)
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 255, (_SAMPLE, _SAMPLE), np.uint8)
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
        data = BytesIO()
        Image.fromarray(pixels).save(data, form)
        found = picture.luma(data.getvalue(), least=features.DECODED)
        picture.query_codes(picture.of_pixels(found.pixels))
        if form in FORMS:
            decode.shown(data.getvalue(), Frame(width=_SAMPLE // 2, height=_SAMPLE))
        sketch.sketch_of(picture.of_pixels(found.pixels))
    overlap(features.of_query(found), features.local(found))
    for coding in ("utf-8", "utf-16", "gb18030"):
        text_of("温 Warm".encode(coding))
    text.fingerprint("one two three four five six seven eight nine ten " * 3)
    iscc.text_code("Warm")
    noise = rng.integers(-9999, 9999, 5 * audio.RATE).astype(np.int16)
    for query in (False, True):
        for form, make in (("wav", _sound), ("mp4", _film)):
            sniffed = Sniffed(kind="video", media_type="video/mp4")
            try:
                make(_sample(form, pixels, noise), sniffed, Limits(), query=query)
            except Invalid as error:
                if not error.code.endswith("_not_distinctive"):
                    raise


def _sample(form: str, pixels: npt.NDArray[np.uint8], noise: npt.NDArray[np.int16]) -> BytesIO:
    """Five seconds of noise, with pictures where the form has any."""
    file = BytesIO()
    with av.open(file, "w", format=form) as container:
        sound = container.add_stream("pcm_s16le" if form == "wav" else "aac", rate=audio.RATE, layout="mono")
        film = container.add_stream("mpeg4", rate=1, width=_SAMPLE, height=_SAMPLE) if form != "wav" else None
        for at in range(0, len(noise), 1024):
            frame = av.AudioFrame.from_ndarray(noise[None, at : at + 1024], format="s16", layout="mono")
            frame.rate, frame.pts = audio.RATE, at
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
        if film is not None:
            for count in range(5):
                shown = av.VideoFrame.from_ndarray(np.roll(pixels, 9 * count), format="gray").reformat(format="yuv420p")
                shown.pts = count
                container.mux(film.encode(shown))
            container.mux(film.encode(None))
    file.seek(0)
    return file


def fingerprint(
    files: Sequence[BinaryIO], given: Mapping[str, Any], limits: Limits, model: Model | None = None
) -> bytes:
    """The fingerprint of one file; `given.query` for what is looked up with it, else for what is kept.

    Raises:
        Invalid: `media.empty`, `media.too_large`, `media.format_unknown`, `media.not_distinctive`; what the decoders
            raise.
    """
    [file] = files
    size = os.fstat(file.fileno()).st_size
    if size > limits.size:
        raise Invalid("media.too_large", size=size, most=limits.size)
    head = file.read(HEAD)
    file.seek(0)
    found = sniff(head)
    made = _MAKERS[found.kind](file, found, limits, query=bool(given["query"]))
    file.seek(0)
    if model is not None and made.kind == "picture":
        resembled = Print(name="learned", data=shortlist.encode(model.name, model.describe(file.read())))
        made = replace(made, prints=(*made.prints, resembled))
        file.seek(0)
    return replace(made, iscc=iscc.composite(made.iscc, *iscc.file_codes(file)) if made.iscc else "").encode()


def drawing(files: Sequence[BinaryIO], given: Mapping[str, Any], limits: Limits) -> bytes:
    """A PNG of a query beside its reference with what agrees; empty when the two do not overlap.

    Raises:
        Invalid: what the decoders raise.
    """
    del given, limits
    asked, kept = (picture.luma(file.read(), least=features.DECODED) for file in files)
    found = overlap(features.of_query(asked), features.local(kept))
    return b"" if found is None else features.drawing(asked, kept, found)


def brightness(files: Sequence[BinaryIO], given: Mapping[str, Any], limits: Limits) -> bytes:
    """A picture's luma, scaled down so that no side exceeds `given.side`: rows and columns in 2 bytes each, pixels.

    Raises:
        Invalid: `media.too_large`; what the decoder raises.
    """
    [file] = files
    size = os.fstat(file.fileno()).st_size
    if size > limits.size:
        raise Invalid("media.too_large", size=size, most=limits.size)
    return _bright(file.read(), int(given["side"]))


def _bright(data: bytes, side: int) -> bytes:
    pixels = picture.luma(data, least=side).pixels
    scale = side / max(pixels.shape)
    if scale < 1:
        to = (max(1, round(pixels.shape[1] * scale)), max(1, round(pixels.shape[0] * scale)))
        pixels = cv2.resize(pixels, to, interpolation=cv2.INTER_AREA).astype(np.uint8)
    rows, columns = pixels.shape
    shape: bytes = rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    return shape + pixels.tobytes()


def shown(files: Sequence[BinaryIO], given: Mapping[str, Any], limits: Limits) -> bytes:
    """A picture's pixels for a page, as `shown.Pixels` are said; `given` is a `Frame`.

    Raises:
        Invalid: `media.too_large`; what the decoder raises.
    """
    [file] = files
    size = os.fstat(file.fileno()).st_size
    if size > limits.size:
        raise Invalid("media.too_large", size=size, most=limits.size)
    return decode.shown(file.read(), Frame(**given)).encode()


def sketches(files: Sequence[BinaryIO], given: Mapping[str, Any], limits: Limits) -> bytes:
    """Sketches of pictures that lie one behind the other, of `given.sizes` bytes: CBOR, for each its bytes or why not.

    One file that is no picture, or a damaged one, spoils no other; one that kills its decoder spoils the whole answer,
    and who asks then asks for each alone.
    """
    [file] = files
    made: list[bytes | str] = []
    some: dict[int, picture.Luma] = {}
    for place, size in enumerate(given["sizes"]):
        made.append(b"")
        try:
            some[place] = _luma(file.read(int(size)), limits)
        except Invalid as error:
            made[place] = error.code
        if len(some) == _SKETCHED or sum(each.pixels.size for each in some.values()) > _WIDE:
            _sketch(some, made)
    _sketch(some, made)
    return cbor.encode(made)


def closely(files: Sequence[BinaryIO], given: Mapping[str, Any], limits: Limits) -> bytes:
    """What local features and logos are found by, of pictures that lie one behind the other, of `given.sizes` bytes.

    CBOR, for each: its local features as it is and mirrored (both empty where it is too plain), and its brightness
    with sides up to `given.side` (empty for 0); or why not. As with `sketches`, one that kills its decoder spoils all.
    """
    [file] = files
    made: list[list[bytes] | str] = []
    for size in given["sizes"]:
        data = file.read(int(size))
        try:
            near = _near(_luma(data, limits, least=features.DECODED))
            made.append([*near, _bright(data, int(given["side"])) if given["side"] else b""])
        except Invalid as error:
            made.append(error.code)
    return cbor.encode(made)


def _near(luma: picture.Luma) -> tuple[bytes, bytes]:
    plain, mirrored = features.of_query(luma)
    try:
        picture.must_be_distinctive(picture.of_pixels(luma.pixels), features=len(plain))
    except Invalid:
        return b"", b""
    return plain.encode(), mirrored.encode()


def _luma(data: bytes, limits: Limits, least: int = decode.LEAST) -> picture.Luma:
    if len(data) > limits.size:
        raise Invalid("media.too_large", size=len(data), most=limits.size)
    if sniff(data[:HEAD]).kind != "picture":
        raise Invalid("media.picture_unknown")
    return picture.luma(data, least=least)


def _sketch(some: dict[int, picture.Luma], made: list[bytes | str]) -> None:
    """Decoded first and sketched together: what the processor does several times in a row it does faster."""
    for place, each in zip(some, sketch.sketches_of(list(some.values())), strict=True):
        made[place] = each.encode()
    some.clear()


def _picture(file: BinaryIO, found: Sniffed, _limits: Limits, *, query: bool) -> Fingerprint:
    luma = picture.luma(file.read(), least=features.DECODED)
    small = picture.of_pixels(luma.pixels)
    codes = picture.query_codes(small) if query else picture.reference_codes(small)
    near = features.of_query(luma) if query else (features.local(luma),)
    picture.must_be_distinctive(small, features=len(near[0]))
    return Fingerprint(
        kind="picture",
        media_type=found.media_type,
        algorithm=f"{picture.ALGORITHM}+{features.ALGORITHM}",
        codes=tuple(code_of(each) for each in codes),
        prints=tuple(
            Print(name=name, data=each.encode()) for name, each in zip(("plain", "mirrored"), near, strict=False)
        ),
        iscc=iscc.picture_code(luma.pixels),
        facts={"width": luma.width, "height": luma.height, "format": luma.format, "sound": int(luma.sound)},
    )


def _sound(file: BinaryIO, found: Sniffed, limits: Limits, *, query: bool) -> Fingerprint:
    sound = audio.decode(file, longest=limits.duration)
    made = audio.fingerprint(sound.pcm, query=query)
    if not made.distinctive:
        raise Invalid("media.sound_not_distinctive")
    return Fingerprint(
        kind="audio",
        media_type=found.media_type.replace("video/", "audio/"),
        algorithm=audio.ALGORITHM,
        prints=(Print(name="sound", data=made.encode()),),
        iscc=iscc.sound_code(made.codes),
        facts={"milliseconds": made.milliseconds, "sound": int(sound.complete)},
    )


def _film(file: BinaryIO, found: Sniffed, limits: Limits, *, query: bool) -> Fingerprint:
    """Its frames and its sound track; a container without moving pictures is a sound."""
    shown: list[picture.Gray] = []
    try:
        frames = video.frames(file, query=query, longest=limits.duration)
        made = video.fingerprint(_watched(frames, shown), query=query)
    except Invalid as error:
        if error.code != "media.no_film":
            raise
        file.seek(0)
        return _sound(file, found, limits, query=query)
    file.seek(0)
    try:
        heard = _sound(file, found, limits, query=query).prints
    except Invalid:  # silent, or a track that cannot be read: the pictures are found without it
        heard = ()
    if not made.distinctive and not heard:
        raise Invalid("media.film_not_distinctive")
    return Fingerprint(
        kind="video",
        media_type=found.media_type,
        algorithm=f"{video.ALGORITHM}+{audio.ALGORITHM}" if heard else video.ALGORITHM,
        codes=_film_codes(made),
        prints=(Print(name="film", data=made.encode()), *heard),
        iscc=iscc.film_code(shown),
        facts={"milliseconds": made.milliseconds, "frames": made.frames},
    )


def _watched(frames: Iterable[video.Frame], shown: list[picture.Gray]) -> Iterator[video.Frame]:
    """The same frames; some of them, spread over the whole film, are kept for its ISCC."""
    step = 1
    for count, frame in enumerate(frames):
        if count % step == 0:
            shown.append(frame.pixels)
            if len(shown) >= 2 * SHOWN:
                del shown[1::2]
                step *= 2
        yield frame


def _text(file: BinaryIO, found: Sniffed, _limits: Limits, *, query: bool) -> Fingerprint:
    del query
    read = text_of(file.read())
    made = text.fingerprint(read)
    if not made.distinctive:
        raise Invalid("media.text_not_distinctive")
    return Fingerprint(
        kind="text",
        media_type=found.media_type,
        algorithm=text.ALGORITHM,
        prints=(Print(name="text", data=made.encode()),),
        iscc=iscc.text_code(read),
        facts={"characters": len(read)},
    )


def _film_codes(made: video.FilmPrint) -> tuple[Code, ...]:
    """Rows of its print, without those that repeat what was just before: most of a still scene is one picture."""
    last: dict[tuple[int, int], int] = {}
    kept: list[Code] = []
    for row in made.rows:
        bits = row["bits"].tobytes()
        key, number = (int(row["region"]), int(row["turn"])), int.from_bytes(bits)
        if key in last and (last[key] ^ number).bit_count() <= STILL:
            continue
        last[key] = number
        region = made.regions[key[0]]
        code = picture.Code(bits, int(row["quality"]), region, key[1])
        kept.append(code_of(code, int(row["at"])))
    step = -(-len(kept) // MOST_FILM_CODES) or 1
    return tuple(kept[::step])


def code_of(code: picture.Code, at: int = 0) -> Code:
    """A picture's code as it is kept; `at` milliseconds from a film's start."""
    region = code.region
    left, top, right, bottom = (
        min(max(round(each * MILLION), 0), MILLION) for each in (region.left, region.top, region.right, region.bottom)
    )
    return Code(
        bits=code.bits,
        quality=min(code.quality, 100),
        region=region.name,
        box=(left, top, right, bottom),
        turn=code.turn,
        at=at,
    )


_MAKERS: Mapping[str, Callable[..., Fingerprint]] = {
    "picture": _picture,
    "audio": _sound,
    "video": _film,
    "text": _text,
}
