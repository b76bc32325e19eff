"""Write src/chopmark/watch/text/data/folds.txt: what characters look like, where the standard library says otherwise.

Made from the installed `disarm` (MIT; Unicode's UTS 39 data). A test compares both, so that another version of it is
noticed before it changes what is found. Run: python scripts/text_folds.py
"""

from __future__ import annotations

import sys
import unicodedata
from pathlib import Path

import disarm

from chopmark.rights.similarity.confusables import TABLE
from chopmark.watch.text.canon import Disarm, decomposed

PLACE = Path(__file__).resolve().parent.parent / "src" / "chopmark" / "watch" / "text" / "data" / "folds.txt"
HEAD = f"""# What characters look like by Unicode's UTS 39, read by disarm {disarm.__version__}, where NFKC differs.
# Written by scripts/text_folds.py. A line: the plain characters, a tab, code points in hexadecimal.
"""


def main() -> None:
    """Group characters by what they look like."""
    library, looks = Disarm(), dict[str, list[str]]()
    for code in range(128, sys.maxunicode + 1):
        character = chr(code)
        if unicodedata.category(character)[0] == "C" or code in TABLE:
            continue
        plain = library.plain(character)
        if plain != decomposed(character) and "\n" not in plain and "\t" not in plain:
            looks.setdefault(plain, []).append(f"{code:X}")
    lines = (f"{plain}\t{' '.join(codes)}\n" for plain, codes in sorted(looks.items()))
    PLACE.write_text(HEAD + "".join(lines), "utf-8")


if __name__ == "__main__":
    main()
