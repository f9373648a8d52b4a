"""The store on a real PostgreSQL, for the tests of the adapter itself."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from foundation.store.postgres import PostgresStore


@asynccontextmanager
async def opened(dsn: str, **options: Any) -> AsyncIterator[PostgresStore]:
    """A started store with connections of its own."""
    async with asyncpg.create_pool(dsn, min_size=1, max_size=6) as pool:
        store = PostgresStore(pool, **options)
        await store.start()
        try:
            yield store
        finally:
            await store.close()
