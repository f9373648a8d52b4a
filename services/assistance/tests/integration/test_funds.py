"""Budget lines on a real PostgreSQL: handlers that race for the last fen, and books that are the same live and rebuilt."""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from itertools import repeat

import asyncpg
import pytest
from assistance.funds import commands, errors
from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.funds.closing import CLOSE_LINE, RETURN_LATE
from assistance.funds.line import Open
from assistance.funds.moves import APPROVE, BUDGET_MOVE
from assistance.ledger import lineage
from assistance.ledger.chart import chart
from assistance.ledger.ledger import LEDGER
from contracts import assistance as events
from contracts.assistance.funds import Allotment, Appropriation, Move
from contracts.kernel import Catalogue
from foundation.clock import ManualClock
from foundation.commands import Actor
from foundation.cursor import Pool
from foundation.decider import NOON
from foundation.digest import digest
from foundation.handler import Handler
from foundation.history import Happened, all_happened
from foundation.store.postgres import PostgresStore
from foundation.store.writer import GroupCommit
from foundation.vault.memory import MemoryVault
from foundation.vault.sealer import Sealer

CITY, COUNTY = "3709", "370902"
LINE, BELOW, NEXT = line_id(CITY, 2026, "superior", "aid"), line_id(COUNTY, 2026, "superior", "aid"), line_id(CITY, 2027, "superior", "aid")
PAPER = "d" * 64
BY = Actor("7" * 32, CITY, "0" * 32)
CATALOGUE = Catalogue.of(events)
APRIL, FEBRUARY = NOON + timedelta(days=30), datetime(2027, 2, 1, tzinfo=UTC)


