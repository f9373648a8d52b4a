"""Kafka through aiokafka, with what a prototype's kills taught (DESIGN 6).

A client that failed is dropped, never mended. Every call is bounded in time; a `stop` that hangs is left behind. `getmany` is never
cancelled: that loses what it had taken from its buffer. Consumers are assigned their partition; there are no groups and no committed
offsets. One producer and a few idle readers per topic are kept.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition  # type: ignore[import-untyped]
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]
from aiokafka.errors import KafkaError, OffsetOutOfRangeError  # type: ignore[import-untyped]

from foundation.broker.patience import PatientConsumer
from foundation.broker.port import BrokerUnavailable, Fetched, Message

log = structlog.get_logger()

BATCH_BYTES_MAX = 512 * 1024
"""Well below the broker's default limit (1 MiB); a record has at most 60,000 bytes."""

STOP_SECONDS_MAX = 5
"""A client's `stop` may hang for ever on a dead broker."""

WATCH_SECONDS = 5
"""A reader that brought nothing for this long is checked against the topic's end."""

_NO_ERROR, _TOPIC_EXISTS = 0, 36
_CONTENT_TYPE = ("content-type", b"application/cloudevents+json; charset=UTF-8")  # CloudEvents' Kafka binding 1.0.2, 3.3


@dataclass(slots=True, eq=False)
class _Reader:
    """A consumer assigned to one partition: where it stands, and when it last proved to be alive (monotonic seconds)."""

    consumer: Any
    partition: Any
    position: int | None
    alive_at: float


