"""What was entered once and waits for a second person, as a read model: a queue for those who may be the second."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from contracts.assistance.payments import EnteredOnce, EnteredTwice
from contracts.kernel import OrgCode
from contracts.membership import Principal
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

from assistance.folding import Row, fold_rows, table_columns

_COLUMNS = {
    "entry": "text",
    "act": "text",
    "subject": "text",
    "organisation": "text",
    "entered_by": "text",
    "entered_at": "timestamptz",
    "position": "bigint",
}


def _change(rows: dict[str, Row], one: Happened) -> None:
    match one.event:
        case EnteredOnce() as event:
            said = {name: getattr(event, name) for name in ("entry", "act", "subject", "organisation", "entered_by")}
            rows[event.entry] = said | {"entered_at": one.envelope.time, "position": one.position}
        case EnteredTwice(entry=entry):
            rows.pop(entry, None)


def _entry(one: Happened) -> list[str]:
    return [one.event.__dict__["entry"]]


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """A row stands while its entry waits."""
    await fold_rows(connection, tables["double_entries"], _COLUMNS, batch, change=_change, keys=_entry)


WAITING = Projection(
    name="double_entries",
    source="assistance",
    version=1,
    tables=(Table("double_entries", table_columns(_COLUMNS), indexes=("create index on {table} (organisation, position)",)),),
    apply=apply,
    events=frozenset({EnteredOnce, EnteredTwice}),
)


@dataclass(frozen=True, slots=True)
class Waiting:
    """One entry that waits. What was entered is known to those who entered it, and stands on their paper."""

    entry: str
    act: str
    subject: str
    organisation: OrgCode
    entered_by: Principal
    entered_at: datetime
    position: int


async def waiting(pool: Pool, organisations: Sequence[OrgCode], *, after: int, limit: int) -> list[Waiting]:
    """What waits in these organisations, the oldest first."""
    rows = await pool.fetch(
        f"select {', '.join(Waiting.__slots__)} from double_entries"  # noqa: S608 - our own names
        " where organisation = any ($1) and position > $2 order by position limit $3",
        *(list(organisations), after, limit),
    )
    return [Waiting(**row) for row in rows]
