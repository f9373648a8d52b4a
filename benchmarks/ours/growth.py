"""Cost and memory per appended event as one history grows: the same load at 10,000, 100,000, 1 m and 3 m events.

python -m benchmarks.ours.growth DSN VAULT_DSN EVENTS_MAX
"""

import os
import resource
import sys
import time
from uuid import uuid4

import psutil
import uvloop
from foundation.commands import CommandRef

from benchmarks.load import callers, report
from benchmarks.ours.append import BY
from benchmarks.ours.read import fill
from benchmarks.ours.store import THING, Do, full_path

SIZES = (10_000, 100_000, 1_000_000, 3_000_000)
LOAD = 10_000


def _cpu_seconds(pids: list[int]) -> float:
    own = resource.getrusage(resource.RUSAGE_SELF)
    servers = 0.0
    for pid in pids:
        try:
            times = psutil.Process(pid).cpu_times()
        except psutil.NoSuchProcess:
            continue
        servers += times.user + times.system
    return own.ru_utime + own.ru_stime + servers


async def main(dsn: str, vault_dsn: str, events_max: int) -> None:
    """Fill to each size cheaply, then measure the full path there: CPU of this process and of its database sessions."""
    points = []
    async with full_path(dsn, vault_dsn) as path:
        people = [os.urandom(16).hex() for _ in range(1_000)]

        async def once(_: int, number: int) -> None:
            await path.handler.handle(
                THING, os.urandom(16).hex(), Do(people[number % 1_000], "欧阳娜娜"), by=BY, key=CommandRef(uuid4(), b"h" * 32)
            )

        await callers(64, LOAD, once)
        for size in [size for size in SIZES if size <= events_max]:
            # Before the filling: the first touch of a page after a checkpoint writes the whole page, so right after one a command costs
            # more the more pages there are. That is a matter of how often the server makes one, and is over after some thousand events.
            await path.pool.execute("checkpoint")
            stands = (await path.store.head()).position + 1
            if stands < size:
                await fill(path.store, size - stands)
            sessions = [row["pid"] for row in await path.pool.fetch("select pid from pg_stat_activity where datname = current_database()")]
            began, cpu = time.perf_counter(), _cpu_seconds(sessions)
            figures = await callers(64, LOAD, once)
            cpu_us = (_cpu_seconds(sessions) - cpu) / LOAD * 1e6
            points.append(
                {
                    "events": size,
                    "cpu_us": cpu_us,
                    "rate": figures["rate"],
                    "p99_ms": figures["p99_ms"],
                    "seconds": time.perf_counter() - began,
                    "rss_mb": psutil.Process().memory_info().rss / 1e6,
                }
            )
    report(points=points)


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
