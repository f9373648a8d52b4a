"""The raw limit of appending: one bare INSERT and one commit per event from N connections, and multi-row INSERTs from one.

python -m benchmarks.peers.bare DSN insert|rows CONNECTIONS EVENTS
"""

import os
import sys
import uuid

import asyncpg
import orjson
import uvloop

from benchmarks.load import callers, payload, report

ROWS_AT_ONCE = 100


async def main(dsn: str, how: str, connections: int, events: int) -> None:
    """Measure one way of inserting into a table with the columns of an event."""
    pool = await asyncpg.create_pool(dsn, min_size=connections, max_size=connections)
    await pool.execute(
        "drop table if exists bare;"
        "create table bare (id bigint primary key, stream text, version int, type text, record bytea, unique (stream, version))"
    )
    held = [await pool.acquire() for _ in range(connections)]
    body = orjson.dumps(payload())
    if how == "insert":
        statements = [await connection.prepare("insert into bare values ($1, $2, 1, 'bench.Happened.v1', $3)") for connection in held]
        streams = [f"bench-{uuid.uuid4().hex}" for _ in range(events)]
        figures = await callers(connections, events, lambda caller, number: statements[caller].fetch(number, streams[number], body))
    else:
        statement = await held[0].prepare(
            "insert into bare select n, s, 1, 'bench.Happened.v1', r from unnest($1::bigint[], $2::text[], $3::bytea[]) as t (n, s, r)"
        )

        async def rows(_: int, number: int) -> None:
            ids = list(range(number * ROWS_AT_ONCE, (number + 1) * ROWS_AT_ONCE))
            await statement.fetch(ids, [f"bench-{os.urandom(16).hex()}" for _ in ids], [body] * len(ids))

        figures = await callers(1, events // ROWS_AT_ONCE, rows)
        figures["rate"] *= ROWS_AT_ONCE
    report(**figures)
    for connection in held:
        await pool.release(connection)
    await pool.close()


if __name__ == "__main__":
    uvloop.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
