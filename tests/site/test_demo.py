from __future__ import annotations

import json
import runpy
import stat
from importlib.resources import files

import pytest
from world.data import REPOSITORY
from world.running import Running

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    platform = Running(tmp_path_factory.mktemp("demo") / "home", port=0)
    platform.chopmark("init", "--quiet")
    return platform, json.loads(platform.chopmark("demo", "--json", "--quiet").stdout)


def test_its_receipts_verify_with_the_homes_own_policy(made):
    platform, told = made
    assert len(told["deposits"]) == 5
    receipts = sorted((platform.home / "demo").glob("*.tlog-proof"))
    assert len(receipts) == 5
    for receipt in receipts:
        shown = platform.chopmark("verify", str(receipt).removesuffix(".tlog-proof"), "--json")
        assert json.loads(shown.stdout)["verdict"] == "PASSED"


def test_the_second_time_adds_nothing_and_keeps_the_password(made):
    platform, told = made
    password = (platform.home / "demo.txt").read_text()
    assert json.loads(platform.chopmark("demo", "--json", "--quiet").stdout) == told
    assert (platform.home / "demo.txt").read_text() == password


def test_the_password_is_only_in_a_file_of_the_owner(made):
    platform, _ = made
    note = platform.home / "demo.txt"
    assert stat.S_IMODE(note.stat().st_mode) == 0o600
    password = note.read_text().splitlines()[1].removeprefix("password: ")
    assert len(password) >= 16
    assert password not in platform.chopmark("demo").stderr


def test_the_files_are_what_the_script_makes(tmp_path):
    script = runpy.run_path(str(REPOSITORY / "scripts" / "demo_files.py"))
    script["main"].__globals__["TARGET"] = tmp_path / "made"
    script["main"]()
    shipped = {each.name: each.read_bytes() for each in files("chopmark.site").joinpath("demo_files").iterdir()}
    assert {path.name: path.read_bytes() for path in (tmp_path / "made").iterdir()} == shipped
