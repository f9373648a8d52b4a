"""Eligibility follows membership: the view person by person, and the ends that assistance records."""

from datetime import UTC, date, datetime

import pytest
from assistance.beneficiaries.beneficiary import BENEFICIARY, Resume, Stop
from assistance.eligibility import commands
from assistance.eligibility.eligibility import ELIGIBILITY
from assistance.eligibility.people import Person, after
from assistance.reactions import REACTIONS
from contracts import membership
from contracts.assistance import EligibilityEnded, EligibilityRestored, EndReason
from contracts.assistance.applications import AidResumed, AidStopped, StopReason
from contracts.foundation import ErasureBasis
from contracts.kernel import Event
from foundation.decider import given
from foundation.reactions import Issue

ID, OTHER = "a" * 32, "b" * 32
MILL, MINE = "370902001001.A1", "370902001001.B2"
DAY = date(2026, 3, 2)

ended = EligibilityEnded(person=ID, organisation=MILL, reason=EndReason.died, since=DAY)
restored = EligibilityRestored(person=ID, organisation=MILL, since=DAY)
admitted = membership.MemberAdmitted(member=ID, organisation=MILL, joined_on=date(2020, 1, 1))
retained = membership.MembershipRetained(member=ID, organisation=MILL, effective_on=DAY)
transferred = membership.MemberTransferred(
    member=ID,
    transfer="c" * 32,
    from_organisation=MILL,
    organisation=MINE,
    proof=membership.Proof(kind="labour contract"),
    object_until=DAY,
    effective_on=DAY,
)
upheld = membership.ObjectionUpheld(member=ID, transfer="c" * 32, organisation=MILL, effective_on=DAY)


def test_an_end_is_recorded_once() -> None:
    command = commands.EndEligibility(ID, MILL, EndReason.died, DAY)
    given(ELIGIBILITY).when(command).then(ended)
    given(ELIGIBILITY, ended).when(command).then_nothing()


def test_a_later_end_of_another_membership_too() -> None:
    left = EligibilityEnded(person=ID, organisation=MINE, reason=EndReason.left, since=DAY)
    given(ELIGIBILITY, ended).when(commands.EndEligibility(ID, MINE, EndReason.left, DAY)).then(left)


def test_an_end_in_error_is_set_aside() -> None:
    command = commands.RestoreEligibility(ID, MILL, DAY)
    given(ELIGIBILITY, ended).when(command).then(restored)
    given(ELIGIBILITY, ended, restored).when(command).then_nothing()
    given(ELIGIBILITY).when(command).then_nothing()


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (membership.MemberLeft(member=ID, organisation=MILL, effective_on=DAY), EndReason.left),
        (membership.MemberDied(member=ID, organisation=MILL, effective_on=DAY), EndReason.died),
        (
            membership.MemberExpelled(member=ID, organisation=MILL, reason="…", decision="d" * 64, effective_on=DAY),
            EndReason.expelled,
        ),
    ],
)
def test_every_end_of_a_membership_ends_eligibility(event: Event, reason: EndReason) -> None:
    (issue, *_) = [reaction.react(event) for reaction in REACTIONS if reaction.event is type(event)]
    assert not isinstance(issue, list | tuple)
    assert (issue.id, issue.command) == (ID, commands.EndEligibility(ID, MILL, reason, DAY))  # type: ignore[union-attr]


def test_names_of_reactions_stand_still() -> None:
    assert [reaction.name for reaction in REACTIONS] == [
        "end_eligibility_on_leaving",
        "end_eligibility_on_expulsion",
        "end_eligibility_on_death",
        "restore_eligibility",
        "stop_aid_on_death",
        "resume_aid",
        "stop_aid_on_erasure",
        "ask_for_chair_protection",
    ]


def test_an_erasure_stops_aid_for_good() -> None:
    ordered = membership.ErasureOrdered(
        person=ID, erasure="e" * 32, basis=ErasureBasis.consent_withdrawn, ordered_at=datetime(2026, 3, 1, 16, tzinfo=UTC)
    )
    (issue,) = [reaction.react(ordered) for reaction in REACTIONS if reaction.event is membership.ErasureOrdered]
    assert isinstance(issue, Issue)
    assert (issue.decider, issue.id, issue.command) == (BENEFICIARY, ID, Stop(ID, StopReason.erased, DAY))
    died, erased = (AidStopped(beneficiary=ID, reason=reason, since=DAY) for reason in (StopReason.died, StopReason.erased))
    resumed = AidResumed(beneficiary=ID, since=DAY)
    given(BENEFICIARY, died).when(issue.command).then(erased)
    given(BENEFICIARY, died, erased).when(issue.command).then_nothing()
    given(BENEFICIARY, died).when(Resume(ID, DAY)).then(resumed)
    given(BENEFICIARY, died, erased).when(Resume(ID, DAY)).then_nothing()
    given(BENEFICIARY, erased).when(Stop(ID, StopReason.died, DAY)).then_nothing()


def told(*events: Event) -> Person | None:
    person: Person | None = None
    for event in events:
        person = after(person, event)
    return person


def test_the_view_follows_a_person() -> None:
    assert told() is None
    assert told(retained) is None
    assert told(admitted) == Person(ID, MILL, "active", date(2020, 1, 1))
    moved = told(admitted, retained, transferred)
    assert moved == Person(ID, MINE, "active", DAY, before="retained")
    assert told(admitted, retained, transferred, upheld) == Person(ID, MILL, "retained", DAY)


def test_a_linked_record_counts_no_more_until_unlinked() -> None:
    linked = membership.MemberLinked(member=ID, same_as=OTHER, effective_on=DAY)
    unlinked = membership.MemberUnlinked(member=ID, was_same_as=OTHER, effective_on=DAY)
    before, during, afterwards = told(admitted), told(admitted, linked), told(admitted, linked, unlinked)
    assert before is not None
    assert during is not None
    assert (before.eligible, during.eligible) == (True, False)
    assert afterwards == before
