"""What the decoding process does: files in, fingerprints and drawings out. Runs inside the cage, see `child`.

Loads every decoder; nothing else of the platform imports this.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any, BinaryIO

import av.logging
import cv2
import numpy as np
from PIL import Image

from chopmark.base.errors import Invalid
from chopmark.media import picture
from chopmark.media.fingerprint import MILLION, Code, Fingerprint
from chopmark.media.guard import HEAD, Limits, Sniffed, sniff

_SAMPLE = 128  # pixels


def warm_up() -> None:
    """Load what is loaded at the first use, while files can still be opened."""
    cv2.setNumThreads(1)
    av.logging.set_level(None)
    Image.init()
    pixels = np.random.default_rng(1).integers(0, 255, (_SAMPLE, _SAMPLE), np.uint8)
    for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"):
        data = BytesIO()
        Image.fromarray(pixels).save(data, form)
        found = picture.luma(data.getvalue())
        picture.query_codes(found)


def fingerprint(files: Sequence[BinaryIO], given: Mapping[str, Any], limits: Limits) -> bytes:
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
    return _MAKERS[found.kind](file, found, limits, query=bool(given["query"])).encode()


def _picture(file: BinaryIO, found: Sniffed, _limits: Limits, *, query: bool) -> Fingerprint:
    luma = picture.luma(file.read())
    codes = picture.query_codes(luma) if query else picture.reference_codes(luma)
    if not codes:
        picture.must_be_distinctive(luma)
    return Fingerprint(
        kind="picture",
        media_type=found.media_type,
        algorithm=picture.ALGORITHM,
        codes=tuple(code_of(each) for each in codes),
        facts={"width": luma.width, "height": luma.height, "format": luma.format, "sound": int(luma.sound)},
    )


def code_of(code: picture.Code, at: int = 0) -> Code:
    """A picture's code as it is kept; `at` milliseconds from a film's start."""
    region = code.region
    left, top, right, bottom = (
        min(max(round(each * MILLION), 0), MILLION) for each in (region.left, region.top, region.right, region.bottom)
    )
    return Code(
        bits=code.bits,
        quality=code.quality,
        region=region.name,
        box=(left, top, right, bottom),
        turn=code.turn,
        at=at,
    )


_MAKERS: Mapping[str, Callable[..., Fingerprint]] = {"picture": _picture}
OPERATIONS = {"fingerprint": fingerprint}
