"""A monitor and a log that wants to keep it busy: what is packed, what drips, what never ends."""

from __future__ import annotations

import gzip
import time
from contextlib import contextmanager

import pytest

from chopmark.base.errors import Invalid, Unavailable
from chopmark.member import known
from chopmark.member.fetch import Fetcher
from chopmark.member.known import KnownKeys
from chopmark.member.serving import served

DROPS = 6000  # of an answer that takes five minutes
dripped: list[int] = []


def _drip():
    for _ in range(DROPS):
        time.sleep(0.05)
        dripped.append(1)
        yield b"x"


def log(environ, start_response):
    path = environ["PATH_INFO"]
    if path == "/packed":
        assert environ["HTTP_ACCEPT_ENCODING"] == "identity"
        data = gzip.compress(gzip.compress(bytes(64 << 20)))  # some hundred bytes
        start_response("200 OK", [("Content-Encoding", "gzip, gzip"), ("Content-Length", str(len(data)))])
        return [data]
    if path == "/drips":
        start_response("200 OK", [("Content-Length", str(DROPS))])
        return _drip()
    start_response("200 OK", [("Content-Length", "5")])
    return [b"hello"]


@contextmanager
def fetching(**how):
    with served(log) as server, Fetcher(f"http://127.0.0.1:{server.port}", **how) as fetch:
        yield fetch


def test_what_is_packed_is_not_unpacked():
    with fetching(limit=1000) as fetch:
        assert fetch("plain") == b"hello"
        with pytest.raises(Unavailable) as error:
            fetch("packed")
        assert error.value.facts["reason"] == "packed"


def test_an_answer_that_drips_is_given_up():
    dripped.clear()
    with fetching(patience=0.5) as fetch, pytest.raises(Unavailable, match=r"member\.log_silent"):
        fetch("drips")
    assert len(dripped) < DROPS


def test_an_answer_that_is_too_long_is_refused():
    with fetching(limit=4) as fetch, pytest.raises(Invalid, match=r"member\.answer_too_long"):
        fetch("plain")


def test_a_platform_that_lets_others_wait_for_keys_is_asked_once_and_not_for_each_entry(monkeypatch):
    monkeypatch.setattr(known, "LONG", 0.05)
    asked = []

    def slow(kid):
        asked.append(kid)
        time.sleep(0.1)
        raise Unavailable("member.log_silent", address=kid, reason="ReadTimeout")

    keys = KnownKeys(None, slow)
    assert [keys.key_of(bytes([number]) * 32) for number in range(20)] == [None] * 20
    assert len(asked) == 1


def test_a_platform_that_answers_at_once_is_asked_for_each_key():
    asked = []

    def quick(kid):
        asked.append(kid)
        raise Unavailable("member.not_there", address=kid)

    keys = KnownKeys(None, quick)
    for _ in range(2):
        assert [keys.key_of(bytes([number]) * 32) for number in range(20)] == [None] * 20
    assert len(asked) == 20
