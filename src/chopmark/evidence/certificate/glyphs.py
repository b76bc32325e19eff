"""Which characters the font of the certificates can show, and what stands in place of the others.

PDF/A allows no character without a glyph, and a certificate must not fail because a title has an emoji: what the font
lacks is printed as its number, `[U+1F600]`. The exact text is in the file that the certificate carries.
"""

from __future__ import annotations

import re
import struct
import unicodedata
from functools import cache
from itertools import groupby

from pylopdf_fonts_zh_cn import sans_path

LONGEST_RUN = 24  # letters without a place to break the line
_BREAK = "\u200b"  # zero-width space
_RUN = re.compile(rf"[!-~]{{{LONGEST_RUN}}}(?=[!-~])")


def shown(text: str) -> str:
    """The text in characters that can be printed, with places to break long words."""
    known = _covered()
    pieces: list[str] = []
    for can_be_shown, characters in groupby(text, key=lambda each: ord(each) in known and _is_plain(each)):
        if can_be_shown:
            pieces += characters
        else:
            pieces += [" " if each in "\n\t" else f"[U+{ord(each):04X}]" for each in characters]
    return _RUN.sub(lambda found: found[0] + _BREAK, "".join(pieces))


def _is_plain(character: str) -> bool:
    """No control, no format character that turns or hides what is around it, no private use."""
    return not unicodedata.category(character).startswith("C")


@cache
def _covered() -> frozenset[int]:
    """The code points in the font's `cmap`, subtable of format 12 (OpenType 1.9, cmap)."""
    data = sans_path().read_bytes()
    tables = struct.unpack_from(">H", data, 4)[0]
    records = [struct.unpack_from(">4s3I", data, 12 + 16 * each) for each in range(tables)]
    start = next(offset for tag, _, offset, _ in records if tag == b"cmap")
    subtables = struct.unpack_from(">H", data, start + 2)[0]
    places = (struct.unpack_from(">2HI", data, start + 4 + 8 * each)[2] for each in range(subtables))
    table = next(start + place for place in places if struct.unpack_from(">H", data, start + place)[0] == 12)
    groups = struct.unpack_from(">I", data, table + 12)[0]
    covered: set[int] = set()
    for each in range(groups):
        first, last, _ = struct.unpack_from(">3I", data, table + 16 + 12 * each)
        covered.update(range(first, last + 1))
    return frozenset(covered)
