"""`verify.html`, the verifier of bundles that opens from disk in any browser, with the trust that a reader is given.

    page(trust)       one HTML file: put it into a bundle, or hand it out

The page itself is made by `scripts/verify_html.py` and committed beside this module. What is put in here is data that
no policy of its scripts covers: a page that came with a bundle proves nothing of its maker's honesty, and says so; who
wants to be sure takes the page, and the trust, from somebody they trust.
"""

from __future__ import annotations

import base64
from functools import cache
from importlib.resources import files

from chopmark.evidence.trust import Trust

NAME = "verify.html"
MEDIA_TYPE = "text/html"
_NONE = b'<script type="application/json" id="trust">null</script>'


def page(trust: Trust | None) -> bytes:
    """The page; without trust the reader must load a trust file."""
    if trust is None:
        return _page()
    before, _, after = _page().partition(_NONE)
    return before + _NONE.replace(b"null", b'"%b"' % base64.b64encode(trust.encode())) + after


@cache
def _page() -> bytes:
    data = files("chopmark.evidence.bundle").joinpath(NAME).read_bytes()
    if data.count(_NONE) != 1:
        raise RuntimeError("verify.html has no one place for trust; make it again with scripts/verify_html.py")
    return data
