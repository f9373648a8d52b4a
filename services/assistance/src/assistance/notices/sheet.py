"""The masked sheet of a public notice as it hangs: HTML by itself, printed on A4, Chinese with English beside. Pure but for its files.

The same listing gives the same bytes, so that the digest in the history says what hung.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from html import escape
from importlib.resources import files
from string import Template as Text
from typing import Any

from foundation.texts import LANGUAGES, Language, catalogue

from assistance.notices.templates import Template, masked


@dataclass(frozen=True, slots=True)
class Line:
    """An application as a notice may know it. `name`: the applicant's, in full; None where it is erased, or was never given."""

    name: str | None
    minor: bool
    union: str
    fen: int


@dataclass(frozen=True, slots=True)
class Hangs:
    """How long: so many working days from a day to a last one (inclusive)."""

    since: date
    until: date
    working_days: int


@dataclass(frozen=True, slots=True)
class Listing:
    """What a notice of a union lists."""

    union: str
    hangs: Hangs
    lines: Sequence[Line]


def rendered(template: Template, listing: Listing) -> bytes:
    """The sheet, in UTF-8."""
    hangs = listing.hangs
    days = {"since": hangs.since.isoformat(), "until": hangs.until.isoformat(), "days": hangs.working_days}
    told = {
        f"{name}_{language}": escape(sentence(name, language, union=listing.union, **days))
        for name in ("title", "lead", "objections")
        for language in LANGUAGES
    }
    head = "".join(f"<th>{_both(f'column.{field}')}</th>" for field, _ in template.fields)
    rows = "\n".join(f"<tr>{_cells(template, number, line)}</tr>" for number, line in enumerate(listing.lines, 1))
    page = Text((files("assistance.notices") / "sheet.html").read_text("utf-8"))
    return page.substitute(told, head=head, rows=rows, union=escape(listing.union), day=days["since"]).encode()


def digest_of(sheet: bytes) -> str:
    """What the history keeps of a sheet."""
    return sha256(sheet).hexdigest()


_CELLS: Mapping[str, Callable[[int, Line], str]] = {
    "number": lambda number, _: str(number),
    "name": lambda _, line: _name(line),
    "union": lambda _, line: escape(line.union),
    "amount": lambda _, line: f"{line.fen // 100:,}.{line.fen % 100:02}",
}


def _cells(template: Template, number: int, line: Line) -> str:
    return "".join(f"<td>{_CELLS[field](number, line)}</td>" for field, _ in template.fields)


def _name(line: Line) -> str:
    if line.minor:
        return _both("minor")
    return _both("withheld") if line.name is None else escape(masked(line.name))


def _both(name: str) -> str:
    return f'{escape(sentence(name, "zh"))} <span lang="en">{escape(sentence(name, "en"))}</span>'


def sentences(language: Language) -> Mapping[str, str]:
    """The catalogue of a language."""
    return catalogue("assistance.notices", f"locale/{language}.po")


def sentence(name: str, language: Language, **values: Any) -> str:
    """A sentence of the sheet."""
    return sentences(language)[name].format_map(values)
