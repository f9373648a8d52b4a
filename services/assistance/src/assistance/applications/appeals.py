"""What happens to a decision afterwards: an appeal settled by the level above (at the top by others), a grant taken back unpaid. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.assistance.applications import AppealDismissed, AppealUpheld, DecisionTaken, GrantRevoked
from contracts.kernel import Event
from foundation.decider import JointDecider, Part

from assistance.applications import commands, errors
from assistance.applications.application import Appealed, Case, Grant, Granted, Instructed, Paid, stage
from assistance.applications.deciding import DECISION, check_attendees, judges_of
from assistance.applications.following import APPLICATION, known, not_to_come
from assistance.applications.making import concerned
from assistance.beneficiaries.beneficiary import BENEFICIARY, Uncount
from assistance.desk import Desk, once
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.commands import Void
from assistance.interests.interests import INTERESTS, no_conflict
from assistance.payments.payment import PAYMENT, Due, Unseen
from assistance.programmes.definition import LEVELS, TOP_LEVELS


def _appeal_parts(command: commands.SettleAppeal) -> Sequence[Part]:
    table = () if command.meeting is None else command.meeting.attendees
    interests = [Part(INTERESTS, principal) for principal in (command.by, *table)]
    return once([Part(APPLICATION, command.application), Part(DECISION, command.decision), *interests])


def _settle_appeal(command: commands.SettleAppeal, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    desk = Desk(_appeal_parts(command), states, now)
    application = known(desk.state(APPLICATION, command.application), command.application)
    if not isinstance(application, Appealed) or application.decision != command.decision:
        raise errors.ApplicationElsewhere(command.application, stage(application))
    case = application.case
    if command.meeting is not None:
        not_to_come(command.meeting.held_on, now)
    check_attendees(command.meeting, command.by)
    judges = judges_of(command.application, command.by, command.meeting)
    for judge in judges:
        no_conflict(judge, desk.state(INTERESTS, judge), concerned(application))
    hands = case.makers | case.decided_by | _refused_by(command, desk.state(DECISION, command.decision))
    if not hands.isdisjoint({*judges, command.by}):
        raise errors.DutiesNotSeparated(command.application)
    above = LEVELS.index(command.level) < LEVELS.index(application.level)
    at_the_top = command.level is application.level and command.level in TOP_LEVELS
    if not above and not (at_the_top and command.meeting is not None):
        raise errors.AppealBelow(application.level)
    kind = AppealUpheld if command.upheld else AppealDismissed
    settled = kind(
        application=command.application,
        person=case.person,
        reason=command.reason,
        settled_by=command.by,
        level=command.level,
        meeting=command.meeting,
    )
    desk.add(APPLICATION, command.application, settled)
    return desk.decided()


def _refused_by(command: commands.SettleAppeal, taken: DecisionTaken | None) -> frozenset[str]:
    """Who took part in the refusal: one, or everybody at the table who did not step aside."""
    if taken is None:
        return frozenset()
    return frozenset({taken.decided_by, *judges_of(command.application, taken.decided_by, taken.meeting)})


SETTLE_APPEAL: JointDecider[commands.SettleAppeal] = JointDecider(parts=_appeal_parts, decide=_settle_appeal)


def counted_with_grant(case: Case, grant: Grant) -> tuple[str, ...]:
    """Whatever the rules say by now: with whom it may have been counted, the household that it was granted with and the person."""
    return (case.person,) if grant.household is None else (grant.household, case.person)


def _revoke_parts(command: commands.Revoke) -> Sequence[Part]:
    return once(
        [
            *(Part(APPLICATION, command.application), Part(PAYMENT, command.entitlement), Part(BUDGET_LINE, command.line)),
            *(Part(INTERESTS, command.by), *(Part(BENEFICIARY, record) for record in command.counted)),
        ]
    )


def _revoke(command: commands.Revoke, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    desk = Desk(_revoke_parts(command), states, now)
    application = known(desk.state(APPLICATION, command.application), command.application)
    payment = desk.state(PAYMENT, command.entitlement)
    # What failed or came back is due still; while it is under way, or once it is paid, there is nothing to take back.
    waits = isinstance(payment, Unseen) if isinstance(application, Granted) else isinstance(payment, Due)
    if not isinstance(application, Granted | Instructed | Paid) or not waits:
        raise errors.ApplicationElsewhere(command.application, stage(application))
    case, grant = application.case, application.grant
    held = payment.terms if isinstance(payment, Due) else grant
    if (grant.entitlement, held.line) != (command.entitlement, command.line):
        raise errors.ApplicationElsewhere(command.application, stage(application))
    no_conflict(command.by, desk.state(INTERESTS, command.by), concerned(application))
    # What was to be paid and cannot be is written off by somebody who neither granted it nor sent it to the bank.
    sent = {*case.decided_by, grant.instructed_by} if isinstance(payment, Due) else ()
    if command.by in {*case.makers, *sent}:
        raise errors.DutiesNotSeparated(command.application)
    revoked = GrantRevoked(
        application=command.application,
        entitlement=grant.entitlement,
        person=case.person,
        reason=command.reason,
        revoked_by=command.by,
        revoked_on=command.on,
    )
    desk.add(APPLICATION, command.application, revoked)
    for record in command.counted:
        desk.ask(BENEFICIARY, record, Uncount(record, grant.entitlement))
    desk.ask(BUDGET_LINE, command.line, Void(command.line, held.reservation, (grant.entitlement,)))
    return desk.decided()


REVOKE: JointDecider[commands.Revoke] = JointDecider(parts=_revoke_parts, decide=_revoke)
"""The entitlement's money goes back into its line, and the grant counts no more."""
