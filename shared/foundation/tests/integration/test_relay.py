"""The relay: everything at least once and in order, whatever the broker does."""

import asyncio
import random
from collections.abc import Sequence

import pytest
from foundation.broker.memory import MemoryBroker
from foundation.broker.port import BrokerUnavailable, Message
from foundation.cursor import Pool
from foundation.lease import Lease
from foundation.relay import Relay
from foundation.store.memory import MemoryStore
from foundation.store.port import Head

from .following import count_on, history_of, messages_of, until

TOPIC = "numbers.events"


class Moody(MemoryBroker):
    """Fails now and then: before, after or in the middle of taking a batch. The caller cannot know which."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.chance = random.Random(seed)

    async def produce(self, topic: str, messages: Sequence[Message]) -> None:
        if self.chance.random() < 0.4:
            await super().produce(topic, messages[: self.chance.randrange(len(messages) + 1)])
            raise BrokerUnavailable("moody")
        await super().produce(topic, messages)


async def all_messages(broker: MemoryBroker) -> list[Message]:
    return list((await broker.fetch(TOPIC, 0, limit=1_000_000, timeout_ms=0)).messages)


def first_times(messages: Sequence[Message]) -> list[int]:
    """The positions in the order in which they came first."""
    return list(dict.fromkeys(message.position for message in messages))


async def test_the_topic_gets_the_history(pool: Pool) -> None:
    store, broker = await history_of(30), MemoryBroker()
    relay = Relay(store, broker, pool, topic=TOPIC)
    relay.start()
    await until(lambda: relay.state().acknowledged == 29)
    await count_on(store, 20)
    await until(lambda: relay.state().acknowledged == 49)
    await relay.close()

    assert await all_messages(broker) == await messages_of(store)
    assert relay.state().lag == 0


async def test_a_restart_goes_on_at_the_checkpoint(pool: Pool) -> None:
    store, broker = await history_of(0), MemoryBroker()
    for _ in range(4):
        await count_on(store, 10)
        relay = Relay(store, broker, pool, topic=TOPIC)
        relay.start()
        head = (await store.head()).position
        await until(lambda: relay.state().acknowledged == head)  # noqa: B023 - used in this turn only
        await relay.close()

    assert await all_messages(broker) == await messages_of(store)


@pytest.mark.parametrize("seed", range(5))
async def test_a_moody_broker_gets_everything_in_order(pool: Pool, seed: int) -> None:
    store, broker = await history_of(20), Moody(seed)
    relay = Relay(store, broker, pool, topic=TOPIC)
    relay.start()
    for _ in range(3):
        await count_on(store, 10)
        head = (await store.head()).position
        await until(lambda: relay.state().acknowledged == head)  # noqa: B023 - used in this turn only
    await relay.close()

    sent = await all_messages(broker)
    assert first_times(sent) == list(range(50))
    assert set(sent) == set(await messages_of(store))


async def test_racing_relays_send_the_same_bytes(pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    async def always(self: Lease) -> bool:
        return True

    monkeypatch.setattr(Lease, "hold", always)
    store, broker = await history_of(20), Moody(7)
    relays = [Relay(store, broker, pool, topic=TOPIC) for _ in range(3)]
    for relay in relays:
        relay.start()
    for _ in range(3):
        await count_on(store, 10)
        await asyncio.sleep(0)
    await until(lambda: all(relay.state().acknowledged == 49 for relay in relays))
    for relay in relays:
        await relay.close()

    sent = await all_messages(broker)
    assert first_times(sent) == list(range(50))
    assert set(sent) == set(await messages_of(store))
    assert await pool.fetchval("select last from relay") == 49


async def test_one_relay_at_a_time_and_the_next_takes_over(pool: Pool) -> None:
    store, broker = await history_of(5), MemoryBroker()
    # However long the machine pauses, the first one's lease does not run out, and the second asks often.
    first, second = (Relay(store, broker, pool, topic=TOPIC, lease_seconds=seconds) for seconds in (600, 0.3))
    first.start()
    await until(lambda: first.state().acknowledged == 4)
    second.start()
    await count_on(store, 5)
    await until(lambda: first.state().acknowledged == 9)
    assert not second.state().leads
    await first.close()
    await until(lambda: second.state().leads)
    await count_on(store, 5)
    await until(lambda: second.state().acknowledged == 14)
    await second.close()

    assert await all_messages(broker) == await messages_of(store)


async def test_a_dead_broker_does_not_stop_the_history_and_shows_as_lag(pool: Pool) -> None:
    class Dead(MemoryBroker):
        alive = False

        async def produce(self, topic: str, messages: Sequence[Message]) -> None:
            if not self.alive:
                raise BrokerUnavailable("dead")
            await super().produce(topic, messages)

    store, broker = await history_of(5), Dead()
    relay = Relay(store, broker, pool, topic=TOPIC, lease_seconds=0.3)
    relay.start()
    await until(lambda: relay.state().trouble == "BrokerUnavailable")
    await count_on(store, 5)
    await until(lambda: relay.state().lag == 10)
    broker.alive = True
    await until(lambda: relay.state().acknowledged == 9)
    assert relay.state().trouble is None
    await relay.close()


async def test_trouble_is_over_when_the_broker_answers_though_nothing_is_left_to_send(pool: Pool) -> None:
    class Dead(MemoryBroker):
        alive = False

        async def last(self, topic: str) -> Message | None:
            if not self.alive:
                raise BrokerUnavailable("dead")
            return await super().last(topic)

    broker = Dead()
    relay = Relay(await history_of(0), broker, pool, topic=TOPIC, lease_seconds=0.3)
    relay.start()
    await until(lambda: relay.state().trouble == "BrokerUnavailable")
    broker.alive = True
    await until(lambda: relay.state().trouble is None)
    await relay.close()


async def test_a_new_epoch_is_sent_from_its_start(pool: Pool) -> None:
    class Epochs(MemoryStore):
        epoch = 0

        async def head(self) -> Head:
            head = await super().head()
            return Head(self.epoch, head.position, head.leaf)

    store, broker = Epochs(), MemoryBroker()
    await count_on(store, 5)
    relay = Relay(store, broker, pool, topic=TOPIC, lease_seconds=0.15)
    relay.start()
    await until(lambda: relay.state().acknowledged == 4)
    store.epoch = 1
    await until(lambda: relay.state().head == relay.state().acknowledged == 4 and len(broker._topics[TOPIC].messages) == 10)
    await relay.close()

    assert (await all_messages(broker))[5:] == await messages_of(store, epoch=1)
