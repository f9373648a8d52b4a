"""Reactions: exactly-once effects, refusals recorded, failing streams parked in order."""

import asyncio
import random
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from foundation.broker.memory import MemoryBroker
from foundation.clock import ManualClock
from foundation.commands import IdempotencyKeyReused
from foundation.consumer import Consumer, Pace
from foundation.cursor import Pool
from foundation.decider import Decider, JointDecider, Refusal
from foundation.ids import command_id
from foundation.parked import Parked, Queue
from foundation.reactions import Issue, Reaction, Reactions, reacts_to
from foundation.store.memory import MemoryStore
from foundation.store.port import StoreUnavailable

from tests.support import PATIENCE_SECONDS

from .following import CATALOGUE, NOON, Counted, LocalSource, count_on, mangled, messages_of, until

TOPIC = "numbers.events"


def _decide(command: int, state: Any, now: datetime) -> Sequence[Any]:
    return []


TALLY: Decider[Any, int] = Decider(category="tally", initial=None, decide=_decide, evolve=lambda state, event: state)


class UnluckyNumber(Refusal):
    """Thirteen."""


@reacts_to(Counted)
def tally(event: Counted) -> Issue:
    return Issue(TALLY, str(event.number % 5), event.number)


class Issued:
    """A command handler's outside: remembers what it accepted by id, fails on demand."""

    def __init__(self) -> None:
        self.accepted: dict[UUID, int] = {}
        self.calls = 0
        self.broken: set[int] = set()
        self.away = 0.0
        self.chance = random.Random(1)

    async def __call__(
        self,
        decider: Decider[Any, Any] | JointDecider[Any],
        id: str,
        command: Any,
        *,
        command_id: UUID,
        causation: str,
        correlation: str,
    ) -> object:
        self.calls += 1
        await asyncio.sleep(0)
        if self.chance.random() < self.away:
            if self.chance.random() < 0.5:
                self.accepted.setdefault(command_id, command)  # accepted, and then the answer got lost
            raise StoreUnavailable("away")
        if command in self.broken:
            raise ZeroDivisionError("contents of the event")
        if command == 13:
            raise UnluckyNumber("not thirteen")
        return self.accepted.setdefault(command_id, command)

    def of(self, key: int) -> list[int]:
        return [number for number in self.accepted.values() if number % 5 == key]


class World:
    def __init__(self, pool: Pool) -> None:
        self.pool, self.store, self.broker, self.issued = pool, MemoryStore(), MemoryBroker(), Issued()
        self.source = LocalSource(self.store)
        self.queue = Queue("service-reactions", "numbers", ManualClock(NOON))
        self.with_reactions(tally)

    def with_reactions(self, *reactions: Reaction) -> None:
        self.reactions = Reactions(reactions, self.issued, self.queue)
        self.parked = Parked(self.queue, self.pool, self.store, CATALOGUE, self.reactions.work)

    def consumer(self) -> Consumer:
        return Consumer(
            "service-reactions",
            "numbers",
            broker=self.broker,
            reader=self.source,
            pool=self.pool,
            effect=self.reactions,
            topic=TOPIC,
            catalogue=CATALOGUE,
            wanted=self.reactions.events,
            pace=Pace(batch_max=20, poll_ms=20, reconcile_seconds=0.05),
        )

    async def consume(self, count: int = 0) -> None:
        """Append some and follow to the end."""
        await count_on(self.store, count)
        consumer = self.consumer()
        consumer.start()
        try:
            await consumer.progress.reached((await self.store.head()).position, PATIENCE_SECONDS)
        finally:
            await consumer.close()


@pytest.fixture
def world(pool: Pool) -> World:
    return World(pool)


async def test_every_event_becomes_its_command_once_and_in_order(world: World) -> None:
    await world.consume(50)

    assert sorted(world.issued.accepted.values()) == [n for n in range(50) if n != 13]
    for key in range(5):
        assert world.issued.of(key) == sorted(world.issued.of(key))
    first = (await world.store.read(-1, limit=1))[0]
    assert command_id(str(UUID(int=0)), "tally", "tally-0") in world.issued.accepted
    assert first.position == 0


@pytest.mark.parametrize("seed", range(4))
async def test_unreliable_delivery_and_an_unreliable_store_give_exactly_once_effects(world: World, seed: int) -> None:
    chance = random.Random(seed)
    world.issued.away, world.issued.chance = 0.01, chance
    racing = [world.consumer() for _ in range(2)]
    for consumer in racing:
        consumer.start()
    for _ in range(3):
        await count_on(world.store, 25)
        await world.broker.produce(TOPIC, mangled(await messages_of(world.store), chance))
    await asyncio.gather(*(consumer.progress.reached(74, PATIENCE_SECONDS) for consumer in racing))
    for consumer in racing:
        await consumer.close()

    assert sorted(world.issued.accepted.values()) == [n for n in range(75) if n != 13]
    assert await world.parked.list() == []


async def test_a_refusal_is_recorded_and_everything_goes_on(world: World) -> None:
    await world.consume(20)

    rows = await world.pool.fetch("select * from refused_reactions")
    assert [(row["position"], row["reaction"], row["target"], row["refusal"]) for row in rows] == [
        (13, "tally", "tally-3", "unlucky-number")
    ]
    assert rows[0]["at"] == NOON
    assert 18 in world.issued.accepted.values()


async def test_a_failing_stream_is_parked_and_its_later_events_queue(world: World) -> None:
    world.issued.broken = {7}
    await world.consume(10)
    await world.consume(10)

    (parked,) = await world.parked.list()
    assert (parked.key, parked.error, parked.events, parked.first_position) == ("count-2", "ZeroDivisionError", 3, 7)
    assert world.issued.of(2) == [2]
    assert world.issued.of(1) == [1, 6, 11, 16]  # others are not held up
    assert "contents" not in str(await world.pool.fetch("select * from parked_keys, parked_events"))


