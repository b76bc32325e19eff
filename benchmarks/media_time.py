"""Sound and film: how often an altered excerpt finds its work, and where in it; one line for each alteration.

    ./run bench media_time [--json] [--quick] [--only audio|video] [--audit FILE.html]

Needs ffmpeg and sox (to alter, never to find) and works to alter: any of the Debian packages wesnoth-1.16-music,
hyperrogue-music, fb-music-high, asc-music for sound; for film the pictures of gnome-backgrounds, mate-backgrounds,
plasma-workspace-wallpapers and the like, over which a camera is moved.

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
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

from chopmark.media import audio, chromaprint, landmarks, video
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


def sound_suite(say: Callable[[dict[str, Any]], None], *, tries: int, only: Sequence[str] = ()) -> list[Alarm]:
    """One line for each alteration: share found, share found in the right place, held-out hits; returns the hits."""
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
        say(_line(f"audio: {name}", found / tries, must, right_place=share, false_hits=wrong))
    for line in _sound_speed(spent, seconds, searches):
        say(line)
    return alarms


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


def _line(name: str, value: float, must: float | None, **more: float | str) -> dict[str, Any]:
    line: dict[str, Any] = {"name": name, "value": round(value, 3), "unit": "share", **more}
    if must is not None:
        line |= {"must": must, "met": value >= must}
    return line


# --- film


PICTURES = ("/usr/share/wallpapers", "/usr/share/backgrounds")
FILM_SECONDS = 24.0
SCENE_SECONDS = 3.0
FILM_SIZE = "640x360"


@dataclass(frozen=True, slots=True)
class Film:
    """A film on disk or rendered here; `data` is the file."""

    name: str
    data: bytes
    seconds: float
    held_out: bool


def films(count: int) -> list[Film]:
    """Films rendered from installed pictures: a camera moves over eight of them, three seconds each, with hard cuts.

    No picture is in two films. The sample videos of the shared data (takes of one chair, one pattern) come on top, as
    references that resemble each other; they are not searched.
    """
    found: dict[bytes, Path] = {}
    for root in PICTURES:
        for path in sorted(Path(root).rglob("*")):
            if path.suffix in {".jpg", ".jpeg", ".png", ".webp"} and path.stat().st_size > 80_000:
                found.setdefault(_looks(path), path)
    pictures = list(found.values())
    random.Random(SEED).shuffle(pictures)  # noqa: S311 - the same every time
    per_film = int(FILM_SECONDS / SCENE_SECONDS)
    count = min(count, len(pictures) // per_film)
    made = [
        Film(
            f"film {number}",
            _rendered(pictures[number * per_film : (number + 1) * per_film], number),
            FILM_SECONDS,
            number % 4 == 3,
        )
        for number in range(count)
    ]
    samples = Path(os.environ.get("CHOPMARK_DATA", "../shared/data")) / "pdq-vpdq" / "tmk" / "sample-videos"
    return made + [Film(path.stem, path.read_bytes(), 0, held_out=False) for path in sorted(samples.glob("*.mp4"))]


def _looks(path: Path) -> bytes:
    """What tells pictures apart roughly, so that one wallpaper in many sizes counts once."""
    small = cv2.imread(str(path), cv2.IMREAD_REDUCED_GRAYSCALE_8)
    if small is None:
        return path.name.encode()
    tiny = cv2.resize(small, (8, 8), interpolation=cv2.INTER_AREA)
    return np.packbits(tiny > np.median(tiny)).tobytes()


def _rendered(pictures: Sequence[Path], seed: int) -> bytes:
    """H.264, 25 frames a second, the camera moving over each picture."""
    wide, high = (int(side) for side in FILM_SIZE.split("x"))
    chance = np.random.default_rng(seed)
    command = ["ffmpeg", "-v", "error", "-threads", "1", "-f", "rawvideo", "-pix_fmt", "bgr24", "-s", FILM_SIZE]
    command += ["-r", "25", "-i", "pipe:0", "-c:v", "libx264", "-preset", "veryfast", "-f", "matroska", "pipe:1"]
    frames = []
    for path in pictures:
        picture = cv2.imread(str(path), cv2.IMREAD_REDUCED_COLOR_2)
        scale = max(wide / picture.shape[1], high / picture.shape[0]) * 1.3
        picture = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        begin, end = chance.uniform(0, 1, 2), chance.uniform(0, 1, 2)
        for step in np.linspace(0, 1, int(25 * SCENE_SECONDS)):
            x = int((begin[0] + (end[0] - begin[0]) * step) * (picture.shape[1] - wide))
            y = int((begin[1] + (end[1] - begin[1]) * step) * (picture.shape[0] - high))
            frames.append(np.ascontiguousarray(picture[y : y + high, x : x + wide]).tobytes())
    return subprocess.run(command, input=b"".join(frames), capture_output=True, check=True).stdout


_CODED = ("-c:v", "libx264", "-preset", "veryfast", "-threads", "1", "-an", "-f", "matroska", "pipe:1")
_OVER = "testsrc2=s=640x360:r=25"  # moves everywhere, with edges of its own

# What is done (a filter, options of the coder), how much faster it runs, and the share that must be found.
FILM_EDITS: dict[str, tuple[str, tuple[str, ...], float, float | None]] = {
    "re-encode crf 36": ("null", ("-crf", "36"), 1.0, 0.99),
    "half size": ("scale=iw/2:-2", (), 1.0, 0.99),
    "mirror": ("hflip", (), 1.0, 0.99),
    "excerpt of 5 s": ("null", (), 1.0, 0.85),
    "letterbox": ("pad=iw:ih*4/3:0:(oh-ih)/2", (), 1.0, 0.85),
    "pillarbox in upright": ("scale=360:-2,pad=360:640:0:(oh-ih)/2", (), 1.0, 0.85),
    "crop 3 % a side": ("crop=iw*0.94:ih*0.94", (), 1.0, 0.85),
    "crop 7 % a side": ("crop=iw*0.86:ih*0.86", (), 1.0, 0.85),
    "crop 10 % a side": ("crop=iw*0.80:ih*0.80", (), 1.0, 0.85),
    "crop 13 % off one corner": ("crop=iw*0.87:ih*0.87:0:0", (), 1.0, None),
    "16:9 cut to 4:3": ("crop=ih*4/3:ih", (), 1.0, None),
    "picture in picture 50 %, moving": ("scale=iw*0.5:-2,overlay", (), 1.0, 0.85),
    "picture in picture 35 %, moving": ("scale=iw*0.35:-2,overlay", (), 1.0, 0.85),
    "picture in picture 50 %, still": ("scale=iw*0.5:-2,pad=640:360:24:150:navy", (), 1.0, 0.85),
    "caption over 15 %": ("drawbox=0:ih*0.85:iw:ih*0.15:white:fill", (), 1.0, None),
    "logo in the corner": ("drawbox=iw*0.78:ih*0.06:iw*0.17:ih*0.17:red:fill", (), 1.0, None),
    "colour and brightness": ("eq=brightness=0.08:contrast=1.2:saturation=1.8", (), 1.0, None),
    "gray and blurred": ("hue=s=0,gblur=3", (), 1.0, None),
    "12 frames a second": ("fps=12", (), 1.0, None),
    "10 % faster": ("setpts=PTS/1.1", (), 1.1, None),
    "turned by 5 degrees": ("rotate=5*PI/180", (), 1.0, None),
    "letterbox and mirror, crf 36": ("hflip,pad=iw:ih*4/3:0:(oh-ih)/2", ("-crf", "36"), 1.0, None),
}


def _altered(data: bytes, name: str, start: float) -> bytes:
    chain, options, faster, _ = FILM_EDITS[name]
    seconds = (5.0 if name.startswith("excerpt") else 8.0) * faster
    if chain.endswith("overlay"):
        graph = f"[0:v]{chain.removesuffix(',overlay')}[small];[1:v][small]overlay=30:20:shortest=1"
        picked = ["-f", "lavfi", "-i", _OVER, "-filter_complex", graph]
    else:
        picked = ["-vf", chain]
    with NamedTemporaryFile(suffix=".mkv") as file:  # in a pipe ffmpeg would begin at some key frame
        file.write(data)
        file.flush()
        command = ["-ss", f"{start:.3f}", "-t", f"{seconds:.3f}", "-i", file.name, *picked]
        return _ffmpeg(*command, *options, *_CODED)


def film_suite(
    say: Callable[[dict[str, Any]], None], *, count: int, tries: int, only: Sequence[str] = ()
) -> list[Alarm]:
    """The same for film; the peer is one code a second of the whole frame, upright, at 31 bits on one offset."""
    works = films(count)
    spent = {"decode": 0.0, "codes": 0.0, "search": 0.0}
    prints: dict[int, video.FilmPrint] = {}
    seconds, searches = 0.0, 0
    for number, work in enumerate(works):
        if not work.held_out:
            frames = _timed(spent, "decode", lambda work=work: list(video.frames(io.BytesIO(work.data))))
            prints[number] = _timed(spent, "codes", lambda frames=frames: video.fingerprint(frames))
            seconds += prints[number].milliseconds / 1000
    alarms: list[Alarm] = []
    rendered = [number for number, work in enumerate(works) if work.seconds]
    positives = [number for number in rendered if not works[number].held_out]
    negatives = [number for number in rendered if works[number].held_out]
    for name, (_, _, faster, must) in FILM_EDITS.items():
        if only and name not in only:
            continue
        draw = random.Random(f"{SEED} {name}")  # noqa: S311 - which excerpts, the same every time
        found = placed = wrong = plain = 0
        chosen = [positives[turn % len(positives)] for turn in range(tries)] + negatives
        for turn, number in enumerate(chosen):
            start = draw.uniform(0.5, works[number].seconds - 9.5)
            print_ = video.fingerprint(
                video.frames(io.BytesIO(_altered(works[number].data, name, start)), query=True), query=True
            )
            begin = time.process_time()
            hits = [(known, segment) for known in prints for segment in video.match(print_, prints[known])]
            spent["search"] += time.process_time() - begin
            searches += len(prints)
            right = [segment for known, segment in hits if known == number]
            if turn < tries:
                found += bool(right)
                placed += any(_in_place(segment, start, faster) for segment in right)
                plain += _plainly(print_, prints[number])
            for known, segment in hits:
                if known != number:
                    wrong += 1
                    alarms.append(Alarm(name, works[number].name, works[known].name, segment, b""))
        more = {
            "right_place": round(placed / tries, 3),
            "false_hits": wrong,
            "peer": "plain PDQ",
            "peer_value": round(plain / tries, 3),
        }
        say(_line(f"video: {name}", found / tries, must, **more))
    for name in ("decode", "codes"):
        rate = round(seconds / max(spent[name], 1e-9))
        say({"name": f"video: {name} of references (640x360 and samples)", "value": rate, "unit": "x real time"})
    each = round(1000 * spent["search"] / max(searches, 1), 1)
    say({"name": "video: one query against one reference", "value": each, "unit": "ms CPU"})
    return alarms


def _plainly(query: video.FilmPrint, reference: video.FilmPrint) -> bool:
    """Half of the query's frames, whole and upright, within 31 bits of the reference's on one offset."""
    one = query.rows[(query.rows["turn"] == 0) & (query.rows["region"] == 0)]
    two = reference.rows[reference.rows["region"] == 0]
    pairs = video.hits(replace(query, rows=one), replace(reference, rows=two), radius=31)
    offset = (two["at"][pairs.reference].astype(int) - one["at"][pairs.query].astype(int)) // 1000
    most = max((len(np.unique(pairs.query[offset == each])) for each in np.unique(offset)), default=0)
    return bool(most >= max(1, query.frames / 2))


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
    alarms: list[Alarm] = []

    def say(line: dict[str, Any]) -> None:
        print(json.dumps(line) if chosen.json else _row(line), flush=True)

    tries = 8 if chosen.quick else chosen.tries
    if chosen.only != "video" and tunes():
        alarms += sound_suite(say, tries=tries, only=chosen.edit)
    if chosen.only != "audio":
        alarms += film_suite(say, count=8 if chosen.quick else 16, tries=tries, only=chosen.edit)
    for alarm in alarms:
        told = f"{alarm.edit}: {alarm.query} in {alarm.reference} {dict(alarm.segment.why)}"
        print(f"found where it is not from: {told}", file=sys.stderr)
    if chosen.audit:
        audit(alarms, chosen.audit)


def _row(line: dict[str, Any]) -> str:
    more = "  ".join(f"{name} {value}" for name, value in line.items() if name not in {"name", "value", "unit"})
    return f"{line['name']:44} {line['value']:>8} {line['unit']:12} {more}"


if __name__ == "__main__":
    main()
