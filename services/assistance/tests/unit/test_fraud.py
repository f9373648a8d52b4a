"""What a corrupt or a clumsy cadre tries, and what stops it: each of these went through once."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from assistance.applications import commands
from assistance.applications.appeals import REVOKE
from assistance.applications.application import Submitted
from assistance.applications.deciding import counted_with, entitlement_of, period_of
from assistance.applications.errors import (
    ApplicationElsewhere,
    ApprovalStale,
    DayToCome,
    FileNeeded,
    IncidentDuplicate,
    IncidentNeeded,
    NotEligible,
)
from assistance.applications.errors import DutiesNotSeparated as CaseDutiesNotSeparated
from assistance.applications.following import APPLICATION
from assistance.applications.making import DRAFT_FOR_CHAIR
from assistance.bank import pain002, xml
from assistance.bank.errors import BankFileUnreadable
from assistance.bank.words import Outcome, Report, Said, Statement
from assistance.batches import commands as batches
from assistance.batches.batch import BATCH
from assistance.batches.errors import BatchDutiesNotSeparated
from assistance.beneficiaries.beneficiary import AlreadyGranted
from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.funds.closing import CLOSE_LINE
from assistance.funds.commands import CloseLine
from assistance.funds.errors import LineUnknown, ReservationsOpen
from assistance.hardship import commands as hardship
from assistance.hardship.households import CLOSE, JOIN
from assistance.interests.interests import ConflictOfInterest
from assistance.notices.errors import NoticeMalformed
from assistance.notices.notice import POST, Post
from assistance.obligations import commands as obligations
from assistance.obligations.emergency import PAY_FIRST
from assistance.payments import commands as payments
from assistance.payments.errors import DutiesNotSeparated, NotGranted
from assistance.payments.instructing import INSTRUCT, Instruct, Wanted, instruction_id
from assistance.payments.payment import PAYMENT
from assistance.payments.standing import Instruction
from assistance.programmes.errors import ProgrammeUnknown
from assistance.programmes.programme import PROGRAMME
from assistance.reconciliation.taking import in_order, speaks_of
from assistance.workdays import WorkingDays
from contracts.assistance.hardship import Household, HouseholdMember, LiftReason, Relation
from contracts.assistance.payments import Channel
from contracts.membership import Level

from .test_programmes import CHAIR as CHAIR_RULES
from .test_programmes import MEDICAL, TUITION, WARMTH
from .world import (
    ACCOUNT,
    APPROVER,
    CITY,
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
)

CASHIER, BATCH_ID = "c5" * 16, "d5" * 16
ONE, TWO, SECOND, OWED = "a1" * 16, "a2" * 16, "b1" * 16, "b2" * 16
WINTER = datetime(2026, 11, 20, 4, tzinfo=UTC)


def pay_first(world: World, application: str, **more: Any) -> None:
    """An emergency payment of 3,000 yuan by the county."""
    case = world.state(APPLICATION, application).case
    together = world.together(case)
    household = case.household or together["home"]
    told: dict[str, Any] = {
        "obligation": OWED,
        "application": application,
        "person": case.person,
        "household": case.household,
        "counted": counted_with(world.state(PROGRAMME, case.programme).definition, case.person, household),
        "programme": case.programme,
        "line": LINE,
        "fen": 3_000 * YUAN,
        "level": Level.county,
        "area": frozenset({COUNTY, UNION}),
        "standing": "active",
        "calendar": WorkingDays(),
        "by": APPROVER,
        **together,
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


def test_a_union_s_programme_is_for_its_own_people(world: World) -> None:
    """A village's administrator could publish rules of their own making, and have the whole city's applications follow them."""
    world.publish("cousin-aid", MEDICAL, organisation=ELSEWHERE)
    with pytest.raises(ProgrammeUnknown):
        world.draft(ONE, "cousin-aid")
    world.draft(ONE, "cousin-aid", organisation=ELSEWHERE, above=(ELSEWHERE, CITY))


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
    winter.ask_joint(REVOKE, commands.Revoke(ONE, entitlement_of(ONE, 0), LINE, (HOUSEHOLD, WANG), "…", winter.today, DEPUTY))
    winter.grant(TWO)


def unnamed(world: World, application: str, person: str) -> None:
    """Emergency relief that is asked for as if there were no household."""
    world.submitted(application, "emergency-relief", {"cause": "illness", "loss_fen": 200_000}, "proof", person=person)


def test_who_leaves_the_household_out_has_had_its_aid_all_the_same(world: World) -> None:
    """Two a year for a household: the third would have been paid, had both of them only left their household out."""
    for application, person in ((ONE, WANG), (TWO, LI), (SECOND, WANG)):
        unnamed(world, application, person)
    world.grant(ONE)
    world.grant(TWO)
    with pytest.raises(NotEligible) as refused:
        world.grant(SECOND)
    assert refused.value.members["failed"] == ["year-times"]
    assert world.state(APPLICATION, TWO).grant.household == HOUSEHOLD
    revoke = commands.Revoke(TWO, entitlement_of(TWO, 0), LINE, (HOUSEHOLD, LI), "…", world.today, DEPUTY)
    world.ask_joint(REVOKE, revoke)
    world.grant(SECOND)


def test_nor_is_it_paid_at_once(world: World) -> None:
    for application, person in ((ONE, WANG), (TWO, LI)):
        unnamed(world, application, person)
        world.grant(application)
    world.draft(SECOND, "emergency-relief", person=LI)
    for without in ({"home": None, "kin": (), "counted": (LI,)}, {"kin": ()}):
        with pytest.raises(ApprovalStale):
            pay_first(world, SECOND, **without)
    with pytest.raises(NotEligible):
        pay_first(world, SECOND)


def test_a_household_that_was_not_looked_up_or_has_changed_since_is_looked_up_again(world: World) -> None:
    unnamed(world, ONE, WANG)
    before = world.settle(ONE)
    with pytest.raises(ApprovalStale):
        world.decide(world.settle(ONE, home=None, kin=()))
    world.ask_joint(CLOSE, hardship.Close(HOUSEHOLD, LiftReason.in_error, (WANG, LI), world.today, None, APPROVER))
    with pytest.raises(ApprovalStale):
        world.decide(before)
    world.decide(world.settle(ONE))
    assert world.state(APPLICATION, ONE).grant.household is None


def test_somebody_of_the_household_decides_on_none_of_it(world: World) -> None:
    unnamed(world, ONE, WANG)
    world.declare(APPROVER, LI)
    with pytest.raises(ConflictOfInterest):
        world.grant(ONE)


def test_what_counts_by_persons_asks_for_no_household(world: World) -> None:
    """Two of one family are ill: each has what is theirs."""
    for application, person in ((ONE, WANG), (TWO, LI)):
        world.submitted(application, "medical-relief", ILL, *PAPERS, person=person)
        assert world.settle(application).home is None
        world.grant(application)


def test_who_has_left_a_household_is_not_visited_as_one_of_it(world: World) -> None:
    """Named, it would be counted in the place of the one that they have gone to."""
    world.draft(ONE, "emergency-relief", household=HOUSEHOLD, person=LI)
    world.ask_joint(CLOSE, hardship.Close(HOUSEHOLD, LiftReason.in_error, (WANG, LI), world.today, None, APPROVER))
    with pytest.raises(FileNeeded):
        world.verify(ONE, {"cause": "illness", "loss_fen": 200_000})
    with pytest.raises(FileNeeded):
        pay_first(world, ONE)


def ill_since(world: World, *applications: str) -> date:
    """Medical relief that is asked for again and again for one stay in hospital."""
    since = world.today - timedelta(days=9)
    for one in applications:
        world.submitted(one, "medical-relief", ILL, *PAPERS, incident_on=since)
    return since


def test_one_illness_is_helped_once_whatever_the_cap_leaves(world: World) -> None:
    since = ill_since(world, ONE, TWO)
    with pytest.raises(IncidentDuplicate):
        world.decide(world.settle(ONE), world.settle(TWO))
    world.grant(ONE)
    with pytest.raises(IncidentDuplicate) as refused:
        world.grant(TWO)
    assert refused.value.members == {"application": ONE, "incident": f"{since}"}
    world.draft(SECOND, "medical-relief", incident_on=since)
    world.attach(SECOND, "diagnosis")
    with pytest.raises(IncidentDuplicate):
        pay_first(world, SECOND)
    revoke = commands.Revoke(ONE, entitlement_of(ONE, 0), LINE, (WANG,), "…", world.today, DEPUTY)
    world.ask_joint(REVOKE, revoke)
    world.grant(TWO)


def test_that_it_is_another_one_is_said_by_somebody_and_decided_by_another(world: World) -> None:
    """Two accidents of one day are two; of three, each is told apart from both others."""
    ill_since(world, ONE, TWO, SECOND)
    world.grant(ONE)
    before = world.settle(TWO)
    apart = commands.SetApart(TWO, ONE, "当日两次事故", DEPUTY)
    world.ask(APPLICATION, TWO, apart)
    assert world.ask(APPLICATION, TWO, apart) == []
    with pytest.raises(ApprovalStale):
        world.decide(before)
    with pytest.raises(CaseDutiesNotSeparated):
        world.grant(TWO, by=DEPUTY)
    world.grant(TWO)
    world.ask(APPLICATION, SECOND, replace(apart, application=SECOND))
    with pytest.raises(IncidentDuplicate) as refused:
        world.grant(SECOND)
    assert refused.value.members["application"] == TWO
    with pytest.raises(ApplicationElsewhere):
        world.ask(APPLICATION, TWO, replace(apart, apart_from=SECOND))


def test_what_happened_is_said_and_has_happened(world: World) -> None:
    with pytest.raises(IncidentNeeded):
        world.draft(ONE, "medical-relief", incident_on=None)
    with pytest.raises(DayToCome):
        world.draft(ONE, "medical-relief", incident_on=world.today + timedelta(days=1))
    world.draft(ONE, "winter-warmth", household=HOUSEHOLD, incident_on=None, on=date(2026, 1, 5))


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


# --------------------------------------------------------------------------------------------- to the cousin's account


def granted(world: World, application: str = ONE) -> str:
    """Medical relief that was granted; the entitlement."""
    world.submitted(application, "medical-relief", ILL, *PAPERS)
    world.grant(application)
    return str(world.state(APPLICATION, application).grant.entitlement)


def test_nobody_alone_turns_granted_money_to_another_account(world: World) -> None:
    entitlement = granted(world)
    with pytest.raises(ApplicationElsewhere):
        world.ask(APPLICATION, ONE, commands.GiveAccount(ONE, ACCOUNT, CLERK))
    correct = payments.CorrectAccount(entitlement, WANG, ACCOUNT, PAPER, PAYER, PAYER)
    with pytest.raises(DutiesNotSeparated):
        world.ask(PAYMENT, entitlement, correct)
    world.ask(PAYMENT, entitlement, replace(correct, approved_by=CASHIER))


def instruct(world: World, *applications: str, by: str = PAYER) -> None:
    """The payments of these applications in a batch of the county's."""
    world.ask(BATCH, BATCH_ID, batches.Open(BATCH_ID, COUNTY, "3709000000000001", Channel.iso20022, world.today, by))
    grants = [world.state(APPLICATION, one).grant.entitlement for one in applications]
    wanted = tuple(Wanted(entitlement, one, WANG, WANG, ACCOUNT) for one, entitlement in zip(applications, grants, strict=True))
    world.ask_joint(INSTRUCT, Instruct(BATCH_ID, wanted, by))


