"""Every stream of assistance in memory, to ask rules over several of them; sealed values are gone before the next question."""

from collections import defaultdict
from datetime import date, datetime, timedelta
from typing import Any

from assistance.applications import commands
from assistance.applications.application import Case, Submitted
from assistance.applications.deciding import DECIDE, digest_of, kin_of, unnamed
from assistance.applications.following import APPLICATION
from assistance.applications.making import ATTACH, DRAFT, SUBMIT, VERIFY
from assistance.funds.budget_line import BUDGET_LINE
from assistance.hardship import commands as hardship
from assistance.hardship.file import FILE, Live
from assistance.hardship.households import OPEN, PLACE, SET_LEVEL
from assistance.interests.interests import INTERESTS, Declare
from assistance.notices.notice import NOTICE, POST, TAKE_DOWN, Post, TakeDown
from assistance.programmes import commands as programmes
from assistance.programmes.programme import PROGRAMME, Published
from assistance.workdays import WorkingDays
from contracts.assistance import FundsAppropriated, LineOpened
from contracts.assistance.applications import InterestKind, Meeting, Recusal
from contracts.assistance.hardship import BankAccount, Household, HouseholdMember, Relation
from contracts.assistance.programmes import ProgrammeDefinition
from contracts.kernel import Event
from contracts.membership import Level
from contracts.values import day_in_china
from foundation.decider import NOON, Decider, JointDecider, as_stored

CITY, COUNTY, UNION, ELSEWHERE = "3709", "370911", "370911001.A1", "370902001.B1"
LINE, HOUSEHOLD = "1" * 32, "2" * 32
CLERK, STEWARD, APPROVER, DEPUTY, CHAIR, PAYER, CITY_APPROVER, CITY_DEPUTY = (letter * 32 for letter in "abcdef34")
WANG, LI, CHILD = "5" * 32, "6" * 32, "7" * 32
PAPER = "8" * 64
ACCOUNT = BankAccount(bank="农行", name="王伟", number="6228480000000000000")
ILL: dict[str, int | bool | str] = {"serious_illness": True, "third_party_pays": False, "self_paid_fen": 1500000}
"""Comes to 20 % of 10,000 yuan: 2,000."""
PAPERS = ("diagnosis", "settlement", "invoices")
"""What medical relief asks for."""
YUAN = 100


