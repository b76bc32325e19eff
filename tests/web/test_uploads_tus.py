from __future__ import annotations

import base64
import hashlib
from uuid import uuid4

import pytest
from django.test import Client
from world.pages import PageWorld

from chopmark.evidence.models import Upload
from chopmark.people import actions as people
from chopmark.web.api import limits
from chopmark.web.views import uploads

DATA = bytes(range(256)) * 4096
SIZE = len(DATA)
SHA256 = hashlib.sha256(DATA).hexdigest()
TUS = {"Tus-Resumable": "1.0.0"}
PIECE = "application/offset+octet-stream"


@pytest.fixture(autouse=True)
def _patience(monkeypatch):
    monkeypatch.setattr(limits, "_BUCKETS", limits.Buckets())


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def mei(world):
    return world.person("Mei Lan")


class Sender:
    """A tus client, without its clever parts."""

    def __init__(self, key):
        self.client = Client(enforce_csrf_checks=True)
        self.headers = {**TUS, "Authorization": f"Bearer {key}"}

    def send(self, method, path, data=b"", content_type="", **headers):
        return self.client.generic(method, path, data, content_type=content_type, headers=self.headers | headers)

    def start(self, length=SIZE, **about):
        metadata = ",".join(f"{name} {base64.b64encode(text.encode()).decode()}" for name, text in about.items())
        return self.send("POST", "/uploads/", **{"Upload-Length": str(length), "Upload-Metadata": metadata})

    def append(self, path, offset, data, **headers):
        return self.send("PATCH", path, data, PIECE, **{"Upload-Offset": str(offset), **headers})

    def offset(self, path):
        return int(self.send("HEAD", path)["Upload-Offset"])


def key_of(world, person, *scopes):
    return people.create_api_key(
        "test", scopes or ["deposits:write", "deposits:read"], by=person.actor, at=world.now()
    ).text


@pytest.fixture
def sender(world, mei):
    return Sender(key_of(world, mei))


def test_what_the_server_can_do_is_asked_without_a_key(world):
    answer = Client().options("/uploads/")
    assert answer.status_code == 204
    assert answer["Tus-Version"] == "1.0.0"
    assert answer["Tus-Extension"] == "creation,termination,expiration,checksum"
    assert answer["Tus-Max-Size"] == "5000000000"
    assert answer["Tus-Checksum-Algorithm"] == "sha1,sha256"


