"""Follows another service's history exactly once (DESIGN 6, docs/decisions/0004-messaging.md).

The topic only says that there may be something new. What counts is the consumer's own row (epoch, last, leaf), moved in the transaction
of the effect, and the source's answers. Alarms are log lines at level error, and `state()`.
"""

import asyncio
import math
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import structlog
from contracts.kernel import Catalogue, Event, EventTypeUnknown
from pydantic import ValidationError

from foundation import cursor as cursors
from foundation.broker.port import Broker, BrokerUnavailable, Message
from foundation.continuity import Link, follow
from foundation.cursor import Connection, Cursor, Pool
from foundation.history import Happened, Reading
from foundation.lease import Lease
from foundation.progress import Progress
from foundation.record import RecordMalformed
from foundation.store.port import Epoch, Head, Recorded
from foundation.tasks import end
from foundation.transient import TRANSIENT, Backoff

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Standing(Head):
    """Where a history stands, and its leaf hash at the position asked about: NO_LEAF at -1, None beyond its end.

    `begun`: the epochs that were declared.
    """

    at: bytes | None
    begun: tuple[Epoch, ...] = ()

    def parted(self, epoch: int) -> int | None:
        """The position at which this history parted from the one of an earlier epoch; None where it is in that epoch, or does not say."""
        return min((one.begins for one in self.begun if one.epoch > epoch), default=None)


class HistoryDiffers(Exception):
    """The source's history is not the one this consumer has followed: another epoch, or another leaf where the consumer stands."""


class Source(Protocol):
    """What a consumer asks of the history it follows. Answers come from the primary. All calls raise StoreUnavailable."""

    async def head(self, at: int = -1) -> Standing:
        """Where the history stands, and its leaf at a position."""
        ...

    async def events(self, epoch: int, after: int, leaf: bytes, upto: int, limit: int) -> Sequence[Recorded]:
        """The records at after < p ≤ upto, in order, at most `limit`.

        Raises HistoryDiffers where its epoch is not `epoch` or its leaf at `after` is not `leaf`.
        """
        ...


class Effect(Protocol):
    """What a consumer does with the events: projections write tables, reactions issue commands."""

    async def apply(self, connection: Connection, batch: Sequence[Happened]) -> None:
        """Apply events in order, inside the transaction that moves the cursor. Whatever it raises, the cursor stays."""
        ...


@dataclass(frozen=True, slots=True)
class Pace:
    """How much at a time and how often."""

    batch_max: int = 500
    poll_ms: int = 500
    reconcile_seconds: float = 2
    lease_seconds: float = 10
    idle_in_transaction_seconds: float = 10
    """After this long a paused process loses its transaction, and with it the lock on the cursor."""


@dataclass(frozen=True, slots=True)
class ConsumerState:
    """How a consumer stands. `age_seconds`: everything that the source had that long ago has been applied (inf: not known yet)."""

    consumer: str
    source: str
    last: int
    head: int
    age_seconds: float
    halted: str | None
    trouble: str | None

    @property
    def lag(self) -> int:
        """Events between the source's head, as last heard of, and here."""
        return max(0, self.head - self.last)


class _Unreadable(Exception):
    """A record whose type, version or content this program cannot read."""


@dataclass(frozen=True, slots=True)
class _Halt:
    """Why nothing is applied. What is about the history heals when the source's answers fit again; an unreadable record does not."""

    reason: str
    heals: bool


