"""The platform as a person starts it; one is shared by the tests that leave it running."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from world.patience import HANG, until
from world.running import Running

from chopmark.base.errors import Refused
from chopmark.member.serving import served
from chopmark.site import supervisor
from chopmark.site.supervisor import answers, free_port

pytestmark = pytest.mark.crash


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    made = Running(tmp_path_factory.mktemp("served") / "home", port=0)
    made.chopmark("init", "--quiet")
    made.chopmark("demo", "--quiet")
    return made.home


@pytest.fixture
def platform(home):
    running = Running(home, free_port("127.0.0.1", None, 18000, 18999))
    running.start()
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.kill()


def _gone(pids):
    return until(lambda: not any(_alive(pid) for pid in pids))


def _alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _called(platform, name):
    [pid] = [pid for pid in platform.members() if name in Path(f"/proc/{pid}/cmdline").read_text().split("\0")]
    return pid


def test_asked_to_stop_it_leaves_nothing_running(platform):
    members = platform.members()
    assert len(members) >= 4
    assert platform.stop() == 0
    assert _gone(members)
    events = [
        json.loads(line)["event"] for line in (platform.home / "logs" / "supervisor.log").read_text().splitlines()
    ]
    assert events[-2:] == ["stopping", "stopped"]


def test_killed_itself_it_leaves_no_orphan_serving(platform):
    members = platform.members()
    os.kill(members[0], signal.SIGKILL)
    platform.process.wait(HANG)
    assert _gone(members)


def test_a_dead_sequencer_is_started_again(platform, tmp_path):
    dead = _called(platform, "sequencer")
    os.kill(dead, signal.SIGKILL)
    path = tmp_path / "after.txt"
    path.write_text("deposited while nobody wrote the log")
    key = platform.api_key()
    here = {"CHOPMARK_SERVER": platform.url, "CHOPMARK_API_KEY": key}
    [made] = json.loads(platform.chopmark("deposit", str(path), "--json", check=False, **here).stdout)
    receipt = ("receipt", made["number"], "--output", str(tmp_path / "receipt"), "--force")
    until(lambda: platform.chopmark(*receipt, check=False, **here).returncode == 0)
    assert _called(platform, "sequencer") != dead


def test_a_server_is_used_from_the_command_line_like_a_home(platform, tmp_path):
    here = {"CHOPMARK_HOME": str(tmp_path / "client"), "CHOPMARK_API_KEY": platform.api_key()}
    kept, private = tmp_path / "kept.bin", tmp_path / "private.bin"
    kept.write_bytes(os.urandom(100_000))
    private.write_bytes(os.urandom(100))
    thumbprint = platform.chopmark("keys", "new", "--server", platform.url, **here).stdout.strip()
    policy = tmp_path / "policy"
    policy.write_text(platform.chopmark("log", "policy", "--server", platform.url, **here).stdout)
    platform.chopmark("deposit", str(kept), "--keep", "--sm3", "--server", platform.url, **here)
    platform.chopmark("deposit", str(private), "--private", "--server", platform.url, **here)
    for path in (kept, private):
        report = json.loads(platform.chopmark("verify", str(path), "--policy", str(policy), "--json", **here).stdout)
        assert report["verdict"] == "PASSED"
        assert "verify.statement_signed_by_agent" not in [each["code"] for each in report["findings"]]
        assert report["statement"]["kid"] == thumbprint
    audit = platform.chopmark("log", "audit", "--server", platform.url, "--policy", str(policy), "--json", **here)
    assert json.loads(audit.stdout)["passed"]
    again = platform.chopmark("receipt", "D-2026-999999", "--server", platform.url, "--json", check=False, **here)
    assert json.loads(again.stderr)["code"].startswith("evidence.")


@pytest.mark.parametrize("key", ["", "chopmark_nobody_nothing"])
def test_a_server_that_refuses_the_key_is_understood(platform, tmp_path, key):
    path = tmp_path / "x"
    path.write_text("x")
    here = {"CHOPMARK_HOME": str(tmp_path), "CHOPMARK_API_KEY": key}
    made = platform.chopmark("deposit", str(path), "--server", platform.url, "--json", check=False, **here)
    assert made.returncode in (1, 2)
    assert json.loads(made.stderr)["code"] in ("cli.api_key_missing", "people.key_unknown")


def test_a_server_that_is_not_there_may_be_tried_again(tmp_path):
    path = tmp_path / "x"
    path.write_text("x")
    nobody = Running(tmp_path, 0)
    here = {"CHOPMARK_API_KEY": "chopmark_a_b", "CHOPMARK_SERVER": f"http://127.0.0.1:{free_port('127.0.0.1', 0)}"}
    made = nobody.chopmark("deposit", str(path), "--json", check=False, **here)
    assert (made.returncode, json.loads(made.stderr)["code"]) == (3, "cli.server_silent")


def test_a_taken_port_is_refused_when_asked_for_and_avoided_when_not(platform):
    with pytest.raises(Refused, match=r"site\.port_taken"):
        free_port("127.0.0.1", platform.port)
    assert free_port("127.0.0.1", None, platform.port, platform.port + 50) != platform.port


def test_a_home_without_keys_does_not_start(tmp_path):
    made = Running(tmp_path / "nothing", 0).chopmark("serve", "--json", check=False)
    assert (made.returncode, json.loads(made.stderr)["code"]) == (2, "cli.home_missing")


def test_wrong_settings_stop_the_start_with_a_hint(home):
    made = Running(home, 0).chopmark("serve", "--json", check=False, CHOPMARK_SIGNUP="perhaps")
    assert made.returncode == 1
    error = json.loads(made.stderr)
    assert error["code"] == "site.settings_wrong"
    assert "CHOPMARK_SIGNUP" in error["message"]


def test_a_sequencer_that_cannot_live_takes_the_platform_down_loudly(home, tmp_path):
    copy = tmp_path / "home"
    for path in home.rglob("*"):
        if path.is_file():
            target = copy / path.relative_to(home)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
            target.chmod(path.stat().st_mode & 0o777)
    checkpoint = copy / "log" / "checkpoint"
    checkpoint.write_bytes(checkpoint.read_bytes().replace(b"log-", b"lag-", 1))
    broken = Running(copy, free_port("127.0.0.1", None, 18000, 18999))
    broken.start()
    try:
        assert broken.process.wait(HANG) == 1
    finally:
        broken.kill()
    assert "cannot write" in (copy / "logs" / "sequencer.log").read_text()


def _hears(pid):
    """Whether a process has set a handler for SIGTERM."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    [caught] = [int(line.split()[1], 16) for line in lines if line.startswith("SigCgt:")]
    return bool(caught >> signal.SIGTERM - 1 & 1)


