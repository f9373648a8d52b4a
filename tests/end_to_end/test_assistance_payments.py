"""Aid on its way through the bank: a wrong account corrected, and a bank that loses, hangs, breaks and repeats in the middle of a run.

What counts is the bank's own log, which knows nothing of us.
"""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from assistance.bank.pain001 import write
from assistance.bank.port import Order, PaymentFile
from contracts.assistance.hardship import BankAccount
from foundation.clock import Clock
from node.embedded.postgres import Postgres
from simulated_bank.app import create_app

from .aid import ACCOUNTANT, APPROVER, CLERK, COUNTY, PAPER, Aid, account, aid
from .running_node import TOP, until

OWN = "3709000000000001"
MAKER, CHECKER, PAYER = ACCOUNTANT, "a9" * 16, "a8" * 16
DAY = date(2026, 3, 2)
PAPERS = ("diagnosis", "settlement", "invoices")


class Desk:
    """The bank's counter, asked directly."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.http: httpx.AsyncClient

    def __call__(self, clock: Clock) -> Any:
        app = create_app(self._folder, hang_seconds=0, now=clock.now)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bank")
        return app

    async def open(self, *accounts: dict[str, Any]) -> None:
        own = {"account": OWN, "name": "泰安市泰山区总工会", "fen": 100_000_000}
        assert (await self.http.post("/accounts", json=[own, *accounts])).status_code == 204

    async def behave(self, **behaviour: Any) -> None:
        assert (await self.http.put("/behaviour", json=behaviour)).status_code == 200

    async def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (await self.http.get("/log")).text.splitlines()]

    async def unreturned(self) -> Counter[str]:
        """By entitlement, how many transfers have left and not come back."""
        lines = await self.log()
        found = Counter(line["end_to_end"] for line in lines if line["kind"] == "transferred")
        found.subtract(line["end_to_end"] for line in lines if line["kind"] == "returned")
        return found


@pytest.fixture
def bank(tmp_path: Path) -> Desk:
    folder = tmp_path / "bank"
    folder.mkdir()
    return Desk(folder)


def story(postgres: Postgres, folder: Path, bank: Callable[[Clock], Any]) -> AbstractAsyncContextManager[Aid]:
    return aid(postgres, folder, DAY, bank=bank)


async def prepared(story: Aid, bank: Desk, *accounts: dict[str, Any]) -> str:
    """Three of finance, the county's account at both, rules and money; the line."""
    for principal in (CHECKER, PAYER):
        await story.node.appoint(principal, "finance", COUNTY)

    async def follows() -> bool:
        answer = await story.node.get("assistance/payments/due", by=PAYER, organisation=COUNTY)
        return answer.status_code == 200

    await until(follows)
    await bank.open(*accounts)
    body = {"account": OWN, "organisation": COUNTY, "bank": "泰安银行", "holder": "泰安市泰山区总工会", "paper": PAPER}
    await story.send("payments/accounts", body, by=MAKER)
    await story.send("payments/accounts", body, by=CHECKER)
    await story.publish("medical-relief")
    return await story.fund(10_000_000, "aid.medical")


async def granted(story: Aid, line: str, accounts: Sequence[dict[str, str]], *, first: int = 1) -> list[str]:
    """Applications for medical relief of 2,000 yuan each, granted; their entitlements."""
    applications = []
    for order, given in enumerate(accounts, first):
        person = await story.member(order, given["name"])
        applications.append(await story.drafted("medical-relief", person, PAPERS, account=given))
        await story.visited(applications[-1], serious_illness=True, third_party_pays=False, self_paid_fen=1_500_000)
    await story.posted(applications)
    for application in applications:
        await story.submitted(application)
    await story.send("aid/decisions", await story.decision(line, *applications), by=APPROVER)
    return [(await story.see(f"aid/applications/{one}"))["grant"]["entitlement"] for one in applications]


async def batched(story: Aid, count: int, fen: int, channel: str = "iso20022") -> str:
    """What is due, made, checked and released by three people."""
    body = {"organisation": COUNTY, "account": OWN, "channel": channel, "execute_on": f"{story.today}"}
    batch = await story.send("payments/batches", body, by=MAKER)
    await story.see(f"payments/batches/{batch}")
    filled = await story.node.post(f"assistance/payments/batches/{batch}/items", {}, by=MAKER)
    assert (filled.status_code, filled.json()["held"], filled.json()["count"]) == (200, [], count), filled.text
    await story.see(f"payments/batches/{batch}")
    figures = {"count": count, "total_fen": fen}
    here = f"payments/batches/{batch}"
    await story.refused(f"{here}/check", figures, "batch-duties-not-separated", by=MAKER)
    await story.refused(f"{here}/check", figures | {"total_fen": fen + 1}, "control-figures-differ", by=CHECKER)
    await story.send(f"{here}/check", figures, by=CHECKER)
    await story.refused(f"{here}/release", None, "batch-duties-not-separated", by=CHECKER)
    await story.refused(f"{here}/release", None, "not-permitted", by=CLERK)
    await story.send(f"{here}/release", None, by=PAYER)
    return batch


