"""What a checker should see of a batch before freezing it: one account for several people, money to somebody else."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from assistance.bank.port import Order

ONE_CARD, OTHER_PAYEE = "one-card-for-several", "payee-not-beneficiary"


def findings(orders: Sequence[Order], people: Mapping[str, tuple[str, str]]) -> list[tuple[str, str]]:
    """(rule, entitlement) of orders; `people`: (person, payee) by entitlement. Pure."""
    found = [(OTHER_PAYEE, one.entitlement) for one in orders if len(set(people[one.entitlement])) > 1]
    by_number = defaultdict(list)
    for one in orders:
        by_number[one.account.number.replace(" ", "")].append(one.entitlement)
    for shared in by_number.values():
        if len({people[entitlement][1] for entitlement in shared}) > 1:
            found += [(ONE_CARD, entitlement) for entitlement in shared]
    return found