def test_nobody_puts_a_relatives_payment_into_a_batch(world: World) -> None:
    """Nor one of somebody of the household."""
    granted(world)
    world.declare(PAYER, WANG)
    with pytest.raises(ConflictOfInterest):
        instruct(world, ONE)


def test_whoever_made_or_decided_a_case_lets_no_batch_with_it_through(world: World) -> None:
    """Two posts of one person are still one person: an approver who is of finance as well does not pay out what they approved."""
    granted(world)
    instruct(world, ONE)
    contents = world.state(BATCH, BATCH_ID).contents
    assert contents.hands == {CLERK, STEWARD, APPROVER}
    figures = (contents.count, contents.total_fen)
    for hand in contents.hands:
        with pytest.raises(BatchDutiesNotSeparated):
            world.ask(BATCH, BATCH_ID, batches.Check(BATCH_ID, *figures, hand))
    world.ask(BATCH, BATCH_ID, batches.Check(BATCH_ID, *figures, CASHIER))
    for hand in contents.hands:
        with pytest.raises(BatchDutiesNotSeparated):
            world.ask(BATCH, BATCH_ID, batches.Release(BATCH_ID, PAPER, hand))
    world.ask(BATCH, BATCH_ID, batches.Release(BATCH_ID, PAPER, "e5" * 16))


