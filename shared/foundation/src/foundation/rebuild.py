"""Rebuilds: new tables filled from the history beside the live ones, then switched in one transaction (DESIGN 5).

Nothing with a side effect runs here. A crash at any point leaves the live tables as they were; what it left behind is dropped by the next
rebuild or start.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from random import SystemRandom
from typing import TypeVar

import asyncpg
import structlog

from foundation import cursor as cursors
from foundation.cursor import START, Connection, Cursor, CursorMoved, Pool
from foundation.history import Reading
from foundation.projections import Batch, Build, ProjectionGroup, Tables, decoded, physical
from foundation.store.feed import ensure_continues
from foundation.store.port import Reader, Recorded, StoreUnavailable
from foundation.transient import TRANSIENT, Backoff

log = structlog.get_logger()
T = TypeVar("T")

RANGE_EVENTS = 2_000
"""Events read, applied and committed at a time while filling. Two ranges and what is made of them are in memory; with more than this the
processor's caches and the garbage collector cost more than the fewer round trips bring."""

SWITCH_EVENTS_MAX = 1_000
"""At most so many events are applied while the switch holds the group's cursor."""

SWITCH_LOCK_SECONDS = 0.2
"""How long a switch waits for readers of the views before it steps back and lets new ones in. Well below PostgreSQL's deadlock_timeout:
where a reader of one view wants another that the switch holds already, it is the switch that gives way."""

SWITCH_PAUSE_SECONDS = 0.2
"""How long new readers and the group's writer have for themselves before the switch tries again."""

READ_ATTEMPTS = 8
"""Attempts, with growing waits, at one range of the history."""

BUSY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """What a rebuild did: which projections, up to which position, over how many events, in how many seconds."""

    projections: tuple[str, ...]
    position: int
    events: int
    seconds: float


async def ensure_built(group: ProjectionGroup, reader: Reader, pool: Pool) -> Cursor:
    """Make every projection of a group live in this program's version, and return the group's cursor.

    Rebuilds what is missing or older; all of it where the cursor is not of the reader's history (another record at its position, as
    after a restore of one database); nothing in the usual case. Retires projections that the program no longer declares.
    Raises Superseded where a newer program's tables are live, and what reading and applying raise.
    """
    declared = {projection.name: projection for projection in group.projections}
    async with _alone(group, pool) as connection:
        live = {build.projection: build for build in await group.builds(connection, live=True)}
        await _retire(group, connection, [build for name, build in live.items() if name not in declared])
        await _drop_garbage(group, connection)
        if not await _same_history(await cursors.read(connection, group.consumer, group.source), reader):
            await _rebuild([_Rebuild(group, reader, connection, whole=True)], reader)
        else:
            stale = [name for name, projection in declared.items() if name not in live or live[name].version < projection.version]
            if stale:
                await _rebuild([_Rebuild(group.only(stale), reader, connection, whole=False)], reader)
        async with connection.transaction():
            await group.live(connection)
            return await cursors.lock(connection, group.consumer, group.source)


async def rebuild(group: ProjectionGroup, reader: Reader, pool: Pool) -> Rebuilt:
    """Rebuild a whole group from its source's history, also into another epoch; whoever applies it live keeps doing so meanwhile."""
    [rebuilt] = await rebuild_together([(group, pool)], reader)
    return rebuilt


async def rebuild_together(groups: Sequence[tuple[ProjectionGroup, Pool]], reader: Reader) -> list[Rebuilt]:
    """Rebuild whole groups of one source, whose history is read and decoded once for all of them. Each is switched by itself."""
    async with AsyncExitStack() as stack:
        runs = []
        for group, pool in groups:
            connection = await stack.enter_async_context(_alone(group, pool))
            await _drop_garbage(group, connection)
            runs.append(_Rebuild(group, reader, connection, whole=True))
        return await _rebuild(runs, reader)


async def built_at(
    group: ProjectionGroup, reader: Reader, pool: Pool, position: int, look: Callable[[Connection, Mapping[str, Tables]], Awaitable[T]]
) -> T:
    """What `look` finds in tables that are made from the history up to a position, beside the live ones, and dropped again."""
    async with _alone(group, pool) as connection:
        await _drop_garbage(group, connection)
        run = _Rebuild(group, reader, connection, whole=True)
        await run.create()
        try:
            await _fill([run], reader, position)
            return await look(connection, run.tables)
        finally:
            await _drop_garbage(group, connection)


@asynccontextmanager
async def _alone(group: ProjectionGroup, pool: Pool) -> AsyncIterator[Connection]:
    """A connection that holds the group's lock: one rebuild at a time. A crash loses the connection, and the lock with it."""
    async with pool.acquire() as connection:
        # The pool gives up a connection's advisory locks when it gets it back.
        await connection.execute("select pg_advisory_lock(hashtextextended($1, 0))", f"rebuild:{group.consumer}:{group.source}")
        yield connection


