"""Staff appointments: several posts, separated duties, delegation, hand-over, and the first one of a node."""

from datetime import date, timedelta
from typing import Any

import pytest
from contracts.kernel import Event
from contracts.membership import (
    Level,
    NodeBootstrapped,
    OrganisationDissolved,
    OrganisationFounded,
    OrganisationKind,
    Role,
    StaffAppointed,
    StaffAppointmentEnded,
    StaffHandedOver,
)
from foundation.decider import NOON, JointDecider
from hypothesis import given, settings
from hypothesis import strategies as st
from membership.appointments import commands, errors
from membership.appointments.appointment import APPOINT, BOOTSTRAP, DELEGATE, END, HAND_OVER, STAFF, Staff
from membership.organisations.errors import OrganisationEnded, OrganisationUnknown

ANNA, BO, CHEN = "anna", "bo", "chen"
TOWN, COUNTY = "370902001", "370902"
TODAY = date(2026, 3, 2)
NEXT = date(2026, 4, 1)
IDS = [f"{number:032x}" for number in range(10)]
PAPER = "e" * 64


def union(code: str, level: Level) -> OrganisationFounded:
    return OrganisationFounded(
        organisation=code,
        name=code,
        level=level,
        kind=OrganisationKind.federation,
        parent="3709",
        funding_parent="3709",
        effective_on=date(2020, 1, 1),
    )


UNIONS: list[Event] = [union(TOWN, Level.township), union(COUNTY, Level.county)]


def tried(joint: JointDecider[Any], command: Any, *history: Event, unions: list[Event] = UNIONS) -> dict[str, list[Event]]:
    """What a command adds to each stream, by the id of the stream."""
    parts = joint.parts(command)
    states = []
    for part in parts:
        key = "principal" if part.decider is STAFF else "organisation"
        told = [event for event in (*unions, *history) if getattr(event, key, None) == part.id]
        if part.id == "first":
            told = [event for event in history if isinstance(event, NodeBootstrapped)]
        states.append(part.decider.fold(told))
    decided = joint.decide(command, states, NOON)
    return {part.id: list(events) for part, events in zip(parts, decided, strict=True) if events}


def appointed(
    principal: str, role: Role, number: int = 0, *, organisation: str = TOWN, until: date | None = None, **more: Any
) -> StaffAppointed:
    return StaffAppointed(
        appointment=IDS[number],
        principal=principal,
        organisation=organisation,
        role=role,
        valid_from=more.pop("since", TODAY),
        valid_until=until,
        **more,
    )


def appoint(event: StaffAppointed) -> commands.Appoint:
    return commands.Appoint(
        event.principal, event.appointment, event.organisation, event.role, event.valid_from, event.valid_until, event.acting
    )


CLERK = appointed(ANNA, Role.clerk)


class TestAppointing:
    def test_in_a_role_from_a_day_on(self) -> None:
        assert tried(APPOINT, appoint(CLERK)) == {ANNA: [CLERK]}
        assert tried(APPOINT, appoint(CLERK), CLERK) == {}

    def test_at_a_union_that_is_there(self) -> None:
        with pytest.raises(OrganisationUnknown):
            tried(APPOINT, appoint(appointed(ANNA, Role.clerk, organisation="3701")))
        ended = OrganisationDissolved(organisation=TOWN, successor=COUNTY, effective_on=NEXT)
        with pytest.raises(OrganisationEnded):
            tried(APPOINT, appoint(appointed(ANNA, Role.clerk, since=NEXT)), unions=[*UNIONS, ended])

    def test_for_some_time(self) -> None:
        with pytest.raises(errors.AppointmentPeriodEmpty):
            tried(APPOINT, appoint(appointed(ANNA, Role.clerk, until=TODAY)))

    def test_once_at_a_time(self) -> None:
        again = appointed(ANNA, Role.clerk, 1, since=NEXT)
        with pytest.raises(errors.AlreadyAppointed):
            tried(APPOINT, appoint(again), CLERK)
        assert tried(APPOINT, appoint(again), appointed(ANNA, Role.clerk, until=NEXT)) == {ANNA: [again]}

    @pytest.mark.parametrize(
        ("held", "role"),
        [
            (Role.clerk, Role.approver),
            (Role.approver, Role.finance),
            (Role.finance, Role.clerk),
            (Role.auditor, Role.steward),
            (Role.org_admin, Role.auditor),
        ],
    )
    def test_separated_duties_at_one_union_even_when_acting(self, held: Role, role: Role) -> None:
        with pytest.raises(errors.DutiesNotSeparated):
            tried(APPOINT, appoint(appointed(ANNA, role, 1, acting=True)), appointed(ANNA, held))

    def test_at_another_union_as_acting(self) -> None:
        second = appointed(ANNA, Role.approver, 1, organisation=COUNTY)
        with pytest.raises(errors.ActingNotStated):
            tried(APPOINT, appoint(second), CLERK)
        acting = second.model_copy(update={"acting": True})
        assert tried(APPOINT, appoint(acting), CLERK) == {ANNA: [acting]}

    def test_a_member_of_staff_is_also_a_member(self) -> None:
        member = appointed(ANNA, Role.member, 1)
        assert tried(APPOINT, appoint(member), CLERK) == {ANNA: [member]}


