"""One entitlement's payment: at most one instruction is alive at a time, and none after it was paid. Pure.

An instruction ends when the bank says that it failed, or gives the money back. Silence ends nothing.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import assert_never

from contracts.assistance.payments import (
    AccountCorrected,
    PaidInCash,
    PayeeRedirected,
    PaymentConfirmed,
    PaymentFailed,
    PaymentInstructed,
    PaymentReturned,
    PaymentWithdrawn,
)
from contracts.kernel import Event
from foundation.decider import Decider

from assistance.bank.reasons import lies_with_account
from assistance.payments import commands, errors
from assistance.payments.commands import Terms

CASH_FEN_MAX = 100_000
"""The most that is paid by hand: 1,000 yuan, the threshold for settling in cash (现金管理暂行条例 5; State Council, 1988)."""


class Said(Enum):
    """What became of an instruction that is over."""

    failed = "failed"
    returned = "returned"
    withdrawn = "withdrawn"  # said by us, before the bank was asked


@dataclass(frozen=True, slots=True)
class Unseen:
    """Nothing was instructed. `heir`: to whom it is to go, should the payee have died before that."""

    heir: str | None = None


@dataclass(frozen=True, slots=True)
class UnderWay:
    """In a batch, without an answer. `over`: earlier instructions and what became of them; so in all states."""

    terms: Terms
    instruction: str
    batch: str
    over: tuple[tuple[str, Said], ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """Failed, returned or withdrawn. `code`: the bank's reason, until another account was entered."""

    terms: Terms
    over: tuple[tuple[str, Said], ...]
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Done:
    """Paid, by the bank or by hand."""

    terms: Terms
    instruction: str
    over: tuple[tuple[str, Said], ...] = ()
    in_cash: bool = False


Known = UnderWay | Due | Done
Payment = Unseen | Known


def evolve(payment: Payment, event: Event) -> Payment:
    match event, payment:
        case PaymentInstructed(), Unseen() | Due():
            return UnderWay(_terms(event), event.instruction, event.batch, _over(payment))
        case PaidInCash(), Unseen() | Due():
            return Done(_terms(event), event.instruction, _over(payment), in_cash=True)
        case PaymentConfirmed(instruction=instruction), UnderWay(terms, _, _, over):
            return Done(terms, instruction, over)
        case PaymentFailed(instruction=instruction, code=code), UnderWay(terms, _, _, over):
            return Due(terms, (*over, (instruction, Said.failed)), code)
        case PaymentReturned(instruction=instruction, code=code, line=line, reservation=reservation), Done(terms, _, over):
            if line is not None and reservation is not None:
                terms = replace(terms, line=line, reservation=reservation)
            return Due(terms, (*over, (instruction, Said.returned)), code)
        case PaymentWithdrawn(instruction=instruction), UnderWay(terms, _, _, over):
            return Due(terms, (*over, (instruction, Said.withdrawn)))
        case AccountCorrected(), Due():
            return replace(payment, code=None)
        case PayeeRedirected(payee=payee), Due():
            return replace(payment, terms=replace(payment.terms, payee=payee), code=None)
        case PayeeRedirected(payee=payee), Unseen():
            return Unseen(payee)
        case _:
            return payment


def decide(command: commands.Command, payment: Payment, now: datetime) -> list[Event]:
    match command:
        case commands.Instruct():
            return _instruct(command, payment)
        case commands.PayInCash():
            return _pay_in_cash(command, payment)
        case commands.Confirm() | commands.Fail() | commands.Bounce():
            if isinstance(payment, Unseen):
                raise errors.PaymentUnknown(command.entitlement)
            return _heard(command, payment)
        case commands.Withdraw():
            return _withdrawn(command, payment)
        case commands.CorrectAccount():
            return _corrected(command, payment)
        case commands.Redirect():
            return _redirected(command, payment)
        case _:
            assert_never(command)


PAYMENT: Decider[Payment, commands.Command] = Decider(category="payment", initial=Unseen(), decide=decide, evolve=evolve)


def _may_pay(entitlement: str, instruction: str, terms: Terms, payment: Payment) -> bool:
    """Whether the instruction is a new one; False where it was given already. Raises what stands against it."""
    match payment:
        case Unseen():
            return True
        case UnderWay() | Done() if payment.instruction == instruction:
            return False
        case UnderWay(batch=batch):
            raise errors.PaymentUnderWay(entitlement, batch)
        case Done():
            raise errors.AlreadyPaid(entitlement, payment.instruction)
        case Due():
            if terms != payment.terms:
                raise errors.OtherTerms(entitlement)
            if dict(payment.over).get(instruction) is Said.withdrawn:
                raise errors.WithdrawnFromBatch(entitlement)
            if instruction in dict(payment.over):
                raise errors.PaymentUnderWay(entitlement, instruction)
            return True
        case _:
            assert_never(payment)


def _instruct(command: commands.Instruct, payment: Payment) -> list[Event]:
    if not _may_pay(command.entitlement, command.instruction, command.terms, payment):
        return []
    if isinstance(payment, Due) and payment.code is not None and lies_with_account(payment.code):
        raise errors.AccountAtFault(command.entitlement, payment.code)
    terms = command.terms
    return [
        PaymentInstructed(
            entitlement=command.entitlement,
            instruction=command.instruction,
            batch=command.batch,
            application=terms.application,
            organisation=terms.organisation,
            person=terms.person,
            payee=terms.payee,
            line=terms.line,
            reservation=terms.reservation,
            fen=terms.fen,
            account=command.account,
            instructed_by=command.by,
        )
    ]


