"""What can be asked of applications and of those who decide on them. `by` is who asks; amounts are fen."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from contracts.assistance.applications import ApplicationId, Meeting
from contracts.assistance.hardship import BankAccount, Household
from contracts.assistance.programmes import DecidedBy, ProgrammeCode
from contracts.kernel import OrgCode, PersonId
from contracts.membership import Digest, Level, Principal

# -------------------------------------------------------------------------------------------------------------- making


@dataclass(frozen=True, slots=True)
class Draft:
    """Ask for a programme's aid. `above`: the union and all above it, whose programmes are for its people. `incident_on`: the day of what
    it is for, where the programme helps once for each incident."""

    application: ApplicationId
    organisation: OrgCode
    programme: ProgrammeCode
    person: PersonId
    household: str | None
    payee: PersonId
    statement: str | None
    account: BankAccount | None
    on: date
    by: Principal
    above: tuple[OrgCode, ...]
    name: str | None = None
    incident_on: date | None = None


@dataclass(frozen=True, slots=True)
class DraftForChair:
    """A chair's dismissal was confirmed: half a year's living allowance is asked for, and sent to those who decide, by itself.

    `facts` are what the confirming union set.
    """

    application: ApplicationId
    organisation: OrgCode
    programme: ProgrammeCode
    chair: PersonId
    case: str
    facts: Mapping[str, int]
    on: date


@dataclass(frozen=True, slots=True)
class Attach:
    """Add a paper, by the digest of its scan."""

    application: ApplicationId
    programme: ProgrammeCode
    kind: str
    digest: Digest
    by: Principal


@dataclass(frozen=True, slots=True)
class GiveAccount:
    """Say where the money is to go."""

    application: ApplicationId
    account: BankAccount
    by: Principal


@dataclass(frozen=True, slots=True)
class Verify:
    """Enter what a visit found. `circumstances`: the household's, opened from its file at `file_version`."""

    application: ApplicationId
    programme: ProgrammeCode
    household: str | None
    circumstances: Household | None
    file_version: int | None
    facts: Mapping[str, int | bool | str]
    finding: str | None
    visitors: tuple[Principal, ...]
    visited_on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class Submit:
    """Send the stamped application up."""

    application: ApplicationId
    programme: ProgrammeCode
    stamped: Digest
    on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class Return:
    """Send it back for revision."""

    application: ApplicationId
    reason: str
    by: Principal


@dataclass(frozen=True, slots=True)
class SetApart:
    """Declare that it is about another incident than an application that was granted for one of the same day."""

    application: ApplicationId
    apart_from: ApplicationId
    reason: str
    by: Principal


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The applicant takes it back."""

    application: ApplicationId
    on: date


# ------------------------------------------------------------------------------------------------------------- deciding


@dataclass(frozen=True, slots=True)
class Seen:
    """What an approver had before them: the application's version, the rules', the file's, and the digest of all papers."""

    application_version: int
    programme_version: int
    file_version: int | None
    documents: Digest


@dataclass(frozen=True, slots=True)
class Grant:
    """Give what the rules come to; `fen`: so much of it, where the programme is discretionary."""

    fen: int | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Give nothing, with a reason."""

    reason: str


@dataclass(frozen=True, slots=True)
class Settle:
    """What is decided on one application, on what was seen. `standing`: the person's membership today, None without one.

    `doubles`: who the same person is under other records that membership has linked, and those records' households. `home`: the household
    whose file the person is in, where the programme counts by households and the case names none. `kin`: everybody of the household that
    it counts with.
    """

    application: ApplicationId
    person: PersonId
    household: str | None
    seen: Seen
    outcome: Grant | Refuse
    standing: str | None
    doubles: tuple[str, ...] = ()
    home: str | None = None
    kin: tuple[PersonId, ...] = ()


@dataclass(frozen=True, slots=True)
class Decide:
    """Settle applications of one programme in one decision, all or none, on one budget line.

    `level`: where the deciding union stands; `area`: the unions it decides for. `appeal_until`: the last day for appeals.
    """

    decision: str
    organisation: OrgCode
    level: Level
    area: frozenset[OrgCode]
    programme: ProgrammeCode
    line: str | None
    settled: tuple[Settle, ...]
    meeting: Meeting | None
    appeal_until: date
    by: Principal

    @property
    def how(self) -> DecidedBy:
        """By one person or by a meeting."""
        return DecidedBy.person if self.meeting is None else DecidedBy.meeting


@dataclass(frozen=True, slots=True)
class Revoke:
    """Take a grant back that is neither paid nor on its way.

    `line`: where its money waits; `counted`: whose grants it may have counted with.
    """

    application: ApplicationId
    entitlement: str
    line: str
    counted: tuple[str, ...]
    reason: str
    on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class Appeal:
    """The applicant appeals against a refusal."""

    application: ApplicationId
    grounds: str
    on: date


@dataclass(frozen=True, slots=True)
class SettleAppeal:
    """The level above finds the appeal against a decision right or wrong; where nobody is above, a meeting there."""

    application: ApplicationId
    upheld: bool
    reason: str
    level: Level
    by: Principal
    decision: str
    meeting: Meeting | None = None


# ------------------------------------------------------------------------------------------------------------ following


@dataclass(frozen=True, slots=True)
class MarkInstructed:
    """The payment went into a batch."""

    application: ApplicationId
    by: Principal


@dataclass(frozen=True, slots=True)
class MarkPaid:
    """The bank confirmed it, or the goods were handed over."""

    application: ApplicationId
    on: date


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """The payee signed for it."""

    application: ApplicationId
    receipt: Digest
    on: date


@dataclass(frozen=True, slots=True)
class FollowUp:
    """Somebody asked whether it helped."""

    application: ApplicationId
    finding: str
    on: date


Command = GiveAccount | SetApart | Withdraw | Appeal | MarkInstructed | MarkPaid | Acknowledge | FollowUp
"""What an application decides alone."""
