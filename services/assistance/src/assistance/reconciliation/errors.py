"""The rules of accounts that pay, and of the bank's files."""

from datetime import date

from contracts.assistance.payments import AccountNumber
from foundation.decider import Refusal


class PaymentAccountUnknown(Refusal):
    """No organisation pays from this account here."""

    status = 404

    def __init__(self, account: AccountNumber) -> None:
        super().__init__("this account is not opened for payments here", account=account)


class PaymentAccountOfAnother(Refusal):
    """The account belongs to another organisation."""

    def __init__(self, account: AccountNumber) -> None:
        super().__init__("this account is another organisation's", account=account)


class AccountHalted(Refusal):
    """The daily check did not agree: nothing leaves this account until the difference is explained by two people."""

    def __init__(self, account: AccountNumber) -> None:
        super().__init__("payments from this account are stopped: its books and the bank's do not agree", account=account)


class SamePerson(Refusal):
    """One person would do what takes two."""

    status = 403

    def __init__(self) -> None:
        super().__init__("this takes two different people")


class StatementMissing(Refusal):
    """The bank has no statement of this day (yet)."""

    status = 404

    def __init__(self, account: AccountNumber, day: date) -> None:
        super().__init__("the bank has no statement of this day for this account", account=account, day=str(day))


class ExceptionUnknown(Refusal):
    """There is no such exception."""

    status = 404

    def __init__(self, exception: str) -> None:
        super().__init__("there is no such exception", exception=exception)
