"""A list is what its rows are one after another, or nothing at all."""

from collections.abc import Sequence

import pytest
from assistance.hardship import commands
from assistance.hardship.errors import PersonInAnotherFile
from assistance.hardship.households import OPEN, SET_LEVEL
from assistance.interests.interests import ConflictOfInterest
from assistance.lists.all_of import all_of
from assistance.lists.errors import ListRefused
from contracts.assistance.hardship import Household, HouseholdMember, Relation
from contracts.kernel import Event
from foundation.decider import Refusal
from hypothesis import given as for_all
from hypothesis import strategies as some

from .world import ACCOUNT, APPROVER, CHILD, CLERK, HOUSEHOLD, LI, PAPER, UNION, WANG, World

HOUSEHOLDS = [f"{number:032x}" for number in range(4)]
RELATIVE = "9" * 32


def opening(household: str, *people: str) -> commands.Open:
    members = tuple(
        HouseholdMember(person=person, relation=Relation.spouse if number else Relation.applicant) for number, person in enumerate(people)
    )
    return commands.Open(household, UNION, commands.Particulars(members, Household(), ACCOUNT), World().today, CLERK)


def happened(world: World) -> dict[str, list[Event]]:
    return {stream: list(events) for stream, events in world.streams.items() if events}


def test_a_refused_row_keeps_the_whole_list_out_and_is_named() -> None:
    world = World()
    world.declare(CLERK, RELATIVE)
    before = happened(world)
    rows = [opening(HOUSEHOLDS[0], WANG), opening(HOUSEHOLDS[1], RELATIVE), opening(HOUSEHOLDS[2], LI, WANG)]
    with pytest.raises(ListRefused) as refused:
        world.ask_joint(all_of(OPEN), rows)
    assert refused.value.members["numbers"] == [2, 3]
    assert [type(row["problem"]) for row in refused.value.members["rows"]] == [ConflictOfInterest, PersonInAnotherFile]
    assert happened(world) == before


def test_what_is_so_already_is_no_news_in_a_list_either() -> None:
    world = World()
    world.household(people=(WANG,))
    review = world.state(SET_LEVEL.parts(_level(world, "relative"))[0].decider, HOUSEHOLD).review_on
    again = [_level(world, "relative"), _level(world, "deep")]
    assert [event.TYPE for event in world.ask_joint(all_of(SET_LEVEL), again)] == ["assistance.HardshipLevelSet.v1"] * 2
    assert world.ask_joint(all_of(SET_LEVEL), [commands.SetLevel(HOUSEHOLD, "deep", PAPER, world.today, review, APPROVER)]) == []


def _level(world: World, level: str) -> commands.SetLevel:
    return commands.SetLevel(HOUSEHOLD, level, PAPER, world.today, world.today.replace(year=world.today.year + 1), APPROVER)


rows = some.lists(
    some.builds(
        lambda household, people: opening(household, *people),
        some.sampled_from(HOUSEHOLDS),
        some.lists(some.sampled_from([WANG, LI, CHILD, RELATIVE]), min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=5,
)


@for_all(rows)
def test_a_list_is_what_its_rows_are_one_after_another(asked: Sequence[commands.Open]) -> None:
    whole, single = World(), World()
    for world in (whole, single):
        world.declare(CLERK, RELATIVE)
    before = happened(whole)
    refused = []
    for number, row in enumerate(asked, 1):
        try:
            single.ask_joint(OPEN, row)
        except Refusal:
            refused.append(number)
    if refused:
        with pytest.raises(ListRefused) as told:
            whole.ask_joint(all_of(OPEN), asked)
        assert told.value.members["numbers"] == refused
    else:
        whole.ask_joint(all_of(OPEN), asked)
    assert happened(whole) == (before if refused else happened(single))
