"""The bank: takes files, misbehaves as told, and its log says what happened."""

import json
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx
import pytest
from openpyxl import Workbook, load_workbook

# The package has no types.
from pyiso20022.camt.camt_053_001_08 import Document as Statement  # type: ignore[import-untyped]
from pyiso20022.pain.pain_002_001_10 import Document as Report  # type: ignore[import-untyped]
from simulated_bank.app import XLSX, create_app
from simulated_bank.behaviour import Behaviour
from simulated_bank.orders import FileRefused, fen_of
from simulated_bank.template import HEADINGS, TOP
from xsdata.formats.dataclass.parsers import XmlParser

UNION = "3709000000000001"

HEAD = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn>
<GrpHdr><MsgId>{message}</MsgId><CreDtTm>2026-11-20T08:00:00Z</CreDtTm><NbOfTxs>{count}</NbOfTxs><CtrlSum>{total}</CtrlSum>
<InitgPty><Nm>泰安市总工会</Nm></InitgPty></GrpHdr>
<PmtInf><PmtInfId>{message}</PmtInfId><PmtMtd>TRF</PmtMtd><ReqdExctnDt><Dt>2026-11-20</Dt></ReqdExctnDt><Dbtr><Nm>泰安市总工会</Nm></Dbtr>
<DbtrAcct><Id><Othr><Id>3709000000000001</Id></Othr></Id></DbtrAcct><DbtrAgt><FinInstnId><Nm>模拟银行</Nm></FinInstnId></DbtrAgt>"""
ORDER = """<CdtTrfTxInf><PmtId><InstrId>i{n}</InstrId><EndToEndId>e{n}</EndToEndId></PmtId><Amt><InstdAmt Ccy="CNY">{yuan}</InstdAmt></Amt>
<Cdtr><Nm>{name}</Nm></Cdtr><CdtrAcct><Id><Othr><Id>{account}</Id></Othr></Id></CdtrAcct><RmtInf><Ustrd>救助</Ustrd></RmtInf></CdtTrfTxInf>"""
TAIL = "</PmtInf></CstmrCdtTrfInitn></Document>"


def pain(message: str, *orders: tuple[str, str, str], count: int | None = None, total: str | None = None) -> bytes:
    """A file of (name, account, yuan)."""
    fen = sum(fen_of(order[2]) for order in orders)
    head = HEAD.format(message=message, count=len(orders) if count is None else count, total=total or f"{fen // 100}.{fen % 100:02d}")
    lines = [ORDER.format(n=f"{message}-{n}", name=name, account=account, yuan=yuan) for n, (name, account, yuan) in enumerate(orders, 1)]
    return (head + "".join(lines) + TAIL).encode()


class Bank:
    """A client of a bank in this process."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.app = create_app(folder, hang_seconds=0, **options)
        self.http = httpx.AsyncClient(transport=httpx.ASGITransport(self.app), base_url="http://bank")

    async def send(self, data: bytes, media: str = "application/xml") -> httpx.Response:
        return await self.http.post("/payment-files", content=data, headers={"content-type": media})

    async def statuses(self, message: str) -> dict[str, tuple[str, str]]:
        answer = await self.http.get(f"/payment-files/{message}")
        report = XmlParser().from_bytes(answer.content, Report).cstmr_pmt_sts_rpt
        assert report is not None
        orders = report.orgnl_pmt_inf_and_sts[0].tx_inf_and_sts
        reasons = {one.orgnl_end_to_end_id: "".join(text for why in one.sts_rsn_inf for text in why.addtl_inf) for one in orders}
        return {str(one.orgnl_end_to_end_id): (str(one.tx_sts), reasons[one.orgnl_end_to_end_id]) for one in orders}

    async def log(self, kind: str) -> list[dict[str, Any]]:
        lines = (await self.http.get("/log")).text.splitlines()
        return [line for line in map(json.loads, lines) if line["kind"] == kind]


@pytest.fixture
async def bank(tmp_path: Path) -> AsyncIterator[Bank]:
    bank = Bank(tmp_path)
    accounts = [
        {"account": UNION, "name": "泰安市总工会", "fen": 10_000_000},
        {"account": "62220001", "name": "李雷", "state": "dormant"},
        {"account": "62220002", "name": "韩梅梅", "state": "limited", "limit_fen": 100_000},
    ]
    assert (await bank.http.post("/accounts", json=accounts)).status_code == 204
    yield bank
    await bank.http.aclose()


