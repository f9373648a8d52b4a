"""Fixtures of the suites that need a real PostgreSQL."""

import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import pytest
from foundation.cursor import Pool
from foundation.store.memory import MemoryStore
from node.embedded.postgres import Postgres

from tests.support import fresh_database

from .two_services import Node, node


@pytest.fixture
async def pool(migrated: str) -> AsyncIterator[Pool]:
    """Connections to a fresh database with foundation's tables."""
    async with asyncpg.create_pool(migrated, min_size=1, max_size=16) as made:
        yield made


@pytest.fixture
async def store() -> AsyncIterator[MemoryStore]:
    """A history in memory."""
    made = MemoryStore()
    yield made
    await made.close()


@pytest.fixture
async def two(postgres: Postgres, tmp_path: Path) -> AsyncIterator[Node]:
    """Databases and settings of two small services that follow each other."""
    suffix = secrets.token_hex(4)
    async with AsyncExitStack() as stack:
        names = ("units", "desks", "vault")
        databases = {name: await stack.enter_async_context(fresh_database(postgres, f"svc_{name}_{suffix}")) for name in names}
        yield await stack.enter_async_context(node(tmp_path, suffix, databases))
