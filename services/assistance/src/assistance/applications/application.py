"""An application's states, and how events move them. Pure; what may happen is in `making`, `deciding`, `appeals` and `following`."""

from datetime import date

from contracts.assistance.applications import (
    AccountGiven,
    AidAcknowledged,
    AidAppealed,
    AidFollowedUp,
    AidGranted,
    AidInstructed,
    AidPaid,
    AidRefused,
    AppealDismissed,
    AppealUpheld,
    ApplicationCleared,
    ApplicationDrafted,
    ApplicationPosted,
    ApplicationReturned,
    ApplicationSubmitted,
    ApplicationVerified,
    ApplicationWithdrawn,
    DocumentAttached,
    GrantRevoked,
    IncidentSetApart,
)
from contracts.kernel import Event, OrgCode, PersonId
from contracts.membership import Level
from msgspec import Struct
from msgspec.structs import replace


class Case(Struct, frozen=True):
    """What stays with an application through all its stages.

    `incident`: the day of what it is for, or the case of rights that it is; `apart`: applications that are about another one, although of
    that day. `version` counts its events. `people`: whose matter it is. `makers`: who drafted, attached, verified, submitted or set it
    apart. `decided_by`: who decided on it so far. `floor`: the level that it takes at least, after an appeal. `grants`: how often aid was
    granted so far.
    """

    organisation: OrgCode
    programme: str
    person: PersonId
    household: str | None
    payee: PersonId
    has_account: bool
    people: frozenset[PersonId] = frozenset()
    incident: str | None = None
    apart: frozenset[str] = frozenset()
    version: int = 1
    makers: frozenset[str] = frozenset()
    documents: frozenset[tuple[str, str]] = frozenset()
    decided_by: frozenset[str] = frozenset()
    floor: Level | None = None
    grants: int = 0


class Verification(Struct, frozen=True):
    """What the visit came to, on which rules and which file; and what became of the public notice."""

    programme_version: int
    file_version: int | None
    entitled_fen: int
    failed: tuple[str, ...]
    documents_needed: tuple[str, ...]
    notice: str | None = None
    cleared: bool = False
    upheld: bool = False


class Grant(Struct, frozen=True):
    """Aid that was granted and stands. `household`: the one it counts with, if any; `obligation`: it was paid first; `in_kind`: goods,
    which no bank is told to pay."""

    entitlement: str
    line: str
    reservation: str
    fen: int
    decided_by: str
    obligation: str | None = None
    instructed_by: str | None = None
    in_kind: bool = False
    household: str | None = None


class Unknown(Struct, frozen=True):
    """Nothing happened yet."""


class Draft(Struct, frozen=True):
    case: Case


class Verified(Struct, frozen=True):
    """Visited; perhaps on a public notice, perhaps cleared of it."""

    case: Case
    found: Verification


class Submitted(Struct, frozen=True):
    """With those who decide."""

    case: Case
    found: Verification


class Granted(Struct, frozen=True):
    """The money is reserved."""

    case: Case
    found: Verification | None
    grant: Grant


class Instructed(Struct, frozen=True):
    """On its way to the bank."""

    case: Case
    grant: Grant


class Paid(Struct, frozen=True):
    """Paid; `acknowledged` once the payee has signed, `followed_up` once somebody has asked."""

    case: Case
    grant: Grant
    acknowledged: bool = False
    followed_up: bool = False


class Refused(Struct, frozen=True):
    """Refused at a level by a decision; `final` once an appeal was dismissed."""

    case: Case
    found: Verification
    level: Level
    appeal_until: date
    decision: str
    final: bool = False


class Appealed(Struct, frozen=True):
    """With the level above the one that refused, by `decision`; where nobody is above, with others there."""

    case: Case
    found: Verification
    level: Level
    appeal_until: date
    decision: str


class Withdrawn(Struct, frozen=True):
    case: Case


Known = Draft | Verified | Submitted | Granted | Instructed | Paid | Refused | Appealed | Withdrawn
Application = Unknown | Known


