"""Write src/chopmark/watch/text/data/pairs.txt.xz: everyday words of two ideographs, from a dictionary by its path.

What ships is made from the dictionary of jieba 0.42.1 (`jieba/dict.txt`; MIT, its notice is data/pairs.licence), which
has a word, how often it was counted, and its kind on each line. Kept are words of two ideographs, simplified, that were
counted `LEAST` times or more and are no names of persons, firms or brands. A line of the file is a first ideograph and
all that may follow it.

Run: python scripts/text_pairs.py dict.txt
"""

from __future__ import annotations

import lzma
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

from chopmark.rights.similarity.scripts import is_han
from chopmark.watch.text.canon import words

PLACE = Path(__file__).resolve().parent.parent / "src" / "chopmark" / "watch" / "text" / "data" / "pairs.txt.xz"
LEAST = 20
NAMES = ("nr", "nt", "nz")
"""Kinds of persons, firms and other names."""


def main() -> None:
    """Read the dictionary, write the file."""
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    PLACE.write_bytes(packed(kept(Path(sys.argv[1]).read_text("utf-8").splitlines())))


def kept(lines: Iterable[str]) -> set[str]:
    """The words that count."""
    found = set()
    for line in lines:
        word, count, kind = line.split(" ")
        plain = words(word).replace(" ", "")
        if len(word) == len(plain) == 2 and all(map(is_han, plain)) and int(count) >= LEAST:
            found |= set() if kind.startswith(NAMES) else {plain}
    return found


def packed(pairs: Iterable[str]) -> bytes:
    """Lines, then xz; `vocabulary` reads it."""
    rows = defaultdict(list)
    for first, second in sorted(pairs):
        rows[first].append(second)
    lines = "\n".join(first + "".join(seconds) for first, seconds in rows.items())
    return lzma.compress(lines.encode(), preset=9 | lzma.PRESET_EXTREME)


if __name__ == "__main__":
    main()
