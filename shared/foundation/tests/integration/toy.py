"""A small history and a projection of it, for the tests of projections: units that are placed, renamed and closed."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

from contracts.kernel import Catalogue, Event
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, ProjectionGroup, Table, Tables
from foundation.record import encode
from foundation.store.port import Appended, AppendRequest, EventStore, NewEvent, StreamAppend

NOON = datetime(2026, 3, 2, 4, tzinfo=UTC)


class UnitPlaced(Event, type="toy.UnitPlaced"):
    unit: str
    parent: str | None
    name: str


class UnitRenamed(Event, type="toy.UnitRenamed"):
    unit: str
    name: str


class UnitClosed(Event, type="toy.UnitClosed"):
    unit: str


CATALOGUE = Catalogue(UnitPlaced, UnitRenamed, UnitClosed)


async def apply_units(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """The last word on each unit in the batch, written in a few statements; and a count of what happened to it."""
    placed: dict[str, tuple[str | None, str]] = {}
    renamed: dict[str, str] = {}
    closed: set[str] = set()
    times: dict[str, int] = {}
    for happened in batch:
        match happened.event:
            case UnitPlaced(unit=unit, parent=parent, name=name):
                placed[unit] = (parent, name)
            case UnitRenamed(unit=unit, name=name) if unit in placed:
                placed[unit] = (placed[unit][0], name)
            case UnitRenamed(unit=unit, name=name) if unit not in closed:
                renamed[unit] = name
            case UnitClosed(unit=unit):
                placed.pop(unit, None)
                closed.add(unit)
            case _:
                pass
        unit = happened.event.unit  # type: ignore[attr-defined]
        times[unit] = times.get(unit, 0) + 1
    units = tables["units"]
    await connection.execute(f"delete from {units} where unit = any ($1)", list(closed))
    await connection.execute(
        f"update {units} u set name = r.name from unnest($1::text[], $2::text[]) as r (unit, name) where u.unit = r.unit",
        *(list(renamed), list(renamed.values())),
    )
    await connection.execute(
        f"insert into {units} (unit, parent, name) select * from unnest($1::text[], $2::text[], $3::text[])"
        " on conflict (unit) do update set parent = excluded.parent, name = excluded.name",
        *(list(placed), [parent for parent, _ in placed.values()], [name for _, name in placed.values()]),
    )
    await connection.execute(
        f"insert into {tables['unit_counts']} as c select * from unnest($1::text[], $2::integer[])"
        " on conflict (unit) do update set events = c.events + excluded.events",
        *(list(times), list(times.values())),
    )


UNITS = Projection(
    name="units",
    source="toy",
    version=1,
    tables=(
        Table("units", "unit text primary key, parent text, name text", ("create index on {table} (parent)",), frozenset({"name"})),
        Table("unit_counts", "unit text primary key, events integer not null"),
    ),
    apply=apply_units,
)


def group(*projections: Projection) -> ProjectionGroup:
    return ProjectionGroup("toy-service", projections or (UNITS,), CATALOGUE)


def record(event: Event, stream: str, version: int) -> NewEvent:
    return NewEvent(
        event.TYPE,
        encode(
            id=str(uuid4()),
            source="/nodes/1/toy",
            type=event.TYPE,
            stream=stream,
            time=NOON + timedelta(seconds=version),
            version=version,
            correlation="c",
            causation=None,
            actor="a",
            org=None,
            data=event.model_dump(mode="json"),
        ),
    )


async def append(store: EventStore, *events: Event, stream: str = "units-all") -> int:
    """Append to one stream in one request; the position reached."""
    stands = len(await store.read_stream(stream))
    new = tuple(record(event, stream, stands + at) for at, event in enumerate(events, 1))
    (outcome,) = await store.append([AppendRequest((StreamAppend(stream, stands, new),))])
    assert isinstance(outcome, Appended)
    return outcome.position


async def units(pool: Pool) -> list[tuple[str, str | None, str]]:
    """What readers see."""
    return [tuple(row) for row in await pool.fetch("select unit, parent, name from units order by unit")]


async def tables(pool: Pool) -> list[str]:
    """The physical tables there are."""
    return [row[0] for row in await pool.fetch("select tablename from pg_tables where tablename like 'unit%' order by tablename")]
