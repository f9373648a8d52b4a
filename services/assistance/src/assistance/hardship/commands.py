"""What can be asked of hardship files. `by` is the cadre who asks: declared interests block them."""

from dataclasses import dataclass
from datetime import date

from contracts.assistance.hardship import Authority, BankAccount, Household, HouseholdMember, LiftReason
from contracts.kernel import OrgCode
from contracts.membership import Digest, Principal


@dataclass(frozen=True, slots=True)
class Particulars:
    """A household as it is: who belongs to it, how it lives, where money goes."""

    members: tuple[HouseholdMember, ...]
    circumstances: Household
    account: BankAccount


@dataclass(frozen=True, slots=True)
class Open:
    """Open a household's file."""

    household: str
    organisation: OrgCode
    particulars: Particulars
    on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class Revise:
    """Put the household down as it is now. `leaving`: who belonged to it and does no more."""

    household: str
    particulars: Particulars
    leaving: tuple[str, ...]
    reviewed: bool
    on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class Join:
    """Close one file and go on with another, whose household takes everybody in 合并."""

    household: str
    into: str
    particulars: Particulars
    leaving: tuple[str, ...]
    on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class SetLevel:
    """Set the household's level from a day on."""

    household: str
    level: str
    paper: Digest
    on: date
    review_on: date
    by: Principal


@dataclass(frozen=True, slots=True)
class Close:
    """Lift the household out of hardship, or end its file otherwise. `people`: who belongs to it."""

    household: str
    reason: LiftReason
    people: tuple[str, ...]
    on: date
    call_back_on: date | None
    by: Principal


@dataclass(frozen=True, slots=True)
class AuthoriseChecks:
    """Enter the household's signature for checks."""

    household: str
    authorities: tuple[Authority, ...]
    paper: Digest
    valid_until: date


@dataclass(frozen=True, slots=True)
class RecordCheck:
    """Enter what an authority answered."""

    household: str
    authority: Authority
    consistent: bool
    disputed: bool
    finding: str
    on: date


@dataclass(frozen=True, slots=True)
class LinkCadre:
    """Let a cadre look after the household."""

    household: str
    cadre: Principal
    since: date


@dataclass(frozen=True, slots=True)
class RecordCallBack:
    """Enter how a household that was lifted out does."""

    household: str
    relapsed: bool
    finding: str
    on: date


@dataclass(frozen=True, slots=True)
class MarkReviewOverdue:
    """The day by which the level was to be reviewed has passed."""

    household: str
    review_on: date


@dataclass(frozen=True, slots=True)
class MarkCallBackOverdue:
    """The day by which the household was to be called back has passed."""

    household: str
    call_back_on: date


Command = AuthoriseChecks | RecordCheck | LinkCadre | RecordCallBack | MarkReviewOverdue | MarkCallBackOverdue
