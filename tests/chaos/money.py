"""Aid on its way from the application to the bank, over HTTP, by people who go on whatever dies; and the bank's own log."""

import asyncio
import json
import secrets
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import asyncpg
import httpx
from assistance.funds.budget_line import line_id
from assistance.programmes.definition import parsed
from foundation.clock import SystemClock
from foundation.http.tokens import NodeIssuer, SigningKey
from node.embedded.ports import free_port

from .load import BOSS, COUNTY, TOP, VILLAGES, Command, Load
from .machine import COPY, Node, until

CLERK, VISITOR = "b" * 32, "7" * 32
APPROVER, DEPUTY, TREASURER = "e" * 32, "f" * 32, "5" * 32
ACCOUNTANT, CASHIER, PAYER = "2" * 32, "3" * 32, "4" * 32
STAFF = (
    *((CLERK, "clerk"), (VISITOR, "steward"), (ACCOUNTANT, "finance"), (CASHIER, "finance"), (PAYER, "finance")),
    *((APPROVER, "approver"), (DEPUTY, "approver"), (TREASURER, "approver")),
)
PAPER = "8" * 64
OWN = "3709020000000001"
FEN = 100_000
VILLAGE = VILLAGES[0]
YEAR = SystemClock().now().year
TODAY = (SystemClock().now()).date().isoformat()
LINE = line_id(COUNTY, YEAR, "superior", "aid.medical")
ASSISTANCE = ("/aid/", "/payments/", "/budget/", "/programmes/", "/people/")
ASKED_AGAIN_SECONDS = 0.5

SHIPPED = Path(__file__).parents[2] / "services" / "assistance" / "src" / "assistance" / "programmes" / "shipped"


class Bank:
    """The bank in a process of its own, on its log."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self, **behaviour: Any) -> None:
        """Start it, behaving like this."""
        self.folder.mkdir(exist_ok=True)
        program = [sys.executable, str(Path(__file__).with_name("money_bank.py")), str(self.folder), str(self.port), json.dumps(behaviour)]
        self._process = await asyncio.to_thread(subprocess.Popen, program)

        async def answers() -> bool:
            with suppress(httpx.HTTPError):
                async with httpx.AsyncClient() as client:
                    return (await client.get(f"{self.url}/log")).status_code == 200
            return False

        await until(answers, 30, "the bank opens")

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    async def open_account(self, fen: int) -> None:
        """The county's account, with money."""
        async with httpx.AsyncClient() as client:
            opened = await client.post(f"{self.url}/accounts", json=[{"account": OWN, "name": "泰山区总工会", "fen": fen}])
            assert opened.status_code == 204, opened.text

    def log(self) -> list[dict[str, Any]]:
        """What really happened."""
        return [json.loads(line) for line in (self.folder / "log.jsonl").read_text("utf-8").splitlines()]

    def files(self) -> set[str]:
        """The batches that the bank has."""
        return {line["message"] for line in self.log() if line["kind"] == "file"}


@dataclass(slots=True)
class Case:
    """An application on its way; `entitlement` once it is granted."""

    application: str
    entitlement: str | None = None


