"""Fixtures for every suite: a real PostgreSQL for the run, a fresh database for each test that asks."""

import asyncio
import os
import secrets
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import pytest
from foundation.migrations import FOUNDATION, migrate
from hypothesis import settings
from node.embedded.broker import answers
from node.embedded.ports import free_port
from node.embedded.postgres import Postgres

from tests.support import embedded_broker, fresh_database, started_postgres

# How long an example takes says more of the machine's other work than of the code. The same examples every time, so that a change's
# own suite says yes or no to that change; TONGXIN_EXPLORE=1 looks for new ones.
settings.register_profile("tongxin", deadline=None, derandomize=not os.environ.get("TONGXIN_EXPLORE"))
settings.load_profile("tongxin")


class Container:
    """PostgreSQL in a container, seen as the embedded one is."""

    def __init__(self, address: str, password: str) -> None:
        self._address, self._password = address, password

    def dsn(self, database: str = "postgres") -> str:
        """A DSN as superuser."""
        return f"postgresql://postgres:{self._password}@{self._address}/{database}"


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres | Container]:
    """One PostgreSQL for the whole run: embedded, or in a container with TONGXIN_TEST_BACKEND=docker."""
    if os.environ.get("TONGXIN_TEST_BACKEND") == "docker":
        from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - needs Docker

        password = secrets.token_hex(8)
        image = PostgresContainer("postgres:18", username="postgres", password=password).with_command("-c max_connections=200")
        with image as container:
            yield Container(f"{container.get_container_host_ip()}:{container.get_exposed_port(5432)}", password)
        return
    # Nothing that comes by itself, and nobody kills this server: tests of what a kill leaves have one of their own.
    with started_postgres({"max_connections": "200", "autovacuum": "off", "fsync": "off"}) as server:
        yield server


@pytest.fixture
async def database(postgres: Postgres) -> AsyncIterator[str]:
    """The DSN of a fresh, empty database."""
    async with fresh_database(postgres, f"t{os.getpid()}_{secrets.token_hex(4)}") as dsn:
        yield dsn


@pytest.fixture(scope="session")
def migrated_template(postgres: Postgres) -> str:
    """The name of a database with foundation's migrations applied, to copy from."""
    name = f"template_foundation_{os.getpid()}"

    async def make() -> None:
        admin = await asyncpg.connect(postgres.dsn())
        await admin.execute(f'create database "{name}"')
        await admin.close()
        await migrate(postgres.dsn(name), FOUNDATION)

    asyncio.run(make())
    return name


@pytest.fixture
async def migrated(postgres: Postgres, migrated_template: str) -> AsyncIterator[str]:
    """The DSN of a fresh database with foundation's migrations applied."""
    async with fresh_database(postgres, f"m{os.getpid()}_{secrets.token_hex(4)}", template=migrated_template) as dsn:
        yield dsn


@contextmanager
def kafka_container() -> Iterator[str]:
    """Apache Kafka from its own image; testcontainers' ready-made one knows another vendor's start script only."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - needs Docker

    port = free_port()
    image = DockerContainer("apache/kafka:4.3.1").with_bind_ports(9092, port)
    for name, value in {
        "NODE_ID": "1",
        "PROCESS_ROLES": "broker,controller",
        "LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{port}",
        "LISTENER_SECURITY_PROTOCOL_MAP": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
    }.items():
        image.with_env(f"KAFKA_{name}", value)
    with image:
        deadline = time.monotonic() + 120
        while not answers(port):
            if time.monotonic() > deadline:
                pytest.fail("Apache Kafka's container does not answer")
            time.sleep(0.2)
        yield f"127.0.0.1:{port}"


@pytest.fixture(scope="session")
def kafka_bootstrap() -> Iterator[str]:
    """A broker for the whole run: noida-db; Apache Kafka with TONGXIN_TEST_BROKER=apache, its image with TONGXIN_TEST_BACKEND=docker."""
    if os.environ.get("TONGXIN_TEST_BACKEND") == "docker":
        with kafka_container() as bootstrap:
            yield bootstrap
        return
    folder = Path(tempfile.mkdtemp(prefix="tongxin-broker-"))
    server = embedded_broker(folder)
    server.start()
    try:
        yield server.bootstrap
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)
