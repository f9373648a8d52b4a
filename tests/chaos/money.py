"""Aid on its way from the application to the bank, over HTTP, by people who go on whatever dies; and the bank's own log."""

import asyncio
import json
import shutil
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import httpx
import psutil
from assistance.applications.deciding import entitlement_of
from assistance.funds.budget_line import line_id
from assistance.programmes.definition import parsed
from contracts.values import day_in_china
from foundation.clock import SystemClock
from foundation.http.tokens import NodeIssuer, SigningKey
from node.embedded.ports import free_port

from tests.support import PATIENCE_SECONDS

from .load import BOSS, COUNTY, TOP, VILLAGES, Command, Load
from .machine import Machine, Node, until

CLERK, VISITOR = "b" * 32, "7" * 32
APPROVER, DEPUTY, TREASURER = "e" * 32, "f" * 32, "5" * 32
ACCOUNTANT, CASHIER, PAYER = "2" * 32, "3" * 32, "4" * 32
STAFF = (
    *((CLERK, "clerk"), (VISITOR, "steward"), (ACCOUNTANT, "finance"), (CASHIER, "finance"), (PAYER, "finance")),
    *((APPROVER, "approver"), (DEPUTY, "approver"), (TREASURER, "approver")),
)
TOWNSHIP, VILLAGE = "370902001", VILLAGES[0]
SOURCES = ("superior", "contributions", "dues", "government", "administration", "central_hardship", "donation")
PURPOSES = ("aid", "aid.medical")
FUNDS_MAX = len(SOURCES) * len(PURPOSES)
"""Budget lines that an organisation can pay from here."""

PAPER = "8" * 64
FEN = 100_000
_DAY = day_in_china(SystemClock().now())
YEAR, TODAY = _DAY.year, _DAY.isoformat()
ASSISTANCE = ("/aid/", "/payments/", "/budget/", "/programmes/", "/people/")
ASKED_AGAIN_SECONDS = 0.5
PEOPLE = 4

SHIPPED = Path(__file__).parents[2] / "services" / "assistance" / "src" / "assistance" / "programmes" / "shipped"


class Bank:
    """The bank in a process of its own, on a log of its own."""

    def __init__(self, machine: Machine) -> None:
        self._machine, self._folder, self.port = machine, machine.folder.root / "bank", free_port()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        self._process: psutil.Process | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, *, hang_seconds: float = 600, **behaviour: Any) -> None:
        """Start it, behaving like this."""
        how = {"folder": str(self._folder), "port": self.port, "hang_seconds": hang_seconds, "behaviour": behaviour}
        self._process = self._machine.bear("bank", "bank", **how)

        async def answers() -> bool:
            with suppress(httpx.HTTPError):
                return (await self._asked("GET", "/log")).status_code == 200
            return False

        await until(answers, "the bank opens")

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            with suppress(psutil.NoSuchProcess):
                self._process.kill()
                self._process.wait()

    async def behave(self, **behaviour: Any) -> None:
        """From now on like this."""
        assert (await self._asked("PUT", "/behaviour", json=behaviour)).status_code == 200

    async def open_account(self, account: str) -> None:
        """An account of the union's, with money."""
        opened = await self._asked("POST", "/accounts", json=[{"account": account, "name": "泰山区总工会", "fen": 10**9}])
        assert opened.status_code == 204, opened.text

    async def disowns(self, message: str) -> bool:
        """Whether the bank writes that it never had a file, and will not take it; not now where it is closed."""
        with suppress(httpx.HTTPError):
            return (await self._asked("DELETE", f"/payment-files/{message}")).status_code == 204
        return False

    async def _asked(self, method: str, path: str, **more: Any) -> httpx.Response:
        async with httpx.AsyncClient() as client:
            return await client.request(method, self.url + path, **more)

    def log(self, account: str | None = None) -> list[dict[str, Any]]:
        """What really happened: all of it, or what was paid from one account and came back to it."""
        whole = [json.loads(line) for line in (self._folder / "log.jsonl").read_text("utf-8").splitlines()]
        files = {line["message"] for line in whole if line["kind"] == "file" and line["debtor"] == account}
        return [line for line in whole if account is None or line.get("message") in files]

    async def has(self, message: str) -> None:
        """Return once it has executed a file."""

        async def there() -> bool:
            return any(line["kind"] == "file" and line["message"] == message for line in self.log())

        await until(there, "the bank has the file")

    def standing(self, account: str) -> Counter[str]:
        """By entitlement, how often it was paid from the account and did not come back."""
        signs = {"transferred": 1, "returned": -1}
        standing: Counter[str] = Counter()
        for line in self.log(account):
            if line["kind"] in signs:
                standing[line["end_to_end"]] += signs[line["kind"]]
        return standing


