"""One entitlement's payment: paid at most once, whatever the bank says and however often."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from assistance.payments import commands, errors
from assistance.payments.commands import Terms
from assistance.payments.payment import CASH_FEN_MAX, PAYMENT, Done, UnderWay
from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import (
    AccountCorrected,
    PaidInCash,
    PayeeRedirected,
    PaymentConfirmed,
    PaymentFailed,
    PaymentInstructed,
    PaymentReturned,
)
from contracts.kernel import Event
from foundation.decider import NOON, Refusal, given
from hypothesis import given as forall
from hypothesis import strategies as some

ENTITLEMENT, FIRST, SECOND = "e" * 32, "1" * 32, "2" * 32
BATCH, REPORT, REVERSAL = "b" * 32, "d" * 64, "f" * 32
TERMS = Terms("a" * 32, "370911", "0" * 32, "0" * 32, "c" * 32, "9" * 32, 300_000)
ACCOUNT = BankAccount(bank="泰安银行", name="李雷", number="6222020000000001")
DAY = date(2026, 3, 2)


def instruct(instruction: str = FIRST, terms: Terms = TERMS) -> commands.Instruct:
    return commands.Instruct(ENTITLEMENT, instruction, BATCH, terms, ACCOUNT, "maker")


def instructed(instruction: str = FIRST) -> PaymentInstructed:
    said: dict[str, Any] = {name: getattr(TERMS, name) for name in TERMS.__slots__}
    return PaymentInstructed(entitlement=ENTITLEMENT, instruction=instruction, batch=BATCH, account=ACCOUNT, instructed_by="maker", **said)


def confirm(instruction: str = FIRST) -> commands.Confirm:
    return commands.Confirm(ENTITLEMENT, instruction, DAY, REPORT)


def fail(instruction: str = FIRST, code: str = "NARR") -> commands.Fail:
    return commands.Fail(ENTITLEMENT, instruction, code, "系统繁忙", REPORT)


def bounce(instruction: str = FIRST, code: str = "AC04") -> commands.Bounce:
    return commands.Bounce(ENTITLEMENT, instruction, REVERSAL, code, "账户已销户", DAY, REPORT)


confirmed = PaymentConfirmed(entitlement=ENTITLEMENT, instruction=FIRST, booked_on=DAY, report=REPORT)


def failed(code: str = "NARR", instruction: str = FIRST) -> PaymentFailed:
    return PaymentFailed(entitlement=ENTITLEMENT, instruction=instruction, payee=TERMS.payee, code=code, reason="系统繁忙", report=REPORT)


returned = PaymentReturned(
    entitlement=ENTITLEMENT,
    instruction=FIRST,
    payee=TERMS.payee,
    reversal=REVERSAL,
    code="AC04",
    reason="账户已销户",
    booked_on=DAY,
    report=REPORT,
)
corrected = AccountCorrected(
    entitlement=ENTITLEMENT, payee=TERMS.payee, account=ACCOUNT, paper=REPORT, corrected_by="maker", approved_by="checker"
)


def test_the_loop_closes() -> None:
    given(PAYMENT).when(instruct()).then(instructed())
    given(PAYMENT, instructed()).when(confirm()).then(confirmed)
    given(PAYMENT, instructed()).when(fail()).then(failed())
    given(PAYMENT, instructed(), confirmed).when(bounce()).then(returned)


def test_a_second_instruction_waits_for_the_end_of_the_first() -> None:
    given(PAYMENT, instructed()).when(instruct(SECOND)).rejects(errors.PaymentUnderWay)
    given(PAYMENT, instructed(), confirmed).when(instruct(SECOND)).rejects(errors.AlreadyPaid)
    given(PAYMENT, instructed(), failed()).when(instruct(SECOND)).then(instructed(SECOND))
    given(PAYMENT, instructed(), failed()).when(instruct(FIRST)).rejects(errors.PaymentUnderWay)


def test_the_same_instruction_again_is_no_news() -> None:
    given(PAYMENT, instructed()).when(instruct()).then_nothing()
    given(PAYMENT, instructed(), confirmed).when(instruct()).then_nothing()


def test_a_wrong_account_is_corrected_first() -> None:
    given(PAYMENT, instructed(), failed("BE01")).when(instruct(SECOND)).rejects(errors.AccountAtFault)
    correct = commands.CorrectAccount(ENTITLEMENT, TERMS.payee, ACCOUNT, REPORT, "maker", "checker")
    given(PAYMENT, instructed(), failed("BE01")).when(correct).then(corrected)
    given(PAYMENT, instructed(), failed("BE01"), corrected).when(instruct(SECOND)).then(instructed(SECOND))
    given(PAYMENT, instructed(), failed("BE01")).when(replace(correct, approved_by="maker")).rejects(errors.DutiesNotSeparated)
    given(PAYMENT).when(correct).then(corrected)
    given(PAYMENT, instructed(), failed("BE01")).when(replace(correct, payee="7" * 32)).rejects(errors.OtherTerms)
    given(PAYMENT, instructed()).when(correct).rejects(errors.NothingToCorrect)
    given(PAYMENT, instructed(), confirmed).when(correct).rejects(errors.NothingToCorrect)


def test_an_heir_takes_the_payee_s_place() -> None:
    redirect = commands.Redirect(ENTITLEMENT, "7" * 32, ACCOUNT, REPORT, "maker", "checker")
    redirected = PayeeRedirected(
        entitlement=ENTITLEMENT, payee="7" * 32, account=ACCOUNT, proof=REPORT, redirected_by="maker", approved_by="checker"
    )
    given(PAYMENT, instructed(), failed("AC06")).when(redirect).then(redirected)
    given(PAYMENT, instructed(), failed("AC06"), redirected).when(instruct(SECOND)).rejects(errors.OtherTerms)
    correct = commands.CorrectAccount(ENTITLEMENT, TERMS.payee, ACCOUNT, REPORT, "maker", "checker")
    given(PAYMENT, redirected).when(correct).rejects(errors.OtherTerms)


@pytest.mark.parametrize(
    ("before", "command", "refusal"),
    [
        ((instructed(), confirmed), fail(), errors.Contradiction),
        ((instructed(), failed()), confirm(), errors.Contradiction),
        ((instructed(), failed()), bounce(), errors.Contradiction),
        ((instructed(),), bounce(), errors.ReturnedBeforePaid),
        ((instructed(), confirmed, returned), fail(), errors.Contradiction),
        ((instructed(),), confirm(SECOND), errors.InstructionUnknown),
        ((), confirm(), errors.PaymentUnknown),
    ],
)
def test_what_cannot_both_be_true_is_told(before: tuple[Event, ...], command: commands.Command, refusal: type[Refusal]) -> None:
    given(PAYMENT, *before).when(command).rejects(refusal)


@pytest.mark.parametrize(
    ("before", "command"),
    [
        ((instructed(), confirmed), confirm()),
        ((instructed(), failed()), fail()),
        ((instructed(), confirmed, returned), bounce()),
        ((instructed(), confirmed, returned), confirm()),
        ((instructed(), failed(), instructed(SECOND)), fail()),
    ],
)
def test_what_the_bank_says_again_is_no_news(before: tuple[Event, ...], command: commands.Command) -> None:
    given(PAYMENT, *before).when(command).then_nothing()


def test_cash_takes_four_people_and_has_a_limit() -> None:
    small = replace(TERMS, fen=CASH_FEN_MAX)
    cash = commands.PayInCash(ENTITLEMENT, FIRST, small, "no-account", ("w1", "w2"), REPORT, DAY, "cashier", "chair")
    paid = given(PAYMENT).when(cash)
    assert isinstance(paid.events[0], PaidInCash)
    given(PAYMENT, *paid.events).when(instruct(SECOND)).rejects(errors.AlreadyPaid)
    given(PAYMENT).when(replace(cash, terms=replace(small, fen=CASH_FEN_MAX + 1))).rejects(errors.CashTooMuch)
    given(PAYMENT).when(replace(cash, witnesses=("w1", "w1"))).rejects(errors.DutiesNotSeparated)
    given(PAYMENT).when(replace(cash, approved_by="cashier")).rejects(errors.DutiesNotSeparated)
    given(PAYMENT, instructed()).when(replace(cash, instruction=SECOND)).rejects(errors.PaymentUnderWay)


ids = some.sampled_from([FIRST, SECOND, "3" * 32])
anything = some.one_of(
    ids.map(instruct),
    ids.map(confirm),
    some.builds(fail, ids, some.sampled_from(["NARR", "BE01"])),
    ids.map(bounce),
    some.just(commands.CorrectAccount(ENTITLEMENT, TERMS.payee, ACCOUNT, REPORT, "maker", "checker")),
)


@forall(some.lists(anything, max_size=30))
def test_money_leaves_at_most_once_at_a_time(asked: list[commands.Command]) -> None:
    """Whatever is asked and heard, in any order: one instruction is alive at most, and nothing is paid again before it is back."""
    history: list[Event] = []
    alive: set[str] = set()
    out = 0
    for command in asked:
        try:
            events = PAYMENT.decide(command, PAYMENT.fold(history), NOON)
        except Refusal:
            continue
        for event in events:
            history.append(event)
            match event:
                case PaymentInstructed():
                    assert not alive
                    assert not out
                    alive.add(event.instruction)
                case PaymentConfirmed():
                    alive.remove(event.instruction)
                    out += 1
                case PaymentFailed():
                    alive.remove(event.instruction)
                case PaymentReturned():
                    out -= 1
        assert out in (0, 1)
        state = PAYMENT.fold(history)
        assert isinstance(state, UnderWay) == bool(alive)
        assert isinstance(state, Done) == bool(out)
