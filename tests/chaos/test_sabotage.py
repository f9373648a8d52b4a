"""The suite is worth something: without the lock, the unique index, the continuity check, the reconcile or the guard, it fails."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import asyncpg
import pytest

from .checks import violations
from .conftest import Counts
from .load import Load
from .machine import COPY, SERVICES, Machine, running
from .nemesis import Tee
from .test_lost_tail import lose_the_tail
from .test_old_backup import refused, rolled_back

# A Kafka client whose broker was killed may hang in its stop and is left behind (foundation.broker.kafka); it ends after its loop.
pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600), pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")]

SHORT_SECONDS = 10

Sabotage = Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[None]]


async def test_without_the_lock(machine: Machine, counts: Counts) -> None:
    found = await two_writers(machine, counts, unlock)
    assert any("500" in violation for violation in found), "two writers take the same position, and callers are told of it"


async def test_without_versions_being_checked_the_unique_index_still_holds(machine: Machine, counts: Counts) -> None:
    found = await two_writers(machine, counts, uncheck_versions)
    assert any("500" in violation for violation in found)
    assert not any("goes from version" in violation for violation in found)


async def test_without_the_unique_index_either(machine: Machine, counts: Counts) -> None:
    found = await two_writers(machine, counts, uncheck_versions, drop_unique_index, halts=True)
    assert any("goes from version" in violation for violation in found), "one version of a stream is given twice"


async def test_without_the_continuity_check(machine: Machine, counts: Counts) -> None:
    async with running(machine, without={"assistance": "continuity"}) as node:
        load, tee = Load(node, 1), Tee(node)
        doubling = asyncio.create_task(tee.run())
        try:
            await load.settle()
            load.start()
            await load.answers(200)
            await load.stop()
            found = await violations(load, seconds_max=SHORT_SECONDS)
        finally:
            doubling.cancel()
            with suppress(asyncio.CancelledError):
                await doubling
            await load.close()
    counts.say(violations=found)
    assert any("applied" in violation for violation in found)


async def test_without_reconcile(machine: Machine, counts: Counts) -> None:
    async with running(machine, without={"assistance": "reconcile"}) as node:
        load = Load(node, 1)
        try:
            found = await lose_the_tail(load, counts, seconds_max=SHORT_SECONDS)
        finally:
            await load.close()
    counts.say(violations=found)
    assert any("never applied" in violation for violation in found)


async def test_without_the_guard(machine: Machine, counts: Counts) -> None:
    async with rolled_back(machine, without="guard") as (load, _):
        with pytest.raises(AssertionError) as refusal:
            await refused(load)
    counts.say(violation=str(refusal.value).split("\n", 1)[0])


# ------------------------------------------------------------------------------------------------------------ sabotage


async def two_writers(machine: Machine, counts: Counts, *sabotages: Sabotage, halts: bool = False) -> list[str]:
    """What is wrong after two processes have written to one history whose database was changed so; `halts`: views stop at what they find
    there, and with them the answers to whoever needs them."""
    async with running(machine, *SERVICES, "membership" + COPY) as node:
        load = Load(node, 1)
        try:
            await load.settle()
            superuser = await asyncpg.connect(node.dsn("membership"))
            for sabotage in sabotages:
                await sabotage(superuser)
            await superuser.close()
            load.start()
            if halts:
                await load.more(300)
                await load.dismiss()
            else:
                await load.answers(200)
                await load.stop()
            found = await violations(load, seconds_max=SHORT_SECONDS)
        finally:
            await load.close()
    counts.say(violations=found)
    return found


async def unlock(database: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Everybody gets the lock."""
    await database.execute("create or replace function lock_history() returns void language sql as 'select null::void'")


VERSION_CHECKS = (
    ("append_v1", "where a.expected <> case", "where false and a.expected <> case"),
    ("append_v1", "stands[s] <> s_expected[s]", "false"),
    ("append_one_v1", "and expected = coalesce(", "and 0 <= coalesce("),
)


async def uncheck_versions(database: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Every version that a request expects is right to the functions that append."""
    for function, check, nothing in VERSION_CHECKS:
        definition = await database.fetchval("select pg_get_functiondef($1::text::regproc)", function)
        assert definition.count(check) == 1, f"{function} does not check versions by {check!r}: the sabotage has to follow it"
        await database.execute(definition.replace(check, nothing))


async def drop_unique_index(database: "asyncpg.Connection[asyncpg.Record]") -> None:
    """One version of a stream can be stored twice."""
    await database.execute("alter table events drop constraint events_stream_version_key")
    await database.execute("create index on events (stream, version)")
