"""Which paths an object may have: plain names joined by slashes, none hidden, none leading out of the store."""

from __future__ import annotations

import re

from chopmark.base.errors import Invalid

MAX_PATH = 512

_NAME = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}"
_PATH = re.compile(rf"{_NAME}(?:/{_NAME})*")


def must_be_path(path: str) -> None:
    """Check a path before it is joined to anything.

    Raises:
        Invalid: `ledger.path_malformed`.
    """
    if len(path) > MAX_PATH or not _PATH.fullmatch(path):
        raise Invalid("ledger.path_malformed", path=path[:MAX_PATH])
