"""Look-ups of names: a resolver that never answers holds up nobody but who asks for its names."""

from __future__ import annotations

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from world.patience import HANG, until

from chopmark.base.errors import Unavailable
from chopmark.evidence.capture import guard
from chopmark.evidence.capture.lookups import Limits, Lookups, by_machine, domain_of

SOON = 0.05  # seconds that run out as a matter of course


class Resolver:
    """A machine's resolver: names with `slow` in them are answered when the test says so."""

    def __init__(self):
        self.asked, self.lock = Counter(), threading.Lock()
        self.over, self.trouble = threading.Event(), None

    def __call__(self, host, port):
        with self.lock:
            self.asked[host] += 1
        if "slow" in host:
            assert self.over.wait(HANG)
            if self.trouble is not None:
                raise self.trouble
        return (f"{host}:{port}",)

    @property
    def count(self):
        """Look-ups that were begun."""
        return self.asked.total()


@contextmanager
def resolver():
    made = Resolver()
    try:
        yield made
    finally:
        made.over.set()


def test_who_asks_is_let_go_when_the_time_is_over_and_others_are_answered():
    with resolver() as world:
        ask = Lookups(world)
        with pytest.raises(TimeoutError):
            ask("slow.example", 80, SOON)
        assert ask("quick.example", 80, HANG) == ("quick.example:80",)


def test_a_name_is_looked_up_once_for_all_who_ask_at_a_time():
    with resolver() as world:
        ask = Lookups(world)
        with ThreadPoolExecutor(20) as pool:
            several = [pool.submit(ask, "Slow.example", 80, HANG) for _ in range(20)]
            until(lambda: world.count)
            world.over.set()
            assert {each.result(HANG) for each in several} == {("slow.example:80",)}
        assert world.count == 1
        assert ask("slow.example", 80, HANG) == ("slow.example:80",)
        assert world.count == 2


def test_a_domain_with_names_without_end_takes_its_own_room_alone():
    with resolver() as world:
        ask = Lookups(world, Limits(together=10, alike=3, late=0))
        for number in range(50):
            with pytest.raises(TimeoutError):
                ask(f"slow-{number}.bad.example", 80, SOON)
        assert world.count == 3
        assert ask("quick.example", 80, HANG) == ("quick.example:80",)


def test_no_more_threads_than_were_said_and_room_is_waited_for():
    with resolver() as world:
        ask = Lookups(world, Limits(together=4))
        for number in range(9):
            with pytest.raises(TimeoutError):
                ask(f"a.slow{number}.example", 80, SOON)
        assert world.count == 4
        with ThreadPoolExecutor(1) as pool:
            later = pool.submit(ask, "quick.example", 80, HANG)
            world.over.set()
            assert later.result(HANG) == ("quick.example:80",)


def test_what_failed_late_is_left_alone_and_what_failed_at_once_is_asked_again():
    with resolver() as world:
        world.trouble = OSError("no servers")
        ask = Lookups(world, Limits(late=0, rest=HANG))
        with pytest.raises(TimeoutError):
            ask("slow.example", 80, SOON)
        world.over.set()
        until(lambda: not ask._asked)
        with pytest.raises(TimeoutError):
            ask("slow.example", 80, HANG)
        assert world.count == 1
        patient = Lookups(world)
        for _ in range(2):
            with pytest.raises(OSError, match="no servers"):
                patient("slow.example", 80, HANG)
        assert world.count == 3


def test_what_was_answered_late_is_asked_again():
    with resolver() as world:
        ask = Lookups(world, Limits(late=0, rest=HANG))
        with pytest.raises(TimeoutError):
            ask("slow.example", 80, SOON)
        world.over.set()
        until(lambda: not ask._asked)
        assert ask("slow.example", 80, HANG) == ("slow.example:80",)


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("a.b.shop.com", "shop.com"),
        ("shop.com.", "shop.com"),
        ("img.shop.com.cn", "shop.com.cn"),
        ("img.shop.co.uk", "shop.co.uk"),
        ("img.alibaba.cn", "alibaba.cn"),
        ("localhost", "localhost"),
        ("", ""),
    ],
)
def test_names_of_one_owner_are_taken_together(host, domain):
    assert domain_of(host) == domain


def test_this_machine_answers_by_its_own_resolver():
    assert "127.0.0.1" in by_machine("localhost", 80)
    with pytest.raises(UnicodeError):
        by_machine("a" * 70 + ".example", 80)


def test_the_guard_of_a_capture_lets_a_name_go_that_is_not_answered(monkeypatch):
    with resolver() as world:
        monkeypatch.setattr(guard, "LOOKUPS", Lookups(world))
        monkeypatch.setattr(guard, "DIAL_PATIENCE", SOON)
        with pytest.raises(Unavailable, match=r"capture\.name_unknown"):
            guard.resolve("slow.example", 443)
        assert world.asked == {"slow.example": 1}
