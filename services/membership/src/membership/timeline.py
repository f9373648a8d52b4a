"""A value that changes from day to day: what it is on any day, however late the changes were told."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Timeline(Generic[T]):
    """Days with the value from that day on, oldest first.

    A change told late holds from its own day up to the next day that is already known; told twice for one day, the later telling
    counts. So the order of telling matters only within one day, and a projection can keep the same truth as rows.
    """

    changes: tuple[tuple[date, T], ...] = ()

    def set(self, day: date, value: T) -> "Timeline[T]":
        """The timeline with this value from `day` on."""
        return Timeline(tuple(sorted([(other, was) for other, was in self.changes if other != day] + [(day, value)], key=lambda c: c[0])))

    def at(self, day: date) -> T:
        """The value on a day. Raises LookupError before the first one."""
        index = bisect_right(self.changes, day, key=lambda change: change[0])
        if index == 0:
            raise LookupError(f"nothing is known for {day}")
        return self.changes[index - 1][1]

    @property
    def latest(self) -> T:
        """The value after every change that is known, future ones too. Raises LookupError where there is none."""
        if not self.changes:
            raise LookupError("nothing is known")
        return self.changes[-1][1]

    def spans(self) -> Iterator[tuple[date, date | None, T]]:
        """Each value with its first day and the day it ends (exclusive; None: open)."""
        for (since, value), (until, _) in pairwise(self.changes):
            yield since, until, value
        if self.changes:
            yield self.changes[-1][0], None, self.changes[-1][1]
