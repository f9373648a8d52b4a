"""What can be asked about somebody's eligibility."""

from dataclasses import dataclass
from datetime import date

from contracts.assistance import EndReason
from contracts.kernel import OrgCode, PersonId


@dataclass(frozen=True, slots=True)
class EndEligibility:
    """The membership that made the person eligible has ended."""

    person: PersonId
    organisation: OrgCode
    reason: EndReason
    since: date


@dataclass(frozen=True, slots=True)
class RestoreEligibility:
    """That end was set aside."""

    person: PersonId
    organisation: OrgCode
    since: date


Command = EndEligibility | RestoreEligibility
