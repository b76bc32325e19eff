"""Pictures that people brought, as pages show them: decoded, made smaller and encoded anew, under a sandboxing policy.

No byte of what was brought goes out as a picture: the file itself is only ever saved. One picture is decoded at a
time, within a limit of pixels; what cannot be read has no thumbnail.
"""

from __future__ import annotations

import io
import threading

from django.http import Http404, HttpRequest, HttpResponse
from PIL import Image, ImageOps, UnidentifiedImageError

from chopmark.base.errors import Unavailable

MAX_BYTES = 50_000_000
MAX_PIXELS = 60_000_000
SIDE = 1000
FORMATS = ("PNG", "JPEG", "WEBP")

_ROOM = threading.BoundedSemaphore(1)
_PATIENCE = 10.0  # seconds


def thumbnail(data: bytes, side: int = SIDE) -> bytes:
    """A PNG of at most `side` pixels a side; transparent parts become white.

    Raises:
        Http404: it is no picture that can be shown.
        Unavailable: `evidence.busy`.
    """
    if len(data) > MAX_BYTES:
        raise Http404
    if not _ROOM.acquire(timeout=_PATIENCE):
        raise Unavailable("evidence.busy")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
            width, height = picture.size
            if not width or not height or width * height > MAX_PIXELS:
                raise Http404
            picture.draft("RGB", (side, side))
            shown = ImageOps.exif_transpose(picture).convert("RGBA")
            shown.thumbnail((side, side))
            ground = Image.new("RGB", shown.size, "white")
            ground.paste(shown, mask=shown.getchannel("A"))
            out = io.BytesIO()
            ground.save(out, "PNG")
    except (UnidentifiedImageError, Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
        raise Http404 from error
    finally:
        _ROOM.release()
    return out.getvalue()


def picture(tag: str, png: bytes | None) -> HttpResponse:
    """The answer with a picture made here; `tag` names its content, None says that the browser has it already."""
    quoted = f'"{tag}"'
    response = HttpResponse(status=304) if png is None else HttpResponse(png, content_type="image/png")
    response["ETag"] = quoted
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "private, no-cache"
    return response


def has(request: HttpRequest, tag: str) -> bool:
    """Whether the browser already has the picture of this content."""
    return request.headers.get("If-None-Match") == f'"{tag}"'
