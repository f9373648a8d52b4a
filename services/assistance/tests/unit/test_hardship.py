"""Households and their files: one live file each, levels by decision, lifting out; interests that block."""

from dataclasses import replace
from datetime import UTC, date, timedelta

import pytest
from assistance.hardship import commands, errors
from assistance.hardship.file import FILE, Closed, Live
from assistance.hardship.households import CLOSE, JOIN, OPEN, PLACE, REVISE, SET_LEVEL
from assistance.hardship.levels import level_on, levels, months_after
from assistance.interests.interests import INTERESTS, ConflictOfInterest, OwnWithdrawal, Withdraw
from assistance.timers import issue, timing
from contracts.assistance.hardship import (
    Authority,
    CallBackOverdue,
    HardshipFileClosed,
    HardshipFileRevised,
    HardshipLevelSet,
    HardshipReviewOverdue,
    Household,
    HouseholdMember,
    LiftReason,
    Relation,
)
from contracts.kernel import Event
from foundation.history import Happened
from foundation.timers import Cancel, Due, Schedule

from .world import ACCOUNT, APPROVER, CHILD, CLERK, DEPUTY, HOUSEHOLD, LI, PAPER, STEWARD, UNION, WANG, World

OTHER = "3" * 32


@pytest.fixture
def world() -> World:
    world = World()
    world.household(people=(WANG,))
    return world


def particulars(*members: HouseholdMember) -> commands.Particulars:
    return commands.Particulars(members, Household(), ACCOUNT)


def person(id: str, relation: Relation = Relation.spouse, **more: object) -> HouseholdMember:
    return HouseholdMember.model_validate({"person": id, "relation": relation, **more})


def test_nobody_is_in_two_live_files(world: World) -> None:
    with pytest.raises(errors.PersonInAnotherFile) as refused:
        world.household(household=OTHER, people=(LI, WANG))
    assert refused.value.members["household"] == HOUSEHOLD
    with pytest.raises(errors.FileOpen):
        world.household(people=(LI,))


def test_a_couple_in_two_unions_has_its_files_joined(world: World) -> None:
    world.household(household=OTHER, people=(LI,))
    both = particulars(person(WANG, Relation.applicant), person(LI))
    join = commands.Join(OTHER, HOUSEHOLD, both, (), world.today, CLERK)
    with pytest.raises(errors.HouseholdMalformed):
        world.ask_joint(JOIN, replace(join, particulars=particulars(person(WANG, Relation.applicant))))
    world.ask_joint(JOIN, join)
    closed, live = world.state(FILE, OTHER), world.state(FILE, HOUSEHOLD)
    assert isinstance(closed, Closed)
    assert (closed.reason, closed.into) == (LiftReason.joined, HOUSEHOLD)
    assert isinstance(live, Live)
    assert live.people == (WANG, LI)
    assert [world.state(PLACE, one) for one in (WANG, LI)] == [HOUSEHOLD, HOUSEHOLD]
    with pytest.raises(errors.JoinedToItself):
        world.ask_joint(JOIN, replace(join, into=OTHER))


def test_who_leaves_may_have_a_file_of_their_own(world: World) -> None:
    with_li = particulars(person(WANG, Relation.applicant), person(LI))
    world.ask_joint(REVISE, commands.Revise(HOUSEHOLD, with_li, (), False, world.today, CLERK))
    alone = particulars(person(WANG, Relation.applicant))
    with pytest.raises(errors.HouseholdMalformed):
        world.ask_joint(REVISE, commands.Revise(HOUSEHOLD, alone, (), True, world.today, CLERK))
    world.ask_joint(REVISE, commands.Revise(HOUSEHOLD, alone, (LI,), True, world.today, CLERK))
    world.household(household=OTHER, people=(LI,))
    assert world.state(FILE, HOUSEHOLD).facts_version == 4


