"""What membership's events say about who may act for what."""

from datetime import date

from contracts import membership
from contracts.kernel import AuthorityChange, Catalogue, Event, Granted, Revoked, UnitEnded, UnitPlaced
from contracts.membership import (
    AUTHORITY_EVENTS,
    Level,
    OrganisationDissolved,
    OrganisationFounded,
    OrganisationKind,
    OrganisationMerged,
    OrganisationMoved,
    Relation,
    Role,
    StaffAppointed,
    StaffAppointmentEnded,
    authority_changes,
)

DAY = date(2026, 3, 2)
TOWN, COUNTY, OTHER = "370902001", "370902", "370911"
ID = "a" * 32


def changes(event: Event) -> list[AuthorityChange]:
    return list(authority_changes(event))


def test_units_follow_the_organisational_relation_alone() -> None:
    founded = OrganisationFounded(
        organisation=TOWN,
        name="街道总工会",
        level=Level.township,
        kind=OrganisationKind.federation,
        parent=COUNTY,
        funding_parent=OTHER,
        effective_on=DAY,
    )
    assert changes(founded) == [UnitPlaced(TOWN, COUNTY, DAY)]
    for relation, expected in ((Relation.organisational, [UnitPlaced(TOWN, OTHER, DAY)]), (Relation.funding, [])):
        assert changes(OrganisationMoved(organisation=TOWN, relation=relation, parent=OTHER, effective_on=DAY)) == expected


def test_an_ended_unit_is_answered_for_by_a_named_successor_only() -> None:
    assert changes(OrganisationMerged(organisation=TOWN, into=OTHER, effective_on=DAY)) == [UnitEnded(TOWN, OTHER, DAY)]
    assert changes(OrganisationDissolved(organisation=TOWN, successor=None, effective_on=DAY)) == [UnitEnded(TOWN, None, DAY)]


def test_appointments_grant_and_their_ends_revoke() -> None:
    appointed = StaffAppointed(appointment=ID, principal="anna", organisation=TOWN, role=Role.org_admin, valid_from=DAY)
    assert changes(appointed) == [Granted(ID, "anna", TOWN, "org-admin", DAY, None)]
    ended = StaffAppointmentEnded(appointment=ID, principal="anna", organisation=TOWN, valid_until=DAY)
    assert changes(ended) == [Revoked(ID, DAY)]


def test_the_events_named_are_those_that_change_something() -> None:
    assert {event.__name__ for event in Catalogue.of(membership) if event in AUTHORITY_EVENTS} == {
        "OrganisationFounded",
        "OrganisationMoved",
        "OrganisationMerged",
        "OrganisationDissolved",
        "StaffAppointed",
        "StaffAppointmentEnded",
    }
