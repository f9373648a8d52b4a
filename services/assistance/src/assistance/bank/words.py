"""What the bank says in a file, whichever format it came in."""

from dataclasses import dataclass
from datetime import date
from enum import Enum


class Outcome(Enum):
    """What became of an order."""

    paid = "paid"
    failed = "failed"
    returned = "returned"
    under_way = "under way"


@dataclass(frozen=True, slots=True)
class Said:
    """The bank's word on one order: our references as it shows them again, "" where it shows none. `place`: its number in the file, or row.

    `fen`: None where the file names no amount. `day`: the bank's booking day, None where the file does not say. `entry`: the bank's own
    reference of a booking. `reason`: its words, which may name somebody.
    """

    place: int
    instruction: str
    entitlement: str
    outcome: Outcome
    fen: int | None = None
    day: date | None = None
    code: str | None = None
    reason: str | None = None
    entry: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """A status report of one file of ours. `message`: its id; `refused`: the code with which it was refused as a whole."""

    message: str
    words: tuple[Said, ...]
    refused: str | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """A day of an account. `words`: its bookings, debits as paid and credits with a reference of ours as returned.

    `others`: places of bookings that are no transfer of ours, with their signed fen (credit positive).
    """

    account: str
    day: date
    opening_fen: int
    closing_fen: int
    words: tuple[Said, ...]
    others: tuple[tuple[int, int], ...] = ()

    @property
    def paid_fen(self) -> int:
        """What left for payments of ours, less what came back of them."""
        signs = {Outcome.paid: 1, Outcome.returned: -1}
        return sum(signs[word.outcome] * (word.fen or 0) for word in self.words)
