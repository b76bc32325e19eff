"""Sound and film: how often an altered excerpt finds its work, and where in it; one line for each alteration.

    ./run bench media_time [--json] [--quick] [--only audio|video] [--audit FILE.html]

Needs ffmpeg and sox (to alter, never to find) and works to alter: any of the Debian packages wesnoth-1.16-music,
hyperrogue-music, fb-music-high, asc-music for sound; for film the sample videos of the shared data (CHOPMARK_DATA)
and the clips that are rendered here.

Every fourth work is held out: it is altered and searched like the others and must find nothing. A hit counts when the
work is right; `right_place` is the share whose place in it is right within 1.5 s too (music that repeats its bars to
the sample lowers it). What is held out and found all the same is listed with its
reasons (`--audit` writes a page with both parts to listen to or look at), because music quotes itself.
The peers, in the same run: `fpcalc` for speed, one code a second without regions or turns for film.
"""

from __future__ import annotations

import argparse
import base64
import html
import io
import json
import os
import random
import shutil
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from chopmark.media import audio, chromaprint, landmarks
from chopmark.media.segment import Segment

MUSIC = ("/usr/share/games", "/usr/share/hyperrogue/music")
EXCERPT = 10.0
RIGHT_PLACE = 1.5
SEED = 6

Pcm = NDArray[np.int16]
Result = TypeVar("Result")


# --- sound


@dataclass(frozen=True, slots=True)
class Tune:
    """A piece of music on disk."""

    path: Path
    held_out: bool


def tunes() -> list[Tune]:
    """Music that is installed, at least 30 s long, every fourth held out; arrangements of another stay references."""
    paths = sorted(
        path for root in MUSIC for kind in ("ogg", "mp3") for path in Path(root).rglob(f"*.{kind}") if path.is_file()
    )
    long_enough = [path for path in paths if path.stat().st_size > 300_000 and _length(path) > 30]
    return [Tune(path, number % 4 == 3) for number, path in enumerate(long_enough)]


def _ffmpeg(*arguments: str, data: bytes = b"") -> bytes:
    command = ["ffmpeg", "-v", "error", "-threads", "1", *arguments]
    return subprocess.run(command, input=data, capture_output=True, check=True).stdout


def _excerpt(path: Path, start: float, seconds: float) -> bytes:
    """As WAV, 44,100 Hz stereo: what an editor would work on."""
    return _ffmpeg("-ss", f"{start:.3f}", "-t", f"{seconds:.3f}", "-i", str(path), *_WAV)


_WAV = ("-ac", "2", "-ar", "44100", "-f", "wav", "-bitexact", "pipe:1")


def _sox(*effect: str) -> Callable[[bytes], bytes]:
    def change(sound: bytes) -> bytes:
        command = ["sox", "-V1", "-t", "wav", "-", "-t", "wav", "-", *effect]
        return subprocess.run(command, input=sound, capture_output=True, check=True).stdout

    return change


def _through(codec: str, kind: str, rate: str) -> Callable[[bytes], bytes]:
    def change(sound: bytes) -> bytes:
        return _ffmpeg("-i", "pipe:0", "-c:a", codec, "-b:a", rate, "-f", kind, "pipe:1", data=sound)

    return change


def _filtered(chain: str) -> Callable[[bytes], bytes]:
    return lambda sound: _ffmpeg("-i", "pipe:0", "-af", chain, *_WAV, data=sound)


def _mixed(other: str, level: float) -> Callable[[bytes], bytes]:
    """With something over it that is `level` dB below the music."""

    def change(sound: bytes) -> bytes:
        head, body = _samples(sound)
        over = _samples(_ffmpeg("-f", "lavfi", "-i", other, "-t", "60", *_WAV))[1][: len(body)]
        body, over = body.astype(np.float64), over.astype(np.float64)
        over *= max(body.std(), 50) / max(over.std(), 1) * 10 ** (-level / 20)
        return _wave(head, np.clip(body[: len(over)] + over, -32768, 32767).astype(np.int16))

    return change


def _spoken(level: float) -> Callable[[bytes], bytes]:
    words = "This recording was made at the market on the fourth floor, and the man at the stall says it is genuine. "
    command = ["espeak-ng", "--stdout", words * 4]

    def change(sound: bytes) -> bytes:
        voice = subprocess.run(command, capture_output=True, check=True).stdout
        head, body = _samples(sound)
        over = _samples(_ffmpeg("-i", "pipe:0", *_WAV, data=voice))[1][: len(body)].astype(np.float64)
        mixed = body[: len(over)].astype(np.float64)
        mixed += over * max(mixed.std(), 50) / max(over.std(), 1) * 10 ** (-level / 20)
        return _wave(head, np.clip(mixed, -32768, 32767).astype(np.int16))

    return change


