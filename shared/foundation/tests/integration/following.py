"""A small world to follow a history in: a source that can be made to lie, a ledger that shows every effect, topics that lose and repeat."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from contracts.kernel import Catalogue, Event
from foundation.broker.port import Message
from foundation.consumer import HistoryDiffers, Standing
from foundation.cursor import Pool
from foundation.history import Happened
from foundation.record import encode
from foundation.store.memory import MemoryStore
from foundation.store.port import NO_LEAF, AppendRequest, Epoch, EventStore, NewEvent, Recorded, StoreUnavailable, StreamAppend

from tests.support import PATIENCE_SECONDS

NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)


class Counted(Event, type="numbers.Counted", version=1):
    """A number was counted."""

    number: int


CATALOGUE = Catalogue(Counted)


def record_of(number: int, *, type: str = Counted.TYPE, stream: str = "count-0", salt: int = 0) -> bytes:
    """A record; the salt makes another history of the same numbers."""
    return encode(
        id=str(UUID(int=(salt << 64) | number)),
        source="/nodes/1/numbers",
        type=type,
        stream=stream,
        time=NOON,
        version=1,
        correlation="test",
        causation=None,
        actor="tester",
        org=None,
        data={"number": number},
    )


async def count_on(store: EventStore, count: int, *, streams: int = 5, salt: int = 0) -> None:
    """Append the next `count` numbers: the number is the position."""
    start = (await store.head()).position + 1
    for number in range(start, start + count):
        stream = f"count-{number % streams}"
        expected = len(await store.read_stream(stream))
        event = NewEvent(Counted.TYPE, record_of(number, stream=stream, salt=salt))
        await store.append([AppendRequest((StreamAppend(stream, expected, (event,)),))])


async def history_of(count: int, *, salt: int = 0) -> MemoryStore:
    """A history of the numbers from 0."""
    store = MemoryStore()
    await count_on(store, count, salt=salt)
    return store


async def messages_of(store: EventStore, *, epoch: int = 0) -> list[Message]:
    """What a relay would send."""
    previous, found = NO_LEAF, []
    for one in await store.read(-1, limit=1_000_000):
        found.append(Message(one.stream, one.record, epoch, one.position, previous))
        previous = one.leaf
    return found


def mangled(messages: Sequence[Message], chance: random.Random) -> list[Message]:
    """The messages as a bad day delivers them: some doubled, some lost, some late, some early, whole stretches again."""
    found: list[Message] = []
    late: list[Message] = []
    for index, message in enumerate(messages):
        match chance.choices(("plain", "double", "lost", "late", "rerun"), (70, 10, 8, 8, 4))[0]:
            case "plain":
                found.append(message)
            case "double":
                found += [message, message]
            case "late":
                late.append(message)
            case "rerun":
                found += messages[max(0, index - 10) : index + 1]
        if late and chance.random() < 0.3:
            found.append(late.pop(chance.randrange(len(late))))
    return found + late


@dataclass
class LocalSource:
    """A source over a store in this process. `store` may be swapped for one that tells another story; `reachable` is the network."""

    store: EventStore
    epoch: int = 0
    begun: tuple[Epoch, ...] = ()
    reachable: bool = True
    asked: int = 0

    async def head(self, at: int = -1) -> Standing:
        self._reach()
        head = await self.store.head()
        return Standing(self.epoch, head.position, head.leaf, NO_LEAF if at < 0 else await self.store.leaf_at(at), self.begun)

    async def events(self, epoch: int, after: int, leaf: bytes, upto: int, limit: int) -> Sequence[Recorded]:
        self._reach()
        self.asked += 1
        standing = await self.head(after)
        if (standing.epoch, standing.at) != (epoch, leaf):
            raise HistoryDiffers(f"epoch {standing.epoch}, another leaf at {after}")
        return await self.store.read(after, limit=limit, upto=upto)

    def _reach(self) -> None:
        if not self.reachable:
            raise StoreUnavailable("no route to the source")


LEDGER = "create table ledger (entry bigint generated always as identity, number bigint not null)"


@dataclass
class Ledger:
    """An effect that writes down every event it is given, so that a missing, a doubled or a misplaced one shows."""

    fails: list[Exception] = field(default_factory=list)

    async def apply(self, connection: Any, batch: Sequence[Happened]) -> None:
        await connection.executemany("insert into ledger (number) values ($1)", [(one.event.number,) for one in batch])  # type: ignore[attr-defined]
        if self.fails:
            raise self.fails.pop()


async def until(condition: Callable[[], bool], *, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait until something is so that can be seen from outside only."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - nobody announces it
            await asyncio.sleep(0.005)


async def ledger(pool: Pool) -> list[int]:
    """The numbers as they took effect, in that order."""
    return [row["number"] for row in await pool.fetch("select number from ledger order by entry")]
