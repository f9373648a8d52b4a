"""What a budget line lets happen, and what it refuses. Pure."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import assert_never

from contracts.assistance.funds import (
    Drawn,
    EntitlementId,
    FundsReserved,
    FundsReturned,
    LineId,
    LineOpened,
    Lot,
    Paid,
    PeriodClosed,
    ReservationPosted,
    ReservationVoided,
    Reserved,
)
from contracts.kernel import Event, OrgCode
from contracts.membership import RecordId
from contracts.values import day_in_china
from foundation.decider import Decider
from foundation.ids import command_id

from assistance.funds import commands, errors
from assistance.funds.commands import FEN_MAX, ITEMS_MAX
from assistance.funds.line import BudgetLine, Closed, Holding, Open, Stage, Unopened, evolve, fen_of


def line_id(organisation: OrgCode, year: int, source: str, purpose: str) -> LineId:
    """The one line of an organisation's year, source and purpose."""
    return command_id("budgetline", organisation, str(year), source, purpose).hex


def covers(purpose: str, wanted: str) -> bool:
    """Whether money for `purpose` may be spent on `wanted`: the same, or one that it holds (`aid` holds `aid.tuition`)."""
    return wanted == purpose or wanted.startswith(f"{purpose}.")


def decide(command: commands.Command, line: BudgetLine, now: datetime) -> list[Event]:
    match command:
        case commands.Reserve():
            return _reserve(command, opened(line, command.line), now)
        case commands.Void():
            return _void(command, opened(line, command.line), now)
        case commands.Post():
            return _post(command, opened(line, command.line), now)
        case commands.Return():
            return _return(command, opened(line, command.line), now)
        case commands.ClosePeriod():
            return _close_period(command, opened(line, command.line), now)
        case _:
            assert_never(command)


BUDGET_LINE: Decider[BudgetLine, commands.Command] = Decider(category="budgetline", initial=Unopened(), decide=decide, evolve=evolve)


def opened(line: BudgetLine, id: LineId) -> Open:
    """The line while its year is open. Raises LineUnknown, LineClosed."""
    match line:
        case Open():
            return line
        case Closed():
            raise errors.LineClosed(id, line.into_line)
        case Unopened():
            raise errors.LineUnknown(id)
        case _:
            assert_never(line)


def opening_of(line: BudgetLine, opening: LineOpened) -> list[Event]:
    """What has to happen before money reaches a line for the first time."""
    return [opening] if isinstance(line, Unopened) else []


def opened_by(line: BudgetLine, opening: LineOpened) -> Open:
    """The line that money is about to reach. Raises LineClosed."""
    return opened(BUDGET_LINE.fold(opening_of(line, opening), line), opening.line)


def checked_fen(fen: int) -> int:
    """An amount that can be one. Raises AmountOutOfRange."""
    if not 1 <= fen <= FEN_MAX:
        raise errors.AmountOutOfRange(fen)
    return fen


def booking_day(line: Open, booked_on: date | None, now: datetime, *, ahead: bool = False) -> date:
    """The day the books carry. `ahead`: a budget may be filled before its year begins.

    Raises BookedOutsideYear, BookedAhead, PeriodIsClosed.
    """
    today, first, last = day_in_china(now), date(line.year, 1, 1), date(line.year, 12, 31)
    day = min(max(today, first), last) if booked_on is None else booked_on
    if not first <= day <= last:
        raise errors.BookedOutsideYear(line.line, day, line.year)
    if day > today and not (ahead and booked_on is None):
        raise errors.BookedAhead(line.line, day)
    if line.closed_through is not None and day <= line.closed_through:
        raise errors.PeriodIsClosed(line.line, day, line.closed_through)
    return day


def day_moved(line: Open, moved_on: date, now: datetime) -> date:
    """The day that the books carry for what a bank did: that day, or the nearest one of the line's year that is open.

    Raises BookedAhead, PeriodIsClosed.
    """
    if moved_on > day_in_china(now):
        raise errors.BookedAhead(line.line, moved_on)
    first, last = date(line.year, 1, 1), date(line.year, 12, 31)
    if line.closed_through is not None:
        first = line.closed_through + timedelta(days=1)
        if first > last:
            raise errors.PeriodIsClosed(line.line, moved_on, line.closed_through)
    return min(max(moved_on, first), last)


