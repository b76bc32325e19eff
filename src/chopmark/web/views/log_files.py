"""The log as plain files over HTTP: C2SP tlog-tiles under `/log/`, and the trust policy at `/policy`.

Public, without session or cookie, the same bytes that a static file server would give from `$CHOPMARK_HOME/log/`.
Tiles and entry bundles never change and say so; the checkpoint changes every moment and says that.
A path that is not exactly a tlog-tiles path is not looked up at all, so nothing outside the log can be named.
"""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import lru_cache
from http import HTTPStatus

from django.http import HttpRequest, HttpResponse
from django.urls import path as address
from django.urls import re_path
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_http_methods

from chopmark.base.errors import Unavailable
from chopmark.evidence import wiring

# C2SP tlog-tiles: level 0 to 63 or "entries", index in groups of three digits, partial width 1 to 255.
_LEVEL = r"(?:entries|[0-9]|[1-5][0-9]|6[0-3])"
_INDEX = r"(?:x(?!000)[0-9]{3}/(?:x[0-9]{3}/){0,5})?[0-9]{3}"
_WIDTH = r"(?:[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5])"
TILE_PATH = re.compile(rf"tile/{_LEVEL}/{_INDEX}(?:\.p/{_WIDTH})?")
FOR_EVER = "public, max-age=31536000, immutable"
A_MOMENT = "public, max-age=2, must-revalidate"
_SIZE = re.compile("0|[1-9][0-9]{0,17}")
_GZIP = re.compile(r"(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q\s*=\s*(?P<q>[0-9.]+)\s*)?(?=,|$)", re.IGNORECASE)
METHODS = require_http_methods(["GET", "HEAD", "OPTIONS"])


@METHODS
def checkpoint(request: HttpRequest) -> HttpResponse:
    """The newest signed checkpoint."""
    return _file(request, "checkpoint", "text/plain; charset=utf-8", A_MOMENT)


@METHODS
def tile(request: HttpRequest, path: str) -> HttpResponse:
    """A hash tile or an entry bundle; `path` is what follows `/log/tile/`."""
    path = f"tile/{path}"
    if not TILE_PATH.fullmatch(path):
        return not_found()
    return _file(request, path, "application/octet-stream", FOR_EVER, zipped=path.startswith("tile/entries/"))


@METHODS
def policy(request: HttpRequest) -> HttpResponse:
    """The tlog-policy that a verifier needs, as a file to keep; `?size=N` gives the one in force for a checkpoint."""
    size = request.GET.get("size", "")
    if size and not _SIZE.fullmatch(size):
        return not_found()
    text = wiring.policy_at(int(size)) if size else wiring.log_policy()
    response = answer(request, text, "text/plain; charset=utf-8", A_MOMENT)
    response["Content-Disposition"] = 'inline; filename="chopmark.policy"'
    return response


def nothing(request: HttpRequest, path: str = "") -> HttpResponse:  # noqa: ARG001 (every other path, whatever it is)
    """Whatever else is asked for under `/log/`."""
    return not_found()


def _file(request: HttpRequest, path: str, media: str, cache: str, *, zipped: bool = False) -> HttpResponse:
    try:
        data = wiring.objects().get(path)
    except Unavailable as missing:
        if missing.code != "ledger.object_missing":
            raise
        return not_found()
    return answer(request, data, media, cache, zipped=zipped)


def answer(request: HttpRequest, data: bytes, media: str, cache: str, *, zipped: bool = False) -> HttpResponse:
    """The bytes with their validators; 304 when the reader has them, no body for HEAD."""
    if request.method == "OPTIONS":
        allowed = HttpResponse(status=HTTPStatus.NO_CONTENT)
        allowed["Access-Control-Allow-Origin"] = "*"
        allowed["Access-Control-Allow-Methods"] = "GET, HEAD"
        return allowed
    tag = hashlib.sha256(data).hexdigest()[:32]
    packed = zipped and _takes_gzip(request.headers.get("Accept-Encoding", ""))
    body = _gzip(data) if packed else data
    response = HttpResponse(body, content_type=media)
    response["ETag"] = f'"{tag}-gz"' if packed else f'"{tag}"'
    response["Content-Length"] = str(len(body))
    response["Cache-Control"] = cache
    if zipped:
        response["Vary"] = "Accept-Encoding"
    if packed:
        response["Content-Encoding"] = "gzip"
    answer = get_conditional_response(request, etag=response["ETag"], response=response) or response
    answer["Access-Control-Allow-Origin"] = "*"
    answer["Access-Control-Expose-Headers"] = "ETag"
    if request.method == "HEAD" and answer.status_code == HTTPStatus.OK:
        answer.content = b""
    return answer


def _takes_gzip(accepts: str) -> bool:
    """True when the reader's Accept-Encoding names gzip and does not weigh it 0 (RFC 9110 §12.5.3)."""
    found = _GZIP.search(accepts)
    return found is not None and (found["q"] is None or found["q"].strip("0.") != "")


@lru_cache(maxsize=8)
def _gzip(data: bytes) -> bytes:
    return gzip.compress(data, compresslevel=6, mtime=0)


def not_found() -> HttpResponse:
    """A plain answer that may be asked for again soon."""
    response = HttpResponse(b"not found\n", status=404, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "public, max-age=1"
    response["Access-Control-Allow-Origin"] = "*"
    return response


urlpatterns = [
    address("policy", policy, name="policy"),
    address("log/checkpoint", checkpoint, name="log-checkpoint"),
    re_path(r"^log/tile/(?P<path>(?s:.*))\Z", tile, name="log-tile"),
    re_path(r"^log(?:/(?P<path>(?s:.*)))?\Z", nothing, name="log-nothing"),
]
