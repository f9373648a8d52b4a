"""Rules applied to facts: what somebody is entitled to, and if not, which condition says so. Pure, and the same for ever."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import assert_never

from contracts.assistance.programmes import (
    Banded,
    Computed,
    Condition,
    DecidedBy,
    Fixed,
    InKind,
    ProgrammeDefinition,
    Step,
    Tiered,
)
from contracts.membership import Level

from assistance.programmes import facts as sorts
from assistance.programmes.definition import LEVELS
from assistance.programmes.language import FactMissing, Facts, FigureTooLarge, rule

EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Failure:
    """A condition that does not hold: its name, and the facts that are missing for an answer, if that is why."""

    condition: str
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the rules come to. Eligible where nothing failed; compliant where no paper is missing either."""

    entitled_fen: int
    failures: tuple[Failure, ...]
    documents_needed: tuple[str, ...]

    @property
    def failed(self) -> tuple[str, ...]:
        """The names of what failed."""
        return tuple(failure.condition for failure in self.failures)


def assess(definition: ProgrammeDefinition, facts: Facts) -> Assessment:
    """Everything that rests on pinned facts: conditions and exclusions that ask for nothing live, papers, amount."""
    failures = [*_failures(definition, facts, live=False)]
    needed = [one.kind for one in definition.documents if one.when is None or _holds(one.when, facts, unknown=True)]
    try:
        amount = entitled(definition, facts)
    except FactMissing as missing:
        amount = 0
        failures.append(Failure("entitlement", (missing.name,)))
    except FigureTooLarge:
        amount = 0
        failures.append(Failure("entitlement"))
    else:
        if amount == 0:
            failures.append(Failure("entitlement"))
    return Assessment(amount, tuple(failures), tuple(needed))


@dataclass(frozen=True, slots=True)
class Live:
    """What is looked up at the decision. `year_*`: what the beneficiary got from this programme in this calendar year."""

    standing: str | None
    today: date
    year_fen: int = 0
    year_times: int = 0

    def facts(self) -> Facts:
        """As rules see it; whoever is no member has no standing."""
        return {
            "is_member": self.standing is not None,
            "standing": self.standing or "none",
            "today": day_number(self.today),
            "year_fen": self.year_fen,
            "year_times": self.year_times,
        }


def live_failures(definition: ProgrammeDefinition, live: Live) -> tuple[Failure, ...]:
    """What fails on the day: conditions on live facts, and the cap on times."""
    failures = _failures(definition, live.facts(), live=True)
    if definition.caps.year_times is not None and live.year_times >= definition.caps.year_times:
        failures.append(Failure("year-times"))
    return tuple(failures)


def payable(definition: ProgrammeDefinition, entitled_fen: int, year_fen: int) -> int:
    """What is left of an entitlement under the yearly cap."""
    cap = definition.caps.year_fen
    return entitled_fen if cap is None else max(0, min(entitled_fen, cap - year_fen))


def day_number(day: date) -> int:
    """A day as rules see it: days since 1970-01-01."""
    return (day - EPOCH).days


def in_season(definition: ProgrammeDefinition, day: date) -> bool:
    """Whether applications are taken on a day."""
    season = definition.season
    if season is None:
        return True
    first, last, this = (season.first.month, season.first.day), (season.last.month, season.last.day), (day.month, day.day)
    return first <= this <= last if first <= last else this >= first or this <= last


def in_force(definition: ProgrammeDefinition, day: date) -> bool:
    """Whether the rules hold on a day."""
    return definition.valid_from <= day and (definition.valid_until is None or day < definition.valid_until)


def step_for(definition: ProgrammeDefinition, fen: int, *, floor: Level | None = None) -> Step:
    """Where an amount is decided; `floor` is a level that it takes at least, after an appeal."""
    step = next(one for one in definition.route if one.up_to_fen is None or fen <= one.up_to_fen)
    return step if floor is None or reaches(step.level, floor) else step.model_copy(update={"level": floor})


def reaches(level: Level, needed: Level) -> bool:
    """Whether a level is at least as high as is needed."""
    return LEVELS.index(level) <= LEVELS.index(needed)


def suffices(step: Step, level: Level, by: DecidedBy) -> bool:
    """Whether a decision at this level, by a person or a meeting, is enough. A meeting always may."""
    return reaches(level, step.level) and (by is DecidedBy.meeting or step.by is DecidedBy.person)


def entitled(definition: ProgrammeDefinition, facts: Facts) -> int:
    """The amount in fen, never below zero. Raises FactMissing, FigureTooLarge."""
    match definition.entitlement:
        case Fixed(fen=fen) | InKind(value_fen=fen):
            return fen
        case Tiered(tiers=tiers):
            return next((tier.fen for tier in tiers if rule(tier.when).holds(facts)), 0)
        case Computed(amount=amount, cap_fen=cap):
            return max(0, min(int(rule(amount).value(facts)), cap))
        case Banded() as banded:
            return max(0, min(_banded(banded, int(rule(banded.amount).value(facts))), banded.cap_fen))
        case _:
            assert_never(definition.entitlement)


def _banded(banded: Banded, amount: int) -> int:
    total = 0
    for number, band in enumerate(banded.bands):
        upper = banded.bands[number + 1].over_fen if number + 1 < len(banded.bands) else amount
        inside = min(amount, upper) - band.over_fen
        if inside > 0:
            total += inside * band.basis_points // 10_000
    return total


def _failures(definition: ProgrammeDefinition, facts: Facts, *, live: bool) -> list[Failure]:
    wanted = [(one, True) for one in definition.conditions] + [(one, False) for one in definition.exclusions]
    tried = (_failure(condition, facts, wanted=holds) for condition, holds in wanted if is_live(condition) is live)
    return [failure for failure in tried if failure is not None]


def is_live(condition: Condition) -> bool:
    """Whether a condition asks for facts of the day."""
    return not sorts.LIVE.keys().isdisjoint(rule(condition.when).facts)


def _failure(condition: Condition, facts: Facts, *, wanted: bool) -> Failure | None:
    try:
        return None if rule(condition.when).holds(facts) is wanted else Failure(condition.name)
    except FactMissing as missing:
        # Whoever cannot be shown to qualify, or not to be excluded, is not paid yet.
        return Failure(condition.name, (missing.name,))
    except FigureTooLarge:
        return Failure(condition.name)


def _holds(source: str, facts: Facts, *, unknown: bool) -> bool:
    try:
        return rule(source).holds(facts)
    except (FactMissing, FigureTooLarge):
        return unknown


def misfits(definition: ProgrammeDefinition, facts: Mapping[str, object]) -> Collection[str]:
    """The names among told facts that this programme does not ask for, or whose values are not of their kind."""
    asked = {fact.name: fact for fact in definition.facts}
    wrong = []
    for name, value in facts.items():
        fact = asked.get(name)
        if fact is None:
            wrong.append(name)
            continue
        match fact.kind:
            case "truth":
                fits = isinstance(value, bool)
            case "choice":
                fits = isinstance(value, str) and value in fact.choices
            case _:
                fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**12
        if not fits:
            wrong.append(name)
    return wrong
