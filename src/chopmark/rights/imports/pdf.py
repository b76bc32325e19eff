"""The text of a PDF from a stranger, read in a process of its own that may use little and is killed in the end.

A PDF can describe more work than its size: streams that unpack to gigabytes, pages that refer to each other. The child
has limits on processor time, memory, open files and size of output, and gives back text or nothing.
No picture is looked at; a scanned page has no text here.

    python -m chopmark.rights.imports.pdf < certificate.pdf
"""

from __future__ import annotations

import resource
import subprocess
import sys

from chopmark.base.errors import Invalid

MAX_BYTES = 20 * 1024 * 1024
MAX_PAGES = 20
MAX_TEXT = 400_000  # characters given back
CPU_SECONDS = 10
WALL_SECONDS = 20
MEMORY = 1024 * 1024 * 1024


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
    command = [sys.executable, "-I", "-m", "chopmark.rights.imports.pdf"]
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module, no shell
            command, input=data, capture_output=True, timeout=WALL_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Invalid("imports.pdf_unreadable") from None
    if done.returncode != 0:
        raise Invalid("imports.pdf_unreadable")
    said = done.stdout.decode("utf-8", "replace")[:MAX_TEXT]
    if not said.strip():
        raise Invalid("imports.pdf_no_text")
    return said


def _bounded() -> None:
    """Limits that this process puts on itself before it reads a byte."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> int:
    """Read a PDF on standard input, write its text on standard output."""
    _bounded()
    import io  # noqa: PLC0415  loaded in the child only
    import logging  # noqa: PLC0415  the same

    from pypdf import PdfReader  # noqa: PLC0415  the same: the parent never loads it
    from pypdf.errors import PyPdfError  # noqa: PLC0415  the same

    logging.disable(logging.CRITICAL)
    try:
        reader = PdfReader(io.BytesIO(sys.stdin.buffer.read(MAX_BYTES + 1)), strict=False)
        pages = [page.extract_text() for page in reader.pages[:MAX_PAGES]]
    except (
        PyPdfError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        IndexError,
        RecursionError,
        MemoryError,
        OSError,
    ):
        return 1  # pypdf raises what its innards meet; a crash of any other kind is a return code too
    sys.stdout.buffer.write("\n".join(pages).encode("utf-8", "replace")[: 4 * MAX_TEXT])
    return 0


if __name__ == "__main__":
    sys.exit(main())
