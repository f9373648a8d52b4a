"""Durable timers on a real PostgreSQL, moved by hand."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from datetime import timedelta
from uuid import UUID

import asyncpg
import pytest
from foundation.clock import ManualClock
from foundation.cursor import Pool
from foundation.decider import Refusal
from foundation.history import Happened
from foundation.ids import command_id
from foundation.projection_runner import ProjectionRunner
from foundation.rebuild import rebuild
from foundation.store.memory import MemoryStore
from foundation.timers import Cancel, Due, Schedule, Timers, timer_projection

from tests.support import PATIENCE_SECONDS

from .toy import NOON, UnitClosed, UnitPlaced, UnitRenamed, append, group


def timing(happened: Happened) -> Iterable[Schedule | Cancel]:
    """A unit placed is examined a day later, renamed two days later; closed: not at all."""
    match happened.event:
        case UnitPlaced(unit=unit):
            yield Schedule(f"examine-{unit}", NOON + timedelta(days=1), "examine", {"unit": unit})
        case UnitRenamed(unit=unit):
            yield Schedule(f"examine-{unit}", NOON + timedelta(days=2), "examine", {"unit": unit})
        case UnitClosed(unit=unit):
            yield Cancel(f"examine-{unit}")


TIMERS = timer_projection("toy", 1, timing)


class UnitUnknown(Refusal):
    """There is no such unit."""


class Commands:
    """What a command handler does with command ids."""

    def __init__(self) -> None:
        self.issued: list[str] = []
        self.accepted: dict[UUID, Due] = {}
        self.error: Exception | None = None
        self._more = asyncio.Event()

    async def until(self, timer: str) -> None:
        """Wait until this one is the last that was issued."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.issued[-1:] != [timer]:
                self._more.clear()
                await self._more.wait()

    async def __call__(self, due: Due) -> None:
        self.issued.append(due.timer)
        self._more.set()
        if self.error is not None:
            raise self.error
        self.accepted.setdefault(due.command_id, due)


@pytest.fixture
async def runner(pool: Pool, store: MemoryStore) -> AsyncIterator[ProjectionRunner]:
    made = ProjectionRunner(group(TIMERS), store, pool)
    await made.start()
    yield made
    await made.close()


async def test_fires_when_due_and_once(pool: Pool, store: MemoryStore, runner: ProjectionRunner) -> None:
    clock, commands = ManualClock(NOON), Commands()
    timers = Timers(pool, clock, commands)
    placed = [UnitPlaced(unit=unit, parent=None, name="") for unit in "123"]
    await runner.reached(await append(store, *placed, UnitRenamed(unit="2", name=""), UnitClosed(unit="3")))
    assert await timers.fire_due() == 0
    clock.advance(timedelta(days=1))
    assert await timers.fire_due() == 1
    assert await timers.fire_due() == 0
    assert commands.accepted == {command_id("timer", "examine-1"): Due("examine-1", NOON + timedelta(days=1), "examine", {"unit": "1"})}
    clock.advance(timedelta(days=9))
    assert await timers.fire_due() == 1
    assert commands.issued == ["examine-1", "examine-2"]

    # Scheduled anew: what has fired does not fire again.
    await runner.reached(await append(store, UnitRenamed(unit="1", name="")))
    assert await timers.fire_due() == 0


async def test_a_rebuild_makes_the_timers_again_and_none_fires_twice(pool: Pool, store: MemoryStore, runner: ProjectionRunner) -> None:
    clock, commands = ManualClock(NOON), Commands()
    timers = Timers(pool, clock, commands)
    await runner.reached(await append(store, *[UnitPlaced(unit=str(n), parent=None, name="") for n in range(5)]))
    before = await pool.fetch("select * from timers order by timer")
    clock.advance(timedelta(days=1))
    assert await timers.fire_due() == 5
    await rebuild(group(TIMERS), store, pool)
    assert await pool.fetch("select * from timers order by timer") == before
    assert await timers.fire_due() == 0

    # Even where it is not known any more what was fired, the command's id makes it a repetition.
    await pool.execute("delete from fired_timers")
    assert await timers.fire_due() == 5
    assert len(commands.issued) == 10
    assert len(commands.accepted) == 5


async def test_a_crash_between_command_and_note_repeats_the_command(pool: Pool, store: MemoryStore, runner: ProjectionRunner) -> None:
    clock, commands = ManualClock(NOON + timedelta(days=1)), Commands()
    await runner.reached(await append(store, UnitPlaced(unit="1", parent=None, name="")))
    await pool.execute("alter table fired_timers rename to away")
    with pytest.raises(asyncpg.UndefinedTableError):
        await Timers(pool, clock, commands).fire_due()
    await pool.execute("alter table away rename to fired_timers")

    async def crashes(due: Due) -> None:
        await commands(due)
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await Timers(pool, clock, crashes).fire_due()
    assert await Timers(pool, clock, commands).fire_due() == 1
    assert commands.issued == ["examine-1", "examine-1"]
    assert len(commands.accepted) == 1


async def test_a_refusal_settles_a_timer_and_a_bug_holds_up_no_other(pool: Pool, store: MemoryStore, runner: ProjectionRunner) -> None:
    clock, commands = ManualClock(NOON + timedelta(days=1)), Commands()
    timers = Timers(pool, clock, commands)
    await runner.reached(await append(store, UnitPlaced(unit="1", parent=None, name="")))
    commands.error = UnitUnknown("no such unit")
    assert await timers.fire_due() == 1
    await runner.reached(await append(store, UnitPlaced(unit="2", parent=None, name="")))
    commands.error = ZeroDivisionError()
    assert await timers.fire_due() == 1
    assert await timers.fire_due() == 0
    assert timers.failed == 1
    outcomes = await pool.fetch("select timer, outcome from fired_timers order by timer")
    assert [tuple(row) for row in outcomes] == [("examine-1", "refused: unit-unknown"), ("examine-2", "failed: ZeroDivisionError")]


async def test_one_process_at_a_time_fires_and_another_takes_over(pool: Pool, store: MemoryStore, runner: ProjectionRunner) -> None:
    clock = ManualClock(NOON + timedelta(days=1))
    first, second = Commands(), Commands()
    leader = Timers(pool, clock, first, poll_seconds=0.01)
    other = Timers(pool, clock, second, poll_seconds=0.01)
    leader.start()
    await runner.reached(await append(store, UnitPlaced(unit="1", parent=None, name="")))
    await first.until("examine-1")
    other.start()
    await runner.reached(await append(store, UnitPlaced(unit="2", parent=None, name="")))
    await first.until("examine-2")
    await leader.close()
    await runner.reached(await append(store, UnitPlaced(unit="3", parent=None, name="")))
    await second.until("examine-3")
    assert "examine-3" not in first.issued
    assert set(second.issued) <= {"examine-2", "examine-3"}, "at most the one under way when the leader stopped comes again"
    await other.close()
