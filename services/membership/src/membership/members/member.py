"""A person's membership: its states and how events move them. Pure; what may happen is in `rules`.

Every state of a membership names its union, so one stream per person means one active membership per person, under any concurrency.
"""

from dataclasses import dataclass, replace
from datetime import date

from contracts.kernel import Event, OrgCode, PersonId
from contracts.membership import (
    ApplicationRefused,
    ApplicationWithdrawn,
    MemberAdmitted,
    MemberDied,
    MemberExpelled,
    MemberKind,
    MemberLeft,
    MemberLinked,
    MemberReinstated,
    MemberResumed,
    MemberRetired,
    MembershipApplied,
    MembershipRetained,
    MemberSuspended,
    MemberTransferred,
    MemberUnlinked,
    ObjectionDismissed,
    ObjectionUpheld,
    TransferCompleted,
    TransferObjected,
)

# ------------------------------------------------------------------------------------------------ transfers, as they go


@dataclass(frozen=True, slots=True)
class TransferOpen:
    """Registered by the new union; the old one may complete it, or object until `object_until` (inclusive)."""

    id: str
    before: "Current"
    object_until: date


@dataclass(frozen=True, slots=True)
class TransferContested:
    """The old union objected; the union above both decides."""

    id: str
    before: "Current"


@dataclass(frozen=True, slots=True)
class TransferSettled:
    """Completed or decided; `upheld` where the objection was right and the member stayed where they were. `other`: the other party."""

    id: str
    other: OrgCode
    upheld: bool


Transfer = TransferOpen | TransferContested | TransferSettled


# -------------------------------------------------------------------------------------------------------------- states


@dataclass(frozen=True, slots=True)
class Unknown:
    """Nothing happened yet."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """Asked `union` for membership; `before` is where a refusal leads back to."""

    union: OrgCode
    kind: MemberKind
    before: "Unknown | Left | Expelled"


@dataclass(frozen=True, slots=True)
class Active:
    """A member of `union` with all rights."""

    union: OrgCode
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True)
class Suspended:
    """A member of `union` whose rights rest."""

    union: OrgCode
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True)
class Retained:
    """A member of `union` without work 保留会籍."""

    union: OrgCode
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True)
class Retired:
    """A member of `union` who has retired."""

    union: OrgCode
    transfer: Transfer | None = None


@dataclass(frozen=True, slots=True)
class Left:
    """Gave the membership of `union` up."""

    union: OrgCode


@dataclass(frozen=True, slots=True)
class Expelled:
    """Was expelled by `union`."""

    union: OrgCode


@dataclass(frozen=True, slots=True)
class Died:
    """Was a member of `union`."""

    union: OrgCode


@dataclass(frozen=True, slots=True)
class Linked:
    """A double record: `same_as` counts, and `before` is what stands again when the link is undone."""

    same_as: PersonId
    before: "Applicant | Current | Ended"


Current = Active | Suspended | Retained | Retired
Ended = Left | Expelled | Died
Member = Unknown | Applicant | Current | Ended | Linked


def evolve(member: Member, event: Event) -> Member:
    match member, event:
        case Linked(_, before), MemberUnlinked():
            return before
        case Linked(), _:
            return member
        case Applicant() | Active() | Suspended() | Retained() | Retired() | Left() | Expelled() | Died(), MemberLinked():
            return Linked(event.same_as, member)
        case Unknown() | Left() | Expelled(), MembershipApplied():
            return Applicant(event.organisation, event.kind, member)
        case Applicant(_, _, before), ApplicationRefused() | ApplicationWithdrawn():
            return before
        case Unknown() | Applicant() | Left() | Expelled(), MemberAdmitted():
            return Active(event.organisation)
        case Left() | Expelled() | Died(), MemberReinstated():
            return Active(event.organisation)
        case Left(union), MemberDied():
            return Died(union)
        case Active() | Suspended() | Retained() | Retired(), _:
            return _evolve_current(member, event)
        case _:
            return member


def _evolve_current(member: Current, event: Event) -> Member:
    union, transfer = member.union, member.transfer
    match event:
        case MemberSuspended():
            return Suspended(union, transfer)
        case MemberResumed():
            return Active(union, transfer)
        case MembershipRetained():
            return Retained(union, transfer)
        case MemberRetired():
            return Retired(union, transfer)
        case MemberLeft():
            return Left(union)
        case MemberExpelled():
            return Expelled(union)
        case MemberDied():
            return Died(union)
        case MemberTransferred():
            return Active(event.organisation, TransferOpen(event.transfer, replace(member, transfer=None), event.object_until))
        case _:
            return _evolve_transfer(member, event)


def _evolve_transfer(member: Current, event: Event) -> Member:
    match member.transfer, event:
        case TransferOpen(id, before, _), TransferObjected(transfer=objected) if objected == id:
            return replace(member, transfer=TransferContested(id, before))
        case TransferContested(id, before), ObjectionUpheld(transfer=upheld) if upheld == id:
            return replace(before, transfer=TransferSettled(id, member.union, upheld=True))
        case TransferOpen(id, before) | TransferContested(id, before), (
            TransferCompleted(transfer=settled) | ObjectionDismissed(transfer=settled)
        ) if settled == id:
            return replace(member, transfer=TransferSettled(id, before.union, upheld=False))
        case _:
            return member
