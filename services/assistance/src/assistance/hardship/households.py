"""Rules over a file and the people in it: opening, revising, joining two files, setting a level, closing. Pure.

Each person's own stream says which household they belong to, so nobody is in two live files, however fast two unions are.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.assistance.hardship import (
    HardshipFileClosed,
    HardshipFileOpened,
    HardshipFileRevised,
    HardshipLevelSet,
    HouseholdEntered,
    HouseholdLeft,
    LiftReason,
    Relation,
)
from contracts.kernel import Event, PersonId
from foundation.decider import Decider, JointDecider, Part

from assistance.desk import Desk, once
from assistance.hardship import commands, errors
from assistance.hardship.commands import Particulars
from assistance.hardship.file import FILE, Closed, Live, Unopened, live, not_to_come
from assistance.hardship.levels import level_on
from assistance.interests.interests import INTERESTS, no_conflict


def _evolve_place(household: str | None, event: Event) -> str | None:
    match event:
        case HouseholdEntered():
            return event.household
        case HouseholdLeft() if event.household == household:
            return None
        case _:
            return household


def _no_single_rule(command: Any, state: Any, now: datetime) -> list[Event]:
    raise AssertionError("who belongs to a household is decided with the household")


PLACE: Decider[str | None, Any] = Decider(category="householdplace", initial=None, decide=_no_single_rule, evolve=_evolve_place)
"""The household whose live file a person belongs to."""


def checked(particulars: Particulars) -> PersonId:
    """The applicant of a household that can be meant. Raises HouseholdMalformed."""
    people = [one.person for one in particulars.members]
    applicants = [one.person for one in particulars.members if one.relation is Relation.applicant]
    if len(applicants) != 1:
        raise errors.HouseholdMalformed("applicant")
    if len(set(people)) < len(people):
        raise errors.HouseholdMalformed("twice")
    for one in particulars.members:
        if one.minor and (one.guardian is None or one.consent is None or one.guardian == one.person):
            raise errors.HouseholdMalformed("guardian")
    return applicants[0]


def _people(particulars: Particulars) -> tuple[PersonId, ...]:
    return tuple(one.person for one in particulars.members)


def _concerned(particulars: Particulars, leaving: tuple[str, ...] = ()) -> set[PersonId]:
    return {*_people(particulars), *(one.guardian for one in particulars.members if one.guardian), *leaving}


def _enter(desk: Desk, household: str, people: Sequence[PersonId]) -> None:
    for person in people:
        place = desk.state(PLACE, person)
        if place is not None and place != household:
            raise errors.PersonInAnotherFile(person, place)
        if place is None:
            desk.add(PLACE, person, HouseholdEntered(person=person, household=household))


def _leave(desk: Desk, household: str, people: Sequence[PersonId]) -> None:
    for person in people:
        if desk.state(PLACE, person) == household:
            desk.add(PLACE, person, HouseholdLeft(person=person, household=household))


# ------------------------------------------------------------------------------------------------------------- opening


def _open_parts(command: commands.Open) -> Sequence[Part]:
    places = [Part(PLACE, person) for person in _people(command.particulars)]
    return once([Part(FILE, command.household), Part(INTERESTS, command.by), *places])


def _open(command: commands.Open, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    desk = Desk(_open_parts(command), states, now)
    particulars, household = command.particulars, command.household
    applicant = checked(particulars)
    no_conflict(command.by, desk.state(INTERESTS, command.by), _concerned(particulars))
    if not isinstance(desk.state(FILE, household), Unopened):
        raise errors.FileOpen(household)
    _enter(desk, household, _people(particulars))
    opened = HardshipFileOpened(
        household=household,
        organisation=command.organisation,
        applicant=applicant,
        people=_people(particulars),
        members=particulars.members,
        circumstances=particulars.circumstances,
        account=particulars.account,
        opened_on=command.on,
        opened_by=command.by,
    )
    desk.add(FILE, household, opened)
    return desk.decided()


OPEN: JointDecider[commands.Open] = JointDecider(parts=_open_parts, decide=_open)


# ------------------------------------------------------------------------------------------------------------ revising


def _revised(command: commands.Revise | commands.Join, household: str, *, reviewed: bool, file: Live) -> HardshipFileRevised:
    level = level_on(file.level, command.on) if reviewed and file.level is not None else None
    particulars = command.particulars
    return HardshipFileRevised(
        household=household,
        applicant=checked(particulars),
        people=_people(particulars),
        members=particulars.members,
        circumstances=particulars.circumstances,
        account=particulars.account,
        reviewed=reviewed,
        review_on=None if level is None else level.review_on(command.on),
        effective_on=command.on,
        revised_by=command.by,
    )


def _revise_parts(command: commands.Revise) -> Sequence[Part]:
    people = (*_people(command.particulars), *command.leaving)
    return once([Part(FILE, command.household), Part(INTERESTS, command.by), *(Part(PLACE, person) for person in people)])


def _revise(command: commands.Revise, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    desk = Desk(_revise_parts(command), states, now)
    file = live(desk.state(FILE, command.household), command.household)
    _gone(file, command.leaving, command.particulars)
    no_conflict(command.by, desk.state(INTERESTS, command.by), _concerned(command.particulars, file.people))
    _leave(desk, command.household, command.leaving)
    _enter(desk, command.household, _people(command.particulars))
    desk.add(FILE, command.household, _revised(command, command.household, reviewed=command.reviewed, file=file))
    return desk.decided()


def _gone(file: Live, leaving: Sequence[PersonId], particulars: Particulars) -> None:
    gone = {one.person for one in file.members} - set(_people(particulars))
    if gone != set(leaving):
        raise errors.HouseholdMalformed("leaving")


REVISE: JointDecider[commands.Revise] = JointDecider(parts=_revise_parts, decide=_revise)


# ------------------------------------------------------------------------------------------------------------- joining


def _join_parts(command: commands.Join) -> Sequence[Part]:
    if command.household == command.into:
        raise errors.JoinedToItself
    people = (*_people(command.particulars), *command.leaving)
    return once(
        [
            *(Part(FILE, command.into), Part(FILE, command.household), Part(INTERESTS, command.by)),
            *(Part(PLACE, person) for person in people),
        ]
    )


def _join(command: commands.Join, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    desk = Desk(_join_parts(command), states, now)
    ending = live(desk.state(FILE, command.household), command.household)
    staying = live(desk.state(FILE, command.into), command.into)
    no_conflict(command.by, desk.state(INTERESTS, command.by), _concerned(command.particulars, (*ending.people, *staying.people)))
    before = {one.person for one in (*ending.members, *staying.members)}
    if before - set(_people(command.particulars)) != set(command.leaving):
        raise errors.HouseholdMalformed("both")
    _leave(desk, command.household, [one.person for one in ending.members])
    _leave(desk, command.into, command.leaving)
    _enter(desk, command.into, _people(command.particulars))
    closed = HardshipFileClosed(household=command.household, reason=LiftReason.joined, into=command.into, closed_on=command.on)
    desk.add(FILE, command.household, closed)
    desk.add(FILE, command.into, _revised(command, command.into, reviewed=False, file=staying))
    return desk.decided()


JOIN: JointDecider[commands.Join] = JointDecider(parts=_join_parts, decide=_join)


# --------------------------------------------------------------------------------------------------- levels and the end


def _level_parts(command: commands.SetLevel) -> Sequence[Part]:
    return (Part(FILE, command.household), Part(INTERESTS, command.by))


def _set_level(command: commands.SetLevel, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    file = live(states[0], command.household)
    no_conflict(command.by, states[1], file.people)
    if command.by in file.makers:
        raise errors.FileDutiesNotSeparated(command.household)
    if level_on(command.level, command.on) is None:
        raise errors.LevelNotKnown(command.level)
    if file.level == command.level and file.review_on == command.review_on:
        return [], []
    level = HardshipLevelSet(
        household=command.household, level=command.level, paper=command.paper, effective_on=command.on, review_on=command.review_on
    )
    return [level], []


SET_LEVEL: JointDecider[commands.SetLevel] = JointDecider(parts=_level_parts, decide=_set_level)


def _close_parts(command: commands.Close) -> Sequence[Part]:
    return once([Part(FILE, command.household), Part(INTERESTS, command.by), *(Part(PLACE, person) for person in command.people)])


def _close(command: commands.Close, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    desk = Desk(_close_parts(command), states, now)
    found = desk.state(FILE, command.household)
    if isinstance(found, Closed) and found.reason is command.reason:
        return desk.decided()
    file = live(found, command.household)
    no_conflict(command.by, desk.state(INTERESTS, command.by), file.people)
    if set(command.people) != {one.person for one in file.members}:
        raise errors.HouseholdMalformed("everybody")
    _leave(desk, command.household, command.people)
    closed = HardshipFileClosed(household=command.household, reason=command.reason, closed_on=command.on, call_back_on=command.call_back_on)
    desk.add(FILE, command.household, closed)
    return desk.decided()


CLOSE: JointDecider[commands.Close] = JointDecider(parts=_close_parts, decide=_close)
