"""Definitions as files and requests, and the checks that make one safe to publish: every rule reads, every kind fits. Pure."""

import hashlib
import json
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from contracts.assistance.programmes import (
    Banded,
    Computed,
    Condition,
    DecidedBy,
    FactKind,
    ProgrammeDefinition,
    Tiered,
)
from contracts.membership import Level
from pydantic import ValidationError

from assistance.programmes import facts
from assistance.programmes.errors import DefinitionMalformed
from assistance.programmes.language import RuleMalformed, rule

LEVELS = tuple(Level)
"""From the province down."""

TOP_LEVELS = (Level.province, Level.city)
"""Where nobody above is on the node: what the level above would decide, somebody else there does."""

_FIGURES = frozenset({FactKind.money, FactKind.number})


def parsed(toml: str) -> ProgrammeDefinition:
    """The definition in a TOML file. Raises DefinitionMalformed."""
    try:
        return definition(tomllib.loads(toml))
    except tomllib.TOMLDecodeError as error:
        raise DefinitionMalformed("file", "toml", reason=str(error)) from None


def definition(data: dict[str, Any]) -> ProgrammeDefinition:
    """The checked definition; members that the language does not know are refused here, though readers of the history ignore them.

    Raises DefinitionMalformed.
    """
    try:
        found = ProgrammeDefinition.model_validate_json(json.dumps(data, default=str), extra="forbid")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise DefinitionMalformed(".".join(str(part) for part in first["loc"]), "form", reason=first["msg"]) from None
    check(found)
    return found


def digest_of(found: ProgrammeDefinition) -> str:
    """SHA-256 of the canonical JSON: what says whether two definitions are the same."""
    return hashlib.sha256(json.dumps(found.model_dump(mode="json"), sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def check(found: ProgrammeDefinition) -> None:
    """Raises DefinitionMalformed on the first part that cannot be meant."""
    if found.valid_until is not None and found.valid_until <= found.valid_from:
        raise DefinitionMalformed("valid_until", "period")
    known = facts.known(found)
    names = [fact.name for fact in found.facts]
    if clash := [name for name in names if name in facts.FILE or name in facts.LIVE or names.count(name) > 1]:
        raise DefinitionMalformed("facts", "known", fact=clash[0])
    for fact in found.facts:
        if (fact.kind is FactKind.choice) is not bool(fact.choices):
            raise DefinitionMalformed(f"facts.{fact.name}", "choices")
    conditions = [one.name for one in (*found.conditions, *found.exclusions)]
    if len(set(conditions)) < len(conditions):
        raise DefinitionMalformed("conditions", "names")
    if len({one.kind for one in found.documents}) < len(found.documents):
        raise DefinitionMalformed("documents", "kinds")
    for where, source, kinds in _rules(found):
        try:
            kind = rule(source).kind(known)
        except RuleMalformed as error:
            raise DefinitionMalformed(where, error.why, **error.members) from None
        if kind not in kinds:
            raise DefinitionMalformed(where, "kind", kind=kind, wanted=sorted(kinds))
        asked = set(rule(source).facts)
        if asked & facts.LIVE.keys() and (asked - facts.LIVE.keys() or not where.startswith(("conditions", "exclusions"))):
            raise DefinitionMalformed(where, "live")
    _check_entitlement(found)
    _check_route(found)


def _rules(found: ProgrammeDefinition) -> Iterator[tuple[str, str, frozenset[FactKind]]]:
    truth = frozenset({FactKind.truth})
    groups: tuple[tuple[str, tuple[Condition, ...]], ...] = (("conditions", found.conditions), ("exclusions", found.exclusions))
    for group, conditions in groups:
        yield from ((f"{group}.{one.name}", one.when, truth) for one in conditions)
    yield from ((f"documents.{one.kind}", one.when, truth) for one in found.documents if one.when is not None)
    match found.entitlement:
        case Tiered(tiers=tiers):
            yield from ((f"entitlement.tiers.{number}", tier.when, truth) for number, tier in enumerate(tiers))
        case Banded(amount=amount) | Computed(amount=amount):
            yield "entitlement.amount", amount, _FIGURES
        case _:
            pass


def _check_entitlement(found: ProgrammeDefinition) -> None:
    bands = found.entitlement.bands if isinstance(found.entitlement, Banded) else ()
    if any(band.over_fen >= after.over_fen for band, after in pairwise(bands)):
        raise DefinitionMalformed("entitlement.bands", "bands")


def _check_route(found: ProgrammeDefinition) -> None:
    *bounded, last = found.route
    if last.up_to_fen is not None or any(step.up_to_fen is None for step in bounded):
        raise DefinitionMalformed("route", "last-step")
    limits = [step.up_to_fen or 0 for step in bounded]
    if any(low >= high for low, high in pairwise(limits)):
        raise DefinitionMalformed("route", "steps")
    for step, after in pairwise(found.route):
        if LEVELS.index(after.level) > LEVELS.index(step.level) or (
            after.level is step.level and step.by is DecidedBy.meeting and after.by is DecidedBy.person
        ):
            raise DefinitionMalformed("route", "levels")
    if found.pay_first is not None and found.pay_first.max_fen > found.pay_first.exposure_max_fen:
        raise DefinitionMalformed("pay_first", "pay-first")
