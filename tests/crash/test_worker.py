"""The worker is killed with -9 while it captures or builds a bundle: nothing is lost and nothing is there twice."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest
from world.patience import HANG, WORK
from world.shop import Shop

pytestmark = pytest.mark.crash


@pytest.fixture
def run(tmp_path):
    """Runs a command of a new home; its JSON."""
    environment = {**os.environ, "CHOPMARK_HOME": str(tmp_path / "home")}
    environment.pop("CHOPMARK_DATABASE_URL", None)

    def call(*arguments, fails=()):
        done = subprocess.run(
            [sys.executable, "-m", "chopmark.site.command", *arguments, "--json"],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=WORK,
        )
        assert done.returncode in (0, *fails), done.stderr
        return json.loads(done.stdout)

    call.environment = environment
    call("init")
    call("account", "mei@example.com", "--organisation", "Mei's studio")
    return call


@pytest.fixture
def start(run):
    """Starts a process of the home, and ends it with the test."""
    started = []

    def call(name):
        command = [sys.executable, "-m", "chopmark.site.command", name]
        made = subprocess.Popen(command, env=run.environment, stderr=subprocess.DEVNULL, process_group=0)
        started.append(made)
        return made

    yield call
    for each in started:
        if each.poll() is None:
            os.killpg(each.pid, signal.SIGKILL)
            each.wait()


def until_it_runs(run, number):
    """Returns while the worker is at the bundle. Asks the database itself: a command takes longer than the work.

    A worker that finds receipts missing puts the bundle back and takes it again, so this sees one of its tries.
    """
    home = Path(run.environment["CHOPMARK_HOME"])
    with closing(sqlite3.connect(f"file:{home / 'chopmark.db'}?mode=ro", uri=True, timeout=HANG)) as database:
        asked = "SELECT state FROM evidence_bundle WHERE number = ?"
        end = time.monotonic() + HANG
        while (found := database.execute(asked, [number]).fetchone()[0]) != "running":
            assert found == "queued"
            assert time.monotonic() < end
            time.sleep(0.002)


def state_of(run, matter, number):
    return next(each["state"] for each in run("matter", "show", matter)["jobs"] if each["number"] == number)


def until(ask, *wanted):
    end = time.monotonic() + WORK
    while (found := ask()) not in wanted:
        assert time.monotonic() < end, found
        time.sleep(0.2)
    return found


def kill(process):
    """The worker alone, as the kernel would."""
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.mark.browser
def test_a_capture_whose_worker_is_killed_is_kept_as_far_as_it_came(run, start):
    with Shop() as shop:
        run.environment["CHOPMARK_CAPTURE_ALLOW"] = shop.door
        matter = run("matter", "open", "trademark_counterfeit", "Tea caddies")["number"]
        first = start("worker")
        asked = run("matter", "capture", matter, shop.url + "/endless", fails=(2, 3))["number"]
        log = Path(run.environment["CHOPMARK_HOME"]) / "captures" / f"{asked}-1" / "process.jsonl"
        until(lambda: "scrolled" if log.is_file() and b'"scroll"' in log.read_bytes() else "", "scrolled")
        kill(first)
        start("worker")
        until(lambda: list(log.parent.parent.iterdir()), [])
    told = run("matter", "show", matter)
    assert [each["state"] for each in told["jobs"]] == ["partial"]
    assert [each["kind"] for each in told["items"]] == ["capture"]
    lines = _log(run, matter)
    [ended] = [each["facts"] for each in lines if each["action"] == "capture.ended"]
    assert ended["trouble"] == "capture.reason.worker_lost"
    names = [each["facts"]["name"] for each in lines if each["action"] == "file.added"]
    assert {"page.wacz", "process.jsonl", "capture.json"} <= set(names)
    assert len(names) == len(set(names))


def test_a_bundle_survives_the_death_of_its_worker(run, start, tmp_path):
    matter = run("matter", "open", "trademark_counterfeit", "Tea caddies")["number"]
    paper = tmp_path / "invoice.txt"
    paper.write_bytes(b"invoice " * 1000)
    run("matter", "add", matter, str(paper), "--kind", "invoice")
    start("sequencer")
    asked = run("matter", "bundle", matter, fails=(2, 3))["number"]
    first = start("worker")
    until_it_runs(run, asked)
    kill(first)
    start("worker")
    assert until(lambda: state_of(run, matter, asked), "done", "failed") == "done"
    log = [each["action"] for each in _log(run, matter)]
    assert [log.count(each) for each in ("bundle.begun", "bundle.built")] == [1, 1]


def _log(run, matter):
    done = subprocess.run(
        [sys.executable, "-m", "chopmark.site.command", "matter", "custody", matter],
        env=run.environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=HANG,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
