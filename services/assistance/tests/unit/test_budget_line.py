"""One budget line: what it lets happen and what it refuses."""

from datetime import UTC, date, datetime

import pytest
from assistance.funds import commands, errors
from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.funds.commands import FEN_MAX, ITEMS_MAX
from assistance.funds.line import Open
from contracts.assistance.funds import (
    Drawn,
    FundsAppropriated,
    FundsReserved,
    FundsReturned,
    LineClosed,
    LineOpened,
    Paid,
    PeriodClosed,
    ReservationPosted,
    ReservationVoided,
    Reserved,
)
from foundation.decider import NOON, given

CITY = "3709"
LINE = line_id(CITY, 2026, "superior", "aid")
NEXT = line_id(CITY, 2027, "superior", "aid")
PROPOSAL, PAPER = "1" * 32, "d" * 64
R, R2 = "2" * 32, "3" * 32
ANNA, BO, CHEN = (letter * 32 for letter in "abc")
I1, I2, BACK = "4" * 32, "5" * 32, "6" * 32
TODAY = date(2026, 3, 2)

opened = LineOpened(line=LINE, organisation=CITY, year=2026, source="superior", purpose="aid", earmarked=False)
first = FundsAppropriated(line=LINE, proposal=PROPOSAL, lot=1, fen=5_000, document=PAPER, booked_on=TODAY)
second = FundsAppropriated(line=LINE, proposal=R2, lot=2, fen=3_000, document=PAPER, booked_on=TODAY)
of_anna, of_bo = (
    Reserved(entitlement=ANNA, drawn=(Drawn(lot=1, fen=4_000),)),
    Reserved(entitlement=BO, drawn=(Drawn(lot=1, fen=1_000), Drawn(lot=2, fen=2_000))),
)
reserved = FundsReserved(line=LINE, reservation=R, purpose="aid.tuition", items=(of_anna, of_bo), booked_on=TODAY)
paid_anna = Paid(entitlement=ANNA, instruction=I1, drawn=of_anna.drawn)
paid_bo = Paid(entitlement=BO, instruction=I2, drawn=of_bo.drawn)
posted = ReservationPosted(line=LINE, reservation=R, items=(paid_anna, paid_bo), booked_on=TODAY)
voided = ReservationVoided(line=LINE, reservation=R, items=(of_anna, of_bo), booked_on=TODAY)
closed = LineClosed(line=LINE, into_line=NEXT, drawn=(Drawn(lot=2, fen=1_000),), booked_on=date(2026, 12, 31))
FUNDED = (opened, first, second)

reserve = commands.Reserve(LINE, R, "aid.tuition", ((ANNA, 4_000), (BO, 3_000)))
post = commands.Post(LINE, R, ((ANNA, I1), (BO, I2)))
void = commands.Void(LINE, R, (ANNA, BO))


def returned(drawn: tuple[Drawn, ...], *, held: bool = False, reversal: str = BACK) -> FundsReturned:
    return FundsReturned(
        line=LINE, reservation=R, entitlement=BO, instruction=I2, reversal=reversal, drawn=drawn, held=held, booked_on=TODAY
    )


def test_a_reservation_takes_the_oldest_lots_first() -> None:
    given(BUDGET_LINE, *FUNDED).when(reserve).then(reserved)


def test_a_reservation_repeated_changes_nothing() -> None:
    given(BUDGET_LINE, *FUNDED, reserved).when(reserve).then_nothing()
    given(BUDGET_LINE, *FUNDED, reserved, posted).when(reserve).then_nothing()


def test_a_reservation_is_made_once() -> None:
    other = commands.Reserve(LINE, R, "aid.tuition", ((ANNA, 4_001),))
    given(BUDGET_LINE, *FUNDED, reserved).when(other).rejects(errors.ReservationExists)


def test_an_entitlement_holds_money_once() -> None:
    again = commands.Reserve(LINE, R2, "aid", ((ANNA, 1),))
    given(BUDGET_LINE, *FUNDED, reserved).when(again).rejects(errors.EntitlementTaken)
    given(BUDGET_LINE, *FUNDED, reserved, posted).when(again).rejects(errors.EntitlementTaken)


