"""What an event of a budget line means in double entry. Pure: the books follow from the history and from nothing else."""

from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple

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
    LateReturnReceived,
    LineClosed,
    Lot,
    RecallReceived,
    ReservationPosted,
    ReservationVoided,
)
from contracts.kernel import Event


class Account(StrEnum):
    """The accounts of each budget line; `chart.toml` says what they are called. Those in CREDIT_BY_NATURE stand on the credit side."""

    appropriated = "appropriated"
    received = "received"  # allotments from above, less what was taken back
    carried_over = "carried_over"  # from and to other years; on the debit side where it leaves
    adjusted = "adjusted"  # from and to other purposes; on the debit side where it leaves
    returned_late = "returned_late"  # what a closed year had paid
    available = "available"
    allotted = "allotted"  # to organisations below
    reserved = "reserved"
    paid = "paid"


CREDIT_BY_NATURE = frozenset({Account.appropriated, Account.received, Account.carried_over, Account.adjusted, Account.returned_late})
"""Their balance is credit minus debit; that of the others debit minus credit."""


class Posting(NamedTuple):
    """So many fen on one side of one account of the event's line."""

    account: Account
    debit: int
    credit: int


def _moved(fen: int, *, debit: Account, credit: Account) -> tuple[Posting, ...]:
    return (Posting(debit, fen, 0), Posting(credit, 0, fen)) if fen else ()


def _sum(parts: Iterable[Drawn | Lot]) -> int:
    return sum(part.fen for part in parts)


def postings(event: Event) -> tuple[Posting, ...]:
    """The event's postings, debits equal to credits; none where it moves no money of an open year."""
    match event:
        case FundsReserved():
            fen = sum(_sum(item.drawn) for item in event.items)
            return _moved(fen, debit=Account.reserved, credit=Account.available)
        case ReservationPosted():
            fen = sum(_sum(item.drawn) for item in event.items)
            return _moved(fen, debit=Account.paid, credit=Account.reserved)
        case ReservationVoided():
            fen = sum(_sum(item.drawn) for item in event.items)
            return _moved(fen, debit=Account.available, credit=Account.reserved)
        case FundsReturned():
            return _moved(_sum(event.drawn), debit=Account.reserved if event.held else Account.available, credit=Account.paid)
        case FundsAppropriated():
            return _moved(event.fen, debit=Account.available, credit=Account.appropriated)
        case FundsAllotted():
            return _moved(_sum(event.drawn), debit=Account.allotted, credit=Account.available)
        case AllotmentReceived():
            return _moved(_sum(event.lots), debit=Account.available, credit=Account.received)
        case AllotmentRecalled():
            return _moved(_sum(event.drawn), debit=Account.received, credit=Account.available)
        case RecallReceived():
            return _moved(_sum(event.restored), debit=Account.available, credit=Account.allotted)
        case BudgetAdjusted():
            return _moved(_sum(event.drawn), debit=Account.adjusted, credit=Account.available)
        case AdjustmentReceived():
            return _moved(_sum(event.lots), debit=Account.available, credit=Account.adjusted)
        case LineClosed():
            return _moved(_sum(event.drawn), debit=Account.carried_over, credit=Account.available)
        case CarryOverReceived():
            return _moved(_sum(event.lots), debit=Account.available, credit=Account.carried_over)
        case LateReturnReceived():
            return _moved(_sum(event.lots), debit=Account.available, credit=Account.returned_late)
        case _:
            return ()


def balance(account: Account, debit: int, credit: int) -> int:
    """An account's balance, positive on its natural side."""
    return credit - debit if account in CREDIT_BY_NATURE else debit - credit