def _days(line: Open, command: commands.Post | commands.Return, now: datetime) -> tuple[date, date | None]:
    """The books' day, and the bank's where it is another."""
    if command.moved_on is None:
        return booking_day(line, command.booked_on, now), None
    day = day_moved(line, command.moved_on, now)
    return day, None if day == command.moved_on else command.moved_on


def draw(line: Open, amounts: Sequence[int]) -> list[tuple[Drawn, ...]]:
    """Each amount out of the lots, oldest first. Raises AmountOutOfRange, LineExhausted."""
    asked = checked_fen(sum(map(checked_fen, amounts)))
    if asked > line.available_fen:
        raise errors.LineExhausted(line.line, line.available_fen, asked)
    lots = ((number, fen) for number, fen in enumerate(line.lots, start=1) if fen)
    lot, left = 0, 0
    found = []
    for amount in amounts:
        drawn, wanted = [], amount
        while wanted:
            if not left:
                lot, left = next(lots)
            fen = min(wanted, left)
            drawn.append(Drawn(lot=lot, fen=fen))
            left, wanted = left - fen, wanted - fen
        found.append(tuple(drawn))
    return found


def unused(line: Open, above: LineId, fen: int) -> tuple[tuple[Drawn, ...], tuple[Drawn, ...]]:
    """What a line above takes back out of the lots that it had allotted, the last first, and which of its own lots it goes to.

    Raises AmountOutOfRange, AllotmentUsed.
    """
    wanted = checked_fen(fen)
    drawn: list[Drawn] = []
    restored: Counter[int] = Counter()
    lots = zip(range(1, len(line.lots) + 1), line.lots, line.allotted_by, strict=True)
    for lot, left, by in reversed([*lots]):
        if by is not None and by[0] == above and (part := min(wanted, left)):
            drawn.append(Drawn(lot=lot, fen=part))
            restored[by[1]] += part
            wanted -= part
    if wanted:
        raise errors.AllotmentUsed(line.line, fen - wanted, fen)
    return tuple(drawn), tuple(Drawn(lot=lot, fen=part) for lot, part in sorted(restored.items()))


def lots_of(line: Open, drawn: Sequence[Drawn]) -> tuple[Lot, ...]:
    """What was drawn from another line as new lots of this one."""
    return tuple(Lot(lot=number, origin=one.lot, fen=one.fen) for number, one in enumerate(drawn, start=len(line.lots) + 1))


def _each_once(ids: Sequence[str]) -> None:
    if not 1 <= len(ids) <= ITEMS_MAX or len(set(ids)) < len(ids):
        raise errors.ItemsOutOfRange(ITEMS_MAX)


def not_held(line: Open, entitlement: EntitlementId) -> None:
    """Raises EntitlementTaken where the entitlement has money of this line."""
    holding = line.holdings.get(entitlement)
    if holding is not None and holding.stage is not Stage.free:
        raise errors.EntitlementTaken(entitlement, holding.reservation)


def _reserve(command: commands.Reserve, line: Open, now: datetime) -> list[Event]:
    _each_once([entitlement for entitlement, _ in command.items])
    made = line.reservations.get(command.reservation)
    if made is not None:
        if made != command.items:
            raise errors.ReservationExists(command.reservation)
        return []
    if not covers(line.purpose, command.purpose):
        raise errors.PurposeMismatch(line.line, line.purpose, command.purpose)
    day = booking_day(line, command.booked_on, now)
    for entitlement, _ in command.items:
        not_held(line, entitlement)
    amounts = [fen for _, fen in command.items]
    items = tuple(
        Reserved(entitlement=entitlement, drawn=drawn) for (entitlement, _), drawn in zip(command.items, draw(line, amounts), strict=True)
    )
    return [FundsReserved(line=line.line, reservation=command.reservation, purpose=command.purpose, items=items, booked_on=day)]


