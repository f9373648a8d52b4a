"""Grows the tree over a history, off the append path (AUDIT-LOG "How it is built here", 1).

One transaction a step: the leaf hashes behind the integrated size, the full tiles they make, the new right edge. The row of the edge is
locked through it, so that integrators that race take turns. Nothing of it has to wait for the disk: what a crash loses is made again, the
same; a checkpoint that is signed over it is flushed with everything before it.
"""

import asyncio
from collections.abc import Sequence

import structlog

from foundation.cursor import Connection, Pool
from foundation.log.edge import Edge
from foundation.log.storage import LogDamaged, Remedy, read_edge
from foundation.log.tiles import Tile
from foundation.merkle import HASH_BYTES
from foundation.record import RECORD_BYTES_MAX

log = structlog.get_logger()

LEAVES_AT_ONCE = 8_192
"""Leaf hashes taken in one transaction."""

LEAVES_IN_ONE_GO = 512
"""Leaf hashes hashed before the event loop has its turn: well under a millisecond."""

# Sizes are looked at and not the hashes: hashing every record again costs the database four times as much as all the rest, and an auditor
# does it anyway.
_LEAVES = """
    select count(*) as count, min(position) as first, max(position) as last, string_agg(leaf, ''::bytea order by position) as leaves,
        coalesce(bool_and(octet_length(record) between 1 and $3), true) as whole
    from (select position, leaf, record from events where position >= $1 order by position limit $2) e
"""

_EMIT = """
    insert into log_tiles (level, number, hashes) select * from unnest($1::integer[], $2::bigint[], $3::bytea[])
    on conflict do nothing returning level, number
"""


class Integrator:
    """The tree over one history."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def integrate(self) -> Edge:
        """Take in what the history holds now; returns the edge reached. Raises LogDamaged, and then nothing was changed."""
        while True:
            edge, more = await self._step()
            if not more:
                return edge

    async def _step(self) -> tuple[Edge, bool]:
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute("set local synchronous_commit = off")
            edge = await read_edge(connection, lock=True)
            leaves = await _leaves(connection, edge.size)
            if not leaves:
                return edge, False
            full: list[tuple[Tile, bytes]] = []
            for at in range(0, len(leaves), LEAVES_IN_ONE_GO * HASH_BYTES):
                edge, became_full = edge.grow(leaves[at : at + LEAVES_IN_ONE_GO * HASH_BYTES])
                full += became_full
                await asyncio.sleep(0)
            await _emit(connection, full)
            await connection.execute("update log_state set size = $1, edge = $2", edge.size, edge.encode())
        return edge, len(leaves) == LEAVES_AT_ONCE * HASH_BYTES


async def _leaves(connection: Connection, size: int) -> bytes:
    row = await connection.fetchrow(_LEAVES, size, LEAVES_AT_ONCE, RECORD_BYTES_MAX)
    if row is None or not row["count"]:
        last = await connection.fetchval("select position from events order by position desc limit 1")
        stands = 0 if last is None else last + 1
        if stands < size:
            raise LogDamaged(f"the history has {stands} records, and {size} of them have been integrated", Remedy.history)
        return b""
    leaves: bytes = row["leaves"]
    if (row["first"], row["last"]) != (size, size + row["count"] - 1):
        raise LogDamaged(f"a record is missing between positions {size} and {row['last']}", Remedy.history)
    if not row["whole"] or len(leaves) != row["count"] * HASH_BYTES:
        raise LogDamaged(
            f"between positions {size} and {row['last']} a leaf is no hash, or a record has a size that none can have", Remedy.history
        )
    return leaves


async def _emit(connection: Connection, full: Sequence[tuple[Tile, bytes]]) -> None:
    if not full:
        return
    emitted = await connection.fetch(
        _EMIT, [tile.level for tile, _ in full], [tile.number for tile, _ in full], [hashes for _, hashes in full]
    )
    written = {(row[0], row[1]) for row in emitted}
    for tile, hashes in full:
        if (tile.level, tile.number) not in written:
            # A state set back by hand, then: the same bytes may stand, others must not be replaced.
            stands = await connection.fetchval("select hashes from log_tiles where level = $1 and number = $2", tile.level, tile.number)
            if stands != hashes:
                raise LogDamaged(f"{tile.path()} was written before, with other hashes")
            log.warning("log.tile_stood_already", level=tile.level, position=tile.leaves.start)