class World:
    """Asks rules and keeps what happened."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self.incidents = 0
        self.streams: defaultdict[str, list[Event]] = defaultdict(list)

    @property
    def today(self) -> date:
        return day_in_china(self.now)

    def later(self, days: int) -> None:
        self.now += timedelta(days=days)

    def state(self, decider: Decider[Any, Any], id: str) -> Any:
        return decider.fold(self.streams[decider.stream(id)])

    def ask(self, decider: Decider[Any, Any], id: str, command: Any) -> list[Event]:
        events = [as_stored(event) for event in decider.decide(command, self.state(decider, id), self.now)]
        self.streams[decider.stream(id)] += events
        return events

    def ask_joint(self, joint: JointDecider[Any], command: Any) -> list[Event]:
        parts = joint.parts(command)
        assert len({part.stream for part in parts}) == len(parts), "a stream is named twice"
        decided = joint.decide(command, [self.state(part.decider, part.id) for part in parts], self.now)
        for part, events in zip(parts, decided, strict=True):
            self.streams[part.stream] += [as_stored(event) for event in events]
        return [event for events in decided for event in events]

    # --------------------------------------------------------------------------------------------------- what is there

    def publish(self, code: str, definition: ProgrammeDefinition, *, organisation: str = CITY) -> None:
        self.ask(PROGRAMME, code, programmes.Publish(code, organisation, definition))

    def fund(self, fen: int, *, line: str = LINE, purpose: str = "aid", year: int = 2026) -> None:
        self.streams[BUDGET_LINE.stream(line)] += [
            LineOpened(line=line, organisation=COUNTY, year=year, source="own", purpose=purpose, earmarked=False),
            FundsAppropriated(line=line, proposal="9" * 32, lot=1, fen=fen, document=PAPER, booked_on=date(year, 1, 2)),
        ]

    def available(self, line: str = LINE) -> int:
        fen: int = self.state(BUDGET_LINE, line).available_fen
        return fen

    def household(self, *, household: str = HOUSEHOLD, level: str | None = "deep", people: tuple[str, ...] = (WANG, LI)) -> None:
        members = tuple(
            HouseholdMember(person=person, relation=Relation.spouse if number else Relation.applicant)
            for number, person in enumerate(people)
        )
        told = Household(household_month_fen=200000, heads=len(people))
        self.ask_joint(OPEN, hardship.Open(household, UNION, hardship.Particulars(members, told, ACCOUNT), self.today, CLERK))
        if level is not None:
            review = self.today + timedelta(days=365)
            self.ask_joint(SET_LEVEL, hardship.SetLevel(household, level, PAPER, self.today, review, APPROVER))

    def declare(self, principal: str, person: str) -> None:
        self.ask(INTERESTS, principal, Declare(principal, person, InterestKind.relative))

    # ------------------------------------------------------------------------------------------------- an application's way

    def draft(
        self, application: str, programme: str, *, person: str = WANG, household: str | None = None, by: str = CLERK, **more: Any
    ) -> None:
        self.incidents += 1  # each application is about something of its own, where nothing else is said
        told: dict[str, Any] = {
            "incident_on": self.today - timedelta(days=self.incidents),
            "payee": person,
            "statement": "…",
            "account": ACCOUNT,
            "organisation": UNION,
            "on": self.today,
            "above": (UNION, COUNTY, CITY),
        }
        told |= more
        self.ask_joint(DRAFT, commands.Draft(application, programme=programme, person=person, household=household, by=by, **told))

    def verify(self, application: str, facts: dict[str, Any], *, by: str = STEWARD, visitors: tuple[str, ...] = (STEWARD,)) -> None:
        case = self.state(APPLICATION, application).case
        file = None if case.household is None else self.state(FILE, case.household)
        told = Household(household_month_fen=200000, heads=2) if isinstance(file, Live) else None
        version = file.facts_version if isinstance(file, Live) else None
        command = commands.Verify(application, case.programme, case.household, told, version, facts, "…", visitors, self.today, by)
        self.ask_joint(VERIFY, command)

    def attach(self, application: str, *kinds: str, by: str = CLERK) -> None:
        case = self.state(APPLICATION, application).case
        for kind in kinds:
            self.ask_joint(ATTACH, commands.Attach(application, case.programme, kind, digest_for(kind), by))

    def post(self, *applications: str, notice: str = "9" * 32, by: str = CLERK) -> None:
        programme = self.state(APPLICATION, applications[0]).case.programme
        command = Post(notice, UNION, frozenset({UNION}), programme, applications, PAPER, self.today, WorkingDays(), by)
        self.ask_joint(POST, command)

    def take_down(self, *applications: str, notice: str = "9" * 32) -> None:
        self.ask_joint(TAKE_DOWN, TakeDown(notice, applications, PAPER, self.today))

    def submit(self, application: str, *, by: str = CLERK) -> None:
        programme = self.state(APPLICATION, application).case.programme
        self.ask_joint(SUBMIT, commands.Submit(application, programme, PAPER, self.today, by))

    def submitted(self, application: str, programme: str, facts: dict[str, Any], *kinds: str, **more: Any) -> None:
        """All the way up, notice included."""
        self.draft(application, programme, **more)
        self.attach(application, *kinds)
        self.verify(application, facts)
        if self.state(PROGRAMME, programme).definition.notice is not None:
            self.post(application, notice=application)
            self.later((self.state(NOTICE, application).posted.until - self.today).days + 1)
            self.take_down(application, notice=application)
        self.submit(application)

    def seen(self, application: str) -> commands.Seen:
        found = self.state(APPLICATION, application)
        assert isinstance(found, Submitted)
        file = None if found.case.household is None else self.state(FILE, found.case.household)
        programme: Published = self.state(PROGRAMME, found.case.programme)
        version = file.facts_version if isinstance(file, Live) else None
        return commands.Seen(found.case.version, programme.number, version, digest_of(found.case.documents))

    def settle(self, application: str, outcome: commands.Grant | commands.Refuse | None = None, **more: Any) -> commands.Settle:
        case = self.state(APPLICATION, application).case
        told: dict[str, Any] = {"seen": self.seen(application), "standing": "active", **self.together(case)} | more
        return commands.Settle(application, case.person, case.household, outcome=outcome or commands.Grant(), **told)

    def together(self, case: Case) -> dict[str, Any]:
        """What a route looks up of the household that a case counts with."""
        definition = self.state(PROGRAMME, case.programme).definition
        home = self.state(PLACE, case.person) if unnamed(definition, [case]) else None
        household = case.household or home
        return {"home": home, "kin": kin_of(definition, None if household is None else self.state(FILE, household))}

    def decide(
        self, *settled: commands.Settle, decision: str = "0" * 32, by: str = APPROVER, level: Level = Level.county, **more: Any
    ) -> list[Event]:
        programme = self.state(APPLICATION, settled[0].application).case.programme
        told: dict[str, Any] = {
            "organisation": COUNTY,
            "area": frozenset({COUNTY, UNION}),
            "line": LINE,
            "meeting": None,
            "appeal_until": self.today + timedelta(days=14),
        } | more
        return self.ask_joint(DECIDE, commands.Decide(decision=decision, level=level, programme=programme, settled=settled, by=by, **told))

    def grant(self, application: str, **more: Any) -> list[Event]:
        return self.decide(self.settle(application), decision=application, **more)


def digest_for(text: str) -> str:
    """A digest for a paper's kind."""
    return (text.encode().hex() + "0" * 64)[:64]


def meeting(*attendees: str, recusals: tuple[Recusal, ...] = ()) -> Meeting:
    """A meeting held on the day that specifications stand at."""
    return Meeting(held_on=day_in_china(NOON), attendees=attendees, recusals=recusals, minutes="泰工纪要〔2026〕12号", paper=PAPER)
