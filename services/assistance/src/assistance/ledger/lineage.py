"""Questions to the books: what a line has, what was booked, and where each yuan came from and went."""

from collections.abc import Sequence
from datetime import date

from contracts.assistance.funds import EntitlementId, LineId
from contracts.kernel import OrgCode
from contracts.membership import RecordId
from foundation.cursor import Pool
from pydantic import BaseModel, ConfigDict


class _Row(BaseModel):
    model_config = ConfigDict(frozen=True)


class Line(_Row):
    """A budget line with its balances, in fen."""

    line: LineId
    organisation: OrgCode
    year: int
    source: str
    purpose: str
    earmarked: bool
    closed_through: date | None
    into_line: LineId | None
    appropriated: int
    received: int
    carried_over: int
    adjusted: int
    returned_late: int
    available: int
    allotted: int
    reserved: int
    paid: int


class Booked(_Row):
    """One posting; `reference` is the proposal, reservation, reversal or line that it is about, `voucher` null for commitments."""

    position: int
    line: LineId
    account: str
    debit: int
    credit: int
    booked_on: date
    event: str
    reference: str
    actor: str
    voucher: int | None


class Voucher(_Row):
    """One numbered booking of an organisation's year, of `fen` in both columns."""

    number: int
    position: int
    line: LineId
    source: str
    fen: int
    booked_on: date
    event: str
    reference: str
    actor: str


class Origin(_Row):
    """A lot on the way of some money, and the one it was made of. The last one has no origin: it was appropriated by `document`.

    `taken_back`: what of it went back, unused, to the lot it was made of.
    """

    depth: int
    line: LineId
    lot: int
    kind: str
    fen: int
    taken_back: int
    origin_line: LineId | None
    origin_lot: int | None
    reference: str
    document: str | None
    organisation: OrgCode
    year: int
    booked_on: date
    position: int


class Use(_Row):
    """What became of some fen of a lot: set aside, voided, paid, returned. `moved_on` is the bank's day, where a bank moved it."""

    position: int
    line: LineId
    lot: int
    fen: int
    entitlement: EntitlementId
    reservation: RecordId
    kind: str
    instruction: RecordId | None
    reversal: RecordId | None
    into_line: LineId | None
    booked_on: date
    moved_on: date


def _columns(of: type[_Row], alias: str = "") -> str:
    return ", ".join(f"{alias}{name}" for name in of.model_fields)


async def lines(pool: Pool, organisation: OrgCode, year: int) -> Sequence[Line]:
    """The lines of an organisation's year."""
    found = await pool.fetch(
        f"select {_columns(Line)} from ledger_lines where organisation = $1 and year = $2 order by source, purpose",  # noqa: S608
        organisation,
        year,
    )
    return [Line(**row) for row in found]


async def line(pool: Pool, id: LineId) -> Line | None:
    """One line; None where no money has reached it."""
    row = await pool.fetchrow(f"select {_columns(Line)} from ledger_lines where line = $1", id)  # noqa: S608
    return None if row is None else Line(**row)


async def successors(pool: Pool, ids: Sequence[LineId]) -> dict[LineId, LineId]:
    """Of those lines that are closed, the open ones that their balances have come to, over as many years as it takes."""
    found = await pool.fetch(
        """with recursive later (line, into_line) as (
            select line, into_line from ledger_lines where line = any ($1) and into_line is not null
            union all
            select later.line, l.into_line from later join ledger_lines l on l.line = later.into_line where l.into_line is not null
        )
        select later.line, later.into_line from later join ledger_lines l on l.line = later.into_line where l.into_line is null""",
        list(ids),
    )
    return {row["line"]: row["into_line"] for row in found}


async def entries(pool: Pool, id: LineId, *, after: int, limit: int) -> Sequence[Booked]:
    """A line's postings after a position, oldest first; an event's postings are never parted, so a page may be one longer."""
    found = await pool.fetch(
        f"select {_columns(Booked, 'e.').replace('e.voucher', 'v.number as voucher')} from ledger_entries e"  # noqa: S608
        " left join ledger_vouchers v on v.position = e.position"
        " where e.line = $1 and e.position > $2 order by e.position fetch first $3 rows with ties",
        id,
        after,
        limit,
    )
    return sorted((Booked(**row) for row in found), key=lambda one: (one.position, -one.debit))


async def vouchers(pool: Pool, organisation: OrgCode, year: int, *, after: int, limit: int) -> Sequence[Voucher]:
    """The vouchers of an organisation's year after a number."""
    found = await pool.fetch(
        "select v.number, v.position, v.line, l.source, e.debit as fen, e.booked_on, e.event, e.reference, e.actor"
        " from ledger_vouchers v join ledger_lines l on l.line = v.line join ledger_entries e on e.position = v.position and e.debit > 0"
        " where v.organisation = $1 and v.year = $2 and v.number > $3 order by v.number limit $4",
        organisation,
        year,
        after,
        limit,
    )
    return [Voucher(**row) for row in found]


async def uses_of(pool: Pool, entitlement: EntitlementId) -> Sequence[Use]:
    """Everything that happened to an entitlement's money, in order."""
    found = await pool.fetch(
        f"select {_columns(Use)} from ledger_uses where entitlement = $1 order by position, lot",  # noqa: S608
        entitlement,
    )
    return [Use(**row) for row in found]


_BELOW = """way (depth, line, lot) as (
            select 0, line, lot from ledger_lots where reference = $1 and kind = 'appropriation'
            union all
            select way.depth + 1, t.line, t.lot from way join ledger_lots t on t.origin_line = way.line and t.origin_lot = way.lot
        )"""
_ORIGIN = (
    "t.line, t.lot, t.kind, t.fen, t.taken_back, t.origin_line, t.origin_lot,"
    " t.reference, t.document, l.organisation, l.year, t.booked_on, t.position"
)


async def origins(pool: Pool, lots: Sequence[tuple[LineId, int]]) -> Sequence[Origin]:
    """The way of some lots back to their appropriations, nearest first."""
    found = await pool.fetch(
        f"""with recursive way (depth, line, lot) as (
            select 0, * from unnest($1::text[], $2::int[])
            union
            select way.depth + 1, t.origin_line, t.origin_lot from way join ledger_lots t using (line, lot) where t.origin_line is not null
        )
        select way.depth, {_ORIGIN}
        from way join ledger_lots t using (line, lot) join ledger_lines l using (line) order by 1, t.line, t.lot""",  # noqa: S608
        [line for line, _ in lots],
        [lot for _, lot in lots],
    )
    return [Origin(**row) for row in found]


async def spread(pool: Pool, proposal: RecordId) -> Sequence[Origin]:
    """The lot of an appropriation, and every lot that was made of it since; empty where nothing was appropriated by this proposal."""
    found = await pool.fetch(
        f"""with recursive {_BELOW}
        select way.depth, {_ORIGIN}
        from way join ledger_lots t using (line, lot) join ledger_lines l using (line) order by 1, t.line, t.lot""",  # noqa: S608
        proposal,
    )
    return [Origin(**row) for row in found]


async def uses_below(pool: Pool, proposal: RecordId, *, limit: int) -> Sequence[Use]:
    """What became of an appropriation's money, on whichever line and in whichever year, in order."""
    found = await pool.fetch(
        f"with recursive {_BELOW} select {_columns(Use, 'u.')}"  # noqa: S608
        " from way join ledger_uses u using (line, lot) order by u.position, u.entitlement, u.lot limit $2",
        proposal,
        limit,
    )
    return [Use(**row) for row in found]
