"""Members: joining, standing, transfers by the employment rule, double records, and one active membership per person."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from contracts.kernel import Event, OrgCode
from contracts.membership import (
    ApplicationRefused,
    ApplicationWithdrawn,
    Level,
    MemberAdmitted,
    MemberCorrected,
    MemberDied,
    MemberExpelled,
    MemberKind,
    MemberLeft,
    MemberLinked,
    MemberReinstated,
    MemberResumed,
    MemberRetired,
    MembershipApplied,
    MembershipRetained,
    MemberSuspended,
    MemberTransferred,
    MemberUnlinked,
    ObjectionDismissed,
    ObjectionGround,
    ObjectionUpheld,
    OrganisationDissolved,
    OrganisationFounded,
    OrganisationKind,
    Proof,
    TransferCompleted,
    TransferObjected,
)
from contracts.values import DocumentKind, IdentityDocument
from foundation.decider import NOON, JointDecider, given
from hypothesis import given as hypothesis_given
from hypothesis import settings
from hypothesis import strategies as st
from membership.members import commands, errors
from membership.members.joining import ADMISSION, APPLICANT_ADMISSION, APPLICATION, LINK, REINSTATEMENT, TRANSFER
from membership.members.member import Active, Applicant, Left, Linked, Member, Retained, TransferSettled, Unknown
from membership.members.rules import MEMBER
from membership.organisations.errors import OrganisationEnded, OrganisationUnknown

ID = "a" * 32
OTHER_ID = "b" * 32
TODAY = date(2026, 3, 2)
MILL, MINE, COUNTY = "370902001001.A1", "370902001001.B2", "370902"
TRANSFER_ID = "c" * 32
DECISION = "d" * 64
PERSON = commands.Person("张三", IdentityDocument(kind=DocumentKind.resident, number="11010519491231002X"), phone="13800138000")


def union(code: OrgCode, level: Level = Level.grassroots, kind: OrganisationKind = OrganisationKind.enterprise) -> OrganisationFounded:
    return OrganisationFounded(
        organisation=code, name=code, level=level, kind=kind, parent="3709", funding_parent="3709", effective_on=date(2020, 1, 1)
    )


UNIONS: list[Event] = [union(MILL), union(MINE), union(COUNTY, Level.county, OrganisationKind.federation)]
applied = MembershipApplied(member=ID, organisation=MILL, name=PERSON.name, document=PERSON.document, phone=PERSON.phone, applied_on=TODAY)
admitted = MemberAdmitted(
    member=ID, organisation=MILL, name=PERSON.name, document=PERSON.document, phone=PERSON.phone, joined_on=date(1998, 5, 1)
)
suspended = MemberSuspended(member=ID, organisation=MILL, reason="欠费", effective_on=TODAY)
retained = MembershipRetained(member=ID, organisation=MILL, effective_on=TODAY)
retired = MemberRetired(member=ID, organisation=MILL, effective_on=TODAY)
left = MemberLeft(member=ID, organisation=MILL, effective_on=TODAY)
expelled = MemberExpelled(member=ID, organisation=MILL, reason="…", decision=DECISION, effective_on=TODAY)
died = MemberDied(member=ID, organisation=MILL, effective_on=TODAY)
transferred = MemberTransferred(
    member=ID,
    transfer=TRANSFER_ID,
    from_organisation=MILL,
    organisation=MINE,
    proof=Proof(kind="labour contract"),
    object_until=date(2026, 3, 17),
    effective_on=TODAY,
)
objected = TransferObjected(member=ID, transfer=TRANSFER_ID, ground=ObjectionGround.identity, statement="同名", effective_on=TODAY)
linked = MemberLinked(member=ID, same_as=OTHER_ID, effective_on=TODAY)


def tried(joint: JointDecider[Any], command: Any, *history: Event, unions: list[Event] = UNIONS, now: datetime = NOON) -> list[Event]:
    """What a joint command adds to the member's own stream; it never adds to another."""
    parts = joint.parts(command)
    states = []
    for part in parts:
        key = "member" if part.decider is MEMBER else "organisation"
        states.append(
            part.decider.fold([event for event in (*unions, *history) if getattr(event, key, None) == part.id and _is(event, key)])
        )
    first, *others = joint.decide(command, states, now)
    assert not any(others)
    return list(first)


