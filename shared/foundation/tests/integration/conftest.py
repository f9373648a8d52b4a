"""Fixtures of the suites that need a real PostgreSQL."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from foundation.cursor import Pool
from foundation.store.memory import MemoryStore


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
