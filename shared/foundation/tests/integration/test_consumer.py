"""The consumer against a real database and every way in which a topic and a source can go wrong (DESIGN 6)."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from math import inf
from typing import Any

import pytest
from foundation import consumer as consumers
from foundation import cursor as cursors
from foundation.broker.memory import MemoryBroker
from foundation.broker.port import BrokerUnavailable, Fetched, Message
from foundation.consumer import Consumer, Pace
from foundation.continuity import Arrived, Following
from foundation.cursor import Cursor, Pool
from foundation.history import Happened
from foundation.lease import Lease
from foundation.progress import Halted
from foundation.record import leaf_hash
from foundation.store.memory import MemoryStore
from foundation.store.port import AppendRequest, NewEvent, StreamAppend

from tests.support import PATIENCE_SECONDS

from .following import CATALOGUE, LEDGER, Ledger, LocalSource, count_on, history_of, ledger, mangled, messages_of, record_of, until

TOPIC = "numbers.events"
PACE = Pace(batch_max=20, poll_ms=20, reconcile_seconds=0.05)
HINTS_ONLY = Pace(poll_ms=20, reconcile_seconds=3_600)
"""Looks at the source's head once at its start, and after that hears of nothing but what the topic brings."""


class World:
    """One history, its topic, and consumers of it."""

    def __init__(self, pool: Pool, store: MemoryStore) -> None:
        self.pool, self.store = pool, store
        self.source, self.broker, self.effect = LocalSource(store), MemoryBroker(), Ledger()

    def consumer(self, **changed: Any) -> Consumer:
        settings: dict[str, Any] = {
            "broker": self.broker,
            "reader": self.source,
            "pool": self.pool,
            "effect": self.effect,
            "topic": TOPIC,
            "catalogue": CATALOGUE,
            "pace": PACE,
        }
        return Consumer("ledger", "numbers", **{**settings, **changed})

    @asynccontextmanager
    async def running(self, **changed: Any) -> AsyncIterator[Consumer]:
        consumer = self.consumer(**changed)
        consumer.start()
        try:
            yield consumer
        finally:
            await consumer.close()

    async def complete(self) -> None:
        """Every number once and in order."""
        head = await self.store.head()
        assert await ledger(self.pool) == list(range(head.position + 1))


@pytest.fixture
async def world(pool: Pool) -> World:
    await pool.execute(LEDGER)
    return World(pool, await history_of(0))


async def _bad_day(world: World, seed: int, consumers_count: int = 1) -> None:
    """Deliver a history in mangled pieces while consumers run; then all of it must have taken effect once."""
    chance = random.Random(seed)
    running = [world.consumer() for _ in range(consumers_count)]
    for consumer in running:
        consumer.start()
    try:
        for _ in range(6):
            await count_on(world.store, chance.randrange(5, 40))
            sent = mangled((await messages_of(world.store))[-60:], chance)
            while sent:
                piece = chance.randrange(1, 30)
                await world.broker.produce(TOPIC, sent[:piece])
                sent = sent[piece:]
                await asyncio.sleep(chance.random() / 100)  # a delay between deliveries, not a wait for anything
        head = await world.store.head()
        await asyncio.gather(*(consumer.progress.reached(head.position, PATIENCE_SECONDS) for consumer in running))
    finally:
        for consumer in running:
            await consumer.close()
    await world.complete()


# ------------------------------------------------------------------------------------------------- bad deliveries


async def test_in_order_delivery_needs_no_source_once_it_has_begun(world: World) -> None:
    async with world.running() as consumer:
        await until(lambda: consumer._offset == 0)
        for _ in range(5):
            await count_on(world.store, 10)
            await world.broker.produce(TOPIC, (await messages_of(world.store))[-10:])
            await consumer.progress.reached((await world.store.head()).position, PATIENCE_SECONDS)
    await world.complete()
    assert world.source.asked == 1  # at the very start: any history's first message would continue nothing


@pytest.mark.parametrize("seed", range(12))
async def test_doubled_reordered_lost_and_late_messages(world: World, seed: int) -> None:
    await _bad_day(world, seed)


