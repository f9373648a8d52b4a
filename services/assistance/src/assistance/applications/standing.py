"""How every application stands, without anything that is told of people: ids, codes and amounts."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from contracts.assistance.applications import (
    AidAppealed,
    AidGranted,
    AidInstructed,
    AidPaid,
    AidRefused,
    AppealDismissed,
    AppealUpheld,
    ApplicationDrafted,
    ApplicationReturned,
    ApplicationSubmitted,
    ApplicationVerified,
    ApplicationWithdrawn,
    GrantRevoked,
)
from contracts.kernel import Event, OrgCode, PersonId
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

from assistance.folding import Row, fold_rows, table_columns

STAGES: dict[type[Event], str] = {
    ApplicationDrafted: "draft",
    ApplicationVerified: "verified",
    ApplicationSubmitted: "submitted",
    ApplicationReturned: "draft",
    ApplicationWithdrawn: "withdrawn",
    AidGranted: "granted",
    AidRefused: "refused",
    AidAppealed: "appealed",
    AppealUpheld: "submitted",
    AppealDismissed: "refused",
    GrantRevoked: "submitted",
    AidInstructed: "instructed",
    AidPaid: "paid",
}
"""The stage that an event leads to, as `application.stage` has it. A revoked emergency payment leaves a draft where nobody had visited."""

_COLUMNS = {
    "application": "text",
    "organisation": "text",
    "programme": "text",
    "person": "text",
    "household": "text",
    "people": "text",
    "stage": "text",
    "verified": "boolean",
    "fen": "bigint",
    "drafted_on": "date",
    "position": "bigint",
}

_SAID = ("application", "organisation", "programme", "person", "household", "drafted_on")


def change(rows: dict[str, Row], one: Happened) -> None:
    """Move an application's row on by an event."""
    stage = STAGES[type(one.event)]
    match one.event:
        case ApplicationDrafted() as event:
            said = {
                name: getattr(event, name) for name in ("application", "organisation", "programme", "person", "household", "drafted_on")
            }
            people = " ".join(sorted({event.person, event.payee, *event.people}))
            rows[event.application] = said | {
                "people": people,
                "stage": stage,
                "verified": False,
                "fen": None,
                "position": one.position,
            }
        case ApplicationVerified(application=application, entitled_fen=fen):
            rows[application].update(stage=stage, verified=True, fen=fen)
        case ApplicationReturned(application=application):
            rows[application].update(stage=stage, verified=False, fen=None)
        case AidGranted(application=application, fen=fen):
            rows[application].update(stage=stage, fen=fen)
        case GrantRevoked(application=application):
            row = rows[application]
            row.update(stage=stage if row["verified"] else "draft")
        case event:
            rows[event.__dict__["application"]].update(stage=stage)


def _application(one: Happened) -> list[str]:
    return [one.event.__dict__["application"]]


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """Row by row, the fold of each application's events."""
    await fold_rows(connection, tables["aid_applications"], _COLUMNS, batch, change=change, keys=_application)


APPLICATIONS = Projection(
    name="aid_applications",
    source="assistance",
    version=1,
    tables=(
        Table(
            "aid_applications",
            table_columns(_COLUMNS),
            indexes=("create index on {table} (organisation, position)", "create index on {table} (stage, position)"),
        ),
    ),
    apply=apply,
    events=frozenset(STAGES),
)


@dataclass(frozen=True, slots=True)
class Standing:
    """One application. `fen`: granted, or what the rules came to at the visit."""

    application: str
    organisation: OrgCode
    programme: str
    person: PersonId
    household: str | None
    stage: str
    fen: int | None
    drafted_on: date
    position: int


@dataclass(frozen=True, slots=True)
class Asked:
    """Which ones; None: any. `hidden`: people in whose matters the reader has an interest."""

    organisations: Sequence[OrgCode]
    stage: str | None
    programme: str | None
    hidden: Sequence[PersonId]


async def standing(pool: Pool, asked: Asked, *, after: int, limit: int) -> list[Standing]:
    """Applications, the oldest first, without those of hidden people's households."""
    rows = await pool.fetch(
        f"select {', '.join(Standing.__slots__)} from aid_applications"  # noqa: S608 - our own names
        " where organisation = any ($1) and ($2::text is null or stage = $2) and ($3::text is null or programme = $3)"
        " and not string_to_array(people, ' ') && $4::text[] and position > $5 order by position limit $6",
        *(list(asked.organisations), asked.stage, asked.programme, list(asked.hidden), after, limit),
    )
    return [Standing(**row) for row in rows]
