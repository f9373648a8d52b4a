"""A history replayed into an empty database stands as the live one does, or nothing is written at all."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from random import Random

import asyncpg
import pytest
from contracts.kernel import Event
from foundation import replay as replays
from foundation.cursor import Connection, Pool
from foundation.digests import Digests, PositionAhead, digests_at
from foundation.merkle import CompactRange
from foundation.projection_runner import ProjectionRunner
from foundation.rebuild import rebuild
from foundation.record import leaf_hash
from foundation.replay import DatabaseNotEmpty, RootDiffers, replay
from foundation.store.memory import MemoryStore

from tests.support import PATIENCE_SECONDS

from .toy import UNITS, UnitClosed, UnitPlaced, UnitRenamed, append, group, tables


@pytest.fixture
async def target(database: str) -> AsyncIterator[Connection]:
    """An empty database to replay into."""
    connection = await asyncpg.connect(database)
    yield connection
    await connection.close()


def history(length: int) -> list[Event]:
    """Units that come, are renamed and go, the same every time."""
    chance = Random(length)
    kinds = (
        lambda unit: UnitPlaced(unit=unit, parent=None, name="new"),
        lambda unit: UnitRenamed(unit=unit, name="renamed"),
        lambda unit: UnitClosed(unit=unit),
    )
    return [chance.choice(kinds)(str(chance.randrange(20))) for _ in range(length)]


async def followed(store: MemoryStore, pool: Pool, events: Sequence[Event]) -> list[bytes]:
    """Record the events, have the live tables follow, and return the records."""
    position = await append(store, *events)
    runner = ProjectionRunner(group(), store, pool)
    await runner.start()
    await runner.reached(position, PATIENCE_SECONDS)
    await runner.close()
    return [one.record for one in await store.read(-1, limit=10_000)]


def root_of(records: Sequence[bytes]) -> bytes:
    tree = CompactRange()
    tree.extend(leaf_hash(record) for record in records)
    return tree.root()


async def nothing(target: Connection) -> bool:
    """Whether the target is as empty as before."""
    schemas = await target.fetchval(
        "select count(*) from pg_namespace where nspname not like 'pg\\_%' and nspname not in ('public', 'information_schema')"
    )
    return int(schemas) == 0 and not await target.fetchval("select exists (select from pg_tables where schemaname = 'public')")


async def test_replayed_and_live_have_one_digest(
    pool: Pool, store: MemoryStore, target: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replays, "RANGE_EVENTS", 7)
    records = await followed(store, pool, history(60))
    told: list[tuple[int, int]] = []
    groups = {"toy": group(), "other": group(replace(UNITS, version=3))}
    done = await replay(target, groups, records, size=60, root=root_of(records), report=lambda *at: told.append(at))
    live = await digests_at(group(), store, pool, None)
    assert (live.live, live.position) == (True, 59)
    assert [(one.service, one.version, one.digest) for one in done.projections] == [
        ("toy", 1, live.projections[0].digest),
        ("other", 3, live.projections[0].digest),
    ]
    assert told[-1] == (60, 60)
    assert await target.fetchval("select count(*) from toy.units") == await pool.fetchval("select count(*) from units")


@pytest.mark.parametrize("size", [0, 1, 33])
async def test_as_of_an_earlier_size_the_node_makes_the_same_tables_beside(
    size: int, pool: Pool, store: MemoryStore, target: Connection
) -> None:
    records = await followed(store, pool, history(60))
    before = await tables(pool)
    done = await replay(target, {"toy": group()}, records, size=60, root=root_of(records), upto=size)
    assert (done.size, done.root) == (size, root_of(records[:size]))
    found = await digests_at(group(), store, pool, size - 1)
    assert found == Digests("toy", size - 1, live=False, projections=found.projections)
    assert [one.digest for one in found.projections] == [one.digest for one in done.projections]
    assert await tables(pool) == before, "what was made beside is gone"


async def test_live_digests_are_those_of_one_build_while_rebuilds_switch(pool: Pool, store: MemoryStore) -> None:
    await followed(store, pool, history(60))
    same = await digests_at(group(), store, pool, None)
    for _ in range(5):
        await rebuild(group(), store, pool)
        assert await digests_at(group(), store, pool, 59) == same


async def test_a_position_that_is_yet_to_come_is_refused(pool: Pool, store: MemoryStore) -> None:
    await followed(store, pool, history(10))
    with pytest.raises(PositionAhead, match="up to position 9, not up to 10"):
        await digests_at(group(), store, pool, 10)


@pytest.mark.parametrize("damage", ["changed", "removed", "swapped", "inserted"])
async def test_records_of_another_root_leave_the_database_empty(damage: str, pool: Pool, store: MemoryStore, target: Connection) -> None:
    records = await followed(store, pool, history(60))
    root = root_of(records)
    match damage:
        case "changed":
            records[59] = records[59].replace(b'"actor":"a"', b'"actor":"b"')
        case "removed":
            del records[30]
        case "swapped":
            records[3], records[4] = records[4], records[3]
        case "inserted":
            records.insert(9, records[8])
    with pytest.raises(RootDiffers):
        await replay(target, {"toy": group()}, records, size=60, root=root)
    assert await nothing(target)


@pytest.mark.parametrize(
    "statement", ["create table kept (a int)", "create schema kept", "create view kept as select 1", "create sequence kept"]
)
async def test_a_database_that_holds_something_is_left_alone(statement: str, target: Connection) -> None:
    await target.execute(statement)
    with pytest.raises(DatabaseNotEmpty, match="kept"):
        await replay(target, {"toy": group()}, [], size=0, root=root_of([]))