def test_a_web_server_told_to_stop_while_it_starts_waits_for_nobody(home, tmp_path):
    web = Running(home, free_port("127.0.0.1", None, 18000, 18999))
    command = [sys.executable, "-m", "chopmark.site.supervisor", "127.0.0.1", str(web.port), "8", "1"]
    with (tmp_path / "said").open("wb") as said:
        web.process = subprocess.Popen(command, env=web.environment, stdout=said, stderr=said)
    try:
        until(lambda: [pid for pid in web.members()[1:] if not _hears(pid)] or answers("127.0.0.1", web.port))
        assert not answers("127.0.0.1", web.port)
        assert web.stop() == 0
    finally:
        web.kill()
    assert "refused to gracefully stop" not in (tmp_path / "said").read_text()


def test_who_waits_for_a_slow_start_is_told_so_and_then_the_address(monkeypatch):
    monkeypatch.setattr(supervisor, "START_PATIENCE", 0.3)
    port, told = free_port("127.0.0.1", None, 18000, 18999), []
    supervisor.tell_when_open(
        "127.0.0.1", port, running=lambda: told.append("running"), silent=lambda: told.append("silent")
    )
    assert told == ["silent"]

    def healthy(_environ, start_response):
        start_response("200 OK", [("Content-Length", "3")])
        return [b"ok\n"]

    with served(healthy, port=port):
        until(lambda: told == ["silent", "running"])
        told.clear()
        supervisor.tell_when_open(
            "127.0.0.1", port, running=lambda: told.append("running"), silent=lambda: told.append("silent")
        )
    assert told == ["running"]


def test_the_page_answers_in_the_language_asked_for(platform):
    shown = httpx.get(platform.url + "/", headers={"Accept-Language": "zh-CN"}, timeout=HANG)
    assert shown.status_code == 200
    assert 'lang="zh' in shown.text
