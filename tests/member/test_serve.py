"""The program as an institution runs it: made on the command line, served by a process, stopped, killed, audited."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from world.ledger import ORIGIN, VERIFIERS
from world.node import HASH, TLS, PublicLog, feed
from world.patience import HANG, until

from chopmark.ledger.card import Card
from chopmark.member.serving import served
from chopmark.site.supervisor import answers, free_port

COMMAND = [sys.executable, "-m", "chopmark.site.command", "member"]


def environment(**more):
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHOPMARK_")}
    return kept | {"LC_ALL": "C.UTF-8"} | more


def member(*arguments, check=True, **more):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        env=environment(**more),
        check=check,
        capture_output=True,
        text=True,
        timeout=HANG,
    )


class Court:
    """A node in a process of its own."""

    def __init__(self, folder, *options, log_url="http://127.0.0.1:9"):
        self.home = folder / "court"
        self.port = free_port("127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = None
        self.lines = folder / "lines.log"
        (folder / "log.vkeys").write_text("".join(f"{key}\n" for key in VERIFIERS))
        self.made = member(
            "init",
            *("--name", "hangzhou", "--kind", "court", "--zh", "杭州互联网法院", "--en", "Hangzhou Internet Court"),
            *("--listen", f"127.0.0.1:{self.port}", "--url", self.url, "--host-id", "court-hangzhou.test"),
            *("--log", folder / "log.vkeys", "--log-url", f"{log_url}/log", "--platform", log_url),
            *("--interval", "0.2", "--home", self.home, "--json", *options),
        )

    def start(self, **more):
        with self.lines.open("ab") as lines:
            self.process = subprocess.Popen(
                [*COMMAND, "serve", "--home", str(self.home)], env=environment(**more), stdout=lines, stderr=lines
            )

    def wait_until_ready(self):
        until(lambda: answers("127.0.0.1", self.port) or self.process.poll() is not None)
        assert self.process.poll() is None, self.lines.read_text()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(HANG)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def log_state(self):
        return httpx.get(self.url + "/status.json", timeout=HANG, verify=TLS).json()["logs"][0]


@contextmanager
def court(folder, *options, start=True, more=None, **how):
    made = Court(folder, *options, **how)
    try:
        if start:
            made.start(**(more or {}))
            made.wait_until_ready()
        yield made
    finally:
        if made.process is not None and made.process.poll() is None:
            made.kill()


@pytest.fixture
def log():
    made = PublicLog()
    made.add(*range(20))
    return made


@contextmanager
def public(log):
    with served(log.app) as server:
        yield f"http://127.0.0.1:{server.port}"


# ---- making a home ---------------------------------------------------------------------------------------------------


def test_a_home_has_everything_and_shows_its_card(tmp_path):
    with court(tmp_path, start=False) as made:
        shown = json.loads(made.made.stdout)
        card = Card.parse((made.home / "card.json").read_bytes())
        assert (shown["name"], card.name, card.url) == ("hangzhou", "hangzhou", made.url)
        assert {path.stat().st_mode & 0o777 for path in (made.home / "keys").iterdir()} == {0o600}
        assert made.home.stat().st_mode & 0o777 == 0o700
        assert [key["vkey"] for key in shown["keys"]] == [str(each.key) for each in card.keys]
        printed = member("card", "--home", made.home)
        assert printed.stdout.encode() == card.encode()
        assert shown["sha256"] in printed.stderr
        assert "court-hangzhou.test/mirror" in member("keys", "--home", made.home, "--lang", "zh").stdout


def test_keys_are_never_made_twice(tmp_path):
    with court(tmp_path, start=False) as made:
        before = {path.name: path.read_bytes() for path in (made.home / "keys").iterdir()}
        again = member(
            *("init", "--name", "b", "--kind", "court", "--zh", "某", "--en", "B", "--home", made.home, "--json"),
            check=False,
        )
        assert (again.returncode, json.loads(again.stderr)["code"]) == (2, "member.home_taken")
        assert {path.name: path.read_bytes() for path in (made.home / "keys").iterdir()} == before


def test_the_home_may_be_named_by_the_environment(tmp_path):
    with court(tmp_path, start=False) as made:
        assert member("card", CHOPMARK_MEMBER_HOME=str(made.home)).stdout == member("card", "--home", made.home).stdout


def test_a_log_may_be_added_and_its_state_is_never_made_twice(tmp_path):
    (tmp_path / "log.vkeys").write_text("".join(f"{key}\n" for key in VERIFIERS))
    home = tmp_path / "h"
    member("init", "--name", "a", "--kind", "notary", "--zh", "甲", "--en", "A", "--home", home)
    added = ("add-log", "--log", tmp_path / "log.vkeys", "--log-url", "http://127.0.0.1:9/log", "--home", home)
    assert json.loads(member(*added, "--json").stdout)[0]["origin"] == ORIGIN
    settings = (home / "member.toml").read_text()
    member(*added)
    assert (home / "member.toml").read_text() == settings
    (home / "member.toml").write_text(settings[: settings.index("[[log]]")])
    refused = member(*added, "--json", check=False)
    assert json.loads(refused.stderr)["code"] == "ledger.member_state_lost"


@pytest.mark.parametrize("arguments", [("status",), ("card",), ("keys",), ("audit",), ("serve",)])
def test_where_no_node_is_every_command_says_so(tmp_path, arguments):
    refused = member(*arguments, "--home", tmp_path / "nothing", "--json", check=False)
    assert refused.returncode in (2, 78)
    assert "member.home_missing" in refused.stderr


# ---- serving ---------------------------------------------------------------------------------------------------------


@pytest.mark.crash
def test_a_node_cosigns_watches_and_ends_at_once_when_told(tmp_path, log):
    with public(log) as log_url, court(tmp_path, log_url=log_url) as node:
        assert [each.status_code for each in feed(node.url, log)] == [200, 200]
        until(lambda: node.log_state()["published"] == 20 and node.log_state()["indexed"] == 20)
        state = node.log_state()
        assert (state["trouble"], state["alarms"], state["lag"]) == (None, 0, 0)
        shown = member("status", "--url", node.url, "--json")
        assert json.loads(shown.stdout)["logs"][0]["mirror"]["size"] == 20
        assert "杭州互联网法院" in member("status", "--url", node.url, "--lang", "zh").stdout
        audited = json.loads(member("audit", "--home", node.home, "--json").stdout)
        assert (audited[0]["entries"], audited[0]["signatures"], audited[0]["passed"]) == (20, 20, True)
        settings = (node.home / "member.toml").read_text()
        assert node.stop() == 0
        offline = json.loads(member("status", "--home", node.home, "--json").stdout)
        assert offline["logs"][0]["mirror"] == state["mirror"]
        (node.home / "member.toml").write_text(settings.replace("interval = 0.2", "interval = 3600"))
        node.start()
        node.wait_until_ready()
        assert node.stop() == 0, "it does not wait for its next round, which is due in an hour"


@pytest.mark.crash
def test_a_mirror_is_audited_over_its_address(tmp_path, log):
    with public(log) as log_url, court(tmp_path, log_url=log_url) as node:
        feed(node.url, log)
        until(lambda: list((node.home / "known").glob("*")))
        place = f"{node.url}/mirror/{HASH}"
        keys = ("--log", tmp_path / "log.vkeys")
        found = json.loads(member("audit", "--from", place, *keys, "--json").stdout)
        assert (found[0]["passed"], found[0]["signatures"]) == (True, 20)
        bundle = next(path for path in (node.home / "mirror" / HASH / "tile" / "entries").rglob("*") if path.is_file())
        bundle.write_bytes(bundle.read_bytes()[:-1] + b"\x00")
        failed = member("audit", "--from", place, *keys, check=False)
        assert failed.returncode == 1
        assert "✗" in failed.stdout


@pytest.mark.crash
def test_a_second_process_on_the_same_home_is_refused(tmp_path):
    with court(tmp_path) as node:
        second = member("serve", "--home", node.home, "--json", check=False)
        assert second.returncode == 1
        assert "member.running" in second.stderr
        assert node.process.poll() is None


@pytest.mark.crash
def test_a_port_that_is_taken_is_said(tmp_path):
    with court(tmp_path) as node:
        other = tmp_path / "other"
        member(
            *("init", "--name", "b", "--kind", "court", "--zh", "乙", "--en", "B", "--home", other),
            *("--listen", f"127.0.0.1:{node.port}"),
        )
        refused = member("serve", "--home", other, "--json", check=False)
        assert (refused.returncode, "member.port_taken" in refused.stderr) == (1, True)


@pytest.mark.crash
def test_a_node_killed_again_and_again_never_forgets_what_it_signed(tmp_path, log):
    with court(tmp_path) as node:
        for count in (20, 300, 700):
            log.add(*range(count, count + 80))
            feed(node.url, log)
            signed = node.log_state()
            node.kill()
            node.start()
            node.wait_until_ready()
            now = node.log_state()
            assert (now["witness"], now["mirror"]) == (signed["witness"], signed["mirror"])
            answers = feed(node.url, log)
            assert [answer.status_code for answer in answers] == [200, 200]


@pytest.mark.crash
def test_a_node_whose_parent_is_gone_ends(tmp_path):
    with court(tmp_path, start=False) as node:
        starter = (
            "import os, subprocess, sys, time\n"
            "child = subprocess.Popen(sys.argv[1:], env={**os.environ, 'CHOPMARK_PARENT': str(os.getpid())})\n"
            "print(child.pid, flush=True)\ntime.sleep(600)\n"
        )
        with subprocess.Popen(
            [sys.executable, "-c", starter, *COMMAND, "serve", "--home", str(node.home)],
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        ) as parent:
            pid = int(parent.stdout.readline())
            until(lambda: _answers(node.url))
            parent.kill()
        until(lambda: not os.path.exists(f"/proc/{pid}") or _is_zombie(pid))  # noqa: PTH110 (a process, no file)


def _answers(url):
    try:
        return httpx.get(url + "/healthz", timeout=HANG, verify=TLS).status_code == 200
    except httpx.HTTPError:
        return False


def _is_zombie(pid):
    with ExitStack() as opened:
        return " Z " in opened.enter_context(open(f"/proc/{pid}/stat")).read()  # noqa: PTH123 (the same)


# ---- what must not run -----------------------------------------------------------------------------------------------


def refused(node, code, **more):
    """The program refuses to start, for good."""
    done = member("serve", "--home", node.home, "--json", check=False, **more)
    assert done.returncode == 78
    assert f'"code": "{code}"' in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.crash
def test_an_older_state_brought_back_is_found_out_and_the_node_ends(tmp_path, log):
    with public(log) as log_url, court(tmp_path, log_url=log_url) as node:
        feed(node.url, log)
        node.stop()
        state, mirror = node.home / "state", node.home / "mirror"
        subprocess.run(["cp", "-a", state, mirror, tmp_path], check=True)
        node.start()
        node.wait_until_ready()
        log.add(*range(20, 40))
        witnessed, mirrored = feed(node.url, log)
        node.stop()
        log.objects.put({"checkpoint": log.note + witnessed.content + mirrored.content})
        subprocess.run(["rm", "-r", state, mirror], check=True)
        subprocess.run(["cp", "-a", tmp_path / "state", tmp_path / "mirror", node.home], check=True)
        node.start()
        assert node.process.wait(HANG) == 78
        assert "ledger.member_state_lost" in node.lines.read_text()
        refused(node, "ledger.member_state_lost")
        alarms = [json.loads(path.read_text()) for path in (node.home / "alarms").iterdir()]
        assert "ledger.alarm_state_lost" in {each["code"] for each in alarms}


@pytest.mark.crash
def test_keys_without_their_state_do_not_start(tmp_path):
    with court(tmp_path, start=False) as node:
        subprocess.run(["rm", "-r", node.home / "state"], check=True)
        refused(node, "ledger.member_state_missing")


@pytest.mark.crash
def test_keys_that_others_can_read_do_not_start(tmp_path):
    with court(tmp_path, start=False) as node:
        (node.home / "keys" / "mirror-ed25519").chmod(0o640)
        refused(node, "member.key_open")


@pytest.mark.crash
def test_keys_of_another_member_do_not_start(tmp_path):
    with court(tmp_path, start=False) as node:
        member("init", "--name", "b", "--kind", "court", "--zh", "乙", "--en", "B", "--home", tmp_path / "b")
        (node.home / "keys" / "node").write_bytes((tmp_path / "b" / "keys" / "node").read_bytes())
        refused(node, "member.card_differs")


@pytest.mark.crash
def test_keys_under_a_passphrase_start_with_it_alone(tmp_path):
    right, wrong = tmp_path / "right", tmp_path / "wrong"
    for path, text in ((right, "口令"), (wrong, "other")):
        path.touch(mode=0o600)
        path.write_text(text + "\n")
    with court(tmp_path, "--passphrase-file", str(right), start=False) as node:
        refused(node, "member.passphrase_missing")
        refused(node, "member.passphrase_wrong", CHOPMARK_MEMBER_PASSPHRASE_FILE=str(wrong))
        node.start(CHOPMARK_MEMBER_PASSPHRASE_FILE=str(right))
        node.wait_until_ready()
        assert node.stop() == 0
