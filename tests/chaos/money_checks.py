"""What must never be, by the history and by the bank's own log, which knows nothing of us."""

from collections import Counter
from collections.abc import Iterator, Sequence

import asyncpg
from assistance.events import CATALOGUE
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.line import Open
from assistance.ledger.postings import postings
from contracts.kernel import Event
from foundation.history import Reading
from foundation.store.batch import recorded

from .money import APPROVER, FEN, Bank, Fund, Money


async def violations(money: Money, fund: Fund) -> list[str]:
    """Everything that is wrong with a fund once all is at rest; an empty list is what we want."""
    books = await _books(money, fund)
    found = [*_of_books(books), *twice(money.bank, fund), *[f"{what} {count} times" for what, count in money.surprises.items()]]
    line = BUDGET_LINE.fold(books)
    assert isinstance(line, Open)
    standing = money.bank.standing(fund.account)
    if line.paid_fen != standing.total() * FEN:
        found.append(f"the line has paid {line.paid_fen} fen, the bank {standing.total() * FEN}")
    if await money.halted(fund):
        found.append("a comparison has stopped payments")
    for entitlement in standing:
        way = await money.see(APPROVER, f"/budget/entitlements/{entitlement}/lineage")
        if way is None or not [one for one in way["origins"] if one["kind"] == "appropriation" and one["document"]]:
            found.append(f"a transfer for {entitlement} leads to no appropriation")
    return found


def twice(bank: Bank, fund: Fund) -> list[str]:
    """Entitlements of which, after some booking of the bank's, more than one transfer had not come back."""
    standing: Counter[str] = Counter()
    found: dict[str, str] = {}
    for at, line in enumerate(bank.log(fund.account)):
        if line["kind"] == "returned":
            standing[line["end_to_end"]] -= 1
        elif line["kind"] == "transferred":
            standing[line["end_to_end"]] += 1
            if standing[line["end_to_end"]] > 1:
                found.setdefault(line["end_to_end"], f"{line['end_to_end']} is paid twice from the bank's line {at}")
    return list(found.values())


async def left(money: Money, fund: Fund) -> tuple[int, int]:
    """Fen available, and fen reserved."""
    line = BUDGET_LINE.fold(await _books(money, fund))
    assert isinstance(line, Open)
    return line.available_fen, line.reserved_fen


async def _books(money: Money, fund: Fund) -> list[Event]:
    connection = await asyncpg.connect(money.node.dsn("assistance"))
    try:
        rows = await connection.fetch(
            "select position, stream, version, type, record, leaf from events where stream = $1 order by position",
            BUDGET_LINE.stream(fund.line),
        )
    finally:
        await connection.close()
    return [one.event for one in Reading(CATALOGUE).all(recorded(rows))]


def _of_books(books: Sequence[Event]) -> Iterator[str]:
    """Debits are credits after every event, and nothing is ever below zero."""
    line = BUDGET_LINE.initial
    for event in books:
        line = BUDGET_LINE.evolve(line, event)
        if isinstance(line, Open) and min(line.available_fen, line.reserved_fen, line.paid_fen, *line.lots) < 0:
            yield f"below zero after {event.TYPE}"
        posted = postings(event)
        if sum(one.debit for one in posted) != sum(one.credit for one in posted):
            yield f"debits and credits of {event.TYPE} differ"
