"""Decisions: many applications settled at once, by a person or a meeting, with the money reserved in the same append. Pure.

What is decided is what was seen: each case names the versions of the application, the rules and the file that the approver had
before them, and is refused as stale where one has moved. Rules are applied to pinned facts at the visit and to the day's facts here.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from typing import Any, assert_never

from contracts.assistance.applications import (
    AidCounted,
    AidGranted,
    AidRefused,
    DecisionTaken,
    Meeting,
)
from contracts.assistance.programmes import CountedPer, InKind, Period, ProgrammeDefinition
from contracts.kernel import Event
from contracts.values import day_in_china
from foundation.decider import Decider, JointDecider, Part
from foundation.ids import command_id

from assistance.applications import commands, errors
from assistance.applications.application import Case, Submitted, Verification, stage
from assistance.applications.following import APPLICATION, known
from assistance.applications.making import concerned
from assistance.beneficiaries.beneficiary import BENEFICIARY, AlreadyGranted, Beneficiary, Count, granted_for, granted_in, may_receive
from assistance.desk import Desk, once
from assistance.funds.budget_line import BUDGET_LINE, opened
from assistance.funds.commands import ITEMS_MAX, Reserve
from assistance.funds.errors import LineUnknown
from assistance.hardship.file import FILE, HardshipFile, Live
from assistance.hardship.households import PLACE
from assistance.interests.interests import INTERESTS, no_conflict
from assistance.programmes.assessment import Live as Today
from assistance.programmes.assessment import live_failures, payable, step_for, suffices
from assistance.programmes.programme import PROGRAMME, Published, rules_on

QUORUM = 3
"""People at the table for every case that a meeting decides; fewer decide alone, with their names."""

CASES_MAX = ITEMS_MAX
"""Applications in one decision."""


def _evolve_decision(taken: DecisionTaken | None, event: Event) -> DecisionTaken | None:
    return event if isinstance(event, DecisionTaken) else taken


def _no_single_rule(command: Any, state: Any, now: datetime) -> list[Event]:
    raise AssertionError("a decision is taken with its cases")


DECISION: Decider[DecisionTaken | None, Any] = Decider(category="decision", initial=None, decide=_no_single_rule, evolve=_evolve_decision)


def digest_of(documents: Iterable[tuple[str, str]]) -> str:
    """One digest of all papers that an application has, by which an approval names them."""
    return sha256("\n".join(f"{kind} {digest}" for kind, digest in sorted(documents)).encode()).hexdigest()


def counted_with(definition: ProgrammeDefinition, person: str, household: str | None) -> tuple[str, ...]:
    """Whose grants a grant counts with: where the programme says so and there is one, the household's; and always the person's, who may
    come back with another household's file."""
    per_household = definition.counted_per is CountedPer.household and household is not None
    return (household, person) if per_household and household is not None else (person,)


def unnamed(definition: ProgrammeDefinition, cases: Iterable[Case]) -> list[str]:
    """Whose household has to be looked up: the programme counts by households, and they ask without naming one."""
    return [case.person for case in cases if case.household is None] if definition.counted_per is CountedPer.household else []


def home_of(definition: ProgrammeDefinition, case: Case, desk: Desk) -> str | None:
    """The household that a grant counts with, named or not; None where there is none. `desk` has the person's place if none is named."""
    return desk.state(PLACE, case.person) if unnamed(definition, [case]) else case.household


def kin_of(definition: ProgrammeDefinition, file: HardshipFile | None) -> tuple[str, ...]:
    """Everybody whose own grants count together with a household's: what one of them brought along from another file."""
    per_household = definition.counted_per is CountedPer.household
    return tuple(one.person for one in file.members) if per_household and isinstance(file, Live) else ()


def period_of(definition: ProgrammeDefinition, application: str, day: date, incident: str | None = None) -> str:
    """What a grant of this day is for. A season belongs to the year it began in, and so does what is decided after it, until the next.

    `incident`: what the application says of its own; one that was drafted under other rules and says nothing is one by itself.
    """
    match definition.period:
        case Period.incident:
            return incident or application
        case Period.lifetime:
            return "lifetime"
        case Period.year:
            season = definition.season
            not_begun = season is not None and (day.month, day.day) < (season.first.month, season.first.day)
            return str(day.year - not_begun)
        case _:
            assert_never(definition.period)


def only_once(definition: ProgrammeDefinition, case: Case, period: str, *together: Beneficiary) -> None:
    """Raises AlreadyGranted, IncidentDuplicate where one of those that count together has been helped for this before."""
    twice = granted_for(case.programme, period, *together, apart=case.apart)
    if twice and definition.period is Period.incident:
        raise errors.IncidentDuplicate(twice[0], period)
    if twice:
        raise AlreadyGranted(twice[0], period)


# ------------------------------------------------------------------------------------------------------------- the rule


