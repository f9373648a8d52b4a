"""What the suites make their worlds from: servers and databases for a while, roles, tokens, services of this process reached by name."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import httpx
from contracts.values import CHINA, day_in_china
from foundation.clock import Clock, SystemClock
from foundation.http.tokens import NodeIssuer, SigningKey
from foundation.settings import Settings
from node.embedded.broker import ApacheKafka, NoidaBroker
from node.embedded.ports import free_port
from node.embedded.postgres import Postgres

PATIENCE_SECONDS = 120
"""How long a test waits for what should be so in a moment: a bound for whoever waits in vain, that costs nothing where it comes."""


class Midday:
    """The machine's clock, set to noon in China on the day on which the tests began: none of them runs into the next day."""

    BEGAN = SystemClock().now()
    DAY = day_in_china(BEGAN)

    def now(self) -> datetime:
        """This moment."""
        return datetime.combine(self.DAY, time(12), CHINA).astimezone(UTC) + (SystemClock().now() - self.BEGAN)


class Server(Protocol):
    """A PostgreSQL, embedded or in a container."""

    def dsn(self, database: str = "postgres") -> str:
        """A DSN as superuser."""
        ...


@contextmanager
def started_postgres(settings: Mapping[str, str]) -> Iterator[Postgres]:
    """An embedded PostgreSQL of one's own; gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="tongxin-test-"))
    folder.chmod(0o711)  # its own system user must get in
    server = Postgres(folder / "pg", free_port(), settings=dict(settings))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def embedded_broker(folder: Path) -> NoidaBroker | ApacheKafka:
    """A broker to be started: noida-db, or Apache Kafka with TONGXIN_TEST_BROKER=apache."""
    return (ApacheKafka if os.environ.get("TONGXIN_TEST_BROKER") == "apache" else NoidaBroker)(folder, free_port())


@asynccontextmanager
async def fresh_database(server: Server, name: str, *, template: str = "template1") -> AsyncIterator[str]:
    """A new database's DSN; where the test passes, the database goes with it."""
    await execute(server, f'create database "{name}" template "{template}"')
    yield server.dsn(name)
    await execute(server, f'drop database "{name}" with (force)')


async def execute(server: Server, statement: str) -> None:
    """One statement as superuser."""
    admin = await asyncpg.connect(server.dsn())
    try:
        await admin.execute(statement)
    finally:
        await admin.close()


def as_role(dsn: str, role: str, password: str) -> str:
    """The same database for another role."""
    parts = urlsplit(dsn)
    return urlunsplit(parts._replace(netloc=f"{role}:{password}@{parts.hostname}:{parts.port}"))


def issuer_of(settings: Settings, clock: Clock | None = None) -> NodeIssuer:
    """Mints the tokens that a service with these settings trusts, at its clock."""
    key = SigningKey.at(settings.signing_key_file)
    return NodeIssuer(key, issuer=settings.node_issuer, audience="tongxin", clock=clock or SystemClock())


def by_name(services: Mapping[str, httpx.ASGITransport]) -> httpx.MockTransport:
    """Reaches services of this process as `http://<name>`; who is not there (yet) refuses the connection."""

    async def route(request: httpx.Request) -> httpx.Response:
        transport = services.get(request.url.host)
        if transport is None:
            raise httpx.ConnectError("nobody listens there")
        return await transport.handle_async_request(request)

    return httpx.MockTransport(route)
