"""The members as assistance sees them: where each one is a member and on what footing, following membership's history."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields, replace
from datetime import date

from contracts import membership
from contracts.kernel import Event, OrgCode, PersonId
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

CURRENT = frozenset({"active", "suspended", "retained", "retired"})
"""The standings in which a person is a member."""


@dataclass(frozen=True, slots=True)
class Person:
    """A member or a former one. `before` is the standing before the last transfer; `linked_to` the record that counts instead."""

    person: PersonId
    organisation: OrgCode
    standing: str
    since: date
    before: str | None = None
    linked_to: PersonId | None = None

    @property
    def eligible(self) -> bool:
        """Whether the person is a member, by this record."""
        return self.standing in CURRENT and self.linked_to is None


_STANDINGS: dict[type[Event], str] = {
    membership.MemberSuspended: "suspended",
    membership.MemberResumed: "active",
    membership.MembershipRetained: "retained",
    membership.MemberRetired: "retired",
    membership.MemberLeft: "left",
    membership.MemberExpelled: "expelled",
    membership.MemberDied: "died",
    membership.MemberReinstated: "active",
}


def after(person: Person | None, event: Event) -> Person | None:
    """The person after an event of membership; None while membership has admitted nobody."""
    match event:
        case membership.MemberAdmitted():
            return Person(event.member, event.organisation, "active", event.joined_on)
        case _ if person is None:
            return None
        case membership.MemberTransferred():
            return replace(person, organisation=event.organisation, standing="active", since=event.effective_on, before=person.standing)
        case membership.ObjectionUpheld():
            return replace(
                person, organisation=event.organisation, standing=person.before or person.standing, since=event.effective_on, before=None
            )
        case membership.MemberLinked():
            return replace(person, linked_to=event.same_as)
        case membership.MemberUnlinked():
            return replace(person, linked_to=None)
        case _ if type(event) in _STANDINGS:
            return replace(person, standing=_STANDINGS[type(event)], since=event.effective_on)  # type: ignore[attr-defined]
        case _:
            return person


_COLUMNS = [column.name for column in fields(Person)]


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """Two statements however long the batch: who is known already, and how they all stand after it."""
    table = tables["people"]
    named = {one.event.member for one in batch}  # type: ignore[attr-defined]
    rows = await connection.fetch(f"select {', '.join(_COLUMNS)} from {table} where person = any ($1)", list(named))  # noqa: S608
    people: dict[PersonId, Person] = {row["person"]: Person(*row) for row in rows}
    for one in batch:
        member: PersonId = one.event.member  # type: ignore[attr-defined]
        person = after(people.get(member), one.event)
        if person is not None:
            people[member] = person
    values = [astuple(person) for person in people.values()]
    await connection.execute(
        f"insert into {table} ({', '.join(_COLUMNS)})"  # noqa: S608 - our own table's name
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::date[], $5::text[], $6::text[])"
        " on conflict (person) do update set organisation = excluded.organisation, standing = excluded.standing, since = excluded.since,"
        " before = excluded.before, linked_to = excluded.linked_to",
        *([row[column] for row in values] for column in range(len(_COLUMNS))),
    )


PEOPLE = Projection(
    name="people",
    source="membership",
    version=2,
    tables=(
        Table(
            "people",
            "person text primary key, organisation text not null, standing text not null, since date not null, before text, linked_to text",
            indexes=("create index on {table} (organisation)", "create index on {table} (linked_to) where linked_to is not null"),
        ),
    ),
    apply=apply,
    events=frozenset(
        {
            membership.MemberAdmitted,
            membership.MemberTransferred,
            membership.ObjectionUpheld,
            membership.MemberLinked,
            membership.MemberUnlinked,
            *_STANDINGS,
        }
    ),
)


async def read(pool: Pool, person: PersonId) -> Person | None:
    """How membership says a person stands; None where it has admitted nobody of this id."""
    row = await pool.fetchrow(f"select {', '.join(_COLUMNS)} from people where person = $1", person)  # noqa: S608
    return None if row is None else Person(*row)
