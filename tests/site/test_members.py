"""What the supervisor does with a child that is not vital, and with one that somebody stopped by hand."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest
from world.patience import HANG

from chopmark.base.errors import Unavailable
from chopmark.site import supervisor
from chopmark.site.child import KILL, Child
from chopmark.site.members import free_ports, members_of
from chopmark.site.supervisor import Supervisor

SLEEPS = ("timeit", "-n1", "-r1", "import time; time.sleep(600)")
DEAF = (
    "timeit",
    "-n1",
    "-r1",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)",
)
DIES = ("timeit", "-n1", "-r1", "raise SystemExit(3)")
CANNOT_LIVE = ("cannot_live",)

pytestmark = pytest.mark.crash


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """A supervisor of one child that is not vital; `said` hears what the person at the terminal hears."""
    monkeypatch.setattr(supervisor, "FIRST_WAIT", 0.05)
    monkeypatch.setattr(supervisor, "LONGEST_WAIT", 0.1)
    (tmp_path / "logs").mkdir()
    (tmp_path / "cannot_live.py").write_text(f"raise SystemExit({supervisor.CANNOT_LIVE})")
    said = []
    made = []

    def build(arguments, **more):
        child = Child(
            name="member-a", arguments=arguments, held=tmp_path / "a.stopped", pid_file=tmp_path / "a.pid", **more
        )
        one = Supervisor(
            home=tmp_path,
            children=(child,),
            sweep=None,
            say=lambda code, **facts: said.append((code, facts)),
            environment={"PYTHONPATH": str(tmp_path)},
        )
        made.append(one)
        return one, child

    build.said, build.home = said, tmp_path
    yield build
    for one in made:
        one._stop()


def until(one, child, fits):
    end = time.monotonic() + HANG
    while time.monotonic() < end:
        one._keep(child)
        if fits():
            return
        time.sleep(0.02)
    raise AssertionError((child, [json.loads(line) for line in one._log_of("supervisor").read_text().splitlines()]))


def test_a_child_that_is_not_vital_is_started_again_for_ever_and_said_twice(watched):
    one, child = watched(DIES, vital=False)
    until(one, child, lambda: child.deaths >= supervisor.MOST_DEATHS + 2)
    assert [code for code, _ in watched.said] == ["site.process_died", "site.process_failing"]


def test_a_child_that_cannot_live_takes_the_platform_down_only_when_it_is_vital(watched):
    one, child = watched(CANNOT_LIVE, vital=False)
    until(one, child, lambda: child.deaths >= 2)
    one, child = watched(CANNOT_LIVE)
    with pytest.raises(Unavailable, match=r"site\.process_lost"):
        until(one, child, lambda: child.deaths >= 2)
    assert child.deaths == 1


def test_a_child_stopped_by_hand_stays_stopped_until_it_is_let_go(watched):
    one, child = watched(SLEEPS, vital=False)
    until(one, child, lambda: child.process is not None)
    first = child.process.pid
    assert child.pid_file.read_text() == f"{first}\n"
    child.held.write_text("")
    until(one, child, lambda: child.process is None)
    assert not child.pid_file.exists()
    for _ in range(10):
        one._keep(child)
        time.sleep(0.02)
    assert child.process is None
    child.held.unlink()
    until(one, child, lambda: child.process is not None)
    assert child.process.pid != first
    assert watched.said == []


def test_a_child_that_does_not_hear_is_killed_after_a_while_or_at_once_when_asked_for(watched, monkeypatch):
    monkeypatch.setattr(supervisor, "STOP_PATIENCE", 0.3)
    for how in ("", KILL):
        one, child = watched(DEAF, vital=False)
        one._keep(child)
        until(one, child, lambda one=one: "deaf" in one._log_of("member-a").read_text())
        one._log_of("member-a").write_text("")
        child.held.write_text(how)
        process = child.process
        until(one, child, lambda child=child: child.process is None)
        assert process.returncode == -signal.SIGKILL
        child.held.unlink()


def test_a_stopped_child_that_was_never_started_is_left_alone(watched):
    one, child = watched(SLEEPS, vital=False)
    child.held.write_text("")
    one._keep(child)
    assert child.process is None


def test_a_child_killed_by_somebody_comes_back_with_another_number(watched):
    one, child = watched(SLEEPS, vital=False)
    until(one, child, lambda: child.process is not None)
    first = child.process.pid
    os.kill(first, signal.SIGKILL)
    until(one, child, lambda: child.process is not None and child.process.pid != first)
    assert watched.said[0][0] == "site.process_died"


def test_the_writer_ends_before_those_it_needs(watched, monkeypatch):
    order = []
    one, _ = watched(SLEEPS, vital=False)
    writer, member = Child(name="writer", arguments=SLEEPS), Child(name="member", arguments=SLEEPS, vital=False)
    one.children = (member, writer)
    for child in one.children:
        one._keep(child)
    processes = [child.process for child in one.children]
    monkeypatch.setattr(Supervisor, "_end", lambda _self, running: order.append([name for name, _ in running]))
    one._stop()
    monkeypatch.undo()
    for process in processes:
        process.kill()
        process.wait()
    assert order == [["writer"], ["member"]]


def test_a_home_without_local_members_has_none(tmp_path):
    assert members_of(tmp_path) == ()


def test_free_ports_are_neighbours_and_free():
    ports = free_ports(5)
    assert ports == list(range(ports[0], ports[0] + 5))


def test_a_child_that_can_wait_is_started_once_the_platform_answers(watched):
    one, child = watched(SLEEPS, vital=False, later=True)
    for _ in range(10):
        one._keep(child)
    assert child.process is None
    one._open(lambda: None)
    until(one, child, lambda: child.process is not None)


def test_whoever_tells_the_person_may_fail_and_those_that_wait_are_started_all_the_same(watched):
    one, child = watched(SLEEPS, vital=False, later=True)

    def broken():
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        one._open(broken)
    until(one, child, lambda: child.process is not None)
