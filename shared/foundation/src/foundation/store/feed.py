"""Push: what was committed goes to subscribers in the same process; what one has missed it reads from the table (DESIGN 3)."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

import structlog

from foundation.store.port import Recorded, StoreUnavailable

log = structlog.get_logger()

POLL_SECONDS = 5.0
"""How long a subscriber trusts silence before it looks at the table: the net under lost pushes."""

RETRY_SECONDS = 1.0
"""How long a subscriber waits where the table cannot be read."""

BACKLOG_BYTES_MAX = 4_000_000
"""Records held for one slow subscriber; beyond that they are dropped and it reads the table."""


class Broken(Exception):
    """A history did not continue where it should: positions are missing or out of order."""

    def __init__(self, after: int, first: int) -> None:
        super().__init__(f"expected position {after + 1} next, got {first}")


def ensure_continues(batch: Sequence[Recorded], after: int) -> None:
    """Raises Broken unless the positions are after+1, after+2, …"""
    for expected, recorded in enumerate(batch, after + 1):
        if recorded.position != expected:
            raise Broken(expected - 1, recorded.position)


class _Subscriber:
    """What one subscriber has been pushed and has not taken yet."""

    __slots__ = ("backlog", "behind", "bytes_held", "woken")

    def __init__(self) -> None:
        self.backlog: deque[Sequence[Recorded]] = deque()
        self.bytes_held = 0
        self.behind = True  # the table may have more than it was pushed
        self.woken = asyncio.Event()

    def push(self, batch: Sequence[Recorded], size: int) -> None:
        if self.bytes_held + size > BACKLOG_BYTES_MAX:
            self.drop()
        else:
            self.backlog.append(batch)
            self.bytes_held += size
        self.woken.set()

    def drop(self) -> None:
        self.backlog.clear()
        self.bytes_held = 0
        self.behind = True

    async def silence(self, seconds: float) -> bool:
        """Whether nothing came for so long; returns at once when something does."""
        try:
            async with asyncio.timeout(seconds):
                await self.woken.wait()
        except TimeoutError:
            return True
        self.woken.clear()
        return False

    def take(self, after: int) -> list[Recorded]:
        """Everything pushed that continues after a position, in one batch."""
        taken: list[Recorded] = []
        while self.backlog:
            batch = self.backlog.popleft()
            fresh = batch if batch[0].position == after + 1 else [recorded for recorded in batch if recorded.position > after]
            if fresh and fresh[0].position != after + 1:
                self.drop()
                return taken
            taken.extend(fresh)
            after += len(fresh)
        self.bytes_held = 0
        return taken


class Feed:
    """The subscribers of one history in this process. `read(after)` reads the next events from the table, none at the end."""

    def __init__(self, read: Callable[[int], Awaitable[Sequence[Recorded]]], *, poll_seconds: float = POLL_SECONDS) -> None:
        self._read, self._poll_seconds = read, poll_seconds
        self._subscribers: set[_Subscriber] = set()
        self._closed = False

    def push(self, batch: Sequence[Recorded]) -> None:
        """Hand a committed batch to everybody; never blocks."""
        if batch and self._subscribers:
            size = sum(len(recorded.record) for recorded in batch)
            for subscriber in self._subscribers:
                subscriber.push(batch, size)

    def hint(self) -> None:
        """Something was committed whose events are not at hand: everybody looks at the table."""
        for subscriber in self._subscribers:
            subscriber.behind = True
            subscriber.woken.set()

    @property
    def followed(self) -> bool:
        """Whether anybody subscribes."""
        return bool(self._subscribers)

    def close(self) -> None:
        """End every subscription."""
        self._closed = True
        self.hint()

    async def subscribe(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        """See EventStore.subscribe. Waits out StoreUnavailable. Raises Broken where the table itself has a gap."""
        subscriber = _Subscriber()
        self._subscribers.add(subscriber)
        try:
            while not self._closed:
                batch: Sequence[Recorded] = subscriber.take(after)
                if not batch and subscriber.behind:
                    subscriber.behind = False
                    try:
                        batch = await self._read(after)
                    except StoreUnavailable as error:
                        log.warning("store.feed_waits", after=after, reason=str(error))
                        await subscriber.silence(RETRY_SECONDS)
                        subscriber.behind = True
                    else:
                        subscriber.behind = subscriber.behind or bool(batch)
                elif not batch and await subscriber.silence(self._poll_seconds):
                    subscriber.behind = True
                if batch:
                    ensure_continues(batch, after)
                    after = batch[-1].position
                    yield batch
        finally:
            self._subscribers.discard(subscriber)
