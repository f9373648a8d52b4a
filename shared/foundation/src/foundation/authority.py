"""Who may act for what: a view of units and grants, folded from `AuthorityChange`s of whichever history tells them (DESIGN 8).

Generic: what a unit is, and which roles there are, is said by the contracts. A principal acts on its grant's unit and all below it *as the
hierarchy stands on that day*. A dissolved unit that is acted for resolves to its successor; a grant for a dissolved unit does not grow into
one for its successor: it still counts for what was below the dissolved unit, until it ends.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import NamedTuple

from contracts.kernel import AuthorityChange, Granted, Revoked, UnitEnded, UnitPlaced


@dataclass(frozen=True, slots=True)
class Standing:
    """What became of a unit on a day: placed below `parent`, or `ended` with perhaps a successor. A day holds one of each at most, and
    the later position is its last word."""

    unit: str
    since: date
    parent: str | None
    ended: bool
    successor: str | None
    position: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A role for a unit and all below it, from `valid_from` until `valid_until` (exclusive; None: open)."""

    id: str
    principal: str
    unit: str
    role: str
    valid_from: date
    valid_until: date | None
    position: int

    def holds(self, on: date) -> bool:
        """Whether it is in force on that day."""
        return self.valid_from <= on and (self.valid_until is None or on < self.valid_until)


@dataclass(frozen=True, slots=True)
class Changes:
    """What a run of changes comes to, ready for tables or for a snapshot: the last placement and the last end of each unit and day, and
    the last word on each grant.

    `revoked` holds only the ends of grants that were given before the run.
    """

    standings: Mapping[tuple[str, date, bool], Standing]
    grants: Mapping[str, Grant]
    revoked: Mapping[str, tuple[date, int]]

    def __bool__(self) -> bool:
        return bool(self.standings or self.grants or self.revoked)


def fold(changes: Iterable[tuple[int, AuthorityChange]]) -> Changes:
    """Changes in order, each with its event's position, as what they come to."""
    standings: dict[tuple[str, date, bool], Standing] = {}
    grants: dict[str, Grant] = {}
    revoked: dict[str, tuple[date, int]] = {}
    for position, change in changes:
        match change:
            case UnitPlaced(unit, parent, since):
                standings[unit, since, False] = Standing(unit, since, parent, ended=False, successor=None, position=position)
            case UnitEnded(unit, successor, since):
                standings[unit, since, True] = Standing(unit, since, None, ended=True, successor=successor, position=position)
            case Granted(grant, principal, unit, role, valid_from, valid_until):
                grants[grant] = Grant(grant, principal, unit, role, valid_from, valid_until, position)
                revoked.pop(grant, None)
            case Revoked(grant, valid_until):
                if grant in grants:
                    grants[grant] = ended(grants[grant], valid_until, position)
                else:
                    earlier = revoked.get(grant)
                    revoked[grant] = (valid_until if earlier is None else min(earlier[0], valid_until), position)
    return Changes(standings, grants, revoked)


def ended(grant: Grant, valid_until: date, position: int) -> Grant:
    """The grant after a revocation, which shortens and never lengthens."""
    return replace(grant, valid_until=min(valid_until, grant.valid_until or valid_until), position=position)


class _Way(NamedTuple):
    """The way from a unit to the top: who answers, and everybody passed, the dissolved ones too."""

    path: tuple[str, ...]
    passed: frozenset[str]


class Authority:
    """Units and grants in memory, for answers without a query. Mutable: `learn` adds what changed."""

    def __init__(self) -> None:
        self._standings: dict[str, dict[tuple[date, bool], Standing]] = {}
        self._grants: dict[str, Grant] = {}
        self._by_principal: dict[str, set[str]] = {}
        self._ways: dict[str, _Way] = {}
        self._below: dict[str, tuple[str, ...]] = {}
        self._ways_on: date | None = None
        self.position = -1
        """The newest event among what is known."""

    def learn(self, standings: Iterable[Standing], grants: Iterable[Grant]) -> None:
        """Take in rows that are newer than what is known of the same unit and day, or of the same grant."""
        for standing in standings:
            self._standings.setdefault(standing.unit, {})[standing.since, standing.ended] = standing
            self.position = max(self.position, standing.position)
        for grant in grants:
            self._grants[grant.id] = grant
            self._by_principal.setdefault(grant.principal, set()).add(grant.id)
            self.position = max(self.position, grant.position)
        self._forget_ways()

    def grants(self, principal: str, roles: Sequence[str], unit: str, on: date) -> list[Grant]:
        """The grants by which a principal may act in one of the roles for a unit on a day; none: it may not."""
        held = [grant for grant in self._held(principal, on) if grant.role in roles]
        if not held:
            return []
        passed = self._way(unit, on).passed
        return sorted((grant for grant in held if grant.unit in passed), key=lambda grant: grant.id)

    def roles(self, principal: str, on: date) -> list[Grant]:
        """Everything a principal holds on a day."""
        return sorted(self._held(principal, on), key=lambda grant: grant.id)

    def _held(self, principal: str, on: date) -> list[Grant]:
        # The principal is asked again: an id that was granted anew to somebody else is still listed under the first.
        given = (self._grants[known] for known in self._by_principal.get(principal, ()))
        return [grant for grant in given if grant.principal == principal and grant.holds(on)]

    def path(self, unit: str, on: date) -> tuple[str, ...]:
        """The unit that answers for `unit` on a day, then all above it, up to the top. A unit nobody has heard of stands alone."""
        return self._way(unit, on).path

    def _way(self, unit: str, on: date) -> "_Way":
        if self._ways_on != on:
            self._forget_ways()
            self._ways_on = on
        if unit not in self._standings:
            return _Way((unit,), frozenset((unit,)))  # not remembered: callers may name what they like
        known = self._ways.get(unit)
        if known is None:
            known = self._ways[unit] = self._walk(unit, on)
        return known

    def below(self, unit: str, on: date) -> tuple[str, ...]:
        """The unit, all below it, and all that were succeeded by one of these: every unit for which it answers on a day."""
        top = self.resolve(unit, on)
        known = self._below.get(top)
        if known is None:
            known = self._below[top] = (top, *(other for other in self._standings if other != top and top in self.path(other, on)))
        return known

    def _forget_ways(self) -> None:
        self._ways.clear()
        self._below.clear()

    def resolve(self, unit: str, on: date) -> str:
        """The unit itself, or whichever succeeded it by that day."""
        return self.path(unit, on)[0]

    def _walk(self, unit: str, on: date) -> "_Way":
        path: list[str] = []
        seen: set[str] = set()
        current: str | None = unit
        while current is not None and current not in seen:  # a loop in the data ends the path; nobody gains by it
            seen.add(current)
            last, placed = self._standing(current, on)
            if last is not None and last.ended and last.successor is not None:
                current = last.successor
                continue
            path.append(current)
            current = placed.parent if placed is not None else None
        return _Way(tuple(path) or (unit,), frozenset(seen))

    def _standing(self, unit: str, on: date) -> tuple[Standing | None, Standing | None]:
        """The last word on a unit by a day, and its last placement: a unit that ended without a successor stays under its superior."""
        known = [standing for standing in self._standings.get(unit, {}).values() if standing.since <= on]
        last = max(known, key=lambda standing: (standing.since, standing.position), default=None)
        placed = max((standing for standing in known if not standing.ended), key=lambda standing: standing.since, default=None)
        return last, placed
