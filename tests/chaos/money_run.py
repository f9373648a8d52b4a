"""A busy day with money: some decide, some pay, and what dies, loses and repeats comes in the order that a seed says."""

import asyncio
import secrets
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from random import Random

import asyncpg

from .load import COUNTY
from .machine import COPY, until
from .money import ACCOUNTANT, APPROVER, ASKED_AGAIN_SECONDS, CASHIER, CLERK, DEPUTY, FEN, PAPER, PAYER, Case, Fund, Money
from .money_checks import left, twice, violations

HANG_SECONDS = 2.0
BAD = {
    "hung_files_every": 3,
    "lost_files_every": 4,
    "late_asks": 1,
    "broken_reports_every": 3,
    "repeated_reports": True,
    "rejected_every": 7,
    "returned_every": 9,
}


class Run:
    """One seed's cases, the fund that pays them, and those who work on them."""

    def __init__(self, money: Money, seed: int, fund: Fund, cases: list[Case]) -> None:
        """More cases than the fund has money for: so there is always something to do."""
        self.money, self.bank, self.fund, self.waiting = money, money.bank, fund, cases
        self.refused: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.stale_accepted = 0
        self._seed, self._chance = seed, Random(seed)
        self._faults: dict[str, Callable[[], Awaitable[None]]] = {
            "kill assistance": self._kill("assistance"),
            "kill its copy": self._kill("assistance" + COPY),
            "kill the bank": self._kill_bank,
            "kill both": self._kill("assistance", "assistance" + COPY),
            "pause membership": self._pause,
        }

    async def go(self, seconds: float) -> list[str]:
        """Faults for so long, at least one round, while people work; then everybody gets their money. What is wrong after that."""
        began = time.monotonic()
        self.bank.kill()
        await self.bank.start(hang_seconds=HANG_SECONDS, **BAD)
        disputing = asyncio.create_task(self._disputed())
        chances = [Random(f"{self._seed} {number}") for number in range(4)]
        self.money.employ(
            lambda: self._decide(APPROVER, chances[0]),
            lambda: self._decide(DEPUTY, chances[1]),
            lambda: self._pay(chances[2].randrange(1, 5)),
            lambda: self._pay(chances[3].randrange(1, 5)),
            self._disown,
        )
        try:
            await self._round()
            while time.monotonic() - began < seconds and not await self._wrong():
                await self._round()
            await self.money.stop()
        finally:
            await self.money.dismiss()
            disputing.cancel()
            await asyncio.gather(disputing, return_exceptions=True)
            self.bank.kill()
            await self.bank.start()  # it behaves from now on
        await self._settled()
        found = await violations(self.money, self.fund)
        available, reserved = await left(self.money, self.fund)
        if available >= FEN or reserved:
            found.append(f"{available} fen were left and {reserved} reserved while people waited")
        if self.stale_accepted or not self.refused["approval-stale"]:
            found.append(f"{self.stale_accepted} approvals on changed papers were accepted, {self.refused['approval-stale']} refused")
        return found

    async def _wrong(self) -> bool:
        """Whether money has gone wrong already: then nothing more is to be waited for."""
        return bool(twice(self.bank, self.fund)) or await self.money.halted(self.fund)

    # ------------------------------------------------------------------------------------------------------------- faults

    async def _round(self) -> None:
        """Each fault once."""
        names = list(self._faults)
        self._chance.shuffle(names)
        for name in names:
            await self.money.answers(self._chance.randrange(10, 30))
            await self._faults[name]()
            self.done[name] += 1

    def _kill(self, *names: str) -> Callable[[], Awaitable[None]]:
        async def kill() -> None:
            for name in names:
                self.money.node.kill(name)
            await self.money.hasten("delete from leases")  # as if they had run out, whoever holds them

        return kill

    async def _kill_bank(self) -> None:
        self.bank.kill()
        await self.money.more(self._chance.randrange(0, 10))
        await self.bank.start(hang_seconds=HANG_SECONDS, **BAD)

    async def _pause(self) -> None:
        """What membership tells comes late."""
        self.money.node.pause("membership")
        await self.money.more(self._chance.randrange(5, 20))
        self.money.node.resume("membership")

    async def _disputed(self) -> None:
        """Whoever sends loses the lease for it again and again, and may be at work still: two processes send."""
        while True:
            await self.money.hasten("delete from leases where name = 'batches'")
            await asyncio.sleep(ASKED_AGAIN_SECONDS)

    # --------------------------------------------------------------------------------------------------------------- work

    async def _decide(self, by: str, chance: Random) -> None:
        """One decision over some cases, perhaps over some that somebody else is deciding on; now and then a paper comes in between."""
        cases = chance.sample(self.waiting, min(len(self.waiting), chance.randrange(1, 5)))
        body = await self.money.decision(by, self.fund, cases)
        named = [one["application"] for one in body["cases"]]
        if not named:
            return
        stale = chance.random() < 0.25 or not self.refused["approval-stale"]  # until it has been seen once
        if stale:
            paper = {"kind": "invoices", "digest": secrets.token_hex(32)}
            stale = (await self.money.ask(CLERK, f"/aid/applications/{named[-1]}/documents", paper)).accepted
        command = await self.money.ask(by, "/aid/decisions", body)
        if command.accepted:
            self.stale_accepted += stale
            self.waiting = [case for case in self.waiting if case.application not in named]
        else:
            self.refused[str(command.answer["type"]).rpartition(":")[2]] += 1

    async def _pay(self, limit: int) -> None:
        """A batch of what is due, made, checked and released by three."""
        due = await self.money.see(ACCOUNTANT, "/payments/due", organisation=COUNTY)
        if not due or not due["items"]:
            await asyncio.sleep(0.1)  # nothing granted yet, or all of it on its way
            return
        await self.money.let_go(*await self.money.batch(self.fund, limit=limit))

    async def _let_go_all(self) -> None:
        """Batches that somebody left behind."""
        for batch in await self._batches("filling", "checked"):
            await self.money.let_go(batch["batch"], batch)

    async def _disown(self) -> None:
        """Batches that were sent, and that the bank states in writing it never had: two people enter its letter."""
        for batch in await self._batches("unanswered"):
            if await self.bank.disowns(batch["batch"]):
                for who in (CASHIER, PAYER):
                    await self.money.ask(who, f"/payments/batches/{batch['batch']}/disowning", {"statement": PAPER})

    async def _batches(self, *stages: str) -> list[dict[str, str]]:
        shown = await self.money.see(ACCOUNTANT, "/payments/batches", organisation=COUNTY, limit=100)
        return [one for one in shown["items"] if one["stage"] in stages] if shown else []

    async def _settled(self) -> None:
        """Go on until the money is spent and everybody has theirs, or it has gone wrong."""
        chance = Random(f"{self._seed} settled")
        for case in list(self.waiting):
            self.waiting = [case]
            for _ in range(3):  # a paper that comes in between makes an approval stale
                if self.waiting:
                    await self._decide(APPROVER, chance)
        self.waiting = []

        async def over() -> bool:
            if await self._wrong():
                return True
            await self._let_go_all()
            await self._disown()
            if await self._count("select count(*) from payment_instructions where line = $1 and outcome = 'under way'"):
                return False
            await self.money.compare(self.fund)
            for due in (await self.money.see(APPROVER, "/payments/due", organisation=COUNTY) or {"items": ()})["items"]:
                if due["code"] is not None:
                    await self.money.correct(due["entitlement"])
            await self._pay(200)
            return not await self._count("select count(*) from payments where line = $1 and stage <> 'paid'")

        await until(over, "everybody has their money")

    async def _count(self, query: str) -> int:
        connection = await asyncpg.connect(self.money.node.dsn("assistance"))
        try:
            return int(await connection.fetchval(query, self.fund.line))
        finally:
            await connection.close()
