"""On which level each union stands: routes of decisions are told by level. A union keeps its level for life (docs/decisions/0007)."""

from collections.abc import Sequence

from contracts.kernel import OrgCode
from contracts.membership import Level, OrganisationFounded
from foundation.cursor import Connection, Pool
from foundation.decider import Refusal
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables


class LevelUnknown(Refusal):
    """Membership has not told of this union here."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__("the level of this union is not known here", organisation=organisation)


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """One statement; a union is founded once."""
    founded = [one.event for one in batch if isinstance(one.event, OrganisationFounded)]
    await connection.execute(
        f"insert into {tables['organisation_levels']} (organisation, level) select * from unnest($1::text[], $2::text[])"  # noqa: S608
        " on conflict do nothing",
        [event.organisation for event in founded],
        [event.level.value for event in founded],
    )


LEVELS = Projection(
    name="organisation_levels",
    source="membership",
    version=1,
    tables=(Table("organisation_levels", "organisation text primary key, level text not null"),),
    apply=apply,
    events=frozenset({OrganisationFounded}),
)


async def level_of(pool: Pool, organisation: OrgCode) -> Level:
    """The level of a union. Raises LevelUnknown."""
    found = await pool.fetchval("select level from organisation_levels where organisation = $1", organisation)
    if found is None:
        raise LevelUnknown(organisation)
    return Level(found)
