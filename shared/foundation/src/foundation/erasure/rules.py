"""What a service's history says about an erasure: begun, and what was destroyed and kept each time. Pure.

The stream `erasure-<subject>` is in every service's history, so each can do its own erasures again after an old vault was restored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Protocol, assert_never

from contracts.foundation import ErasureBasis, ErasureBegun, ErasureCarriedOut, Kept, KeysDestroyed
from contracts.kernel import Event

from foundation.decider import Decider
from foundation.reactions import Issue, Reaction

KEYS_MAX = 1_500
"""Keys named in one event: a record holds 60,000 bytes."""


@dataclass(frozen=True, slots=True)
class NotBegun:
    """Nobody has ordered anything."""


@dataclass(frozen=True, slots=True)
class Begun:
    """Ordered. `destroyed`: when, by purpose; `kept` as of the last time it was looked at; `tried`: it has been looked at."""

    erasure: str
    basis: ErasureBasis
    ordered_at: datetime
    destroyed: dict[str, datetime] = field(default_factory=dict)
    kept: tuple[Kept, ...] = ()
    tried: bool = False

    @property
    def is_open(self) -> bool:
        """Whether something is left to be destroyed, now or once its retention has run or a hold is released."""
        return not self.tried or bool(self.kept)


Erasing = NotBegun | Begun


@dataclass(frozen=True, slots=True)
class Begin:
    """Erase a subject here."""

    subject: str
    erasure: str
    basis: ErasureBasis
    ordered_at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """What was destroyed just now, the keys of each purpose, and what has to be kept."""

    subject: str
    destroyed: tuple[tuple[str, tuple[str, ...]], ...]
    kept: tuple[Kept, ...]


Command = Begin | Record


def evolve(erasing: Erasing, event: Event) -> Erasing:
    match erasing, event:
        case NotBegun(), ErasureBegun():
            return Begun(event.erasure, event.basis, event.ordered_at)
        case Begun(), KeysDestroyed():
            return replace(erasing, destroyed={event.purpose: event.at} | erasing.destroyed)
        case Begun(), ErasureCarriedOut():
            return replace(erasing, kept=event.kept, tried=True)
        case _:
            return erasing


def decide(command: Command, erasing: Erasing, now: datetime) -> list[Event]:
    match command:
        case Begin(subject, erasure, basis, ordered_at):
            if isinstance(erasing, Begun):
                return []
            return [ErasureBegun(subject=subject, erasure=erasure, basis=basis, ordered_at=ordered_at)]
        case Record(subject, destroyed, kept):
            return [] if isinstance(erasing, NotBegun) else _record(subject, erasing, destroyed, kept, now)
        case _:
            assert_never(command)


def _record(
    subject: str, erasing: Begun, destroyed: Sequence[tuple[str, Sequence[str]]], kept: tuple[Kept, ...], now: datetime
) -> list[Event]:
    fresh = [(purpose, keys) for purpose, keys in destroyed if purpose not in erasing.destroyed]
    if erasing.tried and not fresh and kept == erasing.kept:
        return []
    told = [event for purpose, keys in fresh for event in _destroyed(subject, erasing, purpose, keys, now)]
    return [*told, ErasureCarriedOut(subject=subject, erasure=erasing.erasure, kept=kept)]


def _destroyed(subject: str, erasing: Begun, purpose: str, keys: Sequence[str], now: datetime) -> Iterator[KeysDestroyed]:
    for first in range(0, len(keys) or 1, KEYS_MAX):
        part = tuple(keys[first : first + KEYS_MAX])
        yield KeysDestroyed(subject=subject, erasure=erasing.erasure, basis=erasing.basis, purpose=purpose, keys=part, at=now)


ERASURE: Decider[Erasing, Command] = Decider(category="erasure", initial=NotBegun(), decide=decide, evolve=evolve)


class Ordered(Protocol):
    """A service's event that orders an erasure everywhere."""

    person: str
    erasure: str
    basis: ErasureBasis
    ordered_at: datetime


def erases_on(ordered: type[Event]) -> Reaction:
    """The reaction of every other service to the event of the one that owns persons."""

    def react(event: Any) -> Sequence[Issue]:
        told: Ordered = event
        return (Issue(ERASURE, told.person, Begin(told.person, told.erasure, told.basis, told.ordered_at)),)

    return Reaction("begin_erasure", ordered, react)
