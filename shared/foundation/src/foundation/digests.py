"""The digests of a running service's read models at a position: what an auditor's own replay is compared with."""

from collections.abc import Mapping
from dataclasses import dataclass

import asyncpg

from foundation import cursor as cursors
from foundation.cursor import Connection, Pool
from foundation.digest import digest
from foundation.projections import ProjectionGroup, Tables
from foundation.rebuild import built_at
from foundation.store.port import Reader

ATTEMPTS_MAX = 5
"""A rebuild may take the tables away that are being looked at; it does not do so five times in a row."""


class PositionAhead(LookupError):
    """The read models have not come that far."""

    def __init__(self, asked: int, reached: int) -> None:
        super().__init__(f"the read models hold everything up to position {reached}, not up to {asked}")
        self.asked, self.reached = asked, reached


@dataclass(frozen=True, slots=True)
class ProjectionDigest:
    """One projection in the version of this program, and the digest of its tables (SHA-256 in hex)."""

    projection: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Digests:
    """The projections of one source after everything up to `position`. `live`: of the tables that readers see, and not of such as
    were made from the history for this question."""

    source: str
    position: int
    live: bool
    projections: tuple[ProjectionDigest, ...]


async def digests_at(group: ProjectionGroup, reader: Reader, pool: Pool, position: int | None) -> Digests:
    """At a position, or (None) where the live tables stand. Reading them holds nothing up. Raises PositionAhead, NotBuilt, Superseded."""
    for attempt in range(ATTEMPTS_MAX):
        try:
            found = await _live(group, pool, position)
            break
        except asyncpg.UndefinedTableError:
            if attempt + 1 == ATTEMPTS_MAX:
                raise
    if isinstance(found, Digests):
        return found
    if position is None or position > found:
        raise PositionAhead(-1 if position is None else position, found)

    async def look(connection: Connection, tables: Mapping[str, Tables]) -> Digests:
        return Digests(group.source, position, live=False, projections=await _digests(connection, group, tables))

    return await built_at(group, reader, pool, position, look)


async def _live(group: ProjectionGroup, pool: Pool, position: int | None) -> Digests | int:
    """The digests of the live tables where they stand at `position` (None: wherever they stand), else where they stand.

    One snapshot holds the cursor, which build is live, and that build's rows.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        last = (await cursors.read(connection, group.consumer, group.source)).last
        if position not in (None, last):
            return last
        tables = await group.live(connection)
        return Digests(group.source, last, live=True, projections=await _digests(connection, group, tables))


async def _digests(connection: Connection, group: ProjectionGroup, tables: Mapping[str, Tables]) -> tuple[ProjectionDigest, ...]:
    return tuple([ProjectionDigest(one.name, one.version, await digest(connection, one, tables[one.name])) for one in group.projections])
