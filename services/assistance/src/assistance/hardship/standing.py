"""How every hardship file stands, without anything that is told of people: by union, level, and the days it waits for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from contracts.assistance.hardship import (
    CadreLinked,
    CallBackRecorded,
    HardshipFileClosed,
    HardshipFileOpened,
    HardshipFileRevised,
    HardshipLevelSet,
)
from contracts.kernel import OrgCode, PersonId
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

from assistance.folding import Row, fold_rows, table_columns

_COLUMNS = {
    "household": "text",
    "organisation": "text",
    "applicant": "text",
    "people": "text",
    "stage": "text",
    "level": "text",
    "cadre": "text",
    "waits_for": "text",
    "due_on": "date",
    "position": "bigint",
}
"""`waits_for`: a live file for its yearly `review`, one that was lifted out for its `call-back`, until `due_on` (inclusive)."""


def _people(event: HardshipFileOpened | HardshipFileRevised) -> str:
    guardians = {one.guardian for one in event.members if one.guardian is not None}
    return " ".join(sorted({*event.people, *guardians}))


def change(rows: dict[str, Row], one: Happened) -> None:
    """Move a file's row on by an event."""
    match one.event:
        case HardshipFileOpened() as event:
            said = {"household": event.household, "organisation": event.organisation, "applicant": event.applicant}
            still = dict.fromkeys(("level", "cadre", "waits_for", "due_on"))
            rows[event.household] = said | still | {"people": _people(event), "stage": "live", "position": one.position}
        case HardshipFileRevised(household=household) as event:
            rows[household].update(applicant=event.applicant, people=_people(event))
            if event.review_on is not None:
                rows[household].update(waits_for="review", due_on=event.review_on)
        case HardshipLevelSet(household=household, level=level, review_on=due):
            rows[household].update(level=level, waits_for="review", due_on=due)
        case CadreLinked(household=household, cadre=cadre):
            rows[household].update(cadre=cadre)
        case HardshipFileClosed(household=household, call_back_on=due):
            rows[household].update(stage="closed", waits_for=None if due is None else "call-back", due_on=due)
        case CallBackRecorded(household=household):
            rows[household].update(waits_for=None, due_on=None)
        case _:
            pass


def _household(one: Happened) -> list[str]:
    return [one.event.__dict__["household"]]


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """Row by row, the fold of each file's events."""
    await fold_rows(connection, tables["hardship_files"], _COLUMNS, batch, change=change, keys=_household)


FILES = Projection(
    name="hardship_files",
    source="assistance",
    version=1,
    tables=(
        Table(
            "hardship_files",
            table_columns(_COLUMNS),
            indexes=("create index on {table} (organisation, position)", "create index on {table} (due_on) where due_on is not null"),
        ),
    ),
    apply=apply,
    events=frozenset({HardshipFileOpened, HardshipFileRevised, HardshipLevelSet, CadreLinked, HardshipFileClosed, CallBackRecorded}),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One file."""

    household: str
    organisation: OrgCode
    applicant: PersonId
    stage: str
    level: str | None
    cadre: str | None
    waits_for: str | None
    due_on: date | None
    position: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Which ones; None: any. `due_before`: those whose day has passed. `hidden`: people in whose matters the reader has an interest."""

    organisations: Sequence[OrgCode]
    hidden: Sequence[PersonId]
    stage: str | None = None
    level: str | None = None
    due_before: date | None = None


async def standing(pool: Pool, asked: Asked, *, after: int, limit: int) -> list[Standing]:
    """Files, the oldest first, without those of hidden people's households."""
    rows = await pool.fetch(
        f"select {', '.join(Standing.__slots__)} from hardship_files"  # noqa: S608 - our own names
        " where organisation = any ($1) and ($2::text is null or stage = $2) and ($3::text is null or level = $3)"
        " and ($4::date is null or due_on < $4) and not string_to_array(people, ' ') && $5::text[]"
        " and position > $6 order by position limit $7",
        *(list(asked.organisations), asked.stage, asked.level, asked.due_before, list(asked.hidden), after, limit),
    )
    return [Standing(**row) for row in rows]
