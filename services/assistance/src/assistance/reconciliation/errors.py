"""The rules of accounts that pay, and of the bank's files."""

from datetime import date

from contracts.assistance.payments import AccountNumber
from foundation.decider import Refusal


class PaymentAccountUnknown(Refusal):
    """No organisation pays from this account here."""

    status = 404

    def __init__(self, account: AccountNumber) -> None:
        super().__init__(account=account)


class PaymentAccountOfAnother(Refusal):
    """The account belongs to another organisation."""

    def __init__(self, account: AccountNumber) -> None:
        super().__init__(account=account)


class AccountHalted(Refusal):
    """The daily check did not agree: nothing leaves this account until the difference is explained by two people."""

    def __init__(self, account: AccountNumber) -> None:
        super().__init__(account=account)


class SamePerson(Refusal):
    """One person would do what takes two."""

    status = 403


class StatementMissing(Refusal):
    """The bank has no statement of this day (yet)."""

    status = 404

    def __init__(self, account: AccountNumber, day: date) -> None:
        super().__init__(account=account, day=day)


class BookingDayMissing(Refusal):
    """The sheet says what was paid and not when; nobody else will say it of a batch that was brought by hand."""

    status = 422

    def __init__(self) -> None:
        super().__init__()


class ExceptionUnknown(Refusal):
    """There is no such exception."""

    status = 404

    def __init__(self, exception: str) -> None:
        super().__init__(exception=exception)
