"""A city with its unions and staff for the stories about aid, and what they do, over HTTP: every step by somebody whose job it is."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from assistance.funds.budget_line import line_id
from contracts.values import CHINA, day_in_china, resident_check
from fastapi import FastAPI
from foundation.broker.port import Broker
from foundation.clock import Clock, ManualClock
from node.embedded.postgres import Postgres
from simulated_bank.app import create_app
from simulated_bank.behaviour import Behaviour
from simulated_bank.book import Account, Book

from tests.support import PATIENCE_SECONDS

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
ACCOUNTANT, CASHIER, PAYER, TREASURER = ("2" * 32, "3" * 32, "4" * 32, "5" * 32)
"""Of the county's finance: who proposes budgets and makes batches, who checks and who releases them; and who approves budgets.

None of them decides on a case.
"""
CITY_APPROVER, CITY_DEPUTY, CITY_ACCOUNTANT, CITY_TREASURER = ("6" * 32, "7" * 32, "9" * 32, "0" * 32)
STAFF = (
    *((CLERK, "clerk", VILLAGE), (STEWARD, "steward", VILLAGE), (AUDITOR, "auditor", TOP)),
    *((one, "approver", COUNTY) for one in (APPROVER, DEPUTY, CHAIR, TREASURER)),
    *((one, "approver", TOP) for one in (CITY_APPROVER, CITY_DEPUTY, CITY_TREASURER)),
    *((one, "finance", COUNTY) for one in (ACCOUNTANT, CASHIER, PAYER)),
    (CITY_ACCOUNTANT, "finance", TOP),
)
PAPER = "8" * 64
"""The digest of some signed paper."""
ACCOUNT, HOLDER = "3709020000000001", "泰山区总工会"
"""The county's account at the bank, and its name there."""
MUTUAL_ACCOUNT, MUTUAL_HOLDER = "3709000000000088", "泰安市职工互助保障会"
ACCOUNTS = {ACCOUNT: HOLDER, MUTUAL_ACCOUNT: MUTUAL_HOLDER}

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

    async def fund(self, fen: int, purpose: str, organisation: str = COUNTY, *, by: Sequence[str] = (ACCOUNTANT, TREASURER)) -> str:
        """An appropriation, proposed by one and approved by another; the line that it reached."""
        maker, checker = by
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

    # --------------------------------------------------------------------------------------------------------- by lists

    async def listed(self, url: str, body: Any, rows: str | None = None, *, by: str) -> list[str]:
        """A list that is accepted; the ids of its rows, where it makes some."""
        answer = await self.node.post(f"assistance/{url}", body, by=by)
        assert answer.status_code in (200, 201), answer.text
        return [] if rows is None else list(answer.json()[rows])

    async def sent_up(self, applications: Sequence[str]) -> None:
        """Stamped lists of 200 at the most, and up."""
        for first in range(0, len(applications), 200):
            some = {"applications": list(applications[first : first + 200]), "stamped": PAPER, "on": f"{self.today}"}
            await self.listed("aid/submission-lists", some, by=CLERK)

    async def agenda(self, programme: str, *, by: str = APPROVER, organisation: str = COUNTY) -> list[dict[str, Any]]:
        """What waits for a decision, page by page, 200 at the most."""
        asked = {"organisation": organisation, "programme": programme, "limit": 200}
        page = await self.see("aid/agenda", by=by, **asked)
        found = list(page["items"])
        while page["next"] is not None:
            page = await self.see("aid/agenda", by=by, **asked, cursor=page["next"])
            found += page["items"]
        return found

    async def granted(self, line: str, programme: str, *, organisation: str = COUNTY, **more: Any) -> list[str]:
        """Everything on the agenda is granted as it is seen, 200 cases in a decision; the applications in order."""
        waiting = await self.agenda(programme, organisation=organisation)
        for first in range(0, len(waiting), 200):
            some = waiting[first : first + 200]
            cases = [{"application": one["application"], "seen": one["seen"], "outcome": "grant"} for one in some]
            decision = {"organisation": organisation, "programme": programme, "line": line, "cases": cases}
            await self.send("aid/decisions", decision | more, by=APPROVER)
        return [one["application"] for one in waiting]

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

    async def drafted(self, programme: str, person: str, papers: Sequence[str] = (), *, by: str = CLERK, **more: Any) -> str:
        """An application, with its papers."""
        body = {"organisation": VILLAGE, "programme": programme, "person": person, "account": account(), "on": f"{self.today}"}
        body |= {"incident_on": f"{self.today}"} | more
        application = await self.send("aid/applications", body, by=by)
        for kind in papers:
            await self.attached(application, kind, by=by)
        return application

    async def attached(self, application: str, kind: str, *, by: str = CLERK) -> None:
        """One more paper."""
        await self.send(f"aid/applications/{application}/documents", {"kind": kind, "digest": PAPER}, by=by)

    async def visited(self, application: str, **facts: Any) -> None:
        """A visit, and what it found."""
        body = {"facts": facts, "finding": "属实", "visitors": [STEWARD], "visited_on": f"{self.today}"}
        await self.send(f"aid/applications/{application}/verification", body, by=STEWARD)

    async def posted(self, applications: Sequence[str]) -> None:
        """On the wall for five working days, 200 on a sheet, with nobody against it, and down again."""
        notices = []
        for first in range(0, len(applications), 200):
            hung = {"organisation": VILLAGE, "applications": list(applications[first : first + 200]), "on": f"{self.today}"}
            looked = await self.node.post("assistance/aid/notice-sheets", hung, by=CLERK)
            assert looked.status_code == 200, looked.text
            notices.append(await self.send("aid/notices", hung | {"sheet": looked.headers["x-sheet-digest"]}, by=CLERK))
        until = date.fromisoformat((await self.see(f"aid/notices/{notices[0]}"))["until"])
        self.go_to(until + timedelta(days=1))
        for notice in notices:
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

    # -------------------------------------------------------------------------------------------------------- the bank

    async def opened_account(
        self, number: str = ACCOUNT, holder: str = HOLDER, *, organisation: str = COUNTY, by: Sequence[str] = (ACCOUNTANT, CASHIER)
    ) -> None:
        """From now on a union pays from its account; two enter it."""
        body = {"account": number, "organisation": organisation, "bank": "农行泰安分行", "holder": holder, "paper": PAPER}
        for one in by:
            await self.send("payments/accounts", body, by=one)

    async def batch(
        self, *entitlements: str, at_most: int = 10_000, number: str = ACCOUNT, organisation: str = COUNTY, maker: str = ACCOUNTANT
    ) -> str:
        """A batch of these payments, or of what is due."""
        body = {"organisation": organisation, "account": number, "execute_on": f"{self.today}"}
        batch = await self.send("payments/batches", body, by=maker)
        await self.see("payments/batches", by=maker, organisation=organisation)
        filled: dict[str, Any] = {"count": 0, "after": ""}
        while filled["count"] < at_most and filled["after"] is not None:
            asked = {"limit": min(200, at_most - filled["count"]), "entitlements": list(entitlements) or None}
            answer = await self.node.post(f"assistance/payments/batches/{batch}/items", asked, by=maker)
            assert answer.status_code == 200, answer.text
            filled = answer.json()
            assert filled["held"] == [], filled
            await self.see("payments/due", by=maker, organisation=organisation)
        return batch

    async def released(self, batch: str, *, checker: str = CASHIER, payer: str = PAYER) -> None:
        """Checked by a second one, released by a third."""
        told = await self.see(f"payments/batches/{batch}", by=checker)
        await self.send(f"payments/batches/{batch}/check", {"count": told["count"], "total_fen": told["total_fen"]}, by=checker)
        await self.send(f"payments/batches/{batch}/release", None, by=payer)

    async def answered(self, batch: str, seconds_max: float = PATIENCE_SECONDS) -> None:
        """The bank has said what became of every payment in a batch."""
        pool = self.node.services["assistance"].http.state.application.pool
        open_ = "select count(*) from payment_instructions where batch = $1 and outcome = 'under way'"

        async def all_told() -> bool:
            self.clock.advance(timedelta(seconds=1))
            return not await pool.fetchval(open_, batch)

        await until(all_told, seconds_max)

    async def transferred(self) -> list[dict[str, Any]]:
        """What really left the union's accounts, by the bank's own log."""
        log = (await self.node.client.get("http://bank/log")).text
        return [line for line in map(json.loads, log.splitlines()) if line["kind"] == "transferred"]

    async def payment(self, entitlement: str) -> dict[str, Any]:
        """How a payment stands."""
        return dict(await self.see(f"payments/entitlements/{entitlement}"))


def meeting(held_on: date, *attendees: str) -> dict[str, Any]:
    """A meeting's minutes."""
    return {"held_on": f"{held_on}", "attendees": list(attendees), "minutes": f"泰工纪要〔{held_on.year}〕12号", "paper": PAPER}


def good_bank(folder: Path, clock: Clock) -> FastAPI:
    """A bank that does what it is told, where the unions have money."""
    (folder / "bank").mkdir()
    book = Book(folder / "bank" / "log.jsonl", Behaviour(), clock.now)
    book.open_accounts(Account(number, name, fen=10_000_000_000) for number, name in ACCOUNTS.items())
    return create_app(folder / "bank", hang_seconds=0, now=clock.now)


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
    """The city with its staff, at nine in the morning of a day. `bank`: makes the bank that it pays through, in the place of a good one."""
    clock = ManualClock(datetime.combine(begins_on, datetime.min.time(), CHINA) + timedelta(hours=9))
    counter = good_bank(folder, clock) if bank is None else bank(clock)
    async with (
        counter.router.lifespan_context(counter),
        running_node(postgres, folder, clock=clock, broker=broker, with_rights=with_rights, bank=counter) as node,
    ):
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
