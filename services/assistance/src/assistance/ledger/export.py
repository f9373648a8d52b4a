"""Vouchers for the accounting package 会计软件: one row per side, in the codes of the unions' chart (`chart.toml`). Pure.

Nothing in the file is ever a formula: in CSV what would begin one is quoted, as OWASP advises; in a workbook texts are written as texts.
"""

import csv
from collections.abc import Sequence
from io import BytesIO, StringIO

# The package has no types.
from xlsxwriter import Workbook  # type: ignore[import-untyped]

from assistance.bank.amounts import yuan
from assistance.ledger.chart import Chart
from assistance.ledger.lineage import Voucher

HEADINGS = ("凭证号", "日期", "摘要", "科目编码", "科目名称", "借方金额", "贷方金额", "预算项目", "业务编号")
AMOUNTS = (HEADINGS.index("借方金额"), HEADINGS.index("贷方金额"))
DANGEROUS = ("=", "+", "-", "@", "\t", "\r", "\n")

Row = tuple[str, ...]


def rows(vouchers: Sequence[Voucher], chart: Chart) -> list[Row]:
    """Debit and credit of each voucher, without those that touch no account of the unions' chart (adjustments, carry-over)."""
    found: list[Row] = []
    for one in vouchers:
        entry = chart.entry(one.event, one.source, one.booked_on)
        if entry is None:
            continue
        for account, debit, credit in ((entry.debit, yuan(one.fen), ""), (entry.credit, "", yuan(one.fen))):
            code, _, name = account.partition(" ")
            summary = chart.summaries.get(one.event, one.event)
            found.append(
                (str(one.number), one.booked_on.isoformat(), summary, code, name, debit, credit, one.line, one.reference),
            )
    return found


def harmless(cell: str) -> str:
    """A cell that no spreadsheet takes for a formula."""
    return f"'{cell}" if cell.startswith(DANGEROUS) else cell


def as_csv(found: Sequence[Row]) -> bytes:
    """UTF-8 with a byte order mark, without which spreadsheets guess another encoding."""
    out = StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADINGS)
    writer.writerows([harmless(cell) for cell in row] for row in found)
    return out.getvalue().encode("utf-8-sig")


def as_workbook(found: Sequence[Row]) -> bytes:
    """One sheet; amounts are numbers, everything else is text."""
    out = BytesIO()
    with Workbook(out, {"in_memory": True, "constant_memory": True}) as book:
        sheet, money = book.add_worksheet("凭证"), book.add_format({"num_format": "0.00"})
        for column, heading in enumerate(HEADINGS):
            sheet.write_string(0, column, heading)
        for place, row in enumerate(found, 1):
            for column, cell in enumerate(row):
                if column in AMOUNTS and cell:
                    sheet.write_number(place, column, float(cell), money)
                else:
                    sheet.write_string(place, column, cell)
    return out.getvalue()