@pytest.mark.parametrize("seed", range(6))
async def test_racing_consumers(world: World, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The lease only saves work: here everybody believes to hold it."""
    monkeypatch.setattr(Lease, "hold", _always)
    await _bad_day(world, seed, consumers_count=3)


async def test_a_lost_tail_and_then_silence(world: World) -> None:
    await count_on(world.store, 10)
    async with world.running() as consumer:
        await world.broker.produce(TOPIC, (await messages_of(world.store))[:4])
        await consumer.progress.reached(9, PATIENCE_SECONDS)
    await world.complete()


async def test_a_lost_message_is_noticed_by_the_next(world: World) -> None:
    async with world.running(pace=HINTS_ONLY) as consumer:
        await until(lambda: consumer._offset == 0 and consumer.state().age_seconds < inf)
        await count_on(world.store, 10)
        sent = await messages_of(world.store)
        await world.broker.produce(TOPIC, sent[:4] + sent[5:])
        await consumer.progress.reached(9, PATIENCE_SECONDS)
    await world.complete()


async def test_a_wiped_topic(world: World) -> None:
    async with world.running() as consumer:
        for _ in range(4):
            await count_on(world.store, 30)
            await world.broker.produce(TOPIC, (await messages_of(world.store))[-30:])
            await consumer.progress.reached((await world.store.head()).position - 20, PATIENCE_SECONDS)
            world.broker.wipe(TOPIC)
        await count_on(world.store, 1)
        await world.broker.produce(TOPIC, (await messages_of(world.store))[-1:])
        await consumer.progress.reached(120, PATIENCE_SECONDS)
    await world.complete()


async def test_without_any_broker_events_come_from_the_source(world: World) -> None:
    class Dead(MemoryBroker):
        async def fetch(self, topic: str, offset: int | None, *, limit: int, timeout_ms: int) -> Fetched:
            raise BrokerUnavailable("dead")

    async with world.running(broker=Dead()) as consumer:
        for _ in range(3):
            await count_on(world.store, 50)
            await consumer.progress.reached((await world.store.head()).position, PATIENCE_SECONDS)
    await world.complete()


async def test_a_restart_goes_on_where_it_was(world: World) -> None:
    for _ in range(5):
        await count_on(world.store, 25)
        async with world.running() as consumer:
            await world.broker.produce(TOPIC, await messages_of(world.store))
            await consumer.progress.reached((await world.store.head()).position, PATIENCE_SECONDS)
    await world.complete()


async def test_one_at_a_time_reads_the_topic(world: World) -> None:
    class Counting(MemoryBroker):
        reads = 0

        async def fetch(self, topic: str, offset: int | None, *, limit: int, timeout_ms: int) -> Fetched:
            self.reads += 1
            return await super().fetch(topic, offset, limit=limit, timeout_ms=timeout_ms)

    second = Counting()
    async with world.running(pace=replace(PACE, lease_seconds=600)) as first:  # which no pause of the machine lets run out
        await first.progress.reached(-1, PATIENCE_SECONDS)
        await until(lambda: first.state().age_seconds < inf)
        async with world.running(broker=second) as standby:
            await count_on(world.store, 3)
            await standby.progress.reached(2, PATIENCE_SECONDS)  # it knows how far the first one came
            assert second.reads == 0
            await first.close()
            await until(lambda: second.reads > 0)


# -------------------------------------------------------------------------------------------- messages are hints


async def test_a_forged_message_is_checked_with_the_source(world: World) -> None:
    """It fits the cursor, but it is no record: the source's own record is applied, and nothing halts."""
    async with world.running() as consumer:
        await count_on(world.store, 5)
        good = await messages_of(world.store)
        await world.broker.produce(TOPIC, good[:4])
        await consumer.progress.reached(3, PATIENCE_SECONDS)
        await world.broker.produce(TOPIC, [Message("count-4", b"rubbish", 0, 4, good[4].previous_leaf)])
        await consumer.progress.reached(4, PATIENCE_SECONDS)
        assert consumer.state().halted is None
    await world.complete()


async def test_messages_of_an_earlier_epoch_are_passed_over(world: World) -> None:
    await count_on(world.store, 5)
    world.source.epoch = 1
    async with world.running() as consumer:
        await until(lambda: consumer._offset == 0)
        await world.broker.produce(TOPIC, await messages_of(await history_of(20, salt=9), epoch=0))
        await world.broker.produce(TOPIC, await messages_of(world.store, epoch=1))
        await consumer.progress.reached(4, PATIENCE_SECONDS)
        assert consumer.state().halted is None
    await world.complete()


# ------------------------------------------------------------------------------------- sources that tell another story


async def test_another_history_at_the_source_halts(world: World) -> None:
    await count_on(world.store, 10)
    async with world.running() as consumer:
        await consumer.progress.reached(9, PATIENCE_SECONDS)
        world.source.store = await history_of(15, salt=1)
        await until(lambda: consumer.state().halted is not None)
        with pytest.raises(Halted):
            await consumer.progress.reached(10, PATIENCE_SECONDS)
        assert "another record at position 9" in str(consumer.state().halted)
        assert await ledger(world.pool) == list(range(10))

        world.source.store = world.store  # the operator has put the right history back
        await count_on(world.store, 5)
        await until(lambda: consumer.state().halted is None)
        await consumer.progress.reached(14, PATIENCE_SECONDS)
    await world.complete()


async def test_a_message_whose_history_the_source_denies_halts(world: World) -> None:
    await count_on(world.store, 10)
    async with world.running(pace=HINTS_ONLY) as consumer:
        await consumer.progress.reached(9, PATIENCE_SECONDS)
        await until(lambda: consumer._offset == 0)
        world.source.store = await history_of(15, salt=1)
        await world.broker.produce(TOPIC, (await messages_of(world.source.store))[-1:])
        await until(lambda: consumer.state().halted is not None)
    assert await ledger(world.pool) == list(range(10))


async def test_a_source_behind_us_halts(world: World) -> None:
    await count_on(world.store, 10)
    async with world.running() as consumer:
        await consumer.progress.reached(9, PATIENCE_SECONDS)
        world.source.store = await history_of(8)
        await until(lambda: consumer.state().halted is not None)
        assert "ends at position 7, behind 9" in str(consumer.state().halted)


async def test_a_source_without_what_its_topic_has_seen_halts(world: World) -> None:
    """A restored backup: the topic knows ten events, the source eight of them, we five."""
    await count_on(world.store, 10)
    sent = await messages_of(world.store)
    world.source.store = await history_of(5)
    async with world.running(pace=HINTS_ONLY) as consumer:
        await consumer.progress.reached(4, PATIENCE_SECONDS)
        await until(lambda: consumer._offset == 0)
        world.source.store = await history_of(8)
        await world.broker.produce(TOPIC, sent[-1:])
        await until(lambda: consumer.state().halted is not None)
        assert "nothing after position 7, though 9 has been seen" in str(consumer.state().halted)


async def test_a_new_epoch_halts_until_rebuilt(world: World) -> None:
    await count_on(world.store, 10)
    async with world.running() as consumer:
        await consumer.progress.reached(9, PATIENCE_SECONDS)
        world.source.epoch = 1
        world.source.store = fresh = await history_of(20, salt=1)
        await until(lambda: consumer.state().halted is not None)
        assert "epoch 1" in str(consumer.state().halted)

        async with world.pool.acquire() as connection, connection.transaction():  # what a rebuild does
            was = await cursors.lock(connection, "ledger", "numbers")
            await connection.execute("truncate ledger")
            first = (await fresh.read(-1, limit=1))[0]
            await connection.execute("insert into ledger (number) values (0)")
            await cursors.move(connection, "ledger", "numbers", was, Cursor(1, 0, first.leaf))
        await until(lambda: consumer.state().halted is None)
        await until(lambda: consumer.state().last == 19)
    assert await ledger(world.pool) == list(range(20))


async def test_an_answer_that_does_not_advance_halts(world: World) -> None:
    class Stuck(LocalSource):
        async def events(self, epoch: int, after: int, leaf: bytes, upto: int, limit: int) -> Any:
            return await self.store.read(after - 1, limit=limit, upto=upto)

    await count_on(world.store, 3)
    async with world.running() as consumer:
        await consumer.progress.reached(2, PATIENCE_SECONDS)
        await count_on(world.store, 3)
        consumer._reader = Stuck(world.store)
        await until(lambda: consumer.state().halted is not None)
    assert await ledger(world.pool) == [0, 1, 2]


# --------------------------------------------------------------------------------------------------- types and bugs


async def _append(store: MemoryStore, type: str) -> None:
    stream = f"other-{(await store.head()).position}"
    await store.append([AppendRequest((StreamAppend(stream, 0, (NewEvent(type, record_of(0, type=type, stream=stream)),)),))])


async def test_types_that_are_none_of_our_business_are_passed_over(world: World) -> None:
    await count_on(world.store, 3)
    await _append(world.store, "numbers.Forgotten.v1")
    async with world.running() as consumer:
        await consumer.progress.reached(3, PATIENCE_SECONDS)
    assert await ledger(world.pool) == [0, 1, 2]


async def test_an_unknown_version_of_a_known_type_halts_for_good(world: World) -> None:
    await count_on(world.store, 3)
    await _append(world.store, "numbers.Counted.v2")
    async with world.running() as consumer:
        await until(lambda: consumer.state().halted is not None)
        assert "numbers.Counted.v2" in str(consumer.state().halted)
        await consumer.reconcile()
        assert consumer.state().halted is not None
    assert await ledger(world.pool) == []  # the whole batch, so that a newer program finds a clean edge


async def test_a_bug_in_the_effect_is_told_and_tried_again(world: World) -> None:
    world.effect.fails = [ValueError("a name that must not be logged"), OSError(), ZeroDivisionError()]
    await count_on(world.store, 3)
    async with world.running() as consumer:
        await until(lambda: consumer.state().trouble == "ZeroDivisionError")
        await consumer.progress.reached(2, PATIENCE_SECONDS)
        assert consumer.state().trouble is None
    await world.complete()


# ------------------------------------------------------------------------------------------------- age, and pauses


async def test_the_age_of_the_view(world: World) -> None:
    consumer = world.consumer()
    assert consumer.state().age_seconds == float("inf")
    await count_on(world.store, 3)
    consumer.start()
    try:
        await until(lambda: consumer.state().age_seconds < inf)
        assert consumer.state().lag == 0
        world.source.reachable = False
        await until(lambda: consumer.state().trouble == "StoreUnavailable")
        before = consumer.state().age_seconds + 0.5
        await until(lambda: consumer.state().age_seconds > before)
        world.source.reachable = True
        await until(lambda: consumer.state().age_seconds < before)
    finally:
        await consumer.close()


async def test_a_paused_consumer_loses_its_lock_and_nothing_is_doubled(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "hold", _always)
    paused, wake = asyncio.Event(), asyncio.Event()

    class Pausing(Ledger):
        async def apply(self, connection: Any, batch: Sequence[Happened]) -> None:
            await super().apply(connection, batch)
            paused.set()
            await wake.wait()

    await count_on(world.store, 10)
    pace = Pace(poll_ms=20, reconcile_seconds=0.05, idle_in_transaction_seconds=0.3)
    async with world.running(effect=Pausing(), pace=pace) as sleeper:
        await paused.wait()
        async with world.running() as other:
            await other.progress.reached(9, PATIENCE_SECONDS)
            wake.set()
            await sleeper.progress.reached(9, PATIENCE_SECONDS)
    await world.complete()


# ------------------------------------------------------------- the parts are needed: without each of them the above fails


async def _always(self: Lease) -> bool:
    return True


def _gullible(cursor: Cursor, messages: Sequence[Message]) -> Following:
    """Continuity not checked: whatever is newer is taken."""
    last, entries = cursor.last, []
    for message in messages:
        if message.position > last:
            last = message.position
            entries.append(Arrived(last, message.value, leaf_hash(message.value)))
    return Following(tuple(entries), None)


async def test_without_the_continuity_check_events_are_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumers, "follow", _gullible)
    async with world.running(pace=HINTS_ONLY) as consumer:
        await until(lambda: consumer._offset == 0 and consumer.state().age_seconds < inf)
        await count_on(world.store, 10)
        sent = await messages_of(world.store)
        await world.broker.produce(TOPIC, sent[:4] + sent[5:])
        await consumer.progress.reached(9, PATIENCE_SECONDS)
    with pytest.raises(AssertionError):
        await world.complete()