class Money(Load):
    """Staff of one county, with two processes of assistance to ask."""

    def __init__(self, node: Node, bank: Bank, seed: int) -> None:
        super().__init__(node, seed)
        self.bank = bank
        self.waiting: list[Case] = []
        self.refused: Counter[str] = Counter()
        self.stale_accepted = 0
        self._choice = Random(f"money {seed}")
        issuer = NodeIssuer(
            SigningKey.at(node.machine.secrets.signing_key), issuer=f"urn:tongxin:node:{TOP}", audience="tongxin", clock=SystemClock()
        )
        self._tokens |= {who: issuer.mint(who, ttl_seconds=8 * 3600) for who, _ in STAFF}

    # ------------------------------------------------------------------------------------------------------------- asking

    async def ask(self, by: str, path: str, body: Any) -> Command:
        """A command to one of the processes, until it is answered."""
        return await self.send(Command(by, path, body, None))

    def door(self, path: str) -> str:
        """One of the processes that have the path."""
        if path.startswith(ASSISTANCE):
            return self.node.url(self._choice.choice(["assistance", "assistance" + COPY]))
        return super().door(path)

    async def done(self, by: str, path: str, body: Any) -> str:
        """A command that has to be accepted; the id of its stream."""
        command = await self.ask(by, path, body)
        assert command.accepted, (path, command.status, command.answer)
        return str(command.answer.get("stream", "-")).split("-", 1)[1]

    async def see(self, by: str, path: str, **params: Any) -> Any:
        """What somebody is shown, by whichever process answers."""
        async with asyncio.timeout(60):
            while True:
                with suppress(httpx.HTTPError):
                    answer = await self._client.get(self.door(path) + path, headers=self._headers(by), params=params)
                    if answer.status_code < 500:
                        return answer.json() if answer.status_code == 200 else None
                await asyncio.sleep(0.05)

    # ------------------------------------------------------------------------------------------------------------ preparing

    async def prepare(self, cases: int, funded: int) -> None:
        """Staff, rules, an account, money for `funded` cases, and `cases` applications before those who decide."""
        await self.settle()
        for who, role in STAFF:
            post = {"principal": who, "organisation": COUNTY, "role": role, "valid_from": "2020-01-01"}
            await self.send(Command(BOSS, "/appointments", post, "membership.StaffAppointed.v1"))

        async def follows() -> bool:
            shown = [await self.see(who, "/payments/due", organisation=COUNTY) for who in (PAYER, TREASURER)]
            return None not in shown

        await until(follows, 60, "assistance knows the staff")
        await self.done(BOSS, "/programmes/medical/versions", {"organisation": TOP, "definition": _rules()})
        asked = {
            "organisation": COUNTY,
            "year": YEAR,
            "source": "superior",
            "purpose": "aid.medical",
            "fen": funded * FEN,
            "document": PAPER,
        }
        proposal = await self.done(ACCOUNTANT, "/budget/appropriations", asked)
        await self.done(TREASURER, f"/budget/proposals/{proposal}/approval", None)
        own = {"account": OWN, "organisation": COUNTY, "bank": "农行泰安分行", "holder": "泰山区总工会", "paper": PAPER}
        for who in (ACCOUNTANT, CASHIER):
            await self.done(who, "/payments/accounts", own)
        people = [self._person(VILLAGE) for _ in range(4)]
        for person in people:
            command = await self.send(Command(CLERK, "/members", person, "membership.MemberAdmitted.v1"))
            person["id"] = command.answer["stream"].removeprefix("member-")
        for person in people:

            async def known(member: str = person["id"]) -> bool:
                return bool(await self.see(CLERK, f"/people/{member}/eligibility"))

            await until(known, 60, "assistance knows the members")
        self.waiting = list(await asyncio.gather(*(self._submitted(people[number % 4]["id"], number) for number in range(cases))))

    async def _submitted(self, person: str, number: int) -> Case:
        account = {"bank": "农行泰山支行", "name": "张三", "number": f"62284800000{number:08d}"}
        body = {"organisation": VILLAGE, "programme": "medical", "person": person, "account": account, "on": TODAY}
        application = await self.done(CLERK, "/aid/applications", body)
        here = f"/aid/applications/{application}"
        await self.done(CLERK, f"{here}/documents", {"kind": "invoices", "digest": PAPER})
        found = {"facts": {"serious_illness": True, "third_party_pays": False, "self_paid_fen": 1}, "visitors": [VISITOR]}
        await self.done(VISITOR, f"{here}/verification", found | {"visited_on": TODAY})
        await self.done(CLERK, f"{here}/submission", {"stamped": PAPER, "on": TODAY})
        return Case(application)

    def start(self) -> None:
        """Two decide, two make batches, one hands in the bank's letters: all at the same time, until stopped."""
        chances = [Random(f"{self.seed} {number}") for number in range(4)]
        steps: list[Callable[[], Awaitable[None]]] = [
            lambda: self.decide(APPROVER, chances[0]),
            lambda: self.decide(DEPUTY, chances[1]),
            lambda: self.pay(chances[2].randrange(1, 5)),
            lambda: self.pay(chances[3].randrange(1, 5)),
            self.disown,
        ]
        self._stopping = False
        self._tasks = [asyncio.create_task(self._at_work(step)) for step in steps]

    async def _at_work(self, step: Callable[[], Awaitable[None]]) -> None:
        while not self._stopping:
            await step()
            await asyncio.sleep(0.05)  # people are not that fast

    # ------------------------------------------------------------------------------------------------------------- deciding

    async def decide(self, by: str, chance: Random) -> None:
        """One decision over some cases, perhaps over some that somebody else is deciding on; now and then a paper comes in between."""
        if not self.waiting:
            return
        cases = chance.sample(self.waiting, min(len(self.waiting), chance.randrange(1, 5)))
        shown = [await self.see(by, f"/aid/applications/{case.application}") for case in cases]
        cases = [case for case, view in zip(cases, shown, strict=True) if view and view["seen"] is not None]
        settled = [
            {"application": view["application"], "seen": view["seen"], "outcome": "grant"}
            for view in shown
            if view and view["seen"] is not None
        ]
        if not settled:
            return
        stale = chance.random() < 0.25
        if stale:
            paper = {"kind": "invoices", "digest": secrets.token_hex(32)}
            stale = (await self.ask(CLERK, f"/aid/applications/{cases[-1].application}/documents", paper)).accepted
        body = {"organisation": COUNTY, "programme": "medical", "line": LINE, "cases": settled}
        command = await self.ask(by, "/aid/decisions", body)
        if command.accepted:
            self.stale_accepted += stale
            self.waiting = [case for case in self.waiting if case not in cases]
        else:
            self.refused[str(command.answer["type"]).rpartition(":")[2]] += 1

    # --------------------------------------------------------------------------------------------------------------- paying

    async def pay(self, limit: int) -> None:
        """A batch of what is due, made, checked and released by three."""
        due = await self.see(ACCOUNTANT, "/payments/due", organisation=COUNTY)
        if not due or not due["items"]:
            await asyncio.sleep(0.1)  # nothing granted yet, or all of it on its way
            return
        batch = await self.done(ACCOUNTANT, "/payments/batches", {"organisation": COUNTY, "account": OWN, "execute_on": TODAY})
        filled = await self.ask(ACCOUNTANT, f"/payments/batches/{batch}/items", {"limit": limit})
        if filled.accepted and filled.answer["count"]:
            await self._let_go(batch, filled.answer)

    async def _let_go(self, batch: str, shown: Mapping[str, Any]) -> None:
        figures = {name: shown[name] for name in ("count", "total_fen")}
        if (await self.ask(CASHIER, f"/payments/batches/{batch}/check", figures)).accepted:
            await self.ask(PAYER, f"/payments/batches/{batch}/release", None)

    async def let_go(self) -> None:
        """Batches that somebody left behind, checked and released."""
        shown = await self.see(ACCOUNTANT, "/payments/batches", organisation=COUNTY, limit=100)
        for batch in shown["items"] if shown else ():
            if batch["stage"] in ("filling", "checked") and batch["count"]:
                await self._let_go(batch["batch"], batch)

    async def disown(self) -> None:
        """Batches that were sent, and that the bank states in writing it never had: two people enter its letter."""
        there = self.bank.files()
        shown = await self.see(ACCOUNTANT, "/payments/batches", organisation=COUNTY, limit=100)
        for batch in shown["items"] if shown else ():
            if batch["stage"] == "unanswered" and batch["batch"] not in there:
                for who in (CASHIER, PAYER):
                    await self.ask(who, f"/payments/batches/{batch['batch']}/disowning", {"statement": PAPER})

    async def correct(self, entitlement: str) -> None:
        """Another account of the payee's, by two."""
        account = {"bank": "农行泰山支行", "name": "张三", "number": f"6228481{self._choice.randrange(10**12):012d}"}
        for who in (ACCOUNTANT, CASHIER):
            await self.ask(who, f"/payments/entitlements/{entitlement}/account", {"account": account, "paper": PAPER})

    async def compare(self, days: Sequence[str]) -> list[dict[str, Any]]:
        """The bank's statements of these days taken in, and compared with events and ledger."""
        return [(await self.ask(ACCOUNTANT, f"/payments/accounts/{OWN}/comparison", {"day": day})).answer for day in days]

    async def impatient(self) -> None:
        """Batches are asked about soon, for ever: a run has no minutes to wait. Whoever sends loses the lease for it each time, and may
        be at work still: two processes send."""
        while True:
            await self.hasten("update bank_asks set next_at = now() where next_at > now()", "delete from leases where name = 'batches'")
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
