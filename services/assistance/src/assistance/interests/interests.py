"""Which persons a cadre has declared as relatives or interests. Pure. Whoever is declared is blocked from all that concerns them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from contracts.assistance.applications import InterestDeclared, InterestKind, InterestWithdrawn
from contracts.kernel import Event, PersonId
from contracts.membership import Principal
from foundation.decider import Decider, Refusal


class ConflictOfInterest(Refusal):
    """A declared relative or interest of this cadre is concerned: somebody else does it (DOMAIN 0)."""

    status = 403

    def __init__(self, principal: Principal) -> None:
        super().__init__(principal=principal)


class OwnWithdrawal(Refusal):
    """A declaration is withdrawn by somebody else's decision."""

    status = 403


@dataclass(frozen=True, slots=True)
class Declare:
    """Say that a person is a relative, or that there is an interest."""

    principal: Principal
    person: PersonId
    kind: InterestKind


@dataclass(frozen=True, slots=True)
class Withdraw:
    """The declaration stands no longer."""

    principal: Principal
    person: PersonId
    by: Principal


Command = Declare | Withdraw
Interests = frozenset[PersonId]


def evolve(interests: Interests, event: Event) -> Interests:
    match event:
        case InterestDeclared():
            return interests | {event.person}
        case InterestWithdrawn():
            return interests - {event.person}
        case _:
            return interests


def decide(command: Command, interests: Interests, now: datetime) -> list[Event]:
    match command:
        case Declare(principal, person, kind):
            return [] if person in interests else [InterestDeclared(principal=principal, person=person, kind=kind)]
        case Withdraw(principal, person, by):
            if by == principal:
                raise OwnWithdrawal
            return [InterestWithdrawn(principal=principal, person=person, withdrawn_by=by)] if person in interests else []
        case _:
            assert_never(command)


INTERESTS: Decider[Interests, Command] = Decider(category="interests", initial=frozenset(), decide=decide, evolve=evolve)


def no_conflict(principal: Principal, interests: Interests, concerned: Iterable[PersonId]) -> None:
    """Raises ConflictOfInterest where a declared person is concerned."""
    if not interests.isdisjoint(concerned):
        raise ConflictOfInterest(principal)
