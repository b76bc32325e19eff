"""The child of `pdf`: a PDF on standard input, its text on standard output, within limits that it puts on itself first.

Run as a file, not as a module, so that nothing of the platform is loaded beside pypdf.
"""

from __future__ import annotations

import io
import logging
import resource
import sys

MAX_BYTES = 20 * 1024 * 1024
MAX_PAGES = 20
MAX_TEXT = 1_600_000  # bytes written
CPU_SECONDS = 10
MEMORY = 1024 * 1024 * 1024


def main() -> int:
    """Read and write; 1 for what is no PDF."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    from pypdf import PdfReader  # noqa: PLC0415  loaded under the limits
    from pypdf.errors import PyPdfError  # noqa: PLC0415  the same

    logging.disable(logging.CRITICAL)
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        pages = [page.extract_text() for page in PdfReader(io.BytesIO(data), strict=False).pages[:MAX_PAGES]]
    except (PyPdfError, ValueError, LookupError, TypeError, AttributeError, RecursionError, MemoryError, OSError):
        return 1  # pypdf raises what its innards meet; a crash of any other kind is a return code too
    sys.stdout.buffer.write("\n".join(pages).encode("utf-8", "replace")[:MAX_TEXT])
    return 0


if __name__ == "__main__":
    sys.exit(main())
