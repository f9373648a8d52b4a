"""Ways out where the rollback guard refuses writes: take back from the topic what it has seen, or give it up (DESIGN 3)."""

from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from foundation.broker.port import Broker, BrokerUnavailable, Message
from foundation.clock import Clock
from foundation.record import decode, leaf_hash
from foundation.store.guard import RollbackGuard
from foundation.store.port import Head, Reader, Recorded, WritesRefused

FETCH_TIMEOUT_MS = 60_000
"""Until a broker that has something must have given some of it: the first read of a long topic can take it many seconds."""

RECORDS_AT_ONCE = 500


class Recovery:
    """A history's way back to writing."""

    def __init__(
        self,
        guard: RollbackGuard,
        store: Reader,
        broker: Broker,
        *,
        topic: str,
        source: str,
        origin: Callable[[int], str],
        clock: Clock,
    ) -> None:
        """`origin`: the name of the history's log in an epoch."""
        self._guard, self._store, self._broker, self._topic = guard, store, broker, topic
        self._source, self._origin, self._clock = source, origin, clock

    async def take_back(self) -> Head:
        """Re-append, byte for byte, the records that the topic still holds beyond the end of the history. Returns the head reached.

        Raises RestoreRefused where they do not continue it, and BrokerUnavailable.
        """
        head = await self._store.head()
        waiting: list[Recorded] = []
        next_position = head.position + 1
        async for message in self._messages():
            # A topic may hold a message more than once, and those of a life that was given up.
            if message.epoch == head.epoch and message.position == next_position:
                waiting.append(_recorded(message))
                next_position += 1
            if len(waiting) == RECORDS_AT_ONCE:
                head, waiting = await self._guard.restore(waiting), []
        if waiting:
            head = await self._guard.restore(waiting)
        with suppress(WritesRefused):  # others may have seen even more
            await self._guard.check()
        return head

    async def declare_epoch(self, actor: str) -> Head:
        """Give up whatever others have seen beyond the surviving records, and go on in a new epoch. Returns its first head."""
        given_up = self._origin((await self._store.head()).epoch)
        return await self._guard.declare_epoch(origin=given_up, source=self._source, actor=actor, now=self._clock.now())

    async def _messages(self) -> AsyncIterator[Message]:
        # Up to an offset, not to the newest message: a relay that was rolled back too has sent older ones again behind it.
        end = (await self._broker.fetch(self._topic, None, limit=1, timeout_ms=0)).next
        offset = 0
        while offset < end:
            fetched = await self._broker.fetch(self._topic, offset, limit=RECORDS_AT_ONCE, timeout_ms=FETCH_TIMEOUT_MS)
            for message in fetched.messages:
                yield message
            if fetched.next == offset:
                raise BrokerUnavailable(f"{self._topic} ends at {end} and gives nothing after {offset}")
            offset = fetched.next


def _recorded(message: Message) -> Recorded:
    envelope = decode(message.value)
    return Recorded(message.position, envelope.stream, envelope.version, envelope.type, message.value, leaf_hash(message.value))
