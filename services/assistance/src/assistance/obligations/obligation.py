"""What an emergency payment owes, and what each authoriser has open. Pure. Rules over both are in `emergency` and `closing`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from contracts.assistance.obligations import (
    DiscretionRestored,
    DiscretionUsed,
    ObligationMet,
    ObligationOpened,
    ObligationOverdue,
    ObligationRecovered,
    ObligationWrittenOff,
)
from contracts.kernel import Event
from contracts.values import day_in_china
from foundation.decider import Decider

from assistance.obligations import commands, errors


@dataclass(frozen=True, slots=True)
class NoObligation:
    """Nothing is owed."""


@dataclass(frozen=True, slots=True)
class Owed:
    """Papers are owed; `overdue` once their day has passed."""

    opened: ObligationOpened
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """Closed: `by` papers, recovery or write-off."""

    opened: ObligationOpened
    by: str


Obligation = NoObligation | Owed | Settled


def evolve(obligation: Obligation, event: Event) -> Obligation:
    match obligation, event:
        case NoObligation(), ObligationOpened():
            return Owed(event)
        case Owed(), ObligationOverdue():
            return replace(obligation, overdue=True)
        case Owed(opened=opened), ObligationMet():
            return Settled(opened, "papers")
        case Owed(opened=opened), ObligationRecovered():
            return Settled(opened, "recovery")
        case Owed(opened=opened), ObligationWrittenOff():
            return Settled(opened, "write-off")
        case _:
            return obligation


def decide(command: commands.MarkOverdue, obligation: Obligation, now: datetime) -> list[Event]:
    match obligation:
        case Owed(opened=opened, overdue=False):
            if day_in_china(now) <= opened.due_on:
                raise errors.NotDueYet(command.obligation)
            overdue = ObligationOverdue(obligation=opened.obligation, authoriser=opened.authoriser, fen=opened.fen, due_on=opened.due_on)
            return [overdue]
        case NoObligation():
            raise errors.ObligationUnknown(command.obligation)
        case _:
            return []


OBLIGATION: Decider[Obligation, commands.MarkOverdue] = Decider(category="obligation", initial=NoObligation(), decide=decide, evolve=evolve)


@dataclass(frozen=True, slots=True)
class Discretion:
    """What is open in one authoriser's name, by obligation."""

    open: Mapping[str, DiscretionUsed] = field(default_factory=dict)

    def exposure_fen(self, programme: str) -> int:
        """How much of a programme is open."""
        return sum(one.fen for one in self.open.values() if one.programme == programme)

    def overdue(self, today: date) -> list[DiscretionUsed]:
        """What should have had its papers by now, of whichever programme."""
        return [one for one in self.open.values() if one.due_on < today]


def _evolve_discretion(discretion: Discretion, event: Event) -> Discretion:
    match event:
        case DiscretionUsed():
            return Discretion({**discretion.open, event.obligation: event})
        case DiscretionRestored():
            return Discretion({name: one for name, one in discretion.open.items() if name != event.obligation})
        case _:
            return discretion


def _no_single_rule(command: Any, state: Any, now: datetime) -> list[Event]:
    raise AssertionError("discretion is used and restored with its obligation")


DISCRETION: Decider[Discretion, Any] = Decider(
    category="discretion", initial=Discretion(), decide=_no_single_rule, evolve=_evolve_discretion
)
"""One stream per authoriser: two emergency payments at once cannot both fit under the limit where only one does."""


def may_pay(discretion: Discretion, programme: str, fen: int, limit_fen: int, today: date) -> None:
    """Raises DiscretionCutOff, ExposureTooHigh."""
    if overdue := discretion.overdue(today):
        raise errors.DiscretionCutOff([one.obligation for one in overdue], sum(one.fen for one in overdue))
    open_fen = discretion.exposure_fen(programme)
    if open_fen + fen > limit_fen:
        raise errors.ExposureTooHigh(open_fen, fen, limit_fen)
