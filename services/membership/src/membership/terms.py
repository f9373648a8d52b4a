"""Terms as dated data: how many days something may take, from which day that holds, and who says so."""

import tomllib
from dataclasses import dataclass
from datetime import date
from typing import Literal, get_args

Matter = Literal["transfer-objection", "delegation"]


class TermsUnreadable(ValueError):
    """The file of terms is not one, or lacks a matter that this service needs."""


@dataclass(frozen=True, slots=True)
class Term:
    """A number of natural days that holds from a day on, with its source."""

    matter: Matter
    days: int
    since: date
    source: str


class Terms:
    """The terms in force on any day."""

    def __init__(self, terms: list[Term]) -> None:
        """Raises TermsUnreadable where a matter has no term."""
        self._terms = sorted(terms, key=lambda term: term.since)
        missing = set(get_args(Matter)) - {term.matter for term in terms}
        if missing:
            raise TermsUnreadable(f"no term for {', '.join(sorted(missing))}")

    @classmethod
    def parse(cls, toml: str) -> "Terms":
        """The terms in a file like `terms.toml`. Raises TermsUnreadable."""
        try:
            rows = tomllib.loads(toml)["term"]
            return cls([Term(row["matter"], _positive(row["days"]), _day(row["from"]), str(row["source"])) for row in rows])
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise TermsUnreadable(f"not a list of terms: {error!r}") from error

    def on(self, matter: Matter, day: date) -> Term:
        """The term in force on a day; the first one for days before any."""
        known = [term for term in self._terms if term.matter == matter]
        return next((term for term in reversed(known) if term.since <= day), known[0])


def _positive(days: object) -> int:
    if not isinstance(days, int) or not 0 < days <= 3660:
        raise TermsUnreadable("a term has 1 to 3,660 days")
    return days


def _day(day: object) -> date:
    if not isinstance(day, date):
        raise TermsUnreadable("a term holds from a day, as in 2026-01-01")
    return day
