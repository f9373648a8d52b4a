"""One contract for every bank: the one in memory, and the one over HTTP in front of the simulated bank, which misbehaves as told."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from assistance.bank import files, http, pain001
from assistance.bank.http import HttpBank
from assistance.bank.memory import MemoryBank
from assistance.bank.port import Bank, BankUnreachable, NoAnswer, Order, PaymentFile, RefusedFile, Taken
from assistance.bank.words import Report, Statement
from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import Channel
from simulated_bank.app import create_app

OWN = "3709000000000001"
TODAY = datetime.now(UTC).date()
ORDER = Order("1" * 32, "2" * 32, 100, BankAccount(bank="农行", name="王伟", number="6228480000000000001"))
FILE = PaymentFile("b" * 32, OWN, "泰安市总工会", "泰安银行", TODAY, [ORDER])

REPORT = f"""<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><OrgnlGrpInfAndSts>
<OrgnlMsgId>{"b" * 32}</OrgnlMsgId><GrpSts>ACSC</GrpSts></OrgnlGrpInfAndSts></CstmrPmtStsRpt></Document>""".encode()
BALANCE = "<Bal><Tp><CdOrPrtry><Cd>{}</Cd></CdOrPrtry></Tp><Amt Ccy='CNY'>1</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>{}</Dt></Dt></Bal>"
STATEMENT = (
    '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>'
    f"<Acct><Id><Othr><Id>{OWN}</Id></Othr></Id></Acct>{BALANCE.format('OPBD', TODAY)}{BALANCE.format('CLBD', TODAY)}"
    "</Stmt></BkToCstmrStmt></Document>"
).encode()


@pytest.fixture
async def simulated(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(tmp_path, hang_seconds=0)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bank") as client:
        await client.post("/accounts", json=[{"account": OWN, "name": "泰安市总工会", "fen": 10_000}])
        yield client


@pytest.fixture(params=["memory", "http"])
def bank(request: pytest.FixtureRequest, simulated: httpx.AsyncClient) -> Bank:
    if request.param == "http":
        return HttpBank("http://bank", simulated)
    memory = MemoryBank()
    memory.reports["b" * 32] = REPORT
    memory.statements[OWN, TODAY] = STATEMENT
    return memory


async def test_a_file_is_taken_once(bank: Bank) -> None:
    data = files.write(FILE, Channel.iso20022)
    assert await bank.send(data, Channel.iso20022) == Taken()
    again = await bank.send(data, Channel.iso20022)
    assert isinstance(again, RefusedFile)
    assert again.code == "DU01"


async def test_what_became_of_it_can_be_asked(bank: Bank) -> None:
    await bank.send(files.write(FILE, Channel.iso20022), Channel.iso20022)
    report = await bank.status("b" * 32)
    assert report is not None
    assert isinstance(files.read(report), Report)
    assert await bank.status("c" * 32) is None


async def test_statements(bank: Bank) -> None:
    told = await bank.statement(OWN, TODAY)
    assert told is not None
    assert isinstance(files.read(told), Statement)
    assert await bank.statement("9" * 16, TODAY) is None


# ------------------------------------------------------------------------------------------------------------ over HTTP


@pytest.mark.parametrize("how", [{"hung_files_every": 1}, {"lost_files_every": 1}])
async def test_a_bank_that_hangs_or_loses_gave_no_answer(simulated: httpx.AsyncClient, how: dict[str, Any]) -> None:
    await simulated.put("/behaviour", json=how)
    assert await HttpBank("http://bank", simulated).send(pain001.write(FILE), Channel.iso20022) == NoAnswer()


async def test_only_a_clear_no_is_a_refusal() -> None:
    for status, body, expected in (
        (400, b'{"detail":{"code":"AM10","reason":"x"}}', RefusedFile("AM10", b'{"detail":{"code":"AM10","reason":"x"}}')),
        (400, b"no json", NoAnswer()),
        (400, b'{"detail":{"code":"<script>"}}', NoAnswer()),
        (403, b"", NoAnswer()),
        (409, b"", NoAnswer()),
        (500, b"", NoAnswer()),
        (302, b"", NoAnswer()),
    ):

        def answer(_: httpx.Request, status: int = status, body: bytes = body) -> httpx.Response:
            return httpx.Response(status, content=body)

        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            assert await HttpBank("http://bank", client).send(b"x", Channel.iso20022) == expected, status


async def test_a_bank_that_is_slow_is_left_after_a_bound() -> None:
    asked = []

    async def never(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        await asyncio.Event().wait()
        raise AssertionError

    async with httpx.AsyncClient(transport=httpx.MockTransport(never)) as client:
        assert await HttpBank("http://bank", client, send_seconds=0.05).send(b"x", Channel.iso20022) == NoAnswer()
    assert len(asked) == 1, "it is never tried again"


async def test_an_answer_without_an_end_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "ANSWER_BYTES_MAX", 1_000)
    transport = httpx.MockTransport(lambda _: httpx.Response(200, content=b"x" * 2_000))
    async with httpx.AsyncClient(transport=transport) as client:
        with pytest.raises(BankUnreachable):
            await HttpBank("http://bank", client).status("b" * 32)


async def test_nobody_there_is_told_as_such() -> None:
    def refuse(_: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("nobody listens")

    async with httpx.AsyncClient(transport=httpx.MockTransport(refuse)) as client:
        bank = HttpBank("http://bank", client)
        assert await bank.send(b"x", Channel.template) == NoAnswer()
        with pytest.raises(BankUnreachable):
            await bank.statement(OWN, date(2026, 3, 2))
