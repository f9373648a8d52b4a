"""Rebuilds on a real PostgreSQL: identical tables, no gap for readers, no trace of a crash (DESIGN 5)."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from contracts.kernel import Event
from foundation import rebuild as rebuilds
from foundation.cursor import START, Connection, Pool
from foundation.digest import digest
from foundation.history import Happened
from foundation.projection_runner import ProjectionRunner
from foundation.projections import ProjectionGroup, Table, Tables
from foundation.rebuild import ensure_built, rebuild, rebuild_together
from foundation.store.memory import MemoryStore
from foundation.store.port import Head, Recorded, StoreUnavailable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support import PATIENCE_SECONDS

from .toy import CATALOGUE, UNITS, UnitClosed, UnitPlaced, UnitRenamed, append, group, tables, units


async def followed(store: MemoryStore, pool: Pool, position: int, of: ProjectionGroup | None = None) -> None:
    """Apply everything up to a position live."""
    runner = ProjectionRunner(of or group(), store, pool)
    await runner.start()
    await runner.reached(position, PATIENCE_SECONDS)
    await runner.close()


async def digest_of(pool: Pool) -> str:
    async with pool.acquire() as connection:
        return await digest(connection, UNITS)


CITY = [
    UnitPlaced(unit="1", parent=None, name="city"),
    UnitPlaced(unit="2", parent="1", name="county"),
    UnitRenamed(unit="2", name="district"),
    UnitPlaced(unit="3", parent="2", name="street"),
    UnitClosed(unit="3"),
]

one_unit = st.sampled_from("1234")
event = st.one_of(
    st.builds(UnitPlaced, unit=one_unit, parent=st.none() | one_unit, name=st.text(max_size=3).filter(lambda text: "\0" not in text)),
    st.builds(UnitRenamed, unit=one_unit, name=st.sampled_from("abc")),
    st.builds(UnitClosed, unit=one_unit),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(event, min_size=1, max_size=6), max_size=8), range_events=st.integers(1, 9))
async def test_live_and_rebuilt_are_identical(pool: Pool, batches: list[list[Event]], range_events: int) -> None:
    # A history of its own for each example, in the same database: the cursor is not of it, so all is rebuilt at the start.
    store = MemoryStore()
    await append(store, UnitPlaced(unit="0", parent=None, name=""), stream=f"units-{id(batches)}")
    runner = ProjectionRunner(group(), store, pool)
    await runner.start()
    position = 0
    for batch in batches:
        position = await append(store, *batch)
    await runner.reached(position, PATIENCE_SECONDS)
    live, shown = await digest_of(pool), await units(pool)
    before, rebuilds.RANGE_EVENTS = rebuilds.RANGE_EVENTS, range_events
    try:
        assert (await rebuild(group(), store, pool)).position == position
    finally:
        rebuilds.RANGE_EVENTS = before
    assert await digest_of(pool) == live
    assert await units(pool) == shown
    await runner.close()
    await store.close()


async def test_the_digest_sees_a_difference_but_nothing_personal(pool: Pool, store: MemoryStore) -> None:
    await followed(store, pool, await append(store, *CITY))
    same = await digest_of(pool)
    await pool.execute("update units set name = 'other' where unit = '1'")
    assert await digest_of(pool) == same, "names are declared personal"
    await pool.execute("update units set parent = '9' where unit = '1'")
    assert await digest_of(pool) != same
    await rebuild(group(), store, pool)
    assert await digest_of(pool) == same
    quoted = await pool.fetch("select attname from pg_stats where tablename like 'units%' order by 1")
    assert [row[0] for row in quoted] == ["parent", "unit"], "the planner's statistics would quote names"


async def test_readers_see_no_gap_while_events_come_in_and_rebuilds_run(pool: Pool, store: MemoryStore) -> None:
    """Leave out what came in during the rebuild (the fill under the lock in `_switched`) and the readers see a step back."""
    runner = ProjectionRunner(group(), store, pool)
    await runner.start()
    done = asyncio.Event()
    reads = 0

    async def write() -> None:
        n = 0
        while not done.is_set():
            await append(store, *[UnitPlaced(unit=str(n % 50), parent=None, name=str(n)) for n in range(n, n + 5)], stream=f"units-{n}")
            n += 5
            await asyncio.sleep(0.002)

    async def read() -> None:
        nonlocal reads
        while not done.is_set():
            known = runner.position
            [(counted, shown)] = await pool.fetch("select (select sum(events) from unit_counts), (select count(*) from units)")
            assert (counted or 0) >= known + 1
            assert shown == min(50, counted or 0)
            reads += 1

    others = [asyncio.create_task(write()), *(asyncio.create_task(read()) for _ in range(3))]
    for _ in range(8):
        await runner.reached(runner.position + 20, PATIENCE_SECONDS)
        await rebuild(group(), store, pool)
    done.set()
    await asyncio.gather(*others)
    head = await store.head()
    await runner.reached(head.position, PATIENCE_SECONDS)
    assert await pool.fetchval("select sum(events) from unit_counts") == head.position + 1
    assert reads > 20
    assert runner.standing().condition == "following"
    await rebuild(group(), store, pool)
    assert len(await tables(pool)) == 2, "what readers still held before is dropped by the next rebuild"
    await runner.close()


class Crash(Exception):
    """The process ended here."""


class Crashing(asyncpg.Connection):
    """Ends at its n-th statement: the connection is cut and nothing more comes from this process."""

    left = -1

    async def _step(self) -> None:
        if Crashing.left == 0:
            self.terminate()
            raise Crash
        Crashing.left -= 1

    async def execute(self, *args: Any, **kwargs: Any) -> str:
        await self._step()
        return await super().execute(*args, **kwargs)

    async def fetch(self, *args: Any, **kwargs: Any) -> Any:
        await self._step()
        return await super().fetch(*args, **kwargs)

    async def fetchrow(self, *args: Any, **kwargs: Any) -> Any:
        await self._step()
        return await super().fetchrow(*args, **kwargs)

    async def fetchval(self, *args: Any, **kwargs: Any) -> Any:
        await self._step()
        return await super().fetchval(*args, **kwargs)


async def test_a_crash_at_any_step_leaves_the_live_tables_and_no_garbage(
    migrated: str, pool: Pool, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilds, "RANGE_EVENTS", 3)
    await followed(store, pool, await append(store, *CITY))
    shown, live = await units(pool), await digest_of(pool)
    crashes = 0
    while True:
        Crashing.left = crashes
        crashing = await asyncpg.create_pool(migrated, min_size=1, max_size=1, connection_class=Crashing)
        try:
            await rebuild(group(), store, crashing)
            break
        except (Crash, asyncpg.InterfaceError):  # the second where leaving a transaction finds the connection gone
            crashes += 1
        finally:
            crashing.terminate()
        assert await units(pool) == shown
        assert await digest_of(pool) == live
        if crashes % 6 == 0:
            # A start of the program: it finds its views, and what a crash left behind goes.
            await followed(store, pool, (await store.head()).position)
            assert len(await tables(pool)) == 2
    assert crashes > 25
    assert await digest_of(pool) == live
    assert len(await tables(pool)) == 2


async def test_a_raised_version_rebuilds_at_start_and_old_tables_are_seen_until_then(pool: Pool, store: MemoryStore) -> None:
    await followed(store, pool, await append(store, *CITY))
    filling, go = asyncio.Event(), asyncio.Event()

    async def apply(connection: Connection, physical: Tables, batch: Sequence[Happened]) -> None:
        filling.set()
        await go.wait()
        for happened in batch:
            match happened.event:
                case UnitPlaced(unit=unit):
                    await connection.execute(f"insert into {physical['units']} values ($1, 0) on conflict do nothing", unit)

    raised = replace(UNITS, version=2, tables=(Table("units", "unit text primary key, size integer not null"),), apply=apply)
    runner = ProjectionRunner(group(raised), store, pool)
    await runner.start()
    await filling.wait()
    assert await units(pool) == [("1", None, "city"), ("2", "1", "district")]
    assert runner.standing().condition == "starting"
    go.set()
    await runner.reached(4, PATIENCE_SECONDS)
    assert [tuple(row) for row in await pool.fetch("select * from units order by unit")] == [("1", 0), ("2", 0), ("3", 0)]
    with pytest.raises(asyncpg.UndefinedTableError):
        await pool.fetch("select * from unit_counts")
    assert await tables(pool) == ["units_2_2"]
    await runner.close()


async def test_a_projection_added_later_is_whole_before_the_start_returns(pool: Pool, store: MemoryStore) -> None:
    await followed(store, pool, await append(store, *CITY))

    async def apply(connection: Connection, physical: Tables, batch: Sequence[Happened]) -> None:
        await connection.executemany(f"insert into {physical['unit_log']} values ($1)", [(happened.position,) for happened in batch])

    added = replace(UNITS, name="log", tables=(Table("unit_log", "at bigint primary key"),), apply=apply)
    runner = ProjectionRunner(group(UNITS, added), store, pool)
    await runner.start()
    assert await pool.fetchval("select count(*) from unit_log") == 5
    assert await pool.fetchval("select sum(events) from unit_counts") == 5
    await runner.close()

    # And one that is no longer declared goes.
    await followed(store, pool, 4)
    assert len(await tables(pool)) == 2


async def test_a_cursor_of_another_history_means_a_rebuild(pool: Pool, store: MemoryStore) -> None:
    """As where one database of two was restored from a backup."""
    await followed(store, pool, await append(store, *CITY))
    restored = MemoryStore()
    await append(restored, CITY[0], UnitRenamed(unit="1", name="other"))
    runner = ProjectionRunner(group(), restored, pool)
    await runner.start()
    await runner.reached(await append(restored, CITY[1]), PATIENCE_SECONDS)
    assert await units(pool) == [("1", None, "other"), ("2", "1", "county")]
    assert await pool.fetchval("select last from cursors") == 2
    await runner.close()
    await restored.close()


async def test_a_reader_that_holds_the_view_delays_the_switch_but_nobody_else(
    pool: Pool, store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rebuilds, "SWITCH_LOCK_SECONDS", 0.05)
    runner = ProjectionRunner(group(), store, pool)
    await runner.start()
    await runner.reached(await append(store, *CITY), PATIENCE_SECONDS)
    async with pool.acquire() as report:
        transaction = report.transaction()
        await transaction.start()
        await report.fetch("select * from units")
        rebuilding = asyncio.create_task(rebuild(group(), store, pool))
        for n in range(10):
            await runner.reached(await append(store, UnitRenamed(unit="1", name=str(n))), PATIENCE_SECONDS)
            assert await pool.fetchval("select name from units where unit = '1'") == str(n)
        assert not rebuilding.done()
        await transaction.rollback()
    assert (await rebuilding).position == 14
    assert await pool.fetchval("select sum(events) from unit_counts") == 15
    await runner.close()


async def test_two_rebuilds_take_turns(pool: Pool, store: MemoryStore) -> None:
    await followed(store, pool, await append(store, *CITY))
    live = await digest_of(pool)
    await asyncio.gather(*(rebuild(group(), store, pool) for _ in range(4)), ensure_built(group(), store, pool))
    assert await digest_of(pool) == live
    assert len(await tables(pool)) == 2


async def test_a_first_start_needs_no_answer_from_the_source(pool: Pool) -> None:
    class Away(MemoryStore):
        async def head(self) -> Head:
            raise StoreUnavailable

    assert await ensure_built(group(), Away(), pool) == START
    assert await units(pool) == []


def diary(refused: int | None = None) -> ProjectionGroup:
    """Another group of the same history: where each event stands. It fails over one of them."""

    async def apply(connection: Connection, physical: Tables, batch: Sequence[Happened]) -> None:
        assert refused not in [happened.position for happened in batch]
        await connection.executemany(f"insert into {physical['unit_diary']} values ($1)", [(happened.position,) for happened in batch])

    written = replace(UNITS, name="diary", tables=(Table("unit_diary", "at bigint primary key"),), apply=apply)
    return ProjectionGroup("toy-diary", (written,), CATALOGUE)


async def test_groups_rebuilt_together_read_once_what_they_share(pool: Pool, store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each up to its own cursor, which the other may be far ahead of."""
    monkeypatch.setattr(rebuilds, "RANGE_EVENTS", 3)
    monkeypatch.setattr(rebuilds, "SWITCH_EVENTS_MAX", 1)
    await followed(store, pool, await append(store, *CITY), diary())
    await followed(store, pool, await append(store, *CITY, stream="units-more"))
    asked: list[int] = []
    read = store.read

    async def watched(after: int, *, limit: int = 1_000, upto: int | None = None) -> Sequence[Recorded]:
        asked.append(after)
        return await read(after, limit=limit, upto=upto)

    live = await digest_of(pool)
    monkeypatch.setattr(store, "read", watched)
    rebuilt = await rebuild_together([(group(), pool), (diary(), pool)], store)
    assert [one.position for one in rebuilt] == [9, 4]
    assert asked == [-1, 2, 4, 7], "the first five once for both, the others for the one that has come further"
    assert await digest_of(pool) == live
    assert await pool.fetchval("select count(*) from unit_diary") == 5


async def test_a_group_that_cannot_be_filled_leaves_the_other_as_it_was(pool: Pool, store: MemoryStore) -> None:
    position = await append(store, *CITY)
    await followed(store, pool, position)
    await followed(store, pool, position, diary())
    before = await tables(pool)
    with pytest.raises(AssertionError):
        await rebuild_together([(group(), pool), (diary(refused=3), pool)], store)
    assert [row[0] for row in await pool.fetch("select consumer from projection_builds where live")] == ["toy-service", "toy-diary"]
    await followed(store, pool, position)
    await followed(store, pool, position, diary())
    assert await tables(pool) == before, "what was begun is dropped by the next start"
