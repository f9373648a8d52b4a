"""Public notices hang their working days; emergency payments owe papers, and cut off whoever does not bring them."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from assistance.applications import errors as applications
from assistance.applications.appeals import REVOKE
from assistance.applications.application import Granted
from assistance.applications.commands import Revoke
from assistance.applications.deciding import counted_with
from assistance.applications.following import APPLICATION
from assistance.funds.errors import NotPaid
from assistance.interests.interests import ConflictOfInterest
from assistance.notices import errors as notices
from assistance.notices.notice import NOTICE, SETTLE, Object, SettleObjection
from assistance.obligations import commands, errors
from assistance.obligations.closing import MEET, RECOVER, WRITE_OFF
from assistance.obligations.emergency import PAY_FIRST
from assistance.obligations.obligation import DISCRETION, OBLIGATION, Settled
from assistance.payments import commands as payments
from assistance.payments.hearing import HEAR, Hear, Heard
from assistance.payments.payment import PAYMENT
from assistance.programmes.commands import End
from assistance.programmes.errors import ProgrammeNotInForce
from assistance.programmes.programme import PROGRAMME
from assistance.timers import issue, timing
from assistance.workdays import WorkingDays, WorkingDaysUnreadable
from contracts.kernel import Event
from contracts.membership import Level
from foundation.history import Happened
from foundation.timers import Cancel, Due, Schedule

from .test_programmes import EMERGENCY, MEDICAL, WARMTH
from .world import ACCOUNT, APPROVER, CITY, CITY_APPROVER, CLERK, COUNTY, DEPUTY, ILL, LI, LINE, PAPER, STEWARD, UNION, WANG, World

ONE, TWO, OWED, MORE = "a1" * 16, "a2" * 16, "b1" * 16, "b2" * 16
JANUARY = datetime(2026, 1, 21, 4, tzinfo=UTC)


@pytest.fixture
def world() -> World:
    world = World(JANUARY)
    for code, rules in (("medical-relief", MEDICAL), ("emergency-relief", EMERGENCY), ("winter-warmth", WARMTH)):
        world.publish(code, rules)
    world.fund(5_000_000)
    return world


# ------------------------------------------------------------------------------------------------------- working days


def test_working_days_follow_the_published_calendar() -> None:
    calendar = WorkingDays()
    assert calendar.after(date(2026, 2, 13), 1).on == date(2026, 2, 14), "a Saturday that is worked before the spring festival"
    assert calendar.after(date(2026, 4, 29), 5).on == date(2026, 5, 9)
    assert not calendar.after(date(2026, 4, 29), 5).provisional
    assert calendar.natural(date(2026, 4, 20), 12).on == date(2026, 5, 6), "the last day is a holiday: the next working day"
    assert calendar.after(date(2026, 12, 30), 3).provisional


def test_the_operators_table_goes_first() -> None:
    calendar = WorkingDays.parse("[[day]]\non = 2027-01-04\nworking = false\n")
    assert calendar.is_working(date(2027, 1, 4)) == (False, True)
    for broken in ("", "[[day]]\non = 1\nworking = true\n", "[[day]]\non = 2027-01-04\n"):
        with pytest.raises(WorkingDaysUnreadable):
            WorkingDays.parse(broken)


# ------------------------------------------------------------------------------------------------------------- notices


def test_a_notice_hangs_five_working_days(world: World) -> None:
    world.draft(ONE, "medical-relief")
    world.verify(ONE, ILL)
    world.post(ONE)
    until = world.state(NOTICE, "9" * 32).posted.until
    assert until == date(2026, 1, 28)
    with pytest.raises(applications.OnNotice):
        world.post(ONE, notice=TWO)
    world.now = datetime(2026, 1, 28, 15, tzinfo=UTC)
    with pytest.raises(notices.NoticeStillHangs):
        world.take_down(ONE)
    with pytest.raises(applications.NoticeNeeded):
        world.submit(ONE)
    world.now = datetime(2026, 1, 28, 16, tzinfo=UTC)  # the 29th begins in China
    world.take_down(ONE)
    world.submit(ONE)


def test_an_objection_is_settled_by_somebody_else_before_the_notice_counts(world: World) -> None:
    for application, person in ((ONE, WANG), (TWO, LI)):
        world.draft(application, "medical-relief", person=person)
        world.verify(application, ILL)
    world.post(ONE, TWO)
    notice, objection = "9" * 32, "f" * 32
    world.ask(NOTICE, notice, Object(notice, objection, ONE, WANG, "…", world.today))
    with pytest.raises(notices.NotOnNotice):
        world.ask(NOTICE, notice, Object(notice, MORE, OWED, WANG, "…", world.today))
    world.later(30)
    with pytest.raises(notices.ObjectionsOpen):
        world.take_down(ONE, TWO)
    settle = SettleObjection(notice, objection, ONE, True, "…", APPROVER)
    with pytest.raises(notices.OwnObjection):
        world.ask_joint(SETTLE, replace(settle, by=STEWARD))
    with pytest.raises(notices.ObjectionUnknown):
        world.ask_joint(SETTLE, replace(settle, application=TWO))
    world.declare(DEPUTY, WANG)
    with pytest.raises(ConflictOfInterest):
        world.ask_joint(SETTLE, replace(settle, by=DEPUTY))
    world.ask_joint(SETTLE, settle)
    world.take_down(ONE, TWO)
    with pytest.raises(applications.NoticeNeeded):
        world.submit(ONE)
    world.submit(TWO)


# ----------------------------------------------------------------------------------------------------- pay first


def pay(world: World, application: str = ONE, obligation: str = OWED, **more: Any) -> list[Event]:
    case = world.state(APPLICATION, application).case
    counted = counted_with(world.state(PROGRAMME, case.programme).definition, case.person, case.household)
    command = commands.PayFirst(
        *(
            obligation,
            application,
            case.person,
            case.household,
            counted,
            case.programme,
            LINE,
            300_000,
            Level.county,
            frozenset({COUNTY}),
            "active",
        ),
        *(WorkingDays(), APPROVER),
    )
    return world.ask_joint(PAY_FIRST, replace(command, **more))


def ill(world: World, application: str = ONE, person: str = WANG) -> None:
    world.draft(application, "medical-relief", person=person)
    world.attach(application, "diagnosis")


def test_kidney_failure_three_thousand_in_hand_on_the_21st(world: World) -> None:
    ill(world)
    pay(world)
    granted = world.state(APPLICATION, ONE)
    assert isinstance(granted, Granted)
    assert (granted.grant.fen, granted.grant.obligation, world.available()) == (300_000, OWED, 4_700_000)
    opened = world.state(OBLIGATION, OWED).opened
    assert (opened.due_on, opened.authoriser, opened.provisional) == (date(2026, 2, 24), APPROVER, False), "30 days end in the festival"


def test_papers_close_it_if_somebody_else_checks_them(world: World) -> None:
    ill(world)
    pay(world)
    meet = commands.Meet(OWED, APPROVER, ONE, "medical-relief", world.today, DEPUTY)
    with pytest.raises(errors.PapersMissing):
        world.ask_joint(MEET, meet)
    world.attach(ONE, "settlement", "invoices")
    with pytest.raises(errors.ClosedByAuthoriser):
        world.ask_joint(MEET, replace(meet, by=APPROVER))
    world.ask_joint(MEET, meet)
    assert world.ask_joint(MEET, meet) == []
    assert world.state(DISCRETION, APPROVER).open == {}
    with pytest.raises(errors.ObligationClosed):
        world.ask_joint(RECOVER, commands.Recover(OWED, APPROVER, ONE, None, None, None, 300_000, PAPER, world.today, DEPUTY))


def test_papers_are_handed_in_after_the_programme_has_ended_too(world: World) -> None:
    ill(world)
    ill(world, TWO, LI)
    pay(world)
    world.ask(PROGRAMME, "medical-relief", End("medical-relief", CITY, world.today))
    with pytest.raises(ProgrammeNotInForce):
        world.attach(TWO, "settlement")
    meet = commands.Meet(OWED, APPROVER, ONE, "medical-relief", world.today, DEPUTY)
    with pytest.raises(errors.PapersMissing):
        world.ask_joint(MEET, meet)
    world.attach(ONE, "settlement", "invoices")
    world.ask_joint(MEET, meet)
    assert world.state(DISCRETION, APPROVER).open == {}


def test_overdue_papers_cut_off_further_discretion(world: World) -> None:
    ill(world)
    pay(world)
    with pytest.raises(errors.NotDueYet):
        world.ask(OBLIGATION, OWED, commands.MarkOverdue(OWED))
    world.now = datetime(2026, 2, 24, 16, tzinfo=UTC)
    world.ask(OBLIGATION, OWED, commands.MarkOverdue(OWED))
    assert world.ask(OBLIGATION, OWED, commands.MarkOverdue(OWED)) == []
    ill(world, TWO, LI)
    with pytest.raises(errors.DiscretionCutOff) as refused:
        pay(world, TWO, MORE)
    assert refused.value.members["overdue_fen"] == 300_000
    pay(world, TWO, MORE, by=DEPUTY)
    write_off = commands.WriteOff(OWED, APPROVER, ONE, "…", PAPER, Level.city, world.today, CITY_APPROVER)
    with pytest.raises(errors.WriteOffBelow):
        world.ask_joint(WRITE_OFF, replace(write_off, level=Level.county))
    with pytest.raises(errors.ClosedByAuthoriser):
        world.ask_joint(WRITE_OFF, replace(write_off, by=APPROVER))
    world.ask_joint(WRITE_OFF, write_off)
    state = world.state(OBLIGATION, OWED)
    assert isinstance(state, Settled)
    assert state.by == "write-off"
    ill(world, "c1" * 16, "d1" * 16)
    pay(world, "c1" * 16, "e1" * 16)


def test_exposure_has_its_limit_under_any_number_of_payments(world: World) -> None:
    for number in range(6):
        ill(world, f"{number:032x}", f"{number + 50:032x}")
        pay(world, f"{number:032x}", f"{number + 90:032x}")
    ill(world)
    with pytest.raises(errors.ExposureTooHigh) as refused:
        pay(world)
    assert (refused.value.members["open_fen"], refused.value.members["limit_fen"]) == (1_800_000, 2_000_000)
    pay(world, fen=200_000)


@pytest.mark.parametrize(
    ("more", "rule"),
    [
        ({"fen": 300_001}, errors.EmergencyAmountTooHigh),
        ({"level": Level.township}, applications.HigherLevelNeeded),
        ({"by": CLERK}, applications.DutiesNotSeparated),
        ({"standing": None}, applications.NotEligible),
        ({"person": LI}, applications.ApprovalStale),
    ],
)
def test_who_may_not_pay_first(world: World, more: dict[str, Any], rule: type[Exception]) -> None:
    ill(world)
    with pytest.raises(rule):
        pay(world, **more)


def test_nothing_is_paid_first_without_the_diagnosis_or_where_the_programme_does_not_say_so(world: World) -> None:
    world.draft(ONE, "medical-relief")
    with pytest.raises(applications.EligibleNotCompliant):
        pay(world)
    world.household()
    world.draft(TWO, "winter-warmth", household="2" * 32)
    with pytest.raises(errors.PayFirstNotOffered):
        pay(world, TWO)


def test_relatives_pay_nothing_first(world: World) -> None:
    ill(world)
    world.declare(APPROVER, WANG)
    with pytest.raises(ConflictOfInterest):
        pay(world)


def pay_by_hand(world: World, entitlement: str) -> None:
    """The bank has paid it."""
    terms = payments.Terms(ONE, UNION, WANG, WANG, LINE, OWED, 300_000)
    world.ask(PAYMENT, entitlement, payments.Instruct(entitlement, "f1" * 16, "f2" * 16, terms, ACCOUNT, DEPUTY))
    word = payments.Confirm(entitlement, "f1" * 16, world.today, PAPER)
    world.ask_joint(HEAR, Hear((Heard(word, ONE, LINE, OWED),)))


def test_what_was_revoked_before_it_was_paid_is_owed_no_more(world: World) -> None:
    ill(world)
    pay(world)
    revoke = Revoke(ONE, world.state(APPLICATION, ONE).grant.entitlement, LINE, (WANG,), "…", world.today, DEPUTY)
    world.ask_joint(REVOKE, revoke)
    world.ask_joint(RECOVER, commands.Recover(OWED, APPROVER, ONE, None, None, None, 300_000, PAPER, world.today, DEPUTY))
    assert (world.available(), world.state(DISCRETION, APPROVER).open) == (5_000_000, {})


def test_relatives_close_nothing_and_whoever_brought_the_papers_does_not_check_them(world: World) -> None:
    ill(world)
    pay(world)
    world.attach(ONE, "settlement", "invoices")
    meet = commands.Meet(OWED, APPROVER, ONE, "medical-relief", world.today, CLERK)
    with pytest.raises(applications.DutiesNotSeparated):
        world.ask_joint(MEET, meet)
    world.declare(DEPUTY, WANG)
    recover = commands.Recover(OWED, APPROVER, ONE, None, None, None, 300_000, PAPER, world.today, DEPUTY)
    write_off = commands.WriteOff(OWED, APPROVER, ONE, "…", PAPER, Level.city, world.today, DEPUTY)
    for joint, command in ((MEET, replace(meet, by=DEPUTY)), (RECOVER, recover), (WRITE_OFF, write_off)):
        with pytest.raises(ConflictOfInterest):
            world.ask_joint(joint, command)


def test_recovery_is_whole(world: World) -> None:
    ill(world)
    pay(world)
    grant = world.state(APPLICATION, ONE).grant
    recover = commands.Recover(OWED, APPROVER, ONE, grant.entitlement, LINE, None, 299_999, PAPER, world.today, DEPUTY)
    with pytest.raises(errors.RecoveredInPart):
        world.ask_joint(RECOVER, recover)
    recover = replace(recover, fen=300_000)
    with pytest.raises(NotPaid):
        world.ask_joint(RECOVER, recover)
    pay_by_hand(world, grant.entitlement)
    world.ask_joint(RECOVER, recover)
    assert world.available() == 5_000_000, "every fen is back in the line that paid it"
    assert world.ask_joint(RECOVER, recover) == []
    with pytest.raises(errors.ObligationUnknown):
        world.ask_joint(RECOVER, replace(recover, obligation=MORE))


def test_a_durable_timer_marks_it(world: World) -> None:
    ill(world)
    events = {type(event).__name__: event for event in pay(world)}
    (scheduled,) = timing(Happened(0, None, events["ObligationOpened"]))  # type: ignore[arg-type]
    assert isinstance(scheduled, Schedule)
    assert scheduled.due_at == datetime(2026, 2, 24, 16, tzinfo=UTC)
    issued = issue(Due(scheduled.timer, scheduled.due_at, scheduled.command, dict(scheduled.payload)))
    world.now = scheduled.due_at
    (overdue,) = world.ask(OBLIGATION, issued.id, issued.command)
    (cancelled,) = timing(Happened(1, None, overdue))  # type: ignore[arg-type]
    assert cancelled == Cancel(scheduled.timer)