async def test_a_replay_works_the_queue_off_in_order(world: World) -> None:
    world.issued.broken = {7, 17}
    await world.consume(20)

    again = await world.parked.replay("count-2")
    assert (again.done, again.left, again.error) == (0, 3, "ZeroDivisionError")
    world.issued.broken = {17}
    again = await world.parked.replay("count-2")
    assert (again.done, again.left, again.error) == (2, 1, "ZeroDivisionError")
    assert world.issued.of(2) == [2, 7, 12]
    world.issued.broken = set()
    again = await world.parked.replay("count-2")
    assert (again.done, again.left, again.error) == (1, 0, None)

    assert await world.parked.list() == []
    await world.consume(10)
    assert world.issued.of(2) == [2, 7, 12, 17, 22, 27]
    assert (await world.parked.replay("count-2")).done == 0


async def test_a_refusal_met_in_a_replay_is_recorded(world: World) -> None:
    world.issued.broken = {3}
    await world.consume(20)
    world.issued.broken = set()
    await world.parked.replay("count-3")

    assert await world.pool.fetchval("select position from refused_reactions") == 13
    assert world.issued.of(3) == [3, 8, 18]


async def test_replays_race_with_the_consumer_and_each_other_without_overtaking(world: World) -> None:
    world.issued.broken = {2}
    await world.consume(5)
    world.issued.broken = set()
    consumer = world.consumer()
    consumer.start()

    async def replay_often() -> None:
        for _ in range(20):
            await world.parked.replay("count-2")

    replays = asyncio.gather(replay_often(), replay_often())
    for _ in range(10):
        await count_on(world.store, 10)
        await world.broker.produce(TOPIC, (await messages_of(world.store))[-10:])
    await replays
    await consumer.progress.reached(104, PATIENCE_SECONDS)
    await world.parked.replay("count-2")
    await consumer.close()

    assert await world.parked.list() == []
    assert world.issued.of(2) == list(range(2, 105, 5))


async def test_only_one_at_a_time_works_on_a_parked_key(world: World) -> None:
    """Two replays of one key, and the consumer with its next event: they wait for each other on the key's row."""
    world.issued.broken = {2}
    await world.consume(5)
    world.issued.broken = set()
    issue, began, finish, at_work = world.issued, 0, asyncio.Event(), 0

    async def slowly(*command: Any, **ids: Any) -> object:
        nonlocal began, at_work
        if command[2] % 5 != 2:
            return await issue(*command, **ids)
        began += 1
        at_work += 1
        assert at_work == 1
        await finish.wait()
        at_work -= 1
        return await issue(*command, **ids)

    world.issued = slowly  # type: ignore[assignment]
    world.with_reactions(tally)
    consumer = world.consumer()
    replays = [asyncio.create_task(world.parked.replay("count-2")) for _ in range(2)]
    await until(lambda: began > 0)
    await count_on(world.store, 5)
    consumer.start()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await world.pool.fetchval("select count(*) from pg_locks where not granted") < 2:
            assert began == 1
    finish.set()
    await asyncio.gather(*replays)
    await consumer.progress.reached(9, PATIENCE_SECONDS)
    await consumer.close()
    await world.parked.replay("count-2")

    assert issue.of(2) == [2, 7]


async def test_what_passes_by_itself_never_parks(world: World) -> None:
    world.issued.away = 1
    await count_on(world.store, 5)
    consumer = world.consumer()
    consumer.start()
    await until(lambda: world.issued.calls >= 30)
    assert consumer.state().trouble == "StoreUnavailable"
    assert await world.parked.list() == []
    world.issued.away = 0
    await consumer.progress.reached(4, PATIENCE_SECONDS)
    await consumer.close()
    assert sorted(world.issued.accepted.values()) == [0, 1, 2, 3, 4]


async def test_several_reactions_and_commands_of_one_event(world: World) -> None:
    def split(event: Counted) -> list[Issue]:
        return [Issue(TALLY, "even", event.number + 1_000), Issue(TALLY, "odd", event.number + 2_000)]

    world.with_reactions(tally, Reaction("split", Counted, split))
    await world.consume(3)

    assert sorted(world.issued.accepted.values()) == [0, 1, 2, 1_000, 1_001, 1_002, 2_000, 2_001, 2_002]


async def test_two_commands_for_one_target_are_a_bug(world: World) -> None:
    def twice(event: Counted) -> list[Issue]:
        return [Issue(TALLY, "one", 1), Issue(TALLY, "one", 2)]

    world.with_reactions(Reaction("twice", Counted, twice))
    await world.consume(1)

    assert [parked.error for parked in await world.parked.list()] == ["TwoCommandsForOneTarget"]
    assert world.issued.accepted == {}


async def test_a_reused_id_parks_because_it_is_no_rule_of_the_domain(world: World) -> None:
    async def reused(*_: Any, **__: Any) -> object:
        raise IdempotencyKeyReused

    world.issued = reused  # type: ignore[assignment]
    world.with_reactions(tally)
    await world.consume(1)

    assert [parked.error for parked in await world.parked.list()] == ["IdempotencyKeyReused"]


def test_reactions_have_names_of_their_own() -> None:
    assert (tally.name, tally.event) == ("tally", Counted)
    assert reacts_to(Counted, name="kept")(lambda event: []).name == "kept"
    with pytest.raises(ValueError, match="one name"):
        Reactions([tally, tally], Issued(), Queue("c", "s", ManualClock(NOON)))
