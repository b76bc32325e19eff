"""What rights and works are for, on one running platform, asked from outside by programs and commands.

A mark is filed from a real office's file and verified, and what differed is said. A seller is licensed for two
countries, on a mark of our own making: the real ones at hand are of one country each. Then three deposited works are
looked for in what others made of them: a screenshot, a recording, an excerpt; and each answer names the part.
"""

from __future__ import annotations

import base64
import io
import json
from fractions import Fraction

import av
import cv2
import httpx
import numpy as np
import pytest
from world.data import shared_data
from world.patience import HANG
from world.running import Running

from chopmark.site import demo_media
from chopmark.site.supervisor import free_port

pytestmark = pytest.mark.crash

SCOPES = ("rights:write", "rights:read", "deposits:write", "deposits:read")
FETCHED = "2026-11-01T00:00:00Z"
BOX = 1_000_000  # a picture's side, in the units of a box
STARTS, LASTS = 14.0, 10.0  # seconds of the song that are recorded
SHOWN, SHOWS = 4.3, 8.0  # seconds of the film that are cut out
EU_MARK = {
    "kind": "trademark",
    "office": "EM",
    "application_number": "099000033",
    "registration_number": "099000033",
    "mark": {"verbal": "Quiet Harbour", "feature": "word"},
    "owners": [{"name": "Mei's studio", "country": "CN"}],
    "classes": [{"scheme": "nice", "code": "25"}],
    "designations": [{"territory": "EU", "status": "registered"}],
    "application_date": "2024-05-06",
    "registration_date": "2024-10-21",
    "expiry_date": "2034-05-06",
    "status": "registered",
}