async def _same_history(cursor: Cursor, reader: Reader) -> bool:
    return cursor.last < 0 or await reader.leaf_at(cursor.last) == cursor.leaf


async def _rebuild(runs: "Sequence[_Rebuild]", reader: Reader) -> list[Rebuilt]:
    began = time.monotonic()
    for run in runs:
        log.info("rebuild started", consumer=run.group.consumer, source=run.group.source, projections=run.names)
        await run.create()
    await _fill(runs, reader, min([(await run.target()).last for run in runs]))
    await _all(run.finish() for run in runs)
    seconds = time.monotonic() - began
    for run in runs:
        log.info("rebuild done", consumer=run.group.consumer, source=run.group.source, position=run.at.last, seconds=round(seconds, 1))
    return [Rebuilt(run.names, run.at.last, run.at.last + 1, seconds) for run in runs]


async def _fill(runs: "Sequence[_Rebuild]", reader: Reader, upto: int) -> None:
    """Apply the history up to a position to builds that have come equally far. Raises what reading and applying raise."""
    async with aclosing(_ranges([run.group for run in runs], reader, runs[0].at.last, upto)) as ranges:
        async for records, batches in ranges:
            await _all(run.write(batch) for run, batch in zip(runs, batches, strict=True))
            for run in runs:
                run.at = Cursor(run.at.epoch, records[-1].position, records[-1].leaf)


async def _ranges(
    groups: Sequence[ProjectionGroup], reader: Reader, after: int, upto: int
) -> AsyncGenerator[tuple[Sequence[Recorded], Sequence[Batch]], None]:
    """The history in ranges; while one is applied, the next is read, decoded and opened."""
    reading = Reading(groups[0].catalogue, frozenset().union(*(group.wanted for group in groups)))

    async def read(after: int) -> tuple[Sequence[Recorded], Sequence[Batch]]:
        if after >= upto:
            return (), ()
        records = await reader.read(after, limit=RANGE_EVENTS, upto=upto)
        if not records:
            raise StoreUnavailable(f"the history of {groups[0].source} ends at {after}, before position {upto}")
        ensure_continues(records, after)
        events = await decoded(reading, records)
        return records, [await group.opened(events) for group in groups]

    ahead = asyncio.create_task(_patiently(read, after))
    try:
        while after < upto:
            records, batches = await ahead
            after = records[-1].position
            ahead = asyncio.create_task(_patiently(read, after))
            yield records, batches
    finally:
        ahead.cancel()
        await asyncio.gather(ahead, return_exceptions=True)


async def _patiently(read: Callable[[int], Awaitable[T]], after: int) -> T:
    backoff = Backoff()
    for attempt in range(1, READ_ATTEMPTS + 1):
        try:
            return await read(after)
        except TRANSIENT as error:
            if attempt == READ_ATTEMPTS:
                raise
            log.warning("rebuild reads again", after=after, error=type(error).__name__)
            await asyncio.sleep(backoff.seconds())
    raise AssertionError("the last attempt returns or raises")


async def _all(works: Iterable[Awaitable[None]]) -> None:
    """Every one of them, to its end; then the first error, if there was one."""
    for outcome in await asyncio.gather(*works, return_exceptions=True):
        if outcome is not None:
            raise outcome


