"""A household's hardship file: its states and what it decides alone. Pure. What touches people's other files is in `households`."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import assert_never

from contracts.assistance.hardship import (
    Authority,
    CadreLinked,
    CallBackOverdue,
    CallBackRecorded,
    CheckRecorded,
    ChecksAuthorised,
    HardshipFileClosed,
    HardshipFileOpened,
    HardshipFileRevised,
    HardshipLevelSet,
    HardshipReviewOverdue,
    HouseholdMember,
    LiftReason,
)
from contracts.kernel import Event, OrgCode, PersonId
from contracts.membership import Principal
from contracts.values import day_in_china
from foundation.decider import Decider

from assistance.hardship import commands, errors


@dataclass(frozen=True, slots=True)
class Unopened:
    """No file."""


@dataclass(frozen=True, slots=True)
class Live:
    """A live file. `facts_version` counts what approvals rest on (people, circumstances, level), not who looks after the household.

    `chased`: the day of the review that was found overdue. `makers`: who opened and revised it, none of whom sets its level.
    """

    organisation: OrgCode
    applicant: PersonId
    members: tuple[HouseholdMember, ...]
    facts_version: int = 1
    level: str | None = None
    review_on: date | None = None
    authorised: frozenset[Authority] = frozenset()
    authorised_until: date | None = None
    cadre: Principal | None = None
    chased: date | None = None
    makers: frozenset[Principal] = frozenset()

    @property
    def people(self) -> tuple[PersonId, ...]:
        """Everybody of the household, with the minors' guardians from outside it."""
        return tuple(dict.fromkeys([one.person for one in self.members] + [one.guardian for one in self.members if one.guardian]))

    def member(self, person: PersonId) -> HouseholdMember | None:
        """Somebody of the household."""
        return next((one for one in self.members if one.person == person), None)


@dataclass(frozen=True, slots=True)
class Closed:
    """The file as it was, and why it is closed. `called_back`: the household was asked afterwards; `chased`: nobody had by the day."""

    was: Live
    reason: LiftReason
    into: str | None
    call_back_on: date | None
    called_back: bool = False
    chased: bool = False


HardshipFile = Unopened | Live | Closed


def evolve(file: HardshipFile, event: Event) -> HardshipFile:
    match file, event:
        case _, HardshipFileOpened():
            return Live(event.organisation, event.applicant, event.members, makers=_makers(event.opened_by))
        case Live(facts_version=version), HardshipFileRevised():
            review_on, makers = event.review_on or file.review_on, file.makers | _makers(event.revised_by)
            told = replace(file, applicant=event.applicant, members=event.members, review_on=review_on, makers=makers)
            return replace(told, facts_version=version + 1)
        case Live(facts_version=version), HardshipLevelSet():
            return replace(file, level=event.level, review_on=event.review_on, facts_version=version + 1)
        case Live(), ChecksAuthorised():
            return replace(file, authorised=frozenset(event.authorities), authorised_until=event.valid_until)
        case Live(), CadreLinked():
            return replace(file, cadre=event.cadre)
        case Live(), HardshipFileClosed():
            return Closed(file, event.reason, event.into, event.call_back_on)
        case Closed(), CallBackRecorded():
            return replace(file, called_back=True)
        case Live(), HardshipReviewOverdue():
            return replace(file, chased=event.review_on)
        case Closed(), CallBackOverdue():
            return replace(file, chased=True)
        case _:
            return file


def _makers(by: Principal | None) -> frozenset[Principal]:
    return frozenset() if by is None else frozenset({by})


def live(file: HardshipFile, household: str) -> Live:
    """The file, where it is live. Raises FileUnknown, FileNotLive."""
    match file:
        case Live():
            return file
        case Closed():
            raise errors.FileNotLive(household)
        case Unopened():
            raise errors.FileUnknown(household)
        case _:
            assert_never(file)


def not_to_come(day: date, now: datetime) -> None:
    """Raises DayToCome."""
    if day > day_in_china(now):
        raise errors.DayToCome(day)


def decide(command: commands.Command, file: HardshipFile, now: datetime) -> list[Event]:
    match command:
        case commands.AuthoriseChecks(household, authorities, paper, valid_until):
            live(file, household)
            return [ChecksAuthorised(household=household, authorities=authorities, paper=paper, valid_until=valid_until)]
        case commands.RecordCheck(household, authority, consistent, disputed, finding, on):
            not_to_come(on, now)
            found = live(file, household)
            if authority not in found.authorised or found.authorised_until is None or on > found.authorised_until:
                raise errors.NotAuthorised(authority)
            checked = CheckRecorded(
                household=household,
                applicant=found.applicant,
                authority=authority,
                consistent=consistent,
                disputed=disputed,
                finding=finding,
                checked_on=on,
            )
            return [checked]
        case commands.LinkCadre(household, cadre, since):
            if live(file, household).cadre == cadre:
                return []
            return [CadreLinked(household=household, cadre=cadre, since=since)]
        case commands.RecordCallBack(household, relapsed, finding, on):
            not_to_come(on, now)
            match file:
                case Closed(was=was, call_back_on=due) if due is not None:
                    called = CallBackRecorded(
                        household=household, applicant=was.applicant, relapsed=relapsed, finding=finding, called_on=on
                    )
                    return [called]
                case Unopened():
                    raise errors.FileUnknown(household)
                case _:
                    raise errors.NotLifted(household)
        case commands.MarkReviewOverdue(household, day):
            _passed(day, now)
            waits = isinstance(file, Live) and file.review_on == day and file.chased != day
            return [HardshipReviewOverdue(household=household, review_on=day)] if waits else []
        case commands.MarkCallBackOverdue(household, day):
            _passed(day, now)
            waits = isinstance(file, Closed) and file.call_back_on == day and not file.called_back and not file.chased
            return [CallBackOverdue(household=household, call_back_on=day)] if waits else []
        case _:
            assert_never(command)


def _passed(day: date, now: datetime) -> None:
    if day_in_china(now) <= day:
        raise errors.NotDueYet(day)


FILE: Decider[HardshipFile, commands.Command] = Decider(category="hardshipfile", initial=Unopened(), decide=decide, evolve=evolve)