class KafkaBroker:
    """The port over one cluster. Hours, replicas and in-sync replicas are those of topics made from now on."""

    def __init__(
        self,
        bootstrap: str,
        *,
        replication_factor: int = 1,
        min_insync_replicas: int = 1,
        retention_hours: int = 72,
        timeout_seconds: float = 10,
    ) -> None:
        self._bootstrap, self._timeout = bootstrap, timeout_seconds
        self._replication_factor = replication_factor
        self._topic_settings = {
            "cleanup.policy": "delete",
            "retention.ms": str(retention_hours * 3_600_000),
            "min.insync.replicas": str(min_insync_replicas),
            "unclean.leader.election.enable": "false",
        }
        self._producer: Any = None
        self._producing = asyncio.Lock()
        self._idle: defaultdict[str, list[_Reader]] = defaultdict(list)
        self._retiring: set[asyncio.Task[None]] = set()

    async def ensure_topic(self, topic: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap, request_timeout_ms=int(self._timeout * 1000))
        try:
            async with self._bounded("make topic"):
                await admin.start()
                wanted = NewTopic(topic, 1, self._replication_factor, topic_configs=self._topic_settings)
                answer = await admin.create_topics([wanted])
        finally:
            self._retire(admin.close())
        code, *why = answer.topic_errors[0][1:]
        if code not in {_NO_ERROR, _TOPIC_EXISTS}:
            raise BrokerUnavailable(f"make topic {topic}: error {code} {why}")

    async def produce(self, topic: str, messages: Sequence[Message]) -> None:
        async with self._producing:
            try:
                async with self._bounded("produce"):
                    producer = self._producer or await self._start_producer(topic)
                    batches = list(_batches(producer, messages))
                    await asyncio.gather(*[await producer.send_batch(batch, topic, partition=0) for batch in batches])
            except BaseException:
                # Also when cancelled: what is on its way in this producer is unknown, and an idempotent batch never gives up by itself.
                self._drop_producer()
                raise

    async def last(self, topic: str) -> Message | None:
        try:
            end = (await self.fetch(topic, None, limit=1, timeout_ms=0)).next
            if end == 0:
                return None
            newest = await self.fetch(topic, end - 1, limit=1, timeout_ms=int(self._timeout * 1000))
            if newest.next < end:
                raise BrokerUnavailable(f"the newest message of {topic} did not come")
            return newest.messages[0] if newest.messages else None
        finally:
            self._retire_idle(topic)  # asked once in a while; an idle reader would go on fetching ahead

    async def fetch(self, topic: str, offset: int | None, *, limit: int, timeout_ms: int) -> Fetched:
        reader = self._take_idle(topic, offset) or await self._start_reader(topic)
        poll = asyncio.create_task(self._poll(reader, offset, limit, timeout_ms))
        try:
            await asyncio.wait({poll}, timeout=timeout_ms / 1000 + self._timeout)
            if not poll.done():
                raise BrokerUnavailable(f"reading {topic} hangs")
            fetched = poll.result()
        except BaseException as error:
            poll.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._retire(reader.consumer.stop())
            if isinstance(error, KafkaError | TimeoutError | OSError):
                raise BrokerUnavailable(f"read {topic}: {error!r:.200}") from error
            raise
        self._idle[topic].append(reader)
        return fetched

    async def close(self) -> None:
        self._drop_producer()
        for topic in list(self._idle):
            self._retire_idle(topic)
        if self._retiring:
            await asyncio.wait(self._retiring, timeout=2 * STOP_SECONDS_MAX)

    # ------------------------------------------------------------------------------------------------------ clients

    async def _start_producer(self, topic: str) -> Any:
        await self.ensure_topic(topic)
        self._producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            max_batch_size=BATCH_BYTES_MAX,
            request_timeout_ms=int(self._timeout * 1000),
        )
        await self._producer.start()
        return self._producer

    def _drop_producer(self) -> None:
        if self._producer is not None:
            self._retire(self._producer.stop())
            self._producer = None

    async def _start_reader(self, topic: str) -> _Reader:
        await self.ensure_topic(topic)
        consumer = PatientConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            request_timeout_ms=int(self._timeout * 1000),
        )
        try:
            async with self._bounded("start reader"):
                await consumer.start()
        except BaseException:
            self._retire(consumer.stop())
            raise
        partition = TopicPartition(topic, 0)
        consumer.assign([partition])
        return _Reader(consumer, partition, None, time.monotonic())

    def _take_idle(self, topic: str, offset: int | None) -> _Reader | None:
        """An idle reader, one that stands at the offset if there is one: so it goes on with what it has fetched ahead."""
        idle = self._idle[topic]
        if not idle:
            return None
        best = next((reader for reader in idle if reader.position == offset), idle[-1])
        idle.remove(best)
        return best

    def _retire_idle(self, topic: str) -> None:
        for reader in self._idle.pop(topic, ()):
            self._retire(reader.consumer.stop())

    def _retire(self, stop: Any) -> None:
        async def bounded() -> None:
            try:
                await asyncio.wait_for(stop, STOP_SECONDS_MAX)
            except Exception as error:
                log.info("a Kafka client did not stop cleanly", error=type(error).__name__)

        task = asyncio.create_task(bounded())
        self._retiring.add(task)
        task.add_done_callback(self._retiring.discard)

    @asynccontextmanager
    async def _bounded(self, what: str) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._timeout):
                yield
        except (KafkaError, TimeoutError, OSError) as error:
            raise BrokerUnavailable(f"{what}: {error!r:.200}") from error

    # ------------------------------------------------------------------------------------------------------ reading

    async def _poll(self, reader: _Reader, offset: int | None, limit: int, timeout_ms: int) -> Fetched:
        consumer, partition = reader.consumer, reader.partition
        if offset is None:
            offset = await self._end(reader)
        if reader.position != offset:
            self._seek(reader, offset)
        try:
            found = (await consumer.getmany(partition, timeout_ms=timeout_ms, max_records=limit)).get(partition, [])
        except OffsetOutOfRangeError:
            return Fetched((), await self._back_into_range(reader, offset))
        if found:
            reader.position, reader.alive_at = found[-1].offset + 1, time.monotonic()
        elif time.monotonic() - reader.alive_at > WATCH_SECONDS:
            end = await self._end(reader)
            if end > offset:
                raise BrokerUnavailable(f"a reader of {partition.topic} stays at {offset} though the topic ends at {end}")
            if end < offset:
                await self._back_into_range(reader, offset)
            reader.alive_at = time.monotonic()
        return Fetched(tuple(_messages(found)), reader.position or 0)

    async def _end(self, reader: _Reader) -> int:
        return int((await reader.consumer.end_offsets([reader.partition]))[reader.partition])

    async def _back_into_range(self, reader: _Reader, offset: int) -> int:
        first = int((await reader.consumer.beginning_offsets([reader.partition]))[reader.partition])
        nearest = min(max(offset, first), await self._end(reader))
        log.warning("offset out of range", topic=reader.partition.topic, offset=offset, continued_at=nearest)
        self._seek(reader, nearest)
        return nearest

    @staticmethod
    def _seek(reader: _Reader, offset: int) -> None:
        reader.consumer.seek(reader.partition, offset)
        reader.position = offset


def _batches(producer: Any, messages: Sequence[Message]) -> Iterator[Any]:
    """The messages in as few batches as they fit in, in order."""
    batch = None
    for message in messages:
        # The time is the broker's business (retention counts from it), so it is now, not the record's.
        fields = {"timestamp": None, "key": message.key.encode(), "value": message.value, "headers": _headers(message)}
        if batch is None or batch.append(**fields) is None:
            if batch is not None:
                yield batch
            batch = producer.create_batch()
            batch.append(**fields)
    if batch is not None:
        yield batch


def _headers(message: Message) -> list[tuple[str, bytes]]:
    return [
        ("epoch", str(message.epoch).encode()),
        ("position", str(message.position).encode()),
        ("previousleaf", message.previous_leaf.hex().encode()),
        _CONTENT_TYPE,
    ]


def _messages(found: Sequence[Any]) -> Iterator[Message]:
    for one in found:
        try:
            headers = dict(one.headers)
            yield Message(
                key=one.key.decode(),
                value=bytes(one.value),
                epoch=int(headers["epoch"]),
                position=int(headers["position"]),
                previous_leaf=bytes.fromhex(headers["previousleaf"].decode()),
            )
        except (AttributeError, KeyError, TypeError, ValueError):
            log.warning("not one of our messages", topic=one.topic, offset=one.offset)
