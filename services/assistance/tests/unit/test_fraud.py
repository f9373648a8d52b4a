"""What a corrupt or a clumsy cadre tries, and what stops it: each of these went through once."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from assistance.applications import commands
from assistance.applications.appeals import REVOKE
from assistance.applications.application import Submitted
from assistance.applications.deciding import counted_with, period_of
from assistance.applications.errors import ApprovalStale
from assistance.applications.following import APPLICATION
from assistance.beneficiaries.beneficiary import AlreadyGranted
from assistance.funds.errors import LineUnknown
from assistance.hardship import commands as hardship
from assistance.hardship.households import CLOSE, JOIN
from assistance.obligations import commands as obligations
from assistance.obligations.emergency import PAY_FIRST
from assistance.programmes.programme import PROGRAMME
from assistance.workdays import WorkingDays
from contracts.assistance.hardship import Household, HouseholdMember, LiftReason, Relation
from contracts.membership import Level

from .test_programmes import EMERGENCY, MEDICAL, TUITION, WARMTH
from .world import ACCOUNT, APPROVER, CLERK, COUNTY, DEPUTY, ELSEWHERE, HOUSEHOLD, ILL, LI, LINE, UNION, WANG, World

ONE, TWO, SECOND, OWED = "a1" * 16, "a2" * 16, "b1" * 16, "b2" * 16
WINTER = datetime(2026, 11, 20, 4, tzinfo=UTC)
PAPERS = ("diagnosis", "settlement", "invoices")
YUAN = 100


@pytest.fixture
def world() -> World:
    """A county with 10,000 yuan, the programmes, and a household in deep hardship."""
    world = World()
    for code, rules in (
        *(("medical-relief", MEDICAL), ("winter-warmth", WARMTH)),
        *(("autumn-tuition", TUITION), ("emergency-relief", EMERGENCY)),
    ):
        world.publish(code, rules)
    world.fund(10_000 * YUAN)
    world.household()
    return world


def pay_first(world: World, application: str, **more: Any) -> None:
    """An emergency payment of 3,000 yuan by the county."""
    case = world.state(APPLICATION, application).case
    counted = counted_with(world.state(PROGRAMME, case.programme).definition, case.person, case.household)
    told: dict[str, Any] = {
        "obligation": OWED,
        "application": application,
        "person": case.person,
        "household": case.household,
        "counted": counted,
        "programme": case.programme,
        "line": LINE,
        "fen": 3_000 * YUAN,
        "level": Level.county,
        "area": frozenset({COUNTY, UNION}),
        "standing": "active",
        "calendar": WorkingDays(),
        "by": APPROVER,
    }
    world.ask_joint(PAY_FIRST, obligations.PayFirst(**(told | more)))


# --------------------------------------------------------------------------------------------------- whose money it is


def test_nobody_spends_another_unions_money(world: World) -> None:
    """The line's id is all that it would take."""
    world.submitted(ONE, "medical-relief", ILL, *PAPERS)
    with pytest.raises(LineUnknown):
        world.grant(ONE, area=frozenset({UNION, ELSEWHERE}), line=LINE)
    assert isinstance(world.state(APPLICATION, ONE), Submitted)
    world.grant(ONE, area=frozenset({UNION, COUNTY}))


def test_nor_at_once(world: World) -> None:
    world.draft(ONE, "medical-relief")
    world.attach(ONE, "diagnosis")
    with pytest.raises(LineUnknown):
        pay_first(world, ONE, area=frozenset({UNION, ELSEWHERE}))
    pay_first(world, ONE)


# ------------------------------------------------------------------------------------------------------- nothing twice


def test_a_couple_that_brings_its_files_together_has_had_its_warmth() -> None:
    """Each of two households has one; the file that both go on with counts what either of them got."""
    winter = World(WINTER)
    winter.publish("winter-warmth", WARMTH)
    winter.fund(10_000 * YUAN)
    winter.household(people=(WANG,))
    winter.household(household=SECOND, people=(LI,))
    winter.submitted(ONE, "winter-warmth", {}, person=WANG, household=HOUSEHOLD)
    winter.grant(ONE)
    both = (HouseholdMember(person=LI, relation=Relation.applicant), HouseholdMember(person=WANG, relation=Relation.spouse))
    particulars = hardship.Particulars(both, Household(household_month_fen=200000, heads=2), ACCOUNT)
    winter.ask_joint(JOIN, hardship.Join(HOUSEHOLD, SECOND, particulars, (), winter.today, CLERK))
    winter.submitted(TWO, "winter-warmth", {}, person=LI, household=SECOND)
    with pytest.raises(AlreadyGranted):
        winter.grant(TWO)


def test_a_file_that_is_closed_and_opened_anew_is_the_same_family() -> None:
    winter = World(WINTER)
    winter.publish("winter-warmth", WARMTH)
    winter.fund(10_000 * YUAN)
    winter.household()
    winter.submitted(ONE, "winter-warmth", {}, household=HOUSEHOLD)
    winter.grant(ONE)
    winter.ask_joint(CLOSE, hardship.Close(HOUSEHOLD, LiftReason.in_error, (WANG, LI), winter.today, None, APPROVER))
    winter.household(household=SECOND)
    winter.submitted(TWO, "winter-warmth", {}, household=SECOND)
    with pytest.raises(ApprovalStale):
        winter.decide(winter.settle(TWO, kin=()), decision=TWO)
    with pytest.raises(AlreadyGranted):
        winter.grant(TWO)
    winter.ask_joint(REVOKE, commands.Revoke(ONE, LINE, (HOUSEHOLD, WANG), "…", winter.today, DEPUTY))
    winter.grant(TWO)


def test_one_winter_is_one_winter_until_the_next_begins() -> None:
    """Asked for in the season, decided after it: that is still the same winter's, and takes nothing from the next."""
    winter = World(WINTER)
    winter.publish("winter-warmth", WARMTH)
    winter.fund(10_000 * YUAN)
    winter.fund(10_000 * YUAN, line="d" * 32, year=2027)
    winter.household()
    winter.submitted(ONE, "winter-warmth", {}, household=HOUSEHOLD)
    winter.grant(ONE)
    winter.later(60)
    winter.submitted(TWO, "winter-warmth", {}, household=HOUSEHOLD)
    winter.later(60)
    assert winter.today > date(2027, 2, 28)
    with pytest.raises(AlreadyGranted):
        winter.grant(TWO, line="d" * 32)


@pytest.mark.parametrize(
    ("day", "winter", "school_year"),
    [
        (date(2026, 11, 14), "2025", "2026"),
        (date(2026, 11, 15), "2026", "2026"),
        (date(2027, 2, 28), "2026", "2026"),
        (date(2027, 3, 1), "2026", "2026"),
        (date(2027, 6, 30), "2026", "2026"),
        (date(2027, 7, 1), "2026", "2027"),
    ],
)
def test_a_season_belongs_to_the_year_it_began_in(day: date, winter: str, school_year: str) -> None:
    assert period_of(WARMTH, ONE, day) == winter
    assert period_of(TUITION, ONE, day) == school_year
