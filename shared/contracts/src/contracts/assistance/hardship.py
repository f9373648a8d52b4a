"""Hardship files 困难职工档案: one per household, with dated levels. What is known of people's lives is sealed (purpose `hardship`)."""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from contracts.kernel import Event, OrgCode, Personal, PersonId, Under
from contracts.membership import Digest, Principal, RecordId

HouseholdId = RecordId
"""A household: 128 random bits in lower-case hex."""

LevelCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{1,29}$")]
"""A level of hardship, of the dated code list (assistance.hardship.levels): deep 深度困难, relative 相对困难, accidental 意外致困."""


class Relation(StrEnum):
    """What somebody is to the applicant."""

    applicant = "applicant"
    spouse = "spouse"
    child = "child"
    parent = "parent"
    other = "other"


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class HouseholdMember(_Value):
    """A person of the household; ids and choices only. A minor has a guardian of the household or outside it, who is also the payee."""

    person: PersonId
    relation: Relation
    minor: bool = False
    guardian: PersonId | None = None
    consent: Digest | None = None
    """The guardian's signed consent."""


class Household(_Value):
    """How a household lives, sealed as one value. Money in fen; a year's unless it says month."""

    employer: str | None = None
    own_month_fen: int = 0
    household_month_fen: int = 0
    heads: int = 1
    rigid_spending_year_fen: int = 0
    causes: tuple[str, ...] = ()
    note: str | None = None


class BankAccount(_Value):
    """Where money goes. The name is as the bank spells it."""

    bank: str
    name: str
    number: str


class Authority(StrEnum):
    """Who is asked about a household, after it has signed for that."""

    civil_affairs = "civil_affairs"
    housing = "housing"
    vehicles = "vehicles"
    business = "business"
    insurance = "insurance"


class LiftReason(StrEnum):
    """Why a file is closed 脱困 or 注销."""

    income_risen = "income_risen"
    cause_ended = "cause_ended"
    moved_away = "moved_away"
    died = "died"
    joined = "joined"
    in_error = "in_error"


class HardshipFileOpened(Event, type="assistance.HardshipFileOpened", version=1, subject="applicant", purpose="hardship"):
    """A union opened a household's file 建档. The circumstances are of all its members: the key goes when any of them is erased."""

    household: HouseholdId
    organisation: OrgCode
    applicant: PersonId
    people: tuple[PersonId, ...]
    members: tuple[HouseholdMember, ...]
    circumstances: Annotated[Personal[Household], Under("people", purpose="hardship")]
    account: Personal[BankAccount]
    opened_on: date
    opened_by: Principal | None = None


class HardshipFileRevised(Event, type="assistance.HardshipFileRevised", version=1, subject="applicant", purpose="hardship"):
    """The household as it is now, all of it; `reviewed` where this was the yearly review 年度复核, the next one by `review_on`."""

    household: HouseholdId
    applicant: PersonId
    people: tuple[PersonId, ...]
    members: tuple[HouseholdMember, ...]
    circumstances: Annotated[Personal[Household], Under("people", purpose="hardship")]
    account: Personal[BankAccount]
    reviewed: bool = False
    review_on: date | None = None
    effective_on: date
    revised_by: Principal | None = None


class ChecksAuthorised(Event, type="assistance.ChecksAuthorised", version=1):
    """The household signed for checks with these authorities, until a day (inclusive)."""

    household: HouseholdId
    authorities: tuple[Authority, ...]
    paper: Digest
    valid_until: date


class CheckRecorded(Event, type="assistance.CheckRecorded", version=1, subject="applicant", purpose="hardship"):
    """An authority's answer, or a dispute of it."""

    household: HouseholdId
    applicant: PersonId
    authority: Authority
    consistent: bool
    disputed: bool = False
    finding: Personal[str]
    checked_on: date


class HardshipLevelSet(Event, type="assistance.HardshipLevelSet", version=1):
    """The household's level of hardship from a day on, by a decision; to be reviewed by `review_on`."""

    household: HouseholdId
    level: LevelCode
    paper: Digest
    effective_on: date
    review_on: date


class CadreLinked(Event, type="assistance.CadreLinked", version=1):
    """A cadre looks after the household 结对帮扶, from now on, in the place of whoever did."""

    household: HouseholdId
    cadre: Principal
    since: date


class HardshipFileClosed(Event, type="assistance.HardshipFileClosed", version=1):
    """The household was lifted out of hardship, or its file ended otherwise. A call-back 回访 is due by `call_back_on`."""

    household: HouseholdId
    reason: LiftReason
    into: HouseholdId | None = None
    closed_on: date
    call_back_on: date | None = None


class CallBackRecorded(Event, type="assistance.CallBackRecorded", version=1, subject="applicant", purpose="hardship"):
    """How a household that was lifted out does."""

    household: HouseholdId
    applicant: PersonId
    relapsed: bool
    finding: Personal[str]
    called_on: date


class HardshipReviewOverdue(Event, type="assistance.HardshipReviewOverdue", version=1):
    """The yearly review was not entered by `review_on`: the cadre and the union above are to see to it."""

    household: HouseholdId
    review_on: date


class CallBackOverdue(Event, type="assistance.CallBackOverdue", version=1):
    """The household that was lifted out was not called back by `call_back_on`."""

    household: HouseholdId
    call_back_on: date


class HouseholdEntered(Event, type="assistance.HouseholdEntered", version=1):
    """A person belongs to a household with a live file: to one at a time."""

    person: PersonId
    household: HouseholdId


class HouseholdLeft(Event, type="assistance.HouseholdLeft", version=1):
    """The person belongs to that household's file no more."""

    person: PersonId
    household: HouseholdId