def test_nothing_is_overspent_and_the_loser_is_told_by_how_much() -> None:
    refusal = given(BUDGET_LINE, *FUNDED, reserved).when(commands.Reserve(LINE, R2, "aid", ((CHEN, 1_001),))).rejects(errors.LineExhausted)
    assert refusal.members == {"line": LINE, "available_fen": 1_000, "asked_fen": 1_001}


def test_all_of_a_reservation_or_nothing() -> None:
    command = commands.Reserve(LINE, R, "aid", ((ANNA, 8_000), (BO, 1)))
    given(BUDGET_LINE, *FUNDED).when(command).rejects(errors.LineExhausted)


@pytest.mark.parametrize("fen", [0, -1, FEN_MAX + 1, 10**30])
def test_an_amount_is_one(fen: int) -> None:
    command = commands.Reserve(LINE, R, "aid", ((ANNA, fen), (BO, 1)))
    given(BUDGET_LINE, *FUNDED).when(command).rejects(errors.AmountOutOfRange)


@pytest.mark.parametrize("items", [(), ((ANNA, 1), (ANNA, 1)), tuple((f"{n:032x}", 1) for n in range(ITEMS_MAX + 1))])
def test_entitlements_are_some_and_each_once(items: tuple[tuple[str, int], ...]) -> None:
    given(BUDGET_LINE, *FUNDED).when(commands.Reserve(LINE, R, "aid", items)).rejects(errors.ItemsOutOfRange)


@pytest.mark.parametrize("purpose", ["care", "aide", "ai"])
def test_money_serves_its_purpose(purpose: str) -> None:
    given(BUDGET_LINE, *FUNDED).when(commands.Reserve(LINE, R, purpose, ((ANNA, 1),))).rejects(errors.PurposeMismatch)


def test_a_line_that_nobody_opened() -> None:
    given(BUDGET_LINE).when(reserve).rejects(errors.LineUnknown)


def test_a_payment_is_posted_once() -> None:
    given(BUDGET_LINE, *FUNDED, reserved).when(post).then(posted)
    given(BUDGET_LINE, *FUNDED, reserved, posted).when(post).then_nothing()
    given(BUDGET_LINE, *FUNDED, reserved, posted).when(commands.Post(LINE, R, ((ANNA, I2),))).rejects(errors.AlreadyPaid)
    given(BUDGET_LINE, *FUNDED, reserved, voided).when(post).rejects(errors.EntitlementNotReserved)
    given(BUDGET_LINE, *FUNDED, reserved).when(commands.Post(LINE, R, ((CHEN, I1),))).rejects(errors.EntitlementNotReserved)


def test_what_is_voided_is_available_again() -> None:
    given(BUDGET_LINE, *FUNDED, reserved).when(void).then(voided)
    given(BUDGET_LINE, *FUNDED, reserved, voided).when(void).then_nothing()
    given(BUDGET_LINE, *FUNDED, reserved, posted).when(void).rejects(errors.AlreadyPaid)
    afresh = commands.Reserve(LINE, R2, "aid.tuition", ((ANNA, 8_000),))
    (event,) = given(BUDGET_LINE, *FUNDED, reserved, voided).when(afresh).events
    assert isinstance(event, FundsReserved)
    assert event.items[0].drawn == (Drawn(lot=1, fen=5_000), Drawn(lot=2, fen=3_000))


def test_a_return_goes_back_into_its_very_lots_once() -> None:
    back, whole = commands.Return(LINE, R, BO, BACK), returned(of_bo.drawn)
    given(BUDGET_LINE, *FUNDED, reserved, posted).when(back).then(whole)
    given(BUDGET_LINE, *FUNDED, reserved, posted, whole).when(back).then_nothing()
    given(BUDGET_LINE, *FUNDED, reserved, posted, whole).when(commands.Return(LINE, R, BO, R2)).rejects(errors.NotPaid)
    given(BUDGET_LINE, *FUNDED, reserved).when(back).rejects(errors.NotPaid)
    line = BUDGET_LINE.fold([*FUNDED, reserved, posted, whole])
    assert isinstance(line, Open)
    assert (line.lots, line.available_fen, line.reserved_fen, line.paid_fen) == ((1_000, 3_000), 4_000, 0, 4_000)