@pytest.mark.parametrize(
    "members",
    [
        (person(WANG),),
        (person(WANG, Relation.applicant), person(LI, Relation.applicant)),
        (person(WANG, Relation.applicant), person(WANG)),
        (person(WANG, Relation.applicant), person(CHILD, Relation.child, minor=True)),
        (person(WANG, Relation.applicant), person(CHILD, Relation.child, minor=True, guardian=WANG)),
        (person(WANG, Relation.applicant), person(CHILD, Relation.child, minor=True, guardian=CHILD, consent=PAPER)),
    ],
)
def test_a_household_has_one_applicant_and_minors_a_guardian_who_consents(members: tuple[HouseholdMember, ...]) -> None:
    world = World()
    with pytest.raises(errors.HouseholdMalformed):
        world.ask_joint(OPEN, commands.Open(OTHER, UNION, particulars(*members), world.today, CLERK))


def test_checks_need_a_signature_that_still_holds(world: World) -> None:
    check = commands.RecordCheck(HOUSEHOLD, Authority.housing, True, False, "…", world.today)
    with pytest.raises(errors.NotAuthorised):
        world.ask(FILE, HOUSEHOLD, check)
    until = world.today + timedelta(days=30)
    world.ask(FILE, HOUSEHOLD, commands.AuthoriseChecks(HOUSEHOLD, (Authority.housing,), PAPER, until))
    world.ask(FILE, HOUSEHOLD, check)
    with pytest.raises(errors.NotAuthorised):
        world.ask(FILE, HOUSEHOLD, replace(check, authority=Authority.vehicles))
    world.later(31)
    with pytest.raises(errors.NotAuthorised):
        world.ask(FILE, HOUSEHOLD, replace(check, on=world.today))


def test_looking_after_a_household_changes_nothing_that_approvals_rest_on(world: World) -> None:
    before = world.state(FILE, HOUSEHOLD).facts_version
    link = commands.LinkCadre(HOUSEHOLD, STEWARD, world.today)
    world.ask(FILE, HOUSEHOLD, link)
    assert world.ask(FILE, HOUSEHOLD, link) == []
    assert world.state(FILE, HOUSEHOLD).facts_version == before


def test_lifted_out_then_called_back_then_perhaps_again(world: World) -> None:
    close = commands.Close(HOUSEHOLD, LiftReason.income_risen, (WANG,), world.today, world.today + timedelta(days=180), APPROVER)
    world.ask_joint(CLOSE, close)
    assert world.ask_joint(CLOSE, close) == []
    world.ask(FILE, HOUSEHOLD, commands.RecordCallBack(HOUSEHOLD, True, "…", world.today))
    assert world.state(FILE, HOUSEHOLD).called_back
    with pytest.raises(errors.FileNotLive):
        world.ask_joint(SET_LEVEL, commands.SetLevel(HOUSEHOLD, "deep", PAPER, world.today, world.today, APPROVER))
    world.household(household=OTHER, people=(WANG,))


def test_levels_are_a_dated_list_and_relatives_set_none(world: World) -> None:
    level = commands.SetLevel(HOUSEHOLD, "relative", PAPER, world.today, world.today, APPROVER)
    with pytest.raises(errors.LevelNotKnown):
        world.ask_joint(SET_LEVEL, replace(level, level="middling"))
    with pytest.raises(errors.LevelNotKnown):
        world.ask_joint(SET_LEVEL, replace(level, on=date(2010, 1, 1)))
    with pytest.raises(errors.DayToCome):
        world.ask_joint(SET_LEVEL, replace(level, on=world.today + timedelta(days=1)))
    world.declare(APPROVER, WANG)
    with pytest.raises(ConflictOfInterest):
        world.ask_joint(SET_LEVEL, level)
    with pytest.raises(OwnWithdrawal):
        world.ask(INTERESTS, APPROVER, Withdraw(APPROVER, WANG, APPROVER))
    world.ask(INTERESTS, APPROVER, Withdraw(APPROVER, WANG, STEWARD))
    world.ask_joint(SET_LEVEL, level)
    assert {one.code for one in levels()} == {"deep", "relative", "accidental"}
    assert level_on("deep", date(2026, 1, 1)) is not None
    assert months_after(date(2026, 8, 31), 6) == date(2027, 2, 28)


