"""What a budget line is: its lots, what is set aside for whom, what was paid; and how each event changes it. Pure.

A line's stream may hold tens of thousands of reservations, so a state shares what did not change with the one before (`immutables.Map`): an
event costs as much as it names, not as much as the line holds.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from enum import Enum
from typing import NamedTuple

from contracts.assistance.funds import (
    AdjustmentReceived,
    AllotmentRecalled,
    AllotmentReceived,
    BudgetAdjusted,
    CarryOverReceived,
    Drawn,
    EntitlementId,
    FundsAllotted,
    FundsAppropriated,
    FundsReserved,
    FundsReturned,
    FundsReturnedLate,
    LateReturnReceived,
    LineClosed,
    LineId,
    LineOpened,
    PeriodClosed,
    RecallReceived,
    ReservationPosted,
    ReservationVoided,
)
from contracts.kernel import Event, OrgCode
from contracts.membership import RecordId
from immutables import Map


class Stage(Enum):
    """How far an entitlement's money has come."""

    reserved = 1
    paid = 2
    free = 3  # voided, or paid and wholly returned


class Holding(NamedTuple):
    """What an entitlement holds of the line: while reserved what is set aside, once paid (by `instruction`) what has not come back.

    `done` are the instructions and reversals that have had their effect: each has it once.
    """

    reservation: RecordId
    stage: Stage
    drawn: tuple[Drawn, ...]
    instruction: RecordId | None = None
    done: tuple[RecordId, ...] = ()


_NO_HOLDINGS: Map[EntitlementId, Holding] = Map()
_NO_RESERVATIONS: Map[RecordId, tuple[tuple[EntitlementId, int], ...]] = Map()


@dataclass(frozen=True, slots=True)
class Unopened:
    """No money has reached this line yet."""


