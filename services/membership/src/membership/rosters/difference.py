"""What a row of a roster means for one person, given what is known of them: the same rule for the dry run and for applying. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from contracts.kernel import ERASED, Event, OrgCode, PersonId
from contracts.membership import (
    Category,
    MemberAdmitted,
    MemberCorrected,
    MemberLeft,
    MemberTransferred,
    PersonDetails,
    Proof,
    Provenance,
    Sex,
)
from contracts.values import DocumentKind, IdentityDocument
from foundation.ids import command_id

from membership.members import commands as members
from membership.members.member import Active, Applicant, Died, Expelled, Left, Linked, Member, Retained, Retired, Suspended, Unknown, evolve
from membership.members.record import record
from membership.rosters.rows import CATEGORIES, Person


@dataclass(frozen=True, slots=True)
class Known:
    """What the history says of a person: how they stand, their number of events, and their values on the day."""

    member: Member
    version: int
    name: Any = None
    phone: Any = None
    details: Any = None
    sex: Sex = Sex.unknown
    categories: tuple[Category, ...] = ()
    done: str | None = None
    """What this very roster led to already, before an interruption."""


NOBODY = Known(Unknown(), 0)


@dataclass(frozen=True, slots=True)
class Sheet:
    """The roster that a row stands on."""

    roster: str
    organisation: OrgCode
    digest: str
    today: date
    objection_days: int


Joining = members.Admit | members.Transfer


@dataclass(frozen=True, slots=True)
class Step:
    """What is to be done for a row: `kind` is how it is counted, `fields` what changes. No commands: nothing to do."""

    kind: str
    commands: tuple[Joining | members.Correct, ...] = ()
    fields: tuple[str, ...] = ()
    rule: str | None = None
    """Why the row is refused."""


_DONE: Mapping[type[Event], str] = {
    MemberAdmitted: "joined",
    MemberTransferred: "transferred",
    MemberCorrected: "changed",
    MemberLeft: "left",
}


def known(events: Sequence[Event], sheet: Sheet) -> Known:
    """What a person's events, opened, say on the day of the sheet."""
    member: Member = Unknown()
    done = None
    for event in events:
        member = evolve(member, event)
        provenance = event.__dict__.get("provenance")
        if provenance is not None and provenance.roster == sheet.roster:
            done = done or _DONE[type(event)]
    told, on = record(events), sheet.today
    return Known(member, len(events), told.on("name", on), told.on("phone", on), told.on("details", on), told.sex, told.categories, done)


def step(row: Person, person: PersonId, before: Known, sheet: Sheet) -> Step:
    """What a row means for a person."""
    if before.done in ("joined", "changed"):
        return Step(before.done)
    match before.member:
        case Unknown() | Applicant() | Left():
            return Step("joined", (_admission(row, person, sheet),))
        case Active(union) | Retained(union) | Retired(union) if union == sheet.organisation:
            correction = _correction(row, person, before, sheet)
            # Transferred by this roster before an interruption that came ahead of the correction.
            return replace(correction, kind="transferred") if before.done == "transferred" else correction
        case Suspended(union):
            return _correction(row, person, before, sheet) if union == sheet.organisation else Step("refused", rule="member-suspended")
        case Active() | Retained() | Retired():
            return _transfer(row, person, before, sheet)
        case Expelled():
            return Step("refused", rule="member-expelled")
        case Died():
            return Step("refused", rule="member-dead")
        case Linked():
            return Step("refused", rule="member-linked")


def leaving(person: PersonId, before: Known, sheet: Sheet) -> members.Leave | None:
    """The end of a membership because a complete roster does not name the person; None where they are not a member there any more."""
    match before.member:
        case Active(union) | Suspended(union) if union == sheet.organisation:
            return members.Leave(person, sheet.today, reason="不在完整花名册上", provenance=Provenance(roster=sheet.roster, row=0))
        case _:
            # Who has retired, or keeps the membership without work, is not on an employer's roster and has not left.
            return None


def _admission(row: Person, person: PersonId, sheet: Sheet) -> members.Admit:
    kind, number, issuer = row.document
    return members.Admit(
        member=person,
        organisation=sheet.organisation,
        person=members.Person(
            name=row.name,
            document=IdentityDocument(kind=DocumentKind(kind), number=number, issuer=issuer),
            phone=row.phone or None,
            details=PersonDetails.model_validate(row.details) if row.details else None,
            sex=Sex(row.sex or "0"),
            categories=tuple(map(Category, row.categories or ())),
        ),
        joined_on=sheet.today if row.joined_on is None else date.fromisoformat(row.joined_on),
        provenance=Provenance(roster=sheet.roster, row=row.row),
    )


def _transfer(row: Person, person: PersonId, before: Known, sheet: Sheet) -> Step:
    transfer = members.Transfer(
        member=person,
        # The same row of the same roster is the same transfer, however often it is tried.
        transfer=transfer_id(sheet, person),
        organisation=sheet.organisation,
        proof=Proof(kind="roster", digest=sheet.digest),
        object_until=sheet.today + timedelta(days=sheet.objection_days),
        effective_on=sheet.today,
        provenance=Provenance(roster=sheet.roster, row=row.row),
    )
    correction = _correction(row, person, before, sheet)
    return Step("transferred", (transfer, *correction.commands), correction.fields)


def transfer_id(sheet: Sheet, person: PersonId) -> str:
    """The transfer that a roster makes for a person."""
    return command_id("roster transfer", sheet.roster, person).hex


def _correction(row: Person, person: PersonId, before: Known, sheet: Sheet) -> Step:
    """Only what differs is told again; what the roster has no column or no value for stays as it is."""
    changed: dict[str, Any] = {}
    if row.name != before.name:
        changed["name"] = row.name
    if row.phone and row.phone != before.phone:
        changed["phone"] = row.phone
    if row.sex is not None and row.sex != before.sex:
        changed["sex"] = Sex(row.sex)
    if row.categories is not None:
        others = tuple(category for category in before.categories if category.value not in CATEGORIES)
        categories = tuple(sorted({*others, *map(Category, row.categories)}))
        if categories != tuple(sorted(before.categories)):
            changed["categories"] = categories
    if row.details and before.details is not ERASED:
        was = before.details or PersonDetails()
        told = PersonDetails.model_validate(row.details)
        merged = was.model_copy(update={field: getattr(told, field) for field in row.details})
        if merged != was:
            changed["details"] = merged
    if not changed:
        return Step("unchanged")
    correction = members.Correct(
        member=person, effective_on=sheet.today, provenance=Provenance(roster=sheet.roster, row=row.row), **changed
    )
    return Step("changed", (correction,), tuple(changed))
