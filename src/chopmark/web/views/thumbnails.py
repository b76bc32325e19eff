"""Pictures that people brought, as pages show them: decoded, made smaller and encoded anew, under a sandboxing policy.

They are decoded in the cage (`media.workshop`), never in the process that answers, and what comes back is pixels: no
byte of what was brought goes out as a picture, the file itself is only ever saved. One picture is worked on at a time,
so that pages full of pictures leave decoding processes to searches; what cannot be read has no thumbnail. Who waited
too long is answered 503, and the page asks again (`base.js`).
"""

from __future__ import annotations

import io
import threading
from pathlib import Path

from django.http import Http404, HttpRequest, HttpResponse
from PIL import Image

from chopmark.base.errors import Invalid, Unavailable
from chopmark.media.guard import Limits
from chopmark.media.shown import Frame
from chopmark.rights.queries.library import workshop

MAX_BYTES = 50_000_000
SIDE = 1000
LIMITS = Limits(size=MAX_BYTES, cpu=10, wall=20.0)

_ROOM = threading.BoundedSemaphore(1)
_PATIENCE = 10.0  # seconds


def thumbnail(source: Path | bytes, side: int = SIDE) -> bytes:
    """A PNG of at most `side` pixels a side; transparent parts become white. Raises as `framed`."""
    return framed(source, Frame(width=side, height=side), LIMITS)


def framed(source: Path | bytes, frame: Frame, limits: Limits) -> bytes:
    """A PNG of a picture, made to fit.

    Raises:
        Http404: it is no picture that can be shown.
        Unavailable: `media.decoder_busy`, and what `Workshop.shown` raises.
    """
    if not _ROOM.acquire(timeout=_PATIENCE):
        raise Unavailable("media.decoder_busy")
    try:
        pixels = workshop().shown(source, frame, limits, patience=_PATIENCE)
    except Invalid as error:
        raise Http404 from error
    finally:
        _ROOM.release()
    out = io.BytesIO()
    Image.frombytes("RGB", (pixels.width, pixels.height), pixels.data).save(out, "PNG")
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
