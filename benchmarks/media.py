"""Pictures: from file bytes to codes, and the 23 edits of `tests/media/edits.py` searched among other pictures.

    ./run bench media [--json] [--pictures N] [--audit FOLDER]

Rates are per CPU-second of one thread, ours and the peer's in turns. The peer is Pillow and `pdqhash`, the program that
published PDQ; where it is not installed, the plain PDQ of our tests. The suite searches altered copies of N pictures
(100) among all references, and pictures that are none (more than 1,000), and writes each supposed false hit with its
drawing, and each miss, to FOLDER/index.html to be looked at. A hit is a code within `RADIUS`, or else an overlap of
local features. Pictures come from Debian packages and, where it is installed, scikit-image; CHOPMARK_PEERS names a
folder of more Python packages (pdqhash has no wheel and scikit-image is no part of our environment).
"""

from __future__ import annotations

import argparse
import base64
import html
import importlib
import io
import json
import os
import random
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from chopmark.base.errors import Invalid
from chopmark.media.features import DECODED, Overlap, Pool, drawing, local, of_query, verify
from chopmark.media.picture import (
    RADIUS,
    dihedral,
    luma,
    must_be_distinctive,
    query_codes,
    reference_codes,
)

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "media"))
sys.path.append(os.environ.get("CHOPMARK_PEERS", ""))

import edits
import plain_pdq

PHOTOGRAPHS = ("/usr/share/backgrounds", "/usr/share/wallpapers")
STAMPS = "/usr/share/tuxpaint/stamps"
CLIP_ART = "/usr/share/openclipart/png"
PACKAGES = (
    "gnome-backgrounds mate-backgrounds ukui-wallpapers plasma-workspace-wallpapers lomiri-wallpapers-16.04 "
    "lomiri-wallpapers-20.04 tuxpaint-stamps-default openclipart-png"
)
MOST_PIXELS = 40_000_000
SECONDS = 2.0
SPEED_PICTURES = 120
REFERENCES = {"photograph": 80, "cut-out": 80, "clip art": 60}
DISTRACTORS = 1_000
ALIKE = 48
"""Pictures whose codes are nearer than this are taken once: packages hold one wallpaper in many forms."""

LOOKED_AT = {
    ("home1.png", "cityhouse.png"): "the same drawing",
    ("home4.png", "wooden_cottage.png"): "the same ground, drawn once",
    ("home11.png", "tepee.png"): "the same drawing",
    ("home15.png", "tepee.png"): "the same ground and door, drawn once",
    ("bermuda.png", "british_virgin_islands.png"): "the same flag in the corner",
    ("arrow-right-green_benji__01.png", "arrow-left-yellow_benji__01.png"): "the same drawing, mirrored",
    ("elips_r.png", "round_l.png"): "the same balloon",
    ("cone1_bw_ganson.png", "cone3_bw_ganson.png"): "the same ice cream",
    ("spain_peninsule_01.png", "spanish_regions_01.png"): "the same map",
    ("orange.png", "orange.png"): "the same drawing",
    ("propeller.png", "propeller_hat.png"): "the same drawing",
    ("aiga_barber_shop_beauty_salon1.png", "aiga_barber_shop1.png"): "the same drawing",
    ("aiga_toilets1.png", "aiga_barber_shop1.png"): "the same figure",
    ("cone_alt3.png", "cone2_ganson.png"): "the same ice cream",
    ("grounded.png", "train.png"): "the same triangle of a road sign",
    ("end_daul.png", "train.png"): "the same triangle of a road sign",
    ("cycles.png", "no_entry.png"): "the same ring of a road sign",
    ("pixels-l.webp", "pixels-d.webp"): "one wallpaper, light and dark",
    ("3840x2160.png", "screenshot.png"): "one wallpaper in two shapes",
    ("firstgeneration.jpg", "5120x2880.jpg"): "the collage holds that wallpaper in another shape",
    ("birthday_cake.png", "5120x2880.jpg"): "the collage holds that wallpaper in another shape",
    ("feathered_hat.png", "5120x2880.png"): "the collage holds that wallpaper in another shape",
    ("propeller_hat.png", "5120x2880.png"): "the collage holds that wallpaper in another shape",
}
"""Hits on other pictures that somebody looked at: the pictures do share what was found."""
FRAMED = ("hotel_icon_", "lemon-theme/", "transportation/roadsigns/")
"""Sets of icons that share a frame, a sheet of paper, the triangle or ring of a sign."""

