"""What a checker should see of a batch before freezing it: one account for several people, money to somebody else."""

from collections import defaultdict
from collections.abc import Sequence

from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import PaymentInstructed

ONE_CARD, OTHER_PAYEE = "one-card-for-several", "payee-not-beneficiary"


def findings(payments: Sequence[tuple[PaymentInstructed, BankAccount]]) -> list[tuple[str, str]]:
    """(rule, entitlement) of instructions with their accounts. Pure."""
    found = [(OTHER_PAYEE, one.entitlement) for one, _ in payments if one.payee != one.person]
    by_number = defaultdict(list)
    for one, account in payments:
        by_number[account.number.replace(" ", "")].append(one)
    for shared in by_number.values():
        if len({one.payee for one in shared}) > 1:
            found += [(ONE_CARD, one.entitlement) for one in shared]
    return found
