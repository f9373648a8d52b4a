"""What the events of membership change in who may act for what: the organisation tree and the appointments in it."""

from collections.abc import Sequence

from contracts.kernel import AuthorityChange, Event, Granted, Revoked, UnitEnded, UnitPlaced
from contracts.membership.appointments import StaffAppointed, StaffAppointmentEnded
from contracts.membership.organisations import OrganisationDissolved, OrganisationFounded, OrganisationMerged, OrganisationMoved, Relation

AUTHORITY_EVENTS: frozenset[type[Event]] = frozenset(
    {
        OrganisationFounded,
        OrganisationMoved,
        OrganisationMerged,
        OrganisationDissolved,
        StaffAppointed,
        StaffAppointmentEnded,
    }
)
"""The events that `authority_changes` says anything about."""


def authority_changes(event: Event) -> Sequence[AuthorityChange]:
    """What an event changes in who may act for what. Funding relations give no authority."""
    match event:
        case OrganisationFounded():
            return [UnitPlaced(event.organisation, event.parent, event.effective_on)]
        case OrganisationMoved(relation=Relation.organisational):
            return [UnitPlaced(event.organisation, event.parent, event.effective_on)]
        case OrganisationMerged():
            return [UnitEnded(event.organisation, event.into, event.effective_on)]
        case OrganisationDissolved():
            return [UnitEnded(event.organisation, event.successor, event.effective_on)]
        case StaffAppointed():
            return [Granted(event.appointment, event.principal, event.organisation, event.role, event.valid_from, event.valid_until)]
        case StaffAppointmentEnded():
            return [Revoked(event.appointment, event.valid_until)]
        case _:
            return []