@dataclass(frozen=True, slots=True)
class Open:
    """A line whose year is not closed. `lots` is what each lot has available, lot 1 first; `allotted_by` the line above and its lot that
    each was allotted out of, None where it was not."""

    line: LineId
    organisation: OrgCode
    year: int
    source: str
    purpose: str
    earmarked: bool
    lots: tuple[int, ...] = ()
    available_fen: int = 0
    reserved_fen: int = 0
    paid_fen: int = 0
    holdings: Map[EntitlementId, Holding] = _NO_HOLDINGS
    reservations: Map[RecordId, tuple[tuple[EntitlementId, int], ...]] = _NO_RESERVATIONS
    closed_through: date | None = None
    allotted_by: tuple[tuple[LineId, int] | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Closed:
    """A line whose year is closed; `was` is what it was, and goes on saying which payments came back."""

    was: Open
    into_line: LineId


BudgetLine = Unopened | Open | Closed


def fen_of(drawn: Iterable[Drawn]) -> int:
    """The sum of amounts drawn."""
    return sum(one.fen for one in drawn)


def evolve(line: BudgetLine, event: Event) -> BudgetLine:
    match line, event:
        case Open(), FundsReserved():
            return _reserved(line, event)
        case Open(), ReservationPosted():
            return _posted(line, event)
        case Open(), ReservationVoided():
            return _voided(line, event)
        case Open(), FundsReturned():
            return _returned(line, event)
        case Open(), FundsAppropriated():
            return _received(line, (event.fen,))
        case Open(), AllotmentReceived():
            return _received(line, [lot.fen for lot in event.lots], [(event.from_line, lot.origin) for lot in event.lots])
        case Open(), AdjustmentReceived() | CarryOverReceived() | LateReturnReceived():
            return _received(line, [lot.fen for lot in event.lots])
        case Open(), FundsAllotted() | BudgetAdjusted() | AllotmentRecalled():
            return _left(line, event.drawn)
        case Open(), RecallReceived():
            return _left(line, [Drawn(lot=one.lot, fen=-one.fen) for one in event.restored])
        case Open(), PeriodClosed():
            return replace(line, closed_through=event.through)
        case Open(), LineClosed():
            return Closed(_left(line, event.drawn), event.into_line)
        case Closed(), FundsReturnedLate():
            was = line.was
            holding = _after_return(was.holdings[event.entitlement], event.drawn, event.reversal, held=False)
            return replace(line, was=replace(was, holdings=was.holdings.set(event.entitlement, holding)))
        case Unopened(), LineOpened():
            return Open(event.line, event.organisation, event.year, event.source, event.purpose, event.earmarked)
        case _:
            return line


def _received(line: Open, amounts: Sequence[int], allotted_by: Sequence[tuple[LineId, int] | None] = ()) -> Open:
    return replace(
        line,
        lots=(*line.lots, *amounts),
        available_fen=line.available_fen + sum(amounts),
        allotted_by=(*line.allotted_by, *(allotted_by or [None] * len(amounts))),
    )


def _left(line: Open, drawn: Sequence[Drawn]) -> Open:
    lots = list(line.lots)
    for one in drawn:
        lots[one.lot - 1] -= one.fen
    return replace(line, lots=tuple(lots), available_fen=line.available_fen - fen_of(drawn))


def _reserved(line: Open, event: FundsReserved) -> Open:
    lots, fen = list(line.lots), 0
    items: list[tuple[EntitlementId, int]] = []
    holdings = line.holdings.mutate()
    for item in event.items:
        for one in item.drawn:
            lots[one.lot - 1] -= one.fen
        earlier = holdings.get(item.entitlement)
        done = () if earlier is None else earlier.done
        holdings[item.entitlement] = Holding(event.reservation, Stage.reserved, item.drawn, None, done)
        items.append((item.entitlement, fen_of(item.drawn)))
        fen += items[-1][1]
    return replace(
        line,
        lots=tuple(lots),
        available_fen=line.available_fen - fen,
        reserved_fen=line.reserved_fen + fen,
        holdings=holdings.finish(),
        reservations=line.reservations.set(event.reservation, tuple(items)),
    )


def _voided(line: Open, event: ReservationVoided) -> Open:
    lots, fen = list(line.lots), 0
    holdings = line.holdings.mutate()
    for item in event.items:
        for one in item.drawn:
            lots[one.lot - 1] += one.fen
            fen += one.fen
        holdings[item.entitlement] = holdings[item.entitlement]._replace(stage=Stage.free, drawn=())
    return replace(
        line,
        lots=tuple(lots),
        available_fen=line.available_fen + fen,
        reserved_fen=line.reserved_fen - fen,
        holdings=holdings.finish(),
    )


def _posted(line: Open, event: ReservationPosted) -> Open:
    fen = 0
    holdings = line.holdings.mutate()
    for item in event.items:
        holding = holdings[item.entitlement]
        holdings[item.entitlement] = Holding(
            holding.reservation, Stage.paid, holding.drawn, item.instruction, (*holding.done, item.instruction)
        )
        fen += fen_of(item.drawn)
    return replace(line, reserved_fen=line.reserved_fen - fen, paid_fen=line.paid_fen + fen, holdings=holdings.finish())


def _returned(line: Open, event: FundsReturned) -> Open:
    fen = fen_of(event.drawn)
    holding = _after_return(line.holdings[event.entitlement], event.drawn, event.reversal, held=event.held)
    back = replace(line, paid_fen=line.paid_fen - fen, holdings=line.holdings.set(event.entitlement, holding))
    if event.held:
        return replace(back, reserved_fen=line.reserved_fen + fen)
    lots = list(line.lots)
    for one in event.drawn:
        lots[one.lot - 1] += one.fen
    return replace(back, lots=tuple(lots), available_fen=line.available_fen + fen)


def _after_return(holding: Holding, returned: Sequence[Drawn], reversal: RecordId, *, held: bool) -> Holding:
    done = (*holding.done, reversal)
    if held:
        return holding._replace(stage=Stage.reserved, done=done)
    back = {one.lot: one.fen for one in returned}
    left = tuple(Drawn(lot=one.lot, fen=one.fen - back.get(one.lot, 0)) for one in holding.drawn if one.fen > back.get(one.lot, 0))
    return holding._replace(stage=Stage.paid if left else Stage.free, drawn=left, done=done)
