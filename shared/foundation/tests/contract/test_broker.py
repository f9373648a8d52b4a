"""What every broker adapter promises."""

import asyncio
import secrets
from collections.abc import AsyncIterator

import pytest
from foundation.broker.kafka import KafkaBroker
from foundation.broker.memory import MemoryBroker
from foundation.broker.port import Broker, BrokerUnavailable, Fetched, Message
from foundation.record import leaf_hash

from tests.support import PATIENCE_SECONDS


@pytest.fixture(params=["memory", "kafka"])
async def broker(request: pytest.FixtureRequest) -> AsyncIterator[Broker]:
    found: Broker = MemoryBroker() if request.param == "memory" else KafkaBroker(request.getfixturevalue("kafka_bootstrap"))
    yield found
    await found.close()


@pytest.fixture
def topic() -> str:
    return f"t{secrets.token_hex(4)}.events"


def messages(first: int, count: int, *, size: int = 200) -> list[Message]:
    return [
        Message(f"member-{position % 7}", b"%d " % position + b"x" * size, 0, position, leaf_hash(b"%d" % (position - 1)))
        for position in range(first, first + count)
    ]


async def read(broker: Broker, topic: str, offset: int, count: int) -> Fetched:
    """At least `count` messages, however they are cut."""
    found: list[Message] = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(found) < count:
            fetched = await broker.fetch(topic, offset, limit=1_000, timeout_ms=500)
            found += fetched.messages
            offset = fetched.next
    return Fetched(tuple(found), offset)


async def test_what_is_produced_is_fetched_in_order_and_whole(broker: Broker, topic: str) -> None:
    sent = messages(0, 50)
    await broker.produce(topic, sent[:20])
    await broker.produce(topic, sent[20:])

    assert (await read(broker, topic, 0, 50)).messages == tuple(sent)


async def test_large_records_are_cut_into_several_batches(broker: Broker, topic: str) -> None:
    sent = messages(0, 40, size=59_000)
    await broker.produce(topic, sent)

    assert (await read(broker, topic, 0, 40)).messages == tuple(sent)


async def test_the_last_message_is_what_the_topic_has_seen(broker: Broker, topic: str) -> None:
    await broker.ensure_topic(topic)
    assert await broker.last(topic) is None

    sent = messages(0, 3)
    await broker.produce(topic, sent)
    assert await broker.last(topic) == sent[-1]


async def test_a_topic_is_made_once(broker: Broker, topic: str) -> None:
    await broker.ensure_topic(topic)
    await broker.produce(topic, messages(0, 1))
    await broker.ensure_topic(topic)

    assert len((await read(broker, topic, 0, 1)).messages) == 1


async def test_repeats_are_kept(broker: Broker, topic: str) -> None:
    sent = messages(0, 2)
    await broker.produce(topic, sent)
    await broker.produce(topic, sent)

    assert (await read(broker, topic, 0, 4)).messages == (*sent, *sent)


async def test_reading_from_the_end_brings_only_what_comes_later(broker: Broker, topic: str) -> None:
    await broker.produce(topic, messages(0, 5))
    end = await broker.fetch(topic, None, limit=10, timeout_ms=0)
    assert end == Fetched((), 5)

    await broker.produce(topic, messages(5, 2))
    assert (await read(broker, topic, end.next, 2)).messages == tuple(messages(5, 2))


async def test_a_waiting_fetch_gets_what_arrives(broker: Broker, topic: str) -> None:
    place = (await broker.fetch(topic, None, limit=10, timeout_ms=0)).next
    waiting = asyncio.create_task(read(broker, topic, place, 1))
    await broker.produce(topic, messages(0, 1))

    assert (await waiting).messages == tuple(messages(0, 1))


async def test_an_offset_past_the_end_continues_at_the_end(broker: Broker, topic: str) -> None:
    """As after a wipe: the reader remembers a place that is no more."""
    await broker.produce(topic, messages(0, 3))
    place = 5_000
    async with asyncio.timeout(PATIENCE_SECONDS):
        while place == 5_000:
            fetched = await broker.fetch(topic, place, limit=10, timeout_ms=200)
            assert fetched.messages == ()
            place = fetched.next
    assert place == 3

    await broker.produce(topic, messages(3, 1))
    assert (await read(broker, topic, place, 1)).messages == tuple(messages(3, 1))


async def test_several_read_one_topic_at_once(broker: Broker, topic: str) -> None:
    await broker.produce(topic, messages(0, 100))
    both = await asyncio.gather(read(broker, topic, 0, 100), read(broker, topic, 40, 60))

    assert both[0].messages == tuple(messages(0, 100))
    assert both[1].messages == tuple(messages(40, 60))


async def test_a_cancelled_fetch_loses_nothing(broker: Broker, topic: str) -> None:
    place = (await broker.fetch(topic, None, limit=10, timeout_ms=0)).next
    waiting = asyncio.create_task(broker.fetch(topic, place, limit=10, timeout_ms=5_000))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    await broker.produce(topic, messages(0, 3))

    assert (await read(broker, topic, place, 3)).messages == tuple(messages(0, 3))


async def test_no_broker_is_said_in_bounded_time() -> None:
    broker = KafkaBroker("127.0.0.1:1", timeout_seconds=1)
    async with asyncio.timeout(PATIENCE_SECONDS):
        for call in (broker.produce("t.events", messages(0, 1)), broker.last("t.events"), broker.ensure_topic("t.events")):
            with pytest.raises(BrokerUnavailable):
                await call
        await broker.close()
