"""Tables that follow from others of their projection: a rebuild fills them after the load, and an erasure meanwhile finds every row."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace

import pytest
from contracts.kernel import Event
from foundation import rebuild as rebuilds
from foundation.cursor import Connection, Pool
from foundation.digest import digest
from foundation.digests import digests_at
from foundation.history import Happened
from foundation.projection_runner import ProjectionRunner
from foundation.projections import Table, Tables
from foundation.rebuild import rebuild
from foundation.store.memory import MemoryStore

from .toy import UNITS, UnitPlaced, UnitRenamed, append, group

LETTERS = "insert into {letters} (letter, unit) select distinct l, s.unit from {spelled} s, string_to_table(s.name, null) l"


async def apply_spelled(connection: Connection, physical: Tables, batch: Sequence[Happened]) -> None:
    named = {happened.event.__dict__["unit"]: happened.event.__dict__["name"] for happened in batch if "name" in happened.event.__dict__}
    await connection.execute(
        f"insert into {physical['spelled']} select * from unnest($1::text[], $2::text[])"
        " on conflict (unit) do update set name = excluded.name",
        *(list(named), list(named.values())),
    )
    if letters := physical.get("letters"):
        await connection.execute(f"delete from {letters} where unit = any ($1)", list(named))
        await connection.execute(LETTERS.format_map(physical) + " where s.unit = any ($1)", list(named))


SPELLED = replace(
    UNITS,
    name="spelled",
    tables=(
        Table("spelled", "unit text primary key, name text not null"),
        Table(
            "letters",
            "letter text not null, unit text not null",
            indexes=("alter table {table} add primary key (letter, unit)",),
            derived=LETTERS,
        ),
    ),
    apply=apply_spelled,
)

TOLD: list[Event] = [
    UnitPlaced(unit="1", parent=None, name="city"),
    UnitPlaced(unit="2", parent="1", name="county"),
    UnitRenamed(unit="2", name="district"),
    UnitPlaced(unit="3", parent="2", name="street"),
]


async def letters(pool: Pool) -> set[tuple[str, str]]:
    rows = [tuple(row) for row in await pool.fetch("select letter, unit from letters")]
    assert len(set(rows)) == len(rows)
    return set(rows)


def of(**named: str) -> set[tuple[str, str]]:
    return {(letter, unit.removeprefix("_")) for unit, name in named.items() for letter in name}


async def test_a_rebuild_derives_what_events_wrote_live(pool: Pool, store: MemoryStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rebuilds, "RANGE_EVENTS", 2)
    runner = ProjectionRunner(group(SPELLED), store, pool)
    await runner.start()
    for event in TOLD:
        await runner.reached(await append(store, event), 10)
    expected = of(_1="city", _2="district", _3="street")
    assert await letters(pool) == expected
    async with pool.acquire() as connection:
        live = await digest(connection, SPELLED)
    index = rebuilds._Rebuild._index

    async def meanwhile(run: rebuilds._Rebuild) -> None:
        """What happens after the table was derived is applied to it as well."""
        await runner.reached(await append(store, UnitRenamed(unit="1", name="town")), 10)
        await index(run)

    assert (await rebuild(group(SPELLED), store, pool)).position == 3
    assert await letters(pool) == expected
    async with pool.acquire() as connection:
        assert await digest(connection, SPELLED) == live
    monkeypatch.setattr(rebuilds._Rebuild, "_index", meanwhile)
    assert (await rebuild(group(SPELLED), store, pool)).position == 4
    assert await letters(pool) == of(_1="town", _2="district", _3="street")
    made = await pool.fetchval("select count(*) from pg_indexes where tablename like 'letters_1_%'")
    assert made == 1
    earlier = await digests_at(group(SPELLED), store, pool, 3)
    assert [one.digest for one in earlier.projections] == [live]
    await runner.close()


@pytest.mark.parametrize("first", ["spelled", "letters"])
async def test_an_erasure_while_a_table_is_derived_leaves_nothing_behind(
    pool: Pool, store: MemoryStore, monkeypatch: pytest.MonkeyPatch, first: str
) -> None:
    """Without the lock, one that looked into the empty table first would leave the rows that were made of what it deletes next."""
    runner = ProjectionRunner(group(SPELLED), store, pool)
    await runner.start()
    await runner.reached(await append(store, *TOLD), 10)
    await runner.close()
    begun, derived = asyncio.Event(), asyncio.Event()
    derive = rebuilds._Rebuild.derive

    async def watched(run: rebuilds._Rebuild) -> None:
        begun.set()
        await erased_from(run.tables["spelled"][first])
        await derive(run)
        derived.set()

    async with pool.acquire() as eraser:
        transaction = eraser.transaction()
        await transaction.start()
        built: list[str] = []

        async def erased_from(table: str) -> None:
            built.append(table)
            await eraser.execute(f"delete from {table} where unit = '1'")

        monkeypatch.setattr(rebuilds._Rebuild, "derive", watched)
        rebuilding = asyncio.create_task(rebuild(group(SPELLED), store, pool))
        await begun.wait()
        if first == "letters":
            await _until_somebody_waits(pool)
        else:
            await derived.wait()
        assert derived.is_set() == (first == "spelled")
        other = {"spelled": "letters", "letters": "spelled"}[first]
        await erased_from(built[0].replace(first, other))
        await transaction.commit()
        await rebuilding
    assert await letters(pool) == of(_2="district", _3="street")


async def _until_somebody_waits(pool: Pool) -> None:
    waiting = (
        "select exists (select from pg_locks where not granted and locktype = 'relation'"
        " and database = (select oid from pg_database where datname = current_database()))"
    )
    async with asyncio.timeout(30):
        while not await pool.fetchval(waiting):  # noqa: ASYNC110 - the server has no event to wait for
            await asyncio.sleep(0.01)
