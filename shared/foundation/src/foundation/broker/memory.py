"""A broker in memory: the contract's plainest reading, for tests and for trying things out."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from foundation.broker.port import Fetched, Message


@dataclass(slots=True)
class _Topic:
    """One partition. `first` is the offset of the oldest message kept."""

    first: int = 0
    messages: list[Message] = field(default_factory=list)
    grown: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def end(self) -> int:
        return self.first + len(self.messages)


class MemoryBroker:
    """Topics as lists. Like Kafka it keeps what it is given, in order, repeats included."""

    def __init__(self) -> None:
        self._topics: defaultdict[str, _Topic] = defaultdict(_Topic)

    async def ensure_topic(self, topic: str) -> None:
        self._topics[topic]

    async def produce(self, topic: str, messages: Sequence[Message]) -> None:
        found = self._topics[topic]
        found.messages.extend(messages)
        found.grown.set()
        found.grown = asyncio.Event()

    async def last(self, topic: str) -> Message | None:
        messages = self._topics[topic].messages
        return messages[-1] if messages else None

    async def fetch(self, topic: str, offset: int | None, *, limit: int, timeout_ms: int) -> Fetched:
        found = self._topics[topic]
        start = found.end if offset is None else min(max(offset, found.first), found.end)
        if start == found.end:
            try:
                async with asyncio.timeout(timeout_ms / 1000):
                    await found.grown.wait()
            except TimeoutError:
                return Fetched((), start)
        messages = tuple(found.messages[start - found.first : start - found.first + limit])
        return Fetched(messages, start + len(messages))

    async def close(self) -> None:
        """Nothing to give up."""

    def expire(self, topic: str, count: int) -> None:
        """Retention takes the oldest messages; offsets stay."""
        found = self._topics[topic]
        del found.messages[:count]
        found.first += count

    def wipe(self, topic: str) -> None:
        """The topic is lost and begins again at offset 0, as after the loss of a broker's disk."""
        found = self._topics[topic]
        found.first, found.messages = 0, []
