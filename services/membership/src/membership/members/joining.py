"""How somebody comes into a union: rules that read the union's stream too, and links between two records. Pure.

The union's stream gets no event; its version is checked with the append, so nobody joins a union that is ending at that moment.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, assert_never

from contracts import membership as events
from contracts.kernel import Event, OrgCode
from contracts.membership import Level, MemberKind
from contracts.values import day_in_china
from foundation.decider import JointDecider, Part

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
    Unknown,
)
from membership.members.rules import MEMBER, membership_of, not_to_come
from membership.organisations.organisation import ORGANISATION, Organisation, standing_on


def _with_union(command: Any) -> Sequence[Part]:
    return (Part(MEMBER, command.member), Part(ORGANISATION, command.organisation))


def _open_union(states: Sequence[Any], code: OrgCode, now: datetime) -> Level:
    """The level of the union, which exists today. Whether it did on the day of joining is not asked: papers are older than registers."""
    organisation: Organisation = states[1]
    return standing_on(organisation, code, day_in_china(now)).level


def _kind(wanted: MemberKind | None, level: Level, code: OrgCode) -> MemberKind:
    grassroots = level in (Level.grassroots, Level.group)
    if wanted is None:
        return MemberKind.regular if grassroots else MemberKind.direct
    if wanted is MemberKind.regular and not grassroots:
        raise errors.KindNotHere(code)
    return wanted


def _apply(command: commands.Apply, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    member: Member = states[0]
    not_to_come(command.applied_on, now)
    match member:
        case Applicant(union) | Active(union) if union == command.organisation:
            return [], []
        case Applicant():
            raise errors.ApplicationOpen(command.member)
        case Active() | Suspended() | Retained() | Retired():
            raise errors.AlreadyMember(command.member)
        case Died():
            raise errors.MemberDead(command.member)
        case Linked(same_as, _):
            raise errors.LinkedElsewhere(command.member, same_as)
        case Unknown() | Left() | Expelled():
            pass
        case _:
            assert_never(member)
    person = command.person
    applied = events.MembershipApplied(
        member=command.member,
        organisation=command.organisation,
        kind=_kind(command.kind, _open_union(states, command.organisation, now), command.organisation),
        sex=person.sex,
        categories=person.categories,
        name=person.name,
        document=person.document,
        phone=person.phone,
        details=person.details,
        applied_on=command.applied_on,
    )
    return [applied], []


APPLICATION: JointDecider[commands.Apply] = JointDecider(parts=_with_union, decide=_apply)


def _admit_applicant(command: commands.AdmitApplicant, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    member: Member = states[0]
    not_to_come(command.joined_on, now)
    match member:
        case Applicant(union, kind, _) if union == command.organisation:
            _open_union(states, union, now)
            admitted = events.MemberAdmitted(member=command.member, organisation=union, kind=kind, joined_on=command.joined_on)
            return [admitted], []
        case Active(union) if union == command.organisation:
            return [], []
        case Linked(same_as, _):
            raise errors.LinkedElsewhere(command.member, same_as)
        case _:
            raise errors.NoApplication(command.member)


APPLICANT_ADMISSION: JointDecider[commands.AdmitApplicant] = JointDecider(parts=_with_union, decide=_admit_applicant)


def _admit(command: commands.Admit, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    member: Member = states[0]
    not_to_come(command.joined_on, now)
    match member:
        case Active(union) if union == command.organisation:
            return [], []
        case Active() | Suspended() | Retained() | Retired():
            if member.union == command.organisation:
                raise errors.MemberNotActive(command.member)
            raise errors.AlreadyMember(command.member)
        case Expelled():
            raise errors.MemberWasExpelled(command.member)
        case Died():
            raise errors.MemberDead(command.member)
        case Linked(same_as, _):
            raise errors.LinkedElsewhere(command.member, same_as)
        case Unknown() | Applicant() | Left():
            # A registration settles an application that is open elsewhere: membership follows employment.
            pass
        case _:
            assert_never(member)
    person = command.person
    admitted = events.MemberAdmitted(
        member=command.member,
        organisation=command.organisation,
        kind=_kind(command.kind, _open_union(states, command.organisation, now), command.organisation),
        sex=person.sex,
        categories=person.categories,
        name=person.name,
        document=person.document,
        phone=person.phone,
        details=person.details,
        joined_on=command.joined_on,
        provenance=command.provenance,
    )
    return [admitted], []


ADMISSION: JointDecider[commands.Admit] = JointDecider(parts=_with_union, decide=_admit, opens=lambda _: True)


def _transfer(command: commands.Transfer, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.effective_on, now)
    member = membership_of(states[0], command.member)
    if member.union == command.organisation and isinstance(member, Active):
        return [], []
    if member.union == command.organisation:
        raise errors.MemberNotActive(command.member)
    if isinstance(member, Suspended):
        raise errors.MemberSuspended(command.member)
    if isinstance(member.transfer, TransferContested):
        raise errors.ObjectionOpen(command.member)
    _open_union(states, command.organisation, now)
    transferred = events.MemberTransferred(
        member=command.member,
        transfer=command.transfer,
        from_organisation=member.union,
        organisation=command.organisation,
        proof=command.proof,
        object_until=command.object_until,
        effective_on=command.effective_on,
        provenance=command.provenance,
    )
    return [transferred], []


TRANSFER: JointDecider[commands.Transfer] = JointDecider(parts=_with_union, decide=_transfer)


def _reinstate(command: commands.Reinstate, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    member: Member = states[0]
    not_to_come(command.effective_on, now)
    match member:
        case Left(union) | Expelled(union) | Died(union) if union == command.organisation:
            _open_union(states, command.organisation, now)
            reinstated = events.MemberReinstated(
                member=command.member, organisation=union, reason=command.reason, effective_on=command.effective_on
            )
            return [reinstated], []
        case Active(union) if union == command.organisation:
            return [], []
        case Active() | Suspended() | Retained() | Retired():
            raise errors.AlreadyMember(command.member)
        case Linked(same_as, _):
            raise errors.LinkedElsewhere(command.member, same_as)
        case _:
            raise errors.MemberUnknown(command.member)


REINSTATEMENT: JointDecider[commands.Reinstate] = JointDecider(parts=_with_union, decide=_reinstate)


# ---------------------------------------------------------------------------------------------------- double records


def _link_parts(command: commands.Link) -> Sequence[Part]:
    if command.member == command.same_as:
        raise errors.LinkedToItself(command.member)
    return (Part(MEMBER, command.member), Part(MEMBER, command.same_as))


def _link(command: commands.Link, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    member: Member = states[0]
    same_as: Member = states[1]
    match member:
        case Linked(other, _):
            if other == command.same_as:
                return [], []
            raise errors.LinkedElsewhere(command.member, other)
        case Unknown():
            raise errors.MemberUnknown(command.member)
        case _:
            pass
    match same_as:
        case Unknown():
            raise errors.MemberUnknown(command.same_as)
        case Linked(other, _):
            raise errors.LinkedElsewhere(command.same_as, other)
        case Active() | Suspended() | Retained() | Retired():
            pass
        case _:
            if isinstance(member, Current):
                raise errors.LinkWouldEndMembership(command.member)
    return [events.MemberLinked(member=command.member, same_as=command.same_as, effective_on=command.effective_on)], []


LINK: JointDecider[commands.Link] = JointDecider(parts=_link_parts, decide=_link)
