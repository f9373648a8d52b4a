"""A log read again from its first record, a little at a time and for ever: what lies still may rot or be edited unseen.

Every record is hashed, held against its row's leaf, and the tree made anew over the leaves: each full tile that comes out must be the one
that is stored, and the root at the end that of the newest checkpoint signed when the pass began. So a pass needs no more memory than a
tile of records and the right edge.
"""

import asyncio
from dataclasses import dataclass
from datetime import datetime

from foundation.clock import Clock
from foundation.log.damage import first_difference
from foundation.log.edge import Edge
from foundation.log.storage import LogDamaged, LogStore, Remedy, Stored
from foundation.log.tiles import WIDTH, Tile, leaf_hashes

TILES_AT_ONCE = 8
"""Tiles of records read in one step: about a megabyte, ten milliseconds of work."""

PASS_SECONDS = 3_600.0
"""A pass begins no sooner than this after the one before it began."""

_ROWS = "select position, record, leaf from events where position >= $1 and position < $2 order by position"


@dataclass(frozen=True, slots=True)
class Whole:
    """Up to which checkpoint everything was found as it was signed, and when."""

    size: int
    at: datetime


class Scrub:
    """Reads one log again and again."""

    def __init__(self, store: LogStore, clock: Clock) -> None:
        self._store, self._clock = store, clock
        self._upto: Stored | None = None
        self._edge = Edge()
        self._began_at = float("-inf")
        self.whole: Whole | None = None

    @property
    def size(self) -> int:
        """How many records the pass under way has read."""
        return self._edge.size

    def begin(self) -> None:
        """Let the next step be the first of a pass."""
        self._upto, self._began_at = None, float("-inf")

    async def step(self) -> bool:
        """Read a little more; whether everything signed has now been read and is whole. Raises LogDamaged; the next step begins anew."""
        if self._upto is None:
            now = asyncio.get_running_loop().time()
            if now < self._began_at + PASS_SECONDS:
                return False
            self._upto, self._edge = await self._store.newest(), Edge()
            if self._upto is None:
                return True
            self._began_at = now
        try:
            for _ in range(TILES_AT_ONCE):
                await self._read(self._upto.size)
                if self._edge.size == self._upto.size:
                    return self._end(self._upto)
        except LogDamaged:
            self.begin()
            raise
        return False

    def _end(self, upto: Stored) -> bool:
        if self._edge.root() != upto.root:
            raise LogDamaged(f"the first {upto.size} records do not lead to the root that was signed over them", Remedy.verify)
        self._upto, self.whole = None, Whole(upto.size, self._clock.now())
        return True

    async def _read(self, size: int) -> None:
        first = self._edge.size
        end = min(first + WIDTH, size)
        rows = await self._store.pool.fetch(_ROWS, first, end)
        if [row["position"] for row in rows] != list(range(first, end)):
            raise LogDamaged(f"a record is missing between positions {first} and {end - 1}", Remedy.history)
        made, beside = leaf_hashes(row["record"] for row in rows), b"".join(row["leaf"] for row in rows)
        if made != beside:
            position = first + first_difference(made, beside)
            raise LogDamaged(f"the record at position {position} is not the one whose hash stands beside it", Remedy.verify)
        edge, full = self._edge.grow(made)
        stored = await self._store.tiles(tile for tile, _ in full)
        for tile, hashes in full:
            if stored.get(tile) != hashes:
                raise LogDamaged(_otherwise(tile, hashes, stored.get(tile)), Remedy.tree if tile not in stored else Remedy.verify)
        self._edge = edge


def _otherwise(tile: Tile, hashes: bytes, stored: bytes | None) -> str:
    if stored is None:
        return f"{tile.path()} is gone"
    position = tile.leaves.start + first_difference(stored, hashes) * WIDTH ** (tile.level or 0)
    return f"{tile.path()} does not hold what the records from position {position} on lead to"
