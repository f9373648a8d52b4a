"""What an application decides alone: accounts, withdrawal, appeals as they come in, and what becomes of the money. Pure."""

from datetime import date, datetime
from typing import assert_never

from contracts.assistance.applications import (
    AccountGiven,
    AidAcknowledged,
    AidAppealed,
    AidFollowedUp,
    AidInstructed,
    AidPaid,
    ApplicationWithdrawn,
    IncidentSetApart,
)
from contracts.kernel import Event
from contracts.values import day_in_china
from foundation.decider import Decider

from assistance.applications import commands, errors
from assistance.applications.application import (
    Appealed,
    Application,
    Draft,
    Granted,
    Instructed,
    Known,
    Paid,
    Refused,
    Submitted,
    Unknown,
    Verified,
    Withdrawn,
    evolve,
    stage,
)


def known(application: Application, id: str) -> Known:
    """The application, where there is one. Raises ApplicationUnknown."""
    if isinstance(application, Unknown):
        raise errors.ApplicationUnknown(id)
    return application


def not_to_come(day: date, now: datetime) -> None:
    """Raises DayToCome."""
    if day > day_in_china(now):
        raise errors.DayToCome(day)


def decide(command: commands.Command, application: Application, now: datetime) -> list[Event]:
    name = command.application
    found = known(application, name)
    match command, found:
        # From the decision on it takes two people (payments.CorrectAccount): nobody alone turns granted money to another account.
        case commands.GiveAccount(_, account, by), Draft() | Verified() | Submitted():
            return [AccountGiven(application=name, payee=found.case.payee, account=account, given_by=by)]
        case commands.SetApart(_, other), Draft() | Verified() | Submitted() if other in found.case.apart:
            return []
        case commands.SetApart(_, other, reason, by), Draft() | Verified() | Submitted():
            person = found.case.person
            return [IncidentSetApart(application=name, apart_from=other, person=person, reason=reason, set_apart_by=by)]
        case commands.Withdraw(), Withdrawn():
            return []
        case commands.Withdraw(_, on), Draft() | Verified() | Submitted():
            not_to_come(on, now)
            return [ApplicationWithdrawn(application=name, withdrawn_on=on)]
        case commands.Appeal(_, grounds, on), Refused(final=False, appeal_until=until):
            not_to_come(on, now)
            if on > until:
                raise errors.AppealLate(until)
            return [AidAppealed(application=name, person=found.case.person, grounds=grounds, appealed_on=on)]
        case commands.MarkInstructed(_, by), Granted(case=case, grant=grant):
            if by in case.makers or by in case.decided_by:
                raise errors.DutiesNotSeparated(name)
            return [AidInstructed(application=name, entitlement=grant.entitlement, instructed_by=by)]
        case commands.MarkPaid(_, on), Granted(grant=grant) | Instructed(grant=grant):
            return [AidPaid(application=name, entitlement=grant.entitlement, paid_on=on)]
        case commands.Acknowledge(_, receipt, on), Paid(acknowledged=False, grant=grant):
            not_to_come(on, now)
            return [AidAcknowledged(application=name, entitlement=grant.entitlement, receipt=receipt, acknowledged_on=on)]
        case commands.FollowUp(_, finding, on), Paid():
            not_to_come(on, now)
            return [AidFollowedUp(application=name, person=found.case.person, finding=finding, followed_up_on=on)]
        case (
            (commands.Appeal(), Appealed())
            | (commands.MarkInstructed(), Instructed())
            | (commands.MarkPaid(), Paid())
            | (commands.Acknowledge(), Paid())
        ):
            return []
        case _, Draft() | Verified() | Submitted() | Granted() | Instructed() | Paid() | Refused() | Appealed() | Withdrawn():
            raise errors.ApplicationElsewhere(name, stage(found))
        case _:
            assert_never(found)


APPLICATION: Decider[Application, commands.Command] = Decider(category="application", initial=Unknown(), decide=decide, evolve=evolve)
