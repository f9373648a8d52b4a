"""The end of a line's year, and what comes back after it. Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from contracts.assistance.funds import (
    CarryOverReceived,
    Drawn,
    FundsReserved,
    FundsReturnedLate,
    LateReturnReceived,
    LineClosed,
    LineOpened,
    Reserved,
)
from contracts.kernel import Event
from contracts.values import day_in_china
from foundation.decider import JointDecider, Part

from assistance.funds import commands, errors
from assistance.funds.budget_line import (
    BUDGET_LINE,
    booking_day,
    coming_back,
    day_moved,
    line_id,
    lots_of,
    not_held,
    opened,
    opened_by,
    opening_of,
)
from assistance.funds.line import BudgetLine, Closed, Open


def _both(command: commands.CloseLine | commands.ReturnLate) -> list[Part]:
    if command.line == command.into:
        raise errors.SourceMismatch(command.line, command.into)
    return [Part(BUDGET_LINE, command.line), Part(BUDGET_LINE, command.into)]


def _close(command: commands.CloseLine, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    closing, next_year = states
    if isinstance(closing, Closed) and closing.into_line == command.into:
        return [[], []]
    line = opened(closing, command.line)
    if command.into != line_id(line.organisation, line.year + 1, line.source, command.into_purpose):
        raise errors.SourceMismatch(line.line, command.into)
    if line.earmarked and command.into_purpose != line.purpose:
        raise errors.EarmarkedElsewhere(line.line, line.purpose)
    if command.into_purpose != line.purpose and len(set(command.by)) < 2:
        raise errors.CarriedElsewhereByOne(line.line, line.purpose, command.into_purpose)
    if day_in_china(now) < date(line.year, 12, 31):
        raise errors.YearNotOver(line.line, line.year)
    if line.reserved_fen:
        raise errors.ReservationsOpen(line.line, line.reserved_fen)
    opening = LineOpened(
        line=command.into,
        organisation=line.organisation,
        year=line.year + 1,
        source=line.source,
        purpose=command.into_purpose,
        earmarked=command.into_earmarked,
    )
    into = opened_by(next_year, opening)
    drawn = tuple(Drawn(lot=number, fen=fen) for number, fen in enumerate(line.lots, start=1) if fen)
    closed = LineClosed(line=line.line, into_line=into.line, drawn=drawn, booked_on=date(line.year, 12, 31))
    received = CarryOverReceived(
        line=into.line, from_line=line.line, lots=lots_of(into, drawn), booked_on=booking_day(into, None, now, ahead=True)
    )
    # The next line is opened even where nothing is left: what comes back late has its place there.
    return [[closed], [*opening_of(next_year, opening), *([received] if drawn else [])]]


CLOSE_LINE: JointDecider[commands.CloseLine] = JointDecider(parts=_both, decide=_close)
"""Closes a line's year; what is left goes to the next year's line, of the same source."""


def return_late(command: commands.ReturnLate, closed: BudgetLine, later: BudgetLine, now: datetime) -> tuple[list[Event], list[Event]]:
    """What happens at the closed line that had paid, and at the one that receives; nothing where this reversal came before.

    Raises LineUnknown, NotClosed, LineClosed, SourceMismatch, EarmarkedElsewhere, HeldInPart, EntitlementTaken, and what `coming_back` and
    `day_moved` raise.
    """
    match closed:
        case Closed(was=line):
            pass
        case Open():
            raise errors.NotClosed(command.line)
        case _:
            raise errors.LineUnknown(command.line)
    back = coming_back(line, command)
    if back is None:
        return [], []
    into = opened(later, command.into)
    if (into.organisation, into.source) != (line.organisation, line.source) or into.year <= line.year:
        raise errors.SourceMismatch(line.line, into.line)
    if line.earmarked and into.purpose != line.purpose:
        raise errors.EarmarkedElsewhere(line.line, line.purpose)
    if command.held_as is not None:
        if back.drawn != line.holdings[command.entitlement].drawn:
            raise errors.HeldInPart(command.entitlement)
        not_held(into, command.entitlement)
    moved_on = command.moved_on or day_in_china(now)
    day, lots = day_moved(into, moved_on, now), lots_of(into, back.drawn)
    returned = FundsReturnedLate(
        line=line.line,
        reservation=command.reservation,
        entitlement=command.entitlement,
        instruction=back.instruction,
        reversal=command.reversal,
        drawn=back.drawn,
        into_line=into.line,
        returned_on=moved_on,
    )
    received: list[Event] = [
        LateReturnReceived(
            line=into.line,
            from_line=line.line,
            entitlement=command.entitlement,
            reversal=command.reversal,
            lots=lots,
            booked_on=day,
        )
    ]
    if command.held_as is not None:
        # Out of the very lots that came back, so that the way to the old line stays in sight.
        item = Reserved(entitlement=command.entitlement, drawn=tuple(Drawn(lot=lot.lot, fen=lot.fen) for lot in lots))
        received.append(FundsReserved(line=into.line, reservation=command.held_as, purpose=line.purpose, items=(item,), booked_on=day))
    return [returned], received


def _return_late(command: commands.ReturnLate, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    closed, later = states
    return list(return_late(command, closed, later, now))


RETURN_LATE: JointDecider[commands.ReturnLate] = JointDecider(parts=_both, decide=_return_late)
"""Takes what comes back after closing into an open line of the same organisation and source, naming the payment and its old line."""
