"""What is asked again and again costs what there is to do, and not what has ever been: questions to tables with years of payments."""

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import Any, cast

import asyncpg
import orjson
import pytest
from assistance.batches.sending import UNCOMPARED, WAITING
from assistance.batches.standing import BATCHES
from assistance.ledger.ledger import LINES, USES
from assistance.payments.standing import INSTRUCTIONS, PAYMENTS, due
from assistance.reconciliation.comparing import by_events, by_ledger
from assistance.reconciliation.exceptions import unsettled
from foundation.cursor import Pool

PAID, BATCH_SIZE, DUE = 60_000, 200, 300
TODAY = date(2026, 11, 30)
BLOCKS_MAX = 1_000
"""Blocks of 8 kB that a question may touch: those of a day's 200 payments, each found in an index. The tables have thousands."""

YEARS = f"""
insert into ledger_lines (line, organisation, year, source, purpose, earmarked)
    select 'line' || n, 'ours', 2000 + n, 'superior', 'aid', false from generate_series(1, 30) n;
insert into payments (entitlement, application, organisation, person, payee, line, fen, programme, stage)
    select md5(n::text), md5(n::text), 'village', md5(n::text), md5(n::text), 'line' || (n % 30 + 1), 100000, 'warmth',
        case when n > {PAID} then 'due' else 'paid' end
    from generate_series(1, {PAID + DUE}) n;
insert into batches (batch, organisation, account, channel, execute_on, stage, count, total_fen, opened_by, by_hand, position)
    select 'batch' || n, 'ours', 'account' || (n % 3), 'iso20022', date '{TODAY}', 'accepted', 1, 1, 'x', false, n
    from generate_series(0, {PAID // BATCH_SIZE}) n;
insert into payment_instructions (instruction, entitlement, application, line, reservation, batch, fen, outcome, booked_on)
    select md5('i' || n), md5(n::text), md5(n::text), 'line1', 'r', 'batch' || (n / {BATCH_SIZE}), 100000,
        case when n = {PAID} then 'under way' else 'paid' end, date '{TODAY}' - ({PAID // BATCH_SIZE} - n / {BATCH_SIZE})
    from generate_series(1, {PAID}) n;
insert into ledger_uses (position, line, lot, fen, entitlement, reservation, kind, instruction, booked_on, moved_on)
    select n, 'line1', 1, 100000, i.entitlement, 'r', 'paid', i.instruction, i.booked_on, i.booked_on
    from (select row_number() over () n, * from payment_instructions) i;
insert into payment_exceptions (exception, organisation, rule, place, found_at, settled_at)
    select md5(n::text), 'ours', 'other', 0, now(), case when n > 5 then now() end from generate_series(1, {PAID // 2}) n;
insert into compared_days select 'account' || n, date '{TODAY}' - m from generate_series(0, 1) n, generate_series(0, 999) m;
"""


class Explained:
    """A pool that counts the blocks which its last question touched."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool
        self.blocks = 0

    async def fetch(self, query: str, *values: Any) -> list[Any]:
        """As a pool's."""
        told = orjson.loads(await self._pool.fetchval(f"explain (analyze, buffers, format json) {query}", *values))
        self.blocks = told[0]["Plan"]["Shared Hit Blocks"] + told[0]["Plan"]["Shared Read Blocks"]
        return list(await self._pool.fetch(query, *values))

    async def fetchval(self, query: str, *values: Any) -> Any:
        """As a pool's."""
        return (await self.fetch(query, *values))[0][0]


@pytest.fixture
async def years(database: str) -> AsyncIterator[Explained]:
    """The read models after years."""
    async with asyncpg.create_pool(database, min_size=1, max_size=1) as pool:
        for migration in sorted(one.name for one in files("assistance").joinpath("migrations").iterdir() if one.name.endswith(".sql")):
            await pool.execute(files("assistance").joinpath("migrations", migration).read_text("utf-8"))
        for table in (LINES, PAYMENTS, INSTRUCTIONS, BATCHES, USES):
            await pool.execute(f"create table {table.name} ({table.columns})")
            for index in table.indexes:
                await pool.execute(index.format(table=table.name))
        await pool.execute(YEARS)
        await pool.execute("vacuum analyze")
        yield Explained(pool)


async def test_nothing_grows_with_what_has_ever_been(years: Explained) -> None:
    pool, now = cast(Pool, years), datetime(2026, 12, 1, tzinfo=UTC)
    asked: dict[str, int] = {}

    def noted(what: str) -> None:
        asked[what] = years.blocks

    first = await due(pool, "ours", limit=BATCH_SIZE)
    noted("due")
    rest = await due(pool, "ours", after=first[-1].entitlement, limit=BATCH_SIZE)
    assert len({one.entitlement for one in (*first, *rest)}) == len(first) + len(rest) == DUE
    assert [row["batch"] for row in await years.fetch(WAITING, now, True)] == [f"batch{PAID // BATCH_SIZE}"]
    noted("waiting")
    assert [row["account"] for row in await years.fetch(UNCOMPARED, TODAY, now)] == ["account2"]
    noted("uncompared")
    yesterday, account = date(2026, 11, 29), f"account{(PAID // BATCH_SIZE - 1) % 3}"
    assert await by_events(pool, account, yesterday) == BATCH_SIZE * 100_000
    noted("by events")
    assert await by_ledger(pool, account, yesterday) == BATCH_SIZE * 100_000
    noted("by ledger")
    assert len(await unsettled(pool, "ours", after="", limit=50)) == 5
    noted("unsettled")
    assert {what: blocks for what, blocks in asked.items() if blocks > BLOCKS_MAX} == {}, asked
