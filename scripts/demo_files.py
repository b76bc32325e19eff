"""Makes the demo's files, always the same bytes: works, and the papers of a matter about one of them.

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

PURCHASE = """试购记录 · Record of a test purchase

商品 Item: 青浪图案丝巾 · Scarf with blue waves, no. 884213
卖家 Seller: shop-2291 (港边小铺 Harbour Corner)
订单 Order: 2026-1120-55017, 2026-11-20 16:31 (UTC+8)
付款 Paid: CNY 59.00, 余额支付 from the balance
发货 Sent: 2026-11-20 19:02, 单号 parcel no. SF-000-1120-77
签收 Received: 2026-11-21 10:15, 陈海 Chen Hai, 当面开箱 opened on the spot
内容 Contents: 丝巾一条，图案与作品一致 one scarf; its print is the work

记录人 Recorded by: 陈海 Chen Hai
本记录为示范，人物与交易均为虚构。 Made up for a demonstration.
"""

LETTER = """From: rights@blue-wave.example
To: shop-2291@market.example
Date: Fri, 20 Nov 2026 17:05:00 +0800
Subject: =?utf-8?B?6Z2S5rWq5LiA5Y+3?= / Blue Wave No. 1
Message-ID: <demo-1@blue-wave.example>
MIME-Version: 1.0
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

贵店 884213 号商品使用了本工作室作品《青浪一号》，未经许可。请停止销售，并说明货源。
Your item 884213 shows our work Blue Wave No. 1; nobody gave a licence. Please stop, and say where it is from.

青浪工作室 Blue Wave Studio

> 您好，图案由供应商提供，我们不知情，暂不下架。
> The supplier gave us the pattern; we knew nothing and keep selling for now.
"""

POWER = """授权委托书 · POWER OF ATTORNEY

委托人 Principal: 青浪工作室 Blue Wave Studio
受托人 Agent: 周砚 Zhou Yan, 砚田律师事务所 Yantian Law Office (虚构 made up)
事项 Matter: 青浪图案丝巾著作权纠纷 the scarf with blue waves
权限 Authority: 一般授权：立案、举证、出庭、签收文书
                general: file, give evidence, appear, take service
期限 Term: 至本案一审终结 until the first instance ends

委托人签字 Signed: 林青 Lin Qing, 2026-11-21
"""

INVOICE = (
    ("Invoice 0026-1120-7781 (made up for a demonstration)", 16),
    ("Seller: Harbour Corner, shop-2291, Yiwu", 12),
    ("Buyer: Blue Wave Studio, Hangzhou", 12),
    ("Date: 2026-11-20        Order: 2026-1120-55017", 12),
    ("1 x Scarf with blue waves, item 884213        CNY 59.00", 12),
    ("Total, VAT included        CNY 59.00", 12),
)
PHOTO = {"Make": (271, "Example"), "Model": (272, "Pocket 3"), "DateTime": (306, "2026:11:21 10:16:40")}


def picture() -> bytes:
    """A PNG of layered waves under a low sun."""
    rows = b"".join(b"\0" + bytes(c for x in range(WIDTH) for c in _colour(x, y)) for y in range(HEIGHT))
    return _png(WIDTH, HEIGHT, rows)


def photograph() -> bytes:
    """A PNG of an opened parcel with the scarf in it, with what a camera writes down (EXIF)."""
    width, height = 480, 360
    rows = b"".join(b"\0" + bytes(c for x in range(width) for c in _parcel(x, y)) for y in range(height))
    return _png(width, height, rows, _chunk(b"eXIf", _exif()))


def invoice() -> bytes:
    """A PDF of one page."""
    shown = b"BT 56 780 Td 28 TL\n"
    for text, size in INVOICE:
        shown += f"/F1 {size} Tf ({text.replace('(', '[').replace(')', ']')}) Tj T*\n".encode("ascii")
    shown += b"ET\n"
    fonts = b"<< /Font << /F1 5 0 R >> >>"
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources %s >>" % fonts,
        b"<< /Length %d >>\nstream\n%sendstream" % (len(shown), shown),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    made, places = b"%PDF-1.4\n", []
    for number, each in enumerate(objects, 1):
        places.append(len(made))
        made += b"%d 0 obj\n%s\nendobj\n" % (number, each)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(made))
    return made + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def _parcel(x: int, y: int) -> tuple[int, int, int]:
    if 120 <= x < 360 and 90 <= y < 280:
        return _colour((x - 120) * 640 // 240, (y - 90) * 420 // 190)
    if 70 <= x < 410 and 50 <= y < 320:
        shade = (x * 7 + y * 13) % 9
        return 176 - shade, 138 - shade, 92 - shade
    return 205 - y // 12, 203 - y // 12, 198 - y // 12


def _exif() -> bytes:
    """A little-endian TIFF with one directory of texts."""
    texts = [(tag, value.encode("ascii") + b"\0") for tag, value in PHOTO.values()]
    after = 8 + 2 + 12 * len(texts) + 4
    directory, values = struct.pack("<H", len(texts)), b""
    for tag, value in texts:
        directory += struct.pack("<HHII", tag, 2, len(value), after + len(values))
        values += value
    return b"II*\0" + struct.pack("<I", 8) + directory + struct.pack("<I", 0) + values


def _png(width: int, height: int, rows: bytes, more: bytes = b"") -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = _chunk(b"IHDR", header) + more + _chunk(b"IDAT", zlib.compress(rows, 9)) + _chunk(b"IEND", b"")
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
    """Write all files."""
    TARGET.mkdir(exist_ok=True)
    (TARGET / "blue-wave.png").write_bytes(picture())
    (TARGET / "wave-logo.svg").write_text(LOGO, "utf-8")
    (TARGET / "tide-song.txt").write_text(SONG, "utf-8")
    (TARGET / "licence-draft.txt").write_text(LICENCE, "utf-8")
    (TARGET / "listing-record.json").write_text(json.dumps(LISTING, ensure_ascii=False, indent=2) + "\n", "utf-8")
    (TARGET / "purchase-record.txt").write_text(PURCHASE, "utf-8")
    (TARGET / "letter.eml").write_text(LETTER, "utf-8")
    (TARGET / "power-of-attorney.txt").write_text(POWER, "utf-8")
    (TARGET / "invoice.pdf").write_bytes(invoice())
    (TARGET / "parcel.png").write_bytes(photograph())


if __name__ == "__main__":
    main()