class _Rebuild:
    """One run: create, fill, index, catch up, switch. `at` is how far the new tables have come."""

    def __init__(self, group: ProjectionGroup, reader: Reader, connection: Connection, *, whole: bool) -> None:
        self.group, self.reader, self.connection, self.whole = group, reader, connection, whole
        self.builds: dict[str, int] = {}
        self.tables: dict[str, Tables] = {}
        self.at = START

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(projection.name for projection in self.group.projections)

    async def create(self) -> None:
        """Empty tables with their primary keys only, known to be nobody's yet."""
        async with self.connection.transaction():
            for projection in self.group.projections:
                self.builds[projection.name] = build = await self.connection.fetchval(
                    "insert into projection_builds (consumer, source, projection, build, version, tables, live)"
                    " select $1, $2, $3, coalesce(max(build), 0) + 1, $4, $5, false from projection_builds"
                    " where consumer = $1 and source = $2 and projection = $3 returning build",
                    *(self.group.consumer, self.group.source, projection.name, projection.version),
                    [table.name for table in projection.tables],
                )
                self.tables[projection.name] = projection.physical(build)
                for table in projection.tables:
                    name = self.tables[projection.name][table.name]
                    await self.connection.execute(f"create table {name} ({table.columns})")
                    for column in sorted(table.personal):
                        # The planner's statistics would quote names and numbers.
                        await self.connection.execute(f"alter table {name} alter column {column} set statistics 0")

    async def write(self, batch: Batch) -> None:
        """Apply events, and commit them."""
        async with self.connection.transaction():
            # A commit that a crash undoes is one of a build that nobody will look at.
            await self.connection.execute("set local synchronous_commit = off")
            await self.group.apply_to(self.connection, self.tables, batch)

    async def finish(self) -> None:
        """Fill what others did not need, index, catch up, switch. Raises what reading and applying raise; then nothing has changed for
        readers."""
        await _fill([self], self.reader, (await self.target()).last)
        await self._index()
        while not await self._switched():
            pass
        await _drop_garbage(self.group, self.connection)

    async def target(self) -> Cursor:
        """How far the tables have to come: to the group's cursor while that is of this history, else to the history's end."""
        own = await cursors.read(self.connection, self.group.consumer, self.group.source)
        if own.last < 0:
            return own  # a first start: empty tables do, even while the source does not answer
        head = await self.reader.head()
        if await _same_history(own, self.reader):
            return Cursor(head.epoch, own.last, own.leaf)
        if not self.whole:
            raise CursorMoved(self.group.consumer, self.group.source)
        return Cursor(head.epoch, head.position, head.leaf)

    async def _index(self) -> None:
        for projection in self.group.projections:
            for table in projection.tables:
                name = self.tables[projection.name][table.name]
                for index in table.indexes:
                    await self.connection.execute(index.replace("{table}", name))
                await self.connection.execute(f"analyze {name}")

    async def _switched(self) -> bool:
        """Catch up and show the new tables; False where there was too much to do under the lock, or readers held the views."""
        target = await self.target()
        if target.last - self.at.last > SWITCH_EVENTS_MAX:
            await _fill([self], self.reader, target.last)
            return False
        before = self.at
        try:
            async with self.connection.transaction():
                await self.connection.execute(f"set local lock_timeout = {int(SWITCH_LOCK_SECONDS * 1000)}")
                own = await cursors.lock(self.connection, self.group.consumer, self.group.source)
                target = await self.target()
                await _fill([self], self.reader, target.last)
                if self.at.last != target.last or self.at.leaf != target.leaf:
                    raise CursorMoved(self.group.consumer, self.group.source)
                await self._show()
                await cursors.move(self.connection, self.group.consumer, self.group.source, own, target)
        except BUSY:
            self.at = before
            log.info("rebuild waits for readers", consumer=self.group.consumer, source=self.group.source)
            await asyncio.sleep(SWITCH_PAUSE_SECONDS)
            return False
        return True

    async def _show(self) -> None:
        """Point the views at the new tables, and let the old builds be garbage."""
        views = [view for tables in self.tables.values() for view in tables.items()]
        # Readers of several views lock them in an order of their own. Where that crosses ours, the next attempt has another order.
        SystemRandom().shuffle(views)
        for view, table in views:
            await _show_table(self.connection, view, table)
        live = {build.projection: build for build in await self.group.builds(self.connection, live=True)}
        for name, tables in self.tables.items():
            if name in live:
                await _hide(self.connection, self.group, live[name], keep=tuple(tables))
            await self.connection.execute(
                "update projection_builds set live = true where consumer = $1 and source = $2 and projection = $3 and build = $4",
                *(self.group.consumer, self.group.source, name, self.builds[name]),
            )


async def _show_table(connection: Connection, view: str, table: str) -> None:
    definition = f"view {view} as select * from {table}"  # noqa: S608 - names checked where they are declared
    try:
        async with connection.transaction():
            await connection.execute(f"create or replace {definition}")
    except asyncpg.InvalidTableDefinitionError:  # other columns than before
        await connection.execute(f"drop view {view}")
        await connection.execute(f"create {definition}")


async def _hide(connection: Connection, group: ProjectionGroup, build: Build, *, keep: Sequence[str] = ()) -> None:
    """A live build becomes garbage, and its views go unless they show something else by now."""
    for table in build.tables:
        if table not in keep:
            await connection.execute(f"drop view {table}")
    await connection.execute(
        "update projection_builds set live = false where consumer = $1 and source = $2 and projection = $3 and build = $4",
        *(group.consumer, group.source, build.projection, build.build),
    )


async def _retire(group: ProjectionGroup, connection: Connection, builds: Sequence[Build]) -> None:
    """Projections that the program has dropped; under the cursor's lock, so that an older program notices before its next write."""
    if builds:
        async with connection.transaction():
            await cursors.lock(connection, group.consumer, group.source)
            for build in builds:
                await _hide(connection, group, build)


async def _drop_garbage(group: ProjectionGroup, connection: Connection) -> None:
    """Tables of builds that are not live: a crashed rebuild's, or what a switch replaced. One that is still read stays until next time."""
    for build in await group.builds(connection, live=False):
        try:
            async with connection.transaction():
                await connection.execute(f"set local lock_timeout = {int(SWITCH_LOCK_SECONDS * 1000)}")
                for table in build.tables:
                    await connection.execute(f"drop table if exists {physical(table, build.version, build.build)}")
                await connection.execute(
                    "delete from projection_builds where consumer = $1 and source = $2 and projection = $3 and build = $4",
                    *(group.consumer, group.source, build.projection, build.build),
                )
        except BUSY:
            log.info("an old table is still read", consumer=group.consumer, projection=build.projection, build=build.build)
