"""The event store on PostgreSQL: one call of `append_v1` a batch, reads on the pool, push to subscribers (DESIGN 3)."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import structlog

from foundation.cursor import Pool
from foundation.store.batch import APPEND, APPEND_ONE, Batch, check, recorded
from foundation.store.feed import POLL_SECONDS, Feed
from foundation.store.heads import read_head
from foundation.store.port import (
    Appended,
    AppendRequest,
    Epoch,
    Head,
    Outcome,
    Recorded,
    Remembered,
    StoreFull,
    StoreUnavailable,
    WritesRefused,
)
from foundation.store.signal import Signal, discard, is_lost

if TYPE_CHECKING:
    from asyncpg.pool import PoolConnectionProxy

    Connection = PoolConnectionProxy[asyncpg.Record]

log = structlog.get_logger()

PATIENCE_SECONDS = 10.0
"""How long a batch waits for a lost connection to come back, and for one answer of the database."""

READ_AT_ONCE = 1_000
"""Events a subscriber reads from the table in one short statement."""

_COLUMNS = "e.position, e.stream, e.version, e.type, e.record, e.leaf"

# Laterals with a fence look up row by row through an index, however small the table was when the plan was made.
_STREAMS = f"""
    select e.* from unnest($1::text[]) as a (stream)
    cross join lateral (select {_COLUMNS} from events e where e.stream = a.stream order by e.version offset 0) e
"""  # noqa: S608 - constants only

_VERSIONS = """
    select a.stream, coalesce((select e.version from events e where e.stream = a.stream order by e.version desc limit 1), 0)
    from unnest($1::text[]) as a (stream)
"""

_REMEMBERED = """
    select c.* from unnest($1::uuid[]) as a (id)
    cross join lateral (select c.command_id, c.request_hmac, c.result, c.position from commands c where c.command_id = a.id offset 0) c
"""

_STANDING = """
    select a.i::integer as i, e.position from unnest($1::text[], $2::integer[], $3::bytea[]) with ordinality as a (stream, version, leaf, i)
    cross join lateral (
        select e.position from events e where e.stream = a.stream and e.version = a.version and e.leaf = a.leaf offset 0
    ) e
