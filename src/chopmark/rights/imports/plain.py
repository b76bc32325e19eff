"""One value of a stranger's file as plain text: white space folded, no control characters, not too long."""

from __future__ import annotations

import re

from chopmark.base.errors import Invalid

MAX_TEXT = 100_000  # characters; the longest specification of goods seen in a register has about 60,000
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")


def folded(text: str) -> str:
    """The text on one line; what steers a terminal, and halves of characters, are dropped: no name has them.

    Raises:
        Invalid: `imports.value_too_long`.
    """
    said = " ".join(text.split())
    if not said.isprintable():
        said = " ".join(_CONTROL.sub("", said).split())
    if len(said) > MAX_TEXT:
        raise Invalid("imports.value_too_long", limit=MAX_TEXT)
    return said