def test_a_part_comes_back_into_what_was_drawn_last() -> None:
    part = returned((Drawn(lot=1, fen=500), Drawn(lot=2, fen=2_000)))
    given(BUDGET_LINE, *FUNDED, reserved, posted).when(commands.Return(LINE, R, BO, BACK, 2_500)).then(part)
    rest = commands.Return(LINE, R, BO, R2)
    given(BUDGET_LINE, *FUNDED, reserved, posted, part).when(rest).then(returned((Drawn(lot=1, fen=500),), reversal=R2))
    refusal = given(BUDGET_LINE, *FUNDED, reserved, posted, part).when(commands.Return(LINE, R, BO, R2, 501)).rejects(errors.NotPaid)
    assert refusal.members["paid_fen"] == 500


def test_a_payment_that_the_bank_sent_back_may_stay_set_aside_for_a_new_instruction() -> None:
    held = returned(of_bo.drawn, held=True)
    given(BUDGET_LINE, *FUNDED, reserved, posted).when(commands.Return(LINE, R, BO, BACK, held=True)).then(held)
    afterwards = (*FUNDED, reserved, posted, held)
    line = BUDGET_LINE.fold(afterwards)
    assert isinstance(line, Open)
    assert (line.available_fen, line.reserved_fen, line.paid_fen) == (1_000, 3_000, 4_000)
    given(BUDGET_LINE, *afterwards).when(commands.Post(LINE, R, ((BO, I2),))).then_nothing()  # the old confirmation, once more
    anew = Paid(entitlement=BO, instruction=R2, drawn=of_bo.drawn)
    given(BUDGET_LINE, *afterwards).when(commands.Post(LINE, R, ((BO, R2),))).then(
        ReservationPosted(line=LINE, reservation=R, items=(anew,), booked_on=TODAY)
    )
    part = commands.Return(LINE, R, BO, BACK, 1, held=True)
    given(BUDGET_LINE, *FUNDED, reserved, posted).when(part).rejects(errors.HeldInPart)


def test_closed_periods_refuse_back_dating() -> None:
    january = PeriodClosed(line=LINE, through=date(2026, 1, 31))
    close = commands.ClosePeriod(LINE, january.through)
    given(BUDGET_LINE, *FUNDED).when(close).then(january)
    given(BUDGET_LINE, *FUNDED, january).when(close).then_nothing()
    dated = commands.Reserve(LINE, R, "aid.tuition", reserve.items, date(2026, 1, 31))
    given(BUDGET_LINE, *FUNDED, january).when(dated).rejects(errors.PeriodIsClosed)
    given(BUDGET_LINE, *FUNDED, january).when(reserve).then(reserved)
    given(BUDGET_LINE, *FUNDED).when(commands.ClosePeriod(LINE, date(2026, 3, 3))).rejects(errors.BookedAhead)
    given(BUDGET_LINE, *FUNDED).when(commands.ClosePeriod(LINE, date(2025, 12, 31))).rejects(errors.BookedOutsideYear)


@pytest.mark.parametrize(("booked_on", "refusal"), [(date(2026, 3, 3), errors.BookedAhead), (date(2025, 12, 31), errors.BookedOutsideYear)])
def test_bookings_are_days_of_the_year_that_have_come(booked_on: date, refusal: type[errors.BookedAhead]) -> None:
    command = commands.Reserve(LINE, R, "aid", ((ANNA, 1),), booked_on)
    given(BUDGET_LINE, *FUNDED).when(command).rejects(refusal)


def test_nothing_is_spent_before_its_year_begins() -> None:
    given(BUDGET_LINE, *FUNDED).when(reserve, now=datetime(2025, 12, 1, tzinfo=UTC)).rejects(errors.BookedAhead)


def test_what_is_paid_in_january_on_the_old_year_is_booked_on_its_last_day() -> None:
    outcome = given(BUDGET_LINE, *FUNDED, reserved).when(post, now=datetime(2027, 1, 5, tzinfo=UTC))
    outcome.then(posted.model_copy(update={"booked_on": date(2026, 12, 31)}))


def test_a_closed_year_takes_nothing_and_says_where_the_balance_went() -> None:
    for command in (commands.Reserve(LINE, R2, "aid", ((CHEN, 1),)), post, commands.Return(LINE, R, BO, BACK)):
        refusal = given(BUDGET_LINE, *FUNDED, reserved, posted, closed).when(command, now=NOON).rejects(errors.LineClosed)
        assert refusal.members["into_line"] == NEXT