@asynccontextmanager
async def process(dsn: str, clock: ManualClock) -> AsyncIterator[tuple[Handler, PostgresStore]]:
    """What one process of the service decides and writes with, on connections of its own."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=4) as pool:
        store = PostgresStore(pool)
        await store.start()
        writer = GroupCommit(store)
        await writer.start()
        yield (
            Handler(
                store=store, writer=writer, sealer=Sealer(MemoryVault()), catalogue=CATALOGUE, clock=clock, source="/nodes/3709/assistance"
            ),
            store,
        )
        await writer.close()
        await store.close()


async def move(handler: Handler, proposal: str, what: Move, above: tuple[str, ...] = ()) -> None:
    await handler.handle(BUDGET_MOVE, proposal, commands.Propose(proposal, what, "7" * 32, above), by=BY)
    await handler.handle_joint(APPROVE, commands.Approve(proposal, what, "8" * 32, above), by=BY)


def granted(fen: int) -> Appropriation:
    return Appropriation(organisation=CITY, year=2026, source="superior", purpose="aid", earmarked=False, fen=fen, document=PAPER)


def allotted(fen: int) -> Allotment:
    return Allotment(organisation=CITY, year=2026, source="superior", purpose="aid", to_organisation=COUNTY, fen=fen, document=PAPER)


async def test_two_processes_never_spend_the_same_fen(migrated: str) -> None:
    """Ninety-nine yuan, 60 reservations of three yuan from two processes at once: 33 get it, 27 are told how little is left."""
    clock = ManualClock(NOON)
    async with process(migrated, clock) as (one, store), process(migrated, clock) as (other, _):
        await move(one, "1" * 32, granted(9_900))
        left: list[int] = []

        async def reserve(number: int) -> bool:
            command = commands.Reserve(LINE, f"{number:032x}", "aid", ((f"{number:032x}", 300),))
            try:
                await (one, other)[number % 2].handle(BUDGET_LINE, LINE, command, by=BY)
            except errors.LineExhausted as refusal:
                left.append(refusal.members["available_fen"])
                return False
            return True

        won = await asyncio.gather(*map(reserve, range(60)))
        assert max(left) < 300
        line, _ = await other.state(BUDGET_LINE, LINE)
        assert isinstance(line, Open)
        assert (sum(won), line.available_fen, line.reserved_fen) == (33, 0, 9_900)
        stored = all_happened(await store.read_stream(f"budgetline-{LINE}"), CATALOGUE)
        assert sum(type(one.event) is events.FundsReserved for one in stored) == 33


async def test_the_last_fen_goes_to_one_of_two_levels(migrated: str) -> None:
    """The county's allotment and the city's own decision ask for the same money."""
    clock = ManualClock(NOON)
    async with process(migrated, clock) as (one, _), process(migrated, clock) as (other, _):
        await move(one, "1" * 32, granted(1_000))
        asked = await asyncio.gather(
            move(one, "2" * 32, allotted(600), (CITY,)),
            other.handle(BUDGET_LINE, LINE, commands.Reserve(LINE, "3" * 32, "aid", (("a" * 32, 600),)), by=BY),
            return_exceptions=True,
        )
        assert [type(answer) for answer in asked if isinstance(answer, BaseException)] == [errors.LineExhausted]
        line, _ = await one.state(BUDGET_LINE, LINE)
        assert isinstance(line, Open)
        assert line.available_fen == 400


async def told(handler: Handler, clock: ManualClock) -> None:
    """A year with everything in it: two appropriations, an allotment, payments at both levels, returns, closing, a late return."""
    await move(handler, "1" * 32, granted(1_000))
    await move(handler, "2" * 32, granted(500))
    await move(handler, "3" * 32, allotted(1_200), (CITY,))

    async def tell(line: str, command: commands.Command) -> None:
        await handler.handle(BUDGET_LINE, line, command, by=BY)

    await tell(BELOW, commands.Reserve(BELOW, "4" * 32, "aid", (("a" * 32, 1_100), ("b" * 32, 50))))
    await tell(BELOW, commands.Post(BELOW, "4" * 32, (("a" * 32, "5" * 32),)))
    await tell(BELOW, commands.Void(BELOW, "4" * 32, ("b" * 32,)))
    await tell(LINE, commands.Reserve(LINE, "6" * 32, "aid", (("c" * 32, 100), ("d" * 32, 80))))
    await tell(LINE, commands.Post(LINE, "6" * 32, (("c" * 32, "7" * 32), ("d" * 32, "8" * 32))))
    await tell(LINE, commands.Return(LINE, "6" * 32, "c" * 32, "9" * 32, 40))
    await tell(LINE, commands.ClosePeriod(LINE, NOON.date()))
    clock.advance(FEBRUARY - NOON)
    await handler.handle_joint(CLOSE_LINE, commands.CloseLine(LINE, NEXT, "aid", into_earmarked=False), by=BY)
    await handler.handle_joint(RETURN_LATE, commands.ReturnLate(LINE, "6" * 32, "d" * 32, "e" * 32, NEXT), by=BY)


async def booked(pool: Pool, batch: Sequence[Happened], cuts: Iterator[int]) -> None:
    """The whole history into empty tables, cut somehow."""
    tables = {table.name: table.name for table in LEDGER.tables}
    for table in LEDGER.tables:
        await pool.execute(f"drop table if exists {table.name}")
        await pool.execute(f"create table {table.name} ({table.columns})")
    left = [one for one in batch if LEDGER.events is not None and type(one.event) in LEDGER.events]
    async with pool.acquire() as connection:
        while left:
            cut = next(cuts)
            await LEDGER.apply(connection, tables, left[:cut])
            left = left[cut:]


@pytest.fixture
async def books(migrated: str) -> AsyncIterator[tuple[Pool, Sequence[Happened]]]:
    clock = ManualClock(NOON)
    async with process(migrated, clock) as (handler, store), asyncpg.create_pool(migrated, min_size=1, max_size=2) as pool:
        await told(handler, clock)
        happened = all_happened(await store.read(-1, limit=1_000), CATALOGUE)
        await booked(pool, happened, repeat(1))
        yield pool, happened


async def test_the_books_are_the_same_however_the_history_is_cut(books: tuple[Pool, Sequence[Happened]]) -> None:
    pool, happened = books

    async def read() -> str:
        async with pool.acquire() as connection:
            return await digest(connection, LEDGER)

    one_by_one = await read()
    for seed in range(4):
        chance = random.Random(seed)
        await booked(pool, happened, (chance.randint(1, 7) for _ in happened))
        assert await read() == one_by_one
    await booked(pool, happened, repeat(1_000))
    assert await read() == one_by_one


async def test_the_books_say_what_the_lines_say(books: tuple[Pool, Sequence[Happened]]) -> None:
    pool, _ = books
    city, county, later = [await lineage.line(pool, line) for line in (LINE, BELOW, NEXT)]
    assert city is not None
    assert county is not None
    assert later is not None
    assert (city.appropriated, city.allotted, city.paid, city.carried_over, city.available) == (1_500, 1_200, 140, -160, 0)
    assert (city.into_line, city.closed_through) == (NEXT, NOON.date())
    assert (county.received, county.paid, county.reserved, county.available) == (1_200, 1_100, 0, 100)
    assert (later.carried_over, later.returned_late, later.available) == (160, 80, 240)
    for line in (city, county, later):
        came = line.appropriated + line.received + line.carried_over + line.adjusted + line.returned_late
        assert came == line.available + line.allotted + line.reserved + line.paid
        booked = await lineage.entries(pool, line.line, after=-1, limit=200)
        assert sum(one.debit for one in booked) == sum(one.credit for one in booked)


async def test_vouchers_are_numbered_without_gaps(books: tuple[Pool, Sequence[Happened]]) -> None:
    pool, _ = books
    found = await lineage.vouchers(pool, CITY, 2026, after=0, limit=100)
    assert [one.number for one in found] == list(range(1, len(found) + 1))
    assert [one.event for one in found] == [
        *("FundsAppropriated", "FundsAppropriated", "FundsAllotted", "ReservationPosted", "FundsReturned", "LineClosed")
    ]
    assert [one.number for one in await lineage.vouchers(pool, CITY, 2027, after=0, limit=100)] == [1, 2]
    assert [one.number for one in await lineage.vouchers(pool, CITY, 2026, after=2, limit=2)] == [3, 4]
    assert chart().entry("FundsAllotted", "superior", APRIL.date()) is not None
    assert chart().entry("LineClosed", "superior", APRIL.date()) is None


async def test_a_payment_leads_back_to_its_appropriations(books: tuple[Pool, Sequence[Happened]]) -> None:
    pool, _ = books
    uses = await lineage.uses_of(pool, "a" * 32)
    assert [(use.kind, use.lot, use.fen) for use in uses] == [
        ("reserved", 1, 1_000),
        ("reserved", 2, 100),
        ("paid", 1, 1_000),
        ("paid", 2, 100),
    ]
    way = await lineage.origins(pool, [(use.line, use.lot) for use in uses])
    assert [(one.organisation, one.kind, one.document) for one in way] == [
        *[(COUNTY, "allotment", None)] * 2,
        *[(CITY, "appropriation", PAPER)] * 2,
    ]
    late = [use for use in await lineage.uses_of(pool, "d" * 32) if use.kind == "returned-late"]
    assert [(use.fen, use.into_line, use.reversal) for use in late] == [(80, NEXT, "e" * 32)]


async def test_an_appropriation_leads_down_to_payments_and_returns(books: tuple[Pool, Sequence[Happened]]) -> None:
    pool, _ = books
    spread = await lineage.spread(pool, "2" * 32)
    assert spread[0].kind == "appropriation"
    assert {(one.organisation, one.year, one.kind) for one in spread[1:]} == {
        (COUNTY, 2026, "allotment"),
        (CITY, 2027, "carry-over"),
        (CITY, 2027, "late-return"),
    }
    uses = await lineage.uses_below(pool, "2" * 32, limit=100)
    assert {(use.entitlement[0], use.kind) for use in uses} == {
        *[("a", "reserved"), ("a", "paid"), ("b", "reserved"), ("b", "voided")],
        *[("c", "reserved"), ("c", "paid"), ("c", "returned"), ("d", "reserved"), ("d", "paid"), ("d", "returned-late")],
    }
    assert await lineage.uses_below(pool, "f" * 32, limit=1) == []
