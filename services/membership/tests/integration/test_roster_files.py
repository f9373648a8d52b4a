"""Files that mean harm are refused by the reader, and one that kills it only kills its own process."""

import io
import subprocess
import sys
import zipfile
from datetime import date

import openpyxl
import pytest
from membership.rosters.reading import read, rows
from membership.rosters.sheet import FileRefused

TODAY = date(2026, 3, 2)


async def refusal(file: bytes) -> str:
    with pytest.raises(FileRefused) as refused:
        async for _ in read(file, TODAY):
            pass
    return refused.value.rule


def package(**parts: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in parts.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def workbook(**cells: str) -> bytes:
    book, buffer = openpyxl.Workbook(), io.BytesIO()
    sheet = book.worksheets[0]
    for place, value in cells.items():
        sheet[place] = value
    book.save(buffer)
    return buffer.getvalue()


async def test_hostile_and_mistaken_files() -> None:
    assert await refusal(b"\xd0\xcf\x11\xe0" + b"x" * 100) == "file-old-excel"
    assert await refusal(b"%PDF-1.7 ...") == "file-no-table"
    assert await refusal(b"PK\x03\x04 cut off") == "file-broken"
    assert await refusal(package(**{"word__document.xml": b""})) == "file-no-table"
    assert await refusal(package(**{"xl__workbook.xml": b"", "xl__vbaProject.bin": b""})) == "file-macros"
    assert await refusal(package(**{"xl__workbook.xml": b"", "xl__worksheets__sheet1.xml": b" " * (50 << 20)})) == "file-bomb"
    assert await refusal(b"\n".join([b"a,b"] * 50)) == "no-headings"
    assert await refusal(",".join(["列"] * 300).encode()) == "too-many-columns"
    assert await refusal(b"a\0b,c\n") == "file-no-table"


async def test_a_sheet_that_would_take_half_a_terabyte_only_kills_its_reader() -> None:
    assert await refusal(workbook(A1="姓名", B1="身份证号", XFD1048576="x")) == "file-broken"


async def test_a_million_rows_are_refused() -> None:
    assert await refusal("姓名,身份证号\n".encode() + b"a,1\n" * 1_000_000) == "too-many-rows"


async def test_a_formula_counts_as_the_value_saved_with_it() -> None:
    file = workbook(A1="姓名", B1="身份证号", A2='=HYPERLINK("http://x","y")', B2="1")
    assert [type(row).__name__ async for batch in read(file, TODAY) for row in rows(batch)] == ["Refused"]


def test_the_reader_starts_without_what_takes_long_to_import() -> None:
    code = "import membership.rosters.reader, sys; print(*{'asyncio', 'pydantic'}.intersection(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.split() == []