Pixels = npt.NDArray[np.uint8]
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture of the corpus, at most 800 pixels on its longer side."""

    name: str
    kind: str
    pixels: Pixels

    def file(self, quality: int = 92) -> bytes:
        """As JPEG."""
        return cv2.imencode(".jpg", self.pixels, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


# --- pictures


def corpus() -> list[Picture]:
    """Photographs, cut-outs and clip art on white, each once, in an order of chance that is always the same."""
    missing = [folder for folder in (*PHOTOGRAPHS, STAMPS, CLIP_ART) if not Path(folder).is_dir()]
    if missing:
        raise SystemExit(f"Pictures are missing ({', '.join(missing)}): apt-get install {PACKAGES}")
    seen: list[int] = []
    found: list[Picture] = []
    for picture in _candidates():
        codes, _ = dihedral(luma(picture.file()))
        numbers = [int.from_bytes(code) for code in codes]
        if all((number ^ other).bit_count() > ALIKE for number in numbers for other in seen):
            seen.append(numbers[0])
            found.append(picture)
    random.Random(5).shuffle(found)  # noqa: S311 (an order, no secret)
    return found


def _candidates() -> Iterator[Picture]:
    for folder in PHOTOGRAPHS:
        for path in _files(folder, at_least=30_000):
            yield from _read(path, "photograph", 200, plain=False)
    yield from _of_scikit_image()
    for path in _files(STAMPS):
        yield from _read(path, "cut-out", 300, plain=True)
    clips = _files(CLIP_ART, at_least=8_000)
    random.Random(7).shuffle(clips)  # noqa: S311 (the same)
    for path in clips[:520]:
        yield from _read(path, "clip art", 100, plain=True)


def _files(folder: str, at_least: int = 0) -> list[Path]:
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    paths = sorted(path for path in Path(folder).rglob("*") if path.suffix.lower() in kinds and path.is_file())
    return [path for path in paths if path.stat().st_size >= at_least]


def _read(path: Path, kind: str, least: int, *, plain: bool) -> Iterator[Picture]:
    """The picture in a file, fitted; a `plain` one in the middle of a white square, as shops show goods."""
    try:
        with warnings.catch_warnings(action="error", category=Image.DecompressionBombWarning):
            picture = Image.open(path)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return
    with picture:
        if picture.width * picture.height > MOST_PIXELS or min(picture.size) < least:
            return
        clear = picture.convert("RGBA")
    ground = Image.new("RGB", clear.size, "white")
    ground.paste(clear, mask=clear.getchannel("A"))
    pixels = np.ascontiguousarray(np.asarray(ground)[:, :, ::-1])
    name = "/".join(path.parts[-4:])
    if not plain:
        yield Picture(name, kind, edits.fitted(pixels))
        return
    inside = edits.fitted(pixels, 720)
    rows, columns = inside.shape[:2]
    square = np.full((edits.SIDE, edits.SIDE, 3), 255, np.uint8)
    top, left = (edits.SIDE - rows) // 2, (edits.SIDE - columns) // 2
    square[top : top + rows, left : left + columns] = inside
    yield Picture(name, kind, square)


def _of_scikit_image() -> Iterator[Picture]:
    """Photographs that scikit-image's wheel holds."""
    data = _installed("skimage.data")
    for name in ("astronaut", "cat", "coffee", "rocket", "camera", "coins", "page", "clock", "brick", "grass"):
        if data is not None and Path(data.__file__ or "").with_name(f"{name}.png").is_file():
            yield from _read(Path(data.__file__ or "").with_name(f"{name}.png"), "photograph", 200, plain=False)


