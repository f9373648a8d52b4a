"""Money that comes back late: to its very line while that is open, after closing against the carried-over balance, and due still."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.funds.closing import CLOSE_LINE
from assistance.funds.commands import CloseLine, ClosePeriod
from assistance.funds.errors import BookedAhead, LineClosed, PeriodIsClosed
from assistance.ledger.postings import Account, postings
from assistance.payments import commands
from assistance.payments.hearing import HEAR, Hear, Heard, held_as
from assistance.payments.instructing import instruction_id
from assistance.payments.payment import PAYMENT, Done, Due
from contracts.assistance.funds import FundsReserved, FundsReturned, FundsReturnedLate, LateReturnReceived, ReservationPosted
from contracts.assistance.payments import PaymentReturned
from contracts.kernel import Event

from .test_instructing import BATCH_ID, CASE, NEXT, REPORT, granted, instruct, open_batch
from .test_programmes import MEDICAL
from .world import ACCOUNT, COUNTY, ILL, LINE, PAPERS, WANG, World

FEN, REVERSAL = 200_000, "f" * 32
LATER, LATEST = (line_id(COUNTY, year, "own", "aid") for year in (2027, 2028))
NEW_YEARS_EVE, JANUARY = datetime(2026, 12, 31, 4, tzinfo=UTC), datetime(2027, 1, 5, 4, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    """2,000 yuan of medical relief, instructed."""
    world = World()
    world.fund(10_000_000)
    world.publish("medical-relief", MEDICAL)
    world.household()
    world.submitted(CASE, "medical-relief", ILL, *PAPERS)
    world.grant(CASE)
    open_batch(world, BATCH_ID)
    instruct(world)
    return world


def hear(world: World, word: Any, *, line: str = LINE, reservation: str = CASE, into: str | None = None) -> Sequence[Event]:
    return world.ask_joint(HEAR, Hear((Heard(word, CASE, line, reservation, into),)))


def confirm(world: World, batch: str = BATCH_ID, on: date | None = None) -> commands.Confirm:
    entitlement = granted(world).entitlement
    return commands.Confirm(entitlement, instruction_id(batch, entitlement), on or world.today, REPORT)


def bounce(world: World, batch: str = BATCH_ID, reversal: str = REVERSAL, on: date | None = None) -> commands.Bounce:
    entitlement = granted(world).entitlement
    return commands.Bounce(entitlement, instruction_id(batch, entitlement), reversal, "AC04", "已销户", on or world.today, REPORT)


def close(world: World, line: str = LINE, into: str = LATER) -> None:
    world.ask_joint(CLOSE_LINE, CloseLine(line, into, "aid", into_earmarked=False))


def test_after_closing_it_is_received_by_the_later_line_and_waits_there_for_the_same_payee(world: World) -> None:
    hear(world, confirm(world))
    world.now = NEW_YEARS_EVE
    close(world)
    left = world.available(LATER)
    world.now = JANUARY
    with pytest.raises(LineClosed):
        hear(world, bounce(world))
    returned, memo, received, held = hear(world, bounce(world), into=LATER)
    assert isinstance(returned, PaymentReturned)
    assert (returned.line, returned.reservation) == (LATER, held_as(REVERSAL))
    assert isinstance(memo, FundsReturnedLate)
    assert (memo.line, memo.into_line, memo.reversal, memo.returned_on) == (LINE, LATER, REVERSAL, JANUARY.date())
    assert isinstance(received, LateReturnReceived)
    assert [(lot.origin, lot.fen) for lot in received.lots] == [(1, FEN)], "with reference to the very lot of the old line"
    assert isinstance(held, FundsReserved)
    assert [drawn.lot for item in held.items for drawn in item.drawn] == [lot.lot for lot in received.lots]
    assert (world.available(LATER), world.state(BUDGET_LINE, LATER).reserved_fen) == (left, FEN)
    assert hear(world, bounce(world), into=LATER) == [], "a reversal happens once"


def test_what_is_due_still_is_paid_out_of_the_line_where_it_waits(world: World) -> None:
    hear(world, confirm(world))
    world.now = NEW_YEARS_EVE
    close(world)
    world.now = JANUARY
    hear(world, bounce(world), into=LATER)
    payment = world.state(PAYMENT, granted(world).entitlement)
    assert isinstance(payment, Due)
    correct = commands.CorrectAccount(granted(world).entitlement, WANG, ACCOUNT, REPORT, "1" * 32, "2" * 32)
    world.ask(PAYMENT, granted(world).entitlement, correct)
    open_batch(world, NEXT)
    instruct(world, NEXT)
    [*_, posted] = [
        event
        for event in hear(world, confirm(world, NEXT), line=LATER, reservation=held_as(REVERSAL))
        if isinstance(event, ReservationPosted)
    ]
    assert posted.line == LATER
    assert isinstance(world.state(PAYMENT, granted(world).entitlement), Done)
    assert world.state(BUDGET_LINE, LATER).paid_fen == FEN
    world.now = datetime(2028, 1, 3, 4, tzinfo=UTC)
    close(world, LATER, LATEST)
    again = hear(world, bounce(world, NEXT, "e" * 32), line=LATER, reservation=held_as(REVERSAL), into=LATEST)
    assert [type(event) for event in again] == [PaymentReturned, FundsReturnedLate, LateReturnReceived, FundsReserved]
    for line in (LINE, LATER, LATEST):
        found = [posting for event in world.streams[BUDGET_LINE.stream(line)] for posting in postings(event)]
        assert sum(one.debit for one in found) == sum(one.credit for one in found)
    assert sum(world.available(line) for line in (LATEST,)) + FEN == 10_000_000, "nothing was made or lost in three years"
    received = [
        posting
        for event in world.streams[BUDGET_LINE.stream(LATEST)]
        for posting in postings(event)
        if posting.account is Account.returned_late
    ]
    assert sum(one.credit for one in received) == FEN


def test_while_the_line_is_open_it_is_its_own_line_even_after_new_year(world: World) -> None:
    hear(world, confirm(world))
    world.now = JANUARY
    [back] = [event for event in hear(world, bounce(world)) if isinstance(event, FundsReturned)]
    assert (back.line, back.booked_on, back.moved_on) == (LINE, date(2026, 12, 31), date(2027, 1, 5))
    assert world.state(BUDGET_LINE, LINE).reserved_fen == FEN


def test_a_payment_of_the_last_day_that_the_bank_makes_in_january_is_of_the_old_year(world: World) -> None:
    world.now = JANUARY
    [posted] = [event for event in hear(world, confirm(world)) if isinstance(event, ReservationPosted)]
    assert (posted.booked_on, posted.moved_on) == (date(2026, 12, 31), date(2027, 1, 5))


def test_nothing_is_dated_back_into_a_closed_period_and_nothing_that_the_bank_did_is_lost(world: World) -> None:
    day = world.today
    world.later(2)
    world.ask(BUDGET_LINE, LINE, ClosePeriod(LINE, world.today))
    world.later(3)
    [posted] = [event for event in hear(world, confirm(world, on=day)) if isinstance(event, ReservationPosted)]
    assert (posted.moved_on, (posted.booked_on - day).days) == (day, 3)
    world.now = NEW_YEARS_EVE
    world.ask(BUDGET_LINE, LINE, ClosePeriod(LINE, world.today))
    with pytest.raises(PeriodIsClosed):
        hear(world, bounce(world))


def test_a_bank_does_nothing_tomorrow(world: World) -> None:
    with pytest.raises(BookedAhead):
        hear(world, confirm(world, on=date(2026, 12, 30)))
