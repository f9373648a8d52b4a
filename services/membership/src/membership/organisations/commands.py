"""What can be asked of the union tree."""

from dataclasses import dataclass
from datetime import date

from contracts.kernel import OrgCode
from contracts.membership import Level, OrganisationKind, Relation

MERGED_MAX = 100
"""How many unions go up in another one by one command."""


@dataclass(frozen=True, slots=True)
class Particulars:
    """What is written about a union and may change."""

    name: str
    kind: OrganisationKind
    uscc: str | None = None
    division: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Set a union up below `parent`, funded through `funding_parent`; None only at the top of the node."""

    organisation: OrgCode
    level: Level
    particulars: Particulars
    parent: OrgCode | None
    funding_parent: OrgCode | None
    effective_on: date


@dataclass(frozen=True, slots=True)
class Change:
    """Give a union these particulars from a day on."""

    organisation: OrgCode
    particulars: Particulars
    effective_on: date


@dataclass(frozen=True, slots=True)
class Move:
    """Lead one of a union's relations to another parent from a day on."""

    organisation: OrgCode
    relation: Relation
    parent: OrgCode
    effective_on: date


@dataclass(frozen=True, slots=True)
class Merge:
    """Let unions go up in another one."""

    organisations: tuple[OrgCode, ...]
    into: OrgCode
    effective_on: date


@dataclass(frozen=True, slots=True)
class Dissolve:
    """End a union; None: what stood below it falls to its parent."""

    organisation: OrgCode
    successor: OrgCode | None
    effective_on: date
