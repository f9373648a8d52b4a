"""A programme's published versions: which rules hold, and under which number. Pure."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import assert_never

from contracts.assistance.programmes import ProgrammeDefinition, ProgrammeEnded, ProgrammePublished
from contracts.kernel import Event, OrgCode
from foundation.decider import Decider

from assistance.programmes import commands, errors
from assistance.programmes.assessment import in_force
from assistance.programmes.definition import check, digest_of


@dataclass(frozen=True, slots=True)
class Unpublished:
    """Nobody published it."""


@dataclass(frozen=True, slots=True)
class Published:
    """The newest version; `ends_on` where it was ended (exclusive)."""

    organisation: OrgCode
    number: int
    definition: ProgrammeDefinition
    digest: str
    ends_on: date | None = None


Programme = Unpublished | Published


def evolve(programme: Programme, event: Event) -> Programme:
    match event, programme:
        case ProgrammePublished(), _:
            return Published(event.organisation, event.number, event.definition, event.digest)
        case ProgrammeEnded(), Published(organisation, number, definition, digest):
            return Published(organisation, number, definition, digest, event.ends_on)
        case _:
            return programme


def decide(command: commands.Command, programme: Programme, now: datetime) -> list[Event]:
    match command, programme:
        case (_, Published(organisation=owner)) if owner != command.organisation:
            raise errors.ProgrammeOfAnother(command.programme, owner)
        case commands.Publish(), _:
            check(command.definition)
            digest = digest_of(command.definition)
            number = 1
            if isinstance(programme, Published):
                if programme.digest == digest and programme.ends_on is None:
                    return []
                number = programme.number + 1
            return [
                ProgrammePublished(
                    programme=command.programme,
                    organisation=command.organisation,
                    number=number,
                    definition=command.definition,
                    digest=digest,
                )
            ]
        case commands.End(), Published():
            if programme.ends_on == command.ends_on:
                return []
            return [ProgrammeEnded(programme=command.programme, organisation=command.organisation, ends_on=command.ends_on)]
        case commands.End(), Unpublished():
            raise errors.ProgrammeUnknown(command.programme)
        case _:
            assert_never(command)


PROGRAMME: Decider[Programme, commands.Command] = Decider(category="programme", initial=Unpublished(), decide=decide, evolve=evolve)


def rules_of(programme: Programme, code: str) -> Published:
    """The programme, in force or ended: for what was granted under it. Raises ProgrammeUnknown."""
    match programme:
        case Unpublished():
            raise errors.ProgrammeUnknown(code)
        case Published():
            return programme
        case _:
            assert_never(programme)


def rules_on(programme: Programme, code: str, day: date) -> Published:
    """The programme, where its rules hold on a day. Raises ProgrammeUnknown, ProgrammeNotInForce."""
    rules = rules_of(programme, code)
    if not in_force(rules.definition, day) or (rules.ends_on is not None and rules.ends_on <= day):
        raise errors.ProgrammeNotInForce(code)
    return rules
