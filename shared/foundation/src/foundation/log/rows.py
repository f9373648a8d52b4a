"""A database's rows held against a verified log: for whoever runs the node. An edited column lies under intact tiles and entries."""

from collections.abc import Iterable

import asyncpg

from foundation.log.damage import Damage, Kind, split
from foundation.log.reader import LogFiles
from foundation.log.stretches import read_tile
from foundation.log.tiles import WIDTH, tile_of
from foundation.log.verify import Report
from foundation.record import RecordMalformed, decode, leaf_hash

TILES_AT_ONCE = 8
"""How many tiles of rows are read in one statement."""

_ROWS = """
select position, stream, version, type, record, leaf from events where position >= $1 and position < $2 order by position
"""


async def compare(
    connection: "asyncpg.Connection[asyncpg.Record]", files: LogFiles, size: int, report: Report = lambda done, total: None
) -> None:
    """Every row of `events` below a verified size is the record that the log holds, and its columns say what the record says.

    Raises Damage, LogUnreadable.
    """
    width = TILES_AT_ONCE * WIDTH
    for first in range(0, size, width):
        end = min(first + width, size)
        tiles = (tile_of(0, number, size) for number in range(first // WIDTH, -(-end // WIDTH)))
        hashes = split(b"".join(read_tile(files, tile) for tile in tiles))
        _compare(first, hashes, await connection.fetch(_ROWS, first, end))
        report(end, size)


def _compare(first: int, hashes: list[bytes], rows: Iterable[asyncpg.Record]) -> None:
    found = {row["position"]: row for row in rows}
    for position, leaf in enumerate(hashes, first):
        where, row = f"events, position {position}", found.get(position)
        if row is None:
            raise Damage(Kind.row_missing, where, "the row is missing; the log holds its record", position)
        if leaf_hash(row["record"]) != leaf:
            raise Damage(Kind.row_altered, where, "the record is not the one that the log holds", position)
        if row["leaf"] != leaf:
            raise Damage(Kind.row_altered, where, "its column `leaf` is not the hash of its record", position)
        try:
            said = decode(row["record"])
        except RecordMalformed:
            raise Damage(Kind.record_malformed, where, "is no record", position) from None
        for column, value in (("stream", said.stream), ("version", said.version), ("type", said.type)):
            if row[column] != value:
                raise Damage(Kind.row_altered, where, f"its column `{column}` says {row[column]}, its record {value}", position)