def _installed(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:
        print(f"{name} is not installed: its part is left out or replaced.", file=sys.stderr)
        return None


# --- speed


def speed(pictures: Sequence[Picture]) -> list[Row]:
    """Bytes of JPEG files of 800 by 800 to codes."""
    squares = [cv2.resize(picture.pixels, (800, 800), interpolation=cv2.INTER_AREA) for picture in pictures]
    files = [Picture("", "", np.asarray(square, np.uint8)).file(85) for square in squares[:SPEED_PICTURES]]
    size = sum(map(len, files)) / len(files) / 1024
    pdqhash = _installed("pdqhash")

    def peer(data: bytes) -> object:
        whole = Image.open(io.BytesIO(data))
        if pdqhash is not None:
            return pdqhash.compute(np.asarray(whole.convert("RGB")))
        return plain_pdq.plain_pdq(np.asarray(whole.convert("L")))

    named = "Pillow + pdqhash" if pdqhash else "Pillow + plain PDQ of the tests"
    ours: dict[str, Callable[[bytes], object]] = {
        "luma alone": luma,
        "8 codes, quality": lambda data: dihedral(luma(data)),
        "9 regions x 8 codes": lambda data: query_codes(luma(data)),
    }
    rates = _rates([*ours.values(), peer], files)
    return [
        _row(f"pictures decoded: {name} (JPEG 800x800, {size:.0f} KiB)", rate, "1/CPU-s", named, rates[-1])
        for name, rate in zip(ours, rates, strict=False)
    ]


def _rates(works: Sequence[Callable[[bytes], object]], files: Sequence[bytes]) -> list[float]:
    """Files a CPU-second for each work, the best of three turns."""
    best = [0.0] * len(works)
    for _ in range(3):
        for index, work in enumerate(works):
            start, count = time.thread_time(), 0
            while (spent := time.thread_time() - start) < SECONDS / 3:
                work(files[count % len(files)])
                count += 1
            best[index] = max(best[index], count / spent)
    return best


def _row(name: str, value: float, unit: str, peer: str, peer_value: float) -> Row:
    ratio = round(value / peer_value, 3) if peer_value else None
    return {
        "name": name,
        "value": round(value, 4),
        "unit": unit,
        "peer": peer,
        "peer_value": round(peer_value, 4),
        "ratio": ratio,
    }


# --- the suite


@dataclass(frozen=True, slots=True)
class Hit:
    """A reference that a query is said to show."""

    reference: int
    distance: int | None
    overlap: Overlap | None


class Protected:
    """The references: codes and features in memory."""

    def __init__(self, references: Sequence[Picture]) -> None:
        self.pictures = list(references)
        self.lumas = [luma(picture.file(), least=DECODED) for picture in references]
        self.features = [local(each) for each in self.lumas]
        codes = [
            (n, code.bits) for n, picture in enumerate(references) for code in reference_codes(luma(picture.file()))
        ]
        self._owners = np.array([owner for owner, _ in codes])
        self._codes = np.frombuffer(b"".join(bits for _, bits in codes), np.uint64).reshape(-1, 4)
        self.pool = Pool(list(enumerate(self.features)))
        self.spent: Counter[str] = Counter()

    def near(self, data: bytes) -> dict[int, int]:
        """References within `RADIUS` by any code, with their distances."""
        asked = query_codes(luma(data))
        if not asked:
            return {}
        codes = np.frombuffer(b"".join(code.bits for code in asked), np.uint64).reshape(-1, 4)
        nearest = np.full(len(self.pictures), 999)
        apart = np.bitwise_count(codes[:, None] ^ self._codes[None]).sum(axis=2, dtype=np.int64).min(axis=0)
        np.minimum.at(nearest, self._owners, apart)
        return {int(who): int(nearest[who]) for who in np.flatnonzero(nearest <= RADIUS)}

    def search(self, data: bytes) -> tuple[list[Hit], list[Hit]]:
        """Hits of the first stage, and of both (the second is asked where the first finds nothing)."""
        start = time.thread_time()
        first = [Hit(who, distance, None) for who, distance in self.near(data).items()]
        self.spent["first stage"] += 1
        self.spent["first stage, ms"] += round((time.thread_time() - start) * 1000)
        if first:
            return first, first
        start = time.thread_time()
        query = of_query(luma(data, least=DECODED))
        found = self.pool.found(query, lambda who: self.features[who])
        self.spent["second stage"] += 1
        self.spent["second stage, ms"] += round((time.thread_time() - start) * 1000)
        return [], [Hit(who, None, overlap) for who, overlap in found]


def suite(pictures: Sequence[Picture], many: int, audit: Path) -> list[Row]:
    """Recall of each edit and hits that are none, with a page of those to look at."""
    references, held_out, refused = _split(pictures)
    protected = Protected(references)
    page = Page(audit)
    half = many // 2
    queried = [*range(half), *range(REFERENCES["photograph"], REFERENCES["photograph"] + many - half)]
    others = [picture.pixels for picture in held_out if picture.kind != "clip art"]
    rows = []
    totals = [0, 0]
    for edit in edits.EDITS:
        found = _of_edit(edit, protected, queried, others, page)
        totals = [totals[0] + found[0], totals[1] + found[1]]
        rows.append(_row(f"suite: {edit}", found[1] / many, "recall", "codes alone", found[0] / many))
        print(rows[-1]["name"], rows[-1]["value"], file=sys.stderr)
    asked = many * len(edits.EDITS)
    rows.append(_row("suite: all edits", totals[1] / asked, "recall", "codes alone", totals[0] / asked))
    count = 0
    for name, data in _distractors(held_out):
        count += 1
        for hit in protected.search(data)[1]:
            page.hit(name, data, protected, hit)
            print("to audit:", page.hits[-1][:3], file=sys.stderr)
    rows.append(_row("suite: hits on pictures that they were not made of", len(page.hits), "hits", "of", count))
    unknown = [hit for hit in page.hits if not shared(hit[0], hit[1])]
    rows.append(_row("suite: of these nobody has looked at yet", len(unknown), "hits", "of", len(page.hits)))
    page.write(len(references), [picture.name for picture in refused])
    spent = protected.spent
    for stage in ("first stage", "second stage"):
        each = spent[f"{stage}, ms"] / max(spent[stage], 1)
        rows.append(_row(f"suite: {stage} ({spent[stage]} pictures)", each, "CPU-ms each", "budget", 25.0))
    return rows


def _split(pictures: Sequence[Picture]) -> tuple[list[Picture], list[Picture], list[Picture]]:
    """References, pictures held out, and those (among the latter) that are refused as not distinctive."""
    kinds: dict[str, list[Picture]] = {kind: [] for kind in REFERENCES}
    refused = []
    for picture in pictures:
        data = picture.file()
        try:
            must_be_distinctive(luma(data), features=len(local(luma(data, least=DECODED))))
        except Invalid:
            refused.append(picture)
        else:
            kinds[picture.kind].append(picture)
    references = [picture for kind, limit in REFERENCES.items() for picture in kinds[kind][:limit]]
    held_out = [picture for kind, limit in REFERENCES.items() for picture in kinds[kind][limit:]]
    return references, held_out + refused, refused


def _of_edit(
    edit: str, protected: Protected, queried: Sequence[int], others: Sequence[Pixels], page: Page
) -> tuple[int, int]:
    """How many of the queried references are found after this edit, by codes alone and by both stages."""
    first = both = 0
    for number in queried:
        data = edits.edited(edit, protected.pictures[number].pixels, others, number)
        early, late = protected.search(data)
        first += any(hit.reference == number for hit in early)
        if any(hit.reference == number for hit in late):
            both += 1
        else:
            page.miss(edit, protected.pictures[number].name, data)
        for hit in late:
            if hit.reference != number:
                page.hit(f"{protected.pictures[number].name}, {edit}", data, protected, hit)
                print("to audit:", page.hits[-1][:3], file=sys.stderr)
    return first, both


def _distractors(held_out: Sequence[Picture]) -> Iterator[tuple[str, bytes]]:
    """Pictures that were never protected, and listings made of them."""
    made = ("text banner", "screenshot", "listing template", "collage of four", "mirrored")
    pixels = [picture.pixels for picture in held_out]
    count = 0
    for turn in ("", *made):
        for number, picture in enumerate(held_out):
            if count >= DISTRACTORS and turn:
                return
            count += 1
            others = pixels[number + 1 : number + 9] + pixels[: max(0, 8 - (len(pixels) - number - 1))]
            data = edits.edited(turn, picture.pixels, others, number) if turn else picture.file(85)
            yield f"{picture.name} {turn}".strip(), data


def shared(query: str, reference: str) -> str:
    """Why a hit is none that is false, as somebody saw who looked; empty where nobody has."""
    asked = query.partition(",")[0].split(" ")[0]
    if "contents/" in asked and asked.partition("/contents")[0] == reference.partition("/contents")[0]:
        return "one wallpaper in two shapes"
    if any(each in query and each in reference for each in FRAMED):
        return "the same frame"
    return LOOKED_AT.get((asked.rpartition("/")[2], reference.rpartition("/")[2]), "")


class Page:
    """What must be looked at: supposed false hits with their drawings, and misses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.hits: list[tuple[str, str, str, bytes]] = []
        self.misses: list[tuple[str, str, bytes]] = []

    def hit(self, query: str, data: bytes, protected: Protected, hit: Hit) -> None:
        """Keep one hit on a reference that the query was not made of."""
        picture, here = luma(data, least=DECODED), protected.lumas[hit.reference]
        overlap = hit.overlap
        if overlap is None:
            pairs = (verify(each, protected.features[hit.reference]) for each in of_query(picture))
            overlap = next((each for each in pairs if each), None)
        why = f"distance {hit.distance}" if hit.distance is not None else f"{hit.overlap.inliers} inliers"  # type: ignore[union-attr]  # one of both is there
        drawn = drawing(picture, here, overlap or NOTHING)
        self.hits.append((query, protected.pictures[hit.reference].name, why, drawn))

    def miss(self, edit: str, name: str, data: bytes) -> None:
        """Keep one altered copy that was not found."""
        small = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_REDUCED_COLOR_4)
        self.misses.append((edit, name, cv2.imencode(".png", small)[1].tobytes()))

    def write(self, references: int, refused: list[str]) -> None:
        """The page as one file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        parts = ["<!doctype html><meta charset=utf-8><title>Pictures to look at</title>"]
        parts.append(f"<p>{references} references; refused as not distinctive: {html.escape(', '.join(refused))}</p>")
        parts.append(f"<h1>Supposed false hits: {len(self.hits)}</h1>")
        for query, name, why, drawn in self.hits:
            seen = shared(query, name) or "not looked at yet"
            parts.append(f"<h3>{html.escape(query)} : {html.escape(name)} ({why}; {seen})</h3>{_inline(drawn)}")
        parts.append(f"<h1>Misses: {len(self.misses)}</h1>")
        for edit, name, drawn in self.misses:
            parts.append(f"<figure style='display:inline-block'>{_inline(drawn)}")
            parts.append(f"<figcaption>{html.escape(edit)}<br>{html.escape(name)}</figcaption></figure>")
        (self.folder / "index.html").write_text("".join(parts), "utf-8")
        print(f"look at {self.folder / 'index.html'}", file=sys.stderr)


NOTHING = Overlap(
    inliers=0, pairs=0, mirrored=False, corners=(), query_hull=(), reference_hull=(), covered=0.0, lines=()
)


def _inline(png: bytes) -> str:
    return f"<img alt='' src='data:image/png;base64,{base64.b64encode(png).decode()}'>"


def measure(many: int, audit: Path) -> list[Row]:
    """Speed, then the suite."""
    cv2.setNumThreads(1)
    pictures = corpus()
    rates = speed(pictures)
    print(*rates, sep="\n", file=sys.stderr)
    return [*rates, *suite(pictures, many, audit)]


def main() -> None:
    """Print a table, or one JSON object a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--pictures", metavar="N", type=int, default=100, help="that are altered and looked for")
    parser.add_argument("--audit", metavar="FOLDER", type=Path, help="folder for the page of supposed false hits")
    chosen = parser.parse_args()
    folder = chosen.audit or Path(tempfile.mkdtemp(prefix="chopmark-audit-"))
    for line in measure(chosen.pictures, folder):
        if chosen.json:
            print(json.dumps(line))
        else:
            print("{name:66} {value:>9} {unit:12} {ratio} x {peer} ({peer_value})".format(**line))


if __name__ == "__main__":
    main()
