"""Pictures of listings: the whole first stage, from files to hits, a core; and its parts.

    ./run bench watch_pictures [--json] [--quick]

The whole stage is what a scan does: read the file, SHA-256, decode and sketch in the media cage, look up, keep what is
near. Seconds are of processors, ours and those of the cage together, wherever they were spent. A close look at what has
a hit (which parts agree) comes on top and is measured by itself, and the arithmetic adds it for one picture in a
thousand. A second look is the close look at pictures that have no near code, among works with local features; its peer
is OpenCV used plainly on the same bytes: ORB of the picture and its mirror image, its matcher and RANSAC against five
references, which it is told for nothing. The peer is the plain way: Pillow and the published PDQ (`pdqhash` where
CHOPMARK_PEERS has it, else the plain PDQ of our tests) of the whole picture, upright only, without a cage. "Decoding
alone" is libjpeg-turbo at an eighth, which no code can be had without: on a busy machine it says how much slower
everything is. What is compared with it is measured in turns with it, some pictures at a time, and of each of those the
least of some rounds counts: a second of a busy processor is worth less than the next. Pictures are drawn here: 800 x
800 pixels, each another, JPEG of quality 80 with colours halved (4:2:0). What is protected: N works of five codes each,
random but for those planted.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import simplejpeg
from PIL import Image

from chopmark.media import features, picture
from chopmark.media.fingerprint import Code
from chopmark.media.sketch import sketch_of
from chopmark.media.workshop import Workshop
from chopmark.watch.listing import Picture
from chopmark.watch.looking import Looker
from chopmark.watch.pictures import PictureMatcher, PictureSet, Reference, picture_set
from chopmark.watch.shelf import Folder

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "media"))
sys.path.append(os.environ.get("CHOPMARK_PEERS", ""))

import plain_pdq
from world import media

AT = datetime(2026, 11, 22, tzinfo=UTC)
PICTURES, WORKS, ROUNDS, PEER = 640, 100_000, 3, 8
KEPT, LOOKED = 200, 32
"""Works with local features, and pictures that have a second look among them."""
TURNS, SOME, TOGETHER = 6, 32, 8
"""Rounds of what is measured in turns, pictures at a time, and how many the cage decodes before it describes them."""
A_DAY = 600_000_000
Line = dict[str, object]
Pixels = npt.NDArray[np.uint8]
Places = npt.NDArray[np.float32]


def main() -> None:
    """Print a table, or one JSON object a line."""
    for line in measure(quick="--quick" in sys.argv[1:]):
        if "--json" in sys.argv[1:]:
            print(json.dumps(line), flush=True)
        else:
            beside = "{peer_value} {peer} ({ratio} x)".format(**line) if line["peer"] else ""
            print("{name:68} {value:>10} {unit:6} load {load:<5}{beside}".format(beside=beside, **line), flush=True)


def measure(*, quick: bool = False) -> Iterator[Line]:
    """All lines, as they are measured."""
    cv2.setNumThreads(1)
    count, works = (PICTURES // 10, WORKS // 10) if quick else (PICTURES, WORKS)
    files = drawn(count)
    yield _line("size of a picture, mean", round(sum(map(len, files)) / count / 1024, 1), "KiB")
    [peer] = _in_turns(files[:PEER], [_each(_plain)])
    bare, code, together, asked = _in_turns(
        files,
        [_each(_decoded), _each(_coded), _coded_together, _each(lambda data: sketch_of(picture.luma(data)).encode())],
    )
    yield _line("decoding alone, a core", round(bare), "/s")
    yield _line("file bytes to eight codes of the whole, a core", round(code), "/s", "Pillow and PDQ", round(peer))
    named = f"the same, {TOGETHER} decoded and then described, as in the cage, a core"
    yield _line(named, round(together), "/s", "Pillow and PDQ", round(peer))
    yield _line("file bytes to a sketch (nine regions, 72 codes), a core", round(asked), "/s")
    with tempfile.TemporaryDirectory() as folder:
        lists = _laid(Path(folder), files)
        matcher = PictureMatcher(_protected(files, works))
        sketches = [sketch_of(picture.luma(each)) for each in files]
        matcher._looked_up(sketches[:1])  # noqa: SLF001 (the index is made at the first search)
        start = time.process_time()
        matcher._looked_up(sketches)  # noqa: SLF001 (the part that is measured)
        spent = (time.process_time() - start) / count
        yield _line(f"look-up of a sketch among {5 * works:,} codes, a core", round(1 / spent), "/s")
        strange = [each for number, each in enumerate(lists) if number not in _planted(count)]
        for batch in (1, 32, 256):
            whole, _ = _stage(matcher, Path(folder), strange[: count if batch > 1 else count // 10], batch)
            named = f"whole first stage, batches of {batch}, a core"
            yield _line(named, round(whole), "/s", "Pillow and PDQ", round(peer))
        copies = [lists[number] for number in _planted(count)]
        closely, found = _stage(matcher, Path(folder), copies, 256)
        yield _line("planted copies found by the whole stage", found, f"of {len(copies)}")
        yield _line("a picture with a hit, looked at closely too", round(1000 / closely), "ms")
        looked, plainly = _second_looks(KEPT // 10 if quick else KEPT, files[: LOOKED // 4 if quick else LOOKED])
        yield _line(
            f"second look, among {KEPT // 10 if quick else KEPT} works, CPU of a picture",
            round(looked, 1),
            "ms",
            "plain OpenCV, five references",
            round(plainly, 1),
        )
        cores = A_DAY / 86_400 * (1 / whole + 1 / closely / 1000)
        yield _line("cores for 600 million pictures a day, one hit in 1,000 (arithmetic)", round(cores, 1), "cores")


def drawn(count: int, first: int = 0) -> list[bytes]:
    """Pictures as shops have them, by number: a scene, fine noise as a camera has it."""
    rng = np.random.default_rng(9)
    noise = rng.normal(0, 3.0, (800, 800, 3)).astype(np.float32)
    found = []
    for number in range(first, first + count):
        scene = cv2.resize(media.picture(number, 300), (800, 800), interpolation=cv2.INTER_CUBIC).astype(np.float32)
        noisy = np.clip(scene + np.roll(noise, 7 * number, axis=number % 2), 0, 255).astype(np.uint8)
        found.append(media.jpeg(noisy, 80))
    return found


def _planted(count: int) -> range:
    return range(0, count, 100)


def _protected(files: Sequence[bytes], works: int) -> PictureSet:
    """Every hundredth picture is protected, among many that are not here."""
    rng = np.random.default_rng(3)
    bits = rng.integers(0, 256, (works, 5, 32), np.uint8)
    references = [
        Reference(
            work=f"W-2026-{number:06d}",
            organisation="o",
            sha256=hashlib.sha256(number.to_bytes(4)).digest(),
            codes=tuple(Code(bits=each.tobytes(), quality=90) for each in bits[number]),
        )
        for number in range(works)
    ]
    for number in _planted(len(files)):
        kept = picture.reference_codes(picture.luma(files[number]))
        references[number] = Reference(
            work=f"W-2026-{number:06d}",
            organisation="o",
            sha256=hashlib.sha256(files[number]).digest(),
            codes=tuple(Code(bits=each.bits, quality=each.quality) for each in kept),
        )
    return picture_set(references)


def _laid(folder: Path, files: Sequence[bytes]) -> list[tuple[Picture, ...]]:
    """One listing a picture; planted ones lie there encoded anew."""
    lists: list[tuple[Picture, ...]] = []
    for number, each in enumerate(files):
        data = each
        if number in _planted(len(files)):
            pixels = cv2.imdecode(np.frombuffer(each, np.uint8), cv2.IMREAD_COLOR)
            data = media.jpeg(np.asarray(pixels)[:, ::-1], 75)
        digest = hashlib.sha256(data).digest()
        (folder / digest.hex()).write_bytes(data)
        lists.append((Picture(sha256=digest),))
    return lists


def _stage(
    matcher: PictureMatcher, folder: Path, lists: Sequence[tuple[Picture, ...]], batch: int
) -> tuple[float, int]:
    """Pictures a second of one processor, the best of some rounds, and listings with a hit."""
    best, found = 0.0, 0
    for _ in range(ROUNDS):
        workshop = Workshop(1)
        looker = Looker(matcher, workshop=workshop, source=Folder(folder), patience=0, batch=batch)
        looker.look(lists[:1], AT)  # the cage's process is warm then
        child = workshop._idle[0]._process.pid  # noqa: SLF001 (whose seconds are counted)
        own, caged = time.process_time(), _spent(child)
        found = sum(bool(each) for each in looker.look(lists, AT))
        seconds = time.process_time() - own + _spent(child) - caged
        best = max(best, len(lists) / seconds)
        workshop.close()
    return best, found


def _second_looks(kept: int, files: Sequence[bytes]) -> tuple[float, float]:
    """CPU-ms of a picture without a near code, everything counted, and of the plain way; the least of some rounds."""
    known = [features.local(picture.luma(each, least=features.DECODED)) for each in drawn(kept, first=50_000)]
    matcher = PictureMatcher(
        picture_set(
            Reference(work=f"W-{number}", organisation="o", sha256=number.to_bytes(32), features=each.encode())
            for number, each in enumerate(known)
        )
    )
    five = [each.bits for each in known[:5]], [each.places for each in known[:5]]
    best, plainly = float("inf"), float("inf")
    with tempfile.TemporaryDirectory() as folder:
        lists = [(_put(Path(folder), each),) for each in files]
        for _ in range(ROUNDS):
            workshop = Workshop(1)
            looker = Looker(matcher, workshop=workshop, source=Folder(Path(folder)), patience=float("inf"))
            looker.look(lists[:1], AT)
            child = workshop._idle[0]._process.pid  # noqa: SLF001 (as above)
            own, caged = time.process_time(), _spent(child)
            looker.look(lists, AT)
            best = min(best, time.process_time() - own + _spent(child) - caged)
            workshop.close()
            own = time.process_time()
            for each in files:
                _plain_look(each, *five)
            plainly = min(plainly, time.process_time() - own)
    return 1000 * best / len(files), 1000 * plainly / len(files)


def _put(folder: Path, data: bytes) -> Picture:
    digest = hashlib.sha256(data).digest()
    (folder / digest.hex()).write_bytes(data)
    return Picture(sha256=digest)


def _plain_look(data: bytes, descriptors: Sequence[Pixels], places: Sequence[Places]) -> None:
    pixels = np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), np.uint8)
    orb, matcher = cv2.ORB.create(nfeatures=1500), cv2.BFMatcher(cv2.NORM_HAMMING)
    for shown in (pixels, np.ascontiguousarray(pixels[:, ::-1])):
        corners, bits = orb.detectAndCompute(shown, None)
        for known, where in zip(descriptors, places, strict=True):
            pairs = matcher.knnMatch(bits, known, k=2)
            good = [one for one, other in pairs if one.distance < 0.9 * other.distance]
            there = np.array([corners[each.queryIdx].pt for each in good], np.float32)
            if len(good) >= 8:
                cv2.estimateAffine2D(there, where[[each.trainIdx for each in good]], ransacReprojThreshold=3.5)


def _spent(process: int) -> float:
    """CPU seconds of a process and of the forks it has waited for."""
    fields = Path(f"/proc/{process}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _plain(data: bytes) -> None:
    with Image.open(BytesIO(data)) as opened:
        pixels = np.asarray(opened.convert("RGB"))
    try:
        importlib.import_module("pdqhash").compute(pixels)
    except ImportError:
        plain_pdq.plain_pdq(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY))


def _decoded(data: bytes) -> None:
    simplejpeg.decode_jpeg(data, colorspace="GRAY", min_height=100, min_width=100, min_factor=1)


def _coded(data: bytes) -> None:
    picture.dihedral(picture.luma(data))


def _coded_together(files: Sequence[bytes]) -> None:
    for start in range(0, len(files), TOGETHER):
        for each in [picture.luma(data) for data in files[start : start + TOGETHER]]:
            picture.dihedral(each)


def _each(work: Callable[[bytes], object]) -> Callable[[Sequence[bytes]], None]:
    def works(files: Sequence[bytes]) -> None:
        for data in files:
            work(data)

    return works


def _in_turns(files: Sequence[bytes], works: Sequence[Callable[[Sequence[bytes]], None]]) -> list[float]:
    """Files a CPU-second for each work: of each few files the least of some rounds, over all files."""
    spent = [0.0] * len(works)
    for start in range(0, len(files), SOME):
        some = files[start : start + SOME]
        best = [float("inf")] * len(works)
        for _ in range(TURNS):
            for number, work in enumerate(works):
                began = time.process_time()
                work(some)
                best[number] = min(best[number], time.process_time() - began)
        spent = [whole + least for whole, least in zip(spent, best, strict=True)]
    return [len(files) / each for each in spent]


def _line(name: str, value: float, unit: str, peer: str | None = None, peer_value: float | None = None) -> Line:
    ratio = round(float(value) / peer_value, 1) if peer_value else None
    return {
        "name": name,
        "value": value,
        "unit": unit,
        "peer": peer,
        "peer_value": peer_value,
        "ratio": ratio,
        "load": round(os.getloadavg()[0], 1),
        "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


if __name__ == "__main__":
    main()