def test_what_failed_is_taken_back_and_paid_no_more(world: World) -> None:
    """Otherwise the money of somebody who has died without an heir is set aside for ever, and the year never closes."""
    entitlement = granted(world)
    revoke = commands.Revoke(ONE, entitlement, LINE, (WANG,), "…", world.today, DEPUTY)
    instruct(world, ONE)
    with pytest.raises(ApplicationElsewhere):
        world.ask_joint(REVOKE, revoke)
    world.ask(PAYMENT, entitlement, payments.Fail(entitlement, instruction_id(BATCH_ID, entitlement), "AC06", None, PAPER))
    for hand in (CLERK, APPROVER, PAYER):
        with pytest.raises(CaseDutiesNotSeparated):
            world.ask_joint(REVOKE, replace(revoke, by=hand))
    into = line_id(COUNTY, 2027, "own", "aid")
    close = CloseLine(LINE, into, "aid", into_earmarked=False)
    world.later(366)
    with pytest.raises(ReservationsOpen):
        world.ask_joint(CLOSE_LINE, close)
    world.ask_joint(REVOKE, revoke)
    line = world.state(BUDGET_LINE, LINE)
    assert (line.available_fen, line.reserved_fen) == (10_000 * YUAN, 0)
    world.ask_joint(CLOSE_LINE, close)
    assert world.available(into) == 10_000 * YUAN
    world.ask(BATCH, SECOND, batches.Open(SECOND, COUNTY, "3709000000000001", Channel.iso20022, world.today, PAYER))
    with pytest.raises(NotGranted):
        world.ask_joint(INSTRUCT, Instruct(SECOND, (Wanted(entitlement, ONE, WANG, WANG, ACCOUNT),), PAYER))


