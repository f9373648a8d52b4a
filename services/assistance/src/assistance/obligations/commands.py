"""What can be asked of emergency payments and what they owe. `by` is who asks, for a union at `level`; amounts are fen."""

from dataclasses import dataclass
from datetime import date

from contracts.assistance.funds import EntitlementId, LineId
from contracts.assistance.programmes import ProgrammeCode
from contracts.kernel import OrgCode, PersonId
from contracts.membership import Digest, Level, Principal

from assistance.workdays import WorkingDays


@dataclass(frozen=True, slots=True)
class PayFirst:
    """Pay at once, on one's own authority. `counted`: whose grants it counts with; `standing`: the person's membership today.

    `area`: the unions that the authoriser acts for, whose money it is. `doubles`, `home`, `kin`: as in a decision
    (`applications.commands.Settle`).
    """

    obligation: str
    application: str
    person: str
    household: str | None
    counted: tuple[str, ...]
    programme: ProgrammeCode
    line: str
    fen: int
    level: Level
    area: frozenset[OrgCode]
    standing: str | None
    calendar: WorkingDays
    by: Principal
    doubles: tuple[str, ...] = ()
    home: str | None = None
    kin: tuple[PersonId, ...] = ()


@dataclass(frozen=True, slots=True)
class Meet:
    """The papers are there, and checked."""

    obligation: str
    authoriser: Principal
    application: str
    programme: ProgrammeCode
    on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class Recover:
    """The money is back. `entitlement` and `line`: what was paid, out of which; None where the grant was revoked before that.

    `into`: the open line that goes on with the balance, where that line's year is closed.
    """

    obligation: str
    authoriser: Principal
    application: str
    entitlement: EntitlementId | None
    line: LineId | None
    into: LineId | None
    fen: int
    receipt: Digest
    on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class WriteOff:
    """Papers and money are given up, by a decision of the level above."""

    obligation: str
    authoriser: Principal
    application: str
    reason: str
    paper: Digest
    level: Level
    on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class MarkOverdue:
    """The day has passed."""

    obligation: str
