"""The union tree as a read model: what each union was called and stood below, from day to day, with ends and heirs."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from contracts.kernel import OrgCode
from contracts.membership import (
    Level,
    OrganisationChanged,
    OrganisationDissolved,
    OrganisationFounded,
    OrganisationKind,
    OrganisationMerged,
    OrganisationMoved,
    Relation,
)
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

UNIONS = Table("unions", "code text primary key, level text not null, founded_on date not null, ended_on date, successor text")
PARTICULARS = Table(
    "union_particulars",
    "code text not null, valid_from date not null, valid_until date, name text not null, kind text not null, uscc text, division text,"
    " primary key (code, valid_from)",
)
PARENTS = Table(
    "union_parents",
    "code text not null, relation text not null, valid_from date not null, valid_until date, parent text,"
    " primary key (code, relation, valid_from)",
    indexes=("create index on {table} (parent, relation)",),
)


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """The last word on each union and day, in a few statements however long the batch."""
    founded: dict[OrgCode, OrganisationFounded] = {}
    particulars: dict[tuple[OrgCode, date], OrganisationFounded | OrganisationChanged] = {}
    parents: dict[tuple[OrgCode, Relation, date], OrgCode | None] = {}
    ended: dict[OrgCode, tuple[date, OrgCode | None]] = {}
    for one in batch:
        match one.event:
            case OrganisationFounded() as event:
                founded[event.organisation] = event
                particulars[event.organisation, event.effective_on] = event
                parents[event.organisation, Relation.organisational, event.effective_on] = event.parent
                parents[event.organisation, Relation.funding, event.effective_on] = event.funding_parent
            case OrganisationChanged() as event:
                particulars[event.organisation, event.effective_on] = event
            case OrganisationMoved() as event:
                parents[event.organisation, event.relation, event.effective_on] = event.parent
            case OrganisationMerged() as event:
                ended[event.organisation] = (event.effective_on, event.into)
            case OrganisationDissolved() as event:
                ended[event.organisation] = (event.effective_on, event.successor)
            case _:
                pass
    await _write_founded(connection, tables, founded.values())
    await _write_particulars(connection, tables, particulars)
    await _write_parents(connection, tables, parents)
    await _write_ended(connection, tables, ended)


async def _write_founded(connection: Connection, tables: Tables, founded: Iterable[OrganisationFounded]) -> None:
    rows = list(founded)
    await connection.execute(
        f"insert into {tables['unions']} (code, level, founded_on) select * from unnest($1::text[], $2::text[], $3::date[])",  # noqa: S608
        [event.organisation for event in rows],
        [event.level for event in rows],
        [event.effective_on for event in rows],
    )


async def _write_particulars(
    connection: Connection, tables: Tables, particulars: dict[tuple[OrgCode, date], OrganisationFounded | OrganisationChanged]
) -> None:
    table, rows = tables["union_particulars"], list(particulars.values())
    await connection.execute(
        f"insert into {table} (code, valid_from, name, kind, uscc, division)"  # noqa: S608
        " select * from unnest($1::text[], $2::date[], $3::text[], $4::text[], $5::text[], $6::text[])"
        " on conflict (code, valid_from) do update"
        " set name = excluded.name, kind = excluded.kind, uscc = excluded.uscc, division = excluded.division",
        *([getattr(event, column) for event in rows] for column in ("organisation", "effective_on", "name", "kind", "uscc", "division")),
    )
    await connection.execute(
        f"update {table} t set valid_until = n.next from"  # noqa: S608
        f" (select code, valid_from, lead(valid_from) over (partition by code order by valid_from) as next from {table}"
        "  where code = any ($1)) n"
        " where t.code = n.code and t.valid_from = n.valid_from and t.valid_until is distinct from n.next",
        list({code for code, _ in particulars}),
    )


async def _write_parents(connection: Connection, tables: Tables, parents: dict[tuple[OrgCode, Relation, date], OrgCode | None]) -> None:
    table = tables["union_parents"]
    await connection.execute(
        f"insert into {table} (code, relation, valid_from, parent)"  # noqa: S608
        " select * from unnest($1::text[], $2::text[], $3::date[], $4::text[])"
        " on conflict (code, relation, valid_from) do update set parent = excluded.parent",
        *([key[column] for key in parents] for column in range(3)),
        list(parents.values()),
    )
    await connection.execute(
        f"update {table} t set valid_until = n.next from"  # noqa: S608
        " (select code, relation, valid_from, lead(valid_from) over (partition by code, relation order by valid_from) as next"
        f"  from {table} where code = any ($1)) n"
        " where t.code = n.code and t.relation = n.relation and t.valid_from = n.valid_from and t.valid_until is distinct from n.next",
        list({code for code, _, _ in parents}),
    )


async def _write_ended(connection: Connection, tables: Tables, ended: dict[OrgCode, tuple[date, OrgCode | None]]) -> None:
    await connection.execute(
        f"update {tables['unions']} u set ended_on = e.ended_on, successor = coalesce(e.successor,"  # noqa: S608
        f" (select p.parent from {tables['union_parents']} p where p.code = u.code and p.relation = 'organisational'"
        "   and p.valid_from <= e.ended_on and (p.valid_until is null or p.valid_until > e.ended_on)))"
        " from unnest($1::text[], $2::date[], $3::text[]) e (code, ended_on, successor) where u.code = e.code",
        list(ended),
        [ended_on for ended_on, _ in ended.values()],
        [successor for _, successor in ended.values()],
    )


TREE = Projection(
    name="tree",
    source="membership",
    version=1,
    tables=(UNIONS, PARTICULARS, PARENTS),
    apply=apply,
    events=frozenset({OrganisationFounded, OrganisationChanged, OrganisationMoved, OrganisationMerged, OrganisationDissolved}),
)


# ------------------------------------------------------------------------------------------------------------- reading


@dataclass(frozen=True, slots=True)
class Union:
    """A union as it stood on a day; `parent` is who answered for the recorded one by then, `depth` counts from where one asked."""

    code: OrgCode
    name: str
    level: Level
    kind: OrganisationKind
    uscc: str | None
    division: str | None
    parent: OrgCode | None
    funding_parent: OrgCode | None
    depth: int


# Who answers for an ended union on a day, through however many successions; then each union's parents, answered for.
_PLACED = """
with recursive
ended as materialized (select code, successor from unions where ended_on <= $1),
chain (code, heir) as (
    select code, successor from ended
    union all
    select chain.code, ended.successor from chain join ended on ended.code = chain.heir
),
heirs as materialized (select code, heir from chain where not exists (select from ended where ended.code = chain.heir)),
placed as materialized (
    select p.code, p.relation, coalesce(heirs.heir, p.parent) as parent
    from union_parents p left join heirs on heirs.code = p.parent
    where p.valid_from <= $1 and (p.valid_until is null or p.valid_until > $1)
),
standing as materialized (
    select u.code, u.level, o.parent, f.parent as funding_parent
    from unions u
    join placed o on o.code = u.code and o.relation = 'organisational'
    join placed f on f.code = u.code and f.relation = 'funding'
    where u.founded_on <= $1 and (u.ended_on is null or u.ended_on > $1)
)"""
_COLUMNS = """
select found.code, p.name, found.level, p.kind, p.uscc, p.division, found.parent, found.funding_parent, found.depth
from found join union_particulars p on p.code = found.code and p.valid_from <= $1 and (p.valid_until is null or p.valid_until > $1)
order by found.depth, found.code"""
_SUBTREE = f"""{_PLACED},
found (code, level, parent, funding_parent, depth) as (
    select code, level, parent, funding_parent, 0 from standing where code = $2
    union all
    select s.code, s.level, s.parent, s.funding_parent, found.depth + 1
    from found join standing s on s.parent = found.code where found.depth < $3
){_COLUMNS} limit $4"""  # noqa: S608 - constants of this module
_PATH = f"""{_PLACED},
found (code, level, parent, funding_parent, depth) as (
    select code, level, parent, funding_parent, 0 from standing where code = $2
    union all
    select s.code, s.level, s.parent, s.funding_parent, found.depth + 1
    from found join standing s on s.code = found.parent
){_COLUMNS}"""  # noqa: S608 - constants of this module


async def subtree(pool: Pool, root: OrgCode, day: date, *, depth: int, limit: int) -> list[Union]:
    """A union and what stood below it on a day, level by level; empty where it did not exist then."""
    return [Union(*row) for row in await pool.fetch(_SUBTREE, day, root, depth, limit)]


async def path(pool: Pool, code: OrgCode, day: date) -> list[Union]:
    """A union and all that stood above it on a day, up to the top; empty where it did not exist then."""
    return [Union(*row) for row in await pool.fetch(_PATH, day, code)]
