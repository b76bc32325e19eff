"""Makes the demo's files, always the same bytes: a picture, a logo, a song text, a draft and a page record.

python scripts/demo_files.py            writes src/chopmark/site/demo_files
"""

from __future__ import annotations

import json
import math
import struct
import zlib
from pathlib import Path

TARGET = Path(__file__).parent.parent / "src" / "chopmark" / "site" / "demo_files"
WIDTH, HEIGHT = 640, 420

SONG = """Tide Song · 潮歌

The harbour wakes before the light,
a hundred lanterns thin and bright;
who draws the wave that no one owns
still signs it on the landing stones.

潮来潮去不留名，
一笔青蓝一盏灯。
若问此浪谁人画，
石上刻痕记分明。
"""

LICENCE = """LICENCE (DRAFT) · 授权书（草稿）

Licensor 许可人: Blue Wave Studio 青浪工作室
Licensee 被许可人: Harbour Textiles 港湾织造
Work 作品: Blue Wave No. 1 · 青浪一号
Use 用途: printing on scarves, at most 2,000 pieces · 印制丝巾，不超过两千条
Territory 地域: mainland China and Singapore · 中国大陆与新加坡
Term 期限: one year from signature · 自签署之日起一年
"""

LISTING = {
    "seen_at": "2026-11-20T08:15:00Z",
    "page": "https://market.example/item/884213",
    "title": "Scarf with blue waves · 青浪图案丝巾",
    "seller": "shop-2291",
    "price": {"amount": "59.00", "currency": "CNY"},
    "remark": "The print shows Blue Wave No. 1 without a licence on record.",
}

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 120" role="img" aria-label="Blue Wave">
<circle cx="60" cy="60" r="58" fill="#eef6fb"/>
<path d="M10 70c14-22 30-22 44 0s30 22 56-6v30a58 58 0 0 1-100 2z" fill="#1f6f9f"/>
<path d="M14 58c12-16 26-16 38 0s28 16 54-10" fill="none" stroke="#0b3c5d" stroke-width="5" stroke-linecap="round"/>
</svg>
"""


def picture() -> bytes:
    """A PNG of layered waves under a low sun."""
    rows = b"".join(b"\0" + bytes(c for x in range(WIDTH) for c in _colour(x, y)) for y in range(HEIGHT))
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


def _colour(x: int, y: int) -> tuple[int, int, int]:
    for layer in range(6, 0, -1):
        crest = 130 + layer * 42 + 20 * math.sin(x / (34 + layer * 9) + layer * 1.7) + 7 * math.sin(x / 17 + layer)
        if y > crest:
            foam = max(0.0, 1 - (y - crest) / 5)
            base = (18 + (6 - layer) * 22, 70 + (6 - layer) * 22, 120 + (6 - layer) * 17)
            return tuple(int(c + (245 - c) * foam) for c in base)  # type: ignore[return-value]  # three of three
    if math.hypot(x - 470, y - 118) < 46:
        return 244, 190, 120
    return 250 - y // 6, 238 - y // 9, 222


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def main() -> None:
    """Write the five files."""
    TARGET.mkdir(exist_ok=True)
    (TARGET / "blue-wave.png").write_bytes(picture())
    (TARGET / "wave-logo.svg").write_text(LOGO, "utf-8")
    (TARGET / "tide-song.txt").write_text(SONG, "utf-8")
    (TARGET / "licence-draft.txt").write_text(LICENCE, "utf-8")
    (TARGET / "listing-record.json").write_text(json.dumps(LISTING, ensure_ascii=False, indent=2) + "\n", "utf-8")


if __name__ == "__main__":
    main()