async def becomes(story: Aid, entitlement: str, stage: str) -> dict[str, Any]:
    """Time goes by until a payment stands so."""
    shown: dict[str, Any] = {}

    async def so() -> bool:
        story.clock.advance(timedelta(minutes=10))
        shown.update(await story.see(f"payments/entitlements/{entitlement}"))
        return bool(shown["stage"] == stage)

    await until(so)
    return shown


async def compared(story: Aid, day: date) -> dict[str, Any]:
    answer = await story.node.post(f"assistance/payments/accounts/{OWN}/comparison", {"day": f"{day}"}, by=MAKER)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def waiting(story: Aid) -> list[tuple[str, str, str]]:
    """What waits for a second person in the city and below, page by page."""
    page = await story.see("payments/double-entries", organisation=TOP, limit=1)
    found = list(page["items"])
    while page["next"] is not None:
        page = await story.see("payments/double-entries", organisation=TOP, limit=1, cursor=page["next"])
        found += page["items"]
    return [(one["subject"], one["zh"], one["entered_by"]) for one in found]


def bank_day(story: Aid) -> date:
    """The bank books by UTC."""
    return story.clock.now().date()


async def test_a_wrong_account_is_corrected(postgres: Postgres, tmp_path: Path, bank: Desk) -> None:
    """The name does not fit: the bank says so, the payment is due again, two people correct the account, and it is paid once."""
    async with story(postgres, tmp_path, bank) as it:
        line = await prepared(it, bank, {"account": "6228480000000000001", "name": "王玮"})
        [entitlement] = await granted(it, line, [account("王伟", "6228480000000000001")])
        first = await batched(it, 1, 200_000)
        shown = await becomes(it, entitlement, "failed")
        assert (shown["code"], shown["batch"]) == ("BE01", first)
        [exception] = (await it.see("payments/exceptions", organisation=COUNTY))["items"]
        assert (exception["rule"], exception["zh"]) == ("name-mismatch", "户名与账号不符。")
        assert (await it.balances(line))["reserved"] == 200_000

        here = f"payments/entitlements/{entitlement}"
        right = {"account": account("王伟", "6228480000000000002"), "paper": PAPER}
        await it.send(f"{here}/account", right, by=MAKER)
        await it.send(f"{here}/account", right, by=MAKER)  # the same person again is still one person
        assert (await it.see(here))["code"] == "BE01"
        await it.send(f"{here}/account", right | {"paper": "7" * 64}, by=CHECKER)  # another paper is another entry
        assert (await it.see(here))["code"] == "BE01"
        assert await waiting(it) == [(entitlement, "更正收款账户", MAKER), (entitlement, "更正收款账户", CHECKER)]
        await it.send(f"{here}/account", right, by=CHECKER)
        assert await waiting(it) == [(entitlement, "更正收款账户", CHECKER)], "nobody else has that paper"
        assert (await it.see(here))["code"] is None

        second = await batched(it, 1, 200_000)
        shown = await becomes(it, entitlement, "paid")
        assert shown["batch"] == second
        assert await bank.unreturned() == {entitlement: 1}
        balances = await it.balances(line)
        assert (balances["paid"], balances["reserved"], balances["available"]) == (200_000, 0, 9_800_000)
        steps = [one["type"].split(".")[1] for one in await it.see(f"{here}/steps")]
        assert steps == ["PaymentInstructed", "PaymentFailed", "AccountCorrected", "PaymentInstructed", "PaymentConfirmed"]
        [way] = {
            one["instruction"] for one in (await it.see(f"budget/entitlements/{entitlement}/lineage"))["uses"] if one["kind"] == "paid"
        }
        assert way == shown["instruction"]