async def test_orders_are_carried_out_or_rejected_with_the_reason(bank: Bank) -> None:
    sent = pain(
        "m1", ("王伟", "62220003", "3000.00"), ("李雷", "62220001", "1"), ("韩梅梅", "62220002", "1000"), ("韩梅梅", "62220002", "1000.01")
    )
    assert (await bank.send(sent)).status_code == 202
    assert await bank.statuses("m1") == {
        "em1-1": ("ACSC", ""),
        "em1-2": ("RJCT", "收款账户为睡眠户"),
        "em1-3": ("ACSC", ""),
        "em1-4": ("RJCT", "超出收款账户限额"),
    }
    assert (await bank.http.get("/accounts/62220003")).json()["fen"] == 300_000
    assert (await bank.http.get(f"/accounts/{UNION}")).json()["fen"] == 10_000_000 - 300_000 - 100_000


async def test_another_name_on_an_account_is_rejected_also_within_one_file(bank: Bank) -> None:
    await bank.send(pain("m1", ("王伟", "62220003", "1"), ("王玮", "62220003", "1")))
    assert (await bank.statuses("m1"))["em1-2"] == ("RJCT", "户名与账号不符")


async def test_a_file_comes_once_and_orders_twice_are_paid_twice(bank: Bank) -> None:
    again = pain("m1", ("王伟", "62220003", "1"))
    await bank.send(again)
    refused = await bank.send(again)
    assert (refused.status_code, refused.json()["detail"]["code"]) == (400, "DU01")
    await bank.send(again.replace(b"<MsgId>m1</MsgId>", b"<MsgId>m2</MsgId>"))
    assert len(await bank.log("transferred")) == 2, "the bank does not look at the customer's references: that is the customer's business"


async def test_a_hung_file_is_done_and_a_lost_one_is_not(bank: Bank) -> None:
    await bank.http.put("/behaviour", json={"hung_files_every": 1})
    assert (await bank.send(pain("m1", ("王伟", "62220003", "1")))).status_code == 504
    await bank.http.put("/behaviour", json={"lost_files_every": 1})
    assert (await bank.send(pain("m2", ("王伟", "62220003", "1")))).status_code == 503
    assert [line["message"] for line in await bank.log("transferred")] == ["m1"]
    assert (await bank.http.get("/payment-files/m2")).status_code == 404


async def test_reports_come_late_twice_or_broken(bank: Bank) -> None:
    await bank.send(pain("m1", ("王伟", "62220003", "1")))
    await bank.http.put("/behaviour", json={"late_asks": 1, "repeated_reports": True, "pending_seconds": 60})
    assert (await bank.http.get("/payment-files/m1")).status_code == 404
    answer = await bank.http.get("/payment-files/m1")
    assert answer.text.count("PDNG") == 2
    await bank.http.put("/behaviour", json={"broken_reports_every": 1})
    assert not (await bank.http.get("/payment-files/m1")).text.endswith("</Document>")


async def test_what_comes_back_is_in_the_statement(bank: Bank) -> None:
    await bank.http.put("/behaviour", json={"returned_every": 2})
    await bank.send(pain("m1", ("王伟", "62220003", "30"), ("刘洋", "62220004", "20.50")))
    today = (await bank.log("transferred"))[0]["at"][:10]
    answer = await bank.http.get(f"/statements/{UNION}/{today}")
    told = XmlParser().from_bytes(answer.content, Statement).bk_to_cstmr_stmt
    assert told is not None
    [statement] = told.stmt
    assert [(entry.cdt_dbt_ind.value, str(entry.amt.value)) for entry in statement.ntry] == [
        ("DBIT", "30.00"),
        ("DBIT", "20.50"),
        ("CRDT", "20.50"),
    ]
    assert [str(balance.amt.value) for balance in statement.bal] == ["100000.00", "99970.00"]


async def test_a_bank_that_does_not_look_pays_a_file_twice(bank: Bank) -> None:
    await bank.http.put("/behaviour", json={"takes_twice": True})
    for _ in range(2):
        assert (await bank.send(pain("m1", ("王伟", "62220003", "1")))).status_code == 202
    assert [line["instruction"] for line in await bank.log("transferred")] == ["im1-1", "im1-1"]
    assert (await bank.http.get("/payment-files/m1")).text.count("ACSC</TxSts>") == 2


