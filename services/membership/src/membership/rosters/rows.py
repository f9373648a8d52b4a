"""From a table's cells to people, or to the reason why a row cannot be taken. Pure.

A refusal is a rule's name and its arguments, never a value: the sentence in Chinese or English is made when it is read (`refusals`).
"""

import re
import tomllib
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any

from contracts.checks import DocumentKind, ValueRefused, identity_number, phone
from contracts.checks import name as person_name

from membership.rosters.sheet import CELL_CHARACTERS_MAX, ROWS_MAX, FileRefused, Table, as_text

HEADING_ROWS_MAX = 20
"""A title and notes may stand above the headings, but not more."""

ISSUER_UNKNOWN = "ZZ"
"""Stands where a passport's issuer is not told (ISO 3166-1 user-assigned)."""

DETAILS = (
    "birth",
    "ethnicity",
    "education",
    "household_registration",
    "address",
    "employer",
    "post",
    "contract",
    "skill_level",
    "bank_name",
)
CATEGORIES = ("migrant", "new_employment", "dispatched")
_EXCEL_EPOCH = date(1899, 12, 30)
_ROUNDED_FROM = 10**15
"""Spreadsheets keep 15 digits of a number; an identity number typed as a number has lost its last ones."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that is not taken. `document` is who it speaks of, where that could be read: such a person has not left."""

    row: int
    rule: str
    arguments: Mapping[str, Any]
    document: tuple[str, str, str] | None = None


@dataclass(frozen=True, slots=True)
class Person:
    """A row that is taken. A column the roster does not have is None: nothing is said about it."""

    row: int
    name: str
    document: tuple[str, str, str]
    """Kind, number and issuer."""
    phone: str | None
    sex: str | None
    categories: tuple[str, ...] | None
    details: Mapping[str, str]
    joined_on: str | None


class _Rule(Exception):
    """A row breaks a rule."""

    def __init__(self, rule: str, **arguments: Any) -> None:
        super().__init__(rule)
        self.rule, self.arguments = rule, arguments


@cache
def _words() -> Mapping[str, Mapping[str, str]]:
    """Headings, kinds of documents and words, each by how it is written."""
    data = tomllib.loads(files("membership.rosters").joinpath("headings.toml").read_text("utf-8"))
    return {part: {_bare(way): name for name, ways in entries.items() for way in ways} for part, entries in data.items()}


@lru_cache(maxsize=1_000)
def _bare(text: str) -> str:
    # Remembered: a column of kinds, sexes or statuses says the same few words in every row.
    text = re.sub(r"[(\[【（].*?[)\]】）]", "", unicodedata.normalize("NFKC", text).casefold())
    return "".join(character for character in text if character.isalnum() or character in "√×")


def columns_of(heading: Sequence[Any]) -> dict[str, int]:
    """Which field stands in which column; the first of two columns with one meaning counts."""
    known = _words()["columns"]
    found: dict[str, int] = {}
    for at, cell in enumerate(heading):
        field = known.get(_bare(as_text(cell)))
        if field is not None:
            found.setdefault(field, at)
    return found


def people(tables: Iterable[Table], today: date) -> Iterator[Person | Refused]:
    """Every row of the first table that has a row of headings with name and number. Raises FileRefused."""
    for table in tables:
        for number, row in table:
            if number > HEADING_ROWS_MAX:
                break
            columns = columns_of(row)
            if "name" in columns and "number" in columns:
                yield from _rows(table, columns, today)
                return
    raise FileRefused("no-headings", rows=HEADING_ROWS_MAX)


def _rows(table: Table, columns: Mapping[str, int], today: date) -> Iterator[Person | Refused]:
    seen: dict[tuple[str, str, str], int] = {}
    count = 0
    for number, row in table:
        cells = {field: row[at] for field, at in columns.items() if at < len(row) and row[at] not in ("", None)}
        if not any(not isinstance(cell, str) or cell.strip() for cell in cells.values()):
            continue
        count += 1
        if count > ROWS_MAX:
            raise FileRefused("too-many-rows", most=ROWS_MAX)
        document: tuple[str, str, str] | None = None
        try:
            document = _document(cells, today)
            if document in seen:
                raise _Rule("twice", first=seen[document])
            seen[document] = number
            yield _person(number, cells, columns, document, today)
        except _Rule as broken:
            yield Refused(number, broken.rule, broken.arguments, document)
        except ValueRefused as refused:
            yield Refused(number, refused.rule, refused.arguments, document)


