"""Appeals against a refusal: who settles them, in which term, and what follows."""

from dataclasses import replace

import pytest
from assistance.applications import commands, errors
from assistance.applications.appeals import SETTLE_APPEAL
from assistance.applications.application import Granted, Refused, Submitted
from assistance.applications.following import APPLICATION
from contracts.assistance.applications import AppealUpheld
from contracts.membership import Level

from .world import (
    APPROVER,
    CHAIR,
    CITY_APPROVER,
    CITY_DEPUTY,
    CLERK,
    DEPUTY,
    ILL,
    PAPERS,
    PAYER,
    STEWARD,
    World,
    meeting,
)

ONE = "a1" * 16


def test_an_appeal_goes_to_the_level_above_and_may_be_won(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    world.decide(world.settle(ONE, commands.Refuse("…")))
    world.ask(APPLICATION, ONE, commands.Appeal(ONE, "…", world.today))
    settle = commands.SettleAppeal(ONE, True, "…", Level.city, CITY_APPROVER, "0" * 32)
    with pytest.raises(errors.AppealBelow):
        world.ask_joint(SETTLE_APPEAL, replace(settle, level=Level.county))
    for hand in (APPROVER, CLERK):
        with pytest.raises(errors.DutiesNotSeparated):
            world.ask_joint(SETTLE_APPEAL, replace(settle, by=hand))
    world.ask_joint(SETTLE_APPEAL, settle)
    for by, level, rule in (
        (CITY_DEPUTY, Level.county, errors.HigherLevelNeeded),
        (APPROVER, Level.city, errors.DutiesNotSeparated),
        (CITY_APPROVER, Level.city, errors.DutiesNotSeparated),
    ):
        with pytest.raises(rule):
            world.decide(world.settle(ONE), decision="d" * 32, by=by, level=level)
    world.decide(world.settle(ONE), decision="d" * 32, by=CITY_DEPUTY, level=Level.city)
    assert isinstance(world.state(APPLICATION, ONE), Granted)


def test_at_the_top_a_meeting_settles_it_of_people_who_took_no_part_in_the_refusal(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    refusing = meeting(CITY_APPROVER, DEPUTY, CHAIR)
    world.decide(world.settle(ONE, commands.Refuse("…")), by=CITY_APPROVER, level=Level.city, meeting=refusing)
    world.ask(APPLICATION, ONE, commands.Appeal(ONE, "…", world.today))
    settle = commands.SettleAppeal(ONE, True, "…", Level.city, CITY_DEPUTY, "0" * 32)
    others = meeting(CITY_DEPUTY, APPROVER, PAYER)
    for wrong, rule in (
        (settle, errors.AppealBelow),
        (replace(settle, meeting=others, level=Level.county), errors.AppealBelow),
        (replace(settle, meeting=meeting(CITY_DEPUTY, APPROVER)), errors.MeetingMalformed),
        (replace(settle, meeting=others, by=STEWARD), errors.MeetingMalformed),
        (replace(settle, meeting=meeting(CITY_DEPUTY, APPROVER, PAYER, CHAIR)), errors.DutiesNotSeparated),
        (replace(settle, meeting=meeting(CITY_DEPUTY, APPROVER, CLERK)), errors.DutiesNotSeparated),
        (replace(settle, meeting=others, decision="d" * 32), errors.ApplicationElsewhere),
    ):
        with pytest.raises(rule):
            world.ask_joint(SETTLE_APPEAL, wrong)
    [upheld] = world.ask_joint(SETTLE_APPEAL, replace(settle, meeting=others))
    assert (type(upheld), upheld.meeting) == (AppealUpheld, others)  # type: ignore[attr-defined]
    assert isinstance(world.state(APPLICATION, ONE), Submitted)


def test_an_appeal_has_its_term_and_is_dismissed_once(world: World) -> None:
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    world.decide(world.settle(ONE, commands.Refuse("…")))
    until = world.state(APPLICATION, ONE).appeal_until
    world.later(20)
    with pytest.raises(errors.AppealLate):
        world.ask(APPLICATION, ONE, commands.Appeal(ONE, "…", world.today))
    world.ask(APPLICATION, ONE, commands.Appeal(ONE, "…", until))
    world.ask_joint(SETTLE_APPEAL, commands.SettleAppeal(ONE, False, "…", Level.city, CITY_APPROVER, "0" * 32))
    refused = world.state(APPLICATION, ONE)
    assert isinstance(refused, Refused)
    assert refused.final
    with pytest.raises(errors.ApplicationElsewhere):
        world.ask(APPLICATION, ONE, commands.Appeal(ONE, "…", until))
