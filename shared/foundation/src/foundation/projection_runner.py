"""Follows the service's own history with its projections, pushed after each commit (DESIGN 5)."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import structlog

from foundation import cursor as cursors
from foundation.cursor import Cursor, CursorMoved, Pool
from foundation.progress import Progress
from foundation.projections import Batch, ProjectionGroup, Superseded
from foundation.rebuild import ensure_built
from foundation.store.feed import Broken
from foundation.store.port import EventStore, Recorded
from foundation.tasks import end
from foundation.transient import TRANSIENT, Backoff

log = structlog.get_logger()

RETRIED: tuple[type[Exception], ...] = (*TRANSIENT, Broken)
"""A subscription that has lost its place begins again from the table."""

Condition = Literal["starting", "following", "trying again", "halted", "stopped"]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a group of projections stands: applied up to `position`, while the history is known to have come to `newest`."""

    consumer: str
    source: str
    condition: Condition
    position: int
    newest: int
    trouble: str | None

    @property
    def lag(self) -> int:
        """Events that are durable and not applied yet."""
        return max(0, self.newest - self.position)


class ProjectionRunner:
    """Applies one group from the own store. Several processes may run one: the compare-and-set on the cursor decides.

    A failure that trying again does not cure halts the group: an error is logged, `standing()` says it, and waiters fail at once.
    """

    def __init__(self, group: ProjectionGroup, store: EventStore, pool: Pool) -> None:
        self.group, self._store, self._pool = group, store, pool
        self._progress = Progress(group.consumer)
        self._condition: Condition = "starting"
        self._newest, self._trouble = -1, ""
        self._task: asyncio.Task[None] | None = None
        self._log = log.bind(consumer=group.consumer, source=group.source)

    async def start(self) -> None:
        """Follow in a task of the running loop. A view that does not exist yet is built before this returns; what stands in an older
        version is rebuilt in the task, while readers see the old tables. Raises what building raises."""
        async with self._pool.acquire() as connection:
            shown = {build.projection for build in await self.group.builds(connection, live=True)}
        if not shown.issuperset(projection.name for projection in self.group.projections):
            await ensure_built(self.group, self._store, self._pool)
        self._task = asyncio.create_task(self._run())

    async def close(self) -> None:
        """Stop; a batch under way is rolled back and comes again."""
        if self._task is not None:
            await end([self._task])
            self._task = None
        self._condition = "stopped"
        self._progress.halt("stopped")

    async def reached(self, position: int, timeout_seconds: float | None = None) -> None:
        """Return once the live tables hold everything up to a position. Raises TimeoutError; progress.Halted."""
        await self._progress.reached(position, timeout_seconds)

    @property
    def position(self) -> int:
        """The last position applied."""
        return self._progress.position

    def standing(self) -> Standing:
        """From memory: cheap enough for every request and every scrape."""
        newest = max(self._newest, self.position)
        return Standing(self.group.consumer, self.group.source, self._condition, self.position, newest, self._trouble or None)

    # ------------------------------------------------------------------------------------------------------ the task

    async def _run(self) -> None:
        backoff = Backoff(most=5)
        while True:
            before = self.position
            try:
                await self._follow()
                self._condition = "stopped"
                self._progress.halt("the history is closed")
                return
            except CursorMoved:
                continue
            except RETRIED as error:
                self._condition, self._trouble = "trying again", f"{type(error).__name__}"
                self._log.warning("projections try again", error=type(error).__name__)
            except Exception as error:
                # Its text may hold what it worked on, so only the class is told (DESIGN 3).
                why = str(error) if isinstance(error, Superseded) else type(error).__name__
                self._condition, self._trouble = "halted", why
                self._log.error("projections halted", error=why, position=self.position)
                self._progress.halt(why)
                return
            if self.position > before:
                backoff.reset()
            await asyncio.sleep(backoff.seconds())

    async def _follow(self) -> None:
        cursor = await ensure_built(self.group, self._store, self._pool)
        head = await self._store.head()
        self._reached(cursor, head.position)
        async for records in self._store.subscribe(cursor.last):
            cursor = await self._catch_up(cursor, records, head.epoch)
            self._reached(cursor, records[-1].position)

    async def _catch_up(self, cursor: Cursor, records: Sequence[Recorded], epoch: int) -> Cursor:
        # Another process may have gone further than this one's last batch: what it applied is in these records once more.
        fresh = [record for record in records if record.position > cursor.last]
        if not fresh:
            return cursor
        batch = await self.group.batch(fresh)
        now = Cursor(epoch, fresh[-1].position, fresh[-1].leaf)
        try:
            await self._apply(cursor, now, batch)
        except CursorMoved:
            async with self._pool.acquire() as connection:
                moved = await cursors.read(connection, self.group.consumer, self.group.source)
            if moved.last < cursor.last:
                raise
            return await self._catch_up(moved, fresh, epoch)
        return now

    async def _apply(self, was: Cursor, now: Cursor, batch: Batch) -> None:
        async with self._pool.acquire() as connection, connection.transaction():
            # Cursor and tables are lost together, if at all, and what is lost is applied again.
            await connection.execute("set local synchronous_commit = off")
            # First the compare-and-set: it also is the lock under which the live tables are known.
            await cursors.move(connection, self.group.consumer, self.group.source, was, now)
            live = await self.group.live(connection)
            await self.group.apply_to(connection, live, batch)

    def _reached(self, cursor: Cursor, newest: int) -> None:
        self._condition, self._trouble = "following", ""
        self._newest = max(self._newest, newest)
        self._progress.advance(cursor.last)
