"""Unions: founding, changing, moving, merging, dissolving, and a tree without cycles on any day."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import pytest
from contracts.kernel import Event, OrgCode
from contracts.membership import (
    Level,
    OrganisationChanged,
    OrganisationDissolved,
    OrganisationFounded,
    OrganisationKind,
    OrganisationMerged,
    OrganisationMoved,
    Relation,
)
from foundation.decider import NOON, JointDecider, Refusal, given
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from membership.organisations import commands, errors
from membership.organisations.commands import Particulars
from membership.organisations.organisation import DISSOLVE, FOUND, MERGE, MOVE, ORGANISATION, Ended, Organisation, Standing, Unfounded

NEW_YEAR = date(2026, 1, 1)
SPRING = date(2026, 4, 1)
SUMMER = date(2026, 7, 1)


def founded(code: OrgCode, level: Level, kind: OrganisationKind, parent: OrgCode | None, on: date = NEW_YEAR) -> OrganisationFounded:
    return OrganisationFounded(
        organisation=code, name=f"{code}工会", level=level, kind=kind, parent=parent, funding_parent=parent, effective_on=on
    )


CITY = founded("3709", Level.city, OrganisationKind.federation, None)
COUNTY = founded("370902", Level.county, OrganisationKind.federation, "3709")
OTHER = founded("370911", Level.county, OrganisationKind.federation, "3709")
TOWN = founded("370902001", Level.township, OrganisationKind.federation, "370902")
VILLAGE = founded("370902001001", Level.grassroots, OrganisationKind.village, "370902001")


def tried(joint: JointDecider[Any], command: Any, *history: Event) -> dict[str, list[Event]]:
    """What a joint command adds to each stream that it writes, on the streams of these events."""
    parts = joint.parts(command)
    states = [part.decider.fold([event for event in history if event.organisation == part.id]) for part in parts]  # type: ignore[attr-defined]
    decided = joint.decide(command, states, NOON)
    return {part.id: list(events) for part, events in zip(parts, decided, strict=True) if events}


def found(event: OrganisationFounded) -> commands.Found:
    particulars = Particulars(event.name, event.kind, event.uscc, event.division)
    return commands.Found(event.organisation, event.level, particulars, event.parent, event.funding_parent, event.effective_on)


class TestFounding:
    def test_below_its_parent(self) -> None:
        assert tried(FOUND, found(COUNTY), CITY) == {"370902": [COUNTY]}

    def test_again_the_same_changes_nothing(self) -> None:
        assert tried(FOUND, found(COUNTY), CITY, COUNTY) == {}

    def test_again_otherwise_is_refused(self) -> None:
        with pytest.raises(errors.OrganisationExists):
            tried(FOUND, found(COUNTY.model_copy(update={"name": "另一个"})), CITY, COUNTY)

    def test_below_nobody_known(self) -> None:
        with pytest.raises(errors.OrganisationUnknown):
            tried(FOUND, found(COUNTY))

    def test_before_its_parent(self) -> None:
        with pytest.raises(errors.OrganisationNotYetFounded):
            tried(FOUND, found(COUNTY.model_copy(update={"effective_on": date(2025, 1, 1)})), CITY)

    @pytest.mark.parametrize("parent", [VILLAGE, TOWN])
    def test_below_one_of_lower_or_equal_standing(self, parent: OrganisationFounded) -> None:
        event = founded("370902002", Level.township, OrganisationKind.federation, parent.organisation)
        with pytest.raises(errors.StandingOutOfOrder):
            tried(FOUND, found(event), parent)

    @pytest.mark.parametrize(
        ("level", "kind", "parent"),
        [
            (Level.township, OrganisationKind.industry_federation, TOWN),
            (Level.county, OrganisationKind.development_zone, COUNTY),
            (Level.grassroots, OrganisationKind.enterprise, VILLAGE),
            (Level.grassroots, OrganisationKind.enterprise, CITY),
            (Level.group, OrganisationKind.group, VILLAGE),
        ],
    )
    def test_joint_and_industry_unions_and_zones_have_their_place(
        self, level: Level, kind: OrganisationKind, parent: OrganisationFounded
    ) -> None:
        event = founded("370902001001.A1", level, kind, parent.organisation)
        assert tried(FOUND, found(event), parent) == {event.organisation: [event]}

    def test_funded_through_another_parent(self) -> None:
        event = TOWN.model_copy(update={"funding_parent": "3709"})
        assert tried(FOUND, found(event), CITY, COUNTY) == {TOWN.organisation: [event]}

    def test_a_parent_that_ended_takes_nobody_from_that_day(self) -> None:
        ended = OrganisationMerged(organisation="370902", into="370911", effective_on=SPRING)
        with pytest.raises(errors.OrganisationEnded) as refused:
            tried(FOUND, found(TOWN.model_copy(update={"effective_on": SPRING})), COUNTY, ended)
        assert refused.value.members["successor"] == "370911"
        assert tried(FOUND, found(TOWN), COUNTY, ended) == {TOWN.organisation: [TOWN]}, "recorded late, it falls to the successor"


class TestChanging:
    RENAMED = OrganisationChanged(organisation="370902", name="泰山区总工会", kind=OrganisationKind.federation, effective_on=SPRING)

    def change(self, on: date = SPRING, kind: OrganisationKind = OrganisationKind.federation) -> commands.Change:
        return commands.Change("370902", Particulars("泰山区总工会", kind), on)

    def test_from_a_day_on(self) -> None:
        given(ORGANISATION, COUNTY).when(self.change()).then(self.RENAMED)

    def test_to_what_it_is_on_that_day(self) -> None:
        given(ORGANISATION, COUNTY, self.RENAMED).when(self.change(on=SUMMER)).then_nothing()

    def test_told_late_leaves_the_later_change_alone(self) -> None:
        late = OrganisationChanged(organisation="370902", name="旧名", kind=OrganisationKind.federation, effective_on=date(2026, 2, 1))
        union = ORGANISATION.fold([COUNTY, self.RENAMED, late])
        assert isinstance(union, Standing)
        assert [union.particulars.at(day).name for day in (NEW_YEAR, date(2026, 3, 1), SPRING)] == ["370902工会", "旧名", "泰山区总工会"]

    def test_not_before_it_was_founded(self) -> None:
        given(ORGANISATION, COUNTY).when(self.change(on=date(2025, 1, 1))).rejects(errors.OrganisationNotYetFounded)

    def test_not_to_another_standing(self) -> None:
        given(ORGANISATION, COUNTY).when(self.change(kind=OrganisationKind.development_zone)).rejects(errors.StandingChanged)

    def test_a_village_becomes_a_community(self) -> None:
        command = commands.Change(VILLAGE.organisation, Particulars(VILLAGE.name, OrganisationKind.community), SPRING)
        assert len(given(ORGANISATION, VILLAGE).when(command).events) == 1

    def test_unknown(self) -> None:
        given(ORGANISATION).when(self.change()).rejects(errors.OrganisationUnknown)


class TestMoving:
    def move(self, parent: OrgCode, relation: Relation = Relation.organisational) -> commands.Move:
        return commands.Move(TOWN.organisation, relation, parent, SPRING)

    def test_the_two_relations_move_apart(self) -> None:
        for relation in Relation:
            moved = OrganisationMoved(organisation=TOWN.organisation, relation=relation, parent="370911", effective_on=SPRING)
            assert tried(MOVE, self.move("370911", relation), TOWN, OTHER) == {TOWN.organisation: [moved]}
            union = ORGANISATION.fold([TOWN, moved])
            assert isinstance(union, Standing)
            assert [union.relation(each).at(SPRING) == "370911" for each in Relation] == [each is relation for each in Relation]

    def test_to_where_it_is(self) -> None:
        assert tried(MOVE, self.move("370902"), TOWN, COUNTY) == {}

    def test_below_what_stands_below_it(self) -> None:
        with pytest.raises(errors.StandingOutOfOrder):
            tried(MOVE, self.move(VILLAGE.organisation), TOWN, VILLAGE)

    def test_below_itself(self) -> None:
        with pytest.raises(errors.StandingOutOfOrder):
            tried(MOVE, self.move(TOWN.organisation), TOWN)

    def test_the_top_stays(self) -> None:
        with pytest.raises(errors.TopOfNode):
            tried(MOVE, commands.Move("3709", Relation.organisational, "37", SPRING), CITY)


class TestEnding:
    def test_several_go_up_in_one(self) -> None:
        other = founded("370902002", Level.township, OrganisationKind.federation, "370902")
        third = founded("370902003", Level.township, OrganisationKind.federation, "370902")
        command = commands.Merge((TOWN.organisation, other.organisation), third.organisation, SPRING)
        decided = tried(MERGE, command, TOWN, other, third)
        assert decided == {
            code: [OrganisationMerged(organisation=code, into=third.organisation, effective_on=SPRING)]
            for code in (TOWN.organisation, other.organisation)
        }
        assert tried(MERGE, command, TOWN, other, third, *(event for events in decided.values() for event in events)) == {}

    def test_not_into_one_of_lower_standing(self) -> None:
        with pytest.raises(errors.StandingOutOfOrder):
            tried(MERGE, commands.Merge((TOWN.organisation,), VILLAGE.organisation, SPRING), TOWN, VILLAGE)

    def test_not_into_itself(self) -> None:
        with pytest.raises(errors.MergedIntoItself):
            tried(MERGE, commands.Merge((TOWN.organisation,), TOWN.organisation, SPRING), TOWN)
        with pytest.raises(errors.MergedIntoItself):
            tried(DISSOLVE, commands.Dissolve(TOWN.organisation, TOWN.organisation, SPRING), TOWN)

    def test_not_into_one_that_has_ended(self) -> None:
        ended = OrganisationMerged(organisation="370911", into="370902", effective_on=SUMMER)
        with pytest.raises(errors.OrganisationEnded):
            tried(MERGE, commands.Merge(("370902",), "370911", SPRING), COUNTY, OTHER, ended)

    def test_dissolved_without_a_successor_falls_to_the_parent(self) -> None:
        dissolved = OrganisationDissolved(organisation=TOWN.organisation, successor=None, effective_on=SPRING)
        assert tried(DISSOLVE, commands.Dissolve(TOWN.organisation, None, SPRING), TOWN) == {TOWN.organisation: [dissolved]}
        assert tried(DISSOLVE, commands.Dissolve(TOWN.organisation, None, SPRING), TOWN, dissolved) == {}
        with pytest.raises(errors.OrganisationEnded) as refused:
            tried(DISSOLVE, commands.Dissolve(TOWN.organisation, "3709", SPRING), TOWN, dissolved, CITY)
        assert refused.value.members["successor"] == "370902"

    def test_the_top_does_not_end(self) -> None:
        with pytest.raises(errors.TopOfNode):
            tried(DISSOLVE, commands.Dissolve("3709", None, SPRING), CITY)

    def test_what_has_ended_changes_no_more(self) -> None:
        dissolved = OrganisationDissolved(organisation="370902", successor="3709", effective_on=SPRING)
        command = commands.Change("370902", Particulars("泰山区总工会", OrganisationKind.federation), NEW_YEAR)
        given(ORGANISATION, COUNTY, dissolved).when(command).rejects(errors.OrganisationEnded)


START = [
    ("00", Level.province, None),
    *((f"{number:02d}", Level.county, "00") for number in (1, 2, 3)),
    *((f"{number:02d}", Level.township, f"{number - 3:02d}") for number in (4, 5, 6)),
    *((f"{number:02d}", Level.grassroots, f"{number - 3:02d}") for number in (7, 8)),
]
CODES = [f"{number:02d}" for number in range(10)]
DAYS = st.integers(0, 3).map(lambda offset: NEW_YEAR + timedelta(days=offset))
KINDS = st.sampled_from([OrganisationKind.federation, OrganisationKind.development_zone])


class Tree(RuleBasedStateMachine):
    """Whatever is asked, in whatever order of days: every union leads to the top on every day it exists."""

    def __init__(self) -> None:
        super().__init__()
        self.unions: dict[str, Organisation] = {}
        for code, level, parent in START:
            event = founded(code, level, OrganisationKind.federation, parent)
            self.unions[code] = ORGANISATION.fold([event])

    def ask(self, joint: JointDecider[Any], command: Any) -> None:
        try:
            parts = joint.parts(command)
            states: Sequence[Organisation] = [self.unions.get(part.id, Unfounded()) for part in parts]
            decided = joint.decide(command, states, NOON)
        except Refusal:
            return
        for part, state, events in zip(parts, states, decided, strict=True):
            if events:
                self.unions[part.id] = ORGANISATION.fold(events, state)

    @rule(code=st.sampled_from(CODES[1:]), level=st.sampled_from(list(Level)), kind=KINDS, parent=st.sampled_from(CODES), day=DAYS)
    def found(self, code: str, level: Level, kind: OrganisationKind, parent: str, day: date) -> None:
        self.ask(FOUND, commands.Found(code, level, Particulars(code, kind), parent, parent, day))

    @rule(code=st.sampled_from(CODES), parent=st.sampled_from(CODES), relation=st.sampled_from(list(Relation)), day=DAYS)
    def move(self, code: str, parent: str, relation: Relation, day: date) -> None:
        self.ask(MOVE, commands.Move(code, relation, parent, day))

    @rule(codes=st.lists(st.sampled_from(CODES), min_size=1, max_size=3, unique=True), into=st.sampled_from(CODES), day=DAYS)
    def merge(self, codes: list[str], into: str, day: date) -> None:
        self.ask(MERGE, commands.Merge(tuple(codes), into, day))

    @rule(code=st.sampled_from(CODES), successor=st.none() | st.sampled_from(CODES), day=DAYS)
    def dissolve(self, code: str, successor: str | None, day: date) -> None:
        self.ask(DISSOLVE, commands.Dissolve(code, successor, day))

    @invariant()
    def every_union_leads_to_the_top_on_every_day(self) -> None:
        for offset in range(5):
            day = NEW_YEAR + timedelta(days=offset)
            for code, union in self.unions.items():
                if isinstance(union, Standing) and union.founded_on <= day:
                    for relation in Relation:
                        assert self.leads_to_the_top(code, relation, day), (code, relation, day)

    def leads_to_the_top(self, code: str, relation: Relation, day: date) -> bool:
        for _ in range(2 * len(CODES)):
            union = self.unions[code]
            if isinstance(union, Ended) and union.ended_on <= day:
                code = union.successor
                continue
            was = union.was if isinstance(union, Ended) else union
            assert isinstance(was, Standing)
            parent = was.relation(relation).at(day)
            if parent is None:
                return code == "00"
            code = parent
        return False


TestTree = Tree.TestCase
TestTree.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
