from __future__ import annotations

import gzip

import pytest
from django.test import Client
from world.pages import PageWorld

from chopmark.evidence import wiring
from chopmark.ledger.policy import Policy
from chopmark.ledger.tiles import decode_bundle
from chopmark.web.views.log_files import TILE_PATH

BUNDLE = "/log/tile/entries/000.p/2"
TILE = "/log/tile/0/000.p/2"


@pytest.fixture
def world(db, settings, tmp_path):
    settings.CHOPMARK_HOME = tmp_path / "home"
    return PageWorld.made(settings.CHOPMARK_HOME)


@pytest.fixture
def stranger():
    return Client()


def test_the_checkpoint_is_served_as_a_note_that_changes(world, stranger):
    answer = stranger.get("/log/checkpoint")
    assert answer.status_code == 200
    assert answer.content == (world.home / "log" / "checkpoint").read_bytes()
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "immutable" not in answer["Cache-Control"]
    assert answer["Access-Control-Allow-Origin"] == "*"


@pytest.mark.parametrize("path", [TILE, BUNDLE])
def test_tiles_and_bundles_are_served_for_ever(world, stranger, path):
    answer = stranger.get(path, headers={"Accept-Encoding": "identity"})
    assert answer.status_code == 200
    assert answer.content == (world.home / path.lstrip("/")).read_bytes()
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["Cache-Control"] == "public, max-age=31536000, immutable"
    assert answer["Content-Length"] == str(len(answer.content))


def test_bundles_are_compressed_for_those_who_take_it(world, stranger):
    plain = stranger.get(BUNDLE, headers={"Accept-Encoding": "identity"})
    packed = stranger.get(BUNDLE, headers={"Accept-Encoding": "br;q=1, gzip;q=0.8"})
    assert packed["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["Vary"]
    assert gzip.decompress(packed.content) == plain.content
    assert packed["ETag"] != plain["ETag"]
    assert len(decode_bundle(plain.content)) == 2


@pytest.mark.parametrize("accepts", ["", "identity", "br", "gzip;q=0", "gzip; q=0.000, identity", "x-gzip-like"])
def test_bundles_are_not_compressed_for_those_who_do_not(world, stranger, accepts):
    assert "Content-Encoding" not in stranger.get(BUNDLE, headers={"Accept-Encoding": accepts}).headers


def test_hash_tiles_are_never_compressed(world, stranger):
    assert "Content-Encoding" not in stranger.get(TILE, headers={"Accept-Encoding": "gzip"}).headers


@pytest.mark.parametrize("path", ["/log/checkpoint", TILE, BUNDLE, "/policy"])
def test_a_reader_who_has_it_already_is_told_so(world, stranger, path):
    first = stranger.get(path)
    again = stranger.get(path, headers={"If-None-Match": first["ETag"]})
    assert again.status_code == 304
    assert again.content == b""
    assert stranger.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


@pytest.mark.parametrize("path", ["/log/checkpoint", TILE, BUNDLE])
def test_head_tells_the_length_without_the_bytes(world, stranger, path):
    full, head = stranger.get(path), stranger.head(path)
    assert head.status_code == 200
    assert head.content == b""
    assert head["Content-Length"] == full["Content-Length"]
    assert head["ETag"] == full["ETag"]


NOWHERE = {
    "the journal next door": "/log/../journal/",
    "a climb inside a tile's name": "/log/tile/../checkpoint",
    "a climb written in percent signs": "/log/tile/%2e%2e/%2e%2e/keys/intake",
    "a climb behind a real folder": "/log/tile/0/../../../keys/intake",
    "a null byte": "/log/tile/0/000%00",
    "the folder": "/log/",
    "the folder without a slash": "/log",
    "a tile that is not there": "/log/tile/0/001",
    "a level beyond 63": "/log/tile/64/000",
    "a level with a zero in front": "/log/tile/00/000",
    "an index that is not in groups": "/log/tile/0/1234",
    "an index with leading groups of nothing": "/log/tile/0/x000/000",
    "a last group with an x": "/log/tile/0/x001",
    "a width of nothing": "/log/tile/0/000.p/0",
    "a whole tile written as part": "/log/tile/0/000.p/256",
    "a width with a zero in front": "/log/tile/0/000.p/02",
    "digits of another script": "/log/tile/0/٠٠٠.p/2",
    "a newline at the end": "/log/tile/0/000.p/2%0A",
    "a hidden file": "/log/.checkpoint",
    "the checkpoint with a slash": "/log/checkpoint/",
}


@pytest.mark.parametrize("path", NOWHERE.values(), ids=NOWHERE.keys())
def test_anything_else_is_not_there(world, stranger, path):
    answer = stranger.get(path)
    assert answer.status_code == 404
    assert world.home.as_posix().encode() not in answer.content


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
def test_nothing_can_be_written(world, stranger, method):
    assert getattr(stranger, method)("/log/checkpoint").status_code == 405


def test_a_link_out_of_the_folder_is_not_followed_by_name(world, stranger):
    (world.home / "log" / "keys").symlink_to(world.home / "keys")
    assert stranger.get("/log/keys/intake").status_code == 404


def test_nobody_gets_a_cookie_for_reading_the_log(world, stranger):
    for path in ("/log/checkpoint", TILE, BUNDLE, "/policy"):
        assert not stranger.get(path).cookies


def test_browsers_elsewhere_may_ask_first(world, stranger):
    answer = stranger.options("/log/checkpoint")
    assert answer.status_code == 204
    assert answer["Access-Control-Allow-Methods"] == "GET, HEAD"


def test_the_policy_accepts_the_checkpoint_that_is_served(world, stranger):
    policy = Policy.parse(stranger.get("/policy").content)
    checkpoint, judgement = policy.open(stranger.get("/log/checkpoint").content)
    assert judgement.accepted
    assert checkpoint.origin == wiring.origin()
    assert checkpoint.size == 2


@pytest.mark.parametrize(
    "path", ["tile/0/000", "tile/63/x001/x234/067", "tile/entries/x999/999.p/255", "tile/8/001.p/1"]
)
def test_paths_of_the_specification_are_paths(path):
    assert TILE_PATH.fullmatch(path)
