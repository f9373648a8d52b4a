"""Where a history on PostgreSQL stands."""

from typing import TYPE_CHECKING

from foundation.store.port import NO_LEAF, Head

if TYPE_CHECKING:
    import asyncpg
    from asyncpg.pool import PoolConnectionProxy

_HEAD = """
    select coalesce((select max(epoch) from epochs), 0) as epoch, e.position, e.leaf
    from (values (1)) one left join (select position, leaf from events order by position desc limit 1) e on true
"""


async def read_head(source: "asyncpg.Pool[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]") -> Head:
    """The head, in one statement; in a transaction that holds the history's lock it is the true one."""
    row = await source.fetchrow(_HEAD)
    if row is None or row["position"] is None:
        return Head(0, -1, NO_LEAF)
    return Head(row["epoch"], row["position"], row["leaf"])
