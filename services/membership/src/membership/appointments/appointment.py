"""One person's appointments, on one stream per person, so that the rules about several posts see all of them. Pure.

Who may appoint is a question of the appointer's own authority and is asked before a command comes here.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from contracts.kernel import Event, OrgCode
from contracts.membership import NodeBootstrapped, Role, StaffAppointed, StaffAppointmentEnded, StaffHandedOver
from contracts.values import day_in_china
from foundation.decider import Decider, JointDecider, Part
from foundation.ids import command_id

from membership.appointments import commands, errors
from membership.organisations.organisation import ORGANISATION, standing_on

_DUTIES = frozenset({Role.clerk, Role.approver, Role.finance})
"""Maker, checker and payer: three people at one union."""

_NO_POST = frozenset({Role.member, Role.agency})
"""Roles that are no post of a union's staff: they stand beside any other."""


@dataclass(frozen=True, slots=True)
class Post:
    """One appointment; `valid_until` (exclusive) is None while its end is open."""

    appointment: str
    organisation: OrgCode
    role: Role
    valid_from: date
    valid_until: date | None
    acting: bool
    delegated_from: str | None

    def overlaps(self, valid_from: date, valid_until: date | None) -> bool:
        """Whether both stand on some day."""
        return (self.valid_until is None or valid_from < self.valid_until) and (valid_until is None or self.valid_from < valid_until)

    def covers(self, valid_from: date, valid_until: date) -> bool:
        """Whether it stands on all of these days."""
        return self.valid_from <= valid_from and (self.valid_until is None or valid_until <= self.valid_until)

    def holds(self, day: date) -> bool:
        """Whether it stands on that day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True, slots=True)
class Staff:
    """Everything somebody was ever appointed to, in order."""

    posts: tuple[Post, ...] = ()

    def post(self, appointment: str) -> Post:
        """The appointment with this id. Raises AppointmentUnknown."""
        for post in self.posts:
            if post.appointment == appointment:
                return post
        raise errors.AppointmentUnknown(appointment)


def evolve(staff: Staff, event: Event) -> Staff:
    match event:
        case StaffAppointed():
            post = Post(
                event.appointment,
                event.organisation,
                event.role,
                event.valid_from,
                event.valid_until,
                event.acting,
                event.delegated_from,
            )
            return Staff((*staff.posts, post))
        case StaffAppointmentEnded():
            return Staff(
                tuple(
                    replace(post, valid_until=event.valid_until) if post.appointment == event.appointment else post for post in staff.posts
                )
            )
        case _:
            return staff


def _no_single_rule(command: Any, state: object, now: datetime) -> list[Event]:
    # Every command reads another stream as well: the union's, a delegate's, the successor's.
    raise TypeError(f"{type(command).__name__} is a joint command")


STAFF: Decider[Staff, Any] = Decider(category="staff", initial=Staff(), decide=_no_single_rule, evolve=evolve)


def _appointed(principal: str, post: Post, staff: Staff) -> list[Event]:
    """The event of a new post beside those held, or none where it is held already. Raises what the rules say."""
    for held in staff.posts:
        if held == post or (held.appointment == post.appointment):
            return []
        if not held.overlaps(post.valid_from, post.valid_until):
            continue
        if held.organisation == post.organisation:
            if held.role is post.role:
                raise errors.AlreadyAppointed(held.appointment)
            _separate(post, held)
        if not post.acting and not {held.role, post.role} & _NO_POST:
            raise errors.ActingNotStated
    return [
        StaffAppointed(
            appointment=post.appointment,
            principal=principal,
            organisation=post.organisation,
            role=post.role,
            acting=post.acting,
            delegated_from=post.delegated_from,
            valid_from=post.valid_from,
            valid_until=post.valid_until,
        )
    ]


def _separate(post: Post, held: Post) -> None:
    roles = {post.role, held.role}
    if roles <= _DUTIES or (Role.auditor in roles and not roles & _NO_POST):
        raise errors.DutiesNotSeparated(post.organisation, post.role, held.role)


def _ended(principal: str, post: Post, valid_until: date) -> list[Event]:
    # An end before the beginning leaves nothing: the post never stood.
    last = max(valid_until, post.valid_from)
    if post.valid_until is not None and post.valid_until <= last:
        return []
    return [StaffAppointmentEnded(appointment=post.appointment, principal=principal, organisation=post.organisation, valid_until=last)]


def _period(valid_from: date, valid_until: date | None) -> None:
    if valid_until is not None and valid_until <= valid_from:
        raise errors.AppointmentPeriodEmpty


def _appoint(command: commands.Appoint, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    _period(command.valid_from, command.valid_until)
    standing_on(states[1], command.organisation, max(command.valid_from, day_in_china(now)))
    post = Post(command.appointment, command.organisation, command.role, command.valid_from, command.valid_until, command.acting, None)
    return _appointed(command.principal, post, states[0]), []


APPOINT: JointDecider[commands.Appoint] = JointDecider(
    parts=lambda command: (Part(STAFF, command.principal), Part(ORGANISATION, command.organisation)), decide=_appoint
)


def _delegate_parts(command: commands.Delegate) -> Sequence[Part]:
    if command.delegate == command.principal:
        raise errors.DelegatedToSelf
    return (Part(STAFF, command.delegate), Part(STAFF, command.principal))


def _delegate(command: commands.Delegate, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    _period(command.valid_from, command.valid_until)
    if (command.valid_until - command.valid_from).days > command.days_max:
        raise errors.DelegationTooLong(command.days_max)
    owner: Staff = states[1]
    post = owner.post(command.post)
    if post.organisation != command.organisation:
        raise errors.AppointmentUnknown(command.post)
    if post.delegated_from is not None or not post.covers(command.valid_from, command.valid_until):
        raise errors.DelegationOutsidePost
    delegated = replace(
        post,
        appointment=command.appointment,
        valid_from=command.valid_from,
        valid_until=command.valid_until,
        acting=True,
        delegated_from=post.appointment,
    )
    return _appointed(command.delegate, delegated, states[0]), []


DELEGATE: JointDecider[commands.Delegate] = JointDecider(parts=_delegate_parts, decide=_delegate)


def _end_parts(command: commands.End) -> Sequence[Part]:
    return [Part(STAFF, principal) for principal in dict.fromkeys((command.principal, *command.delegates))]


def _end(command: commands.End, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    owner: Staff = states[0]
    decided = [_ended(command.principal, owner.post(command.appointment), command.valid_until)]
    for part, staff in zip(_end_parts(command)[1:], states[1:], strict=True):
        decided.append(
            [
                event
                for post in staff.posts
                if post.delegated_from == command.appointment
                for event in _ended(part.id, post, command.valid_until)
            ]
        )
    return decided


END: JointDecider[commands.End] = JointDecider(parts=_end_parts, decide=_end)


def _hand_over_parts(command: commands.HandOver) -> Sequence[Part]:
    if command.successor == command.principal:
        raise errors.DelegatedToSelf
    return (Part(STAFF, command.principal), Part(STAFF, command.successor), Part(ORGANISATION, command.organisation))


def _hand_over(command: commands.HandOver, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    leaving: Staff = states[0]
    taking: Staff = states[1]
    day = command.effective_on
    standing_on(states[2], command.organisation, max(day, day_in_china(now)))
    moved = [
        post
        for post in leaving.posts
        if post.organisation == command.organisation and post.delegated_from is None and post.holds(day) and post.role not in _NO_POST
    ]
    given: list[Event] = []
    taken: list[Event] = []
    for post in moved:
        given += _ended(command.principal, post, day)
        # The new post's id follows from the old one's, so that the same hand-over twice is the same.
        appointment = command_id("handed over", post.appointment, command.successor).hex
        beside_others = any(held.overlaps(day, post.valid_until) for held in taking.posts)
        new = replace(post, appointment=appointment, valid_from=day, acting=post.acting or beside_others)
        events = _appointed(command.successor, new, taking)
        taking = STAFF.fold(events, taking)
        taken += events
    if not moved:
        if any(_taken_over(post, leaving, command) for post in taking.posts):
            return [], [], []
        raise errors.NothingToHandOver(command.organisation)
    handed_over = StaffHandedOver(
        principal=command.principal,
        successor=command.successor,
        organisation=command.organisation,
        paper=command.paper,
        effective_on=day,
    )
    return [handed_over, *given], taken, []


def _taken_over(post: Post, leaving: Staff, command: commands.HandOver) -> bool:
    return any(
        post.appointment == command_id("handed over", left.appointment, command.successor).hex and left.valid_until == command.effective_on
        for left in leaving.posts
    )


HAND_OVER: JointDecider[commands.HandOver] = JointDecider(parts=_hand_over_parts, decide=_hand_over)


# -------------------------------------------------------------------------------------------------------- the first one


@dataclass(frozen=True, slots=True)
class Fresh:
    """Nobody was appointed on this node yet: every appointment needs an administrator, and the first one is made here."""


@dataclass(frozen=True, slots=True)
class Bootstrapped:
    """The first appointment was made."""

    appointment: str


def _evolve_node(node: Fresh | Bootstrapped, event: Event) -> Fresh | Bootstrapped:
    return Bootstrapped(event.appointment) if isinstance(event, NodeBootstrapped) else node


NODE: Decider[Fresh | Bootstrapped, Any] = Decider(category="node", initial=Fresh(), decide=_no_single_rule, evolve=_evolve_node)


def _bootstrap(command: commands.Bootstrap, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    node: Fresh | Bootstrapped = states[0]
    if isinstance(node, Bootstrapped):
        if node.appointment == command.appointment:
            return [], []
        raise errors.AlreadyBootstrapped
    post = Post(command.appointment, command.organisation, Role.org_admin, command.valid_from, None, False, None)
    bootstrapped = NodeBootstrapped(organisation=command.organisation, appointment=command.appointment)
    return [bootstrapped], _appointed(command.principal, post, states[1])


BOOTSTRAP: JointDecider[commands.Bootstrap] = JointDecider(
    parts=lambda command: (Part(NODE, "first"), Part(STAFF, command.principal)), decide=_bootstrap
)
"""One stream says whether the first appointment was made, so two at once cannot both be the first. The union need not exist yet."""