def _is(event: Event, key: str) -> bool:
    return event.TYPE.startswith("membership.Organisation") == (key == "organisation")


def admit(organisation: OrgCode = MILL, kind: MemberKind | None = None, joined_on: date = date(1998, 5, 1)) -> commands.Admit:
    return commands.Admit(ID, organisation, PERSON, joined_on, kind)


def move(organisation: OrgCode = MINE) -> commands.Transfer:
    return commands.Transfer(ID, TRANSFER_ID, organisation, Proof(kind="labour contract"), date(2026, 3, 17), TODAY)


class TestJoining:
    def test_apply_and_be_admitted(self) -> None:
        assert tried(APPLICATION, commands.Apply(ID, MILL, PERSON, TODAY)) == [applied]
        assert tried(APPLICANT_ADMISSION, commands.AdmitApplicant(ID, MILL, TODAY), applied) == [
            MemberAdmitted(member=ID, organisation=MILL, joined_on=TODAY)
        ]

    def test_only_the_union_applied_to_admits(self) -> None:
        with pytest.raises(errors.NoApplication):
            tried(APPLICANT_ADMISSION, commands.AdmitApplicant(ID, MINE, TODAY), applied)

    def test_one_application_at_a_time(self) -> None:
        assert tried(APPLICATION, commands.Apply(ID, MILL, PERSON, TODAY), applied) == []
        with pytest.raises(errors.ApplicationOpen):
            tried(APPLICATION, commands.Apply(ID, MINE, PERSON, TODAY), applied)

    def test_refused_or_withdrawn_it_stands_as_before(self) -> None:
        for closing in (
            ApplicationRefused(member=ID, organisation=MILL, reason="…", effective_on=TODAY),
            ApplicationWithdrawn(member=ID, organisation=MILL, effective_on=TODAY),
        ):
            assert MEMBER.fold([applied, closing]) == Unknown()
            assert MEMBER.fold([admitted, left, applied, closing]) == Left(MILL)
        given(MEMBER, applied).when(commands.RefuseApplication(ID, MILL, "…", TODAY)).then(
            ApplicationRefused(member=ID, organisation=MILL, reason="…", effective_on=TODAY)
        )
        given(MEMBER, admitted).when(commands.WithdrawApplication(ID, MILL, TODAY)).rejects(errors.NoApplication)

    def test_registered_by_a_roster(self) -> None:
        assert tried(ADMISSION, admit()) == [admitted]
        assert tried(ADMISSION, admit(), admitted) == []
        assert tried(ADMISSION, admit(), admitted, left) == [admitted], "comes back after leaving"
        assert tried(ADMISSION, admit(MINE), applied) == [admitted.model_copy(update={"organisation": MINE})]

    def test_one_active_membership_per_person(self) -> None:
        for joint, command in ((ADMISSION, admit(MINE)), (APPLICATION, commands.Apply(ID, MINE, PERSON, TODAY))):
            for standing in ([], [suspended], [retained], [retired]):
                with pytest.raises(errors.AlreadyMember):
                    tried(joint, command, admitted, *standing)

    def test_the_expelled_come_back_by_application_only(self) -> None:
        with pytest.raises(errors.MemberWasExpelled):
            tried(ADMISSION, admit(), admitted, expelled)
        assert tried(APPLICATION, commands.Apply(ID, MILL, PERSON, TODAY), admitted, expelled) == [applied]

    def test_the_dead_do_not_join(self) -> None:
        with pytest.raises(errors.MemberDead):
            tried(ADMISSION, admit(), admitted, died)
        with pytest.raises(errors.MemberDead):
            tried(APPLICATION, commands.Apply(ID, MILL, PERSON, TODAY), admitted, died)

    def test_a_union_that_has_ended_takes_nobody(self) -> None:
        ended = OrganisationDissolved(organisation=MILL, successor="3709", effective_on=TODAY)
        for joint, command in (
            (ADMISSION, admit()),
            (APPLICATION, commands.Apply(ID, MILL, PERSON, TODAY)),
            (APPLICANT_ADMISSION, commands.AdmitApplicant(ID, MILL, TODAY)),
        ):
            with pytest.raises(OrganisationEnded):
                tried(joint, command, *([applied] if joint is APPLICANT_ADMISSION else []), unions=[*UNIONS, ended])
        later = ended.model_copy(update={"effective_on": TODAY + timedelta(days=1)})
        assert tried(ADMISSION, admit(), unions=[*UNIONS, later]) == [admitted]

    def test_nor_does_an_unknown_one(self) -> None:
        with pytest.raises(OrganisationUnknown):
            tried(ADMISSION, admit("370902001001.ZZ"))

    def test_above_the_grassroots_members_are_direct(self) -> None:
        (event,) = tried(ADMISSION, admit(COUNTY))
        assert isinstance(event, MemberAdmitted)
        assert event.kind is MemberKind.direct
        with pytest.raises(errors.KindNotHere):
            tried(ADMISSION, admit(COUNTY, MemberKind.regular))

    def test_no_fact_before_its_day(self) -> None:
        with pytest.raises(errors.DayToCome):
            tried(ADMISSION, admit(joined_on=TODAY + timedelta(days=1)))
        given(MEMBER, admitted).when(commands.Leave(ID, TODAY + timedelta(days=1))).rejects(errors.DayToCome)

    def test_the_day_is_the_one_in_china(self) -> None:
        late_in_the_day = datetime(2026, 3, 1, 16, 30, tzinfo=UTC)
        given(MEMBER, admitted).when(commands.RecordDeath(ID, TODAY), now=late_in_the_day).then(died)


