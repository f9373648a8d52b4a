"""Vouchers for the accounting package: both sides in the chart's codes, and no cell is a formula."""

import csv
from datetime import date
from io import BytesIO, StringIO
from typing import Any
from zipfile import ZipFile

from assistance.ledger import export
from assistance.ledger.chart import chart
from assistance.ledger.lineage import Voucher
from hypothesis import given as forall
from hypothesis import strategies as some
from openpyxl import load_workbook


def voucher(number: int, event: str, fen: int = 20_000_005, **more: Any) -> Voucher:
    told: dict[str, Any] = {"position": number, "line": "1" * 32, "source": "superior", "booked_on": date(2026, 3, 2)}
    return Voucher(number=number, event=event, fen=fen, reference="9" * 32, actor="7" * 32, **(told | more))


VOUCHERS = [voucher(1, "FundsAppropriated"), voucher(2, "BudgetAdjusted"), voucher(3, "ReservationPosted"), voucher(4, "AllotmentRecalled")]


def test_each_voucher_has_both_sides_in_the_charts_codes() -> None:
    found = export.rows(VOUCHERS, chart())
    assert [row[:7] for row in found[:2]] == [
        ("1", "2026-03-02", "预算拨入", "102", "银行存款", "200000.05", ""),
        ("1", "2026-03-02", "预算拨入", "403", "上级补助收入", "", "200000.05"),
    ]
    assert [row[0] for row in found] == ["1", "1", "3", "3", "4", "4"], "an adjustment touches no account of the chart"
    debit, credit = export.AMOUNTS
    assert sorted(row[debit] for row in found if row[debit]) == sorted(row[credit] for row in found if row[credit])


def test_before_the_chart_was_in_force_there_are_no_codes() -> None:
    assert export.rows([voucher(1, "FundsAppropriated", booked_on=date(2021, 12, 31))], chart()) == []


def test_every_booking_that_the_chart_knows_says_what_it_is_about() -> None:
    assert {entry.event for entry in chart().entries} == chart().summaries.keys()


@forall(some.text(max_size=20))
def test_no_cell_is_a_formula(text: str) -> None:
    row = (text.replace("\x00", ""),) * 5 + ("1.00", "", "x", "y")
    [_, read] = csv.reader(StringIO(export.as_csv([row]).decode("utf-8-sig"), newline=""))
    assert not read[0].startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


def test_a_workbook_holds_texts_and_numbers_and_nothing_else() -> None:
    data = export.as_workbook([("=1+1", "@x", "+1", "-2", "http://x", "200000.05", "", "{=A1}", "0012")])
    with ZipFile(BytesIO(data)) as archive:
        assert b"<f" not in archive.read("xl/worksheets/sheet1.xml")
    sheet = load_workbook(BytesIO(data)).active
    assert sheet is not None
    cells = list(sheet.iter_rows())[1]
    assert [cell.data_type for cell in cells[:5]] == ["s"] * 5
    assert (cells[5].value, cells[0].value, cells[8].value) == (200000.05, "=1+1", "0012")