class Consumer:
    """Applies one source's events to one effect. Any number may run, in any number of processes: the lock on the cursor row decides."""

    def __init__(
        self,
        name: str,
        source: str,
        *,
        broker: Broker,
        reader: Source,
        pool: Pool,
        effect: Effect,
        topic: str,
        catalogue: Catalogue,
        wanted: Collection[type[Event]] | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.name, self.source, self.pace = name, source, pace or Pace()
        self.progress = Progress(f"{name} of {source}")
        self._broker, self._reader, self._pool, self._effect = broker, reader, pool, effect
        self._topic = topic
        self._reading = Reading(catalogue, wanted)
        self._log = log.bind(consumer=name, source=source)
        self._lease = Lease(pool, f"consumer:{name}:{source}", ttl_seconds=self.pace.lease_seconds)
        self._moving = asyncio.Lock()  # one transaction at a time from here; between processes the row lock does it
        self._connection: Any = None
        self._prepared = False
        self._tasks: list[asyncio.Task[None]] = []
        self._offset: int | None = None  # in the topic; None: at its end
        self._last, self._head = -1, -1
        self._halt: _Halt | None = None
        self._trouble: str | None = None
        self._complete_at = -math.inf  # monotonic seconds: all that the source had then is applied
        self._promises: deque[tuple[float, int]] = deque(maxlen=64)
        self._previous: tuple[int, int] | None = None  # the tick before: (its head, our position)

    # ------------------------------------------------------------------------------------------------ from outside

    def start(self) -> None:
        """Begin to follow, in tasks of the running loop."""
        self._tasks = [
            asyncio.create_task(self._for_ever(self._read_topic)),
            asyncio.create_task(self._for_ever(self._reconcile_regularly)),
        ]

    async def close(self) -> None:
        """Stop; what was under way is rolled back and comes again."""
        await end(self._tasks)
        await self._release()
        try:
            await self._lease.release()
        except TRANSIENT as error:
            self._log.info("lease left to run out", error=type(error).__name__)

    def state(self) -> ConsumerState:
        """How it stands, from memory: cheap enough for every request and every scrape."""
        age = time.monotonic() - self._complete_at
        halted = self._halt.reason if self._halt else None
        return ConsumerState(self.name, self.source, self._last, self._head, age, halted, self._trouble)

    # ---------------------------------------------------------------------------------------------------- the topic

    async def _read_topic(self) -> None:
        renewed = -math.inf
        while True:
            if time.monotonic() - renewed > self.pace.lease_seconds / 3:
                if self._halt is not None or not await self._lease.hold():
                    self._offset, renewed = None, -math.inf
                    await asyncio.sleep(self.pace.reconcile_seconds)
                    continue
                renewed = time.monotonic()
            fetched = await self._broker.fetch(self._topic, self._offset, limit=self.pace.batch_max, timeout_ms=self.pace.poll_ms)
            if fetched.messages:
                await self._take(fetched.messages)
            self._offset = fetched.next

    async def _take(self, messages: Sequence[Message]) -> None:
        if self._halt is not None:
            return
        async with self._moving, self._transaction() as connection:
            was = await cursors.lock(connection, self.name, self.source)
            following = follow(was, messages)
            ask = following.ask
            try:
                now = await self._apply(connection, was, following.entries)
            except _Unreadable:
                # The topic is only a hint: whether the history really holds this record is for the source to say.
                now, ask = was, max(message.position for message in messages)
        self._at(now)
        if ask is not None:
            if now.last < 0:
                await self._adopt(now, (await self._reader.head()).epoch)
            await self._ask(ask)

    async def _ask(self, upto: int) -> None:
        """Get the records up to a position from the source itself."""
        while self._halt is None:
            async with self._moving:
                was = await self._own()
                self._at(was)
                if was.last >= upto:
                    return
                try:
                    entries = await self._reader.events(was.epoch, was.last, was.leaf, upto, self.pace.batch_max)
                    _check_advance(was, entries, upto)
                    async with self._transaction() as connection:
                        if await cursors.lock(connection, self.name, self.source) != was:
                            continue
                        now = await self._apply(connection, was, entries)
                except HistoryDiffers as error:
                    self._stop(_Halt(str(error), heals=True))
                except _Unreadable as error:
                    self._stop(_Halt(str(error), heals=False))
                else:
                    self._at(now)

    async def _apply(self, connection: Connection, was: Cursor, entries: Sequence[Link]) -> Cursor:
        if not entries:
            return was
        try:
            batch = self._reading.all(entries)
        except (EventTypeUnknown, RecordMalformed, ValidationError) as error:
            why = str(error) if isinstance(error, EventTypeUnknown) else type(error).__name__
            raise _Unreadable(f"cannot read positions {entries[0].position} to {entries[-1].position}: {why}") from None
        if batch:
            await self._effect.apply(connection, batch)
        now = Cursor(was.epoch, entries[-1].position, entries[-1].leaf)
        await cursors.move(connection, self.name, self.source, was, now)
        return now

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[Connection]:
        """A transaction on the connection that this consumer keeps to itself while all goes well; for whoever holds `_moving`."""
        if self._connection is None:
            self._connection = await self._pool.acquire()
        try:
            if not self._prepared:
                # The cursor and the effect are lost together, should the database crash, and come again: no need to wait for its disk.
                await self._connection.execute(
                    f"set idle_in_transaction_session_timeout = {int(self.pace.idle_in_transaction_seconds * 1000)};"
                    " set synchronous_commit = off"
                )
                self._prepared = True
            async with self._connection.transaction():
                yield self._connection
        except BaseException:
            await self._release()
            raise

    async def _release(self) -> None:
        connection, self._connection, self._prepared = self._connection, None, False
        if connection is not None:
            await self._pool.release(connection)

    # --------------------------------------------------------------------------------------------------- reconcile

    async def _reconcile_regularly(self) -> None:
        while True:
            await self.reconcile()
            await asyncio.sleep(self.pace.reconcile_seconds)

    async def reconcile(self) -> None:
        """Compare with the source: halt where its history is not ours, fetch what has not come by the topic since the last time."""
        asked_at = time.monotonic()
        own = await self._own()  # before the head, or a source that grows would look behind us
        source = await self._reader.head(own.last)
        self._head = source.position
        if own.last < 0 or _survives(own, source):
            own = await self._adopt(own, source.epoch)
        if reason := _difference(own, source):
            self._stop(_Halt(reason, heals=True))
            return
        if self._halt is not None:
            if not self._halt.heals:
                return
            self._log.warning("consumer goes on: the source's history fits again", was=self._halt.reason)
            self._halt = None
            self.progress.resume()
        self._promises.append((asked_at, source.position))
        self._at(own)
        previous, self._previous = self._previous, (source.position, own.last)
        if source.position > own.last and (previous is None or (previous[0] > own.last and previous[1] == own.last)):
            await self._ask(source.position)

    async def _adopt(self, own: Cursor, epoch: int) -> Cursor:
        """Nothing is applied here that the source's epoch does not hold, so that epoch will do."""
        now = Cursor(epoch, own.last, own.leaf)
        if now == own:
            return own
        async with self._moving, self._transaction() as connection:
            if await cursors.lock(connection, self.name, self.source) == own:
                await cursors.move(connection, self.name, self.source, own, now)
        return now

    # ---------------------------------------------------------------------------------------------------- standing

    async def _own(self) -> Cursor:
        async with self._pool.acquire() as connection:
            return await cursors.read(connection, self.name, self.source)

    def _at(self, now: Cursor) -> None:
        if now.last > self._last or now.last >= self._head:
            self._trouble = None
        self._last = now.last
        while self._promises and self._promises[0][1] <= now.last:
            self._complete_at = max(self._complete_at, self._promises.popleft()[0])
        self.progress.advance(now.last)

    def _stop(self, halt: _Halt) -> None:
        if self._halt is None:
            self._log.error("consumer halted", reason=halt.reason, position=self._last)
        self._halt = halt
        self.progress.halt(halt.reason)

    async def _for_ever(self, work: Callable[[], Any]) -> None:
        backoff = Backoff(most=5)
        while True:
            began = time.monotonic()
            try:
                await work()
            except BrokerUnavailable as error:
                self._log.warning("broker unavailable; the source is still asked", error=str(error))
            except TRANSIENT as error:
                self._log.warning("consumer tries again", error=type(error).__name__)
                self._trouble = type(error).__name__
            except Exception as error:
                # A bug in an effect. Its text may hold what it worked on, so only the class is told (DESIGN 3).
                self._log.error("consumer fails and tries again", error=type(error).__name__, position=self._last)
                self._trouble = type(error).__name__
            if time.monotonic() - began > 2 * self.pace.reconcile_seconds:
                backoff.reset()
            await asyncio.sleep(backoff.seconds())


def _check_advance(was: Cursor, entries: Sequence[Link], upto: int) -> None:
    if not entries:
        raise HistoryDiffers(f"the source answers nothing after position {was.last}, though {upto} has been seen")
    if [entry.position for entry in entries] != list(range(was.last + 1, was.last + 1 + len(entries))):
        raise HistoryDiffers(f"the source's answer does not go on from position {was.last}")


def _survives(own: Cursor, source: Standing) -> bool:
    """Whether all that was applied here is older than the source's new epoch and stands in it: then nothing applied was given up."""
    parted = source.parted(own.epoch)
    return source.epoch > own.epoch and parted is not None and own.last < parted and source.at == own.leaf


def _difference(own: Cursor, source: Standing) -> str | None:
    if source.epoch != own.epoch:
        return f"the source is in epoch {source.epoch}, this consumer in {own.epoch} and beyond its end: let it follow"
    if source.position < own.last:
        return f"the source ends at position {source.position}, behind {own.last} which was applied here"
    if source.at != own.leaf:
        return f"the source holds another record at position {own.last} than was applied here"
    return None
