"""Streams whose reactions fail for a reason that trying again does not cure: set aside, so that all others go on (DESIGN 6).

A parked key's later events queue behind it in order. The row in `parked_keys` is the lock: the consumer holds it while it queues, a
replay while it works the queue off, so nothing overtakes. What is kept has no content, only positions; a replay reads the source again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog
from contracts.kernel import Catalogue

from foundation.clock import Clock
from foundation.cursor import Connection, Pool
from foundation.history import Happened, Reading
from foundation.store.port import Reader, StoreUnavailable

log = structlog.get_logger()

IDLE_IN_TRANSACTION_SECONDS = 60
"""A paused replay loses its lock after this long."""


class Failed(Exception):
    """An event's reactions fail, and trying again does not help. `error` is the class of the failure: its text may hold anything."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error


@dataclass(frozen=True, slots=True)
class Refused:
    """A command of a reaction that a rule refused: final."""

    position: int
    event: str
    reaction: str
    target: str
    refusal: str


@dataclass(frozen=True, slots=True)
class ParkedKey:
    """One parked stream: since when, the class of the failure, and how many events wait, the first at which position."""

    key: str
    error: str
    parked_at: datetime
    events: int
    first_position: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What a replay did; `error` is the class of what stopped it, None where the key is free again."""

    done: int
    left: int
    error: str | None


class Queue:
    """What one consumer of one source has set aside. Every method works inside the caller's transaction."""

    def __init__(self, consumer: str, source: str, clock: Clock) -> None:
        self.consumer, self.source = consumer, source
        self._whose = (consumer, source)
        self._clock = clock

    async def lock(self, connection: Connection, keys: Sequence[str]) -> set[str]:
        """Which of the keys are parked; they stay locked until the transaction ends."""
        rows = await connection.fetch(
            "select key from parked_keys where consumer = $1 and source = $2 and key = any($3::text[]) order by key for update",
            *(*self._whose, keys),
        )
        return {row["key"] for row in rows}

    async def park(self, connection: Connection, key: str, error: str) -> None:
        """Set a key aside, or say anew why it is."""
        await connection.execute(
            "insert into parked_keys (consumer, source, key, error, parked_at) values ($1, $2, $3, $4, $5)"
            " on conflict (consumer, source, key) do update set error = excluded.error",
            *(*self._whose, key, error, self._clock.now()),
        )

    async def add(self, connection: Connection, events: Sequence[Happened]) -> None:
        """Let events wait behind their parked keys."""
        await connection.executemany(
            "insert into parked_events (consumer, source, key, position, event) values ($1, $2, $3, $4, $5)",
            [(*self._whose, one.envelope.stream, one.position, one.envelope.id) for one in events],
        )

    async def refuse(self, connection: Connection, refused: Sequence[Refused]) -> None:
        """Record refusals; one that is recorded already stays as it is."""
        await connection.executemany(
            "insert into refused_reactions (consumer, source, position, reaction, target, event, refusal, at)"
            " values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict do nothing",
            [(*self._whose, one.position, one.reaction, one.target, one.event, one.refusal, self._clock.now()) for one in refused],
        )

    async def next(self, connection: Connection, key: str) -> tuple[int, str, int] | None:
        """The first waiting event of a key: position, id, and how many wait. None where none does, and then the key is free."""
        row = await connection.fetchrow(
            "select position, event::text as event, count(*) over () as waiting from parked_events"
            " where consumer = $1 and source = $2 and key = $3 order by position limit 1",
            *(*self._whose, key),
        )
        if row is not None:
            return row["position"], row["event"], row["waiting"]
        await connection.execute("delete from parked_keys where consumer = $1 and source = $2 and key = $3", *self._whose, key)
        return None

    async def remove(self, connection: Connection, key: str, position: int) -> None:
        """An event of a key is done."""
        await connection.execute(
            "delete from parked_events where consumer = $1 and source = $2 and key = $3 and position = $4", *self._whose, key, position
        )


class Parked:
    """An operator's view of a queue. `work` does one event's reactions: it raises Failed, or what passes by itself."""

    def __init__(
        self,
        queue: Queue,
        pool: Pool,
        reader: Reader,
        catalogue: Catalogue,
        work: Callable[[Happened], Awaitable[Sequence[Refused]]],
    ) -> None:
        self._queue, self._pool, self._reader, self._work = queue, pool, reader, work
        self._reading = Reading(catalogue)

    async def list(self) -> Sequence[ParkedKey]:
        """The parked keys, longest parked first."""
        rows = await self._pool.fetch(
            "select key, k.error, k.parked_at, count(*) as events, min(e.position) as first_position"
            " from parked_keys k join parked_events e using (consumer, source, key)"
            " where consumer = $1 and source = $2 group by key, k.error, k.parked_at order by k.parked_at, key",
            *(self._queue.consumer, self._queue.source),
        )
        return [ParkedKey(**row) for row in rows]

    async def replay(self, key: str) -> Replayed:
        """Work a key's events off in order until it is free, or one fails again. Raises what passes by itself, and unreadable records."""
        done = 0
        while True:
            # One event a transaction: the consumer waits for the lock no longer than one event takes.
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute(f"set local idle_in_transaction_session_timeout = '{IDLE_IN_TRANSACTION_SECONDS}s'")
                if not await self._queue.lock(connection, [key]):
                    return Replayed(done, 0, None)
                waiting = await self._queue.next(connection, key)
                if waiting is None:
                    log.info("parked key is free", consumer=self._queue.consumer, source=self._queue.source, key=key, done=done)
                    return Replayed(done, 0, None)
                position, event, left = waiting
                try:
                    refused = await self._work(await self._read(position, event))
                except Failed as failed:
                    await self._queue.park(connection, key, failed.error)
                    return Replayed(done, left, failed.error)
                await self._queue.refuse(connection, refused)
                await self._queue.remove(connection, key, position)
            done += 1

    async def _read(self, position: int, event: str) -> Happened:
        found = self._reading.all(await self._reader.read(position - 1, limit=1, upto=position))
        if not found or found[0].envelope.id != event:
            raise StoreUnavailable(f"the source does not show the parked event {event} at position {position}")
        return found[0]