class Program:
    """A program with a key, and the operator at the machine."""

    def __init__(self, platform):
        self.platform = platform
        key = platform.api_key(*SCOPES)
        headers = {"Authorization": f"Bearer {key}", "Accept-Language": "en"}
        self._http = httpx.Client(base_url=platform.url, headers=headers, timeout=HANG)

    def __call__(self, method, path, body=None):
        answer = self._http.request(method, f"/api/v1{path}", json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def close(self):
        self._http.close()

    def bytes_of(self, path):
        answer = self._http.get(path)
        assert answer.is_success, answer.text
        return answer.content

    def upload(self, data, name):
        said = {"filename": name}
        metadata = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in said.items())
        tus = {"Tus-Resumable": "1.0.0"}
        made = self._http.post(
            "/uploads/", headers=tus | {"Upload-Length": str(len(data)), "Upload-Metadata": metadata}
        )
        assert made.status_code == httpx.codes.CREATED, made.text
        place = made.headers["Location"]
        more = {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        assert self._http.patch(place, headers=tus | more, content=data).status_code == httpx.codes.NO_CONTENT
        return place.rstrip("/").rpartition("/")[2]

    def told(self, *arguments, fails=()):
        done = self.platform.chopmark(*arguments, "--json", check=False)
        assert done.returncode in (0, *fails), done.stdout + done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    platform = Running(tmp_path_factory.mktemp("rights") / "home", free_port("127.0.0.1", None, 18000, 18999))
    platform.chopmark("init", "--quiet")
    platform.chopmark("account", "mei@example.com", "--organisation", "Mei's studio", "--quiet")
    platform.start()
    program = Program(platform)
    try:
        platform.wait_until_ready()
        yield program
    finally:
        program.close()
        platform.kill()


@pytest.fixture(scope="module")
def works(program):
    """A picture registered by the API, a song and a film by the command; numbers by kind."""
    record = {"kind": "picture", "title": "Harbour", "statement": "All rights reserved."}
    upload = program.upload(demo_media.picture(), "harbour.jpg")
    numbers = {"picture": program("POST", "/works", {"record": record, "files": [{"upload": upload}]})["number"]}
    for kind, name, data in (("audio", "song.flac", demo_media.song()), ("video", "film.mp4", demo_media.film())):
        path = program.platform.home.parent / name
        path.write_bytes(data)
        said = ("--title", name, "--statement", "All rights reserved.", "--anyway")
        numbers[kind] = program.told("work", "add", str(path), *said)["number"]
    return numbers


def test_a_mark_from_a_real_offices_file_is_verified_and_what_differed_is_said(program):
    here = shared_data("tsdr-st66-st96") / "test" / "testdata"
    program.told("office", "import", str(here / "rn2178784-ST96.xml"), "--fetched", FETCHED)
    program.platform.chopmark("office", "vouch", "Mei's studio", "Oracle America, Inc.", "--country", "US")
    data = (here / "rn2178784-ST66.xml").read_bytes().replace(b"Oracle America, Inc.", b"ORACLE AMERICA INC")
    said = {"file": base64.b64encode(data).decode(), "name": "holder.xml"}
    looked = program("POST", "/rights/import", said | {"dry_run": True})
    assert (looked["format"], looked["good"], looked["filed"]) == ("st66", 1, 0)
    [row] = program("POST", "/rights/import", said)["rows"]
    right = program("POST", f"/rights/{row['number']}/verify", {})
    assert (right["state"], right["level"]) == ("verified", 2)
    differing = [each for each in right["verification"]["differences"] if each["verdict"] != "equal"]
    assert [(each["field"], each["verdict"]) for each in differing] == [("owners", "tolerated")]
    assert differing[0]["claimed"] == "ORACLE AMERICA INC"
    events = program("GET", f"/rights/{row['number']}/events")["items"]
    assert [each["type"] for each in events] == ["filed", "submitted", "verified"]
    shown = program.told("right", "show", row["number"])
    assert shown["level"] == 2


def test_a_seller_of_two_countries_may_sell_there_and_not_in_a_third(program, tmp_path):
    snapshot = tmp_path / "office.jsonl"
    head = {"snapshot": 1, "office": "EM", "fetched_at": FETCHED, "records": 1}
    snapshot.write_text("\n".join(map(json.dumps, (head, EU_MARK))) + "\n")
    assert program.told("office", "import", str(snapshot))["kept"] == 1
    program.platform.chopmark("office", "vouch", "Mei's studio", "Mei's studio", "--country", "CN")
    number = program("POST", "/rights", {"record": EU_MARK})["number"]
    assert program("POST", f"/rights/{number}/verify", {})["state"] == "verified"
    licence = {
        "party": {"name": "Seide & Meer GmbH", "country": "DE"},
        "role": "authorised_seller",
        "territories": ["DE", "FR"],
    }
    program("POST", f"/rights/{number}/licences", licence)

    def may(territory, seller="Seide & Meer GmbH"):
        asked = {"territory": territory, "class": "25", "seller_name": seller}
        return program("POST", f"/rights/{number}/may-sell", asked)

    assert [may(each)["may"] for each in ("DE", "FR", "IT")] == ["yes", "yes", "no"]
    assert len(may("DE")["chain"]) == 1
    assert may("IT")["reasons"]
    assert may("DE", "Somebody Else")["may"] != "yes"
    told = program.told("right", "may", number, "IT", "--seller", "Seide & Meer GmbH", "--class", "25", fails=(1,))
    assert told["may"] == "no"


def test_a_cropped_mirrored_watermarked_screenshot_of_a_photograph_finds_it(program, works):
    found = searched(program, screenshot(), "screenshot.png")
    [match] = found["matches"]
    assert (match["work"], match["kind"]) == (works["picture"], "picture")
    [part, *_] = match["parts"]
    assert 0 <= part["reference"][0] < part["reference"][2] <= BOX
    assert part["query"][2] - part["query"][0] > BOX // 4
    why = program("GET", match["links"]["why"].removeprefix("/api/v1"))["items"]
    assert all(each["sentence"] for each in why)
    assert program.bytes_of(match["links"]["overlay"]).startswith(b"\x89PNG")


def test_a_noisy_recording_of_ten_seconds_of_a_song_finds_it(program, works):
    found = searched(program, recording(), "recording.wav")
    [match] = found["matches"]
    assert (match["work"], match["kind"]) == (works["audio"], "audio")
    [part, *_] = match["parts"]
    asked, found_at = part["query_span"], part["reference_span"]
    assert asked[1] - asked[0] > 500 * LASTS  # what agrees clearly; loud noise hides the rest
    assert [abs(there - here - 1000 * STARTS) < 700 for here, there in zip(asked, found_at, strict=True)] == [
        True,
        True,
    ]


def test_a_letterboxed_excerpt_of_a_film_finds_it(program, works, tmp_path):
    path = tmp_path / "excerpt.mp4"
    path.write_bytes(letterboxed_excerpt())
    matches = program.told("media", "match", str(path))
    [match] = [each for each in matches if each["kind"] == "video"]
    assert match["of"] == works["video"]
    start, end = match["parts"][0]["reference_span"]
    assert abs(start - 1000 * SHOWN) < 700
    assert abs(end - 1000 * (SHOWN + SHOWS)) < 1500  # a query's frames are a second apart


def searched(program, data, name):
    return program("POST", "/copies", {"file": base64.b64encode(data).decode(), "name": name})


# ---- what others made of the works -----------------------------------------------------------------------------------


def screenshot() -> bytes:
    """A shop's page with the picture on it: a part, mirrored, with words across."""
    whole = cv2.imdecode(np.frombuffer(demo_media.picture(), np.uint8), cv2.IMREAD_COLOR)
    high, wide = whole.shape[:2]
    part = cv2.flip(whole[high // 10 : high - high // 8, wide // 9 : wide - wide // 7], 1)
    marked = part.copy()
    for row in range(60, marked.shape[0], 130):
        cv2.putText(
            marked, "shop-2291", (row % 170, row), cv2.FONT_HERSHEY_DUPLEX, 1.6, (255, 255, 255), 3, cv2.LINE_AA
        )
    part = cv2.resize(cv2.addWeighted(part, 0.55, marked, 0.45, 0), (560, 400), interpolation=cv2.INTER_AREA)
    page = np.full((720, 1100, 3), 250, np.uint8)
    page[:64] = (70, 46, 30)
    cv2.putText(page, "harbour market", (24, 42), cv2.FONT_HERSHEY_SIMPLEX, 1, (255, 255, 255), 2, cv2.LINE_AA)
    cv2.putText(page, "Silk scarf   49.90", (640, 160), cv2.FONT_HERSHEY_SIMPLEX, 1, (40, 40, 40), 2, cv2.LINE_AA)
    page[110:510, 40:600] = part
    done, data = cv2.imencode(".png", page)
    assert done
    return data.tobytes()


def recording() -> bytes:
    """Ten seconds of the song over a room's noise, a fifth as strong."""
    with av.open(io.BytesIO(demo_media.song())) as container:
        rate = container.streams.audio[0].rate
        samples = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)]).astype(float)
    part = samples[int(STARTS * rate) : int((STARTS + LASTS) * rate)]
    noise = np.random.default_rng(3).normal(0, part.std() * 0.45, len(part))
    return written(np.clip((part + noise) * 0.7, -32768, 32767).astype(np.int16), rate)


