"""Spans around the ports. A record's bytes carry the trace only as its correlation id, so a batch's span links to those of its records.

Used where spans are exported at all; otherwise the ports stay as they are and nothing is paid for.
"""

from collections.abc import AsyncIterator, Sequence
from uuid import UUID

from foundation.broker.port import Broker, Fetched, Message
from foundation.consumer import Effect
from foundation.cursor import Connection
from foundation.history import Happened
from foundation.record import decode
from foundation.store.port import AppendRequest, Epoch, EventStore, Head, Outcome, Recorded, Remembered
from foundation.telemetry import Traces

LINKS_MAX = 32
"""More conversations than this in one batch are not all named."""


class TracedStore:
    """An event store whose batches are spans."""

    def __init__(self, store: EventStore, traces: Traces) -> None:
        self._store, self._traces = store, traces

    async def append(self, requests: Sequence[AppendRequest]) -> Sequence[Outcome]:
        """See EventStore.append."""
        events = [event.record for request in requests[:LINKS_MAX] for append in request.streams for event in append.events[:1]]
        with self._traces.span("append batch", links=correlations(events), requests=len(requests)):
            return await self._store.append(requests)

    async def head(self) -> Head:
        """See Reader.head."""
        return await self._store.head()

    async def leaf_at(self, position: int) -> bytes | None:
        """See Reader.leaf_at."""
        return await self._store.leaf_at(position)

    async def epochs(self) -> Sequence[Epoch]:
        """See Reader.epochs."""
        return await self._store.epochs()

    async def read(self, after: int, *, limit: int = 1_000, upto: int | None = None) -> Sequence[Recorded]:
        """See Reader.read."""
        return await self._store.read(after, limit=limit, upto=upto)

    async def read_stream(self, stream: str, *, after: int = 0) -> Sequence[Recorded]:
        """See EventStore.read_stream."""
        return await self._store.read_stream(stream, after=after)

    async def read_streams(self, streams: Sequence[str]) -> dict[str, Sequence[Recorded]]:
        """See EventStore.read_streams."""
        return await self._store.read_streams(streams)

    async def versions(self, streams: Sequence[str]) -> dict[str, int]:
        """See EventStore.versions."""
        return await self._store.versions(streams)

    async def remembered(self, ids: Sequence[UUID]) -> dict[UUID, Remembered]:
        """See EventStore.remembered."""
        return await self._store.remembered(ids)

    def subscribe(self, after: int) -> AsyncIterator[Sequence[Recorded]]:
        """See EventStore.subscribe."""
        return self._store.subscribe(after)


class TracedBroker:
    """A broker to which sending is a span."""

    def __init__(self, broker: Broker, traces: Traces) -> None:
        self._broker, self._traces = broker, traces

    async def produce(self, topic: str, messages: Sequence[Message]) -> None:
        """See Broker.produce."""
        sent = correlations([message.value for message in messages[:LINKS_MAX]])
        with self._traces.span("relay", links=sent, topic=topic, records=len(messages)):
            await self._broker.produce(topic, messages)

    async def ensure_topic(self, topic: str) -> None:
        """See Broker.ensure_topic."""
        await self._broker.ensure_topic(topic)

    async def last(self, topic: str) -> Message | None:
        """See Broker.last."""
        return await self._broker.last(topic)

    async def fetch(self, topic: str, offset: int | None, *, limit: int, timeout_ms: int) -> Fetched:
        """See Broker.fetch."""
        return await self._broker.fetch(topic, offset, limit=limit, timeout_ms=timeout_ms)

    async def close(self) -> None:
        """See Broker.close."""
        await self._broker.close()


class TracedEffect:
    """A consumer's effect as a span; the commands that its reactions issue are spans of their records' traces below it."""

    def __init__(self, effect: Effect, traces: Traces, consumer: str, source: str) -> None:
        self._effect, self._traces, self._consumer, self._source = effect, traces, consumer, source

    async def apply(self, connection: Connection, batch: Sequence[Happened]) -> None:
        """See Effect.apply."""
        links = [one.envelope.correlation for one in batch[:LINKS_MAX]]
        with self._traces.span("consume", links=links, consumer=self._consumer, source=self._source, records=len(batch)):
            await self._effect.apply(connection, batch)


def correlations(records: Sequence[bytes]) -> list[str]:
    """The conversations that records belong to."""
    return [decode(record).correlation for record in records]
