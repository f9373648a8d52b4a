"""From a command's commit to its event applied and committed in another service's database, through Kafka.

python -m benchmarks.ours.end_to_end DSN VAULT_DSN SINK_DSN BOOTSTRAP EVENTS_PER_SECOND SECONDS
"""

import asyncio
import os
import sys
import time
from collections.abc import Sequence
from importlib.resources import files

import asyncpg
import uvloop
from foundation.broker.kafka import KafkaBroker
from foundation.consumer import Consumer, HistoryDiffers, Standing
from foundation.cursor import Connection
from foundation.history import Happened
from foundation.migrations import migrate
from foundation.relay import Relay
from foundation.store.port import NO_LEAF, EventStore, Recorded

from benchmarks.load import paced, quantile, report
from benchmarks.ours.append import BY
from benchmarks.ours.store import CATALOGUE, THING, Do, full_path

WAIT_SECONDS = 30


class Local:
    """The source, asked without HTTP: what is measured is the way through Kafka."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def head(self, at: int = -1) -> Standing:
        """See consumer.Source."""
        head = await self._store.head()
        return Standing(head.epoch, head.position, head.leaf, NO_LEAF if at < 0 else await self._store.leaf_at(at))

    async def events(self, epoch: int, after: int, leaf: bytes, upto: int, limit: int) -> Sequence[Recorded]:
        """See consumer.Source."""
        if (await self.head(after)).at != leaf:
            raise HistoryDiffers("another leaf")
        return await self._store.read(after, limit=limit, upto=upto)


class Rows:
    """One row per event."""

    async def apply(self, connection: Connection, batch: Sequence[Happened]) -> None:
        """See consumer.Effect."""
        await connection.execute(
            "insert into applied select * from unnest($1::bigint[], $2::text[])",
            [happened.position for happened in batch],
            [happened.envelope.stream for happened in batch],
        )


async def main(dsn: str, vault_dsn: str, sink: str, bootstrap: str, rate: int, seconds: int) -> None:
    """Pace commands, wait for each to be applied."""
    await migrate(sink, files("foundation") / "migrations")
    pool = await asyncpg.create_pool(sink, min_size=2, max_size=4)
    await pool.execute("create table applied (position bigint primary key, stream text not null)")
    broker = KafkaBroker(bootstrap)
    topic = f"bench-{os.urandom(4).hex()}.events"
    latencies: list[float] = []
    async with full_path(dsn, vault_dsn) as path:
        relay = Relay(path.store, broker, path.pool, topic=topic)
        consumer = Consumer(
            "sink", "bench", broker=broker, reader=Local(path.store), pool=pool, effect=Rows(), topic=topic, catalogue=CATALOGUE
        )
        relay.start()
        consumer.start()
        people = [os.urandom(16).hex() for _ in range(1_000)]

        async def once(number: int) -> None:
            done = await path.handler.handle(THING, os.urandom(16).hex(), Do(people[number % 1_000], "欧阳娜娜"), by=BY)
            committed = time.perf_counter()
            await consumer.progress.reached(done.position, WAIT_SECONDS)
            latencies.append(time.perf_counter() - committed)

        await paced(rate, 3, once)
        latencies.clear()
        await paced(rate, seconds, once)
        applied, distinct = await pool.fetchrow("select count(*), count(distinct stream) from applied") or (0, 0)
        if not applied == distinct == rate * (seconds + 3):
            raise AssertionError(f"{applied} applied, {distinct} distinct, of {rate * (seconds + 3)}")
        report(p50_ms=quantile(latencies, 0.5) * 1000, p99_ms=quantile(latencies, 0.99) * 1000, events=len(latencies))
        await asyncio.gather(relay.close(), consumer.close())
    await broker.close()
    await pool.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4], int(sys.argv[5]), int(sys.argv[6])))
