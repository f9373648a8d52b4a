"""A city with its unions and staff for the stories about aid, and what they do, over HTTP: every step by somebody whose job it is."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from assistance.funds.budget_line import line_id
from contracts.values import CHINA, day_in_china, resident_check
from foundation.broker.port import Broker
from foundation.clock import Clock, ManualClock
from node.embedded.postgres import Postgres

from .running_node import BOSS, TOP, RunningNode, running_node, until

COUNTY, TOWN, VILLAGE = "370902", "370902001", "370902001001"
DIVISIONS = f"""code,name,level,parent
{TOP},泰安市,city,
{COUNTY},泰山区,county,{TOP}
{TOWN},岱庙街道,township,{COUNTY}
{VILLAGE},东岳社区居委会,community,{TOWN}
"""
CLERK, STEWARD, AUDITOR = ("b" * 32, "c" * 32, "d" * 32)
APPROVER, DEPUTY, CHAIR = ("e" * 32, "f" * 32, "1" * 32)
"""Those who decide at the county: one of them alone, or the three as a meeting."""
ACCOUNTANT, TREASURER = ("2" * 32, "3" * 32)
"""Who proposes budgets at the county, and who approves them: neither decides on a case."""
CITY_APPROVER, CITY_DEPUTY, CITY_ACCOUNTANT, CITY_TREASURER = ("4" * 32, "5" * 32, "6" * 32, "7" * 32)
STAFF = (
    *((CLERK, "clerk", VILLAGE), (STEWARD, "steward", VILLAGE), (AUDITOR, "auditor", TOP)),
    *((one, "approver", COUNTY) for one in (APPROVER, DEPUTY, CHAIR, TREASURER)),
    *((one, "approver", TOP) for one in (CITY_APPROVER, CITY_DEPUTY, CITY_TREASURER)),
    *((ACCOUNTANT, "finance", COUNTY), (CITY_ACCOUNTANT, "finance", TOP)),
)
PAPER = "8" * 64
"""The digest of some signed paper."""

T = TypeVar("T")


def account(name: str = "王伟", number: str = "6228480000000000000") -> dict[str, str]:
    """A bank account as requests name it."""
    return {"bank": "农行泰山支行", "name": name, "number": number}


async def together(steps: Iterable[Awaitable[T]], at_once: int = 32) -> list[T]:
    """All of these, some at a time; their answers in order."""
    gate = asyncio.Semaphore(at_once)

    async def one(step: Awaitable[T]) -> T:
        async with gate:
            return await step

    return list(await asyncio.gather(*(one(step) for step in steps)))


@dataclass(frozen=True, slots=True)
class Aid:
    """A running node whose day is the story's."""

    node: RunningNode
    clock: ManualClock

    @property
    def today(self) -> date:
        return day_in_china(self.clock.now())

    def go_to(self, day: date) -> None:
        """It is nine in the morning of a later day."""
        self.clock.advance(datetime.combine(day, datetime.min.time(), CHINA) + timedelta(hours=9) - self.clock.now())

    async def send(self, url: str, body: Any, *, by: str) -> str:
        """A command that is accepted; the id of its stream."""
        answer = await self.node.post(f"assistance/{url}", body, by=by)
        assert answer.status_code in (200, 201), answer.text
        return str(answer.json()["stream"].split("-", 1)[1])

    async def refused(self, url: str, body: Any, problem: str, *, by: str) -> dict[str, Any]:
        """A command that is refused by this rule; what the caller is told."""
        answer = await self.node.post(f"assistance/{url}", body, by=by)
        told: dict[str, Any] = answer.json()
        assert told.get("type") == f"urn:tongxin:problem:{problem}", told
        return told

    async def see(self, url: str, *, by: str = AUDITOR, **params: Any) -> Any:
        """What somebody is shown, with all that has happened so far."""
        head = (await self.node.services["assistance"].http.state.application.store.head()).position
        up_to = {"at_least": f"assistance:{head}"} if head >= 0 else {}
        answer = await self.node.get(f"assistance/{url}", by=by, **up_to, **params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    # ------------------------------------------------------------------------------------------------- money and rules

    async def publish(self, programme: str, definition: dict[str, Any] | None = None) -> None:
        """Put rules in force, those that come with the system where no others are given."""
        if definition is None:
            shipped = {one["programme"]: one["definition"] for one in await self.see("programmes/shipped")}
            definition = shipped[programme]
        await self.send(f"programmes/{programme}/versions", {"organisation": TOP, "definition": definition}, by=BOSS)

    async def fund(self, fen: int, purpose: str, organisation: str = COUNTY) -> str:
        """An appropriation, proposed by one and approved by another; the line that it reached."""
        maker, checker = (ACCOUNTANT, TREASURER) if organisation == COUNTY else (CITY_ACCOUNTANT, CITY_TREASURER)
        body = {"organisation": organisation, "year": self.today.year, "source": "superior", "purpose": purpose}
        proposal = await self.send("budget/appropriations", body | {"fen": fen, "document": PAPER}, by=maker)
        await self.send(f"budget/proposals/{proposal}/approval", None, by=checker)
        return self.line(purpose, organisation)

    def line(self, purpose: str, organisation: str = COUNTY) -> str:
        """This year's line."""
        return line_id(organisation, self.today.year, "superior", purpose)

    async def balances(self, line: str) -> dict[str, Any]:
        """A line with its balances."""
        return dict(await self.see(f"budget/lines/{line}"))

    # -------------------------------------------------------------------------------------------------------- the case

    async def member(self, order: int, name: str = "王伟") -> str:
        """Somebody joins the village's union, and assistance has heard of it."""
        first17 = f"37090219800101{order:03d}"
        document = {"kind": "resident", "number": first17 + resident_check(first17)}
        body = {"organisation": VILLAGE, "on": "2024-05-01", "name": name, "document": document}
        answer = await self.node.post("membership/members", body, by=CLERK)
        assert answer.status_code == 201, answer.text
        person = str(answer.json()["stream"].split("-", 1)[1])
        shown = await self.node.get(f"assistance/people/{person}/eligibility", by=AUDITOR, at_least=answer.headers["position"])
        assert shown.status_code == 200, shown.text
        return person

    async def household(self, applicant: str, *others: dict[str, Any], level: str = "deep", **more: Any) -> str:
        """A household's hardship file, with its level set."""
        members = [{"person": applicant, "relation": "applicant"}, *others]
        body = {"organisation": VILLAGE, "members": members, "circumstances": {}, "account": account(), "on": f"{self.today}"} | more
        household = await self.send("hardship/files", body, by=CLERK)
        await self.send(f"hardship/files/{household}/levels", {"level": level, "paper": PAPER, "on": f"{self.today}"}, by=DEPUTY)
        return household

    async def drafted(self, programme: str, person: str, papers: Sequence[str] = (), **more: Any) -> str:
        """An application, with its papers."""
        body = {"organisation": VILLAGE, "programme": programme, "person": person, "account": account(), "on": f"{self.today}"} | more
        application = await self.send("aid/applications", body, by=CLERK)
        for kind in papers:
            await self.attached(application, kind)
        return application

    async def attached(self, application: str, kind: str) -> None:
        """One more paper."""
        await self.send(f"aid/applications/{application}/documents", {"kind": kind, "digest": PAPER}, by=CLERK)

    async def visited(self, application: str, **facts: Any) -> None:
        """A visit, and what it found."""
        body = {"facts": facts, "finding": "属实", "visitors": [STEWARD], "visited_on": f"{self.today}"}
        await self.send(f"aid/applications/{application}/verification", body, by=STEWARD)

    async def posted(self, applications: Sequence[str]) -> None:
        """On the wall for five working days, with nobody against it, and down again. Of 200 at most."""
        hung = {"organisation": VILLAGE, "applications": list(applications), "sheet": PAPER, "on": f"{self.today}"}
        notice = await self.send("aid/notices", hung, by=CLERK)
        until = date.fromisoformat((await self.see(f"aid/notices/{notice}"))["until"])
        self.go_to(until + timedelta(days=1))
        await self.send(f"aid/notices/{notice}/taking-down", {"photo": PAPER, "on": f"{self.today}"}, by=CLERK)

    async def submitted(self, application: str) -> None:
        """Stamped, and up."""
        await self.send(f"aid/applications/{application}/submission", {"stamped": PAPER, "on": f"{self.today}"}, by=CLERK)

    async def case(self, application: str, *, by: str = APPROVER, outcome: str = "grant", **more: Any) -> dict[str, Any]:
        """A case of a decision, as whoever decides sees it."""
        seen = (await self.see(f"aid/applications/{application}", by=by))["seen"]
        return {"application": application, "seen": seen, "outcome": outcome} | more

    async def decision(self, line: str, *applications: str, organisation: str = COUNTY, **more: Any) -> dict[str, Any]:
        """A decision that grants what is seen."""
        cases = await together(self.case(one) for one in applications)
        programme = (await self.see(f"aid/applications/{applications[0]}"))["programme"]
        return {"organisation": organisation, "programme": programme, "line": line, "cases": cases} | more


def meeting(held_on: date, *attendees: str) -> dict[str, Any]:
    """A meeting's minutes."""
    return {"held_on": f"{held_on}", "attendees": list(attendees), "minutes": f"泰工纪要〔{held_on.year}〕12号", "paper": PAPER}


@asynccontextmanager
async def aid(
    postgres: Postgres,
    folder: Path,
    begins_on: date,
    *,
    broker: Broker | None = None,
    with_rights: bool = False,
    bank: Callable[[Clock], Any] | None = None,
) -> AsyncIterator[Aid]:
    """The city with its staff, at nine in the morning of a day. `bank`: makes the bank that it pays through."""
    clock = ManualClock(datetime.combine(begins_on, datetime.min.time(), CHINA) + timedelta(hours=9))
    counter = None if bank is None else bank(clock)
    async with running_node(postgres, folder, clock=clock, broker=broker, with_rights=with_rights, bank=counter) as node:
        answer = await node.upload("membership/imports/divisions?effective_on=2020-01-01", DIVISIONS.encode())
        assert answer.status_code == 200, answer.text
        for principal, role, organisation in STAFF:
            await node.appoint(principal, role, organisation)
        story = Aid(node, clock)

        async def follows() -> bool:
            told = [(principal, organisation) for principal, role, organisation in STAFF if role == "finance"][-1]
            return (await node.get("assistance/aid/exposure", by=told[0], organisation=told[1])).status_code == 200

        await until(follows)
        yield story
