"""The directory's tables: who is a member where, and, in the vault, what they can be found by.

Two projections of one history. `directory_members` holds nothing personal and lies in the service's database. `directory_people` and
`directory_keys` hold names, phones and search keys, and lie in the vault's; an erasure deletes a person's rows there, and a rebuild, which
meets ERASED instead of a name, leaves them out as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

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
    """What a run of events comes to for one person; None: as before. `linked_to` is empty where a link was undone."""

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
            change = found[person] = Change()
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


# ------------------------------------------------------------------------------------------------ in the service's database


async def _apply_members(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    found = changes(batch)
    rows = list(found.values())
    await connection.execute(
        f"insert into {tables['directory_members']} as t"  # noqa: S608 - our own table's name
        " (person, organisation, status, kind, joined_on, since, linked_to, name_commitment, phone_commitment)"
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::date[], $6::date[], $7::text[], $8::text[], $9::text[])"
        " on conflict (person) do update set organisation = coalesce(excluded.organisation, t.organisation),"
        " status = coalesce(excluded.status, t.status), kind = coalesce(excluded.kind, t.kind),"
        " joined_on = coalesce(excluded.joined_on, t.joined_on), since = coalesce(excluded.since, t.since),"
        " linked_to = coalesce(excluded.linked_to, t.linked_to),"
        " name_commitment = coalesce(excluded.name_commitment, t.name_commitment),"
        " phone_commitment = coalesce(excluded.phone_commitment, t.phone_commitment)",
        list(found),
        *([getattr(row, column) for row in rows] for column in ("organisation", "status", "kind", "joined_on", "since", "linked_to")),
        *([row.commitments.get(name) for row in rows] for name in ("name", "phone")),
    )


MEMBERS = Projection(
    name="directory_members",
    source=SOURCE,
    version=1,
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


@dataclass(frozen=True, slots=True)
class Entry:
    """A person as the search tables have them."""

    person: str
    organisation: str
    status: str
    linked: bool
    name: str
    phone: str | None


def _after(person: str, before: Entry | None, change: Change) -> Entry | None:
    """The entry after a change; none for somebody whose name is not to be had, because it was erased."""
    if change.name is ERASED:
        return None
    if before is None:
        if change.name is None or change.organisation is None or change.status is None:
            return None
        before = Entry(person, change.organisation, change.status, linked=False, name=change.name, phone=None)
    phone = before.phone if change.phone is None else change.phone
    return Entry(
        person,
        change.organisation or before.organisation,
        change.status or before.status,
        before.linked if change.linked_to is None else change.linked_to != "",
        before.name if change.name is None else change.name,
        None if phone is ERASED else phone or None,
    )


async def _apply_people(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    people, keys = tables["directory_people"], tables["directory_keys"]
    found = changes(batch)
    # Locked, because an erasure may delete the row meanwhile; it must not come back.
    stored = await connection.fetch(
        f"select person, organisation, status, linked, name, phone from {people} where person = any ($1) for update",  # noqa: S608
        list(found),
    )
    before = {row["person"]: Entry(*row) for row in stored}
    after = [entry for person, change in found.items() if (entry := _after(person, before.get(person), change)) is not None]
    if before:
        await connection.execute(
            f"delete from {keys} k using {people} p, unnest(p.keys) o (key)"  # noqa: S608
            " where p.person = any ($1) and k.key = o.key and k.person = p.person",
            list(before),
        )
    if not after:
        return
    await connection.execute(
        "with entries as materialized ("  # noqa: S608 - our own tables' names
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::boolean[], $5::text[], $6::text[], $7::text[])"
        " as e (person, organisation, status, linked, name, phone, keys)"
        f"), people as (insert into {people} (person, organisation, status, linked, name, phone, keys)"
        " select person, organisation, status, linked, name, phone, string_to_array(keys, E'\\n') from entries"
        " on conflict (person) do update set organisation = excluded.organisation, status = excluded.status, linked = excluded.linked,"
        " name = excluded.name, phone = excluded.phone, keys = excluded.keys)"
        f" insert into {keys} (key, person, organisation, current)"
        " select k, person, organisation, status = any ($8) and not linked from entries, string_to_table(keys, E'\\n') k order by 1",
        [entry.person for entry in after],
        [entry.organisation for entry in after],
        [entry.status for entry in after],
        [entry.linked for entry in after],
        [entry.name for entry in after],
        [entry.phone for entry in after],
        ["\n".join(keys_of(entry.name, entry.phone)) for entry in after],
        list(CURRENT),
    )


PEOPLE = Projection(
    name="directory_people",
    source=SOURCE,
    version=1,
    tables=(
        Table(
            "directory_people",
            'person text collate "C" primary key, organisation text collate "C" not null, status text not null, linked boolean not null,'
            ' name text not null, phone text, keys text[] collate "C" not null',
            personal=frozenset({"name", "phone", "keys"}),
        ),
        Table(
            "directory_keys",
            'key text collate "C" not null, person text collate "C" not null, organisation text collate "C" not null,'
            " current boolean not null",
            # The organisation lies in the index, so that other unions' members are passed over without a visit to the table.
            indexes=("create unique index on {table} (key, person) include (organisation, current)",),
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
