"""Marks in titles: speed with 100,000 names, what is found of each disguise, what is flagged in vain, and two peers.

A half of the real titles, the one that `watch_meaning` measures too, with the ordinary words that ship. Disguises are
those of tests/watch/disguises.py: `FAMILIES`, and `HELD_OUT`, which the views were not made for. `flagged in vain` are
clean titles with a hit by any view of disguise that is not of the title's own brand. Peers, in the same run on the same
titles and the same 2,000 names: TF-IDF over letters by two and three (cosine), and RapidFuzz's partial ratio.
Speeds are of one thread, in titles a second of processor time, objects of hits included where it says so.

Run: ./run bench watch_text [--json] [--quick]      (--quick takes fewer titles a family, and 20,000 names)
Titles and names are reference data (CHOPMARK_DATA).
"""

from __future__ import annotations

import gc
import json
import os
import random
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from rapidfuzz import fuzz, process

REPOSITORY = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPOSITORY / "tests" / "watch"))

import disguises  # noqa: E402 (the path is set only now)
import shops  # noqa: E402 (the same)

from chopmark.watch.marks import MarkSet, mark_set  # noqa: E402 (the same)
from chopmark.watch.text.canon import words  # noqa: E402 (the same)
from chopmark.watch.text.matcher import TextMatcher  # noqa: E402 (the same)

SMALL, LARGE, WATCHED = 2_000, 100_000, 3_000
EACH = 300
PEER_EACH = 40
BATCH = 2_000
Line = dict[str, object]
Found = Callable[[Sequence[str]], list[set[str]]]


def main() -> None:
    """Print a table, or one JSON object a line."""
    for line in measure(quick="--quick" in sys.argv[1:]):
        if "--json" in sys.argv[1:]:
            print(json.dumps(line, ensure_ascii=False), flush=True)
        else:
            beside = "{peer_value} {peer} ({ratio} x)".format(**line) if line["peer"] else ""
            print("{name:74} {value:>10} {unit:10} {beside}".format(beside=beside, **line), flush=True)