def _pay_in_cash(command: commands.PayInCash, payment: Payment) -> list[Event]:
    if not _may_pay(command.entitlement, command.instruction, command.terms, payment):
        return []
    terms = command.terms
    if terms.fen > CASH_FEN_MAX:
        raise errors.CashTooMuch(terms.fen, CASH_FEN_MAX)
    if len({command.by, command.approved_by, *command.witnesses}) < 4:
        raise errors.DutiesNotSeparated("cash")
    return [
        PaidInCash(
            entitlement=command.entitlement,
            instruction=command.instruction,
            application=terms.application,
            organisation=terms.organisation,
            person=terms.person,
            payee=terms.payee,
            line=terms.line,
            reservation=terms.reservation,
            fen=terms.fen,
            reason=command.reason,
            witnesses=command.witnesses,
            receipt=command.receipt,
            paid_by=command.by,
            approved_by=command.approved_by,
            paid_on=command.on,
        )
    ]


def _heard(command: commands.Confirm | commands.Fail | commands.Bounce, payment: Known) -> list[Event]:
    """What the bank says, once; what it said before of the same instruction is no news, the opposite is a contradiction."""
    entitlement, instruction = command.entitlement, command.instruction
    before = dict(payment.over).get(instruction)
    match command, payment:
        case commands.Confirm(), UnderWay() if payment.instruction == instruction:
            return [PaymentConfirmed(entitlement=entitlement, instruction=instruction, booked_on=command.booked_on, report=command.report)]
        case commands.Fail(), UnderWay() if payment.instruction == instruction:
            return [
                PaymentFailed(
                    entitlement=entitlement,
                    instruction=instruction,
                    payee=payment.terms.payee,
                    code=command.code,
                    reason=command.reason,
                    report=command.report,
                )
            ]
        case commands.Bounce(), Done(in_cash=False) if payment.instruction == instruction:
            return [
                PaymentReturned(
                    entitlement=entitlement,
                    instruction=instruction,
                    payee=payment.terms.payee,
                    reversal=command.reversal,
                    code=command.code,
                    reason=command.reason,
                    booked_on=command.booked_on,
                    report=command.report,
                    line=command.line,
                    reservation=command.reservation,
                )
            ]
        case commands.Bounce(), UnderWay() if payment.instruction == instruction:
            raise errors.ReturnedBeforePaid(entitlement, instruction)
        case commands.Confirm(), Done() if payment.instruction == instruction:
            return []
        case commands.Confirm(), _ if before is Said.returned:
            return []  # the older news that it was paid, before it came back
        case commands.Fail(), _ if before is Said.failed:
            return []
        case commands.Bounce(), _ if before is Said.returned:
            return []
    said = {commands.Confirm: "paid", commands.Fail: "failed", commands.Bounce: "returned"}[type(command)]
    if before is Said.withdrawn:
        raise errors.InstructionUnknown(entitlement, instruction)  # the bank was never told of it
    if before is not None:
        raise errors.Contradiction(entitlement, instruction, said, before.value)
    if not isinstance(payment, Due) and payment.instruction == instruction:
        raise errors.Contradiction(entitlement, instruction, said, "paid")
    raise errors.InstructionUnknown(entitlement, instruction)


def _withdrawn(command: commands.Withdraw, payment: Payment) -> list[Event]:
    entitlement, instruction = command.entitlement, command.instruction
    match payment:
        case UnderWay() if payment.instruction == instruction:
            return [
                PaymentWithdrawn(
                    entitlement=entitlement,
                    instruction=instruction,
                    batch=payment.batch,
                    reason=command.reason,
                    withdrawn_by=command.by,
                )
            ]
        case Unseen():
            raise errors.PaymentUnknown(entitlement)
        case _:
            raise errors.InstructionUnknown(entitlement, instruction)


def _corrected(command: commands.CorrectAccount, payment: Payment) -> list[Event]:
    changeable = _changeable(command, payment)
    # Before the first instruction the payee is whom the grant names, unless an heir was named since.
    payee = changeable.heir if isinstance(changeable, Unseen) else changeable.terms.payee
    if payee not in (None, command.payee):
        raise errors.OtherTerms(command.entitlement)
    return [
        AccountCorrected(
            entitlement=command.entitlement,
            payee=command.payee,
            account=command.account,
            paper=command.paper,
            corrected_by=command.by,
            approved_by=command.approved_by,
        )
    ]


def _redirected(command: commands.Redirect, payment: Payment) -> list[Event]:
    _changeable(command, payment)
    return [
        PayeeRedirected(
            entitlement=command.entitlement,
            payee=command.payee,
            account=command.account,
            proof=command.proof,
            redirected_by=command.by,
            approved_by=command.approved_by,
        )
    ]


def _changeable(command: commands.CorrectAccount | commands.Redirect, payment: Payment) -> Unseen | Due:
    if isinstance(payment, UnderWay | Done):
        raise errors.NothingToCorrect(command.entitlement)
    if command.by == command.approved_by:
        raise errors.DutiesNotSeparated("account")
    return payment


def _terms(event: PaymentInstructed | PaidInCash) -> Terms:
    return Terms(event.application, event.organisation, event.person, event.payee, event.line, event.reservation, event.fen)


def _over(payment: Unseen | Due) -> tuple[tuple[str, Said], ...]:
    return payment.over if isinstance(payment, Due) else ()