CHANGES: dict[type, tuple[Callable[[], Any], Event]] = {
    commands.Suspend: (lambda: commands.Suspend(ID, "欠费", TODAY), suspended),
    commands.Retain: (lambda: commands.Retain(ID, TODAY), retained),
    commands.Retire: (lambda: commands.Retire(ID, TODAY), retired),
    commands.Leave: (lambda: commands.Leave(ID, TODAY), left),
    commands.Expel: (lambda: commands.Expel(ID, "…", DECISION, TODAY), expelled),
    commands.RecordDeath: (lambda: commands.RecordDeath(ID, TODAY), died),
}


class TestStanding:
    @pytest.mark.parametrize("change", CHANGES)
    def test_a_member_in_full_standing(self, change: type) -> None:
        command, event = CHANGES[change]
        given(MEMBER, admitted).when(command()).then(event)

    @pytest.mark.parametrize("change", CHANGES)
    def test_done_already_changes_nothing(self, change: type) -> None:
        command, event = CHANGES[change]
        given(MEMBER, admitted, event).when(command()).then_nothing()

    @pytest.mark.parametrize("change", CHANGES)
    def test_nobody_known(self, change: type) -> None:
        given(MEMBER).when(CHANGES[change][0]()).rejects(errors.MemberUnknown)

    @pytest.mark.parametrize("ending", [expelled, died])
    @pytest.mark.parametrize("change", [commands.Suspend, commands.Retain, commands.Retire, commands.Leave])
    def test_ended(self, ending: Event, change: type) -> None:
        given(MEMBER, admitted, ending).when(CHANGES[change][0]()).rejects(errors.MembershipEnded)

    def test_resuming(self) -> None:
        resumed = MemberResumed(member=ID, organisation=MILL, effective_on=TODAY)
        for resting in (suspended, retained):
            given(MEMBER, admitted, resting).when(commands.Resume(ID, TODAY)).then(resumed)
        given(MEMBER, admitted).when(commands.Resume(ID, TODAY)).then_nothing()
        given(MEMBER, admitted, retired).when(commands.Resume(ID, TODAY)).rejects(errors.MemberNotActive)

    def test_only_full_standing_rests(self) -> None:
        given(MEMBER, admitted, retired).when(commands.Suspend(ID, "…", TODAY)).rejects(errors.MemberNotActive)
        given(MEMBER, admitted, suspended).when(commands.Retain(ID, TODAY)).rejects(errors.MemberNotActive)

    def test_who_left_may_still_die(self) -> None:
        given(MEMBER, admitted, left).when(commands.RecordDeath(ID, TODAY)).then(died)

    @pytest.mark.parametrize("ending", [left, expelled, died])
    def test_an_end_in_error_is_set_aside(self, ending: Event) -> None:
        command = commands.Reinstate(ID, MILL, "录入错误", TODAY)
        reinstated = MemberReinstated(member=ID, organisation=MILL, reason="录入错误", effective_on=TODAY)
        assert tried(REINSTATEMENT, command, admitted, ending) == [reinstated]
        assert tried(REINSTATEMENT, command, admitted, ending, reinstated) == []
        assert MEMBER.fold([admitted, ending, reinstated]) == Active(MILL)
        with pytest.raises(errors.MemberUnknown):
            tried(REINSTATEMENT, commands.Reinstate(ID, MINE, "…", TODAY), admitted, ending)

    def test_personal_data_is_put_right(self) -> None:
        command = commands.Correct(ID, TODAY, name="张叁", reason="更名")
        given(MEMBER, admitted).when(command).then(MemberCorrected(member=ID, name="张叁", reason="更名", effective_on=TODAY))
        given(MEMBER, admitted, died).when(commands.Correct(ID, TODAY, phone="")).then(
            MemberCorrected(member=ID, phone="", effective_on=TODAY)
        )
        given(MEMBER, admitted).when(commands.Correct(ID, TODAY)).then_nothing()
        given(MEMBER).when(command).rejects(errors.MemberUnknown)


