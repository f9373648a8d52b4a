"""The chart of accounts as dated data: what accounts are called, and what an event is on the unions' own chart (`chart.toml`)."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from importlib.resources import files

from assistance.ledger.postings import Account


@dataclass(frozen=True, slots=True)
class Name:
    """What an account is called."""

    zh: str
    en: str


@dataclass(frozen=True, slots=True)
class Entry:
    """Which accounts of the unions' chart an event is booked on, from a day on; `source` None: money of any source."""

    event: str
    debit: str
    credit: str
    since: date
    citation: str
    source: str | None = None


@dataclass(frozen=True, slots=True)
class Chart:
    """Names, entries, and what a voucher of an event is about 摘要. Raises ValueError where an account has no name."""

    names: Mapping[Account, Name]
    entries: Sequence[Entry]
    summaries: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if missing := set(Account) - self.names.keys():
            raise ValueError(f"accounts without a name: {', '.join(sorted(missing))}")

    def entry(self, event: str, source: str, day: date) -> Entry | None:
        """How an event of that day is booked, a rule for its very source first; None where the unions' chart does not know it."""
        rules = [one for one in self.entries if one.event == event and one.source in (None, source) and one.since <= day]
        return max(rules, key=lambda one: (one.source is not None, one.since), default=None)


@cache
def chart() -> Chart:
    """The chart that comes with the service."""
    rows = tomllib.loads((files("assistance.ledger") / "chart.toml").read_text("utf-8"))
    names = {Account(row["account"]): Name(row["zh"], row["en"]) for row in rows["account"]}
    entries = [Entry(row["event"], row["debit"], row["credit"], row["from"], row["citation"], row.get("source")) for row in rows["entry"]]
    return Chart(names, entries, rows["summaries"])
