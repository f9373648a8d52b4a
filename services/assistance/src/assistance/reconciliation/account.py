"""An organisation's own account that pays: opened by two people, halted by a day that does not agree, resumed by two people. Pure."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import assert_never

from contracts.assistance.payments import AccountNumber, PaymentAccountOpened, PaymentsHalted, PaymentsResumed
from contracts.kernel import Event, OrgCode
from contracts.membership import Digest, Principal
from foundation.decider import Decider

from assistance.reconciliation import errors


@dataclass(frozen=True, slots=True)
class OpenAccount:
    """Pay from this account from now on."""

    account: AccountNumber
    organisation: OrgCode
    bank: str
    holder: str
    paper: Digest
    by: Principal
    approved_by: Principal


@dataclass(frozen=True, slots=True)
class Compare:
    """A day's three figures, net fen that left the account for payments: by the events, by the ledger, by the bank."""

    account: AccountNumber
    day: date
    events_fen: int
    ledger_fen: int
    bank_fen: int

    @property
    def agrees(self) -> bool:
        """Whether the three are one."""
        return self.events_fen == self.ledger_fen == self.bank_fen


@dataclass(frozen=True, slots=True)
class Resume:
    """The difference was found."""

    account: AccountNumber
    paper: Digest
    by: Principal
    approved_by: Principal


Command = OpenAccount | Compare | Resume


@dataclass(frozen=True, slots=True)
class NotOpened:
    """Nobody pays from it here."""


@dataclass(frozen=True, slots=True)
class Account:
    """Pays, unless it is halted."""

    account: AccountNumber
    organisation: OrgCode
    bank: str
    holder: str
    halted: bool = False


PaymentAccount = NotOpened | Account


def evolve(account: PaymentAccount, event: Event) -> PaymentAccount:
    match event, account:
        case PaymentAccountOpened(), NotOpened():
            return Account(event.account, event.organisation, event.bank, event.holder)
        case PaymentsHalted(), Account():
            return replace(account, halted=True)
        case PaymentsResumed(), Account():
            return replace(account, halted=False)
        case _:
            return account


def decide(command: Command, account: PaymentAccount, now: datetime) -> list[Event]:
    if isinstance(command, OpenAccount):
        return _open(command, account)
    found = opened(account, command.account)
    match command:
        case Compare(name, day, events, ledger, bank):
            if command.agrees or found.halted:
                return []
            return [
                PaymentsHalted(account=name, organisation=found.organisation, day=day, events_fen=events, ledger_fen=ledger, bank_fen=bank)
            ]
        case Resume(name, paper, by, approved_by):
            if by == approved_by:
                raise errors.SamePerson
            return [PaymentsResumed(account=name, paper=paper, resumed_by=by, approved_by=approved_by)] if found.halted else []
        case _:
            assert_never(command)


def _open(command: OpenAccount, account: PaymentAccount) -> list[Event]:
    if command.by == command.approved_by:
        raise errors.SamePerson
    if isinstance(account, Account):
        if account.organisation != command.organisation:
            raise errors.PaymentAccountOfAnother(command.account)
        return []
    return [
        PaymentAccountOpened(
            account=command.account,
            organisation=command.organisation,
            bank=command.bank,
            holder=command.holder,
            paper=command.paper,
            opened_by=command.by,
            approved_by=command.approved_by,
        )
    ]


def opened(account: PaymentAccount, name: AccountNumber) -> Account:
    """The account. Raises PaymentAccountUnknown."""
    if isinstance(account, NotOpened):
        raise errors.PaymentAccountUnknown(name)
    return account


PAYMENT_ACCOUNT: Decider[PaymentAccount, Command] = Decider(category="paymentaccount", initial=NotOpened(), decide=decide, evolve=evolve)
