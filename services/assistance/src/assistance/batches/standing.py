"""How every batch stands."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from contracts.assistance.payments import (
    BatchAccepted,
    BatchChecked,
    BatchDisowned,
    BatchFilled,
    BatchHandedOut,
    BatchOpened,
    BatchReduced,
    BatchRefused,
    BatchReleased,
    BatchReopened,
    BatchSending,
    BatchUnanswered,
    BatchUploaded,
)
from contracts.kernel import OrgCode
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

from assistance.folding import Row, fold_rows, table_columns

_BATCHES = {
    "batch": "text",
    "organisation": "text",
    "account": "text",
    "channel": "text",
    "execute_on": "date",
    "stage": "text",
    "count": "int",
    "total_fen": "bigint",
    "opened_by": "text",
    "checked_by": "text",
    "released_by": "text",
    "position": "bigint",
    "by_hand": "boolean",
}
BATCHES = Table(
    "batches",
    table_columns(_BATCHES),
    indexes=("create index on {table} (organisation, position)", "create index on {table} (stage)", "create index on {table} (account)"),
)


def _change(rows: dict[str, Row], one: Happened) -> None:
    match one.event:
        case BatchOpened() as event:
            said = {name: getattr(event, name) for name in ("batch", "organisation", "account", "execute_on", "opened_by", "by_hand")}
            more = {"channel": str(event.channel), "stage": "filling", "count": 0, "total_fen": 0}
            rows[event.batch] = {**said, **more, "checked_by": None, "released_by": None, "position": one.position}
        case BatchFilled(batch=batch, count=count, total_fen=total):
            rows[batch].update(count=count, total_fen=total)
        case BatchChecked(batch=batch, checked_by=by):
            rows[batch].update(stage="checked", checked_by=by)
        case BatchReopened(batch=batch):
            rows[batch].update(stage="filling", checked_by=None, released_by=None)
        case BatchReduced(batch=batch, count=count, total_fen=total):
            rows[batch].update(stage="filling", count=count, total_fen=total, checked_by=None, released_by=None)
        case BatchReleased(batch=batch, released_by=by):
            rows[batch].update(stage="released", released_by=by)
        case BatchSending(batch=batch):
            rows[batch].update(stage="sending")
        case BatchHandedOut(batch=batch):
            rows[batch].update(stage="handed-out")
        case BatchAccepted(batch=batch) | BatchUploaded(batch=batch):
            rows[batch].update(stage="accepted")
        case BatchRefused(batch=batch) | BatchDisowned(batch=batch):
            rows[batch].update(stage="refused")
        case BatchUnanswered(batch=batch):
            rows[batch].update(stage="unanswered")
        case _:
            pass


def _batch(one: Happened) -> list[str]:
    return [one.event.__dict__["batch"]]


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    await fold_rows(connection, tables["batches"], _BATCHES, batch, change=_change, keys=_batch)


STANDING = Projection(
    name="batches",
    source="assistance",
    version=2,
    tables=(BATCHES,),
    apply=apply,
    events=frozenset(
        {
            *(BatchOpened, BatchFilled, BatchChecked, BatchReopened, BatchReleased),
            *(BatchSending, BatchAccepted, BatchRefused, BatchUnanswered, BatchDisowned, BatchReduced, BatchHandedOut, BatchUploaded),
        }
    ),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One batch."""

    batch: str
    organisation: OrgCode
    account: str
    channel: str
    execute_on: date
    stage: str
    count: int
    total_fen: int
    opened_by: str
    checked_by: str | None
    released_by: str | None
    position: int
    by_hand: bool


_READ = ", ".join(Standing.__slots__)


async def standing(pool: Pool, batch: str) -> Standing | None:
    """One batch, None where there is none."""
    row = await pool.fetchrow(f"select {_READ} from batches where batch = $1", batch)  # noqa: S608 - our own names
    return None if row is None else Standing(**row)


async def of_organisation(pool: Pool, organisation: OrgCode, *, before: int, limit: int) -> list[Standing]:
    """An organisation's batches, the newest first."""
    rows = await pool.fetch(
        f"select {_READ} from batches where organisation = $1 and position < $2 order by position desc limit $3",  # noqa: S608
        *(organisation, before, limit),
    )
    return [Standing(**row) for row in rows]