class TestEnding:
    def test_on_a_day(self) -> None:
        command = commands.End(ANNA, CLERK.appointment, NEXT)
        ended = StaffAppointmentEnded(appointment=CLERK.appointment, principal=ANNA, organisation=TOWN, valid_until=NEXT)
        assert tried(END, command, CLERK) == {ANNA: [ended]}
        assert tried(END, command, CLERK, ended) == {}
        with pytest.raises(errors.AppointmentUnknown):
            tried(END, command)

    def test_before_it_begins_it_never_stood(self) -> None:
        later = appointed(ANNA, Role.clerk, since=NEXT)
        (event,) = tried(END, commands.End(ANNA, later.appointment, TODAY), later)[ANNA]
        staff = STAFF.fold([later, event])
        assert not any(staff.posts[0].holds(NEXT + timedelta(days=day)) for day in range(-40, 40))

    def test_what_was_delegated_ends_with_it(self) -> None:
        delegated = appointed(BO, Role.clerk, 1, until=NEXT, acting=True, delegated_from=CLERK.appointment)
        own = appointed(BO, Role.steward, 2)
        tomorrow = TODAY + timedelta(days=1)
        decided = tried(END, commands.End(ANNA, CLERK.appointment, tomorrow, (BO,)), CLERK, delegated, own)
        assert [event.appointment for events in decided.values() for event in events] == [IDS[0], IDS[1]]  # type: ignore[attr-defined]


class TestDelegation:
    def delegate(self, *, days: int = 14, post: str = CLERK.appointment, days_max: int = 30) -> commands.Delegate:
        return commands.Delegate(ANNA, post, BO, IDS[1], TOWN, TODAY, TODAY + timedelta(days=days), days_max)

    def test_dated(self) -> None:
        until = TODAY + timedelta(days=14)
        delegated = appointed(BO, Role.clerk, 1, until=until, acting=True, delegated_from=CLERK.appointment)
        assert tried(DELEGATE, self.delegate(), CLERK) == {BO: [delegated]}
        assert tried(DELEGATE, self.delegate(), CLERK, delegated) == {}

    def test_capped(self) -> None:
        with pytest.raises(errors.DelegationTooLong):
            tried(DELEGATE, self.delegate(days=31), CLERK)

    def test_not_beyond_the_post_nor_further_on(self) -> None:
        with pytest.raises(errors.DelegationOutsidePost):
            tried(DELEGATE, self.delegate(), appointed(ANNA, Role.clerk, until=TODAY + timedelta(days=7)))
        with pytest.raises(errors.DelegationOutsidePost):
            tried(DELEGATE, self.delegate(), appointed(ANNA, Role.clerk, delegated_from=IDS[5]))
        with pytest.raises(errors.AppointmentUnknown):
            tried(DELEGATE, self.delegate(post=IDS[7]), CLERK)

    def test_to_somebody_else_whose_duties_it_does_not_mix(self) -> None:
        with pytest.raises(errors.DelegatedToSelf):
            tried(DELEGATE, commands.Delegate(ANNA, IDS[0], ANNA, IDS[1], TOWN, TODAY, NEXT, 30), CLERK)
        with pytest.raises(errors.DutiesNotSeparated):
            tried(DELEGATE, self.delegate(), CLERK, appointed(BO, Role.approver, 2))


