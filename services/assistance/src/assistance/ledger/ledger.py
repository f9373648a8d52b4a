"""The books as a read model: lines with their balances, entries, vouchers, lots and what became of them.

Entries, vouchers and uses only grow. Vouchers are numbered without gaps within an organisation and year, in the order of the history; a
reservation and its voiding are commitments and take no voucher.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from contracts.assistance.funds import (
    AdjustmentReceived,
    AllotmentRecalled,
    AllotmentReceived,
    BudgetAdjusted,
    CarryOverReceived,
    Drawn,
    FundsAllotted,
    FundsAppropriated,
    FundsReserved,
    FundsReturned,
    FundsReturnedLate,
    LateReturnReceived,
    LineClosed,
    LineId,
    LineOpened,
    Lot,
    PeriodClosed,
    RecallReceived,
    ReservationPosted,
    ReservationVoided,
)
from contracts.kernel import Event, OrgCode
from foundation.cursor import Connection
from foundation.history import Happened
from foundation.projections import Projection, Table, Tables

from assistance.ledger.postings import Account, balance, postings

LINES = Table(
    "ledger_lines",
    "line text primary key, organisation text not null, year int not null, source text not null, purpose text not null,"
    " earmarked boolean not null, closed_through date, into_line text,"
    + ", ".join(f" {account} bigint not null default 0" for account in Account),
    indexes=("create index on {table} (organisation, year)",),
)
ENTRIES = Table(
    "ledger_entries",
    "position bigint not null, account text not null, line text not null, debit bigint not null, credit bigint not null,"
    " booked_on date not null, event text not null, reference text not null, actor text not null, primary key (position, account)",
    indexes=("create index on {table} (line, position)",),
)
VOUCHERS = Table(
    "ledger_vouchers",
    "organisation text not null, year int not null, number int not null, position bigint not null, line text not null,"
    " primary key (organisation, year, number)",
    indexes=("create index on {table} (position)",),
)
LOTS = Table(
    "ledger_lots",
    "line text not null, lot int not null, kind text not null, fen bigint not null, taken_back bigint not null default 0, origin_line text,"
    " origin_lot int, reference text not null, document text, booked_on date not null, position bigint not null, primary key (line, lot)",
    indexes=("create index on {table} (origin_line, origin_lot)", "create index on {table} (reference)"),
)
USES = Table(
    "ledger_uses",
    "position bigint not null, line text not null, lot int not null, fen bigint not null, entitlement text not null,"
    " reservation text not null, kind text not null, instruction text, reversal text, into_line text, booked_on date not null,"
    " moved_on date not null,"
    " primary key (position, entitlement, lot)",
    indexes=("create index on {table} (entitlement)", "create index on {table} (line, lot)", "create index on {table} (moved_on)"),
)

_RECEIVED: dict[type[Event], str] = {
    AllotmentReceived: "allotment",
    AdjustmentReceived: "adjustment",
    CarryOverReceived: "carry-over",
    LateReturnReceived: "late-return",
}
_COMMITMENTS = (FundsReserved, ReservationVoided)


@dataclass(slots=True)
class _Rows:
    """What a batch adds to each table."""

    opened: list[LineOpened] = field(default_factory=list)
    closed_through: dict[LineId, date] = field(default_factory=dict)
    closed: dict[LineId, LineId] = field(default_factory=dict)
    moved: defaultdict[LineId, Counter[Account]] = field(default_factory=lambda: defaultdict(Counter))
    entries: list[tuple[Any, ...]] = field(default_factory=list)
    vouchers: list[tuple[LineId, int]] = field(default_factory=list)
    lots: list[tuple[Any, ...]] = field(default_factory=list)
    uses: list[tuple[Any, ...]] = field(default_factory=list)
    taken_back: list[tuple[LineId, int, int]] = field(default_factory=list)

    def take(self, one: Happened) -> None:
        """One event's rows."""
        event = one.event
        match event:
            case LineOpened():
                self.opened.append(event)
                return
            case PeriodClosed():
                self.closed_through[event.line] = event.through
                return
            case LineClosed():
                self.closed[event.line] = event.into_line
            case AllotmentRecalled():
                self.taken_back.extend((event.line, part.lot, part.fen) for part in event.drawn)
            case FundsAppropriated():
                lot = (event.line, event.lot, "appropriation", event.fen, None, None)
                self.lots.append((*lot, event.proposal, event.document, event.booked_on, one.position))
            case AllotmentReceived() | AdjustmentReceived() | CarryOverReceived() | LateReturnReceived():
                self._lots(one, event.line, event.from_line, event.lots)
            case FundsReserved() | ReservationVoided():
                kind = "reserved" if isinstance(event, FundsReserved) else "voided"
                for held in event.items:
                    self._uses(one, held.entitlement, held.drawn, kind)
            case ReservationPosted():
                for paid in event.items:
                    self._uses(one, paid.entitlement, paid.drawn, "paid", instruction=paid.instruction)
            case FundsReturned():
                kind = "returned-held" if event.held else "returned"
                self._uses(one, event.entitlement, event.drawn, kind, instruction=event.instruction, reversal=event.reversal)
            case FundsReturnedLate():
                back = {"instruction": event.instruction, "reversal": event.reversal, "into_line": event.into_line}
                self._uses(one, event.entitlement, event.drawn, "returned-late", **back)
            case _:
                pass
        self._book(one)

    def _book(self, one: Happened) -> None:
        event: Any = one.event
        found = postings(event)
        for posting in found:
            self.moved[event.line][posting.account] += balance(posting.account, posting.debit, posting.credit)
            self.entries.append(
                (
                    one.position,
                    posting.account,
                    event.line,
                    posting.debit,
                    posting.credit,
                    event.booked_on,
                    type(event).__name__,
                    _reference(event),
                    one.envelope.actor,
                )
            )
        if found and not isinstance(event, _COMMITMENTS):
            self.vouchers.append((event.line, one.position))

    def _lots(self, one: Happened, line: LineId, from_line: LineId, lots: Iterable[Lot]) -> None:
        event: Any = one.event
        for lot in lots:
            row = (line, lot.lot, _RECEIVED[type(event)], lot.fen, from_line, lot.origin)
            self.lots.append((*row, _reference(event), None, event.booked_on, one.position))

    def _uses(self, one: Happened, entitlement: str, drawn: Iterable[Drawn], kind: str, **more: str) -> None:
        event: Any = one.event
        day = event.returned_on if isinstance(event, FundsReturnedLate) else event.booked_on
        moved_on = getattr(event, "moved_on", None) or day
        rest = (event.reservation, kind, more.get("instruction"), more.get("reversal"), more.get("into_line"), day, moved_on)
        self.uses.extend((one.position, event.line, part.lot, part.fen, entitlement, *rest) for part in drawn)