def written(samples, rate) -> bytes:
    data = io.BytesIO()
    with av.open(data, "w", format="wav") as container:
        stream = container.add_stream("pcm_s16le", rate=rate, layout="mono")
        for at in range(0, len(samples), 1024):
            frame = av.AudioFrame.from_ndarray(samples[None, at : at + 1024], format="s16", layout="mono")
            frame.rate, frame.pts = rate, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return data.getvalue()


def letterboxed_excerpt() -> bytes:
    """Some seconds from the middle, between black bars, at another quality."""
    with av.open(io.BytesIO(demo_media.film())) as container:
        frames = [
            frame.to_ndarray(format="rgb24")
            for frame in container.decode(video=0)
            if SHOWN <= float(frame.pts * Fraction(frame.time_base)) < SHOWN + SHOWS
        ]
    barred = [cv2.copyMakeBorder(each, 46, 46, 0, 0, cv2.BORDER_CONSTANT, value=0) for each in frames]
    data = io.BytesIO()
    with av.open(data, "w", format="mp4") as container:
        high, wide = barred[0].shape[:2]
        stream = container.add_stream("mpeg4", rate=10, width=wide, height=high, pix_fmt="yuv420p")
        stream.bit_rate = 500_000
        for number, each in enumerate(barred):
            frame = av.VideoFrame.from_ndarray(each, format="rgb24").reformat(format="yuv420p")
            frame.pts = number
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return data.getvalue()