async def test_a_broken_report_in_the_middle_of_a_run(postgres: Postgres, tmp_path: Path, bank: Desk) -> None:
    """The bank takes the file and does not answer, knows it late, cuts every second report, tells everything twice; one transfer comes
    back. By its log everybody has the money once, and events, ledger and bank agree."""
    async with story(postgres, tmp_path, bank) as it:
        line = await prepared(it, bank, {"account": "6228480000000000003", "name": "张三", "state": "dormant"})
        people = [account(name, f"622848000000000000{number}") for number, name in enumerate(("李雷", "韩梅梅", "张三", "刘洋"), 1)]
        entitlements = await granted(it, line, people)
        await bank.behave(hung_files_every=1, late_asks=2, broken_reports_every=2, repeated_reports=True, returned_every=3)
        batch = await batched(it, 4, 800_000)
        for entitlement in (entitlements[0], entitlements[1], entitlements[3]):
            await becomes(it, entitlement, "paid")
        await becomes(it, entitlements[2], "failed")
        assert (await it.see(f"payments/batches/{batch}"))["stage"] == "accepted"
        assert [line["kind"] for line in await bank.log()].count("file") == 1, "a file without an answer is not sent again"

        lines = await bank.log()
        [returned] = [one["end_to_end"] for one in lines if one["kind"] == "returned"]
        booked = next(one["at"] for one in lines if one["kind"] == "returned")[:10]
        told = await compared(it, date.fromisoformat(booked))
        assert (told["events_fen"], told["ledger_fen"], told["bank_fen"], told["agrees"]) == (400_000, 400_000, 400_000, True)
        assert (await it.see(f"payments/entitlements/{returned}"))["stage"] == "returned"
        assert sorted((await bank.unreturned()).values()) == [0, 1, 1]
        rules = Counter(one["rule"] for one in (await it.see("payments/exceptions", organisation=COUNTY))["items"])
        assert rules["account-dormant"] == 1
        assert rules["account-closed"] == 1
        assert set(rules) <= {"account-dormant", "account-closed", "file-unreadable"}
        balances = await it.balances(line)
        assert (balances["paid"], balances["reserved"]) == (400_000, 400_000)


async def test_a_day_that_does_not_agree_stops_payments(postgres: Postgres, tmp_path: Path, bank: Desk) -> None:
    """The bank books something that nobody instructed: nothing leaves the account until two people have explained it."""
    async with story(postgres, tmp_path, bank) as it:
        line = await prepared(it, bank)
        [one] = await granted(it, line, [account("李雷", "6228480000000000001")])
        await batched(it, 1, 200_000)
        await becomes(it, one, "paid")
        stranger = (tmp_path / "bank" / "log.jsonl").read_text("utf-8").splitlines()
        transferred = next(json.loads(text) for text in stranger if json.loads(text)["kind"] == "transferred")
        day = date.fromisoformat(transferred["at"][:10])
        assert (await compared(it, day))["agrees"]

        order = Order("c" * 32, "d" * 32, 100, BankAccount(bank="农行", name="某人", number="6228480000000000009"))
        forged = write(PaymentFile("e" * 32, OWN, "泰安市泰山区总工会", "泰安银行", it.today, [order]))
        assert (await bank.http.post("/payment-files", content=forged, headers={"content-type": "application/xml"})).status_code == 202
        today = bank_day(it)
        told = await compared(it, today)
        assert not told["agrees"]
        assert told["bank_fen"] - told["events_fen"] == 100
        assert (await it.see(f"payments/accounts/{OWN}"))["halted"]
        assert "unknown-reference" in {found["rule"] for found in (await it.see("payments/exceptions", organisation=COUNTY))["items"]}

        [two] = await granted(it, line, [account("韩梅梅", "6228480000000000002")], first=2)
        body = {"organisation": COUNTY, "account": OWN, "execute_on": f"{it.today}"}
        batch = await it.send("payments/batches", body, by=MAKER)
        await it.see(f"payments/batches/{batch}")
        await it.node.post(f"assistance/payments/batches/{batch}/items", {}, by=MAKER)
        await it.see(f"payments/batches/{batch}")
        await it.send(f"payments/batches/{batch}/check", {"count": 1, "total_fen": 200_000}, by=CHECKER)
        await it.refused(f"payments/batches/{batch}/release", None, "account-halted", by=PAYER)
        explained = {"paper": "6" * 64}
        await it.send(f"payments/accounts/{OWN}/resumption", explained, by=MAKER)
        await it.refused(f"payments/batches/{batch}/release", None, "account-halted", by=PAYER)
        await it.send(f"payments/accounts/{OWN}/resumption", explained, by=CHECKER)
        await it.send(f"payments/batches/{batch}/release", None, by=PAYER)
        await becomes(it, two, "paid")
        assert (await bank.unreturned())[two] == 1
