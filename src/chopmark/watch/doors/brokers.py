"""Listings from a message broker that a marketplace has already: Kafka, NATS JetStream.

    from_kafka({"bootstrap.servers": ..., "group.id": ...}, "listings", take, stop=...)
    await from_nats("nats://...", stream="LISTINGS", durable="chopmark", take=take, stop=...)

The body of a message is that of a push (`doors.batch`). `take` puts it into the inbox and returns when it is durable
there; only then is the message acknowledged, so that a crash brings it again and nothing is lost. Again is harmless,
since the inbox knows each version of a listing once. Brokers are optional: feed and scans need none.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from chopmark.base.errors import Invalid, Refused, Unavailable

FULL: Final = "watch.inbox_full"
POLL: Final = 0.5  # seconds
PAUSE: Final = 2.0  # seconds between tries while the inbox is full
FETCH: Final = 64  # messages at a time

Take = Callable[[bytes], None]
"""Takes one body, or raises: Refused `watch.inbox_full` is tried again, another Refused or Invalid is given up."""
Tell = Callable[[str, str], None]
"""Told of a message that was given up: its place at the broker, and the code."""


@dataclass(slots=True, kw_only=True)
class Tally:
    """What a connector did: messages taken, given up, and tries that found the inbox full."""

    taken: int = 0
    refused: int = 0
    waited: int = 0


def from_kafka(
    settings: Mapping[str, str],
    topic: str,
    take: Take,
    *,
    stop: Callable[[], bool],
    tell: Tell = lambda place, code: None,  # noqa: ARG005 (who does not listen)
    pause: float = PAUSE,
) -> Tally:
    """Take messages of a topic until `stop` says so.

    Args:
        settings: of librdkafka; servers, group, and how to sign in.

    Raises:
        Unavailable: `watch.broker_unavailable` when the broker says that it will not work.
    """
    from confluent_kafka import Consumer, KafkaException  # noqa: PLC0415 (only who has Kafka)

    tally = Tally()
    consumer = Consumer({"auto.offset.reset": "earliest", **settings, "enable.auto.commit": False})
    try:
        consumer.subscribe([topic])
        while not stop():
            message = consumer.poll(POLL)
            if message is None:
                continue
            trouble = message.error()
            if trouble is not None:
                if trouble.fatal() or not trouble.retriable():
                    raise Unavailable("watch.broker_unavailable", broker="Kafka")
                continue
            place = f"{message.topic()}/{message.partition()}/{message.offset()}"
            if not _taken(take, message.value() or b"", place, tally, tell=tell, stop=stop, pause=pause):
                break  # not committed: it comes again
            consumer.commit(message=message, asynchronous=False)
    except KafkaException as error:
        raise Unavailable("watch.broker_unavailable", broker="Kafka") from error
    finally:
        consumer.close()
    return tally


def _taken(
    take: Take, body: bytes, place: str, tally: Tally, *, tell: Tell, stop: Callable[[], bool], pause: float
) -> bool:
    """Whether a message is done with; it waits while the inbox is full, and so does what is behind it."""
    while True:
        try:
            take(body)
        except (Refused, Invalid) as error:
            if error.code != FULL:
                tally.refused += 1
                tell(place, error.code)
                return True
            tally.waited += 1
            if stop():
                return False
            time.sleep(pause)
        else:
            tally.taken += 1
            return True


async def from_nats(
    address: str,
    *,
    stream: str,
    durable: str,
    take: Take,
    stop: Callable[[], bool],
    tell: Tell = lambda place, code: None,  # noqa: ARG005 (who does not listen)
    pause: float = PAUSE,
) -> Tally:
    """Take messages of a JetStream stream, by a durable pull consumer, until `stop` says so.

    Raises:
        Unavailable: `watch.broker_unavailable`.
    """
    import nats  # noqa: PLC0415 (only who has NATS)
    from nats.errors import Error  # noqa: PLC0415 (the same)

    tally = Tally()
    try:
        client = await nats.connect(address, max_reconnect_attempts=5, reconnect_time_wait=POLL)
    except (Error, OSError) as error:
        raise Unavailable("watch.broker_unavailable", broker="NATS") from error
    try:
        puller = await client.jetstream().pull_subscribe("", durable=durable, stream=stream)
        while not stop():
            try:
                messages = await puller.fetch(FETCH, timeout=POLL)
            except TimeoutError:
                continue
            for message in messages:
                place = f"{stream}/{message.metadata.sequence.stream}"
                try:
                    await asyncio.to_thread(take, message.data)
                except (Refused, Invalid) as error:
                    if error.code == FULL:
                        tally.waited += 1
                        await message.nak(delay=pause)
                    else:
                        tally.refused += 1
                        tell(place, error.code)
                        await message.term()
                else:
                    tally.taken += 1
                    await message.ack_sync()
    except Error as error:
        raise Unavailable("watch.broker_unavailable", broker="NATS") from error
    finally:
        await client.close()
    return tally
