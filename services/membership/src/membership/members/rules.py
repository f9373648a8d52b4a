"""What may happen to a membership by itself: everything that is decided on the member's stream alone. Pure.

What brings somebody into a union, and what links two records, reads another stream too: see `joining`.
"""

from datetime import date, datetime
from typing import assert_never

from contracts import membership as events
from contracts.kernel import Event, PersonId
from contracts.values import day_in_china
from foundation.decider import Decider

from membership.members import commands, errors
from membership.members.member import (
    Active,
    Applicant,
    Current,
    Died,
    Expelled,
    Left,
    Linked,
    Member,
    Retained,
    Retired,
    Suspended,
    TransferContested,
    TransferOpen,
    TransferSettled,
    Unknown,
    evolve,
)


def not_to_come(day: date, now: datetime) -> None:
    if day > day_in_china(now):
        raise errors.DayToCome(day)


def membership_of(member: Member, person: PersonId) -> Current:
    """The member, where the membership is current. Raises MemberUnknown, LinkedElsewhere, MembershipEnded."""
    match member:
        case Active() | Suspended() | Retained() | Retired():
            return member
        case Unknown() | Applicant():
            raise errors.MemberUnknown(person)
        case Linked(same_as, _):
            raise errors.LinkedElsewhere(person, same_as)
        case Left() | Expelled() | Died():
            raise errors.MembershipEnded(person)
        case _:
            assert_never(member)


# ------------------------------------------------------------------------------------------- on the member's stream alone


def decide(command: commands.Command, member: Member, now: datetime) -> list[Event]:
    """The rule of everything that needs no other stream."""
    match command:
        case commands.RefuseApplication() | commands.WithdrawApplication():
            not_to_come(command.effective_on, now)
            return _close_application(command, member)
        case commands.Correct():
            not_to_come(command.effective_on, now)
            return _correct(command, member)
        case commands.Unlink():
            return _unlink(command, member)
        case commands.CompleteTransfer() | commands.ObjectToTransfer() | commands.UpholdObjection() | commands.DismissObjection():
            not_to_come(command.effective_on, now)
            return _go_on_with_transfer(command, member, now)
        case _:
            not_to_come(command.effective_on, now)
            return _change_standing(command, member)


def _close_application(command: commands.RefuseApplication | commands.WithdrawApplication, member: Member) -> list[Event]:
    if not isinstance(member, Applicant) or member.union != command.organisation:
        raise errors.NoApplication(command.member)
    match command:
        case commands.RefuseApplication(person, union, reason, day):
            return [events.ApplicationRefused(member=person, organisation=union, reason=reason, effective_on=day)]
        case commands.WithdrawApplication(person, union, day):
            return [events.ApplicationWithdrawn(member=person, organisation=union, effective_on=day)]
        case _:
            assert_never(command)


def _correct(command: commands.Correct, member: Member) -> list[Event]:
    # What was known before is sealed, so "already so" cannot be seen here; a repeated request is answered by its idempotency key.
    match member:
        case Unknown():
            raise errors.MemberUnknown(command.member)
        case Linked(same_as, _):
            raise errors.LinkedElsewhere(command.member, same_as)
        case _:
            corrected = events.MemberCorrected(
                member=command.member,
                name=command.name,
                document=command.document,
                phone=command.phone,
                details=command.details,
                sex=command.sex,
                categories=command.categories,
                reason=command.reason,
                effective_on=command.effective_on,
                provenance=command.provenance,
            )
            told = (command.name, command.document, command.phone, command.details, command.sex, command.categories)
            return [] if all(value is None for value in told) else [corrected]


_Standing = commands.Suspend | commands.Resume | commands.Retain | commands.Retire | commands.Leave | commands.Expel | commands.RecordDeath


def _change_standing(command: _Standing, member: Member) -> list[Event]:
    person, day = command.member, command.effective_on
    match command, member:
        case (
            (commands.Suspend(), Suspended())
            | (commands.Resume(), Active())
            | (commands.Retain(), Retained())
            | (commands.Retire(), Retired())
            | (commands.Leave(), Left())
            | (commands.Expel(), Expelled())
            | (commands.RecordDeath(), Died())
        ):
            return []
        case commands.RecordDeath(), Left(union):
            return [events.MemberDied(member=person, organisation=union, effective_on=day)]
        case _:
            pass
    current = membership_of(member, person)
    union = current.union
    match command, current:
        case commands.Suspend(), Active():
            return [events.MemberSuspended(member=person, organisation=union, reason=command.reason, effective_on=day)]
        case commands.Resume(), Suspended() | Retained():
            return [events.MemberResumed(member=person, organisation=union, effective_on=day)]
        case commands.Retain(), Active():
            return [events.MembershipRetained(member=person, organisation=union, effective_on=day)]
        case commands.Retire(), _:
            return [events.MemberRetired(member=person, organisation=union, effective_on=day)]
        case commands.Leave(), _:
            return [
                events.MemberLeft(member=person, organisation=union, reason=command.reason, effective_on=day, provenance=command.provenance)
            ]
        case commands.Expel(), _:
            return [
                events.MemberExpelled(member=person, organisation=union, reason=command.reason, decision=command.decision, effective_on=day)
            ]
        case commands.RecordDeath(), _:
            return [events.MemberDied(member=person, organisation=union, effective_on=day)]
        case _:
            raise errors.MemberNotActive(person)


_Transfer = commands.CompleteTransfer | commands.ObjectToTransfer | commands.UpholdObjection | commands.DismissObjection


def _go_on_with_transfer(command: _Transfer, member: Member, now: datetime) -> list[Event]:
    person, day = command.member, command.effective_on
    transfer = membership_of(member, person).transfer
    if transfer is None or transfer.id != command.transfer:
        raise errors.TransferUnknown(person)
    match command, transfer:
        case commands.CompleteTransfer(), TransferOpen():
            return [events.TransferCompleted(member=person, transfer=transfer.id, effective_on=day)]
        case commands.ObjectToTransfer(), TransferOpen(_, _, object_until):
            if day_in_china(now) > object_until:
                raise errors.ObjectionLate(object_until)
            return [
                events.TransferObjected(
                    member=person, transfer=transfer.id, ground=command.ground, statement=command.statement, effective_on=day
                )
            ]
        case commands.UpholdObjection(), TransferContested(_, before):
            return [events.ObjectionUpheld(member=person, transfer=transfer.id, organisation=before.union, effective_on=day)]
        case commands.DismissObjection(), TransferContested():
            return [events.ObjectionDismissed(member=person, transfer=transfer.id, effective_on=day)]
        case (
            (commands.ObjectToTransfer(), TransferContested())
            | (commands.UpholdObjection(), TransferSettled(upheld=True))
            | (commands.CompleteTransfer() | commands.DismissObjection(), TransferSettled(upheld=False))
        ):
            return []
        case commands.CompleteTransfer(), TransferContested():
            raise errors.ObjectionOpen(person)
        case commands.UpholdObjection() | commands.DismissObjection(), _:
            raise errors.NoObjection(person)
        case _:
            raise errors.TransferUnknown(person)


def _unlink(command: commands.Unlink, member: Member) -> list[Event]:
    match member:
        case Linked(same_as, _):
            return [events.MemberUnlinked(member=command.member, was_same_as=same_as, effective_on=command.effective_on)]
        case Unknown():
            raise errors.MemberUnknown(command.member)
        case _:
            return []


MEMBER: Decider[Member, commands.Command] = Decider(category="member", initial=Unknown(), decide=decide, evolve=evolve)
