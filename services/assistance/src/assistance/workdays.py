"""Working days in China: the published calendar (chinese-calendar, from the State Council's notices) under an operator's own table. Pure.

Beyond the published years, Monday to Friday count and the day that comes out is *provisional* (DOMAIN 0).
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import chinese_calendar  # type: ignore[import-untyped]


class WorkingDaysUnreadable(ValueError):
    """The operator's table is not one."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A day (inclusive); `provisional` where it rests on days that nobody has published yet."""

    on: date
    provisional: bool


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """Which days are worked. `table`: the operator's word on single days, which goes first."""

    table: Mapping[date, bool] = field(default_factory=dict)

    @classmethod
    def parse(cls, toml: str) -> "WorkingDays":
        """A table of `[[day]]` with `on` (a date) and `working`. Raises WorkingDaysUnreadable."""
        try:
            rows = tomllib.loads(toml)["day"]
            table = {row["on"]: row["working"] for row in rows}
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise WorkingDaysUnreadable(f"not a table of days: {error!r}") from error
        if not all(type(on) is date and type(working) is bool for on, working in table.items()):
            raise WorkingDaysUnreadable("each day has `on`, a date, and `working`, true or false")
        return cls(table)

    def is_working(self, day: date) -> tuple[bool, bool]:
        """Whether a day is worked, and whether that is published."""
        told = self.table.get(day)
        if told is not None:
            return told, True
        try:
            return chinese_calendar.is_workday(day), True
        except NotImplementedError:  # how chinese_calendar says that the year is not published
            return day.weekday() < 5, False

    def after(self, day: date, days: int) -> Deadline:
        """The last of `days` working days that follow `day` (民法典 201: the day it begins on does not count)."""
        provisional = False
        while days > 0:
            day += timedelta(days=1)
            working, published = self.is_working(day)
            provisional |= not published
            days -= working
        return Deadline(day, provisional)

    def natural(self, day: date, days: int) -> Deadline:
        """The last of `days` natural days after `day`; where that is a holiday, the next working day (民法典 203)."""
        last = day + timedelta(days=days)
        provisional = False
        while True:
            working, published = self.is_working(last)
            provisional |= not published
            if working:
                return Deadline(last, provisional)
            last += timedelta(days=1)
