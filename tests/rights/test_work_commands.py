"""The commands of works and of fingerprints, on a home of their own, in this process."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from world import media
from world.pages import PageWorld

from chopmark.base import clock
from chopmark.cli.app import main


@pytest.fixture
def chopmark(capsys):
    def run(*arguments, status=0):
        assert main([*map(str, arguments), "--json"]) == status, capsys.readouterr()
        told = capsys.readouterr()
        return json.loads(told.out or told.err)

    return run


def test_a_work_is_registered_found_and_shown_by_command(db, settings, tmp_path, monkeypatch, chopmark):
    settings.CHOPMARK_HOME = tmp_path / "home"
    monkeypatch.setenv("CHOPMARK_HOME", str(settings.CHOPMARK_HOME))
    world = PageWorld.made(settings.CHOPMARK_HOME, at=clock.now().replace(microsecond=0) - timedelta(minutes=10))
    world.person("Mei Lan")
    kept, found, other = (tmp_path / name for name in ("kept.jpg", "found.jpg", "other.jpg"))
    kept.write_bytes(media.jpeg(media.picture(1)))
    found.write_bytes(media.jpeg(media.picture(1)[:, ::-1], 60))
    other.write_bytes(media.jpeg(media.picture(2)))

    said = ("--title", "Lantern", "--statement", "All rights reserved.", "--author", "Mei Lan", "--reserve-tdm")
    made = chopmark("work", "add", kept, *said)
    assert (made["number"][:2], made["record"]["tdm_reserved"]) == ("W-", True)
    assert chopmark("work", "list", "--words", "lantern") == [made]
    assert chopmark("work", "show", made["number"])["events"][0]["type"] == "work_filed"
    assert chopmark("work", "add", found, *said, status=1)["code"] == "works.similar_before"
    assert [each["of"] for each in chopmark("media", "match", found)] == [made["number"]]
    assert chopmark("media", "index", "--build")["codes"]["on_disk"] > 0

    assert chopmark("media", "fingerprint", kept)["iscc"] == made["files"][0]["iscc"]
    assert [each["of"] for each in chopmark("media", "match", found, other, kept)] == [str(kept)]
    assert chopmark("media", "match", other, kept, status=1) == []

    entry = chopmark("media", "ignore", kept, "--reason", "A template of the marketplace")["id"]
    assert [(each["id"], each["reason"]) for each in chopmark("media", "ignored")] == [
        (entry, "A template of the marketplace")
    ]
    assert chopmark("media", "match", found, status=1) == []
    assert chopmark("media", "unignore", entry) == {"id": entry}
    assert chopmark("media", "unignore", entry, status=1)["code"] == "copies.not_found"
    assert chopmark("media", "ignored") == []
    assert [each["of"] for each in chopmark("media", "match", found)] == [made["number"]]
