"""The facts that every programme's rules may ask for, beside its own.

*Pinned* facts are the file's and the visit's: they stand as they were verified, or the approval is stale. *Live* ones are looked up when
it is decided. A condition reads one sort or the other, so that what was verified need not be opened again.
"""

from collections.abc import Mapping

from contracts.assistance.programmes import FactKind, ProgrammeDefinition

FILE: Mapping[str, tuple[FactKind, tuple[str, ...]]] = {
    "file_level": (FactKind.choice, ()),
    "heads": (FactKind.number, ()),
    "minors": (FactKind.number, ()),
    "own_month_fen": (FactKind.money, ()),
    "household_month_fen": (FactKind.money, ()),
    "income_per_head_month_fen": (FactKind.money, ()),
    "rigid_spending_year_fen": (FactKind.money, ()),
}
"""From the household's hardship file; without one they are not known."""

LIVE: Mapping[str, tuple[FactKind, tuple[str, ...]]] = {
    "is_member": (FactKind.truth, ()),
    "standing": (FactKind.choice, ("active", "suspended", "retained", "retired", "none")),
    "today": (FactKind.day, ()),
    "year_fen": (FactKind.money, ()),
    "year_times": (FactKind.number, ()),
}
"""Looked up at the decision: the membership, the day, and what the beneficiary got from this programme in this calendar year."""


def known(definition: ProgrammeDefinition) -> Mapping[str, tuple[FactKind, tuple[str, ...]]]:
    """Every fact that this programme's rules may name, with its kind and choices."""
    return {**FILE, **LIVE, **{fact.name: (fact.kind, fact.choices) for fact in definition.facts}}
