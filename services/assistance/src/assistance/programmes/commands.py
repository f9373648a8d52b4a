"""What can be asked of a programme."""

from dataclasses import dataclass
from datetime import date

from contracts.assistance.programmes import ProgrammeCode, ProgrammeDefinition
from contracts.kernel import OrgCode


@dataclass(frozen=True, slots=True)
class Publish:
    """Put rules in force, in the place of those before; the same rules again are no new version."""

    programme: ProgrammeCode
    organisation: OrgCode
    definition: ProgrammeDefinition


@dataclass(frozen=True, slots=True)
class End:
    """Take and grant nothing more from a day on."""

    programme: ProgrammeCode
    organisation: OrgCode
    ends_on: date


Command = Publish | End