def _samples(sound: bytes) -> tuple[int, Pcm]:
    """Of a WAV that a pipe wrote: its length fields say nothing."""
    start = sound.index(b"data") + 8
    body = sound[start : start + (len(sound) - start) // 4 * 4]
    return 44100, np.frombuffer(body, np.int16)


def _wave(rate: int, body: Pcm) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(body.tobytes())
    return out.getvalue()


# What is done, how much faster it runs afterwards, and the share that must be found (None: only reported).
SOUND_EDITS: dict[str, tuple[Callable[[bytes], bytes], float, float | None]] = {
    "unchanged": (lambda sound: sound, 1.0, 0.95),
    "MP3 48 kbit/s": (_through("libmp3lame", "mp3", "48k"), 1.0, 0.95),
    "Opus 24 kbit/s": (_through("libopus", "ogg", "24k"), 1.0, 0.95),
    "AAC 32 kbit/s": (_through("aac", "adts", "32k"), 1.0, 0.95),
    "noise 10 dB below": (_mixed("anoisesrc=a=0.5:c=white", 10), 1.0, 0.95),
    "noise as loud": (_mixed("anoisesrc=a=0.5:c=white", 0), 1.0, 0.95),
    "pink noise 3 dB below": (_mixed("anoisesrc=a=0.5:c=pink", 3), 1.0, None),
    "telephone 300-3400 Hz": (_filtered("highpass=f=300:p=2,lowpass=f=3400:p=2,aresample=8000"), 1.0, 0.95),
    "bass +12, treble -8 dB": (_filtered("bass=g=12,treble=g=-8"), 1.0, None),
    "a voice over it, as loud": (_spoken(0), 1.0, None),
    "echo of a hall": (_filtered("aecho=0.8:0.7:60|110:0.5|0.3"), 1.0, None),
    "tempo +3 %": (_sox("tempo", "-m", "1.03"), 1.03, 0.95),
    "tempo -3 %": (_sox("tempo", "-m", "0.97"), 0.97, 0.95),
    "tempo +10 %": (_sox("tempo", "-m", "1.10"), 1.10, 0.80),
    "speed +2 %": (_sox("speed", "1.02"), 1.02, 0.95),
    "speed +4 %": (_sox("speed", "1.04"), 1.04, 0.95),
    "speed -4 %": (_sox("speed", "0.96"), 0.96, 0.95),
    "speed +6 %": (_sox("speed", "1.06"), 1.06, None),
    "pitch +1 semitone": (_sox("pitch", "100"), 1.0, None),
    "speed +3 % and noise 10 dB": (
        lambda sound: _mixed("anoisesrc=a=0.5:c=white", 10)(_sox("speed", "1.03")(sound)),
        1.03,
        None,
    ),
    "phone, voice, MP3 48": (
        lambda sound: _through("libmp3lame", "mp3", "48k")(
            _filtered("highpass=f=300,lowpass=f=3400")(_spoken(6)(sound))
        ),
        1.0,
        None,
    ),
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something that was held out and found all the same."""

    edit: str
    query: str
    reference: str
    segment: Segment
    listen: bytes


def sound_suite(*, tries: int, only: Sequence[str] = ()) -> tuple[list[dict[str, Any]], list[Alarm]]:
    """One line for each alteration: share found, share found in the right place, held-out hits."""
    works = tunes()
    index = audio.SoundIndex()
    spent = {"decode": 0.0, "fingerprint": 0.0, "search": 0.0}
    seconds = 0.0
    searches = 0
    for number, tune in enumerate(works):
        if tune.held_out:
            continue
        with tune.path.open("rb") as file:
            sound = _timed(spent, "decode", lambda file=file: audio.decode(file))
        seconds += sound.seconds
        index.add(number, _timed(spent, "fingerprint", lambda sound=sound: audio.fingerprint(sound.pcm)))
    lines: list[dict[str, Any]] = []
    alarms: list[Alarm] = []
    positives = [number for number, tune in enumerate(works) if not tune.held_out]
    negatives = [number for number, tune in enumerate(works) if tune.held_out]
    for name, (change, faster, must) in SOUND_EDITS.items():
        if only and name not in only:
            continue
        draw = random.Random(f"{SEED} {name}")  # noqa: S311 - which excerpts, the same every time
        found = placed = wrong = 0
        chosen = [draw.choice(positives) for _ in range(tries)] + negatives
        for turn, number in enumerate(chosen):
            path = works[number].path
            start = draw.uniform(5, max(6.0, _length(path) - 18))
            with_change = change(_excerpt(path, start, EXCERPT * faster))
            print_ = audio.fingerprint(audio.decode(io.BytesIO(with_change)).pcm, query=True)
            hits = _timed(spent, "search", lambda print_=print_: index.search(print_))
            searches += 1
            right = [segment for hit, segment in hits if hit == number]
            if turn < tries:
                found += bool(right)
                placed += any(_in_place(segment, start, faster) for segment in right)
            for hit, segment in hits:
                if hit != number:
                    wrong += 1
                    alarms.append(Alarm(name, path.name, works[hit].path.name, segment, with_change))
        share = round(placed / tries, 3)
        lines.append(_line(f"audio: {name}", found / tries, must, right_place=share, false_hits=wrong))
    lines += _sound_speed(spent, seconds, searches)
    return lines, alarms


def _timed(spent: dict[str, float], name: str, step: Callable[[], Result]) -> Result:
    start = time.process_time()
    result = step()
    spent[name] += time.process_time() - start
    return result


def _length(path: Path) -> float:
    probe = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0", str(path)]
    told = subprocess.run(probe, capture_output=True, check=False).stdout
    return float(told) if told.strip() else 0.0


def _in_place(segment: Segment, start: float, faster: float) -> bool:
    """Whether the query's part, taken back to the original, is the part named."""
    return abs(segment.reference.start - start - segment.query.start * faster) <= RIGHT_PLACE


def _sound_speed(spent: dict[str, float], seconds: float, searches: int) -> list[dict[str, Any]]:
    lines = [
        {"name": f"audio: {name}", "value": round(seconds / max(spent[name], 1e-9)), "unit": "x real time"}
        for name in ("decode", "fingerprint")
    ]
    lines.append(
        {
            "name": f"audio: search of 10 s in {seconds / 3600:.1f} h",
            "value": round(1000 * spent["search"] / max(searches, 1), 1),
            "unit": "ms CPU",
        }
    )
    sample = (np.random.default_rng(SEED).normal(0, 4000, 300 * audio.RATE)).astype(np.int16)
    own = _cpu(lambda: chromaprint.codes(sample))
    lines.append({"name": "audio: landmarks", "value": round(300 / _cpu(lambda: landmarks.peaks(sample))), "unit": "x"})
    line: dict[str, Any] = {"name": "audio: Chromaprint", "value": round(300 / own), "unit": "x real time"}
    if shutil.which("fpcalc"):
        raw = ["fpcalc", "-format", "s16le", "-rate", "11025", "-channels", "1", "-raw", "-length", "0", "-"]
        before = os.times()
        subprocess.run(raw, input=sample.tobytes(), capture_output=True, check=False)
        after = os.times()
        peer = after.children_user + after.children_system - before.children_user - before.children_system
        line |= {"peer": "fpcalc", "peer_value": round(300 / peer), "ratio": round(peer / own, 2)}
    return [*lines, line]


def _cpu(step: Callable[[], Any]) -> float:
    start = time.process_time()
    step()
    return time.process_time() - start


def _line(name: str, value: float, must: float | None, **more: float) -> dict[str, Any]:
    line: dict[str, Any] = {"name": name, "value": round(value, 3), "unit": "share", **more}
    if must is not None:
        line |= {"must": must, "met": value >= must}
    return line


# --- what is printed


def audit(alarms: Sequence[Alarm], target: Path) -> None:
    """A page with every supposed false hit: what was searched, what was found, and the sound to listen to."""
    rows = "\n".join(
        f"<tr><td>{html.escape(alarm.edit)}<td>{html.escape(alarm.query)}<td>{html.escape(alarm.reference)}"
        f"<td>{alarm.segment.query.start:.1f}-{alarm.segment.query.end:.1f}"
        f"<td>{alarm.segment.reference.start:.1f}-{alarm.segment.reference.end:.1f}"
        f"<td>{html.escape(json.dumps(dict(alarm.segment.why)))}"
        f"<td><audio controls src='data:audio/wav;base64,{base64.b64encode(alarm.listen).decode()}'></audio>"
        for alarm in alarms
    )
    head = "<tr><th>alteration<th>searched<th>found<th>seconds<th>seconds there<th>why<th>searched sound"
    target.write_text(
        f"<!doctype html><meta charset=utf-8><title>Supposed false hits</title><table>{head}{rows}</table>"
    )


def main() -> None:
    """Print a table, or one JSON object a line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="a few tries for each alteration")
    parser.add_argument("--tries", type=int, default=30)
    parser.add_argument("--only", choices=["audio", "video"])
    parser.add_argument("--edit", action="append", default=[])
    parser.add_argument("--audit", type=Path)
    chosen = parser.parse_args()
    missing = [name for name in ("ffmpeg", "ffprobe", "sox", "espeak-ng") if not shutil.which(name)]
    if missing:
        sys.exit(f"Not installed, and needed to alter works: {' '.join(missing)}")
    lines: list[dict[str, Any]] = []
    alarms: list[Alarm] = []
    if chosen.only != "video" and tunes():
        more, alarms = sound_suite(tries=8 if chosen.quick else chosen.tries, only=chosen.edit)
        lines += more
    for line in lines:
        print(json.dumps(line) if chosen.json else _row(line), flush=True)
    for alarm in alarms:
        print(f"held out and found: {alarm.edit}: {alarm.query} in {alarm.reference} {dict(alarm.segment.why)}")
    if chosen.audit:
        audit(alarms, chosen.audit)


def _row(line: dict[str, Any]) -> str:
    more = "  ".join(f"{name} {value}" for name, value in line.items() if name not in {"name", "value", "unit"})
    return f"{line['name']:44} {line['value']:>8} {line['unit']:12} {more}"


if __name__ == "__main__":
    main()