def _parts(command: commands.Decide) -> Sequence[Part]:
    _check_form(command)
    table = command.meeting.attendees if command.meeting is not None else ()
    parts = [Part(DECISION, command.decision), Part(PROGRAMME, command.programme)]
    if command.line is not None:
        parts.append(Part(BUDGET_LINE, command.line))
    parts += [Part(INTERESTS, principal) for principal in (command.by, *table)]
    for one in command.settled:
        parts += (Part(APPLICATION, one.application), Part(BENEFICIARY, one.person))
        if one.household is None:
            parts.append(Part(PLACE, one.person))
        for household in (one.household, one.home):
            if household is not None:
                parts += (Part(FILE, household), Part(BENEFICIARY, household))
        parts += [Part(BENEFICIARY, other) for other in (*one.doubles, *one.kin)]
    return once(parts)


def _check_form(command: commands.Decide) -> None:
    ids = [one.application for one in command.settled]
    if not 1 <= len(ids) <= CASES_MAX or len(set(ids)) < len(ids):
        raise errors.DecisionMalformed("cases", cases_max=CASES_MAX)
    if command.line is None and any(isinstance(one.outcome, commands.Grant) for one in command.settled):
        raise errors.DecisionMalformed("line")
    check_attendees(command.meeting, command.by)


def check_attendees(meeting: Meeting | None, by: str) -> None:
    """Nobody sits at the table twice, and who enters the decision sat there. Raises MeetingMalformed."""
    if meeting is not None and (len(set(meeting.attendees)) < len(meeting.attendees) or by not in meeting.attendees):
        raise errors.MeetingMalformed("attendees")


def judges_of(application: str, by: str, meeting: Meeting | None) -> tuple[str, ...]:
    """Who decides on a case: one, or those at the table who do not step aside. Raises MeetingMalformed."""
    if meeting is None:
        return (by,)
    aside = {recusal.principal for recusal in meeting.recusals if recusal.application == application}
    judges = tuple(one for one in meeting.attendees if one not in aside)
    if len(judges) < QUORUM:
        raise errors.MeetingMalformed("quorum", quorum=QUORUM)
    return judges


