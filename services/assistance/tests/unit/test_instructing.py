"""Putting payments into a batch, and hearing the bank: the joint rules over payment, application, beneficiary, batch and budget line."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from assistance.applications.errors import DutiesNotSeparated
from assistance.applications.following import APPLICATION
from assistance.batches.batch import BATCH
from assistance.batches.commands import Open
from assistance.batches.errors import BatchDutiesNotSeparated
from assistance.beneficiaries.beneficiary import BENEFICIARY, AidIsStopped, Stop
from assistance.funds.budget_line import BUDGET_LINE
from assistance.payments import commands, errors
from assistance.payments.hearing import HEAR, Hear, Heard
from assistance.payments.instructing import INSTRUCT, Instruct, Wanted, instruction_id
from assistance.payments.payment import PAYMENT, Done, Due, UnderWay
from contracts.assistance.applications import AidGranted, AidInstructed, AidPaid, StopReason
from contracts.assistance.funds import FundsReturned, ReservationPosted
from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import BatchFilled, Channel, PaymentFailed, PaymentInstructed
from foundation.decider import Refusal

from .test_programmes import MEDICAL
from .world import ACCOUNT, APPROVER, CLERK, COUNTY, ILL, LI, LINE, PAPERS, PAYER, STEWARD, WANG, World

CASE, BATCH_ID, NEXT, REPORT = "a1" * 16, "b1" * 16, "b2" * 16, "d" * 64


@pytest.fixture
def world() -> World:
    """An application for medical relief that was granted: 2,000 yuan for Wang."""
    world = World()
    world.fund(10_000_000)
    world.publish("medical-relief", MEDICAL)
    world.household()
    world.submitted(CASE, "medical-relief", ILL, *PAPERS)
    world.grant(CASE)
    open_batch(world, BATCH_ID)
    return world


def open_batch(world: World, batch: str, *, by: str = PAYER) -> None:
    world.ask(BATCH, batch, Open(batch, COUNTY, "3709000000000001", Channel.iso20022, world.today, by))


def granted(world: World, application: str = CASE) -> Any:
    return world.state(APPLICATION, application).grant


def wanted(world: World, **more: Any) -> Wanted:
    told: dict[str, Any] = {"application": CASE, "person": WANG, "payee": WANG, "account": ACCOUNT} | more
    return Wanted(told.pop("entitlement", granted(world).entitlement), **told)


def instruct(world: World, batch: str = BATCH_ID, *, by: str = PAYER, **more: Any) -> list[Any]:
    return world.ask_joint(INSTRUCT, Instruct(batch, (wanted(world, **more),), by))


def hear(world: World, word: commands.Confirm | commands.Fail | commands.Bounce) -> list[Any]:
    grant = granted(world)
    return world.ask_joint(HEAR, Hear((Heard(word, CASE, grant.line, grant.reservation),)))


def confirm(world: World, batch: str = BATCH_ID) -> commands.Confirm:
    entitlement = granted(world).entitlement
    return commands.Confirm(entitlement, instruction_id(batch, entitlement), world.today, REPORT)


def fail(world: World, code: str, batch: str = BATCH_ID) -> commands.Fail:
    entitlement = granted(world).entitlement
    return commands.Fail(entitlement, instruction_id(batch, entitlement), code, "户名不符", REPORT)


def bounce(world: World, reversal: str = "f" * 32, batch: str = BATCH_ID) -> commands.Bounce:
    entitlement = granted(world).entitlement
    return commands.Bounce(entitlement, instruction_id(batch, entitlement), reversal, "AC04", "已销户", world.today, REPORT)


def test_instructing_is_one_append_over_batch_payment_and_application(world: World) -> None:
    events = instruct(world)
    assert [type(event) for event in events] == [BatchFilled, PaymentInstructed, AidInstructed]
    assert events[0].total_fen == granted(world).fen == events[1].fen == 200_000
    assert instruct(world) == [], "asked again it is the same instruction"


@pytest.mark.parametrize("by", [CLERK, STEWARD, APPROVER])
def test_who_made_or_decided_the_case_does_not_pay_it(world: World, by: str) -> None:
    open_batch(world, NEXT, by=by)
    with pytest.raises(DutiesNotSeparated):
        instruct(world, NEXT, by=by)


@pytest.mark.parametrize("by", [CLERK, APPROVER])
def test_nor_pays_it_again_after_a_failure(world: World, by: str) -> None:
    instruct(world)
    hear(world, fail(world, "NARR"))
    open_batch(world, NEXT, by=by)
    with pytest.raises(DutiesNotSeparated):
        instruct(world, NEXT, by=by)


def test_only_the_maker_fills(world: World) -> None:
    with pytest.raises(BatchDutiesNotSeparated):
        instruct(world, by="0" * 32)


@pytest.mark.parametrize("more", [{"payee": LI}, {"person": LI}])
def test_to_nobody_else(world: World, more: dict[str, str]) -> None:
    with pytest.raises(errors.OtherTerms):
        instruct(world, **more)


def test_goods_are_never_instructed(world: World) -> None:
    stream = world.streams[APPLICATION.stream(CASE)]
    stream[:] = [event.model_copy(update={"in_kind": True}) if isinstance(event, AidGranted) else event for event in stream]
    with pytest.raises(errors.NotGranted):
        instruct(world)


def test_nothing_without_a_grant(world: World) -> None:
    with pytest.raises(errors.NotGranted):
        instruct(world, entitlement="0" * 32)


def test_one_batch_at_a_time(world: World) -> None:
    instruct(world)
    open_batch(world, NEXT)
    with pytest.raises(errors.PaymentUnderWay):
        instruct(world, NEXT)
    hear(world, confirm(world))
    with pytest.raises(errors.AlreadyPaid):
        instruct(world, NEXT)


def test_to_the_dead_nothing_is_instructed_and_to_a_proven_heir_it_is(world: World) -> None:
    world.ask(BENEFICIARY, WANG, Stop(WANG, StopReason.died, world.today))
    with pytest.raises(AidIsStopped):
        instruct(world)
    entitlement = granted(world).entitlement
    world.ask(PAYMENT, entitlement, commands.Redirect(entitlement, LI, ACCOUNT, REPORT, "one", "two"))
    with pytest.raises(errors.OtherTerms):
        instruct(world)
    assert [event.payee for event in instruct(world, payee=LI) if isinstance(event, PaymentInstructed)] == [LI]


def test_a_death_after_a_failure_stops_the_next_instruction(world: World) -> None:
    instruct(world)
    hear(world, fail(world, "NARR"))
    world.ask(BENEFICIARY, WANG, Stop(WANG, StopReason.died, world.today))
    open_batch(world, NEXT)
    with pytest.raises(AidIsStopped):
        instruct(world, NEXT)


def test_what_the_bank_paid_is_posted_and_the_application_paid(world: World) -> None:
    instruct(world)
    events = hear(world, confirm(world))
    assert {type(event) for event in events} >= {ReservationPosted, AidPaid}
    line = world.state(BUDGET_LINE, LINE)
    assert (line.paid_fen, line.reserved_fen, line.available_fen) == (200_000, 0, 9_800_000)
    assert hear(world, confirm(world)) == []


def test_what_failed_stays_reserved_and_is_due_after_the_account_was_corrected(world: World) -> None:
    instruct(world)
    assert [type(event) for event in hear(world, fail(world, "BE01"))] == [PaymentFailed]
    assert world.state(BUDGET_LINE, LINE).reserved_fen == 200_000
    open_batch(world, NEXT)
    with pytest.raises(errors.AccountAtFault):
        instruct(world, NEXT)
    entitlement = granted(world).entitlement
    other = BankAccount(bank="农行", name="王伟", number="6228480000000000001")
    world.ask(PAYMENT, entitlement, commands.CorrectAccount(entitlement, WANG, other, REPORT, "one", "two"))
    instruct(world, NEXT, account=other)
    assert isinstance(world.state(PAYMENT, entitlement), UnderWay)
    with pytest.raises(errors.Contradiction):
        hear(world, confirm(world))  # of the first instruction, which failed
    hear(world, confirm(world, NEXT))
    assert isinstance(world.state(PAYMENT, entitlement), Done)


def test_what_came_back_is_held_for_the_same_entitlement_and_paid_again_once(world: World) -> None:
    instruct(world)
    hear(world, confirm(world))
    events = hear(world, bounce(world))
    assert [event.held for event in events if isinstance(event, FundsReturned)] == [True]
    assert hear(world, bounce(world)) == []
    line = world.state(BUDGET_LINE, LINE)
    assert (line.paid_fen, line.reserved_fen) == (0, 200_000)
    payment = world.state(PAYMENT, granted(world).entitlement)
    assert isinstance(payment, Due)
    correct = commands.CorrectAccount(granted(world).entitlement, WANG, ACCOUNT, REPORT, "one", "two")
    world.ask(PAYMENT, granted(world).entitlement, correct)
    open_batch(world, NEXT)
    instruct(world, NEXT)
    hear(world, confirm(world, NEXT))
    line = world.state(BUDGET_LINE, LINE)
    assert (line.paid_fen, line.reserved_fen, line.available_fen) == (200_000, 0, 9_800_000)


def test_a_bulk_with_one_contradiction_is_refused_as_a_whole(world: World) -> None:
    instruct(world)
    grant = granted(world)
    said: list[commands.Confirm | commands.Fail] = [fail(world, "NARR"), confirm(world)]
    before = {stream: list(events) for stream, events in world.streams.items()}
    with pytest.raises(Refusal):
        world.ask_joint(HEAR, Hear(tuple(Heard(word, CASE, grant.line, grant.reservation) for word in said)))
    assert dict(world.streams) == before


def test_paid_and_returned_in_one_statement(world: World) -> None:
    instruct(world)
    grant = granted(world)
    words: tuple[commands.Confirm | commands.Bounce, ...] = (confirm(world), replace(bounce(world), booked_on=date(2026, 3, 2)))
    world.ask_joint(HEAR, Hear(tuple(Heard(word, CASE, grant.line, grant.reservation) for word in words)))
    assert world.state(BUDGET_LINE, LINE).reserved_fen == grant.fen
