"""A roster 花名册: received once per content, applied once. Pure."""

from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from contracts import membership as events
from contracts.kernel import Event, OrgCode
from foundation.decider import Decider

from membership.rosters import commands, errors


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing came in yet."""


@dataclass(frozen=True, slots=True)
class Received:
    """In, and dry-run; nothing of it has been applied."""

    organisation: OrgCode
    digest: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Applying:
    """Being applied, however often that is interrupted."""

    organisation: OrgCode


@dataclass(frozen=True, slots=True)
class Applied:
    """Done."""

    organisation: OrgCode


Roster = Unknown | Received | Applying | Applied


def evolve(roster: Roster, event: Event) -> Roster:
    """The roster after an event."""
    match event:
        case events.RosterReceived():
            return Received(event.organisation, event.digest, event.complete)
        case events.RosterApplicationStarted():
            return Applying(event.organisation)
        case events.RosterApplied():
            return Applied(event.organisation)
        case _:
            return roster


def decide(command: commands.Command, roster: Roster, now: datetime) -> list[Event]:
    """What a command leads to. Its id follows from organisation, digest and completeness: the same file again is already known."""
    match command:
        case commands.Receive():
            if not isinstance(roster, Unknown):
                return []
            received = events.RosterReceived(
                roster=command.roster,
                organisation=command.organisation,
                digest=command.digest,
                size_bytes=command.size_bytes,
                complete=command.complete,
            )
            return [received]
        case commands.StartApplication():
            match roster:
                case Unknown():
                    raise errors.RosterUnknown(command.roster)
                case Received(organisation, digest):
                    return [events.RosterApplicationStarted(roster=command.roster, organisation=organisation, digest=digest)]
                case Applying() | Applied():
                    return []
                case _:
                    assert_never(roster)
        case commands.FinishApplication():
            match roster:
                case Unknown() | Received():
                    raise errors.RosterNotStarted(command.roster)
                case Applying(organisation):
                    return [_applied(command, organisation)]
                case Applied():
                    return []
                case _:
                    assert_never(roster)
        case _:
            assert_never(command)


def _applied(command: commands.FinishApplication, organisation: OrgCode) -> events.RosterApplied:
    return events.RosterApplied(
        roster=command.roster,
        organisation=organisation,
        joined=command.joined,
        transferred=command.transferred,
        changed=command.changed,
        unchanged=command.unchanged,
        left=command.left,
        refused=command.refused,
    )


ROSTER: Decider[Roster, commands.Command] = Decider(category="roster", initial=Unknown(), decide=decide, evolve=evolve)