class TestTransfer:
    def test_the_new_union_registers_a_proven_member(self) -> None:
        assert tried(TRANSFER, move(), admitted) == [transferred]
        assert tried(TRANSFER, move(), admitted, transferred) == []
        (from_retained,) = tried(TRANSFER, move(), admitted, retained)
        assert isinstance(MEMBER.fold([admitted, retained, from_retained]), Active)

    def test_refused(self) -> None:
        with pytest.raises(errors.MemberSuspended):
            tried(TRANSFER, move(), admitted, suspended)
        with pytest.raises(errors.MemberUnknown):
            tried(TRANSFER, move())
        with pytest.raises(errors.MembershipEnded):
            tried(TRANSFER, move(), admitted, left)
        with pytest.raises(errors.MemberNotActive):
            tried(TRANSFER, move(MILL), admitted, retained)

    def test_the_old_union_completes_the_record(self) -> None:
        command = commands.CompleteTransfer(ID, TRANSFER_ID, TODAY)
        completed = TransferCompleted(member=ID, transfer=TRANSFER_ID, effective_on=TODAY)
        given(MEMBER, admitted, transferred).when(command).then(completed)
        given(MEMBER, admitted, transferred, completed).when(command).then_nothing()
        given(MEMBER, admitted, transferred, objected).when(command).rejects(errors.ObjectionOpen)
        given(MEMBER, admitted).when(command).rejects(errors.TransferUnknown)

    def test_or_objects_in_time_and_once(self) -> None:
        command = commands.ObjectToTransfer(ID, TRANSFER_ID, ObjectionGround.identity, "同名", TODAY)
        given(MEMBER, admitted, transferred).when(command).then(objected)
        given(MEMBER, admitted, transferred, objected).when(command).then_nothing()
        last_moment = datetime(2026, 3, 17, 15, 59, tzinfo=UTC)
        given(MEMBER, admitted, transferred).when(command, now=last_moment).then(objected)
        given(MEMBER, admitted, transferred).when(command, now=last_moment + timedelta(minutes=1)).rejects(errors.ObjectionLate)

    def test_an_objection_is_upheld(self) -> None:
        command = commands.UpholdObjection(ID, TRANSFER_ID, TODAY)
        upheld = ObjectionUpheld(member=ID, transfer=TRANSFER_ID, organisation=MILL, effective_on=TODAY)
        given(MEMBER, admitted, transferred, objected).when(command).then(upheld)
        given(MEMBER, admitted, transferred, objected, upheld).when(command).then_nothing()
        given(MEMBER, admitted, transferred).when(command).rejects(errors.NoObjection)
        assert MEMBER.fold([admitted, retained, transferred, objected, upheld]) == Retained(
            MILL, TransferSettled(TRANSFER_ID, MINE, upheld=True)
        ), "as before, with what the membership was"

    def test_or_dismissed(self) -> None:
        command = commands.DismissObjection(ID, TRANSFER_ID, TODAY)
        dismissed = ObjectionDismissed(member=ID, transfer=TRANSFER_ID, effective_on=TODAY)
        given(MEMBER, admitted, transferred, objected).when(command).then(dismissed)
        given(MEMBER, admitted, transferred, objected, dismissed).when(command).then_nothing()
        assert MEMBER.fold([admitted, transferred, objected, dismissed]) == Active(MINE, TransferSettled(TRANSFER_ID, MILL, upheld=False))

    def test_no_further_transfer_while_an_objection_is_open(self) -> None:
        with pytest.raises(errors.ObjectionOpen):
            tried(TRANSFER, move(COUNTY), admitted, transferred, objected)


