"""The child of `workbook`: a workbook on standard input, the rows of its first sheet on standard output, as JSON lines.

Run as a file, not as a module, so that nothing of the platform is loaded beside openpyxl. It puts limits on itself
first. Ends with 3 for too many rows, 4 for too many columns, 1 for what is no workbook.
"""

from __future__ import annotations

import io
import json
import resource
import sys
import warnings
from collections.abc import Iterable, Sequence
from datetime import date, datetime

MAX_BYTES = 256 * 1024 * 1024
MAX_OUTPUT = 64 * 1024 * 1024  # bytes written
LAST_ROW = 1_048_576  # of a workbook
CPU_SECONDS = 30
MEMORY = 1536 * 1024 * 1024


class _Stop(Exception):
    """Ends with this status."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


def main(most_rows: int, most_columns: int) -> int:
    """Read and write."""
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import openpyxl  # noqa: PLC0415  loaded under the limits
    from openpyxl.utils.exceptions import InvalidFileException  # noqa: PLC0415  the same

    warnings.simplefilter("ignore")  # openpyxl warns of styles and validations that it does not read
    data = sys.stdin.buffer.read(MAX_BYTES + 1)
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=False, keep_links=False)
        if book.worksheets:
            # A width that is asked for is the width that is made, whatever the sheet says of its own.
            _write(book.worksheets[0].iter_rows(max_col=most_columns + 1, values_only=True), most_rows, most_columns)
    except _Stop as stopped:
        return stopped.status
    except (InvalidFileException, ValueError, LookupError, TypeError, AttributeError, SyntaxError, OSError):
        return 1  # openpyxl raises what its innards meet in a workbook that is none; SyntaxError is its XML parser's
    except (ArithmeticError, RecursionError, MemoryError):
        return 1
    return 0


def _write(sheet: Iterable[Sequence[object]], most_rows: int, most_columns: int) -> None:
    """Each row that says something, on a line of its own with its number."""
    said = written = 0
    for number, row in enumerate(sheet, 1):
        if number > LAST_ROW:
            raise _Stop(1)
        if not any(row):  # a row of zeros says nothing either
            continue
        if row[most_columns] not in (None, ""):
            raise _Stop(4)
        line = json.dumps([number, list(map(_cell, row))], ensure_ascii=False).encode("utf-8", "replace") + b"\n"
        said, written = said + 1, written + len(line)
        if said > most_rows + 1 or written > MAX_OUTPUT:  # the headings are a row too
            raise _Stop(3)
        sys.stdout.buffer.write(line)


def _cell(value: object) -> object:
    """What a cell says: text, or a day in a list."""
    if isinstance(value, datetime):
        return [value.date().isoformat()]
    if isinstance(value, date):
        return [value.isoformat()]
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) or value is None else str(value)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2])))