def test_a_file_in_pieces_is_kept_with_its_deposit_and_comes_back(sender):
    started = sender.start(filename="灯笼.png", filetype="image/png", sha256=SHA256)
    path = started["Location"]
    assert (started.status_code, started["Upload-Offset"]) == (201, "0")
    assert started["Upload-Expires"].endswith("GMT")
    for begin in range(0, len(DATA), 400_000):
        piece = sender.append(path, begin, DATA[begin : begin + 400_000])
        assert (piece.status_code, piece["Tus-Resumable"]) == (204, "1.0.0")
    head = sender.send("HEAD", path)
    assert (head["Upload-Offset"], head["Upload-Length"], head["Cache-Control"]) == (
        str(len(DATA)),
        str(len(DATA)),
        "no-store",
    )
    made = sender.client.post(
        "/api/v1/deposits",
        {"kind": "work", "upload": path.rsplit("/", 1)[1], "file_name": "灯笼.png"},
        content_type="application/json",
        headers=sender.headers,
    ).json()
    assert (made["kept"], made["digests"]["sha-256"], made["size"]) == (True, SHA256, len(DATA))
    file = sender.send("GET", made["links"]["file"])
    assert b"".join(file.streaming_content) == DATA
    assert file["Content-Type"] == "application/octet-stream"
    assert file["Content-Disposition"].startswith("attachment")
    assert file["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert file["X-Content-Type-Options"] == "nosniff"


def test_an_interrupted_upload_goes_on_where_it_stands(sender):
    path = sender.start()["Location"]
    sender.append(path, 0, DATA[:1000])
    assert sender.offset(path) == 1000
    refused = sender.append(path, 500, DATA[500:])
    assert (refused.status_code, refused["Upload-Offset"]) == (409, "1000")
    assert refused.json()["code"] == "evidence.upload_offset_differs"
    assert sender.append(path, 1000, DATA[1000:]).status_code == 204


def test_a_file_that_changed_during_upload_is_thrown_away(sender):
    path = sender.start(sha256="00" * 32)["Location"]
    refused = sender.append(path, 0, DATA)
    assert (refused.status_code, refused.json()["code"]) == (422, "evidence.file_changed")
    assert sender.send("HEAD", path).status_code == 404


def test_a_damaged_piece_is_not_counted(sender):
    path = sender.start(length=5)["Location"]
    right = "sha256 " + base64.b64encode(hashlib.sha256(b"piece").digest()).decode()
    assert sender.append(path, 0, b"peace", **{"Upload-Checksum": right}).status_code == 460
    assert sender.offset(path) == 0
    assert sender.append(path, 0, b"piece", **{"Upload-Checksum": right}).status_code == 204


def test_an_upload_that_is_ended_is_gone(sender):
    path = sender.start()["Location"]
    assert sender.send("DELETE", path).status_code == 204
    for method in ("HEAD", "DELETE"):
        assert sender.send(method, path).status_code == 404
    assert Upload.objects.count() == 0


def test_another_organisation_gets_404(world, sender):
    path = sender.start()["Location"]
    other = Sender(key_of(world, world.person("Jun Wu")))
    for answer in (other.send("HEAD", path), other.append(path, 0, b"x"), other.send("DELETE", path)):
        assert answer.status_code == 404
    assert sender.offset(path) == 0


STARTS = {
    "an empty file": ({"length": 0}, 422, "evidence.empty_file"),
    "more than five gigabytes": ({"length": 5_000_000_001}, 413, "evidence.file_too_large"),
    "a length with a sign": ({"length": "+5"}, 400, "api.upload_header_malformed"),
    "a length in full-width digits": ({"length": "\uff15"}, 400, "api.upload_header_malformed"),
    "no length": ({"length": ""}, 400, "api.upload_header_malformed"),
    "a length of 16 digits": ({"length": "1" * 16}, 400, "api.upload_header_malformed"),
    "a digest that is none": ({"sha256": "x"}, 400, "base.digest_malformed"),
    "a name with U+0000": ({"filename": "a\x00"}, 422, "evidence.text_control"),
    "metadata of 5 kB": ({"filename": "x" * 5000}, 400, "api.upload_header_malformed"),
}


@pytest.mark.parametrize(("change", "status", "code"), STARTS.values(), ids=STARTS)
def test_an_upload_is_not_started_for(sender, change, status, code):
    refused = sender.start(**change)
    assert (refused.status_code, refused.json()["code"]) == (status, code)
    assert Upload.objects.count() == 0


@pytest.mark.parametrize("metadata", ["filename !!!", "filename /w==", "a b c"])
def test_metadata_that_cannot_be_read_is_refused(sender, metadata):
    refused = sender.send("POST", "/uploads/", **{"Upload-Length": "5", "Upload-Metadata": metadata})
    assert refused.json()["code"] == "api.upload_header_malformed"


PIECES = {
    "another content type": ("text/plain", {"Upload-Offset": "0"}, 415),
    "no offset": (PIECE, {}, 400),
    "an offset that is no number": (PIECE, {"Upload-Offset": "-1"}, 400),
    "a checksum of another algorithm": (PIECE, {"Upload-Offset": "0", "Upload-Checksum": "md5 AAAA"}, 400),
    "a checksum that is no base64": (PIECE, {"Upload-Offset": "0", "Upload-Checksum": "sha1 *"}, 400),
    "another version of the protocol": (PIECE, {"Upload-Offset": "0", "Tus-Resumable": "0.2"}, 412),
}


@pytest.mark.parametrize(("content_type", "headers", "status"), PIECES.values(), ids=PIECES)
def test_a_piece_is_refused_with(sender, content_type, headers, status):
    path = sender.start()["Location"]
    refused = sender.send("PATCH", path, b"x", content_type, **headers)
    assert refused.status_code == status
    assert sender.offset(path) == 0


def test_more_than_announced_is_refused(sender):
    path = sender.start(length=3)["Location"]
    refused = sender.append(path, 0, b"1234")
    assert (refused.status_code, refused.json()["code"]) == (422, "evidence.upload_too_long")


def test_who_may_not_deposit_uploads_nothing(world, mei, sender):
    path = sender.start()["Location"]
    reader = Sender(key_of(world, mei, "deposits:read"))
    nobody = Sender("chopmark_000000000000_" + "0" * 48)
    for answer in (
        reader.start(),
        reader.append(path, 0, b"x"),
        reader.send("HEAD", path),
        reader.send("DELETE", path),
    ):
        assert answer.status_code == 403
    for answer in (nobody.start(), nobody.append(path, 0, b"x"), nobody.send("HEAD", path)):
        assert answer.status_code == 401
    assert Client().post("/uploads/", headers=TUS).status_code == 401
    assert sender.offset(path) == 0


def test_a_session_needs_its_csrf_token(world, mei):
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(mei.user)
    headers = {**TUS, "Upload-Length": "5"}
    assert browser.post("/uploads/", headers=headers).json()["code"] == "api.csrf_missing"
    token = browser.get("/deposits/new").cookies["chopmark_csrf"].value
    assert browser.post("/uploads/", headers={**headers, "X-CSRFToken": token}).status_code == 201


def test_a_method_may_be_sent_in_a_header(sender):
    path = sender.start(length=5)["Location"]
    headers = {"Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"}
    assert sender.send("POST", path, b"piece", PIECE, **headers).status_code == 204


def test_other_methods_and_addresses_are_told_apart(sender):
    path = sender.start()["Location"]
    assert (sender.send("GET", "/uploads/").status_code, sender.send("PUT", path).status_code) == (405, 405)
    assert sender.send("HEAD", f"/uploads/{uuid4()}").status_code == 404
    assert sender.send("HEAD", "/uploads/../x").status_code == 404


def test_slow_uploads_leave_room_for_everybody_else(sender, monkeypatch, settings):
    monkeypatch.setattr(uploads, "PATIENCE", 0.01)
    path = sender.start()["Location"]
    for _ in range(settings.CHOPMARK_UPLOADS_AT_ONCE):
        assert uploads._ROOM.acquire(blocking=False)
    try:
        refused = sender.append(path, 0, DATA)
    finally:
        uploads._ROOM.release(settings.CHOPMARK_UPLOADS_AT_ONCE)
    assert (refused.status_code, refused.json()["code"]) == (503, "api.uploads_busy")
    assert "Retry-After" in refused
    assert sender.offset(path) == 0
    assert sender.append(path, 0, DATA).status_code == 204
