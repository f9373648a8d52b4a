"""Durable timers: what a history says is due becomes a command when its time has come (DESIGN 4).

A timer is derived from events, so its table is a projection and a rebuild makes it again. What was fired is kept apart and outlives
rebuilds; should that be lost too, the command's id, which follows from the timer's, makes the second command a repetition.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeAlias
from uuid import UUID

import orjson
import structlog
from contracts.kernel import Event

from foundation.clock import Clock
from foundation.cursor import Connection, Pool
from foundation.decider import Refusal
from foundation.history import Happened
from foundation.ids import command_id
from foundation.lease import Lease
from foundation.projections import Projection, Table, Tables
from foundation.tasks import end
from foundation.transient import TRANSIENT

log = structlog.get_logger()

BATCH = 100
"""Timers fired, one after the other, before the lease is renewed."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """Fire `command` with `payload` once `due_at` (UTC) has come. The same timer again moves it. It fires once for ever.

    `payload` is plain JSON beside the history: ids only, nothing personal.
    """

    timer: str
    due_at: datetime
    command: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cancel:
    """The timer is not to fire. Also said by the event that its firing led to, which keeps the table short."""

    timer: str


Timing: TypeAlias = Callable[[Happened], Iterable[Schedule | Cancel]]
"""What an event says about timers. Pure."""


@dataclass(frozen=True, slots=True)
class Due:
    """A timer whose time has come."""

    timer: str
    due_at: datetime
    command: str
    payload: dict[str, Any]

    @property
    def command_id(self) -> UUID:
        """The id of the command that it fires."""
        return command_id("timer", self.timer)


class Fire(Protocol):
    """Issues the command of a due timer under `due.command_id`. A Refusal settles the timer; a transient error is tried again."""

    async def __call__(self, due: Due) -> None: ...


def timer_projection(source: str, version: int, timing: Timing, *, events: frozenset[type[Event]] | None = None) -> Projection:
    """The due-table of a service, view `timers`, following its own history. Raise `version` when `timing` changes."""

    async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
        last: dict[str, Schedule | Cancel] = {word.timer: word for happened in batch for word in timing(happened)}
        timers = tables["timers"]
        await connection.execute(f"delete from {timers} where timer = any ($1)", list(last))  # noqa: S608 - a checked name
        scheduled = [word for word in last.values() if isinstance(word, Schedule)]
        await connection.execute(
            f"insert into {timers} (timer, due_at, command, payload)"  # noqa: S608 - a checked name
            " select * from unnest($1::text[], $2::timestamptz[], $3::text[], $4::text[])",
            [word.timer for word in scheduled],
            [word.due_at for word in scheduled],
            [word.command for word in scheduled],
            [orjson.dumps(dict(word.payload), option=orjson.OPT_SORT_KEYS).decode() for word in scheduled],
        )

    table = Table(
        "timers",
        "timer text primary key, due_at timestamptz not null, command text not null, payload text not null",
        indexes=("create index on {table} (due_at)",),
    )
    return Projection("timers", source, version, (table,), apply, events=events)


class Timers:
    """Fires what is due, from one process at a time; two would only repeat each other's commands.

    `failed` counts timers whose command fails for a reason that trying again does not cure: kept in `fired_timers` with outcome
    `failed: …`, and fired again once that row is deleted.
    """

    def __init__(self, pool: Pool, clock: Clock, fire: Fire, *, poll_seconds: float = 1, lease_seconds: float = 10) -> None:
        self._pool, self._clock, self._fire, self._poll_seconds = pool, clock, fire, poll_seconds
        self._lease = Lease(pool, "timers", ttl_seconds=lease_seconds)
        self._task: asyncio.Task[None] | None = None
        self.failed = 0

    def start(self) -> None:
        """Look for due timers in a task of the running loop."""
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop; a timer whose command was under way comes again, under the same id."""
        if self._task is not None:
            await end([self._task])
            self._task = None
            try:
                await self._lease.release()
            except TRANSIENT as error:
                log.info("lease left to run out", error=type(error).__name__)

    async def _run(self) -> None:
        while True:
            try:
                if await self._lease.hold() and await self.fire_due() == BATCH:
                    continue
            except TRANSIENT as error:
                log.warning("timers try again", error=type(error).__name__)
            except Exception as error:
                log.error("timers fail and try again", error=type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def fire_due(self) -> int:
        """Fire the timers that are due now, in order, at most BATCH; how many. Raises transient errors of the table or of a command."""
        rows = await self._pool.fetch(
            "select t.timer, t.due_at, t.command, t.payload from timers t"
            " where t.due_at <= $1 and not exists (select from fired_timers f where f.timer = t.timer)"
            " order by t.due_at, t.timer limit $2",
            *(self._clock.now(), BATCH),
        )
        for row in rows:
            due = Due(row["timer"], row["due_at"].astimezone(UTC), row["command"], orjson.loads(row["payload"]))
            outcome = await self._outcome(due)
            await self._pool.execute(
                "insert into fired_timers (timer, fired_at, outcome) values ($1, $2, $3) on conflict do nothing",
                *(due.timer, self._clock.now(), outcome),
            )
        return len(rows)

    async def _outcome(self, due: Due) -> str:
        try:
            await self._fire(due)
        except Refusal as refusal:
            log.info("timer refused", timer=due.timer, command=due.command, refusal=refusal.TYPE)
            return f"refused: {refusal.TYPE}"
        except TRANSIENT:
            raise
        except Exception as error:
            # One broken timer must not hold up all the others.
            self.failed += 1
            log.error("timer failed", timer=due.timer, command=due.command, error=type(error).__name__)
            return f"failed: {type(error).__name__}"
        return "done"
