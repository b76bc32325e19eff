from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest
from world.patience import HANG
from world.running import COMMAND, Running

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    platform = Running(tmp_path_factory.mktemp("init") / "home", port=0)
    first = json.loads(platform.chopmark("init", "--json", "--quiet").stdout)
    return platform, first


def _files(home):
    return {path.relative_to(home): path.read_bytes() for path in home.rglob("*") if path.is_file()}


def test_it_says_what_it_did_and_the_log_has_its_founding_entries(made):
    platform, first = made
    assert first["done"] == [
        "site.init_home",
        "site.init_log_keys",
        "site.init_intake_key",
        "site.init_tables",
        "site.init_policy",
        "site.init_seal",
    ]
    assert first["size"] == 2
    shown = json.loads(platform.chopmark("log", "checkpoint", "--json").stdout)
    assert (shown["origin"], shown["size"], len(shown["signatures"])) == (first["origin"], 2, 2)


def test_the_second_time_changes_nothing(made):
    platform, first = made
    before = _files(platform.home / "keys") | _files(platform.home / "log")
    second = json.loads(platform.chopmark("init", "--json", "--quiet").stdout)
    assert second == first | {"done": []}
    assert _files(platform.home / "keys") | _files(platform.home / "log") == before


def test_nobody_else_can_read_the_keys(made):
    platform, _ = made
    assert stat.S_IMODE(platform.home.stat().st_mode) == 0o700
    secrets = [path for path in (platform.home / "keys").iterdir() if path.is_file()]
    assert len(secrets) >= 4
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets} == {0o600}


def test_two_homes_have_logs_of_different_names(made, tmp_path):
    _, first = made
    second = json.loads(Running(tmp_path / "home", 0).chopmark("init", "--json", "--quiet").stdout)
    assert second["origin"] != first["origin"]


def test_the_base_url_given_names_the_log_and_is_kept(tmp_path):
    platform = Running(tmp_path / "home", 0)
    made = json.loads(platform.chopmark("init", "--base-url", "https://chopmark.example", "--json", "--quiet").stdout)
    assert made["origin"].startswith("chopmark.example/log-")
    assert 'base_url = "https://chopmark.example"' in (platform.home / "config.toml").read_text()


def test_lost_keys_of_a_log_with_entries_are_never_made_anew(tmp_path):
    platform = Running(tmp_path / "home", 0)
    platform.chopmark("init", "--quiet")
    (platform.home / "keys" / "log.mldsa44").unlink()
    refused = platform.chopmark("init", "--json", check=False)
    assert (refused.returncode, json.loads(refused.stderr)["code"]) == (1, "site.keys_incomplete")
    assert not (platform.home / "keys" / "log.mldsa44").exists()


def test_wrong_settings_stop_it_before_anything_is_made(tmp_path):
    platform = Running(tmp_path / "home", 0)
    refused = platform.chopmark("init", "--json", check=False, CHOPMARK_UPLOAD_LIMIT="much")
    assert json.loads(refused.stderr)["code"] == "site.settings_wrong"
    assert not (tmp_path / "home" / "keys").exists()


def test_one_that_was_killed_half_way_is_finished_by_the_next(tmp_path):
    for pause in (0.7, 1.4, 2.1, 2.8):
        platform = Running(tmp_path / f"home-{pause}", 0)
        started = subprocess.Popen([*COMMAND, "init", "--quiet"], env=platform.environment)
        try:
            started.wait(pause)
        except subprocess.TimeoutExpired:
            started.kill()
            started.wait()
        assert json.loads(platform.chopmark("init", "--json", "--quiet").stdout)["size"] == 2
        assert json.loads(platform.chopmark("log", "audit", "--json").stdout)["passed"]


def test_the_program_runs_as_a_module_and_as_a_command():
    shown = subprocess.run([*COMMAND, "--version"], check=True, capture_output=True, text=True, timeout=HANG)
    assert shown.stdout.strip() == "0.1.0"
    command = os.path.join(os.path.dirname(sys.executable), "chopmark")  # noqa: PTH118, PTH120 (a venv's python is a link)
    same = subprocess.run([command, "--version"], check=True, capture_output=True, text=True, timeout=HANG)
    assert same.stdout == shown.stdout
