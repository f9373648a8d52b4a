"""The code list of hardship levels, as dated data. Pure but for reading the list that comes with the service."""

import tomllib
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class HardshipLevel:
    """A level that may be set from a day on, until another day (exclusive)."""

    code: str
    zh: str
    en: str
    since: date
    until: date | None
    review_months: int
    call_back_months: int
    source: str

    def review_on(self, day: date) -> date:
        """By when a level set on a day is reviewed."""
        return months_after(day, self.review_months)


@cache
def levels() -> tuple[HardshipLevel, ...]:
    """All of them, oldest first."""
    rows = tomllib.loads((files("assistance.hardship") / "levels.toml").read_text("utf-8"))["level"]
    return tuple(HardshipLevel(since=row.pop("from"), until=row.pop("until", None), **row) for row in rows)


def level_on(code: str, day: date) -> HardshipLevel | None:
    """The level of a code on a day; None where the list has none."""
    found = [one for one in levels() if one.code == code and one.since <= day and (one.until is None or day < one.until)]
    return found[-1] if found else None


def months_after(day: date, months: int) -> date:
    """The same day of a later month, or that month's last."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))
