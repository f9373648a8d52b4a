"""Open obligations as a read model: exposure by union, visible to those above."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from contracts.assistance.obligations import ObligationMet, ObligationOpened, ObligationRecovered, ObligationWrittenOff
from contracts.kernel import OrgCode
from contracts.membership import Principal, RecordId
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

_COLUMNS = ("obligation", "organisation", "authoriser", "fen", "due_on")


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """What was opened comes in, what was closed goes out; nothing opens twice."""
    table = tables["owed"]
    opened = [one.event for one in batch if isinstance(one.event, ObligationOpened)]
    closed = [one.event.obligation for one in batch if isinstance(one.event, ObligationMet | ObligationRecovered | ObligationWrittenOff)]
    await connection.execute(
        f"insert into {table} ({', '.join(_COLUMNS)})"  # noqa: S608 - our own table's name
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::date[])",
        *([getattr(event, column) for event in opened] for column in _COLUMNS),
    )
    await connection.execute(f"delete from {table} where obligation = any ($1)", closed)  # noqa: S608


OWED = Projection(
    name="owed",
    source="assistance",
    version=1,
    tables=(
        Table(
            "owed",
            "obligation text primary key, organisation text not null, authoriser text not null, fen bigint not null, due_on date not null",
            indexes=("create index on {table} (organisation)",),
        ),
    ),
    apply=apply,
    events=frozenset({ObligationOpened, ObligationMet, ObligationRecovered, ObligationWrittenOff}),
)


@dataclass(frozen=True, slots=True)
class Open:
    """One obligation that is open."""

    obligation: RecordId
    organisation: OrgCode
    authoriser: Principal
    fen: int
    due_on: date


async def open_in(pool: Pool, organisations: Sequence[OrgCode]) -> list[Open]:
    """What is open in these unions, the oldest first."""
    rows = await pool.fetch(
        f"select {', '.join(_COLUMNS)} from owed where organisation = any ($1) order by due_on, obligation",  # noqa: S608
        list(organisations),
    )
    return [Open(*row) for row in rows]
