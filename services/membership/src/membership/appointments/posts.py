"""Appointments as a read model: who holds what, where, from when to when."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from contracts.kernel import OrgCode
from contracts.membership import Role, StaffAppointed, StaffAppointmentEnded
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

_COLUMNS = ("appointment", "principal", "organisation", "role", "acting", "delegated_from", "valid_from", "valid_until")


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """New posts, then the ends of posts old and new: nothing is appointed again under an id that has ended."""
    appointed = [one.event for one in batch if isinstance(one.event, StaffAppointed)]
    ended = {one.event.appointment: one.event.valid_until for one in batch if isinstance(one.event, StaffAppointmentEnded)}
    table = tables["appointments"]
    await connection.execute(
        f"insert into {table} ({', '.join(_COLUMNS)}) select * from"  # noqa: S608 - our own table's name
        " unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::text[], $7::date[], $8::date[])",
        *([getattr(event, column) for event in appointed] for column in _COLUMNS),
    )
    await connection.execute(
        f"update {table} t set valid_until = e.valid_until"  # noqa: S608
        " from unnest($1::text[], $2::date[]) e (appointment, valid_until) where t.appointment = e.appointment",
        list(ended),
        list(ended.values()),
    )


POSTS = Projection(
    name="appointments",
    source="membership",
    version=1,
    tables=(
        Table(
            "appointments",
            "appointment text primary key, principal text not null, organisation text not null, role text not null,"
            " acting boolean not null, delegated_from text, valid_from date not null, valid_until date",
            indexes=(
                "create index on {table} (organisation, appointment)",
                "create index on {table} (principal)",
                "create index on {table} (delegated_from)",
            ),
        ),
    ),
    apply=apply,
    events=frozenset({StaffAppointed, StaffAppointmentEnded}),
)


@dataclass(frozen=True, slots=True)
class Held:
    """One appointment as it stands."""

    appointment: str
    principal: str
    organisation: OrgCode
    role: Role
    acting: bool
    delegated_from: str | None
    valid_from: date
    valid_until: date | None


_SELECT = f"select {', '.join(_COLUMNS)} from appointments"  # noqa: S608 - constants of this module


async def at(pool: Pool, organisation: OrgCode, day: date, *, after: str, limit: int) -> list[Held]:
    """Who holds a post at a union on a day, by appointment id."""
    rows = await pool.fetch(
        f"{_SELECT} where organisation = $1 and valid_from <= $2 and (valid_until is null or valid_until > $2) and appointment > $3"
        " order by appointment limit $4",
        *(organisation, day, after, limit),
    )
    return [Held(*row) for row in rows]


async def of(pool: Pool, principal: str) -> list[Held]:
    """Every post somebody was ever appointed to, in order of time."""
    return [Held(*row) for row in await pool.fetch(f"{_SELECT} where principal = $1 order by valid_from, appointment", principal)]


async def delegates(pool: Pool, appointment: str) -> list[str]:
    """To whom an appointment's work was ever delegated."""
    rows = await pool.fetch("select distinct principal from appointments where delegated_from = $1 order by principal", appointment)
    return [row["principal"] for row in rows]
