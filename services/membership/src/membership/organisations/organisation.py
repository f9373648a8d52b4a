"""A union: what it is, what it stands below, and how it ends. Pure.

Every union has a standing that never changes: its level, then its kind. A parent's standing is higher, a successor's at least as high.
So the tree has no cycle on any day, past or future, and no rule has to walk it: each reads the streams it names and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import assert_never

from contracts.kernel import Event, OrgCode
from contracts.membership import (
    Level,
    OrganisationChanged,
    OrganisationDissolved,
    OrganisationFounded,
    OrganisationKind,
    OrganisationMerged,
    OrganisationMoved,
    Relation,
)
from foundation.decider import Decider, JointDecider, Part

from membership.organisations import commands, errors
from membership.organisations.commands import Particulars
from membership.timeline import Timeline

_LEVELS = list(Level)
_WIDTH = {
    OrganisationKind.federation: 0,
    OrganisationKind.development_zone: 1,
    OrganisationKind.area_federation: 2,
    OrganisationKind.industry_federation: 2,
    OrganisationKind.representative: 2,
    OrganisationKind.joint: 3,
    OrganisationKind.community: 3,
    OrganisationKind.village: 3,
    OrganisationKind.enterprise: 4,
    OrganisationKind.institution: 4,
    OrganisationKind.agency: 4,
    OrganisationKind.branch: 5,
    OrganisationKind.group: 6,
}


def standing(level: Level, kind: OrganisationKind) -> tuple[int, int]:
    """A union's place in the order of the tree: (level from the province, width of its kind), the smaller the higher.

    A township's industry federation stands below its general federation; an enterprise's union below a village's joint one.
    """
    return _LEVELS.index(level), _WIDTH[kind]


# -------------------------------------------------------------------------------------------------------------- states


@dataclass(frozen=True, slots=True)
class Unfounded:
    """Nothing has this code yet."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A union that has not ended."""

    code: OrgCode
    level: Level
    founded_on: date
    particulars: Timeline[Particulars]
    parents: Timeline[OrgCode | None]
    funding_parents: Timeline[OrgCode | None]

    @property
    def standing(self) -> tuple[int, int]:
        return standing(self.level, self.particulars.latest.kind)

    @property
    def is_top(self) -> bool:
        return self.parents.latest is None

    def relation(self, relation: Relation) -> Timeline[OrgCode | None]:
        """Who stood above it, day by day."""
        return self.parents if relation is Relation.organisational else self.funding_parents


@dataclass(frozen=True, slots=True)
class Ended:
    """A union that has ended, or will on a day already decided; `was` is what it was."""

    was: Standing
    successor: OrgCode
    ended_on: date


Organisation = Unfounded | Standing | Ended


def evolve(organisation: Organisation, event: Event) -> Organisation:
    match organisation, event:
        case Unfounded(), OrganisationFounded():
            day = event.effective_on
            particulars = Particulars(event.name, event.kind, event.uscc, event.division)
            return Standing(
                event.organisation,
                event.level,
                day,
                Timeline(((day, particulars),)),
                Timeline(((day, event.parent),)),
                Timeline(((day, event.funding_parent),)),
            )
        case Standing(), OrganisationChanged():
            particulars = Particulars(event.name, event.kind, event.uscc, event.division)
            return replace(organisation, particulars=organisation.particulars.set(event.effective_on, particulars))
        case Standing(), OrganisationMoved(relation=Relation.organisational):
            return replace(organisation, parents=organisation.parents.set(event.effective_on, event.parent))
        case Standing(), OrganisationMoved():
            return replace(organisation, funding_parents=organisation.funding_parents.set(event.effective_on, event.parent))
        case Standing(), OrganisationMerged():
            return Ended(organisation, event.into, event.effective_on)
        case Standing(), OrganisationDissolved():
            parent = organisation.parents.at(max(event.effective_on, organisation.founded_on))
            return Ended(organisation, event.successor or parent or organisation.code, event.effective_on)
        case _:
            return organisation


# --------------------------------------------------------------------------------------------------------------- rules


def standing_on(organisation: Organisation, code: OrgCode, day: date) -> Standing:
    """The union, where it exists on a day. Raises OrganisationUnknown, OrganisationNotYetFounded, OrganisationEnded."""
    match organisation:
        case Unfounded():
            raise errors.OrganisationUnknown(code)
        case Ended(was, successor, ended_on):
            if day >= ended_on:
                raise errors.OrganisationEnded(code, successor)
            union = was
        case Standing():
            union = organisation
        case _:
            assert_never(organisation)
    if day < union.founded_on:
        raise errors.OrganisationNotYetFounded(code)
    return union


def _not_ended(organisation: Organisation, code: OrgCode, day: date) -> Standing:
    # An ended union changes no more, not even for days before its end: its successor answers for it.
    if isinstance(organisation, Ended):
        raise errors.OrganisationEnded(code, organisation.successor)
    return standing_on(organisation, code, day)


def decide(command: commands.Change, organisation: Organisation, now: datetime) -> list[Event]:
    """What a union can do alone: everything else reads the streams of the unions it names."""
    union = _not_ended(organisation, command.organisation, command.effective_on)
    wanted = command.particulars
    if union.particulars.at(command.effective_on) == wanted:
        return []
    if standing(union.level, wanted.kind) != union.standing:
        raise errors.StandingChanged(command.organisation)
    return [
        OrganisationChanged(
            organisation=command.organisation,
            name=wanted.name,
            kind=wanted.kind,
            uscc=wanted.uscc,
            division=wanted.division,
            effective_on=command.effective_on,
        )
    ]


