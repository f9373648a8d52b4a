"""A log at rest: full tiles, the right edge and every checkpoint in PostgreSQL, records in `events`.

Files in the layout of AUDIT-LOG "Tiles" are cut from these when they are asked for, and never stored twice
(docs/decisions/0011-transparency-log.md).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TypeVar

import asyncpg

from foundation.cursor import Connection, Pool
from foundation.log.edge import Edge
from foundation.log.note import Signature
from foundation.log.proofs import HashReader, consistency, consistency_tiles, root, root_tiles, tile_hashes
from foundation.log.tiles import WIDTH, Tile, TileMalformed, encode_bundle
from foundation.merkle import HASH_BYTES

T = TypeVar("T")

SIZES_MAX = 10_000
"""How many sizes of checkpoints are given at once."""


class Remedy(StrEnum):
    """What an operator does about a log that has stopped; it goes on by itself once it has found everything whole."""

    history = "put the missing records back: `tongxin history restore SERVICE`, or `tongxin restore` of a backup"
    tree = "make the tree anew from the records, as docs/auditing.md says under 'when a log has stopped'"
    verify = (
        "`tongxin log verify SERVICE` names the row, record or tile that is wrong: put the record back from a backup, or make the tree "
        "anew from the records, as docs/auditing.md says under 'when a log has stopped'"
    )
    disk = "the database cannot read its own files: see its log, keep a copy, and `tongxin restore` a backup onto a sound disk"
    behind = (
        "others have seen more of this history than it holds: `tongxin history restore SERVICE`; where that is lost for good, "
        "`tongxin history new-epoch SERVICE`"
    )


class LogDamaged(Exception):
    """What is stored cannot be as it was written, or the history under it is not: an alarm, and nothing more is signed."""

    def __init__(self, what: str, remedy: Remedy = Remedy.tree) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Stored:
    """A checkpoint that was signed. `witnesses` are the names of those whose cosignatures its note carries."""

    size: int
    epoch: int
    root: bytes
    note: str
    signed_at: datetime
    published_at: datetime | None
    witnesses: tuple[str, ...]

    @staticmethod
    def of(row: "asyncpg.Record") -> "Stored":
        """A row of log_checkpoints."""
        return Stored(row[0], row[1], row[2], row[3], row[4], row[5], tuple(row[6]))


_CHECKPOINTS = "select size, epoch, root, note, signed_at, published_at, witnesses from log_checkpoints"

_EDGE = "select size, edge from log_state"
_EDGE_LOCKED = "select size, edge from log_state for update"

_TILES = """
    select t.level, t.number, t.hashes
    from unnest($1::integer[], $2::bigint[]) as a (level, number) join log_tiles t using (level, number)
