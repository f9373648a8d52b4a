"""The limit of one hot row: UPDATE … WHERE taken < cap RETURNING from N connections, one commit each.

python -m benchmarks.peers.seats DSN CONNECTIONS CALLERS PLACES
"""

import asyncio
import sys
import time
from collections.abc import Iterator

import asyncpg
import uvloop

from benchmarks.load import report


async def main(dsn: str, connections: int, count: int, places: int) -> None:
    """Three rounds on a new row each."""
    pool = await asyncpg.create_pool(dsn, min_size=connections, max_size=connections)
    await pool.execute("drop table if exists seats; create table seats (id int primary key, taken int not null)")
    held = [await pool.acquire() for _ in range(connections)]
    statements = [await c.prepare("update seats set taken = taken + 1 where id = $1 and taken < $2 returning taken") for c in held]
    seconds = []
    for number in range(3):
        await held[0].execute("insert into seats values ($1, 0)", number)
        queue = iter(range(count))
        began = time.perf_counter()
        got = sum(await asyncio.gather(*(_take(statement, number, places, queue) for statement in statements)))
        seconds.append(time.perf_counter() - began)
        if got != places:
            raise AssertionError(f"{got} for {places} places")
    median = sorted(seconds)[1]
    report(rate=count / median, seconds=median)
    for connection in held:
        await pool.release(connection)
    await pool.close()


async def _take(statement: "asyncpg.prepared_stmt.PreparedStatement[asyncpg.Record]", row: int, places: int, queue: Iterator[int]) -> int:
    taken = 0
    for _ in queue:
        rows = await statement.fetch(row, places)
        taken += len(rows)
    return taken


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])))
