"""Accounts that pay, double entry by two people, a batch's findings, paying by hand, and the texts of exceptions."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import assistance
import pytest
from assistance.applications.application import Paid
from assistance.applications.errors import DutiesNotSeparated as CaseDutiesNotSeparated
from assistance.applications.following import APPLICATION
from assistance.bank.reasons import reasons
from assistance.batches import commands as batches
from assistance.batches.batch import BATCH
from assistance.batches.findings import ONE_CARD, OTHER_PAYEE, findings
from assistance.batches.leaving import FROM_ACCOUNT, FromAccount
from assistance.beneficiaries.beneficiary import BENEFICIARY
from assistance.desk import Desk
from assistance.double_entry.entry import ENTER, ENTRY, Enter
from assistance.funds.budget_line import BUDGET_LINE
from assistance.payments import commands, errors
from assistance.payments.by_hand import by_hand
from assistance.payments.payment import PAYMENT
from assistance.programmes.definition import definition
from assistance.reconciliation import errors as refusals
from assistance.reconciliation import exceptions
from assistance.reconciliation.account import PAYMENT_ACCOUNT, Compare, OpenAccount, Resume
from assistance.reconciliation.api import HAND_IN
from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import (
    Channel,
    EnteredOnce,
    EnteredTwice,
    PaidInCash,
    PaymentAccountOpened,
    PaymentInstructed,
    PaymentsHalted,
    PaymentsResumed,
)
from foundation.decider import NOON, Part, given
from foundation.texts import LANGUAGES, catalogue

from .test_programmes import WARMTH, changed
from .world import APPROVER, CLERK, COUNTY, LI, LINE, PAYER, WANG, World

OWN, PAPER = "3709000000000001", "d" * 64
OPEN = OpenAccount(OWN, COUNTY, "泰安银行", "岱岳区总工会", PAPER, "one", "two")
opened = PaymentAccountOpened(
    account=OWN, organisation=COUNTY, bank="泰安银行", holder="岱岳区总工会", paper=PAPER, opened_by="one", approved_by="two"
)
AGREES, DIFFERS = Compare(OWN, NOON.date(), 5, 5, 5), Compare(OWN, NOON.date(), 5, 5, 6)
halted = PaymentsHalted(account=OWN, organisation=COUNTY, day=NOON.date(), events_fen=5, ledger_fen=5, bank_fen=6)
RESUME = Resume(OWN, PAPER, "one", "two")
resumed = PaymentsResumed(account=OWN, paper=PAPER, resumed_by="one", approved_by="two")


def test_an_account_is_opened_by_two_and_belongs_to_one() -> None:
    given(PAYMENT_ACCOUNT).when(OPEN).then(opened)
    given(PAYMENT_ACCOUNT, opened).when(OPEN).then_nothing()
    given(PAYMENT_ACCOUNT).when(replace(OPEN, approved_by="one")).rejects(refusals.SamePerson)
    given(PAYMENT_ACCOUNT, opened).when(replace(OPEN, organisation="3709")).rejects(refusals.PaymentAccountOfAnother)


@pytest.mark.parametrize("figures", [(5, 5, 6), (5, 6, 5), (6, 5, 5), (0, 0, 1)])
def test_any_difference_of_the_three_halts(figures: tuple[int, int, int]) -> None:
    outcome = given(PAYMENT_ACCOUNT, opened).when(Compare(OWN, NOON.date(), *figures))
    assert [type(event) for event in outcome.events] == [PaymentsHalted]


def test_halted_once_and_resumed_by_two() -> None:
    given(PAYMENT_ACCOUNT, opened).when(AGREES).then_nothing()
    given(PAYMENT_ACCOUNT, opened).when(DIFFERS).then(halted)
    given(PAYMENT_ACCOUNT, opened, halted).when(DIFFERS).then_nothing()
    given(PAYMENT_ACCOUNT, opened, halted).when(AGREES).then_nothing()  # a day that agrees explains no other day
    given(PAYMENT_ACCOUNT, opened, halted).when(replace(RESUME, approved_by="one")).rejects(refusals.SamePerson)
    given(PAYMENT_ACCOUNT, opened, halted).when(RESUME).then(resumed)
    given(PAYMENT_ACCOUNT, opened).when(RESUME).then_nothing()
    given(PAYMENT_ACCOUNT, opened, halted, resumed).when(DIFFERS).then(halted)
    for command in (AGREES, RESUME):
        given(PAYMENT_ACCOUNT).when(command).rejects(refusals.PaymentAccountUnknown)


@pytest.fixture
def world() -> World:
    world = World()
    world.streams[PAYMENT_ACCOUNT.stream(OWN)].append(opened)
    return world


def begin(organisation: str = COUNTY) -> FromAccount:
    return FromAccount(batches.Open("b" * 32, organisation, OWN, Channel.iso20022, NOON.date(), PAYER), OWN)


def test_a_batch_is_paid_from_its_own_organisations_account(world: World) -> None:
    with pytest.raises(refusals.PaymentAccountOfAnother):
        world.ask_joint(FROM_ACCOUNT, begin("3709"))
    world.ask_joint(FROM_ACCOUNT, begin())
    assert world.state(BATCH, "b" * 32).contents.opened.account == OWN


def test_nothing_leaves_a_halted_account(world: World) -> None:
    world.ask_joint(FROM_ACCOUNT, begin())
    world.streams[PAYMENT_ACCOUNT.stream(OWN)].append(halted)
    for command in (batches.Release("b" * 32, PAPER, "one"), batches.BeginSending("b" * 32, PAPER)):
        with pytest.raises(refusals.AccountHalted):
            world.ask_joint(FROM_ACCOUNT, FromAccount(command, OWN))


# -------------------------------------------------------------------------------------------------------- double entry


def enter(by: str, entry: str = "e" * 64) -> Enter:
    def resume(desk: Desk, one: str, two: str) -> None:
        desk.ask(PAYMENT_ACCOUNT, OWN, Resume(OWN, PAPER, one, two))

    return Enter(entry, "resume-payments", OWN, COUNTY, by, (Part(PAYMENT_ACCOUNT, OWN),), resume)


def test_it_takes_two_who_enter_the_same(world: World) -> None:
    world.streams[PAYMENT_ACCOUNT.stream(OWN)].append(halted)
    assert [type(event) for event in world.ask_joint(ENTER, enter("1" * 32))] == [EnteredOnce]
    assert world.ask_joint(ENTER, enter("1" * 32)) == []
    assert [type(event) for event in world.ask_joint(ENTER, enter("2" * 32, "f" * 64))] == [EnteredOnce], "something else was entered"
    assert world.state(PAYMENT_ACCOUNT, OWN).halted
    events = world.ask_joint(ENTER, enter("2" * 32))
    assert [type(event) for event in events] == [EnteredTwice, PaymentsResumed]
    assert (events[1].resumed_by, events[1].approved_by) == ("1" * 32, "2" * 32)  # type: ignore[attr-defined]
    assert world.state(ENTRY, "e" * 64).done
    assert [type(event) for event in world.ask_joint(ENTER, enter("2" * 32))] == [EnteredOnce], "another time it takes two again"


def test_whatever_takes_two_people_has_its_words() -> None:
    source = "\n".join(path.read_text("utf-8") for path in Path(assistance.__file__).parent.rglob("api.py"))
    acts = set(re.findall(r'enter\(app, caller, "([a-z-]+)"', source)) | {HAND_IN}
    for language in LANGUAGES:
        assert catalogue("assistance.double_entry", f"acts.{language}.po").keys() == acts


def test_what_cannot_be_done_is_said_to_the_first() -> None:
    with pytest.raises(refusals.PaymentAccountUnknown):
        World().ask_joint(ENTER, enter("1" * 32))


# ---------------------------------------------------------------------------------------------------- findings and cash


def instructed(number: int, payee: str, person: str) -> PaymentInstructed:
    told: dict[str, Any] = {"entitlement": f"e{number}" * 16, "instruction": f"{number}" * 32, "payee": payee, "person": person}
    account = BankAccount(bank="农行", name="王伟", number="1")
    rest: dict[str, Any] = {"batch": "b" * 32, "application": "a" * 32, "organisation": COUNTY, "line": LINE, "reservation": "9" * 32}
    return PaymentInstructed(**told, **rest, fen=1, account=account, instructed_by=PAYER)


def test_a_checker_sees_shared_cards_and_other_payees() -> None:
    def account(number: str) -> BankAccount:
        return BankAccount(bank="农行", name="王伟", number=number)

    payments = [
        (instructed(1, WANG, WANG), account("6228 4800")),
        (instructed(2, LI, LI), account("62284800")),
        (instructed(3, LI, WANG), account("62284801")),
        (instructed(4, LI, LI), account("62284801")),
    ]
    assert findings(payments) == [(OTHER_PAYEE, "e3" * 16), (ONE_CARD, "e1" * 16), (ONE_CARD, "e2" * 16)]


@pytest.fixture
def granted(world: World) -> World:
    fixed = {"kind": "fixed", "fen": 80_000}
    rules = changed(WARMTH, entitlement=fixed, conditions=[], needs_file=False, notice=None, season=None, counted_per="person")
    world.fund(1_000_000)
    world.publish("relief", definition(rules))
    world.submitted("a1" * 16, "relief", {})
    world.grant("a1" * 16)
    return world


def hand(world: World, by: str, approved_by: str) -> list[Any]:
    grant = world.state(APPLICATION, "a1" * 16).grant
    terms = commands.Terms("a1" * 16, "", WANG, WANG, LINE, "", 0)
    command = commands.PayInCash(grant.entitlement, "5" * 32, terms, "at-the-sickbed", ("w1", "w2"), PAPER, world.today, by, approved_by)
    parts = [Part(PAYMENT, grant.entitlement), Part(APPLICATION, "a1" * 16), Part(BUDGET_LINE, LINE), Part(BENEFICIARY, WANG)]
    desk = Desk(parts, [world.state(part.decider, part.id) for part in parts], world.now)
    by_hand(desk, command)
    for part, events in zip(parts, desk.decided(), strict=True):
        world.streams[part.stream] += events
    return [event for events in desk.decided() for event in events]


def test_cash_is_booked_like_a_transfer(granted: World) -> None:
    events = hand(granted, "one", "two")
    [paid] = [event for event in events if isinstance(event, PaidInCash)]
    assert (paid.fen, paid.reservation) == (80_000, "a1" * 16)
    assert granted.state(BUDGET_LINE, LINE).paid_fen == 80_000
    assert isinstance(granted.state(APPLICATION, "a1" * 16), Paid)
    assert hand(granted, "one", "two") == []


@pytest.mark.parametrize("who", [CLERK, APPROVER])
def test_cash_by_nobody_who_had_a_part_in_the_grant(granted: World, who: str) -> None:
    for by, approved_by in (("one", who), (who, "two")):
        with pytest.raises(CaseDutiesNotSeparated):
            hand(granted, by, approved_by)
    with pytest.raises(errors.DutiesNotSeparated):
        hand(granted, "one", "w1")


# --------------------------------------------------------------------------------------------------------------- texts


def test_every_exception_has_its_texts_in_both_languages() -> None:
    assert exceptions.known("zh") == exceptions.known("en")
    rules = {rule for rule in exceptions.known("zh") if not rule.endswith(".next")}
    assert {reason.kind for reason in reasons().values()} | {ONE_CARD, OTHER_PAYEE} <= rules
    for language in LANGUAGES:
        assert all(exceptions.next_step(rule, language) and exceptions.sentence(rule, language) != rule for rule in rules)
        assert exceptions.next_step("never-seen", language)
