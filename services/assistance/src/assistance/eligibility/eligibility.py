"""When somebody's eligibility as a member ended. Pure.

That somebody is eligible is membership's fact and stands in the view `people`; only its end is a fact of assistance, because payments
stop on it. An end counts for the membership that it ended: whoever joins again later is eligible again.
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import assert_never

from contracts.assistance import EligibilityEnded, EligibilityRestored, EndReason
from contracts.kernel import Event, OrgCode
from foundation.decider import Decider

from assistance.eligibility import commands


@dataclass(frozen=True, slots=True)
class NeverEnded:
    """No end is recorded."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The last end that is recorded and stands."""

    organisation: OrgCode
    reason: EndReason
    since: date


Eligibility = NeverEnded | Ended


def evolve(eligibility: Eligibility, event: Event) -> Eligibility:
    match event:
        case EligibilityEnded():
            return Ended(event.organisation, event.reason, event.since)
        case EligibilityRestored():
            return NeverEnded()
        case _:
            return eligibility


def decide(command: commands.Command, eligibility: Eligibility, now: datetime) -> list[Event]:
    match command:
        case commands.EndEligibility(person, organisation, reason, since):
            if eligibility == Ended(organisation, reason, since):
                return []
            return [EligibilityEnded(person=person, organisation=organisation, reason=reason, since=since)]
        case commands.RestoreEligibility(person, organisation, since):
            if isinstance(eligibility, NeverEnded):
                return []
            return [EligibilityRestored(person=person, organisation=organisation, since=since)]
        case _:
            assert_never(command)


ELIGIBILITY: Decider[Eligibility, commands.Command] = Decider(category="eligibility", initial=NeverEnded(), decide=decide, evolve=evolve)