def measure(*, quick: bool = False) -> Iterator[Line]:
    """All figures."""
    root = Path(os.environ.get("CHOPMARK_DATA", REPOSITORY.parent / "shared" / "data"))
    titles = shops.titles(root)
    tested = [each for each in titles if not shops.is_trusted(each)]
    plain = [each for each in tested if _is_plain(each.brand)]
    names = list(dict.fromkeys(each.brand for each in plain))
    real = [name for name, _ in shops.brands(root)]
    seed = _seeded(7)
    small = shops.marks_of((names + seed.sample(real, SMALL))[:SMALL], near=True)
    yield from _speeds(real, [each.text for each in titles], 20_000 if quick else LARGE)
    matcher = TextMatcher(small)
    planted = {
        half: {name: _plant(plain, family, name, EACH // (5 if quick else 1)) for name, family in families.items()}
        for half, families in (("known", disguises.FAMILIES), ("held out", disguises.HELD_OUT))
    }
    yield from _quality("views", lambda texts: _names(matcher, small, texts), planted, tested)
    few = {half: {name: rows[:PEER_EACH] for name, rows in each.items()} for half, each in planted.items()}
    for peer, make, threshold in (("TF-IDF", _tf_idf, 0.55), ("RapidFuzz", _rapidfuzz, 92)):
        yield from _quality(f"{peer} at {threshold}", make(small, threshold), few, tested[:200])
    yield from _chinese(root, quick=quick)


def _seeded(seed: int | str) -> random.Random:
    return random.Random(seed)  # noqa: S311 (the same titles in each run)


def _is_plain(brand: str) -> bool:
    letters = brand.replace(" ", "")
    return letters.isascii() and letters.isalpha() and len(letters) >= 4


def _line(name: str, value: float, unit: str, peer: str = "", peer_value: float | None = None) -> Line:
    ratio = None if not peer_value else round(value / peer_value, 2)
    shown = round(value) if value >= 100 else round(value, 3)
    return {"name": name, "value": shown, "unit": unit, "peer": peer, "peer_value": peer_value, "ratio": ratio}


def _speeds(real: Sequence[str], texts: Sequence[str], size: int) -> Iterator[Line]:
    filled = [*real[:size], *shops.invented(_seeded(3), max(0, size - len(real)) * 2)]
    large = shops.marks_of(filled[: size + size // 5])
    watched = {each.id for each in _seeded(5).sample(large.marks, WATCHED)}
    large = _watched(large, watched)
    column = list(texts) * 4
    _seeded(1).shuffle(column)
    base = _rate(column, lambda batch: [each.casefold() for each in batch])
    yield _line("lower case alone (for comparing machines)", base, "titles/s")
    for fast, name in ((True, "exact and canonical"), (False, f"all views, {WATCHED} near")):
        began = time.process_time()
        matcher = TextMatcher(large, fast=fast)
        yield _line(f"make the matcher of {len(large.marks)} names: {name}", time.process_time() - began, "s")
        gc.collect()
        gc.freeze()
        yield _line(f"{name}, columns", _rate(column, matcher.find_many), "titles/s")
        yield _line(f"{name}, objects", _rate(column, _objects(matcher)), "titles/s")
        gc.unfreeze()
        del matcher


def _objects(matcher: TextMatcher) -> Callable[[list[str]], object]:
    return lambda batch: list(matcher.hits(matcher.find_many(batch)))


def _watched(marks: MarkSet, chosen: set[int]) -> MarkSet:
    return mark_set(replace(each, near=each.id in chosen) for each in marks.marks)


def _rate(column: Sequence[str], work: Callable[[list[str]], object]) -> float:
    """The best of three rounds over the column, in texts a second of this process's time."""
    best = 0.0
    for _ in range(2):
        began = time.process_time()
        for at in range(0, len(column), BATCH):
            work(list(column[at : at + BATCH]))
        best = max(best, len(column) / (time.process_time() - began))
    return best


def _plant(titles: Sequence[shops.Title], family: disguises.Disguise, name: str, count: int) -> list[tuple[str, str]]:
    """Titles whose brand is disguised everywhere, with the brand."""
    seed, planted = _seeded(name), list[tuple[str, str]]()
    for title in seed.sample(list(titles), len(titles)):
        pattern = re.compile(rf"(?<!\w){re.escape(title.brand)}(?!\w)", re.IGNORECASE)
        found = pattern.search(title.text)
        made = family(seed, found.group()) if found else ""
        if found and made and made.lower() != found.group().lower():
            before, after = (pattern.sub("", part) for part in (title.text[: found.start()], title.text[found.end() :]))
            planted.append((before + made + after, title.brand))
        if len(planted) == count:
            break
    return planted


def _names(matcher: TextMatcher, marks: MarkSet, texts: Sequence[str]) -> list[set[str]]:
    """The names read in each text by any view but the plain one; a name as it is counts where it is not ASCII."""
    found: list[set[str]] = [set() for _ in texts]
    for row, hit in matcher.hits(matcher.find_many(texts)):
        read = texts[row][hit.start : hit.end]
        if hit.view != "exact" or not read.isascii():
            found[row].add(words(marks.marks[hit.mark].text))
        found[row].add("plain:" + words(marks.marks[hit.mark].text))
    return found


def _quality(
    who: str, find: Found, planted: Mapping[str, Mapping[str, Sequence[tuple[str, str]]]], clean: Sequence[shops.Title]
) -> Iterator[Line]:
    began = time.process_time()
    count = 0
    for half, families in planted.items():
        recalls: dict[str, float] = {}
        for name, rows in families.items():
            found = find([text for text, _ in rows])
            right = sum(
                1
                for (_, brand), each in zip(rows, found, strict=True)
                if each & {words(brand), "plain:" + words(brand)}
            )
            recalls[name] = right / len(rows) if rows else 0.0
            count += len(rows)
        if who == "views":
            for name, recall in recalls.items():
                yield _line(f"{who}, {half}: {name}", recall, "recall")
        yield _line(
            f"{who}, {half}: macro over {len(recalls)} families", sum(recalls.values()) / len(recalls), "recall"
        )
        if half == "known":
            points = [recalls[name] for name in disguises.CODE_POINTS]
            yield _line(f"{who}: code points, the least of {len(points)}", min(points), "recall")
    found = find([each.text for each in clean])
    wrong = [
        sum(1 for name in names if not name.startswith("plain:") and not _same(name, title.brand)) > 0
        for title, names in zip(clean, found, strict=True)
    ]
    count += len(clean)
    yield _line(f"{who}: clean titles flagged in vain", 1000 * sum(wrong) / len(clean), "of 1000")
    yield _line(f"{who}: titles looked at", count / (time.process_time() - began), "titles/s")


def _same(name: str, brand: str) -> bool:
    return name.replace(" ", "") == words(brand).replace(" ", "")


def _tf_idf(marks: MarkSet, threshold: float) -> Found:
    """Letters by two and three of each name and of each window of as many words, weighted, cosine."""
    names = [words(each.text) for each in marks.marks]
    grams = [Counter(_grams(name)) for name in names]
    frequency = Counter(gram for each in grams for gram in each)
    columns = {gram: at for at, gram in enumerate(frequency)}
    weight = np.array([np.log(len(names) / frequency[gram]) + 1 for gram in columns])
    matrix = np.zeros((len(names), len(columns)), dtype=np.float32)
    for row, each in enumerate(grams):
        for gram, many in each.items():
            matrix[row, columns[gram]] = many * weight[columns[gram]]
    matrix /= np.linalg.norm(matrix, axis=1, keepdims=True)

    def find(texts: Sequence[str]) -> list[set[str]]:
        found = []
        for text in texts:
            windows = _windows(text.lower().split())
            vectors = np.zeros((len(windows), len(columns)), dtype=np.float32)
            for row, window in enumerate(windows):
                for gram, many in Counter(_grams(window)).items():
                    if gram in columns:
                        vectors[row, columns[gram]] = many * weight[columns[gram]]
            norms = np.linalg.norm(vectors, axis=1, keepdims=True)
            likeness = (vectors / np.where(norms == 0, 1, norms)) @ matrix.T
            near = np.argwhere(likeness >= threshold)
            found.append({names[mark] for window, mark in near.tolist() if windows[window] != names[mark]})
        return found

    return find


def _grams(text: str) -> list[str]:
    padded = f"^{text}$"
    return [padded[at : at + size] for size in (2, 3) for at in range(len(padded) - size + 1)]


def _windows(parts: Sequence[str]) -> list[str]:
    return [" ".join(parts[at : at + size]) for size in (1, 2, 3) for at in range(len(parts) - size + 1)] or [""]


def _rapidfuzz(marks: MarkSet, threshold: float) -> Found:
    names = [words(each.text) for each in marks.marks]

    def find(texts: Sequence[str]) -> list[set[str]]:
        found = []
        for text in texts:
            lower = text.lower()
            scores = process.extract(lower, names, scorer=fuzz.partial_ratio, score_cutoff=threshold, limit=None)
            found.append({name for name, _, _ in scores if f" {name} " not in f" {words(text)} "})
        return found

    return find


def _chinese(root: Path, *, quick: bool) -> Iterator[Line]:
    """Names of labelled titles, disguised in these; of names of two characters, a hundred at a time are watched."""
    rows = shops.chinese(root)
    han = re.compile(r"[\u4e00-\u9fff]{2,6}")
    names = {brand for _, brands in rows for brand in brands if han.fullmatch(brand)}
    plain, watched = (TextMatcher(shops.marks_of(sorted(names), near=near)) for near in (False, True))
    yield from _chinese_vain(rows, plain, "")
    two = sorted(each for each in names if len(each) == 2)
    some = set(_seeded(9).sample(two, 100))
    hundred = mark_set(replace(each, near=each.text in some) for each in shops.marks_of(sorted(names)).marks)
    yield from _chinese_vain(rows, TextMatcher(hundred), ", a hundred names of two watched")
    pairs = [(text, brand) for text, brands in rows for brand in brands if brand in names and text.count(brand) == 1]
    for name, family in (*disguises.CHINESE.items(), *disguises.CHINESE_WATCHED.items()):
        matcher = watched if name in disguises.CHINESE_WATCHED else plain
        seed, found, count = _seeded(name), 0, 0
        for text, brand in seed.sample(pairs, 100 if quick else 400):
            made = family(seed, brand)
            if made:
                count += 1
                at = text.index(brand)
                left = " " if made[0].isascii() and text[at - 1 : at].isascii() else ""
                right = " " if made[-1].isascii() and text[at + len(brand) :][:1].isascii() else ""
                title = text[:at] + left + made + right + text[at + len(brand) :]
                found += any(hit.term == brand for hit in matcher.find(title))
        yield _line(f"Chinese, {len(names)} names: {name}", found / count, "recall")


def _chinese_vain(rows: Sequence[tuple[str, tuple[str, ...]]], matcher: TextMatcher, how: str) -> Iterator[Line]:
    vain: Counter[str] = Counter()
    seen: set[tuple[int, str]] = set()
    texts = [text for text, _ in rows]
    for row, hit in matcher.hits(matcher.find_many(texts)):
        if hit.view != "exact" and hit.term not in texts[row] and (row, hit.view) not in seen:
            seen.add((row, hit.view))
            vain[hit.view] += 1
    for view, many in sorted(vain.items()):
        yield _line(f"Chinese: clean titles flagged in vain by {view}{how}", 1000 * many / len(rows), "of 1000")


if __name__ == "__main__":
    main()
