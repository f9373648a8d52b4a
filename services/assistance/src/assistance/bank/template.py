"""The branch's own Excel template for payrolls 代发: written for the bank, and its return sheet 回盘 read.

First row: 批次号, 付款账号, 执行日期, 总笔数, 总金额 and their values in turn; second row: the headings; then one row per payment.
Every cell is text, so that no spreadsheet rounds an account number.
"""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any
from zipfile import BadZipFile, ZipFile

from python_calamine import CalamineError, CalamineWorkbook

# The package has no types.
from xlsxwriter import Workbook  # type: ignore[import-untyped]

from assistance.bank.amounts import fen_of, yuan
from assistance.bank.errors import BankFileUnreadable
from assistance.bank.pain001 import PURPOSE
from assistance.bank.port import PaymentFile
from assistance.bank.reasons import OTHER, code_of
from assistance.bank.words import Outcome, Report, Said

HEADINGS = ("序号", "指令号", "业务编号", "收款人户名", "收款人账号", "金额（元）", "用途")
ANSWER_HEADINGS = (*HEADINGS, "处理结果", "失败原因")
TOP = ("批次号", "付款账号", "执行日期", "总笔数", "总金额")
ROWS_MAX = 200_000
UNPACKED_BYTES_MAX = 200_000_000
RATIO_MAX = 100
"""How much larger a workbook may be unpacked; sheets of text come to about 15."""

_OUTCOMES = {"成功": Outcome.paid, "失败": Outcome.failed, "处理中": Outcome.under_way}
_WRITTEN = datetime(2000, 1, 1, tzinfo=UTC).replace(tzinfo=None)  # the same payments are the same bytes; XlsxWriter knows no zones


def write(file: PaymentFile) -> bytes:
    """The filled-in template."""
    out = BytesIO()
    with Workbook(out, {"in_memory": True, "strings_to_numbers": False, "strings_to_formulas": False, "strings_to_urls": False}) as book:
        book.set_properties({"created": _WRITTEN})
        sheet = book.add_worksheet("代发")
        values = (file.message, file.account, file.execute_on.isoformat(), str(len(file.orders)), yuan(file.fen))
        rows = [[cell for pair in zip(TOP, values, strict=True) for cell in pair], HEADINGS]
        for number, order in enumerate(file.orders, 1):
            account = order.account
            rows.append(
                [str(number), order.instruction, order.entitlement, account.name, account.number, yuan(order.fen), PURPOSE],
            )
        for number, row in enumerate(rows):
            for column, cell in enumerate(row):
                sheet.write_string(number, column, cell)
    return out.getvalue()


def read(data: bytes) -> Report:
    """The return sheet. Raises BankFileUnreadable, also for macros, formulas and what unpacks to an unreasonable size."""
    _check_archive(data)
    rows = _rows(data)
    if len(rows) < 2 or rows[0][0] != TOP[0] or not rows[0][1] or tuple(rows[1][: len(ANSWER_HEADINGS)]) != ANSWER_HEADINGS:
        raise BankFileUnreadable("kind")
    return Report(rows[0][1], tuple(_said(place, row) for place, row in enumerate(rows[2:], 3) if any(row)))


def _said(place: int, row: list[str]) -> Said:
    instruction, entitlement, amount, result, reason = row[1], row[2], row[5], row[7], row[8]
    outcome = _OUTCOMES.get(result)
    if outcome is None:
        raise BankFileUnreadable("result", place)
    failed = outcome is Outcome.failed
    return Said(
        place=place,
        instruction=instruction,
        entitlement=entitlement,
        outcome=outcome,
        fen=fen_of(amount, place),
        code=(code_of(reason) if reason else OTHER) if failed else None,
        reason=reason or None,
    )


def _check_archive(data: bytes) -> None:
    try:
        with ZipFile(BytesIO(data)) as archive:
            entries = archive.infolist()
            unpacked = sum(entry.file_size for entry in entries)
            if any("vbaproject" in entry.filename.lower() or "macrosheet" in entry.filename.lower() for entry in entries):
                raise BankFileUnreadable("macros")
            if unpacked > UNPACKED_BYTES_MAX or unpacked > RATIO_MAX * len(data) or len(entries) > 1_000:
                raise BankFileUnreadable("bomb")
            if any(entry.flag_bits & 1 for entry in entries):
                raise BankFileUnreadable("encrypted")
            for entry in entries:
                if entry.filename.startswith("xl/worksheets/") and _has_formula(archive, entry.filename):
                    raise BankFileUnreadable("formulas")
    except (BadZipFile, NotImplementedError, OSError, EOFError, ValueError):  # zipfile implements not every compression
        raise BankFileUnreadable("excel") from None


def _has_formula(archive: ZipFile, name: str) -> bool:
    """Whether a sheet holds an element `f`; the reader would show only what was cached of it."""
    with archive.open(name) as sheet:
        left = b""
        read = 0
        while part := sheet.read(1_000_000):
            read += len(part)
            if read > UNPACKED_BYTES_MAX:
                raise BankFileUnreadable("bomb")
            part = left + part
            if b"<f>" in part or b"<f " in part or b"<f/" in part or b":f>" in part or b":f " in part:
                return True
            left = part[-3:]
    return False


def _rows(data: bytes) -> list[list[str]]:
    width = len(ANSWER_HEADINGS)
    try:
        with CalamineWorkbook.from_filelike(BytesIO(data)) as book:
            sheet = book.get_sheet_by_index(0)
            if sheet.height > ROWS_MAX or sheet.width > 100:
                raise BankFileUnreadable("too-many")
            rows = sheet.to_python(skip_empty_area=False)
    except (CalamineError, OSError, ValueError):
        raise BankFileUnreadable("excel") from None
    return [[_text(cell) for cell in row[:width]] + [""] * (width - len(row)) for row in rows]


def _text(cell: Any) -> str:
    return str(cell).strip()