def _reference(event: Event) -> str:
    """What an entry leads to: the proposal, the reservation, the reversal, or the other year's line."""
    match event:
        case FundsAppropriated() | FundsAllotted() | AllotmentReceived() | BudgetAdjusted() | AdjustmentReceived():
            return event.proposal
        case AllotmentRecalled() | RecallReceived():
            return event.proposal
        case FundsReserved() | ReservationVoided() | ReservationPosted():
            return event.reservation
        case FundsReturned() | LateReturnReceived():
            return event.reversal
        case LineClosed():
            return event.into_line
        case CarryOverReceived():
            return event.from_line
        case _:
            raise TypeError(f"{type(event).__name__} is not booked")


async def apply(connection: Connection, tables: Tables, batch: Sequence[Happened]) -> None:
    """A few statements however long the batch."""
    rows = _Rows()
    for one in batch:
        rows.take(one)
    lines = tables["ledger_lines"]
    await _insert(
        connection,
        lines,
        ("line text", "organisation text", "year int", "source text", "purpose text", "earmarked boolean"),
        [(event.line, event.organisation, event.year, event.source, event.purpose, event.earmarked) for event in rows.opened],
    )
    await _update(connection, lines, rows)
    await _insert(
        connection,
        tables["ledger_entries"],
        (
            *("position bigint", "account text", "line text", "debit bigint", "credit bigint"),
            *("booked_on date", "event text", "reference text", "actor text"),
        ),
        rows.entries,
    )
    await _insert(
        connection,
        tables["ledger_lots"],
        (
            *("line text", "lot int", "kind text", "fen bigint", "origin_line text", "origin_lot int"),
            *("reference text", "document text", "booked_on date", "position bigint"),
        ),
        rows.lots,
    )
    await connection.execute(
        f"update {tables['ledger_lots']} t set taken_back = t.taken_back + n.fen from (select line, lot, sum(fen)::bigint as fen"  # noqa: S608
        " from unnest($1::text[], $2::int[], $3::bigint[]) n (line, lot, fen) group by line, lot) n"
        " where t.line = n.line and t.lot = n.lot",
        *([row[place] for row in rows.taken_back] for place in range(3)),
    )
    await _insert(
        connection,
        tables["ledger_uses"],
        (
            *("position bigint", "line text", "lot int", "fen bigint", "entitlement text", "reservation text", "kind text"),
            *("instruction text", "reversal text", "into_line text", "booked_on date", "moved_on date"),
        ),
        rows.uses,
    )
    await _number(connection, tables, rows.vouchers)