"""

_LOST = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.InternalClientError,
    asyncpg.InterfaceError,
)
"""What a connection that cannot be used any more raises; whether a statement under way was committed is then unknown."""


@contextmanager
def reporting() -> Iterator[None]:
    """Raises StoreFull and StoreUnavailable for what the driver raises when the database is full or away."""
    try:
        yield
    except asyncpg.DiskFullError as error:
        raise StoreFull(f"the database's disk is full: {error}") from error
    except _LOST as error:
        if isinstance(error, ValueError):  # an argument that does not fit its type: the caller's fault
            raise
        raise StoreUnavailable(f"the database cannot be reached: {error!r}") from error


class PostgresStore:
    """`store.port.EventStore` over a pool of which it keeps two connections, one to write and one to signal.

    `before_writing` runs whenever the writing connection is new, before anything is written on it; what it raises refuses the write.
    """

    def __init__(
        self,
        pool: "Pool",
        *,
        before_writing: Callable[[], Awaitable[None]] | None = None,
        patience_seconds: float = PATIENCE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._pool, self._before_writing, self._patience_seconds = pool, before_writing, patience_seconds
        self._writer: Connection | None = None
        self._trusted = False
        self._turn = asyncio.Lock()
        self._feed = Feed(lambda after: self.read(after, limit=READ_AT_ONCE), poll_seconds=poll_seconds)
        self._signal = Signal(pool, self._feed.hint)

    async def start(self) -> None:
        """Connect to write and start listening for other processes' commits. Raises StoreUnavailable.

        Where writes are refused it starts all the same: the history is read and followed until they are let through.
        """
        async with self._turn:
            with suppress(WritesRefused):
                await self._connected()
        self._signal.start()

    async def close(self) -> None:
        """End subscriptions and give the kept connections back; the pool stays open."""
        self._feed.close()
        await self._signal.close()
        async with self._turn:
            if self._writer is not None:
                writer, self._writer = self._writer, None
                await self._pool.release(writer)

    def distrust(self) -> None:
        """The next append asks `before_writing` again."""
        self._trusted = False

    # ------------------------------------------------------------------------------------------------ append

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[Outcome]:
        """See EventStore.append. Requests keep their order; one call at a time."""
        if not requests:
            return []
        for request in requests:
            check(request)
        async with self._turn:
            return await self._append(Batch(requests))

    async def _append(self, batch: Batch) -> list[Outcome]:
        deadline = asyncio.get_running_loop().time() + self._patience_seconds
        pauses = chain((0.0, 0.1, 0.2, 0.5), repeat(1.0))
        sent = False
        while True:
            try:
                with reporting():
                    writer = await self._connected()
                    if sent:
                        return await self._append_again(writer, batch)
                    sent = True
                    outcomes, head = await self._send(writer, batch)
                    break
            except StoreFull:
                raise
            except StoreUnavailable as error:
                await self._drop_writer()
                if asyncio.get_running_loop().time() >= deadline:
                    raise
                log.warning("store.append_retried", reason=str(error), requests=len(batch.requests))
                await asyncio.sleep(next(pauses))
            except asyncio.CancelledError:
                await self._drop_writer()
                raise
        if self._feed.followed:
            self._feed.push(batch.recorded(outcomes, head))
        if batch.lines:
            self._signal.send()
        return outcomes

    async def _send(self, writer: "Connection", batch: Batch) -> tuple[list[Outcome], int]:
        """One transaction: the outcomes, and the last position before them."""
        alone = batch.alone()
        if alone is not None:
            reached = await writer.fetchval(APPEND_ONE, *alone, timeout=self._patience_seconds)
            if reached is not None:
                return [Appended(reached)], reached - len(batch.lines)
        answer = await writer.fetch(APPEND, *batch.arguments(), timeout=self._patience_seconds)
        return batch.outcomes(answer), answer[0]["position"]

    async def _append_again(self, writer: "Connection", batch: Batch) -> list[Outcome]:
        """After a connection was lost with the batch under way: what stands already is found by its bytes, the rest is sent again.

        The lock is taken first, so that a server process that is still committing has ended; one that has not begun yet will find
        the versions taken.
        """
        last = {line.request: line for line in batch.lines}
        async with writer.transaction():
            await writer.execute("select lock_history()")
            rows = await writer.fetch(
                _STANDING,
                [line.stream for line in last.values()],
                [line.version for line in last.values()],
                [line.leaf for line in last.values()],
            )
        numbers = list(last)
        standing = {batch.requests[numbers[row["i"] - 1] - 1]: Appended(row["position"]) for row in rows}
        self._feed.hint()
        missing = [request for request in batch.requests if request not in standing]
        if not missing:
            return [standing[request] for request in batch.requests]
        outcomes, _ = await self._send(writer, Batch(missing))
        appended = dict(zip(missing, outcomes, strict=True))
        self._feed.hint()
        self._signal.send()
        return [standing.get(request) or appended[request] for request in batch.requests]

    async def _connected(self) -> "Connection":
        if self._writer is not None and is_lost(self._writer):
            await self._drop_writer()
        with reporting():
            if self._writer is None:
                self._writer = await self._pool.acquire(timeout=self._patience_seconds)
                await self._writer.execute("set synchronous_commit = on")
                self._trusted = False
            if not self._trusted:
                # Whoever was still committing has ended once the lock was held: what is read from here on is the true head.
                await self._writer.execute("select lock_history()")
                if self._before_writing is not None:
                    await self._before_writing()
                self._trusted = True
        return self._writer

    async def _drop_writer(self) -> None:
        if self._writer is not None:
            writer, self._writer = self._writer, None
            discard(writer)
            await self._pool.release(writer)

    # ------------------------------------------------------------------------------------------------ read

    async def head(self) -> Head:
        """See Reader.head."""
        with reporting():
            return await read_head(self._pool)

    async def leaf_at(self, position: int) -> bytes | None:
        """See Reader.leaf_at."""
        with reporting():
            leaf: bytes | None = await self._pool.fetchval("select leaf from events where position = $1", position)
        return leaf

    async def epochs(self) -> Sequence[Epoch]:
        """See Reader.epochs."""
        with reporting():
            return [Epoch(*row) for row in await self._pool.fetch("select epoch, position from epochs order by epoch")]

    async def read(self, after: int, *, limit: int = READ_AT_ONCE, upto: int | None = None) -> Sequence[Recorded]:
        """See Reader.read."""
        with reporting():
            return recorded(
                await self._pool.fetch(
                    f"select {_COLUMNS} from events e where e.position > $1 and e.position <= $2 order by e.position limit $3",  # noqa: S608
                    *(after, 2**62 if upto is None else upto, limit),
                )
            )

    async def read_stream(self, stream: str, *, after: int = 0) -> Sequence[Recorded]:
        """See EventStore.read_stream."""
        with reporting():
            return recorded(
                await self._pool.fetch(
                    f"select {_COLUMNS} from events e where e.stream = $1 and e.version > $2 order by e.version",  # noqa: S608
                    *(stream, after),
                )
            )

    async def read_streams(self, streams: Sequence[str]) -> dict[str, Sequence[Recorded]]:
        """See EventStore.read_streams."""
        found: dict[str, list[Recorded]] = {stream: [] for stream in streams}
        with reporting():
            for event in recorded(await self._pool.fetch(_STREAMS, list(found))):
                found[event.stream].append(event)
        return dict(found)

    async def versions(self, streams: Sequence[str]) -> dict[str, int]:
        """See EventStore.versions."""
        with reporting():
            return {row[0]: row[1] for row in await self._pool.fetch(_VERSIONS, streams)}

    async def remembered(self, ids: Sequence[UUID]) -> dict[UUID, Remembered]:
        """See EventStore.remembered."""
        with reporting():
            return {row["command_id"]: Remembered(*row[1:]) for row in await self._pool.fetch(_REMEMBERED, ids)}

    def subscribe(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        """See EventStore.subscribe."""
        return self._feed.subscribe(after)
