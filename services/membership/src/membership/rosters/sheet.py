"""Reading a roster's table out of a file that may be hostile: CSV in any usual encoding, or one sheet of an XLSX workbook.

Pure of everything but memory. It runs in a process of its own under limits (`reading`), so that a file which makes the reader itself
fail, or eat memory, hurts nobody else. Macros and formulas are never run: a formula counts as the value that was last saved with it.
"""

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from typing import Any

from python_calamine import CalamineError, SheetTypeEnum, SheetVisibleEnum, load_workbook

FILE_BYTES_MAX = 64 << 20
ROWS_MAX = 300_000
COLUMNS_MAX = 200
CELL_CHARACTERS_MAX = 2_000
UNPACKED_BYTES_MAX = 1 << 30
PARTS_MAX = 5_000
RATIO_MAX = 200
"""An XLSX part that is packed tighter than this is no table that people typed (DEFLATE's limit is 1,032)."""

SMALL_BYTES = 1 << 20
"""Parts up to this size may be packed as tightly as they like."""

Table = Iterator[tuple[int, Sequence[Any]]]
"""Rows with their number in the file, from 1. Cells are texts, numbers, truth values, dates or empty strings."""


class FileRefused(Exception):
    """The file as a whole cannot be taken. `rule` is stable; the catalogue has its sentence."""

    def __init__(self, rule: str, **arguments: Any) -> None:
        super().__init__(rule)
        self.rule, self.arguments = rule, arguments


# Characters for which older systems used private code points of GBK and GB 18030-2000, with the code points that Unicode gave them since.
_PRIVATE = {
    0xE81E: 0x9FB4,
    0xE826: 0x9FB5,
    0xE82B: 0x9FB6,
    0xE82C: 0x9FB7,
    0xE832: 0x9FB8,
    0xE843: 0x9FB9,
    0xE854: 0x9FBA,
    0xE864: 0x9FBB,
    0xE816: 0x20087,
    0xE817: 0x20089,
    0xE818: 0x200CC,
    0xE831: 0x215D7,
    0xE83B: 0x2298F,
    0xE855: 0x241FE,
    0xE863: 0x4DAE,
}
_ANY_PRIVATE = re.compile(f"[{''.join(map(chr, _PRIVATE))}]")


def kind_of(file: bytes) -> str:
    """`xlsx` or `csv`, by what the file begins with. Raises FileRefused."""
    if not file.strip():
        raise FileRefused("file-empty")
    if len(file) > FILE_BYTES_MAX:
        raise FileRefused("file-too-large", most=FILE_BYTES_MAX >> 20)
    if file.startswith(b"PK\x03\x04"):
        return "xlsx"
    if file.startswith((b"\xd0\xcf\x11\xe0", b"\x09\x08")):
        raise FileRefused("file-old-excel")
    if file.startswith((b"%PDF", b"<html", b"<!DOCTYPE", b"{\\rtf")):
        raise FileRefused("file-no-table")
    return "csv"


def tables(file: bytes) -> Iterator[Table]:
    """The tables of a file: one of a CSV file, every visible sheet of a workbook. Raises FileRefused."""
    if kind_of(file) == "csv":
        yield _csv(file)
        return
    _check_package(file)
    try:
        workbook = load_workbook(io.BytesIO(file))
        for sheet in workbook.sheets_metadata:
            if sheet.visible == SheetVisibleEnum.Visible and sheet.typ == SheetTypeEnum.WorkSheet:
                cells = workbook.get_sheet_by_name(sheet.name)
                if cells.total_height > ROWS_MAX + 100:
                    raise FileRefused("too-many-rows", most=ROWS_MAX)
                if cells.total_width > COLUMNS_MAX:
                    raise FileRefused("too-many-columns", most=COLUMNS_MAX)
                yield enumerate(cells.iter_rows(), 1)
    except CalamineError as error:
        raise FileRefused("file-broken") from error


def _check_package(file: bytes) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(file)) as package:
            parts = package.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:  # zipfile implements not every compression
        raise FileRefused("file-broken") from error
    names = {part.filename for part in parts}
    if "xl/workbook.xml" not in names:
        raise FileRefused("file-no-table")
    if "xl/vbaProject.bin" in names:
        raise FileRefused("file-macros")
    if any(part.flag_bits & 1 for part in parts):
        raise FileRefused("file-encrypted")
    bombs = (part.file_size > SMALL_BYTES and part.file_size > RATIO_MAX * max(1, part.compress_size) for part in parts)
    if len(parts) > PARTS_MAX or sum(part.file_size for part in parts) > UNPACKED_BYTES_MAX or any(bombs):
        raise FileRefused("file-bomb")


def _csv(file: bytes) -> Table:
    text = decoded(file)
    if "\0" in text:
        raise FileRefused("file-no-table")
    head = text[:10_000].split("\n", 1)[0]
    delimiter = max(",;\t，", key=head.count)
    csv.field_size_limit(CELL_CHARACTERS_MAX * 4)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=False)
    try:
        for number, row in enumerate(reader, 1):
            if number > ROWS_MAX + 100:
                raise FileRefused("too-many-rows", most=ROWS_MAX)
            if len(row) > COLUMNS_MAX:
                raise FileRefused("too-many-columns", most=COLUMNS_MAX)
            yield number, row
    except csv.Error as error:
        raise FileRefused("file-broken") from error


def decoded(file: bytes) -> str:
    """A text file's text: by its byte order mark, else UTF-8, else GB 18030 (which holds GBK and GB 2312). Raises FileRefused."""
    marks = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
    encodings = [encoding for mark, encoding in marks if file.startswith(mark)] or ["utf-8", "gb18030"]
    for encoding in encodings:
        try:
            return _ANY_PRIVATE.sub(lambda found: chr(_PRIVATE[ord(found[0])]), file.decode(encoding))
        except UnicodeDecodeError:
            continue
    raise FileRefused("file-encoding")


def as_text(cell: Any) -> str:
    """A cell as one would read it: whole numbers without `.0`, days as 2026-03-02."""
    match cell:
        case str():
            return cell.strip()
        case bool():
            return "是" if cell else "否"
        case float() if cell.is_integer():
            return str(int(cell))
        case datetime():
            return cell.date().isoformat()
        case date():
            return cell.isoformat()
        case None:
            return ""
        case _:
            return str(cell)
