"""Schema migrations: plain SQL files `NNNN_name.sql`, each applied once, in order, under a lock (DESIGN 9).

A file that has been applied is never edited: its checksum is kept and another text is refused.
"""

from collections.abc import Iterator
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import asyncpg

FOUNDATION: Traversable = files("foundation") / "migrations"
"""The folder of every service's first migrations."""

_LOCK = 7_301_002


class MigrationRefused(Exception):
    """A migration cannot be applied; nothing of it was."""


async def migrate(dsn: str, *folders: Traversable | Path) -> list[str]:
    """Apply what is missing, folder by folder, each file in a transaction of its own. Returns the names applied now.

    Migrations that the database has and the folders have not are left alone: newer programs expand before older ones are gone.
    Raises MigrationRefused where an applied file was edited, two files share a name, or one fails.
    """
    wanted = [(file.name, file.read_text(encoding="utf-8")) for folder in folders for file in _in_order(folder)]
    if len({name for name, _ in wanted}) < len(wanted):
        raise MigrationRefused(f"two migrations share a name: {sorted(name for name, _ in wanted)}")
    connection = await asyncpg.connect(dsn)
    try:
        # Held until the connection ends, so that services starting together wait for one another.
        await connection.execute("select pg_advisory_lock($1)", _LOCK)
        await connection.execute(
            "create table if not exists migrations (name text primary key, checksum bytea not null, applied_at timestamptz not null)"
        )
        applied = {row["name"]: row["checksum"] for row in await connection.fetch("select name, checksum from migrations")}
        return [name for name, text in wanted if await _apply(connection, name, text, applied.get(name))]
    finally:
        await connection.close()


def _in_order(folder: Traversable | Path) -> Iterator[Traversable]:
    return iter(sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name))


async def _apply(connection: "asyncpg.Connection[asyncpg.Record]", name: str, text: str, applied: bytes | None) -> bool:
    checksum = sha256(text.encode()).digest()
    if applied is not None:
        if applied != checksum:
            raise MigrationRefused(f"{name} was edited after it had been applied: put it back and write a new migration")
        return False
    try:
        async with connection.transaction():
            await connection.execute(text)
            await connection.execute(
                "insert into migrations (name, checksum, applied_at) values ($1, $2, clock_timestamp())", name, checksum
            )
    except asyncpg.PostgresError as error:
        raise MigrationRefused(f"{name}: {error}") from error
    return True
