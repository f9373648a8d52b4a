"""The directory's tables: who is a member where, and, in the vault, what they can be found by.

Two projections of one history. `directory_members` holds nothing personal and lies in the service's database. `directory_people` and
`directory_keys` hold names, phones and search keys, and lie in the vault's; an erasure deletes a person's rows there, and a rebuild, which
meets ERASED instead of a name, leaves them out as well.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any, NamedTuple

from contracts import membership as events
from contracts.kernel import ERASED, Ciphertext, Event
from foundation.cursor import Connection
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

from membership.directory.keys import keys_of

SOURCE = "membership"


class MemberStatus(StrEnum):
    """How a person stands with their union."""

    applicant = "applicant"  # 申请中
    refused = "refused"  # 未批准, or the application taken back
    active = "active"  # 正常
    suspended = "suspended"  # 暂停
    retained = "retained"  # 保留会籍
    retired = "retired"  # 退休
    left = "left"  # 退会
    expelled = "expelled"  # 开除
    died = "died"  # 死亡


CURRENT = (MemberStatus.active, MemberStatus.suspended, MemberStatus.retained, MemberStatus.retired)

_STATUS_AFTER: Mapping[type[Event], MemberStatus] = {
    events.MembershipApplied: MemberStatus.applicant,
    events.ApplicationRefused: MemberStatus.refused,
    events.ApplicationWithdrawn: MemberStatus.refused,
    events.MemberAdmitted: MemberStatus.active,
    events.MemberSuspended: MemberStatus.suspended,
    events.MemberResumed: MemberStatus.active,
    events.MembershipRetained: MemberStatus.retained,
    events.MemberRetired: MemberStatus.retired,
    events.MemberLeft: MemberStatus.left,
    events.MemberExpelled: MemberStatus.expelled,
    events.MemberDied: MemberStatus.died,
    events.MemberReinstated: MemberStatus.active,
}
_PLACES: tuple[type[Event], ...] = (*_STATUS_AFTER, events.MemberTransferred, events.ObjectionUpheld)
_PERSONAL: tuple[type[Event], ...] = (events.MembershipApplied, events.MemberAdmitted, events.MemberCorrected)
_LINKS: tuple[type[Event], ...] = (events.MemberLinked, events.MemberUnlinked)
FOLLOWED: frozenset[type[Event]] = frozenset({*_PLACES, *_PERSONAL, *_LINKS})


@dataclass(slots=True)
class Change:
    """What a run of events comes to for one person; None: as before. `linked_to` is empty where a link was undone.

    `begins`: the person's stream begins with it, so there are no rows of theirs.
    """

    begins: bool
    organisation: str | None = None
    status: str | None = None
    kind: str | None = None
    joined_on: date | None = None
    since: date | None = None
    linked_to: str | None = None
    name: Any = None
    phone: Any = None
    commitments: dict[str, str] = field(default_factory=dict)


def changes(batch: Iterable[Happened]) -> dict[str, Change]:
    """What a batch comes to, by person."""
    found: dict[str, Change] = {}
    for happened in batch:
        event = happened.event
        person = event.__dict__["member"]
        change = found.get(person)
        if change is None:
            change = found[person] = Change(happened.envelope.version == 1)
        _learn(change, event)
    return found


def _learn(change: Change, event: Event) -> None:
    kind, values = type(event), event.__dict__
    if kind in _PLACES:
        change.organisation = values["organisation"]
        change.since = values.get("effective_on") or values.get("joined_on") or values["applied_on"]
        change.status = _STATUS_AFTER.get(kind, change.status)
    if kind is events.MemberLinked:
        change.linked_to = values["same_as"]
    elif kind is events.MemberUnlinked:
        change.linked_to = ""
    if kind in _PERSONAL:
        change.kind = values.get("kind") or change.kind
        change.joined_on = values.get("joined_on") or change.joined_on
        for name in ("name", "phone"):
            value = values[name]
            if value is not None:
                setattr(change, name, value)
                if isinstance(value, Ciphertext):
                    change.commitments[name] = value.commitment


async def _stored(connection: Connection, table: str, columns: Sequence[str], found: Mapping[str, Change]) -> dict[str, Any]:
    """The rows of these people, by person. Locked, because an erasure may delete one meanwhile; it must not come back."""
    people = [person for person, change in found.items() if not change.begins]
    if not people:
        return {}
    query = f"select {', '.join(columns)} from {table} where person = any ($1) for update"  # noqa: S608 - our own table and columns
    return {row["person"]: row for row in await connection.fetch(query, people)}


async def _write(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], stored: Collection[str]
) -> None:
    """Rows, the person in front: those that are stored are changed in place, the others come by COPY, which costs half of an insert."""
    if known := [row for row in rows if row[0] in stored]:
        values = ", ".join(f"{column} = ${number}" for number, column in enumerate(columns, 1))
        await connection.executemany(f"update {table} set {values} where person = $1", known)  # noqa: S608
    if new := [row for row in rows if row[0] not in stored]:
        await connection.copy_records_to_table(table, records=new, columns=columns)


# ------------------------------------------------------------------------------------------------ in the service's database

_MEMBER = ("person", "organisation", "status", "kind", "joined_on", "since", "linked_to", "name_commitment", "phone_commitment")


async def _apply_members(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    table, found = tables["directory_members"], changes(batch)
    stored = await _stored(connection, table, _MEMBER, found)
    rows = [_member(person, stored.get(person), change) for person, change in found.items()]
    await _write(connection, table, _MEMBER, rows, stored)


def _member(person: str, before: Sequence[Any] | None, change: Change) -> tuple[Any, ...]:
    commitments = change.commitments.get
    told = (
        *(person, change.organisation, change.status, change.kind, change.joined_on, change.since, change.linked_to),
        *(commitments("name"), commitments("phone")),
    )
    return told if before is None else tuple([was if now is None else now for was, now in zip(before, told, strict=True)])


MEMBERS = Projection(
    name="directory_members",
    source=SOURCE,
    version=2,
    tables=(
        Table(
            "directory_members",
            'person text collate "C" primary key, organisation text collate "C", status text, kind text, joined_on date, since date,'
            " linked_to text, name_commitment text, phone_commitment text",
            indexes=("create index on {table} (organisation, person)",),
        ),
    ),
    apply=_apply_members,
    events=FOLLOWED,
)
"""One row per person who ever was, or asked to be, a member."""


# ------------------------------------------------------------------------------------------------ in the vault's database


class Entry(NamedTuple):
    """A person as the search tables have them; `keys` one a line."""

    person: str
    organisation: str
    status: str
    linked: bool
    name: str
    phone: str | None
    keys: str


_NOBODY = Entry("", "", "", linked=False, name="", phone=None, keys="")


def _entry(person: str, before: Entry, change: Change) -> Entry | None:
    """The entry after a change; none for somebody whose name is not to be had, because it was erased."""
    organisation, status = change.organisation or before.organisation, change.status or before.status
    name = change.name or before.name
    if change.name is ERASED or not (name and organisation and status):
        return None
    phone = before.phone if change.phone is None else change.phone
    phone = None if phone is ERASED else phone or None
    linked = before.linked if change.linked_to is None else change.linked_to != ""
    return Entry(person, organisation, status, linked, name, phone, "\n".join(keys_of(name, phone)))


async def _apply_people(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    people, keys = tables["directory_people"], tables["directory_keys"]
    found = changes(batch)
    stored = await _stored(connection, people, Entry._fields, found)
    before = {person: Entry(*row) for person, row in stored.items()}
    after = [entry for person, change in found.items() if (entry := _entry(person, before.get(person, _NOBODY), change)) is not None]
    if before:
        gone = [(key, entry.person) for entry in before.values() for key in entry.keys.split("\n")]
        await connection.execute(
            f"delete from {keys} k using unnest($1::text[], $2::text[]) o (key, person) where k.key = o.key and k.person = o.person",  # noqa: S608
            *([pair[column] for pair in gone] for column in range(2)),
        )
    if erased := [person for person in before if found[person].name is ERASED]:
        await connection.execute(f"delete from {people} where person = any ($1)", erased)  # noqa: S608
    if not after:
        return
    await _write(connection, people, Entry._fields, after, before)
    await connection.execute(
        f"insert into {keys} (key, person, organisation, current)"  # noqa: S608
        " select k, person, organisation, current from unnest($1::text[], $2::text[], $3::boolean[], $4::text[])"
        " as e (person, organisation, current, keys), string_to_table(keys, E'\\n') k order by 1",
        [entry.person for entry in after],
        [entry.organisation for entry in after],
        [entry.status in CURRENT and not entry.linked for entry in after],
        [entry.keys for entry in after],
    )


PEOPLE = Projection(
    name="directory_people",
    source=SOURCE,
    version=4,
    tables=(
        Table(
            "directory_people",
            'person text collate "C" primary key, organisation text collate "C" not null, status text not null, linked boolean not null,'
            ' name text not null, phone text, keys text collate "C" not null',
            personal=frozenset({"name", "phone", "keys"}),
        ),
        Table(
            "directory_keys",
            'key text collate "C" not null, person text collate "C" not null, organisation text collate "C" not null,'
            # The organisation lies in the index, so that other unions' members are passed over without a visit to the table. A key and not
            # an index for after the load: what a correction takes back has to be found while a rebuild fills.
            " current boolean not null, primary key (key, person) include (organisation, current)",
            personal=frozenset({"key"}),
        ),
    ),
    apply=_apply_people,
    home="vault",
    opens=frozenset({"name", "phone"}),
    events=FOLLOWED,
)
"""Names and phones, and the keys that lead to them."""

projections = (MEMBERS, PEOPLE)