ORGANISATION: Decider[Organisation, commands.Change] = Decider(category="organisation", initial=Unfounded(), decide=decide, evolve=evolve)


def parts(*codes: OrgCode | None) -> list[Part]:
    """The streams of these unions, each once, in this order."""
    return [Part(ORGANISATION, code) for code in dict.fromkeys(codes) if code is not None]


def _nothing_for_the_rest(events: list[Event], states: Sequence[Organisation]) -> list[list[Event]]:
    # The others were read: their versions are checked with the append, and nothing is written to them.
    return [events, *([] for _ in states[1:])]


def _found(command: commands.Found, states: Sequence[Organisation], now: datetime) -> Sequence[Sequence[Event]]:
    organisation, above = states[0], states[1:]
    code, day, wanted = command.organisation, command.effective_on, command.particulars
    match organisation:
        case Ended(_, successor, _):
            raise errors.OrganisationEnded(code, successor)
        case Standing():
            is_so = (
                organisation.level is command.level
                and organisation.particulars.latest == wanted
                and organisation.parents.latest == command.parent
                and organisation.funding_parents.latest == command.funding_parent
            )
            if not is_so:
                raise errors.OrganisationExists(code)
            return [[] for _ in states]
        case Unfounded():
            pass
        case _:
            assert_never(organisation)
    for part, parent in zip(_found_parts(command)[1:], above, strict=True):
        if standing_on(parent, part.id, day).standing >= standing(command.level, wanted.kind):
            raise errors.StandingOutOfOrder(code, part.id)
    founded = OrganisationFounded(
        organisation=code,
        name=wanted.name,
        level=command.level,
        kind=wanted.kind,
        parent=command.parent,
        funding_parent=command.funding_parent,
        uscc=wanted.uscc,
        division=wanted.division,
        effective_on=day,
    )
    return _nothing_for_the_rest([founded], states)


def _found_parts(command: commands.Found) -> list[Part]:
    if command.organisation in (command.parent, command.funding_parent):
        raise errors.StandingOutOfOrder(command.organisation, command.organisation)
    return parts(command.organisation, command.parent, command.funding_parent)


FOUND: JointDecider[commands.Found] = JointDecider(parts=_found_parts, decide=_found)


def _move(command: commands.Move, states: Sequence[Organisation], now: datetime) -> Sequence[Sequence[Event]]:
    union = _not_ended(states[0], command.organisation, command.effective_on)
    if union.is_top:
        raise errors.TopOfNode(command.organisation)
    if union.relation(command.relation).at(command.effective_on) == command.parent:
        return [[] for _ in states]
    if command.parent == command.organisation:
        raise errors.StandingOutOfOrder(command.organisation, command.parent)
    if standing_on(states[1], command.parent, command.effective_on).standing >= union.standing:
        raise errors.StandingOutOfOrder(command.organisation, command.parent)
    moved = OrganisationMoved(
        organisation=command.organisation, relation=command.relation, parent=command.parent, effective_on=command.effective_on
    )
    return _nothing_for_the_rest([moved], states)


MOVE: JointDecider[commands.Move] = JointDecider(parts=lambda command: parts(command.organisation, command.parent), decide=_move)


def _may_succeed(union: Standing, successor: Organisation, code: OrgCode, day: date) -> None:
    # A successor has not ended when it takes over, so a chain of successors never comes back; `not_ended` also for days before its end.
    if union.is_top:
        raise errors.TopOfNode(union.code)
    if _not_ended(successor, code, day).standing > union.standing:
        raise errors.StandingOutOfOrder(union.code, code)


def _merge_parts(command: commands.Merge) -> list[Part]:
    if command.into in command.organisations:
        raise errors.MergedIntoItself(command.into)
    return parts(command.into, *command.organisations)


def _merge(command: commands.Merge, states: Sequence[Organisation], now: datetime) -> Sequence[Sequence[Event]]:
    decided: list[list[Event]] = [[]]
    for part, organisation in zip(_merge_parts(command)[1:], states[1:], strict=True):
        if isinstance(organisation, Ended) and organisation.successor == command.into:
            decided.append([])
            continue
        union = _not_ended(organisation, part.id, command.effective_on)
        _may_succeed(union, states[0], command.into, command.effective_on)
        decided.append([OrganisationMerged(organisation=part.id, into=command.into, effective_on=command.effective_on)])
    return decided


MERGE: JointDecider[commands.Merge] = JointDecider(parts=_merge_parts, decide=_merge)


def _dissolve_parts(command: commands.Dissolve) -> list[Part]:
    if command.successor == command.organisation:
        raise errors.MergedIntoItself(command.organisation)
    return parts(command.organisation, command.successor)


def _dissolve(command: commands.Dissolve, states: Sequence[Organisation], now: datetime) -> Sequence[Sequence[Event]]:
    organisation, day = states[0], command.effective_on
    if isinstance(organisation, Ended) and command.successor in (None, organisation.successor):
        return [[] for _ in states]
    union = _not_ended(organisation, command.organisation, day)
    if union.is_top:
        raise errors.TopOfNode(command.organisation)
    if command.successor is not None:
        _may_succeed(union, states[1], command.successor, day)
    dissolved = OrganisationDissolved(organisation=command.organisation, successor=command.successor, effective_on=day)
    return _nothing_for_the_rest([dissolved], states)


DISSOLVE: JointDecider[commands.Dissolve] = JointDecider(parts=_dissolve_parts, decide=_dissolve)
