"""An application's way to money: who may do what, on what was seen, at which level; and that nothing is granted twice or overspent."""

from dataclasses import replace
from datetime import date

import pytest
from assistance.applications import commands, errors
from assistance.applications.appeals import REVOKE
from assistance.applications.application import Draft, Paid, Submitted
from assistance.applications.deciding import DECIDE
from assistance.applications.following import APPLICATION
from assistance.applications.making import DRAFT, DRAFT_FOR_CHAIR, RETURN
from assistance.beneficiaries.beneficiary import BENEFICIARY, AidIsStopped, AlreadyGranted, Stop
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.errors import LineExhausted, PurposeMismatch
from assistance.interests.interests import ConflictOfInterest
from assistance.programmes.definition import definition
from contracts.assistance import AidGranted, AidRefused, ApplicationDrafted, DecisionTaken, FundsReserved
from contracts.assistance.applications import Recusal, StopReason
from contracts.assistance.hardship import HouseholdMember, Relation
from contracts.assistance.programmes import DecidedBy
from contracts.membership import Level
from foundation.decider import Refusal

from .test_programmes import MEDICAL, WARMTH, changed
from .world import (
    ACCOUNT,
    APPROVER,
    CHAIR,
    CITY,
    CITY_DEPUTY,
    CLERK,
    COUNTY,
    DEPUTY,
    ELSEWHERE,
    HOUSEHOLD,
    ILL,
    LI,
    LINE,
    PAPER,
    PAPERS,
    PAYER,
    STEWARD,
    UNION,
    WANG,
    YUAN,
    World,
    meeting,
)

ONE, TWO = "a1" * 16, "a2" * 16