async def test_without_reconcile_a_lost_tail_stays_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(self: Consumer) -> None:
        return

    monkeypatch.setattr(Consumer, "reconcile", nothing)
    await count_on(world.store, 10)
    async with world.running() as consumer:
        await until(lambda: consumer._offset == 0)
        await world.broker.produce(TOPIC, (await messages_of(world.store))[:4])
        await consumer.progress.reached(3, PATIENCE_SECONDS)
        with pytest.raises(TimeoutError):
            await consumer.progress.reached(9, 0.5)


async def test_without_the_lock_and_the_compare_and_set_racing_consumers_double(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def set_only(connection: Any, consumer: str, source: str, was: Cursor, now: Cursor) -> None:
        await connection.execute(
            "insert into cursors values ($1, $2, $3, $4, $5) on conflict (consumer, source) do update set last = $4, leaf = $5",
            *(consumer, source, now.epoch, now.last, now.leaf),
        )

    monkeypatch.setattr(Lease, "hold", _always)
    monkeypatch.setattr(cursors, "lock", cursors.read)
    monkeypatch.setattr(cursors, "move", set_only)
    broken = 0
    for seed in range(5):
        try:
            await _bad_day(world, seed, consumers_count=3)
        except AssertionError:
            broken += 1
    assert broken > 0


async def test_either_of_lock_and_compare_and_set_is_enough(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Lease, "hold", _always)
    monkeypatch.setattr(cursors, "lock", cursors.read)

    async def made(self: Consumer) -> Cursor:
        async with self._pool.acquire() as connection:
            await connection.execute(
                "insert into cursors values ($1, $2, $3, $4, $5) on conflict do nothing",
                *(self.name, self.source, cursors.START.epoch, cursors.START.last, cursors.START.leaf),
            )
            return await cursors.read(connection, self.name, self.source)

    monkeypatch.setattr(Consumer, "_own", made)
    await _bad_day(world, 3, consumers_count=3)
