"""An emergency payment: granted at once by one authoriser, the money reserved, an obligation opened, all in one append. Pure."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from contracts.assistance.applications import AidGranted
from contracts.assistance.obligations import DiscretionUsed, ObligationOpened
from contracts.assistance.programmes import DecidedBy, PayFirst, ProgrammeDefinition
from contracts.kernel import Event
from contracts.values import day_in_china
from foundation.decider import JointDecider, Part

from assistance.applications.application import Case, Draft, Verified, stage
from assistance.applications.deciding import counted_with, counting, entitlement_of, home_of, kin_of, only_once, own_line, period_of
from assistance.applications.errors import (
    ApplicationElsewhere,
    ApprovalStale,
    DutiesNotSeparated,
    EligibleNotCompliant,
    HigherLevelNeeded,
    NotEligible,
)
from assistance.applications.following import APPLICATION, known
from assistance.applications.making import concerned, member_of
from assistance.beneficiaries.beneficiary import BENEFICIARY, Count, granted_in, may_receive
from assistance.desk import Desk, once
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.commands import Reserve
from assistance.hardship.file import FILE
from assistance.hardship.households import PLACE
from assistance.interests.interests import INTERESTS, no_conflict
from assistance.obligations import commands, errors
from assistance.obligations.obligation import DISCRETION, OBLIGATION, NoObligation, may_pay
from assistance.programmes.assessment import Live, live_failures, payable, step_for, suffices
from assistance.programmes.programme import PROGRAMME, rules_on


def _parts(command: commands.PayFirst) -> Sequence[Part]:
    parts = [
        *(Part(APPLICATION, command.application), Part(PROGRAMME, command.programme), Part(BUDGET_LINE, command.line)),
        *(Part(OBLIGATION, command.obligation), Part(DISCRETION, command.by), Part(INTERESTS, command.by)),
        *(Part(BENEFICIARY, one) for one in (command.person, *command.counted, *command.doubles, *command.kin)),
    ]
    if command.household is None:
        parts.append(Part(PLACE, command.person))
    parts += [Part(FILE, household) for household in (command.household, command.home) if household is not None]
    return once(parts)


def _pay_first(command: commands.PayFirst, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    desk, today = Desk(_parts(command), states, now), day_in_china(now)
    rules = rules_on(desk.state(PROGRAMME, command.programme), command.programme, today)
    case, terms = _permitted(command, desk, rules.definition, today)
    due = command.calendar.natural(today, terms.papers_days)
    granted = AidGranted(
        application=command.application,
        entitlement=entitlement_of(command.application, case.grants),
        organisation=case.organisation,
        person=case.person,
        household=command.household or command.home,
        payee=case.payee,
        line=command.line,
        reservation=command.obligation,
        fen=command.fen,
        programme=command.programme,
        programme_version=rules.number,
        period=period_of(rules.definition, command.application, today, case.incident),
        decision=command.obligation,
        decided_by=command.by,
        level=command.level,
        obligation=command.obligation,
        granted_on=today,
    )
    opened = ObligationOpened(
        obligation=command.obligation,
        application=command.application,
        organisation=case.organisation,
        person=case.person,
        authoriser=command.by,
        level=command.level,
        programme=command.programme,
        fen=command.fen,
        due_on=due.on,
        provisional=due.provisional,
    )
    used = DiscretionUsed(authoriser=command.by, obligation=command.obligation, programme=command.programme, fen=command.fen, due_on=due.on)
    desk.add(APPLICATION, command.application, granted)
    desk.add(OBLIGATION, command.obligation, opened)
    desk.add(DISCRETION, command.by, used)
    for record in command.counted:
        desk.ask(BENEFICIARY, record, Count(counting(granted, record), case.apart))
    items = ((granted.entitlement, granted.fen),)
    own_line(desk, command.line, command.area)
    desk.ask(BUDGET_LINE, command.line, Reserve(command.line, command.obligation, rules.definition.purpose, items))
    return desk.decided()


def _permitted(command: commands.PayFirst, desk: Desk, definition: ProgrammeDefinition, today: date) -> tuple[Case, PayFirst]:
    """The case and the programme's terms, where this authoriser may pay this much at once. Raises what the rules say."""
    application = known(desk.state(APPLICATION, command.application), command.application)
    if not isinstance(application, Draft | Verified) or not isinstance(desk.state(OBLIGATION, command.obligation), NoObligation):
        raise ApplicationElsewhere(command.application, stage(application))
    case, terms = application.case, definition.pay_first
    if (case.person, case.household, case.programme) != (command.person, command.household, command.programme):
        raise ApprovalStale(command.application, ["application"])
    if terms is None:
        raise errors.PayFirstNotOffered(command.programme)
    home = home_of(definition, case, desk)
    counted = counted_with(definition, case.person, home)
    if home != (command.household or command.home) or command.counted != counted:
        raise ApprovalStale(command.application, ["file"])
    file = None if home is None else desk.state(FILE, home)
    if home is not None:
        member_of(file, home, case.person)
    if set(command.kin) != set(kin_of(definition, file)):
        raise ApprovalStale(command.application, ["file"])
    no_conflict(command.by, desk.state(INTERESTS, command.by), concerned(application, file))
    if command.by in case.makers:
        raise DutiesNotSeparated(command.application)
    may_receive(*(desk.state(BENEFICIARY, record) for record in (case.person, *command.doubles)))
    together = [desk.state(BENEFICIARY, record) for record in dict.fromkeys((*counted, *command.doubles, *command.kin))]
    only_once(definition, case, period_of(definition, command.application, today, case.incident), *together)
    year_fen, year_times = granted_in(today.year, command.programme, *together)
    failed = [one.condition for one in live_failures(definition, Live(command.standing, today, year_fen, year_times))]
    if isinstance(application, Verified):
        failed += application.found.failed
    if failed:
        raise NotEligible(command.application, failed)
    has = {kind for kind, _ in case.documents}
    lacking = [f"document:{one.kind}" for one in definition.documents if one.when is None and not one.deferrable and one.kind not in has]
    if lacking or not case.has_account:
        raise EligibleNotCompliant(command.application, lacking if case.has_account else [*lacking, "account"])
    most = min(terms.max_fen, payable(definition, terms.max_fen, year_fen))
    if not 0 < command.fen <= most:
        raise errors.EmergencyAmountTooHigh(most, command.fen)
    step = step_for(definition, command.fen)
    if not suffices(step, command.level, DecidedBy.person):
        raise HigherLevelNeeded(command.application, command.fen, step.level, step.by)
    may_pay(desk.state(DISCRETION, command.by), command.programme, command.fen, terms.exposure_max_fen, today)
    return case, terms


PAY_FIRST: JointDecider[commands.PayFirst] = JointDecider(parts=_parts, decide=_pay_first)
