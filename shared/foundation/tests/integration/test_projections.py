"""Projections on a real PostgreSQL: following, racing, halting (DESIGN 5)."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import asyncpg
import pytest
from contracts.kernel import Event
from foundation import cursor as cursors
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.progress import Halted
from foundation.projection_runner import ProjectionRunner
from foundation.projections import Projection, Table, Tables
from foundation.rebuild import ensure_built
from foundation.store.memory import MemoryStore
from foundation.store.port import Recorded

from tests.support import PATIENCE_SECONDS

from .toy import UNITS, UnitClosed, UnitPlaced, UnitRenamed, append, group, units


async def test_follows_from_before_its_start_and_on(pool: Pool, store: MemoryStore) -> None:
    await append(store, UnitPlaced(unit="1", parent=None, name="city"), UnitPlaced(unit="2", parent="1", name="county"))
    runner = ProjectionRunner(group(), store, pool)
    await runner.start()
    await runner.reached(1, PATIENCE_SECONDS)
    assert await units(pool) == [("1", None, "city"), ("2", "1", "county")]

    position = await append(store, UnitRenamed(unit="2", name="district"), UnitClosed(unit="1"))
    await runner.reached(position, PATIENCE_SECONDS)
    assert await units(pool) == [("2", "1", "district")]
    assert runner.standing().condition == "following"
    assert runner.standing().lag == 0
    await runner.close()


async def test_a_restart_applies_nothing_twice(pool: Pool, store: MemoryStore) -> None:
    for n in range(3):
        runner = ProjectionRunner(group(), store, pool)
        await runner.start()
        position = await append(store, UnitPlaced(unit="1", parent=None, name=str(n)))
        await runner.reached(position, PATIENCE_SECONDS)
        await runner.close()
    assert await pool.fetchval("select events from unit_counts") == 3


async def test_thousands_wait_for_their_own_positions(pool: Pool, store: MemoryStore) -> None:
    runner = ProjectionRunner(group(), store, pool)
    await runner.start()
    waits = [asyncio.create_task(runner.reached(n, PATIENCE_SECONDS)) for n in reversed(range(3_000))]
    await asyncio.sleep(0)
    await append(store, *[UnitPlaced(unit=str(n), parent=None, name="n") for n in range(3_000)])
    await asyncio.gather(*waits)
    with pytest.raises(TimeoutError):
        await runner.reached(3_000, 0.01)
    await runner.close()


async def test_racing_runners_apply_every_event_once(pool: Pool, store: MemoryStore) -> None:
    """Remove the compare-and-set (`cursors.move` without its condition) and the counts grow too large."""
    runners = [ProjectionRunner(group(), store, pool) for _ in range(4)]
    for runner in runners:
        await runner.start()
    for n in range(40):
        position = await append(store, UnitPlaced(unit=str(n % 3), parent=None, name=str(n)))
        # All of them follow by the second event, and are pushed the next one at the same moment.
        await asyncio.gather(*(runner.reached(position, PATIENCE_SECONDS) for runner in runners))
    for runner in runners:
        await runner.reached(position, PATIENCE_SECONDS)
        await runner.close()
    assert await pool.fetchval("select sum(events) from unit_counts") == 40


class Pausing(MemoryStore):
    """Its subscribers sleep until they are woken, and then are given two events at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = asyncio.Event()

    async def subscribe(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        await self.woken.wait()
        while batch := await self.read(after, limit=2):
            yield batch
            after = batch[-1].position
        await asyncio.Event().wait()


async def test_a_runner_that_slept_does_not_apply_what_others_have_applied(pool: Pool) -> None:
    store = Pausing()
    asleep = ProjectionRunner(group(), store, pool)
    await asleep.start()
    await append(store, *[UnitPlaced(unit="1", parent=None, name=str(n)) for n in range(3)])
    async with pool.acquire() as connection:
        start = await cursors.read(connection, "toy-service", "toy")
    other = ProjectionRunner(group(), store, pool)
    await other._catch_up(start, await store.read(-1), 0)
    position = await append(store, *[UnitPlaced(unit="1", parent=None, name=str(n)) for n in (3, 4)])
    store.woken.set()  # its second batch begins with an event that the other has applied
    await asleep.reached(position, PATIENCE_SECONDS)
    assert await pool.fetchval("select events from unit_counts") == 5
    await asleep.close()
    await store.close()


async def test_cursor_and_tables_move_together_or_not_at_all(pool: Pool, store: MemoryStore) -> None:
    async def breaks(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
        await UNITS.apply(connection, tables, batch)
        raise ZeroDivisionError

    broken = ProjectionRunner(group(replace(UNITS, apply=breaks)), store, pool)
    await broken.start()
    await append(store, UnitPlaced(unit="1", parent=None, name="city"))
    with pytest.raises(Halted, match="ZeroDivisionError"):
        await broken.reached(0, PATIENCE_SECONDS)
    assert broken.standing().condition == "halted"
    await broken.close()
    assert await units(pool) == []
    async with pool.acquire() as connection:
        assert (await cursors.read(connection, "toy-service", "toy")).last == -1

    repaired = ProjectionRunner(group(), store, pool)
    await repaired.start()
    await repaired.reached(0, PATIENCE_SECONDS)
    assert await units(pool) == [("1", None, "city")]
    await repaired.close()


@pytest.mark.parametrize("passing", [ConnectionResetError, asyncpg.InternalClientError])
async def test_what_passes_by_itself_is_tried_again(pool: Pool, store: MemoryStore, passing: type[Exception]) -> None:
    attempts = 0

    async def flickers(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
        nonlocal attempts
        attempts += 1
        if attempts < 3:
            raise passing
        await UNITS.apply(connection, tables, batch)

    runner = ProjectionRunner(group(replace(UNITS, apply=flickers)), store, pool)
    await runner.start()
    await runner.reached(await append(store, UnitPlaced(unit="1", parent=None, name="city")), PATIENCE_SECONDS)
    assert await pool.fetchval("select events from unit_counts") == 1
    await runner.close()


async def test_an_unknown_version_of_a_known_type_halts(pool: Pool, store: MemoryStore) -> None:
    class Renamed2(Event, type="toy.UnitRenamed", version=2):
        unit: str

    class Elsewhere(Event, type="toy.SomethingNew"):
        unit: str

    runner = ProjectionRunner(group(), store, pool)
    await runner.start()
    await append(store, Elsewhere(unit="1"), UnitPlaced(unit="1", parent=None, name="city"))
    await runner.reached(1, PATIENCE_SECONDS)
    await append(store, Renamed2(unit="1"))
    with pytest.raises(Halted, match="EventTypeUnknown"):
        await runner.reached(2, PATIENCE_SECONDS)
    await runner.close()


async def test_several_projections_in_one_transaction_and_only_what_they_want(pool: Pool, store: MemoryStore) -> None:
    seen: list[type[Event]] = []

    async def watch(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
        seen.extend(type(happened.event) for happened in batch)
        await connection.executemany(f"insert into {tables['closed']} values ($1)", [(happened.position,) for happened in batch])

    closed = Projection(
        "closed",
        "toy",
        1,
        (Table("closed", "at bigint primary key"),),
        watch,
        events=frozenset({UnitClosed}),
    )
    runner = ProjectionRunner(group(UNITS, closed), store, pool)
    await runner.start()
    await runner.reached(await append(store, UnitPlaced(unit="1", parent=None, name="city"), UnitClosed(unit="1")), PATIENCE_SECONDS)
    assert seen == [UnitClosed]
    assert await pool.fetchval("select at from closed") == 1
    await runner.close()


def test_restrictions_are_checked_where_they_are_declared() -> None:
    table = UNITS.tables[0]
    for columns in (
        "id bigserial primary key",
        "id bigint generated always as identity",
        "at timestamptz default now()",
        "a text references b",
    ):
        with pytest.raises(ValueError, match="does not follow from the events"):
            replace(table, columns=columns)
    with pytest.raises(ValueError, match="table name"):
        replace(table, name="Units; drop")
    with pytest.raises(ValueError, match="vault"):
        replace(UNITS, opens=True)
    with pytest.raises(ValueError, match="one name"):
        group(UNITS, replace(UNITS, name="other"))
    with pytest.raises(ValueError, match="one source"):
        group(UNITS, replace(UNITS, name="other", source="elsewhere"))


async def test_an_older_program_stops_when_a_newer_one_has_taken_over(pool: Pool, store: MemoryStore) -> None:
    old = ProjectionRunner(group(), store, pool)
    await old.start()
    await old.reached(await append(store, UnitPlaced(unit="1", parent=None, name="city")), PATIENCE_SECONDS)
    await ensure_built(group(replace(UNITS, version=2)), store, pool)
    await append(store, UnitPlaced(unit="2", parent="1", name="county"))
    with pytest.raises(Halted, match="newer program"):
        await old.reached(1, PATIENCE_SECONDS)
    await old.close()
    new = ProjectionRunner(group(replace(UNITS, version=2)), store, pool)
    await new.start()
    await new.reached(1, PATIENCE_SECONDS)
    counted = await pool.fetch("select unit, events from unit_counts order by unit")
    assert [tuple(row) for row in counted] == [("1", 1), ("2", 1)]
    await new.close()