"""


async def read_edge(connection: "Connection | Pool", *, lock: bool = False) -> Edge:
    """The right edge, its row locked until the transaction ends where `lock` says so. Raises LogDamaged."""
    row = await connection.fetchrow(_EDGE_LOCKED if lock else _EDGE)
    if row is None:
        raise LogDamaged("the log's state is gone")
    try:
        return Edge.decode(row["size"], row["edge"])
    except TileMalformed as error:
        raise LogDamaged(str(error)) from error


class LogStore:
    """Reads one log."""

    def __init__(self, pool: Pool) -> None:
        self.pool = pool

    async def edge(self) -> Edge:
        """The right edge as integrated so far. Raises LogDamaged."""
        return await read_edge(self.pool)

    async def tiles(self, wanted: Iterable[Tile]) -> dict[Tile, bytes]:
        """Those of these hash tiles that the log has; a partial one is the beginning of what has come since. Raises LogDamaged."""
        asked = list(wanted)
        # The edge first: a tile that becomes full after it was read is found among the full ones.
        edge = await self.edge() if any(not tile.full for tile in asked) else Edge()
        rows = await self.pool.fetch(
            _TILES,
            *([tile.level for tile in asked], [tile.number for tile in asked]),
        )
        full = {(row[0], row[1]): row[2] for row in rows}
        found = {}
        for tile in asked:
            hashes = full.get((tile.level, tile.number)) or _of_edge(edge, tile)
            if len(hashes) >= tile.width * HASH_BYTES:
                found[tile] = hashes[: tile.width * HASH_BYTES]
        return found

    async def bundle(self, tile: Tile) -> bytes | None:
        """An entry bundle; None where the history does not hold all of it."""
        first = tile.number * WIDTH
        rows = await self.pool.fetch(
            "select record from events where position >= $1 and position < $2 order by position", first, first + tile.width
        )
        return encode_bundle(row[0] for row in rows) if len(rows) == tile.width else None

    async def root(self, size: int) -> bytes:
        """The root of the log when it had this size. Raises LogDamaged where a tile for it is missing."""
        return await self._from_tiles(root_tiles(size), size, lambda read: root(size, read))

    async def consistency(self, old: int, size: int) -> tuple[bytes, ...]:
        """The proof that the log of `size` continues that of `old`. Raises LogDamaged where a tile for it is missing, OutsideTree."""
        return await self._from_tiles(consistency_tiles(old, size), size, lambda read: consistency(old, size, read))

    async def _from_tiles(self, wanted: Iterable[Tile], size: int, make: Callable[[HashReader], T]) -> T:
        tiles = await self.tiles(wanted)
        try:
            return make(tile_hashes(tiles, size))
        except (KeyError, TileMalformed) as error:
            raise LogDamaged(f"a tile is missing or not whole: {error}") from error

    # ------------------------------------------------------------------------------------------------ checkpoints

    async def newest(self) -> Stored | None:
        """The newest checkpoint signed, published or not."""
        row = await self.pool.fetchrow(_CHECKPOINTS + " order by size desc limit 1")
        return None if row is None else Stored.of(row)

    async def published(self, size: int | None = None) -> Stored | None:
        """The published checkpoint of this size; the newest without one."""
        row = await self.pool.fetchrow(
            _CHECKPOINTS + " where published_at is not null and size = coalesce($1, size) order by size desc limit 1", size
        )
        return None if row is None else Stored.of(row)

    async def sizes(self, after: int = -1) -> list[int]:
        """The sizes of published checkpoints above one, the smallest first; SIZES_MAX at the most."""
        wanted = "select size from log_checkpoints where published_at is not null and size > $1 order by size limit $2"
        return [row[0] for row in await self.pool.fetch(wanted, after, SIZES_MAX)]

    async def unwitnessed_since(self) -> datetime | None:
        """Since when no checkpoint has been cosigned by anybody; None where the newest one is."""
        since: datetime | None = await self.pool.fetchval(
            "select min(signed_at) from log_checkpoints"
            " where size > coalesce((select size from log_checkpoints where witnesses <> '{}' order by size desc limit 1), 0)"
        )
        return since

    async def keep(self, signed: Stored) -> Stored:
        """Make a signed checkpoint durable, before anybody sees it. Raises LogDamaged where another one of its size was signed."""
        await self.pool.execute(
            "insert into log_checkpoints (size, epoch, root, note, signed_at) values ($1, $2, $3, $4, $5) on conflict do nothing",
            *(signed.size, signed.epoch, signed.root, signed.note, signed.signed_at),
        )
        row = await self.pool.fetchrow(_CHECKPOINTS + " where size = $1", signed.size)
        if row is None or (kept := Stored.of(row)).root != signed.root:
            raise LogDamaged(f"another checkpoint of size {signed.size} was signed before")
        return kept

    async def publish(self, checkpoint: Stored, cosigned: Mapping[str, Signature], now: datetime) -> Stored:
        """Let everybody see a checkpoint, with the cosignatures that have come (by the witness's name).

        Where another publisher was faster, what it published stands, and is returned.
        """
        note = checkpoint.note + "".join(signature.line() for signature in cosigned.values())
        await self.pool.execute(
            "update log_checkpoints set note = $3, witnesses = witnesses || $4, published_at = coalesce(published_at, $5)"
            " where size = $1 and note = $2",
            *(checkpoint.size, checkpoint.note, note, list(cosigned), now),
        )
        row = await self.pool.fetchrow(_CHECKPOINTS + " where size = $1", checkpoint.size)
        if row is None:
            raise LogDamaged(f"the checkpoint of size {checkpoint.size} is gone")
        return Stored.of(row)


def _of_edge(edge: Edge, tile: Tile) -> bytes:
    level = tile.level or 0
    return edge.partials[level] if level < len(edge.partials) and tile.number == edge.size // WIDTH ** (level + 1) else b""
