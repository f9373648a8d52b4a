"""On which level each union stands, which it keeps for life (docs/decisions/0007), and its name: decisions go by level, papers by name."""

from collections.abc import Sequence

from contracts.kernel import OrgCode
from contracts.membership import Level, OrganisationChanged, OrganisationFounded
from foundation.cursor import Connection, Pool
from foundation.decider import Refusal
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables


class LevelUnknown(Refusal):
    """Membership has not told of this union here."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(organisation=organisation)


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """A union is founded once; of its names the last counts."""
    table = tables["organisation_levels"]
    founded = [one.event for one in batch if isinstance(one.event, OrganisationFounded)]
    await connection.execute(
        f"insert into {table} (organisation, level, name) select * from unnest($1::text[], $2::text[], $3::text[])"  # noqa: S608
        " on conflict do nothing",
        [event.organisation for event in founded],
        [event.level.value for event in founded],
        [event.name for event in founded],
    )
    named = {one.event.organisation: one.event.name for one in batch if isinstance(one.event, OrganisationChanged)}
    await connection.execute(
        f"update {table} t set name = n.name from unnest($1::text[], $2::text[]) n (organisation, name)"  # noqa: S608
        " where t.organisation = n.organisation",
        list(named),
        list(named.values()),
    )


LEVELS = Projection(
    name="organisation_levels",
    source="membership",
    version=2,
    tables=(Table("organisation_levels", "organisation text primary key, level text not null, name text not null"),),
    apply=apply,
    events=frozenset({OrganisationFounded, OrganisationChanged}),
)


async def level_of(pool: Pool, organisation: OrgCode) -> Level:
    """The level of a union. Raises LevelUnknown."""
    found = await pool.fetchval("select level from organisation_levels where organisation = $1", organisation)
    if found is None:
        raise LevelUnknown(organisation)
    return Level(found)


async def names_of(pool: Pool, organisations: Sequence[OrgCode]) -> dict[OrgCode, str]:
    """The names of unions; the code of one that membership has not told of."""
    rows = await pool.fetch("select organisation, name from organisation_levels where organisation = any ($1)", list(organisations))
    return {code: code for code in organisations} | {row["organisation"]: row["name"] for row in rows}
