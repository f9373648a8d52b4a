"""What can be asked of budget lines. Amounts are fen.

`booked_on` is the day the books are to carry: a day of the line's year, not in a closed period and not to come. Where it is None, it is
today, or the nearest day of the line's year. `moved_on` instead is the day on which a bank moved the money, which no rule can undo: the
books carry it, or the nearest day of the line's year that is open.
"""

from dataclasses import dataclass
from datetime import date

from contracts.assistance.funds import EntitlementId, LineId, Move
from contracts.kernel import OrgCode
from contracts.membership import Digest, Principal, RecordId

FEN_MAX = 10**13
"""A hundred thousand million yuan: no line and no step of one holds more."""

ITEMS_MAX = 200
"""Entitlements in one command: a meeting's resolution; its record stays below 60,000 bytes."""


# ------------------------------------------------------------------------------- for decisions and payments of other slices


@dataclass(frozen=True, slots=True)
class Reserve:
    """Set money aside for entitlements, (id, fen) each; all of them or none. `purpose` is what the money is wanted for."""

    line: LineId
    reservation: RecordId
    purpose: str
    items: tuple[tuple[EntitlementId, int], ...]
    booked_on: date | None = None


@dataclass(frozen=True, slots=True)
class Void:
    """Give back what entitlements hold unpaid."""

    line: LineId
    reservation: RecordId
    entitlements: tuple[EntitlementId, ...]
    booked_on: date | None = None


@dataclass(frozen=True, slots=True)
class Post:
    """Entitlements were paid: (entitlement, instruction to the bank) each."""

    line: LineId
    reservation: RecordId
    payments: tuple[tuple[EntitlementId, RecordId], ...]
    booked_on: date | None = None
    moved_on: date | None = None


@dataclass(frozen=True, slots=True)
class Return:
    """Paid money came back, `fen` of it (None: all that was paid). `reversal` names the return: it counts once.

    `held`: it stays set aside for the entitlement, which is still due. A closed line refuses this with LineClosed: see ReturnLate.
    """

    line: LineId
    reservation: RecordId
    entitlement: EntitlementId
    reversal: RecordId
    fen: int | None = None
    held: bool = False
    booked_on: date | None = None
    moved_on: date | None = None


@dataclass(frozen=True, slots=True)
class ClosePeriod:
    """Close the line's books up to and including a day."""

    line: LineId
    through: date


Command = Reserve | Void | Post | Return | ClosePeriod
"""What one line decides alone."""


# ------------------------------------------------------------------------------------------------- over several lines


@dataclass(frozen=True, slots=True)
class ReturnLate:
    """Paid money came back after the line's year was closed; `into` is an open line of its organisation and source.

    `held_as`: the reservation under which it stays set aside there, for the entitlement that is still due; None: it is available.
    """

    line: LineId
    reservation: RecordId
    entitlement: EntitlementId
    reversal: RecordId
    into: LineId
    fen: int | None = None
    held_as: RecordId | None = None
    moved_on: date | None = None


@dataclass(frozen=True, slots=True)
class CloseLine:
    """Close a line's year and carry what is left over into a line of the next year, of this purpose. `by`: who asks for it, two people
    where it is another purpose."""

    line: LineId
    into: LineId
    into_purpose: str
    into_earmarked: bool
    by: tuple[Principal, ...] = ()


@dataclass(frozen=True, slots=True)
class Propose:
    """Ask for a move of budget. `above`: everything above whom an allotment goes to, or is taken back from, as of today."""

    proposal: RecordId
    move: Move
    maker: Principal
    above: tuple[OrgCode, ...] = ()


@dataclass(frozen=True, slots=True)
class Approve:
    """Approve a move as it was read, which moves the money. `above` as in Propose, as it stands by now."""

    proposal: RecordId
    move: Move
    approver: Principal
    above: tuple[OrgCode, ...] = ()


@dataclass(frozen=True, slots=True)
class Reject:
    """Say no to a move."""

    proposal: RecordId
    approver: Principal
    document: Digest | None = None