class TestHandOver:
    command = commands.HandOver(ANNA, BO, TOWN, PAPER, NEXT)

    def test_all_posts_at_the_union_move_at_once(self) -> None:
        steward = appointed(ANNA, Role.steward, 1, acting=True)
        elsewhere = appointed(ANNA, Role.steward, 2, organisation=COUNTY, acting=True)
        decided = tried(HAND_OVER, self.command, CLERK, steward, elsewhere)
        assert set(decided) == {ANNA, BO}
        assert decided[ANNA][0] == StaffHandedOver(principal=ANNA, successor=BO, organisation=TOWN, paper=PAPER, effective_on=NEXT)
        assert [event.appointment for event in decided[ANNA][1:]] == [IDS[0], IDS[1]]  # type: ignore[attr-defined]
        assert [(event.role, event.valid_from) for event in decided[BO]] == [(Role.clerk, NEXT), (Role.steward, NEXT)]  # type: ignore[attr-defined]
        everything = [CLERK, steward, elsewhere, *decided[ANNA], *decided[BO]]
        assert tried(HAND_OVER, self.command, *everything) == {}, "the same once more"

    def test_nothing_there(self) -> None:
        with pytest.raises(errors.NothingToHandOver):
            tried(HAND_OVER, self.command)

    def test_not_where_duties_would_mix(self) -> None:
        with pytest.raises(errors.DutiesNotSeparated):
            tried(HAND_OVER, self.command, CLERK, appointed(BO, Role.approver, 3))


class TestBootstrap:
    command = commands.Bootstrap(ANNA, IDS[0], "3709", TODAY)
    first = appointed(ANNA, Role.org_admin, organisation="3709")
    done = NodeBootstrapped(organisation="3709", appointment=IDS[0])

    def test_the_first_appointment_needs_no_union_yet(self) -> None:
        assert tried(BOOTSTRAP, self.command, unions=[]) == {"first": [self.done], ANNA: [self.first]}

    def test_once(self) -> None:
        assert tried(BOOTSTRAP, self.command, self.done, self.first) == {}
        with pytest.raises(errors.AlreadyBootstrapped):
            tried(BOOTSTRAP, commands.Bootstrap(BO, IDS[1], "3709", TODAY), self.done, self.first)


DAYS = st.integers(0, 5).map(lambda offset: TODAY + timedelta(days=offset))
COMMANDS = st.one_of(
    st.builds(
        commands.Appoint,
        st.sampled_from([ANNA, BO]),
        st.sampled_from(IDS),
        st.sampled_from([TOWN, COUNTY]),
        st.sampled_from(list(Role)),
        DAYS,
        st.none() | DAYS,
        st.booleans(),
    ).map(lambda command: (APPOINT, command)),
    st.builds(commands.End, st.sampled_from([ANNA, BO]), st.sampled_from(IDS), DAYS).map(lambda command: (END, command)),
    st.builds(
        commands.Delegate,
        st.sampled_from([ANNA, BO]),
        st.sampled_from(IDS),
        st.sampled_from([ANNA, BO]),
        st.sampled_from(IDS),
        st.sampled_from([TOWN, COUNTY]),
        DAYS,
        DAYS,
        st.just(3),
    ).map(lambda command: (DELEGATE, command)),
    st.builds(
        commands.HandOver, st.sampled_from([ANNA, BO]), st.sampled_from([ANNA, BO]), st.sampled_from([TOWN, COUNTY]), st.just(PAPER), DAYS
    ).map(lambda command: (HAND_OVER, command)),
)


@given(st.lists(COMMANDS, max_size=25))
@settings(max_examples=300, deadline=None)
def test_nobody_ever_holds_duties_that_belong_apart(asked: list[tuple[JointDecider[Any], Any]]) -> None:
    history: list[Event] = []
    for joint, command in asked:
        try:
            for events in tried(joint, command, *history).values():
                history += events
        except Exception as refused:
            if refused.__class__.__module__ != errors.__name__:
                raise
    for principal in (ANNA, BO):
        staff: Staff = STAFF.fold([event for event in history if getattr(event, "principal", None) == principal])
        for day in (TODAY + timedelta(days=offset) for offset in range(7)):
            for organisation in (TOWN, COUNTY):
                held = [post.role for post in staff.posts if post.holds(day) and post.organisation == organisation]
                assert len(held) == len(set(held))
                assert len(set(held) & {Role.clerk, Role.approver, Role.finance}) <= 1
                assert Role.auditor not in held or set(held) <= {Role.auditor, Role.member, Role.agency}
