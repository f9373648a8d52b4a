"""A verified history replayed into an empty database: the read models that follow from it, and their digests (AUDIT-LOG).

Each service's read models of the history stand in a schema of the service's name, under the names that they have in a running service.
Everything happens in one transaction: where anything is wrong, the database stays empty.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from foundation.cursor import Connection
from foundation.digest import digest
from foundation.merkle import EMPTY_ROOT, CompactRange
from foundation.projections import ProjectionGroup, Tables
from foundation.source import recorded
from foundation.store.port import Recorded

RANGE_EVENTS = 5_000
"""Events applied at a time."""


class DatabaseNotEmpty(Exception):
    """The database to replay into holds something already: nothing was written."""

    def __init__(self, found: str) -> None:
        super().__init__(f"the database is not empty: it has {found}")


class RootDiffers(Exception):
    """The records are not those of the checkpoint: nothing was written."""

    def __init__(self, size: int, expected: int) -> None:
        super().__init__(
            f"the history has {size:,} records, its checkpoint {expected:,}"
            if size != expected
            else f"the {size:,} records have another root than their checkpoint"
        )


@dataclass(frozen=True, slots=True)
class Replayed:
    """One projection of one service over a history, and the digest of its tables (SHA-256 in hex; foundation.digest)."""

    service: str
    projection: str
    version: int
    digest: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was replayed: how many records, the root over just these, and the projections after them."""

    size: int
    root: bytes
    projections: tuple[Replayed, ...]


async def replay(
    connection: Connection,
    groups: Mapping[str, ProjectionGroup],
    records: Iterable[bytes],
    *,
    size: int,
    root: bytes,
    upto: int | None = None,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Outcome:
    """Apply the first `upto` of the records (None: all) to the groups, one per service, and say what came of it.

    All of them are read, as they come, and held against the checkpoint: `size` leaves under `root`. Raises DatabaseNotEmpty; RootDiffers;
    EventTypeUnknown, RecordMalformed, ValidationError where a record cannot be read; and what reading raises.
    """
    until = size if upto is None else upto
    async with connection.transaction():
        await _refuse_unless_empty(connection)
        tables = {service: await _created(connection, service, group) for service, group in groups.items()}
        tree, root_there = CompactRange(), EMPTY_ROOT
        for batch in _ranges(records, until):
            tree.extend(one.leaf for one in batch)
            if tree.size <= until:
                root_there = tree.root()
                for service, group in groups.items():
                    await _enter(connection, service)
                    await group.apply_to(connection, tables[service], await group.batch(batch))
            report(tree.size, size)
        if (tree.size, tree.root()) != (size, root):
            raise RootDiffers(tree.size, size)
        found = [one for service, group in groups.items() for one in await _finished(connection, service, group)]
        return Outcome(until, root_there, tuple(found))


async def _refuse_unless_empty(connection: Connection) -> None:
    found = await connection.fetchval(
        "select format('%I.%I', n.nspname, c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace"
        " where n.nspname <> 'information_schema' and n.nspname not like 'pg\\_%'"
        " union all select 'a schema ' || nspname from pg_namespace"
        " where nspname not in ('public', 'information_schema') and nspname not like 'pg\\_%' limit 1"
    )
    if found is not None:
        raise DatabaseNotEmpty(found)


async def _enter(connection: Connection, service: str) -> None:
    await connection.execute("select set_config('search_path', quote_ident($1), true)", service)


async def _created(connection: Connection, service: str, group: ProjectionGroup) -> Mapping[str, Tables]:
    await connection.execute(f'create schema "{service}"')
    await _enter(connection, service)
    for projection in group.projections:
        for table in projection.tables:
            await connection.execute(f"create table {table.name} ({table.columns})")
    return {projection.name: {table.name: table.name for table in projection.tables} for projection in group.projections}


def _ranges(records: Iterable[bytes], border: int) -> Iterator[Sequence[Recorded]]:
    """The records in ranges, one of which ends at the border."""
    numbered = enumerate(records)
    for part in (islice(numbered, border), numbered):
        while batch := [recorded(position, record) for position, record in islice(part, RANGE_EVENTS)]:
            yield batch


async def _finished(connection: Connection, service: str, group: ProjectionGroup) -> list[Replayed]:
    await _enter(connection, service)
    for projection in group.projections:
        for table in projection.tables:
            for index in table.indexes:
                await connection.execute(index.replace("{table}", table.name))
            await connection.execute(f"analyze {table.name}")
    return [
        Replayed(service, projection.name, projection.version, await digest(connection, projection)) for projection in group.projections
    ]
