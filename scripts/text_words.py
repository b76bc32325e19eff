"""Write src/chopmark/watch/text/data/words.txt.xz: ordinary words, from lists of words given by their paths.

What ships is made from SCOWL's American and British lists, as Debian packs them (wamerican and wbritish 2020.12.07);
their notice is data/words.licence. Kept are words of small Latin letters alone, of two letters or more: names have
capitals, and what has an apostrophe is no word of a title. A line of the file is a letter for how many letters of the
word before are kept (a for none), and what follows them.

Run: python scripts/text_words.py /usr/share/dict/american-english /usr/share/dict/british-english
"""

from __future__ import annotations

import lzma
import sys
from collections.abc import Iterable
from pathlib import Path

from chopmark.watch.text.vocabulary import MIN_LENGTH

PLACE = Path(__file__).resolve().parent.parent / "src" / "chopmark" / "watch" / "text" / "data" / "words.txt.xz"
MOST_KEPT = 25
"""Letters that one letter can say."""


def main() -> None:
    """Read the lists, write the file."""
    if not sys.argv[1:]:
        sys.exit(__doc__)
    lines = (line for path in sys.argv[1:] for line in Path(path).read_text("utf-8").splitlines())
    PLACE.write_bytes(packed(kept(lines)))


def kept(lines: Iterable[str]) -> list[str]:
    """The words that count, each once, in order."""
    return sorted({each for each in lines if len(each) >= MIN_LENGTH and _is_plain(each)})


def _is_plain(word: str) -> bool:
    return word.isascii() and word.isalpha() and word.islower()


def packed(words: Iterable[str]) -> bytes:
    """Front coding, then xz; `vocabulary` reads it."""
    coded, before = [], ""
    for word in words:
        same = 0
        while same < min(len(before), len(word), MOST_KEPT) and before[same] == word[same]:
            same += 1
        coded.append(chr(ord("a") + same) + word[same:])
        before = word
    return lzma.compress("\n".join(coded).encode(), preset=9 | lzma.PRESET_EXTREME)


if __name__ == "__main__":
    main()
