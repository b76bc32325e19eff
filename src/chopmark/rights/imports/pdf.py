"""The text of a PDF from a stranger, read in a process of its own that may use little and is killed in the end.

A PDF can describe more work than its size: streams that unpack to gigabytes, pages that refer to each other. The
child (`pdf_child`) has limits on processor time, memory and size of output, and gives back text or nothing.
No picture is looked at; a scanned page has no text here.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from chopmark.base.errors import Invalid

MAX_BYTES = 20 * 1024 * 1024
MAX_TEXT = 400_000  # characters
WALL_SECONDS = 20.0
CHILD = Path(__file__).with_name("pdf_child.py")


def is_one(data: bytes) -> bool:
    """Whether these bytes begin as a PDF."""
    return b"%PDF-" in data[:1024]


def text(data: bytes) -> str:
    """The text of its first pages, one line of the page a line.

    Raises:
        Invalid: `imports.pdf_too_large`, `imports.pdf_unreadable`, `imports.pdf_no_text` for one of pictures only.
    """
    if len(data) > MAX_BYTES:
        raise Invalid("imports.pdf_too_large", megabytes=MAX_BYTES // 1024 // 1024)
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and file, no shell
            [sys.executable, "-I", str(CHILD)], input=data, capture_output=True, timeout=WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Invalid("imports.pdf_unreadable") from None
    if done.returncode != 0:
        raise Invalid("imports.pdf_unreadable")
    said = done.stdout.decode("utf-8", "replace")[:MAX_TEXT]
    if not said.strip():
        raise Invalid("imports.pdf_no_text")
    return said