@dataclass(frozen=True, slots=True)
class Fund:
    """A budget line, and the account that pays from it."""

    organisation: str
    source: str
    purpose: str
    account: str

    @property
    def line(self) -> str:
        """The line's id."""
        return line_id(self.organisation, YEAR, self.source, self.purpose)


@dataclass(frozen=True, slots=True)
class Case:
    """An application, and the entitlement that it will be once it is granted."""

    application: str

    @property
    def entitlement(self) -> str:
        """The id of what is paid at most once."""
        return entitlement_of(self.application, 0)


class Money(Load):
    """Staff of one county, with its processes of assistance to ask, and its bank."""

    def __init__(self, node: Node, bank: Bank, seed: int) -> None:
        super().__init__(node, seed)
        self.bank = bank
        self._turns: Iterator[str] = iter(())
        self._incidents = 0
        self.funds: Counter[str] = Counter()
        """By organisation, how many there are."""
        self.choice = Random(f"money {seed}")
        issuer = NodeIssuer(
            SigningKey.at(node.machine.secrets.signing_key), issuer=f"urn:tongxin:node:{TOP}", audience="tongxin", clock=SystemClock()
        )
        self._tokens |= {who: issuer.mint(who, ttl_seconds=8 * 3600) for who, _ in STAFF}

    # ------------------------------------------------------------------------------------------------------------- asking

    async def ask(self, by: str, path: str, body: Any, door: str | None = None) -> Command:
        """A command to one of the processes, until it is answered."""
        return await self.send(Command(by, path, body, None), door)

    def door(self, path: str) -> str:
        """One of the processes that have the path."""
        return self.choice.choice(self.node.addresses("assistance")) if path.startswith(ASSISTANCE) else super().door(path)

    async def done(self, by: str, path: str, body: Any) -> str:
        """A command that has to be accepted; the id of its stream."""
        command = await self.ask(by, path, body)
        assert command.accepted, (path, command.status, command.answer)
        return str(command.answer.get("stream", "-")).split("-", 1)[1]

    async def see(self, by: str, path: str, **params: Any) -> Any:
        """What somebody is shown, by whichever process answers; None where it is refused."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                with suppress(httpx.HTTPError):
                    answer = await self._client.get(self.door(path) + path, headers=self._headers(by), params=params)
                    if answer.status_code < 500:
                        return answer.json() if answer.status_code == 200 else None
                await asyncio.sleep(0.05)

    # ---------------------------------------------------------------------------------------------------------- preparing

    async def prepare(self) -> None:
        """Staff, rules, and people."""
        await self.settle()
        posts = [{"principal": who, "organisation": COUNTY, "role": role, "valid_from": "2020-01-01"} for who, role in STAFF]
        await asyncio.gather(*(self.send(Command(BOSS, "/appointments", post, "membership.StaffAppointed.v1")) for post in posts))

        async def follows() -> bool:
            shown = [await self.see(who, "/payments/due", organisation=COUNTY) for who in (PAYER, TREASURER)]
            return None not in shown

        await until(follows, "assistance knows the staff")
        await self.done(BOSS, "/programmes/medical/versions", {"organisation": TOP, "definition": _rules()})
        admissions = [Command(CLERK, "/members", self._person(VILLAGE), "membership.MemberAdmitted.v1") for _ in range(PEOPLE)]
        await asyncio.gather(*map(self.send, admissions))
        people = [command.answer["stream"].removeprefix("member-") for command in admissions]

        async def known() -> bool:
            return all([await self.see(CLERK, f"/people/{member}/eligibility") for member in people])

        await until(known, "assistance knows the members")
        self._turns = cycle(people)

    async def fund(self, organisation: str, cases: int) -> Fund:
        """The next line of an organisation's, with money for so many cases, and its account here and at the bank."""
        number = self.funds[organisation]
        self.funds[organisation] += 1
        account = f"{organisation:0<12}{number:04d}"
        fund = Fund(organisation, SOURCES[number % len(SOURCES)], PURPOSES[number // len(SOURCES)], account)
        asked = {"organisation": organisation, "year": YEAR, "source": fund.source, "purpose": fund.purpose, "document": PAPER}
        proposal = await self.done(ACCOUNTANT, "/budget/appropriations", asked | {"fen": cases * FEN})
        await self.done(TREASURER, f"/budget/proposals/{proposal}/approval", None)
        own = {"account": account, "organisation": organisation, "bank": "农行泰安分行", "holder": "泰山区总工会", "paper": PAPER}
        for who in (ACCOUNTANT, CASHIER):
            await self.done(who, "/payments/accounts", own)
        await self.bank.open_account(account)
        return fund

    async def applications(self, count: int) -> list[Case]:
        """So many before those who decide, one person's after another's."""
        return list(await asyncio.gather(*(self._application(next(self._turns)) for _ in range(count))))

    async def _application(self, person: str) -> Case:
        self._incidents += 1
        incident_on = f"{date.fromisoformat(TODAY) - timedelta(days=self._incidents)}"
        body = {"organisation": VILLAGE, "programme": "medical", "person": person, "account": self._account(), "on": TODAY}
        application = await self.done(CLERK, "/aid/applications", body | {"incident_on": incident_on})
        here = f"/aid/applications/{application}"
        await self.done(CLERK, f"{here}/documents", {"kind": "invoices", "digest": PAPER})
        found = {"facts": {"serious_illness": True, "third_party_pays": False, "self_paid_fen": 1}, "visitors": [VISITOR]}
        await self.done(VISITOR, f"{here}/verification", found | {"visited_on": TODAY})
        await self.done(CLERK, f"{here}/submission", {"stamped": PAPER, "on": TODAY})
        return Case(application)

    def _account(self) -> dict[str, str]:
        return {"bank": "农行泰山支行", "name": "张三", "number": f"6228480{self.choice.randrange(10**12):012d}"}

    # ------------------------------------------------------------------------------------------------------------- paying

    async def decision(self, by: str, fund: Fund, cases: Sequence[Case]) -> dict[str, Any]:
        """What grants the cases as they are shown now; those that are shown as decided are left out."""
        shown = [await self.see(by, f"/aid/applications/{case.application}") for case in cases]
        settled = [
            {"application": view["application"], "seen": view["seen"], "outcome": "grant"} for view in shown if view and view["seen"]
        ]
        return {"organisation": COUNTY, "programme": "medical", "line": fund.line, "cases": settled}

    async def batch(self, fund: Fund, **which: Any) -> tuple[str, dict[str, Any]]:
        """A batch of what is due, all or `which`; with what is in it."""
        opening = {"organisation": fund.organisation, "account": fund.account, "execute_on": TODAY}
        batch = await self.done(ACCOUNTANT, "/payments/batches", opening)
        filled = await self.ask(ACCOUNTANT, f"/payments/batches/{batch}/items", which)
        return batch, filled.answer if filled.accepted else {"count": 0, "total_fen": 0}

    async def let_go(self, batch: str, shown: Mapping[str, Any]) -> None:
        """A batch that holds something, checked and released."""
        figures = {name: shown[name] for name in ("count", "total_fen")}
        if shown["count"] and (await self.ask(CASHIER, f"/payments/batches/{batch}/check", figures)).accepted:
            await self.ask(PAYER, f"/payments/batches/{batch}/release", None)

    async def correct(self, entitlement: str) -> None:
        """Another account of the payee's, by two."""
        body = {"account": self._account(), "paper": PAPER}
        for who in (ACCOUNTANT, CASHIER):
            await self.ask(who, f"/payments/entitlements/{entitlement}/account", body)

    async def compare(self, fund: Fund) -> None:
        """The bank's statements of all days taken in, and compared with events and ledger."""
        for day in sorted({line["at"][:10] for line in self.bank.log(fund.account)}):
            await self.ask(ACCOUNTANT, f"/payments/accounts/{fund.account}/comparison", {"day": day})

    async def halted(self, fund: Fund) -> bool:
        """Whether a comparison has stopped payments from the account."""
        return bool((await self.see(ACCOUNTANT, f"/payments/accounts/{fund.account}"))["halted"])

    # --------------------------------------------------------------------------------------------------------------- time

    def employ(self, *steps: Callable[[], Awaitable[None]]) -> None:
        """Let people begin, each with a step again and again, all at the same time, until `stop`."""
        self._stopping = False
        self._tasks = [asyncio.create_task(self._at_work(step)) for step in steps]

    async def _at_work(self, step: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping:
            await step()
            await asyncio.sleep(0.05)  # people are not that fast

    async def impatient(self) -> None:
        """Batches are asked about soon, for ever: a run has no minutes to wait."""
        while True:
            await self.hasten("update bank_asks set next_at = now() where next_at > now()")
            await asyncio.sleep(ASKED_AGAIN_SECONDS)

    async def hasten(self, *statements: str) -> None:
        """Let time go by in the service's database."""
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            connection = await asyncpg.connect(self.node.dsn("assistance"), timeout=2)
            try:
                for statement in statements:
                    await connection.execute(statement)
            finally:
                await connection.close()


def _rules() -> dict[str, Any]:
    """Medical relief of 1,000 yuan without a public notice, which takes a week of real days."""
    shipped = parsed((SHIPPED / "medical-relief.toml").read_text("utf-8")).model_dump(mode="json")
    member = [one for one in shipped["conditions"] if one["name"] == "member"]
    invoices = [one | {"deferrable": False} for one in shipped["documents"] if one["kind"] == "invoices"]
    fixed = {"kind": "fixed", "fen": FEN}
    route = [{"level": "county", "by": "person"}]
    nothing: dict[str, Any] = {"notice": None, "pay_first": None, "exclusions": [], "caps": {}}
    return shipped | nothing | {"conditions": member, "documents": invoices, "entitlement": fixed, "route": route}
