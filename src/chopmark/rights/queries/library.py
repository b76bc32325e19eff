"""What searches for copies run on, one for each home: the indexes over rows, the library, the decoding processes.

For this room, but for the workshop, in which pages have pictures decoded too. Everything here is derived: `media/` in
the home may be deleted, and is made again from rows.
"""

from __future__ import annotations

import atexit
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings

from chopmark.base.errors import Invalid
from chopmark.evidence import wiring
from chopmark.media.fingerprint import Code, Fingerprint, Print
from chopmark.media.guard import KINDS, Kind
from chopmark.media.workshop import Workshop
from chopmark.rights.models import AskedCode, Serial, WorkCode, WorkFile

if TYPE_CHECKING:
    from chopmark.media.index.codes import CodeIndex
    from chopmark.media.match import Library, Owned

FOLDER = "media"
CODES, ASKED = "codes", "asked"
"""Names of the two counters of changes, and of the indexes' folders."""
NAME = "pdq64-v1"
AT_ONCE = 500  # ids in one question to the database


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """See the module."""

    library: Library
    codes: CodeIndex
    asked: CodeIndex
    workshop: Workshop


def tools() -> Tools:
    """Those of this process for the home in use."""
    return _tools(str(wiring.home()), workshop())


@lru_cache(maxsize=2)
def _tools(home: str, decoders: Workshop) -> Tools:
    from chopmark.media.index.codes import CodeIndex  # noqa: PLC0415 (loaded for the first search)
    from chopmark.media.match import Library  # noqa: PLC0415 (the same)

    folder = Path(home) / FOLDER
    codes = CodeIndex(folder / CODES, CodeRows(), NAME)
    return Tools(
        library=Library(codes, owners_of, PrintRows()),
        codes=codes,
        asked=CodeIndex(folder / ASKED, AskedRows(), NAME),
        workshop=decoders,
    )


def workshop() -> Workshop:
    """The one of this process: it knows nothing of homes, and decodes for pages as well."""
    return _workshop(str(settings.CHOPMARK_MEDIA_MODEL))


@cache
def _workshop(model: str) -> Workshop:
    made = Workshop(model=model)
    atexit.register(made.close)
    return made


def last_change(counter: str) -> int:
    """The highest number of a change."""
    return Serial.objects.filter(name=counter).values_list("last", flat=True).first() or 0


class CodeRows:
    """The codes of works' files, see `media.index.codes.Source`."""

    def last(self) -> int:
        """See there."""
        return last_change(CODES)

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, bytes]]:
        """See there."""
        rows = WorkCode.objects.filter(number__gt=after, number__lte=last, gone=None).order_by("number")
        return [(number, pk, bytes(bits)) for number, pk, bits in rows.values_list("number", "pk", "bits")[:limit]]

    def gone(self, after: int, last: int) -> Sequence[int]:
        """See there."""
        return list(WorkCode.objects.filter(gone__gt=after, gone__lte=last).values_list("pk", flat=True))


class AskedRows:
    """The codes that were searched with, see `media.index.codes.Source`."""

    def last(self) -> int:
        """See there."""
        return last_change(ASKED)

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, bytes]]:
        """See there."""
        rows = AskedCode.objects.filter(number__gt=after, number__lte=last, gone=None).order_by("number")
        return [(number, pk, bytes(bits)) for number, pk, bits in rows.values_list("number", "pk", "bits")[:limit]]

    def gone(self, after: int, last: int) -> Sequence[int]:
        """See there."""
        return list(AskedCode.objects.filter(gone__gt=after, gone__lte=last).values_list("pk", flat=True))


class PrintRows:
    """The prints of works' files, see `media.match.Prints`; what cannot be read is found by codes alone."""

    def last(self) -> int:
        """See there."""
        return last_change(CODES)

    def added(self, after: int, last: int, limit: int) -> Sequence[tuple[int, int, Kind, tuple[Print, ...]]]:
        """See there."""
        rows = WorkFile.objects.filter(number__gt=after, number__lte=last, gone=None).order_by("number")
        return [
            (row.number or 0, row.pk, kind_of(row.kind), prints_of(bytes(row.print or b""))) for row in rows[:limit]
        ]

    def gone(self, after: int, last: int) -> Sequence[int]:
        """See there."""
        return list(WorkFile.objects.filter(gone__gt=after, gone__lte=last).values_list("pk", flat=True))


def prints_of(data: bytes) -> tuple[Print, ...]:
    """The prints of a stored fingerprint; none of one that is damaged or another version's: it must stop no search."""
    try:
        return Fingerprint.parse(data).prints
    except Invalid:
        return ()


def owners_of(ids: Sequence[int]) -> Mapping[int, Owned]:
    """What the codes of these ids are."""
    from chopmark.media.match import Owned  # noqa: PLC0415 (loaded for the first search)

    found: dict[int, Owned] = {}
    for start in range(0, len(ids), AT_ONCE):
        rows = WorkCode.objects.filter(pk__in=ids[start : start + AT_ONCE], gone=None).select_related("file")
        for row in rows.defer("file__print"):
            left, top, right, bottom = row.box
            code = Code(
                bits=bytes(row.bits),
                quality=row.quality,
                region=row.region,
                box=(left, top, right, bottom),
                turn=row.turn,
                at=row.at,
            )
            found[row.pk] = Owned(file=row.file_id, kind=kind_of(row.file.kind), code=code)
    return found


def kind_of(text: str) -> Kind:
    """A kind as a row has it."""
    return next(each for each in KINDS if each == text)