def _document(cells: Mapping[str, Any], today: date) -> tuple[str, str, str]:
    cell = cells.get("number")
    if isinstance(cell, float) and cell >= _ROUNDED_FROM:
        raise _Rule("number-rounded")
    written = as_text(cell)
    if not written:
        raise _Rule("number-missing")
    told = as_text(cells.get("document_kind"))
    kind = _words()["documents"].get(_bare(told)) if told else _guessed(written)
    if kind is None:
        raise _Rule("document-kind-unknown")
    if kind == "hong_kong_residence" and written[:2] in ("82", "83"):
        # 港澳台居民居住证 is one card under three prefixes (GB 11643 numbers beginning with 81, 82, 83).
        kind = "macau_residence" if written[:2] == "82" else "taiwan_residence"
    number = identity_number(DocumentKind(kind), written, today=today)
    issuer = as_text(cells.get("issuer")).upper() if kind == "passport" else "CN"
    if kind == "passport" and not re.fullmatch(r"[A-Z]{2}", issuer):
        issuer = ISSUER_UNKNOWN
    return kind, number, issuer


def _guessed(number: str) -> str:
    return {"81": "hong_kong_residence", "82": "macau_residence", "83": "taiwan_residence"}.get(number[:2], "resident")


def _person(row: int, cells: Mapping[str, Any], columns: Mapping[str, int], document: tuple[str, str, str], today: date) -> Person:
    written = as_text(cells.get("name"))
    if not written:
        raise _Rule("name-missing")
    told = as_text(cells.get("phone"))
    status = as_text(cells.get("status"))
    if status and _words()["words"].get(_bare(status)) != "current":
        raise _Rule("not-current")
    return Person(
        row=row,
        name=person_name(written),
        document=document,
        phone=(phone(told) if told else "") if "phone" in columns else None,
        sex=_sex(cells, document),
        categories=_categories(cells, columns),
        details=_details(cells, document, today),
        joined_on=_joined_on(cells, today),
    )


def _numbered(document: tuple[str, str, str]) -> bool:
    """Whether the number tells birth and sex (GB 11643)."""
    return len(document[1]) == 18 and document[0] != "passport"


def _sex(cells: Mapping[str, Any], document: tuple[str, str, str]) -> str | None:
    written = as_text(cells.get("sex"))
    told = {"male": "1", "female": "2"}.get(_words()["words"].get(_bare(written), "")) if written else None
    if written and told is None:
        raise _Rule("sex-unknown")
    if not _numbered(document):
        return told
    by_number = "1" if int(document[1][16]) % 2 else "2"
    if told is not None and told != by_number:
        raise _Rule("sex-differs")
    return by_number


def _categories(cells: Mapping[str, Any], columns: Mapping[str, int]) -> tuple[str, ...] | None:
    asked = [category for category in CATEGORIES if category in columns]
    if not asked:
        return None
    found = []
    for category in asked:
        written = as_text(cells.get(category))
        match _words()["words"].get(_bare(written)) if written else "no":
            case "yes" | "male":  # 1 is a yes here and a man in the column of sexes
                found.append(category)
            case "no":
                pass
            case _:
                raise _Rule("yes-or-no")
    return tuple(found)


def _details(cells: Mapping[str, Any], document: tuple[str, str, str], today: date) -> dict[str, str]:
    found = {}
    for field in DETAILS:
        if field == "birth" or field not in cells:
            continue
        text = " ".join(as_text(cells[field]).split())
        if len(text) > CELL_CHARACTERS_MAX:
            raise _Rule("cell-too-long", most=CELL_CHARACTERS_MAX)
        if text:
            found[field] = text
    department = as_text(cells.get("department"))[:CELL_CHARACTERS_MAX]
    if department:
        found["post"] = " ".join(part for part in (department, found.get("post", "")) if part)
    told = _day(cells["birth"], "birth-unreadable") if "birth" in cells else None
    if _numbered(document):
        number = document[1]
        by_number = f"{number[6:10]}-{number[10:12]}-{number[12:14]}"
        if told is not None and told.isoformat()[: 7 if told.day == 1 else 10] != by_number[: 7 if told.day == 1 else 10]:
            raise _Rule("birth-differs")
        found["birth"] = by_number
    elif told is not None:
        if told > today:
            raise _Rule("birth-to-come")
        found["birth"] = told.isoformat()
    return found


def _joined_on(cells: Mapping[str, Any], today: date) -> str | None:
    if "joined_on" not in cells or not as_text(cells["joined_on"]):
        return None
    day = _day(cells["joined_on"], "joined-unreadable")
    if day > today:
        raise _Rule("joined-to-come")
    return day.isoformat()


def _day(cell: Any, rule: str) -> date:
    """A day in any of the usual ways: 2026-03-02, 2026/3/2, 2026.3, 20260302, 2026年3月2日, or a spreadsheet's day number."""
    match cell:
        case datetime():
            return cell.date()
        case date():
            return cell
        case float() | int() if 10_000 < cell < 80_000:
            return _EXCEL_EPOCH + timedelta(days=int(cell))
        case _:
            text = unicodedata.normalize("NFKC", as_text(cell))
    match = re.match(r"(\d{4})\D{0,2}(\d{1,2})(?:\D{0,2}(\d{1,2}))?(?:\D.*)?$", text)
    if match is None:
        raise _Rule(rule)
    try:
        return date(int(match[1]), int(match[2]), int(match[3] or 1))
    except ValueError:
        raise _Rule(rule) from None
