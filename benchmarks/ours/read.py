"""Reading a history as decoded, typed events, and its limit: a key-set read with orjson alone, on the same rows.

python -m benchmarks.ours.read DSN EVENTS
"""

import os
import sys
import time
from importlib.resources import files

import asyncpg
import orjson
import uvloop
from foundation import record
from foundation.clock import SystemClock
from foundation.cursor import Pool
from foundation.history import Reading
from foundation.ids import uuid7
from foundation.migrations import migrate
from foundation.sealing import b64
from foundation.store.port import AppendRequest, NewEvent, StreamAppend
from foundation.store.postgres import PostgresStore
from foundation.tuning import settle_garbage_collector

from benchmarks.load import report
from benchmarks.ours.store import CATALOGUE, Happened

PAGE = 1_000
ROUNDS = 5


async def fill(store: PostgresStore, events: int) -> None:
    """A history of one-event streams, each with one sealed field."""
    now = SystemClock().now()

    def one() -> AppendRequest:
        stream = f"thing-{os.urandom(16).hex()}"
        sealed = {
            "kid": b64(os.urandom(16)),
            "nonce": b64(os.urandom(12)),
            "ciphertext": b64(os.urandom(48)),
            "commitment": b64(os.urandom(32)),
        }
        encoded = record.encode(
            id=uuid7(now),
            source="/nodes/3709/bench",
            type=Happened.TYPE,
            stream=stream,
            time=now,
            version=1,
            correlation="bench",
            causation=None,
            actor="0" * 32,
            org="370902",
            data={"person": os.urandom(16).hex(), "name": sealed, "text": ""},
        )
        return AppendRequest((StreamAppend(stream, 0, (NewEvent(Happened.TYPE, encoded),)),))

    for start in range(0, events, PAGE):
        await store.append([one() for _ in range(min(PAGE, events - start))])


async def limit(pool: Pool) -> int:
    """Key-set read and orjson, nothing else."""
    last, count = -1, 0
    while rows := await pool.fetch("select position, record from events where position > $1 order by position limit $2", last, PAGE):
        for row in rows:
            orjson.loads(row["record"])
        last, count = rows[-1]["position"], count + len(rows)
    return count


async def typed(store: PostgresStore) -> int:
    """What deciders and projections get."""
    reading, last, count = Reading(CATALOGUE), -1, 0
    while recorded := await store.read(last, limit=PAGE):
        count += len(reading.all(recorded))
        last = recorded[-1].position
    return count


async def main(dsn: str, events: int) -> None:
    """Rounds in turn, after one to warm up."""
    await migrate(dsn, files("foundation") / "migrations")
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=4)
    store = PostgresStore(pool)
    await store.start()
    await fill(store, events)
    settle_garbage_collector()
    rates: dict[str, list[float]] = {"limit": [], "typed": []}
    for number in range(ROUNDS + 1):
        for name, read in (("limit", limit(pool)), ("typed", typed(store))):
            began = time.perf_counter()
            count = await read
            if count != events:
                raise AssertionError(f"{count} of {events} events read")
            if number:
                rates[name].append(count / (time.perf_counter() - began))
    report(limit=rates["limit"], typed=rates["typed"])
    await store.close()
    await pool.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2])))