class TestDoubleRecords:
    command = commands.Link(ID, OTHER_ID, TODAY)
    other = admitted.model_copy(update={"member": OTHER_ID})

    def test_linked_and_unlinked_again(self) -> None:
        assert tried(LINK, self.command, admitted, self.other) == [linked]
        assert tried(LINK, self.command, admitted, self.other, linked) == []
        unlinked = MemberUnlinked(member=ID, was_same_as=OTHER_ID, effective_on=TODAY)
        given(MEMBER, admitted, suspended, linked).when(commands.Unlink(ID, TODAY)).then(unlinked)
        assert MEMBER.fold([admitted, suspended, linked, unlinked]) == MEMBER.fold([admitted, suspended])
        given(MEMBER, admitted, linked, unlinked).when(commands.Unlink(ID, TODAY)).then_nothing()

    def test_a_linked_record_does_nothing_more(self) -> None:
        refused = given(MEMBER, admitted, linked).when(commands.Leave(ID, TODAY)).rejects(errors.LinkedElsewhere)
        assert refused.members["same_as"] == OTHER_ID
        with pytest.raises(errors.LinkedElsewhere):
            tried(ADMISSION, admit(MINE), admitted, linked)

    def test_refused(self) -> None:
        with pytest.raises(errors.LinkedToItself):
            tried(LINK, commands.Link(ID, ID, TODAY), admitted)
        with pytest.raises(errors.MemberUnknown):
            tried(LINK, self.command, admitted)
        with pytest.raises(errors.MemberUnknown):
            tried(LINK, self.command, self.other)
        with pytest.raises(errors.LinkedElsewhere):
            tried(LINK, commands.Link(OTHER_ID, ID, TODAY), admitted, self.other, linked)
        with pytest.raises(errors.LinkWouldEndMembership):
            tried(LINK, self.command, admitted, self.other, left.model_copy(update={"member": OTHER_ID}))


ANYTHING = st.sampled_from(
    [
        applied,
        admitted,
        suspended,
        retained,
        retired,
        left,
        expelled,
        died,
        transferred,
        objected,
        linked,
        MemberResumed(member=ID, organisation=MILL, effective_on=TODAY),
        MemberReinstated(member=ID, organisation=MILL, reason="…", effective_on=TODAY),
        TransferCompleted(member=ID, transfer=TRANSFER_ID, effective_on=TODAY),
        ObjectionUpheld(member=ID, transfer=TRANSFER_ID, organisation=MILL, effective_on=TODAY),
        ObjectionDismissed(member=ID, transfer=TRANSFER_ID, effective_on=TODAY),
        MemberUnlinked(member=ID, was_same_as=OTHER_ID, effective_on=TODAY),
        ApplicationWithdrawn(member=ID, organisation=MILL, effective_on=TODAY),
    ]
)


@hypothesis_given(st.lists(ANYTHING, max_size=12))
@settings(max_examples=300)
def test_folding_never_raises_whatever_the_history(history: list[Event]) -> None:
    member: Member = MEMBER.fold(history)
    assert isinstance(member, Member)


@hypothesis_given(st.lists(st.sampled_from([make for make, _ in CHANGES.values()] + [lambda: commands.Resume(ID, TODAY)]), max_size=10))
def test_what_was_decided_once_is_already_so(asked: list[Callable[[], Any]]) -> None:
    state = MEMBER.fold([admitted])
    for make in asked:
        try:
            events = MEMBER.decide(make(), state, NOON)
        except (errors.MemberNotActive, errors.MembershipEnded):
            continue
        state = MEMBER.fold(events, state)
        assert MEMBER.decide(make(), state, NOON) == []


def test_an_applicant_and_a_linked_record_are_states_of_their_own() -> None:
    assert isinstance(MEMBER.fold([applied]), Applicant)
    assert isinstance(MEMBER.fold([applied, linked]), Linked)