def _holding(line: Open, reservation: RecordId, entitlement: EntitlementId) -> Holding:
    holding = line.holdings.get(entitlement)
    if holding is None or holding.reservation != reservation:
        raise errors.EntitlementNotReserved(entitlement)
    return holding


def _void(command: commands.Void, line: Open, now: datetime) -> list[Event]:
    _each_once(command.entitlements)
    items = []
    for entitlement in command.entitlements:
        holding = _holding(line, command.reservation, entitlement)
        if holding.stage is Stage.paid:
            raise errors.AlreadyPaid(entitlement, holding.instruction)
        if holding.stage is Stage.reserved:
            items.append(Reserved(entitlement=entitlement, drawn=holding.drawn))
    if not items:
        return []
    day = booking_day(line, command.booked_on, now)
    return [ReservationVoided(line=line.line, reservation=command.reservation, items=tuple(items), booked_on=day)]


def _post(command: commands.Post, line: Open, now: datetime) -> list[Event]:
    _each_once([entitlement for entitlement, _ in command.payments])
    items = []
    for entitlement, instruction in command.payments:
        holding = _holding(line, command.reservation, entitlement)
        if instruction in holding.done:
            continue
        match holding.stage:
            case Stage.reserved:
                items.append(Paid(entitlement=entitlement, instruction=instruction, drawn=holding.drawn))
            case Stage.paid:
                raise errors.AlreadyPaid(entitlement, holding.instruction)
            case Stage.free:
                raise errors.EntitlementNotReserved(entitlement)
            case _:
                assert_never(holding.stage)
    if not items:
        return []
    day, moved_on = _days(line, command, now)
    return [ReservationPosted(line=line.line, reservation=command.reservation, items=tuple(items), booked_on=day, moved_on=moved_on)]


@dataclass(frozen=True, slots=True)
class Back:
    """What comes back of a payment: whose instruction it was, and of which lots."""

    instruction: RecordId
    drawn: tuple[Drawn, ...]


def coming_back(line: Open, command: commands.Return | commands.ReturnLate) -> Back | None:
    """What a return brings, the lots drawn last first; None where this reversal came before.

    Raises EntitlementNotReserved, NotPaid, AmountOutOfRange.
    """
    holding = _holding(line, command.reservation, command.entitlement)
    if command.reversal in holding.done:
        return None
    paid = fen_of(holding.drawn) if holding.stage is Stage.paid else 0
    wanted = paid if command.fen is None else checked_fen(command.fen)
    if holding.instruction is None or not 0 < wanted <= paid:
        raise errors.NotPaid(command.entitlement, paid, wanted)
    back = []
    for one in reversed(holding.drawn):
        if wanted:
            back.append(Drawn(lot=one.lot, fen=min(wanted, one.fen)))
            wanted -= back[-1].fen
    return Back(holding.instruction, tuple(reversed(back)))


def _return(command: commands.Return, line: Open, now: datetime) -> list[Event]:
    back = coming_back(line, command)
    if back is None:
        return []
    holding = line.holdings[command.entitlement]
    if command.held and back.drawn != holding.drawn:
        raise errors.HeldInPart(command.entitlement)
    day, moved_on = _days(line, command, now)
    return [
        FundsReturned(
            line=line.line,
            reservation=command.reservation,
            entitlement=command.entitlement,
            instruction=back.instruction,
            reversal=command.reversal,
            drawn=back.drawn,
            held=command.held,
            booked_on=day,
            moved_on=moved_on,
        )
    ]


def _close_period(command: commands.ClosePeriod, line: Open, now: datetime) -> list[Event]:
    if line.closed_through is not None and command.through <= line.closed_through:
        return []
    if command.through.year != line.year:
        raise errors.BookedOutsideYear(line.line, command.through, line.year)
    if command.through > day_in_china(now):
        raise errors.BookedAhead(line.line, command.through)
    return [PeriodClosed(line=line.line, through=command.through)]
