"""What can be asked about staff appointments. Days are Shanghai's; `valid_until` is exclusive."""

from dataclasses import dataclass
from datetime import date

from contracts.kernel import OrgCode
from contracts.membership import Role


@dataclass(frozen=True, slots=True)
class Appoint:
    """Let somebody act in a role for a union and all below it."""

    principal: str
    appointment: str
    organisation: OrgCode
    role: Role
    valid_from: date
    valid_until: date | None = None
    acting: bool = False


@dataclass(frozen=True, slots=True)
class Delegate:
    """Let `delegate` do the work of `principal`'s post during leave, `days_max` days at most."""

    principal: str
    post: str
    delegate: str
    appointment: str
    organisation: OrgCode
    valid_from: date
    valid_until: date
    days_max: int


@dataclass(frozen=True, slots=True)
class End:
    """End an appointment, and what was delegated from it to these people."""

    principal: str
    appointment: str
    valid_until: date
    delegates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class HandOver:
    """Move all posts of a departing cadre at a union to a successor, on a paper signed by both."""

    principal: str
    successor: str
    organisation: OrgCode
    paper: str
    effective_on: date


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Appoint the node's first administrator."""

    principal: str
    appointment: str
    organisation: OrgCode
    valid_from: date