# ------------------------------------------------------------------------------------------------- what a file may say


def said(outcome: Outcome, place: int = 1) -> Said:
    return Said(place, "1" * 32, "2" * 32, outcome, 100, date(2026, 3, 3))


def test_a_file_speaks_of_its_own_payments() -> None:
    """Two of one union's finance could have had another's payments made twice, by a statement of their own account."""
    own, others = "3709000000000001", "3709000000000002"
    instruction = Instruction("1" * 32, "2" * 32, ONE, LINE, "3" * 32, BATCH_ID, 100, "under way", own)
    statement = Statement(own, date(2026, 3, 3), 0, 100, (said(Outcome.returned),))
    assert speaks_of(statement, instruction)
    assert not speaks_of(replace(statement, account=others), instruction)
    report = Report(BATCH_ID, (said(Outcome.failed),))
    assert speaks_of(report, instruction)
    assert not speaks_of(replace(report, message="c" * 32), instruction)


def test_a_bank_that_lists_its_credits_first_is_understood() -> None:
    """Heard in that order, the return would be refused as a contradiction, and the money that came back lost sight of."""
    back, paid = said(Outcome.returned), said(Outcome.paid, place=2)
    assert in_order((back, paid)) == [paid, back]


# ------------------------------------------------------------------------------------------- what never hung, on paper


def test_a_notice_does_not_hang_in_the_past(world: World) -> None:
    """Its five days would be over as soon as it is entered, and nobody would have seen it."""
    world.draft(ONE, "medical-relief")
    world.attach(ONE, *PAPERS)
    world.verify(ONE, ILL)
    hung = Post("9" * 32, UNION, frozenset({UNION}), "medical-relief", (ONE,), PAPER, world.today, WorkingDays(), CLERK)
    with pytest.raises(NoticeMalformed):
        world.ask_joint(POST, replace(hung, on=world.today - timedelta(days=21)))
    world.ask_joint(POST, hung)


def test_a_chair_is_not_helped_twice_for_one_dismissal(world: World) -> None:
    """By the reaction to what rights has confirmed, and by a clerk who drafts it as well."""
    world.publish("chair-protection", CHAIR_RULES)
    facts = {"monthly_living_fen": 210_000, "months": 2}
    world.ask_joint(DRAFT_FOR_CHAIR, commands.DraftForChair(ONE, UNION, "chair-protection", WANG, "f" * 32, facts, world.today))
    world.ask(APPLICATION, ONE, commands.GiveAccount(ONE, ACCOUNT, CLERK))
    world.grant(ONE)
    world.submitted(TWO, "chair-protection", facts)
    with pytest.raises(NotEligible):
        world.grant(TWO)


# ------------------------------------------------------------------------------------------------ what a file may hold

PAIN002 = (
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><OrgnlGrpInfAndSts><OrgnlMsgId>m</OrgnlMsgId>'
    "<GrpSts>PART</GrpSts></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts>{more}</OrgnlPmtInfAndSts></CstmrPmtStsRpt></Document>"
)
LINE_OF_REPORT = "<TxInfAndSts><OrgnlInstrId>i</OrgnlInstrId><OrgnlEndToEndId>e</OrgnlEndToEndId><TxSts>RJCT</TxSts></TxInfAndSts>"


def test_what_nobody_reads_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xml, "HELD_MAX", 100)
    assert len(pain002.read(PAIN002.format(more=LINE_OF_REPORT * 1_000).encode()).words) == 1_000, "what was read is let go"
    with pytest.raises(BankFileUnreadable) as refused:
        pain002.read(PAIN002.format(more="<x/>" * 1_000).encode())
    assert refused.value.members["rule"] == "too-many"
    attributes = " ".join(f'a{number}=""' for number in range(20_000))
    with pytest.raises(BankFileUnreadable) as refused:
        pain002.read(PAIN002.format(more=f"<x {attributes}/>").encode())
    assert refused.value.members["rule"] == "too-long"