async def test_a_disowned_file_is_not_taken_when_it_comes_late(bank: Bank, tmp_path: Path) -> None:
    assert (await bank.http.delete("/payment-files/m1")).status_code == 204
    for late in (bank, Bank(tmp_path)):
        refused = await late.send(pain("m1", ("王伟", "62220003", "1")))
        assert (refused.status_code, refused.json()["detail"]["code"]) == (400, "DS02")
    await bank.send(pain("m2", ("王伟", "62220003", "1")))
    assert (await bank.http.delete("/payment-files/m2")).status_code == 409


async def test_the_bank_remembers_after_a_restart(bank: Bank, tmp_path: Path) -> None:
    await bank.send(pain("m1", ("王伟", "62220003", "1"), ("李雷", "62220001", "1")))
    again = Bank(tmp_path)
    assert await again.statuses("m1") == await bank.statuses("m1")
    assert (await again.send(pain("m1", ("王伟", "62220003", "1")))).status_code == 400


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (pain("m", ("王伟", "62220003", "1"), count=2), "AM19"),
        (pain("m", ("王伟", "62220003", "1"), total="2.00"), "AM10"),
        (pain("m", ("王伟", "62220003", "1"))[:-20], "FF01"),
        (b"<Document/>", "FF01"),
        (b'<!DOCTYPE x [<!ENTITY a "b">]><Document/>', "FF01"),
        (b"", "FF01"),
        (pain("m", ("王伟", "62220003", "0")), "AM01"),
        (pain("m", ("王伟", "62220003", "99999999999.00")), "AM04"),
    ],
)
async def test_files_that_cannot_be_taken(bank: Bank, data: bytes, code: str) -> None:
    refused = await bank.send(data)
    assert (refused.status_code, refused.json()["detail"]["code"]) == (400, code)
    assert not await bank.log("transferred")


def filled(*orders: tuple[str, str, str]) -> bytes:
    """The template with (name, account, yuan)."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    total = sum(fen_of(order[2]) for order in orders)
    values = ["t1", UNION, "2026-11-20", str(len(orders)), f"{total // 100}.{total % 100:02d}"]
    sheet.append([cell for pair in zip(TOP, values, strict=True) for cell in pair])
    sheet.append(list(HEADINGS))
    for number, (name, account, yuan) in enumerate(orders, 1):
        sheet.append([str(number), f"i{number}", f"e{number}", name, account, yuan, "慰问"])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


async def test_the_template_and_its_return_sheet(bank: Bank) -> None:
    assert (await bank.send(filled(("王伟", "62220003", "300"), ("李雷", "62220001", "200")), XLSX)).status_code == 202
    answer = await bank.http.get("/payment-files/t1")
    rows = list(load_workbook(BytesIO(answer.content)).worksheets[0].iter_rows(min_row=3, values_only=True))
    assert [(row[2], row[7], row[8]) for row in rows] == [("e1", "成功", None), ("e2", "失败", "收款账户为睡眠户")]


async def test_macros_are_refused(bank: Bank) -> None:
    out = BytesIO(filled(("王伟", "62220003", "300")))
    with ZipFile(out, "a") as archive:
        archive.writestr("xl/vbaProject.bin", b"")
    assert (await bank.send(out.getvalue(), XLSX)).json()["detail"]["reason"] == "文件含有宏，拒绝接收"


@pytest.mark.parametrize("text", ["-1", "1.234", "1e3", "", ".5", "一", "99999999999999"])
def test_amounts_are_plain_decimals(text: str) -> None:
    with pytest.raises(FileRefused):
        fen_of(text)


async def test_every_n_th_order_fails_by_chance(tmp_path: Path) -> None:
    bank = Bank(tmp_path, behaviour=Behaviour(rejected_every=3))
    await bank.http.post("/accounts", json=[{"account": UNION, "name": "泰安市总工会", "fen": 1_000}])
    await bank.send(pain("m1", *(("王伟", "62220003", "1") for _ in range(7))))
    statuses = [status for status, _ in (await bank.statuses("m1")).values()]
    assert statuses == ["ACSC", "ACSC", "RJCT", "ACSC", "ACSC", "RJCT", "ACSC"]