async def _insert(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
    if rows:
        names = ", ".join(column.split()[0] for column in columns)
        arrays = ", ".join(f"${number}::{column.split()[1]}[]" for number, column in enumerate(columns, start=1))
        await connection.execute(f"insert into {table} ({names}) select * from unnest({arrays})", *zip(*rows, strict=True))  # noqa: S608


async def _update(connection: Connection, table: str, rows: _Rows) -> None:
    touched = list({*rows.moved, *rows.closed, *rows.closed_through})
    if not touched:
        return
    sums = ", ".join(f"{account} = t.{account} + n.{account}" for account in Account)
    arrays = ", ".join(f"${number}::bigint[]" for number, _ in enumerate(Account, start=4))
    await connection.execute(
        f"update {table} t set closed_through = coalesce(n.closed_through, t.closed_through),"  # noqa: S608 - our own names
        f" into_line = coalesce(n.into_line, t.into_line), {sums}"
        f" from unnest($1::text[], $2::date[], $3::text[], {arrays}) n (line, closed_through, into_line, {', '.join(Account)})"
        " where t.line = n.line",
        touched,
        [rows.closed_through.get(line) for line in touched],
        [rows.closed.get(line) for line in touched],
        *([rows.moved[line][account] for line in touched] for account in Account),
    )


async def _number(connection: Connection, tables: Tables, vouchers: Sequence[tuple[LineId, int]]) -> None:
    """The next numbers of each organisation and year."""
    if not vouchers:
        return
    known = await connection.fetch(
        f"select l.line, l.organisation, l.year, (select coalesce(max(v.number), 0) from {tables['ledger_vouchers']} v"  # noqa: S608
        f" where v.organisation = l.organisation and v.year = l.year) from {tables['ledger_lines']} l where l.line = any ($1)",
        list({line for line, _ in vouchers}),
    )
    books: dict[LineId, tuple[OrgCode, int]] = {line: (organisation, year) for line, organisation, year, _ in known}
    last = {(organisation, year): number for _, organisation, year, number in known}
    rows = []
    for line, position in vouchers:
        book = books[line]
        last[book] += 1
        rows.append((*book, last[book], position, line))
    await _insert(
        connection,
        tables["ledger_vouchers"],
        ("organisation text", "year int", "number int", "position bigint", "line text"),
        rows,
    )


LEDGER = Projection(
    name="ledger",
    source="assistance",
    version=4,
    tables=(LINES, ENTRIES, VOUCHERS, LOTS, USES),
    apply=apply,
    events=frozenset(
        {
            *(LineOpened, PeriodClosed, LineClosed, FundsAppropriated, FundsAllotted, BudgetAdjusted, AllotmentRecalled, RecallReceived),
            *_RECEIVED,
            *(FundsReserved, ReservationVoided, ReservationPosted, FundsReturned, FundsReturnedLate),
        }
    ),
)
