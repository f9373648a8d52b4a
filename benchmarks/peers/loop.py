"""The limit of end to end: a bare insert, produce, consume, insert loop with asyncpg and aiokafka, nothing else.

python -m benchmarks.peers.loop DSN SINK_DSN BOOTSTRAP EVENTS_PER_SECOND SECONDS
"""

import asyncio
import os
import sys
import time

import asyncpg
import orjson
import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # type: ignore[import-untyped]  # the library has no types

from benchmarks.load import paced, payload, quantile, report


async def main(dsn: str, sink: str, bootstrap: str, rate: int, seconds: int) -> None:
    """Pace inserts, wait for each to be inserted on the other side."""
    source_pool = await asyncpg.create_pool(dsn, min_size=4, max_size=8)
    sink_pool = await asyncpg.create_pool(sink, min_size=2, max_size=4)
    for pool in (source_pool, sink_pool):
        await pool.execute("create table looped (id text primary key, record bytea not null)")
    topic = f"loop-{os.urandom(4).hex()}"
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    await producer.send_and_wait(topic, b"first", partition=0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    await consumer.start()
    partition = TopicPartition(topic, 0)
    consumer.assign([partition])
    await consumer.seek_to_end(partition)
    await consumer.position(partition)
    body = orjson.dumps(payload())
    arrived: dict[str, asyncio.Future[None]] = {}
    latencies: list[float] = []
    ended = False

    async def drain() -> None:
        while not ended:
            for messages in (await consumer.getmany(timeout_ms=200, max_records=500)).values():
                keys = [message.key.decode() for message in messages]
                await sink_pool.execute("insert into looped select k, $2 from unnest($1::text[]) as t (k)", keys, body)
                for key in keys:
                    arrived.pop(key).set_result(None)

    async def once(_: int) -> None:
        key = os.urandom(16).hex()
        arrived[key] = future = asyncio.get_running_loop().create_future()
        await source_pool.execute("insert into looped values ($1, $2)", key, body)
        committed = time.perf_counter()
        await (await producer.send(topic, body, key=key.encode(), partition=0))
        await future
        latencies.append(time.perf_counter() - committed)

    draining = asyncio.create_task(drain())
    await paced(rate, 3, once)
    latencies.clear()
    await paced(rate, seconds, once)
    ended = True
    await draining
    report(p50_ms=quantile(latencies, 0.5) * 1000, p99_ms=quantile(latencies, 0.99) * 1000, events=len(latencies))
    await producer.stop()
    await consumer.stop()
    await source_pool.close()
    await sink_pool.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
