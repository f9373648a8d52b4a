"""message-db (npm @eventide/message-db), its `write_message` called by bare asyncpg from N connections.

python -m benchmarks.peers.message_db DSN install|append CONNECTIONS EVENTS
"""

import sys
import uuid
from pathlib import Path

import asyncpg
import orjson
import uvloop

from benchmarks.load import callers, payload, report

DATABASE = Path(__file__).parent / "node_modules" / "@eventide" / "message-db" / "database"
ORDER = ("roles", "schema", "types", "tables", "functions", "indexes", "views", "privileges")


async def install(dsn: str) -> None:
    """Run the package's own SQL in the order of its install.sh, but for pgcrypto, whose gen_random_uuid PostgreSQL has itself."""
    connection = await asyncpg.connect(dsn)
    await connection.execute("create schema if not exists message_store")
    for folder in ORDER:
        files = sorted((DATABASE / folder).glob("*.sql"))
        pending = files
        for _ in range(len(files) + 1):
            left = []
            for file in pending:
                try:
                    await connection.execute("set search_path to message_store, public; " + file.read_text())
                except (asyncpg.UndefinedFunctionError, asyncpg.UndefinedObjectError, asyncpg.UndefinedTableError):
                    left.append(file)  # it builds on a file further on
                except asyncpg.DuplicateObjectError:
                    continue
            if not left or left == pending:
                break
            pending = left
    await connection.close()
    report(installed=True)


async def append(dsn: str, connections: int, events: int) -> None:
    """New streams of one event each."""
    pool = await asyncpg.create_pool(
        dsn, min_size=connections, max_size=connections, server_settings={"search_path": "message_store,public"}
    )
    held = [await pool.acquire() for _ in range(connections)]
    body = orjson.dumps(payload()).decode()
    statements = [
        await connection.prepare("select message_store.write_message($1::varchar, $2::varchar, 'Happened', $3::jsonb, null, -1)")
        for connection in held
    ]
    names = [(str(uuid.uuid4()), f"bench-{uuid.uuid4().hex}") for _ in range(events)]
    figures = await callers(connections, events, lambda caller, number: statements[caller].fetch(*names[number], body))
    report(**figures)
    for connection in held:
        await pool.release(connection)
    await pool.close()


if __name__ == "__main__":
    if sys.argv[2] == "install":
        uvloop.run(install(sys.argv[1]))
    else:
        uvloop.run(append(sys.argv[1], int(sys.argv[3]), int(sys.argv[4])))
