"""How far a consumer has come in a source's history: a row in the consumer's own database, moved in the transaction of the effect.

It is what a consumer trusts, not Kafka (DESIGN 6).
"""

from dataclasses import dataclass
from typing import TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from foundation.store.port import NO_LEAF

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"
"""A connection to PostgreSQL, one's own or lent by a pool."""

Pool: TypeAlias = "asyncpg.Pool[asyncpg.Record]"
"""Connections to one database."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """The epoch followed, the last position applied (-1: none) and the leaf hash there."""

    epoch: int
    last: int
    leaf: bytes


START = Cursor(0, -1, NO_LEAF)


class CursorMoved(Exception):
    """Somebody else moved the cursor meanwhile: this transaction must not commit."""

    def __init__(self, consumer: str, source: str) -> None:
        super().__init__(f"{consumer} of {source}: its cursor moved in another transaction")


async def read(connection: Connection, consumer: str, source: str) -> Cursor:
    """The cursor without a lock; START where there is none yet."""
    row = await connection.fetchrow("select epoch, last, leaf from cursors where consumer = $1 and source = $2", consumer, source)
    return START if row is None else Cursor(row["epoch"], row["last"], row["leaf"])


async def lock(connection: Connection, consumer: str, source: str) -> Cursor:
    """The cursor, its row locked until the transaction ends; made where there is none yet."""
    query = "select epoch, last, leaf from cursors where consumer = $1 and source = $2 for update"
    row = await connection.fetchrow(query, consumer, source)
    if row is None:
        await connection.execute(
            "insert into cursors (consumer, source, epoch, last, leaf) values ($1, $2, $3, $4, $5) on conflict do nothing",
            *(consumer, source, START.epoch, START.last, START.leaf),
        )
        row = await connection.fetchrow(query, consumer, source)
    if row is None:
        raise CursorMoved(consumer, source)
    return Cursor(row["epoch"], row["last"], row["leaf"])


async def move(connection: Connection, consumer: str, source: str, was: Cursor, now: Cursor) -> None:
    """Compare and set. Raises CursorMoved where the row is no longer at `was`."""
    status = await connection.execute(
        "update cursors set epoch = $6, last = $7, leaf = $8"
        " where consumer = $1 and source = $2 and epoch = $3 and last = $4 and leaf = $5",
        *(consumer, source, was.epoch, was.last, was.leaf, now.epoch, now.last, now.leaf),
    )
    if status != "UPDATE 1":
        raise CursorMoved(consumer, source)
