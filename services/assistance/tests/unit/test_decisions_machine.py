"""Applications under any order of commands by anybody: decided on what was seen, granted once, within caps and money, by other people."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from itertools import combinations
from typing import Any, cast

from assistance.applications import commands
from assistance.applications.appeals import REVOKE, counted_with_grant
from assistance.applications.application import Granted, Instructed, Submitted, Unknown, stage
from assistance.applications.following import APPLICATION
from assistance.applications.making import RETURN
from assistance.applications.standing import STAGES, change
from assistance.beneficiaries.beneficiary import BENEFICIARY
from assistance.programmes.definition import definition
from assistance.programmes.programme import PROGRAMME
from contracts.assistance.applications import (
    AidGranted,
    AidInstructed,
    AidPaid,
    ApplicationDrafted,
    ApplicationSubmitted,
    ApplicationVerified,
    DecisionTaken,
    DocumentAttached,
    GrantRevoked,
    IncidentSetApart,
)
from contracts.assistance.funds import FundsReserved, ReservationVoided
from contracts.assistance.programmes import ProgrammeDefinition
from contracts.kernel import Event
from contracts.membership import Level
from foundation.decider import Refusal
from foundation.history import Happened
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .test_programmes import MEDICAL, WARMTH, changed
from .world import APPROVER, CHAIR, CLERK, DEPUTY, HOUSEHOLD, LI, LINE, PAYER, STEWARD, WANG, World, meeting

YEARLY, CAPPED, SHARED = "yearly", "capped", "shared"
FIXED_FEN, CAP_FEN, FUNDED_FEN = 150_000, 250_000, 900_000
STAFF = (CLERK, STEWARD, APPROVER, DEPUTY, CHAIR, PAYER)
NAMES = [f"{number:x}" * 32 for number in range(6)]

people, staff, names = st.sampled_from((WANG, LI)), st.sampled_from(STAFF), st.sampled_from(NAMES)
programmes = st.sampled_from((YEARLY, CAPPED, SHARED))
households = st.sampled_from((None, HOUSEHOLD))
mostly_approvers = st.sampled_from((APPROVER, APPROVER, DEPUTY, CLERK))


def rules(programme: str) -> ProgrammeDefinition:
    paper = {"kind": "paper", "text": {"zh": "材料", "en": "paper"}, "when": "self_paid_fen < 0"}
    if programme != CAPPED:
        fixed = {"kind": "fixed", "fen": FIXED_FEN}
        told: dict[str, Any] = {"entitlement": fixed, "conditions": [], "season": None}
        told["counted_per"] = "household" if programme == SHARED else "person"
        return definition(changed(WARMTH, needs_file=False, notice=None, **told))
    return definition(
        changed(
            MEDICAL, documents=[paper], caps={"year_fen": CAP_FEN}, notice=None, needs_file=False, counted_per="person", period="incident"
        )
    )


class Decisions(RuleBasedStateMachine):
    """A refusal is as good as an event, as long as nothing is decided that should not be."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World()
        self.looked: dict[str, tuple[commands.Settle, tuple[int, int]]] = {}
        """What an approver saw of an application, and how long its history and its programme's were then."""

        self.decisions = 0

    @initialize()
    def begin(self) -> None:
        self.world.fund(FUNDED_FEN)
        self.world.household()
        for programme in (YEARLY, CAPPED, SHARED):
            self.world.publish(programme, rules(programme))

    def told(self, name: str) -> list[Event]:
        return self.world.streams[APPLICATION.stream(name)]

    def asked(self, ask: Callable[[], object]) -> bool:
        try:
            ask()
        except Refusal:
            return False
        return True

    def programme_of(self, name: str) -> str | None:
        return next((one.programme for one in self.told(name) if isinstance(one, ApplicationDrafted)), None)

    # ------------------------------------------------------------------------------------------------------- making

    @rule(name=names, programme=programmes, person=people, household=households, by=staff)
    def draft(self, name: str, programme: str, person: str, household: str | None, by: str) -> None:
        self.asked(lambda: self.world.draft(name, programme, person=person, household=household, by=by, incident_on=self.incident(name)))

    def incident(self, name: str) -> date:
        """Every other application is about the same."""
        return self.world.today - timedelta(days=NAMES.index(name) % 2)

    def is_for(self, granted: AidGranted) -> str:
        """What a grant is for: the day of the incident as it was told at first, or the year."""
        drafted = next(one for one in self.told(granted.application) if isinstance(one, ApplicationDrafted))
        return f"{drafted.incident_on}" if granted.programme == CAPPED else granted.period

    @rule(name=names, other=names, by=staff)
    def set_apart(self, name: str, other: str, by: str) -> None:
        if self.programme_of(name) is not None:
            self.asked(lambda: self.world.ask(APPLICATION, name, commands.SetApart(name, other, "…", by)))

    @rule(name=names, by=staff, visitor=staff, self_paid_fen=st.sampled_from((1_000_000, 1_500_000, 2_500_000)))
    def verify(self, name: str, by: str, visitor: str, self_paid_fen: int) -> None:
        programme = self.programme_of(name)
        if programme is not None:
            told = {"serious_illness": True, "third_party_pays": False, "self_paid_fen": self_paid_fen}
            facts: dict[str, Any] = told if programme == CAPPED else {}
            self.asked(lambda: self.world.verify(name, facts, by=by, visitors=(visitor,)))

    @rule(name=names, by=staff)
    def attach(self, name: str, by: str) -> None:
        if self.programme_of(name) == CAPPED:
            self.asked(lambda: self.world.attach(name, "paper", by=by))

    @rule(name=names, by=st.sampled_from((CLERK, APPROVER)))
    def submit(self, name: str, by: str) -> None:
        if self.programme_of(name) is not None:
            self.asked(lambda: self.world.submit(name, by=by))

    @rule(name=names, programme=programmes, person=people, household=households)
    def make(self, name: str, programme: str, person: str, household: str | None) -> None:
        """All the way up in one step, so that decisions are reached often."""
        self.draft(name, programme, person, household, CLERK)
        self.verify(name, CLERK, STEWARD, 1_500_000)
        if self.programme_of(name) == CAPPED:
            self.attach(name, CLERK)
        self.submit(name, CLERK)
        self.look(name)

    @rule(name=names, by=staff)
    def send_back(self, name: str, by: str) -> None:
        self.asked(lambda: self.world.ask_joint(RETURN, commands.Return(name, "…", by)))

    @rule(name=names, sure=st.integers(0, 3))
    def withdraw(self, name: str, sure: int) -> None:
        if sure:
            return
        self.asked(lambda: self.world.ask(APPLICATION, name, commands.Withdraw(name, self.world.today)))

    @rule(programme=programmes, sure=st.integers(0, 4))
    def change_the_rules(self, programme: str, sure: int) -> None:
        if sure == 0:
            sources = [{"citation": f"version {len(self.world.streams[PROGRAMME.stream(programme)])}"}]
            changed_rules = definition(rules(programme).model_dump(mode="json") | {"sources": sources})
            self.asked(lambda: self.world.publish(programme, changed_rules))

    # ----------------------------------------------------------------------------------------------------- deciding

    def lengths(self, name: str, programme: str) -> tuple[int, int]:
        return len(self.told(name)), len(self.world.streams[PROGRAMME.stream(programme)])

    @rule(name=names)
    def look(self, name: str) -> None:
        state = self.world.state(APPLICATION, name)
        if isinstance(state, Submitted):
            self.looked[name] = self.world.settle(name), self.lengths(name, state.case.programme)

    @rule(data=st.data(), by=mostly_approvers)
    def decide_alone(self, data: st.DataObject, by: str) -> None:
        if self.looked:
            self.decide([data.draw(st.sampled_from(sorted(self.looked)))], (by,))

    @rule(name=names, programme=programmes, person=people, household=households)
    def make_and_decide(self, name: str, programme: str, person: str, household: str | None) -> None:
        self.make(name, programme, person, household)
        if name in self.looked:
            self.decide([name], (APPROVER,))

    @rule(data=st.data(), table=st.just((APPROVER, DEPUTY, CHAIR)) | st.lists(staff, min_size=1, max_size=4, unique=True))
    def decide_at_a_meeting(self, data: st.DataObject, table: Sequence[str]) -> None:
        if self.looked:
            self.decide(data.draw(st.lists(st.sampled_from(sorted(self.looked)), min_size=1, max_size=3, unique=True)), tuple(table), True)

    def decide(self, chosen: list[str], judges: tuple[str, ...], together: bool = False) -> None:
        before = {name: self.lengths(name, self.programme_of(name) or "") for name in chosen}
        makers = {name: self.makers(name) for name in chosen}
        settled = [self.looked[name][0] for name in chosen]
        sitting = meeting(*judges) if together else None
        self.decisions += 1
        decision = f"{self.decisions:032x}"
        if self.asked(lambda: self.world.decide(*settled, decision=decision, by=judges[0], level=Level.county, meeting=sitting)):
            for name in chosen:
                assert self.looked[name][1] == before[name], "decided on other facts than were seen"
                assert makers[name].isdisjoint(judges), "decided by somebody who made the case"
            assert len(judges) >= 3 or not together, "a meeting of two"

    def makers(self, name: str) -> set[str | None]:
        found: set[str | None] = set()
        for one in self.told(name):
            match one:
                case ApplicationDrafted(drafted_by=by) | DocumentAttached(attached_by=by) | ApplicationSubmitted(submitted_by=by):
                    found.add(by)
                case ApplicationVerified(verified_by=by, visitors=visitors):
                    found |= {by, *visitors}
                case IncidentSetApart(set_apart_by=by):
                    found.add(by)
                case _:
                    pass
        return found

    def some(self, data: st.DataObject, *stages: type[object]) -> str:
        """An application, mostly at one of these stages."""
        found = [name for name in NAMES if isinstance(self.world.state(APPLICATION, name), stages)]
        name: str = data.draw(st.sampled_from(found) if found else names)
        return name

    @rule(data=st.data(), by=mostly_approvers)
    def revoke(self, data: st.DataObject, by: str) -> None:
        name = self.some(data, Granted, Instructed)
        state = self.world.state(APPLICATION, name)
        if not isinstance(state, Unknown):
            grant = getattr(state, "grant", None)
            entitlement = "0" * 32 if grant is None else grant.entitlement
            counted = () if grant is None else counted_with_grant(state.case, grant)
            command = commands.Revoke(name, entitlement, LINE, counted, "…", self.world.today, by)
            self.asked(lambda: self.world.ask_joint(REVOKE, command))

    @rule(data=st.data(), by=staff)
    def instruct(self, data: st.DataObject, by: str) -> None:
        name = self.some(data, Granted)
        state = self.world.state(APPLICATION, name)
        if self.asked(lambda: self.world.ask(APPLICATION, name, commands.MarkInstructed(name, by))) and isinstance(state, Granted):
            granted = [one for one in self.told(name) if isinstance(one, AidGranted)]
            assert by not in self.makers(name), "paid by somebody who made the case"
            assert by != granted[-1].decided_by, "paid by whoever decided"

    @rule(data=st.data())
    def pay(self, data: st.DataObject) -> None:
        name = self.some(data, Granted, Instructed)
        self.asked(lambda: self.world.ask(APPLICATION, name, commands.MarkPaid(name, self.world.today)))

    # --------------------------------------------------------------------------------------------- what always holds

    def happened(self, *kinds: type[Event]) -> list[Any]:
        return [one for events in self.world.streams.values() for one in events if isinstance(one, kinds)]

    def standing(self) -> list[AidGranted]:
        revoked = {one.entitlement for one in self.happened(GrantRevoked)}
        return [one for one in self.happened(AidGranted) if one.entitlement not in revoked]

    @invariant()
    def an_entitlement_is_granted_once(self) -> None:
        assert max(Counter(one.entitlement for one in self.happened(AidGranted)).values(), default=0) <= 1
        assert max(Counter(one.application for one in self.standing()).values(), default=0) <= 1

    @invariant()
    def once_in_a_period_and_within_the_caps(self) -> None:
        standing = self.standing()
        apart = {frozenset((one.application, one.apart_from)) for one in self.happened(IncidentSetApart)}
        for one, other in combinations(standing, 2):
            if (one.person, one.programme) == (other.person, other.programme) and self.is_for(one) == self.is_for(other):
                assert one.programme == CAPPED, "twice in a year"
                assert frozenset((one.application, other.application)) in apart, (
                    "twice for one incident, and nobody said that it is another"
                )
        assert sum(one.programme == SHARED for one in standing) <= 1, "the household has it once, whoever of it asks, however they ask"
        for person in (WANG, LI):
            assert sum(one.programme == YEARLY for one in standing if one.person == person) <= 1
            assert sum(one.fen for one in standing if (one.person, one.programme) == (person, CAPPED)) <= CAP_FEN
            counted = self.world.state(BENEFICIARY, person).grants
            assert {one.entitlement for one in counted} == {one.entitlement for one in standing if one.person == person}

    @invariant()
    def money_is_set_aside_for_what_stands_and_released_once(self) -> None:
        standing = self.standing()
        assert self.world.available() == FUNDED_FEN - sum(one.fen for one in standing) >= 0
        reserved = Counter(item.entitlement for one in self.happened(FundsReserved) for item in one.items)
        voided = Counter(item.entitlement for one in self.happened(ReservationVoided) for item in one.items)
        assert reserved == Counter(one.entitlement for one in self.happened(AidGranted))
        assert voided == Counter(one.entitlement for one in self.happened(GrantRevoked))
        assert max(voided.values(), default=0) <= 1
        assert not {one.entitlement for one in self.happened(AidInstructed, AidPaid)} & voided.keys(), "released, and paid as well"
        assert sum(one.total_fen for one in self.happened(DecisionTaken)) == sum(one.fen for one in self.happened(AidGranted))

    @invariant()
    def the_list_shows_the_stage(self) -> None:
        rows: dict[str, dict[str, Any]] = {}
        for name in NAMES:
            for number, one in enumerate(self.told(name)):
                if type(one) in STAGES:
                    change(rows, Happened(number, cast("Any", None), one))
        for name in NAMES:
            state = self.world.state(APPLICATION, name)
            assert (name in rows) is not isinstance(state, Unknown)
            assert isinstance(state, Unknown) or rows[name]["stage"] == stage(state)


TestDecisions = Decisions.TestCase
TestDecisions.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