def evolve(application: Application, event: Event) -> Application:
    if isinstance(event, ApplicationDrafted):
        makers = frozenset() if event.drafted_by is None else frozenset({event.drafted_by})
        case = Case(
            organisation=event.organisation,
            programme=event.programme,
            person=event.person,
            household=event.household,
            payee=event.payee,
            has_account=event.account is not None,
            people=frozenset({event.person, event.payee, *event.people}),
            incident=event.case or (None if event.incident_on is None else event.incident_on.isoformat()),
            makers=makers,
        )
        return Draft(case)
    if isinstance(application, Unknown):
        return application
    return _evolve_known(replace(application, case=replace(application.case, version=application.case.version + 1)), event)


def _evolve_known(application: Known, event: Event) -> Application:
    case = application.case
    match application, event:
        case _, DocumentAttached():
            return replace(
                application, case=_made(replace(case, documents=case.documents | {(event.kind, event.digest)}), event.attached_by)
            )
        case Draft() | Verified(), ApplicationVerified():
            found = Verification(event.programme_version, event.file_version, event.entitled_fen, event.failed, event.documents_needed)
            return Verified(_made(case, *event.visitors, event.verified_by), found)
        case Verified(found=found), ApplicationPosted():
            return Verified(case, replace(found, notice=event.notice))
        case Verified(found=found), ApplicationCleared():
            return Verified(case, replace(found, cleared=True, upheld=event.upheld))
        case Verified(found=found), ApplicationSubmitted():
            return Submitted(_made(case, event.submitted_by), found)
        case Verified() | Submitted(), ApplicationReturned():
            return Draft(case)
        case _, IncidentSetApart():
            return replace(application, case=_made(replace(case, apart=case.apart | {event.apart_from}), event.set_apart_by))
        case _, AccountGiven():
            return replace(application, case=_made(replace(case, has_account=True), event.given_by))
        case _, ApplicationWithdrawn():
            return Withdrawn(case)
        case Draft() | Verified() | Submitted(), AidGranted():
            grant = Grant(
                *(event.entitlement, event.line, event.reservation, event.fen, event.decided_by, event.obligation),
                in_kind=event.in_kind,
                household=event.household,
            )
            found_or_none = None if isinstance(application, Draft) else application.found
            return Granted(_decided(replace(case, grants=case.grants + 1), event.decided_by), found_or_none, grant)
        case Submitted(found=found), AidRefused():
            return Refused(_decided(case, event.decided_by), found, event.level, event.appeal_until, event.decision)
        case _:
            return _evolve_decided(application, event)


def _evolve_decided(application: Known, event: Event) -> Application:
    case = application.case
    match application, event:
        case Refused(found=found, level=level, appeal_until=until, decision=decision), AidAppealed():
            return Appealed(case, found, level, until, decision)
        case Appealed(found=found), AppealUpheld():
            return Submitted(_decided(replace(case, floor=event.level), event.settled_by), found)
        case Appealed(found=found, level=level, appeal_until=until, decision=decision), AppealDismissed():
            return Refused(_decided(case, event.settled_by), found, level, until, decision, final=True)
        case Granted(found=found), GrantRevoked():
            again = replace(case, decided_by=frozenset())
            return Draft(again) if found is None else Submitted(again, found)
        case Instructed() | Paid(), GrantRevoked():
            return Draft(replace(case, decided_by=frozenset()))
        case Granted(grant=grant), AidInstructed():
            return Instructed(case, replace(grant, instructed_by=event.instructed_by))
        case Granted(grant=grant) | Instructed(grant=grant), AidPaid():
            return Paid(case, grant)
        case Paid(), AidAcknowledged():
            return replace(application, acknowledged=True)
        case Paid(), AidFollowedUp():
            return replace(application, followed_up=True)
        case _:
            return application


def _made(case: Case, *makers: str | None) -> Case:
    return replace(case, makers=case.makers | {maker for maker in makers if maker is not None})


def _decided(case: Case, by: str) -> Case:
    return replace(case, decided_by=case.decided_by | {by})


def stage(application: Application) -> str:
    """The stage in one word, for people and read models."""
    return type(application).__name__.lower()