def test_who_made_a_file_does_not_set_its_level(world: World) -> None:
    def level(by: str) -> commands.SetLevel:
        return commands.SetLevel(HOUSEHOLD, "relative", PAPER, world.today, world.today, by)

    with pytest.raises(errors.FileDutiesNotSeparated):
        world.ask_joint(SET_LEVEL, level(CLERK))
    alone = particulars(person(WANG, Relation.applicant))
    world.ask_joint(REVISE, commands.Revise(HOUSEHOLD, alone, (), False, world.today, DEPUTY))
    with pytest.raises(errors.FileDutiesNotSeparated):
        world.ask_joint(SET_LEVEL, level(DEPUTY))
    world.household(household=OTHER, people=(LI,))
    both = particulars(person(WANG, Relation.applicant), person(LI))
    world.ask_joint(JOIN, commands.Join(OTHER, HOUSEHOLD, both, (), world.today, STEWARD))
    with pytest.raises(errors.FileDutiesNotSeparated):
        world.ask_joint(SET_LEVEL, level(STEWARD))
    world.ask_joint(SET_LEVEL, level(APPROVER))


def following(world: World, *events: Event) -> list[Event]:
    """What timers of these events lead to, once their day has passed."""
    found: list[Event] = []
    for number, event in enumerate(events):
        for scheduled in timing(Happened(number, None, event)):  # type: ignore[arg-type]
            if isinstance(scheduled, Schedule):
                issued = issue(Due(scheduled.timer, scheduled.due_at, scheduled.command, dict(scheduled.payload)))
                with pytest.raises(errors.NotDueYet):
                    world.ask(FILE, issued.id, issued.command)
                world.now = scheduled.due_at.astimezone(UTC)
                found += world.ask(FILE, issued.id, issued.command)
                assert world.ask(FILE, issued.id, issued.command) == []
    return found


def test_a_yearly_review_is_chased_until_it_is_entered(world: World) -> None:
    (level,) = [event for event in world.streams[FILE.stream(HOUSEHOLD)] if isinstance(event, HardshipLevelSet)]
    assert following(world, level) == [HardshipReviewOverdue(household=HOUSEHOLD, review_on=level.review_on)]
    review = commands.Revise(HOUSEHOLD, particulars(person(WANG, Relation.applicant)), (), True, world.today, CLERK)
    (revised,) = world.ask_joint(REVISE, review)
    assert isinstance(revised, HardshipFileRevised)
    next_year = months_after(world.today, 12)
    assert (revised.review_on, world.state(FILE, HOUSEHOLD).review_on) == (next_year, next_year)
    issued = issue(Due("review", world.now, "mark-review-overdue", {"household": HOUSEHOLD, "day": f"{level.review_on}"}))
    assert world.ask(FILE, HOUSEHOLD, issued.command) == [], "the earlier day counts no more"
    assert following(world, revised) == [HardshipReviewOverdue(household=HOUSEHOLD, review_on=next_year)]


def test_a_call_back_is_chased_until_it_is_made(world: World) -> None:
    due = months_after(world.today, 6)
    events = world.ask_joint(CLOSE, commands.Close(HOUSEHOLD, LiftReason.income_risen, (WANG,), world.today, due, APPROVER))
    closed = [event for event in events if isinstance(event, HardshipFileClosed)]
    assert following(world, *closed) == [CallBackOverdue(household=HOUSEHOLD, call_back_on=due)]
    world.ask(FILE, HOUSEHOLD, commands.RecordCallBack(HOUSEHOLD, False, "…", world.today))
    (cancelled,) = timing(Happened(9, None, world.streams[FILE.stream(HOUSEHOLD)][-1]))  # type: ignore[arg-type]
    assert cancelled == Cancel(f"call-back {HOUSEHOLD}")


def test_a_call_back_in_time_leaves_nothing_to_chase(world: World) -> None:
    due = months_after(world.today, 6)
    world.ask_joint(CLOSE, commands.Close(HOUSEHOLD, LiftReason.income_risen, (WANG,), world.today, due, APPROVER))
    world.ask(FILE, HOUSEHOLD, commands.RecordCallBack(HOUSEHOLD, False, "…", world.today))
    world.later(400)
    assert world.ask(FILE, HOUSEHOLD, commands.MarkCallBackOverdue(HOUSEHOLD, due)) == []
