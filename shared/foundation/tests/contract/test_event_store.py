"""The contract suite over both adapters."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from foundation.store.memory import MemoryStore
from foundation.store.port import EventStore
from foundation.store.postgres import PostgresStore

from .event_store import EventStoreContract


class TestMemoryStore(EventStoreContract):
    @pytest.fixture
    async def store(self) -> AsyncIterator[EventStore]:
        store = MemoryStore()
        yield store
        await store.close()


class TestPostgresStore(EventStoreContract):
    @pytest.fixture
    async def store(self, migrated: str) -> AsyncIterator[EventStore]:
        async with asyncpg.create_pool(migrated, min_size=1, max_size=6) as pool:
            store = PostgresStore(pool)
            await store.start()
            yield store
            await store.close()