def _decide(command: commands.Decide, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    desk, today = Desk(_parts(command), states, now), day_in_china(now)
    if desk.state(DECISION, command.decision) is not None:
        raise errors.DecisionExists(command.decision)
    if command.meeting is not None and command.meeting.held_on > today:
        raise errors.DayToCome(command.meeting.held_on)
    sitting = _Sitting(command, desk, rules_on(desk.state(PROGRAMME, command.programme), command.programme, today), today)
    granted = [grant for one in command.settled if (grant := sitting.settle(one)) is not None]
    if granted and command.line is not None:
        items = tuple((one.entitlement, one.fen) for one in granted)
        own_line(desk, command.line, command.area)
        desk.ask(BUDGET_LINE, command.line, Reserve(command.line, command.decision, sitting.rules.definition.purpose, items))
    taken = DecisionTaken(
        decision=command.decision,
        organisation=command.organisation,
        level=command.level,
        by=command.how,
        decided_by=command.by,
        meeting=command.meeting,
        granted=len(granted),
        refused=len(command.settled) - len(granted),
        total_fen=sum(one.fen for one in granted),
        decided_on=today,
    )
    desk.add(DECISION, command.decision, taken)
    return desk.decided()


def own_line(desk: Desk, line: str, area: Collection[str]) -> None:
    """Whoever decides for a union and those below it spends their money, and no other's. Raises LineUnknown, LineClosed."""
    if opened(desk.state(BUDGET_LINE, line), line).organisation not in area:
        raise LineUnknown(line)


@dataclass(frozen=True, slots=True)
class _Sitting:
    """One decision under way, case by case."""

    command: commands.Decide
    desk: Desk
    rules: Published
    today: date

    def settle(self, one: commands.Settle) -> AidGranted | None:
        """Settle one case; what was granted. Raises what the rules say."""
        application = known(self.desk.state(APPLICATION, one.application), one.application)
        if not isinstance(application, Submitted):
            raise errors.ApplicationElsewhere(one.application, stage(application))
        file: HardshipFile | None = None if one.household is None else self.desk.state(FILE, one.household)
        if application.case.organisation not in self.command.area:
            raise errors.OutsideArea(one.application)
        if moved := list(self._moved(one, application, file)):
            raise errors.ApprovalStale(one.application, moved)
        home = self._home(one, application.case)
        self._check_table(one.application, application.case, concerned(application, home))
        match one.outcome:
            case commands.Grant(asked):
                if set(one.kin) != set(kin_of(self.rules.definition, home)):
                    raise errors.ApprovalStale(one.application, ["file"])
                granted = self._granted(one, application, asked)
                self.desk.add(APPLICATION, one.application, granted)
                return granted
            case commands.Refuse(reason):
                self.desk.add(APPLICATION, one.application, self._refused(one, application, reason))
                return None
            case _:
                assert_never(one.outcome)

    def _moved(self, one: commands.Settle, application: Submitted, file: HardshipFile | None) -> Iterable[str]:
        """What is not as it was seen, or not as it was verified."""
        case, found, seen = application.case, application.found, one.seen
        named = (one.person, one.household, self.command.programme)
        if (case.person, case.household, case.programme) != named or seen.application_version != case.version:
            yield "application"
        if not seen.programme_version == found.programme_version == self.rules.number:
            yield "programme"
        if not seen.file_version == found.file_version == (file.facts_version if isinstance(file, Live) else None):
            yield "file"
        if seen.documents != digest_of(case.documents):
            yield "documents"

    def _home(self, one: commands.Settle, case: Case) -> HardshipFile | None:
        """The file of the household that a grant counts with. Raises ApprovalStale where the person has moved since it was looked up."""
        home = home_of(self.rules.definition, case, self.desk)
        if home != (one.household or one.home):
            raise errors.ApprovalStale(one.application, ["file"])
        return None if home is None else self.desk.state(FILE, home)

    def _check_table(self, application: str, case: Case, people: Iterable[str]) -> None:
        """Whether those at the table may decide on this case. Raises ConflictOfInterest, DutiesNotSeparated, MeetingMalformed."""
        by = self.command.by
        judges = judges_of(application, by, self.command.meeting)
        whose = set(people)
        for judge in judges:
            no_conflict(judge, self.desk.state(INTERESTS, judge), whose)
        # Whoever enters the decision is a checker too, even where they step aside from the case itself.
        if not case.makers.isdisjoint({*judges, by}) or not case.decided_by.isdisjoint({*judges, by}):
            raise errors.DutiesNotSeparated(application)

    def _check_level(self, application: str, case: Case, fen: int) -> None:
        step = step_for(self.rules.definition, fen, floor=case.floor)
        if not suffices(step, self.command.level, self.command.how):
            raise errors.HigherLevelNeeded(application, fen, step.level, step.by)

    def _granted(self, one: commands.Settle, application: Submitted, asked: int | None) -> AidGranted:
        case, found, definition = application.case, application.found, self.rules.definition
        household = home_of(definition, case, self.desk)
        counted = counted_with(definition, case.person, household)
        may_receive(*(self.desk.state(BENEFICIARY, record) for record in (case.person, *one.doubles)))
        period = period_of(definition, one.application, self.today, case.incident)
        together = [self.desk.state(BENEFICIARY, record) for record in dict.fromkeys((*counted, *one.doubles, *one.kin))]
        only_once(definition, case, period, *together)
        year_fen, year_times = granted_in(self.today.year, case.programme, *together)
        failures = live_failures(definition, Today(one.standing, self.today, year_fen, year_times))
        if found.failed or failures:
            raise errors.NotEligible(one.application, [*found.failed, *(failure.condition for failure in failures)])
        if missing := lacking(definition, case, found):
            raise errors.EligibleNotCompliant(one.application, missing)
        entitled = payable(definition, found.entitled_fen, year_fen)
        fen = entitled if asked is None else asked
        if not 0 < fen <= entitled or (fen != entitled and not definition.discretionary):
            raise errors.AmountNotEntitled(one.application, entitled, fen)
        self._check_level(one.application, case, fen)
        granted = AidGranted(
            application=one.application,
            entitlement=entitlement_of(one.application, case.grants),
            organisation=case.organisation,
            person=case.person,
            household=household,
            payee=case.payee,
            line=self.command.line or "",
            reservation=self.command.decision,
            fen=fen,
            programme=case.programme,
            programme_version=self.rules.number,
            period=period,
            decision=self.command.decision,
            decided_by=self.command.by,
            level=self.command.level,
            in_kind=isinstance(definition.entitlement, InKind),
            granted_on=self.today,
        )
        for record in counted:
            self.desk.ask(BENEFICIARY, record, Count(counting(granted, record), case.apart))
        return granted

    def _refused(self, one: commands.Settle, application: Submitted, reason: str) -> AidRefused:
        self._check_level(one.application, application.case, 0)
        return AidRefused(
            application=one.application,
            person=application.case.person,
            reason=reason,
            failed=application.found.failed,
            decision=self.command.decision,
            decided_by=self.command.by,
            level=self.command.level,
            appeal_until=self.command.appeal_until,
            refused_on=self.today,
        )


def lacking(definition: ProgrammeDefinition, case: Case, found: Verification) -> list[str]:
    """The papers and steps that are missing before money may go."""
    has = {kind for kind, _ in case.documents}
    missing = [f"document:{kind}" for kind in found.documents_needed if kind not in has]
    if definition.notice is not None and (not found.cleared or found.upheld):
        missing.append("notice")
    if not isinstance(definition.entitlement, InKind) and not case.has_account:
        missing.append("account")
    return missing


def entitlement_of(application: str, grants: int) -> str:
    """The id of what is paid at most once: it follows from the application, and from how often a grant of it was taken back."""
    return command_id("entitlement", application, str(grants)).hex


def counting(granted: AidGranted, counted: str) -> AidCounted:
    """The grant as its beneficiary's stream keeps it."""
    return AidCounted(
        beneficiary=counted,
        application=granted.application,
        entitlement=granted.entitlement,
        programme=granted.programme,
        period=granted.period,
        fen=granted.fen,
        year=granted.granted_on.year,
    )


DECIDE: JointDecider[commands.Decide] = JointDecider(parts=_parts, decide=_decide)
