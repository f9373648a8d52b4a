"""Reads the branch's own Excel template for payrolls 代发 and writes its return sheet.

First row: 批次号, 付款账号, 执行日期, 总笔数, 总金额 and their values in turn; second row: the headings; then one row per order.
"""

from collections.abc import Sequence
from datetime import date
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

from openpyxl import Workbook, load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from simulated_bank.orders import FileRefused, Order, PaymentFile, checked, fen_of, yuan

HEADINGS = ("序号", "指令号", "业务编号", "收款人户名", "收款人账号", "金额（元）", "用途")
ANSWER_HEADINGS = (*HEADINGS, "处理结果", "失败原因")
TOP = ("批次号", "付款账号", "执行日期", "总笔数", "总金额")
ROWS_MAX = 100_000


def read(data: bytes) -> PaymentFile:
    """The orders of a filled-in template. Raises FileRefused where it is none, holds macros, or its control figures do not hold."""
    rows = _rows(data)
    if len(rows) < 2 or tuple(rows[0][0:10:2]) != TOP or tuple(rows[1][: len(HEADINGS)]) != HEADINGS:
        raise FileRefused("FF01", "不是本行代发模板")
    message, account, day, count, total = rows[0][1:10:2]
    orders = [
        Order(row[1], row[2], fen_of(row[5]), row[4].replace(" ", ""), row[3], row[6]) for row in (row[:7] for row in rows[2:]) if any(row)
    ]
    try:
        return checked(PaymentFile(message, account, date.fromisoformat(day), tuple(orders)), int(count), fen_of(total))
    except ValueError as error:
        raise FileRefused("FF01", "模板首行有误") from error


def _rows(data: bytes) -> list[list[str]]:
    try:
        with ZipFile(BytesIO(data)) as archive:
            if any("vbaProject" in name for name in archive.namelist()):
                raise FileRefused("FF01", "文件含有宏，拒绝接收")
        book = load_workbook(BytesIO(data), read_only=True, data_only=True)
        sheet = book.worksheets[0]
        rows = [[_said(cell) for cell in row] + [""] * 10 for row in sheet.iter_rows(max_row=ROWS_MAX + 3, max_col=10, values_only=True)]
    except (BadZipFile, InvalidFileException, KeyError, IndexError, ValueError, OSError) as error:
        raise FileRefused("FF01", "不是 Excel 文件") from error
    if len(rows) > ROWS_MAX + 2:
        raise FileRefused("NARR", f"明细超过 {ROWS_MAX} 笔")
    return rows


def _said(cell: Any) -> str:
    return "" if cell is None else str(cell).strip()


def answer(file: PaymentFile, results: Sequence[tuple[Order, str, str]]) -> bytes:
    """The return sheet: each order with 成功, 失败 or 处理中, and the reason."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet("回盘")
    sheet.append(["批次号", file.message])
    sheet.append(list(ANSWER_HEADINGS))
    for number, (order, result, reason) in enumerate(results, 1):
        row = [number, order.instruction, order.end_to_end, order.name, order.account, yuan(order.fen), order.purpose, result, reason]
        sheet.append([str(value) for value in row])
    out = BytesIO()
    book.save(out)
    return out.getvalue()
