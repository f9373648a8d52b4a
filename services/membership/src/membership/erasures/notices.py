"""Whose data are erased or withheld, as a read model, and what readers are told of it in Chinese and English."""

from collections.abc import Sequence
from datetime import datetime

from contracts.foundation import ErasureBegun, KeysDestroyed
from contracts.kernel import PersonId
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.http.routing import Body
from foundation.projections import Projection, Table, Tables

from membership.erasures.sentences import sentence

PURPOSE = "membership"
"""Under which a member's values are sealed."""


class Notice(Body):
    """Why values of a person are not shown. Since when; in words for people."""

    state: str
    since: datetime
    zh: str
    en: str


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """Restricted from the order on, erased once the keys are gone."""
    states: dict[str, tuple[str, datetime]] = {}
    for one in batch:
        match one.event:
            case ErasureBegun() as event:
                states[event.subject] = ("restricted", event.ordered_at)
            case KeysDestroyed(purpose=purpose) as event if purpose == PURPOSE:
                states[event.subject] = ("erased", event.at)
    await connection.execute(
        f"insert into {tables['erasures']} (person, state, since)"  # noqa: S608 - our own table's name
        " select * from unnest($1::text[], $2::text[], $3::timestamptz[])"
        " on conflict (person) do update set state = excluded.state, since = excluded.since",
        list(states),
        [state for state, _ in states.values()],
        [since for _, since in states.values()],
    )


ERASURES = Projection(
    name="erasures",
    source="membership",
    version=1,
    tables=(Table("erasures", "person text primary key, state text not null, since timestamptz not null"),),
    apply=apply,
    events=frozenset({ErasureBegun, KeysDestroyed}),
)


async def notices(pool: Pool, people: Sequence[PersonId]) -> dict[PersonId, Notice]:
    """What is to be said of these people; those whom nobody has ordered to be erased are missing."""
    if not people:
        return {}
    rows = await pool.fetch("select person, state, since from erasures where person = any ($1)", list(people))
    return {
        row["person"]: Notice(state=row["state"], since=row["since"], zh=sentence(row["state"], "zh"), en=sentence(row["state"], "en"))
        for row in rows
    }