def test_a_grant_and_its_money_are_one_append(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    _, granted, taken, reserved = sorted(world.grant(ONE), key=lambda event: event.TYPE)
    assert isinstance(granted, AidGranted)
    assert isinstance(reserved, FundsReserved)
    assert isinstance(taken, DecisionTaken)
    assert (granted.fen, granted.programme_version, granted.line, granted.reservation) == (2_000 * YUAN, 1, LINE, ONE)
    assert [one.entitlement for one in reserved.items] == [granted.entitlement]
    assert (taken.granted, taken.total_fen, taken.by) == (1, 2_000 * YUAN, DecidedBy.person)
    assert world.available() == 8_000 * YUAN


def test_the_money_is_there_or_nobody_gets_any(world: World) -> None:
    world.fund(1_000 * YUAN, line="d" * 32)
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    with pytest.raises(LineExhausted):
        world.grant(ONE, line="d" * 32)
    assert isinstance(world.state(APPLICATION, ONE), Submitted)
    world.fund(9_000 * YUAN, line="e" * 32, purpose="aid.tuition")
    with pytest.raises(PurposeMismatch):
        world.grant(ONE, line="e" * 32)


def test_maker_checker_and_payer_are_three_people(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    for maker in (CLERK, STEWARD):
        with pytest.raises(errors.DutiesNotSeparated):
            world.grant(ONE, by=maker)
    world.grant(ONE)
    for hand in (CLERK, STEWARD, APPROVER):
        with pytest.raises(errors.DutiesNotSeparated):
            world.ask(APPLICATION, ONE, commands.MarkInstructed(ONE, hand))
    world.ask(APPLICATION, ONE, commands.MarkInstructed(ONE, PAYER))
    world.ask(APPLICATION, ONE, commands.MarkPaid(ONE, world.today))
    world.ask(APPLICATION, ONE, commands.Acknowledge(ONE, PAPER, world.today))
    world.ask(APPLICATION, ONE, commands.FollowUp(ONE, "…", world.today))
    assert world.ask(APPLICATION, ONE, commands.MarkPaid(ONE, world.today)) == []
    paid = world.state(APPLICATION, ONE)
    assert isinstance(paid, Paid)
    assert (paid.acknowledged, paid.followed_up) == (True, True)


@pytest.mark.parametrize("person", [WANG, LI])
def test_relatives_are_blocked_at_every_step(world: World, person: str) -> None:
    """Of the applicant and of anybody of the household."""
    for principal in (CLERK, STEWARD, APPROVER):
        fresh = World()
        fresh.streams.update({stream: list(events) for stream, events in world.streams.items()})
        fresh.declare(principal, person)
        blocked = 0
        for step in (
            lambda it: it.draft(ONE, "winter-warmth", household=HOUSEHOLD, by=CLERK, on=date(2026, 1, 5)),
            lambda it: it.verify(ONE, {}),
            lambda it: it.post(ONE, notice=ONE),
            lambda it: (it.later(9), it.take_down(ONE, notice=ONE)),
            lambda it: it.submit(ONE),
            lambda it: it.grant(ONE),
        ):
            try:
                step(fresh)
            except ConflictOfInterest:
                blocked += 1
                undisturbed(fresh, step, principal)
        assert blocked == {CLERK: 3, STEWARD: 1, APPROVER: 1}[principal]


def undisturbed(it: World, step: object, principal: str) -> None:
    """The same step once the declaration is not there, so that the next one can be tried."""
    declared = it.streams.pop(f"interests-{principal}")
    step(it)  # type: ignore[operator]
    it.streams[f"interests-{principal}"] = declared


# ------------------------------------------------------------------------------------------------------------ what was seen


def test_an_approval_on_changed_facts_is_refused(world: World) -> None:
    world.submitted(ONE, "winter-warmth", {}, household=HOUSEHOLD, on=date(2026, 1, 5))
    settled = world.settle(ONE)
    before = {stream: list(events) for stream, events in world.streams.items()}

    def stale() -> list[str]:
        with pytest.raises(errors.ApprovalStale) as refused:
            world.decide(settled)
        for stream in world.streams:
            world.streams[stream] = list(before.get(stream, []))
        moved: list[str] = refused.value.members["moved"]
        return moved

    world.publish("winter-warmth", definition(changed(WARMTH, caps={"year_times": 1})))
    assert stale() == ["programme"]
    world.streams["hardshipfile-" + HOUSEHOLD].append(world.streams["hardshipfile-" + HOUSEHOLD][-1])
    assert stale() == ["file"]
    world.ask(APPLICATION, ONE, commands.GiveAccount(ONE, ACCOUNT, CLERK))
    assert stale() == ["application"]
    settled = replace(settled, seen=replace(settled.seen, documents=PAPER))
    assert stale() == ["documents"]
    settled = replace(settled, person=LI)
    assert "application" in stale()


def test_new_rules_need_a_new_look_at_the_facts(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    world.publish("medical-relief", definition(changed(MEDICAL, caps={})))
    with pytest.raises(errors.ApprovalStale):
        world.grant(ONE)
    world.ask_joint(RETURN, commands.Return(ONE, "…", APPROVER))
    assert isinstance(world.state(APPLICATION, ONE), Draft)


def test_a_second_decision_of_the_same_id_is_refused(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    world.submitted(TWO, "medical-relief", ILL, *PAPERS, person=LI)
    world.decide(world.settle(ONE))
    with pytest.raises(errors.DecisionExists):
        world.decide(world.settle(TWO))


# --------------------------------------------------------------------------------------------------------------- eligible


def test_eligible_but_not_compliant_is_said(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, "diagnosis", account=None)
    with pytest.raises(errors.EligibleNotCompliant) as refused:
        world.grant(ONE)
    assert refused.value.members["lacking"] == ["document:settlement", "document:invoices", "account"]


def test_who_is_not_eligible_gets_nothing_and_the_conditions_are_named(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL | {"third_party_pays": True}, *PAPERS)
    with pytest.raises(errors.NotEligible) as refused:
        world.decide(world.settle(ONE, standing=None))
    assert refused.value.members["failed"] == ["third-party", "member"]
    (refusal, _) = sorted(world.decide(world.settle(ONE, commands.Refuse("…"))), key=lambda event: event.TYPE)
    assert isinstance(refusal, AidRefused)
    assert refusal.failed == ("third-party",)


def test_facts_are_those_that_are_asked_for(world: World) -> None:
    world.draft(ONE, "medical-relief")
    with pytest.raises(errors.FactsMisfit):
        world.verify(ONE, ILL | {"heads": 3})


def test_a_programme_for_files_wants_one_and_a_season_its_days(world: World) -> None:
    with pytest.raises(errors.OutOfSeason):
        world.draft(ONE, "autumn-tuition", household=HOUSEHOLD)
    with pytest.raises(errors.FileNeeded):
        world.draft(ONE, "winter-warmth", on=date(2026, 1, 5))
    with pytest.raises(errors.FileNeeded):
        world.draft(ONE, "winter-warmth", household=HOUSEHOLD, person="0" * 32, on=date(2026, 1, 5))


def test_a_minors_aid_goes_to_the_guardian(world: World) -> None:
    child = "7" * 32
    opened = world.streams["hardshipfile-" + HOUSEHOLD][0]
    members = (*opened.members, HouseholdMember(person=child, relation=Relation.child, minor=True, guardian=WANG, consent=PAPER))  # type: ignore[attr-defined]
    world.streams["hardshipfile-" + HOUSEHOLD][0] = opened.model_copy(update={"members": members})
    with pytest.raises(errors.PayeeNotGuardian):
        world.draft(ONE, "medical-relief", household=HOUSEHOLD, person=child)
    world.draft(ONE, "medical-relief", household=HOUSEHOLD, person=child, payee=WANG)


# --------------------------------------------------------------------------------------------------------- nothing twice


def test_once_a_year_is_once_for_the_whole_household(world: World) -> None:
    for application, person in ((ONE, WANG), (TWO, LI)):
        world.submitted(application, "winter-warmth", {}, household=HOUSEHOLD, person=person, on=date(2026, 1, 5))
    with pytest.raises(AlreadyGranted):
        world.decide(world.settle(ONE), world.settle(TWO))
    world.grant(ONE)
    with pytest.raises(AlreadyGranted):
        world.grant(TWO)


def test_a_yearly_cap_counts_what_the_same_resolution_gives(world: World) -> None:
    rules = definition(changed(MEDICAL, caps={"year_fen": 3_000 * YUAN}))
    world.publish("medical-relief", rules)
    for application in (ONE, TWO):
        world.submitted(application, "medical-relief", ILL, *PAPERS)
    granted = [event for event in world.decide(world.settle(ONE), world.settle(TWO)) if isinstance(event, AidGranted)]
    assert [one.fen for one in granted] == [2_000 * YUAN, 1_000 * YUAN]


def test_a_double_record_gets_nothing_twice(world: World) -> None:
    world.submitted(ONE, "winter-warmth", {}, household=HOUSEHOLD, on=date(2026, 1, 5))
    world.grant(ONE)
    world.household(household="9" * 32, people=("d" * 32,))
    world.submitted(TWO, "winter-warmth", {}, person="d" * 32, household="9" * 32, on=date(2026, 1, 5))
    with pytest.raises(AlreadyGranted) as refused:
        world.decide(world.settle(TWO, doubles=(WANG, HOUSEHOLD)))
    assert refused.value.members["application"] == ONE
    world.decide(world.settle(TWO))


def test_a_cap_counts_double_records_together(world: World) -> None:
    capped = changed(MEDICAL, caps={"year_fen": 3_000 * YUAN})
    world.publish("medical-relief", definition(capped))
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    world.grant(ONE)
    world.submitted(TWO, "medical-relief", ILL, *PAPERS, person="d" * 32)
    granted = [event for event in world.decide(world.settle(TWO, doubles=(WANG,))) if isinstance(event, AidGranted)]
    assert [one.fen for one in granted] == [1_000 * YUAN]


def test_what_stops_a_double_record_stops_the_person(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    world.ask(BENEFICIARY, LI, Stop(LI, StopReason.died, world.today))
    with pytest.raises(AidIsStopped):
        world.decide(world.settle(ONE, doubles=(LI,)))


def test_nothing_is_granted_to_the_dead(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    world.submitted(TWO, "winter-warmth", {}, household=HOUSEHOLD, on=date(2026, 1, 5))
    world.ask(BENEFICIARY, WANG, Stop(WANG, StopReason.died, world.today))
    for application in (ONE, TWO):
        with pytest.raises(AidIsStopped):
            world.grant(application)


def test_a_grant_taken_back_frees_the_money_and_may_be_given_again(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    world.grant(ONE)
    first = world.state(APPLICATION, ONE).grant.entitlement
    revoke = commands.Revoke(ONE, world.state(APPLICATION, ONE).grant.entitlement, LINE, (WANG,), "…", world.today, DEPUTY)
    world.ask_joint(REVOKE, revoke)
    assert world.available() == 10_000 * YUAN
    assert world.state(BENEFICIARY, WANG).grants == ()
    world.decide(world.settle(ONE))
    assert world.state(APPLICATION, ONE).grant.entitlement != first
    world.ask(APPLICATION, ONE, commands.MarkInstructed(ONE, PAYER))
    with pytest.raises(errors.ApplicationElsewhere):
        world.ask_joint(REVOKE, revoke)


# ------------------------------------------------------------------------------------------------------- level and amount

COSTS = {300_000: 2_000_000, 300_001: 2_000_004, 1_000_000: 4_333_334, 1_000_001: 4_333_338}
"""What somebody paid, by what it comes to."""


@pytest.mark.parametrize("level", [Level.township, Level.county, Level.city])
@pytest.mark.parametrize("sits", [False, True])
@pytest.mark.parametrize("fen", list(COSTS))
def test_just_over_a_threshold_takes_the_higher_level_or_a_meeting(world: World, fen: int, level: Level, sits: bool) -> None:
    world.fund(10**9, line="d" * 32)
    world.submitted(ONE, "medical-relief", ILL | {"self_paid_fen": COSTS[fen]}, *PAPERS)
    assert world.state(APPLICATION, ONE).found.entitled_fen == fen
    may = {300_000: level is not Level.township, 1_000_001: sits and level is Level.city}.get(fen, sits and level is not Level.township)
    table = meeting(APPROVER, DEPUTY, CHAIR) if sits else None
    if may:
        world.grant(ONE, level=level, meeting=table, line="d" * 32)
        return
    with pytest.raises(errors.HigherLevelNeeded):
        world.grant(ONE, level=level, meeting=table, line="d" * 32)


def test_nobody_decides_for_unions_that_are_not_below(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    with pytest.raises(errors.OutsideArea):
        world.grant(ONE, area=frozenset({ELSEWHERE}))


def test_only_a_discretionary_programme_gives_less_and_none_gives_more(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    for fen in (2_001 * YUAN, 1_999 * YUAN, 0, -5):
        with pytest.raises(errors.AmountNotEntitled):
            world.decide(world.settle(ONE, commands.Grant(fen)))
    world.submitted(TWO, "emergency-relief", {"cause": "accident", "loss_fen": 600_000}, "proof")
    with pytest.raises(errors.AmountNotEntitled):
        world.decide(world.settle(TWO, commands.Grant(300_001)))
    world.decide(world.settle(TWO, commands.Grant(100_000)))


# --------------------------------------------------------------------------------------------------------------- meetings


def test_one_resolution_settles_many_cases_with_recusals(world: World) -> None:
    ids = [f"{number:032x}" for number in range(8)]
    for number, one in enumerate(ids):
        world.submitted(one, "medical-relief", ILL | {"self_paid_fen": 1_000_000}, *PAPERS, person=f"{number + 100:032x}")
    world.declare(DEPUTY, f"{100:032x}")
    settled = [world.settle(one, commands.Refuse("…") if one == ids[7] else None) for one in ids]
    with pytest.raises(ConflictOfInterest):
        world.decide(*settled, meeting=meeting(APPROVER, DEPUTY, CHAIR, CITY_DEPUTY))
    aside = (Recusal(principal=DEPUTY, application=ids[0]),)
    with pytest.raises(errors.MeetingMalformed, match="quorum"):
        world.decide(*settled, meeting=meeting(APPROVER, DEPUTY, CHAIR, recusals=aside))
    events = world.decide(*settled, meeting=meeting(APPROVER, DEPUTY, CHAIR, CITY_DEPUTY, recusals=aside))
    (taken,) = [event for event in events if isinstance(event, DecisionTaken)]
    assert (taken.granted, taken.refused, taken.total_fen, taken.by) == (7, 1, 7 * 1_000 * YUAN, DecidedBy.meeting)
    assert world.available() == 3_000 * YUAN


@pytest.mark.parametrize(
    ("table", "rule"),
    [
        (meeting(APPROVER, DEPUTY), errors.MeetingMalformed),
        (meeting(DEPUTY, CHAIR, CITY_DEPUTY), errors.MeetingMalformed),
        (meeting(APPROVER, DEPUTY, DEPUTY, CHAIR), errors.MeetingMalformed),
        (meeting(APPROVER, DEPUTY, CLERK), errors.DutiesNotSeparated),
    ],
)
def test_a_meeting_is_one(world: World, table: object, rule: type[Refusal]) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    with pytest.raises(rule):
        world.grant(ONE, meeting=table)


def test_a_maker_may_sit_at_the_table_if_they_step_aside(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    aside = (Recusal(principal=CLERK, application=ONE),)
    world.grant(ONE, meeting=meeting(APPROVER, DEPUTY, CHAIR, CLERK, recusals=aside))


@pytest.mark.parametrize("ids", [(), (ONE, ONE), tuple(f"{number:032x}" for number in range(201))])
def test_a_decision_names_its_cases_once_and_not_too_many(ids: tuple[str, ...]) -> None:
    seen = commands.Seen(1, 1, None, PAPER)
    settled = tuple(commands.Settle(one, WANG, None, seen, commands.Grant(), "active") for one in ids)
    command = commands.Decide(
        *("0" * 32, COUNTY, Level.county, frozenset[str](), "medical-relief", LINE, settled, None, date(2026, 3, 3), APPROVER)
    )
    with pytest.raises(errors.DecisionMalformed):
        DECIDE.parts(command)


def test_an_application_is_withdrawn_until_it_is_granted(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    world.submitted(TWO, "medical-relief", ILL, *PAPERS, person=LI)
    world.grant(TWO)
    world.ask(APPLICATION, ONE, commands.Withdraw(ONE, world.today))
    assert world.ask(APPLICATION, ONE, commands.Withdraw(ONE, world.today)) == []
    with pytest.raises(errors.ApplicationElsewhere):
        world.ask(APPLICATION, TWO, commands.Withdraw(TWO, world.today))
    with pytest.raises(errors.ApplicationUnknown):
        world.ask(APPLICATION, "0" * 32, commands.Withdraw("0" * 32, world.today))


# ------------------------------------------------------------------------------------------------------ chairs, by reaction


def test_a_chairs_half_year_is_drafted_verified_and_submitted_by_itself(world: World) -> None:
    facts = {"monthly_living_fen": 210_000, "months": 6}
    command = commands.DraftForChair(ONE, UNION, "chair-protection", WANG, "f" * 32, facts, world.today)
    world.ask_joint(DRAFT_FOR_CHAIR, command)
    assert world.ask_joint(DRAFT_FOR_CHAIR, command) == []
    world.fund(20_000 * YUAN, line="d" * 32)
    with pytest.raises(errors.EligibleNotCompliant):
        world.grant(ONE, line="d" * 32)
    world.ask(APPLICATION, ONE, commands.GiveAccount(ONE, ACCOUNT, CLERK))
    world.grant(ONE, line="d" * 32)
    assert world.state(BUDGET_LINE, "d" * 32).available_fen == (20_000 - 12_600) * YUAN


def test_a_confirmed_dismissal_is_not_lost_where_no_programme_is_published() -> None:
    world = World()
    facts = {"monthly_living_fen": 210_000, "months": 6}
    (drafted,) = world.ask_joint(
        DRAFT_FOR_CHAIR, commands.DraftForChair(ONE, UNION, "chair-protection", WANG, "f" * 32, facts, world.today)
    )
    assert isinstance(drafted, ApplicationDrafted)


def test_a_draft_is_made_once(world: World) -> None:
    world.draft(ONE, "medical-relief")
    with pytest.raises(errors.ApplicationElsewhere):
        world.draft(ONE, "medical-relief")
    assert (
        DRAFT.parts(commands.Draft(ONE, UNION, "medical-relief", WANG, None, WANG, None, None, world.today, CITY, ()))[0].stream
        == f"application-{ONE}"
    )
