"""ISCC (ISO 24138:2024): the identifier of a work that any other implementation can recompute. Not a search key.

    text_code(text)  picture_code(luma)  sound_code(codes)  film_code(frames)      what it is like (Content-Code)
    file_codes(file)                                                               what its bytes are (Data, Instance)
    composite(content, data, instance)                                             the ISCC-CODE of all

The coding is `iscc-lib`'s, which passes the standard's vectors. What goes in is normalised here: text as the standard
says; a picture from this platform's luma, 32 by 32, so a decoder elsewhere may give a code some bits away, as the
standard allows; sound from Chromaprint, as the standard says.
A film gets a Mixed-Code of Image-Codes of its frames: the standard's Video-Code needs MPEG-7 frame signatures, for
which no free implementation can be used here. `video_code` codes signatures that somebody else made.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import BinaryIO, Final

import iscc_lib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from chopmark.media.decode import Gray

_PART: Final = 1 << 20
_MOST_FRAMES: Final = 32
_SIDE: Final = 32


def text_code(text: str, *, bits: int = 256) -> str:
    """Text-Code of a plain text."""
    return str(iscc_lib.gen_text_code_v0(iscc_lib.text_clean(text), bits).iscc)


def picture_code(pixels: Gray, *, bits: int = 256) -> str:
    """Image-Code of a picture's brightness (`media.picture.luma(...).pixels`), upright, transparent places white."""
    small = Image.fromarray(pixels).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
    return str(iscc_lib.gen_image_code_v0(small.tobytes(), bits).iscc)


def sound_code(codes: NDArray[np.uint32], *, bits: int = 256) -> str:
    """Audio-Code of Chromaprint codes (`SoundPrint.codes`)."""
    return str(iscc_lib.gen_audio_code_v0(codes.astype(np.uint32).view(np.int32).tolist(), bits).iscc)


def film_code(frames: Sequence[Gray], sound: NDArray[np.uint32] | None = None, *, bits: int = 256) -> str:
    """Mixed-Code of a film: of up to 32 of its frames, spread evenly, and of its sound track where it has one.

    A film of one frame and no sound has that frame's Image-Code.
    """
    step = max(1, -(-len(frames) // _MOST_FRAMES))
    parts = [picture_code(frame, bits=256) for frame in frames[::step]]
    if sound is not None and len(sound):
        parts.append(sound_code(sound, bits=256))
    if len(parts) == 1:
        return parts[0]
    return str(iscc_lib.gen_mixed_code_v0([_bare(part) for part in parts], bits).iscc)


def video_code(signatures: Sequence[Sequence[int]], *, bits: int = 256) -> str:
    """Video-Code of MPEG-7 frame signatures (ISO/IEC 15938-3, 380 values each) that were made elsewhere."""
    return str(iscc_lib.gen_video_code_v0(signatures, bits).iscc)


def file_codes(file: BinaryIO, *, bits: int = 256) -> tuple[str, str]:
    """Data-Code and Instance-Code of what is left of a file, in one pass."""
    data, instance = iscc_lib.DataHasher(), iscc_lib.InstanceHasher()
    while part := file.read(_PART):
        data.update(part)
        instance.update(part)
    return str(data.finalize(bits).iscc), str(instance.finalize(bits).iscc)


def composite(content: str, data: str, instance: str) -> str:
    """The ISCC-CODE of the three units, `ISCC:` and base32; without content (empty) it is of the bytes alone."""
    units = [_bare(unit) for unit in (content, data, instance) if unit]
    return str(iscc_lib.gen_iscc_code_v0(units).iscc)


def _bare(code: str) -> str:
    return code.removeprefix("ISCC:")
