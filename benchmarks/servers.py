"""The servers of a run: one PostgreSQL for everybody, durable, with the same settings for us and for the peers, and a broker."""

import asyncio
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from node.embedded.broker import NoidaBroker
from node.embedded.ports import free_port
from node.embedded.postgres import Postgres

SETTINGS = {"max_connections": "300", "shared_buffers": "1GB", "max_wal_size": "8GB", "synchronous_commit": "on", "fsync": "on"}


@dataclass(frozen=True)
class Servers:
    """Where the servers of this run are."""

    postgres: Postgres
    vault: Postgres
    bootstrap: str

    def database(self, name: str, *, vault: bool = False) -> str:
        """The DSN of a fresh database of that name."""
        server = self.vault if vault else self.postgres
        asyncio.run(_recreate(server.dsn(), name))
        return server.dsn(name)


async def _recreate(dsn: str, name: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f'drop database if exists "{name}" with (force)')
    await connection.execute(f'create database "{name}"')
    await connection.execute("checkpoint")
    await connection.close()


def parts(dsn: str) -> list[str]:
    """Host, port, user, password and database of a DSN, for programs that want them apart."""
    url = urlsplit(dsn)
    return [str(url.hostname), str(url.port), str(url.username), str(url.password), url.path.lstrip("/")]


@contextmanager
def running(folder: Path) -> Iterator[Servers]:
    """Start everything in a folder of its own (on a real disk), stop and remove it at the end."""
    folder.mkdir(parents=True)
    folder.chmod(0o711)
    postgres = Postgres(folder / "postgres", free_port(), settings=SETTINGS)
    vault = Postgres(folder / "vault", free_port(), settings=SETTINGS)
    broker = NoidaBroker(folder / "broker", free_port())
    try:
        postgres.start()
        vault.start()
        broker.start()
        yield Servers(postgres, vault, f"127.0.0.1:{broker.port}")
    finally:
        for server in (broker, vault, postgres):
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
