"""Proposed moves of budget as a read model, so that who approves finds what waits."""

from collections.abc import Sequence
from dataclasses import dataclass, fields

from contracts.assistance.funds import BudgetMoveApproved, BudgetMoveProposed, BudgetMoveRejected
from contracts.kernel import OrgCode
from contracts.membership import Principal, RecordId
from foundation.cursor import Connection, Pool
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables


@dataclass(frozen=True, slots=True)
class Proposal:
    """A proposed move of an organisation's budget; `approved` is None while it waits."""

    proposal: RecordId
    organisation: OrgCode
    kind: str
    fen: int
    maker: Principal
    approved: bool | None
    decided_by: Principal | None


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """Two statements however long the batch."""
    made = [one.event for one in batch if isinstance(one.event, BudgetMoveProposed)]
    decided = [one.event for one in batch if isinstance(one.event, BudgetMoveApproved | BudgetMoveRejected)]
    table = tables["budget_proposals"]
    await connection.execute(
        f"insert into {table} (proposal, organisation, kind, fen, maker)"  # noqa: S608 - our own table's name
        " select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::text[])",
        [event.proposal for event in made],
        [event.move.organisation for event in made],
        [event.move.kind for event in made],
        [event.move.fen for event in made],
        [event.maker for event in made],
    )
    await connection.execute(
        f"update {table} t set approved = n.approved, decided_by = n.decided_by"  # noqa: S608
        " from unnest($1::text[], $2::boolean[], $3::text[]) n (proposal, approved, decided_by) where t.proposal = n.proposal",
        [event.proposal for event in decided],
        [isinstance(event, BudgetMoveApproved) for event in decided],
        [event.approver for event in decided],
    )


PROPOSALS = Projection(
    name="budget_proposals",
    source="assistance",
    version=1,
    tables=(
        Table(
            "budget_proposals",
            "proposal text primary key, organisation text not null, kind text not null, fen bigint not null, maker text not null,"
            " approved boolean, decided_by text",
            indexes=("create index on {table} (organisation, proposal) where approved is null",),
        ),
    ),
    apply=apply,
    events=frozenset({BudgetMoveProposed, BudgetMoveApproved, BudgetMoveRejected}),
)


async def waiting(pool: Pool, organisation: OrgCode, *, after: RecordId, limit: int) -> Sequence[Proposal]:
    """What waits for an approver of an organisation, after a proposal."""
    rows = await pool.fetch(
        f"select {', '.join(column.name for column in fields(Proposal))} from budget_proposals"  # noqa: S608
        " where organisation = $1 and approved is null and proposal > $2 order by proposal limit $3",
        organisation,
        after,
        limit,
    )
    return [Proposal(*row) for row in rows]
