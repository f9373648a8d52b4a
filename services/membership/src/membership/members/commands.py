"""What can be asked about a member. Values are checked and normalised before they come here (contracts.values)."""

from dataclasses import dataclass
from datetime import date

from contracts.kernel import OrgCode, PersonId
from contracts.membership import Category, MemberKind, ObjectionGround, PersonDetails, Proof, Provenance, Sex
from contracts.values import IdentityDocument


@dataclass(frozen=True, slots=True)
class Person:
    """Who it is, as the papers say."""

    name: str
    document: IdentityDocument
    phone: str | None = None
    details: PersonDetails | None = None
    sex: Sex = Sex.unknown
    categories: tuple[Category, ...] = ()


@dataclass(frozen=True, slots=True)
class Apply:
    """Ask a union for membership; `kind` None: regular at the grassroots, direct above."""

    member: PersonId
    organisation: OrgCode
    person: Person
    applied_on: date
    kind: MemberKind | None = None


@dataclass(frozen=True, slots=True)
class AdmitApplicant:
    """Take the applicant; an approver's decision."""

    member: PersonId
    organisation: OrgCode
    joined_on: date


@dataclass(frozen=True, slots=True)
class RefuseApplication:
    """Do not take the applicant."""

    member: PersonId
    organisation: OrgCode
    reason: str
    effective_on: date


@dataclass(frozen=True, slots=True)
class WithdrawApplication:
    """Take the application back."""

    member: PersonId
    organisation: OrgCode
    effective_on: date


@dataclass(frozen=True, slots=True)
class Admit:
    """Register a member directly, as on a roster; `kind` as in Apply."""

    member: PersonId
    organisation: OrgCode
    person: Person
    joined_on: date
    kind: MemberKind | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Correct:
    """Put right what is known about a person, from a day on; None stays as it is, an empty phone means none."""

    member: PersonId
    effective_on: date
    name: str | None = None
    document: IdentityDocument | None = None
    phone: str | None = None
    details: PersonDetails | None = None
    sex: Sex | None = None
    categories: tuple[Category, ...] | None = None
    reason: str | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Suspend:
    """Let a member's rights rest."""

    member: PersonId
    reason: str
    effective_on: date


@dataclass(frozen=True, slots=True)
class Resume:
    """Give a suspended or retained member all rights again."""

    member: PersonId
    effective_on: date


@dataclass(frozen=True, slots=True)
class Retain:
    """Keep the membership of a member without work."""

    member: PersonId
    effective_on: date


@dataclass(frozen=True, slots=True)
class Retire:
    """Keep the membership of a member who retires."""

    member: PersonId
    effective_on: date


@dataclass(frozen=True, slots=True)
class Leave:
    """End a membership because the member wants it so, or left the employer's roster."""

    member: PersonId
    effective_on: date
    reason: str | None = None
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Expel:
    """End a membership by the union's decision, whose paper `decision` names by digest."""

    member: PersonId
    reason: str
    decision: str
    effective_on: date


@dataclass(frozen=True, slots=True)
class RecordDeath:
    """The member died on that day."""

    member: PersonId
    effective_on: date


@dataclass(frozen=True, slots=True)
class Reinstate:
    """An end was recorded in error or set aside: a member of that union (`organisation`, the one it ended in) again."""

    member: PersonId
    organisation: OrgCode
    reason: str
    effective_on: date


@dataclass(frozen=True, slots=True)
class Transfer:
    """Register a proven member who works here now; `object_until` (inclusive) comes from the term in force."""

    member: PersonId
    transfer: str
    organisation: OrgCode
    proof: Proof
    object_until: date
    effective_on: date
    provenance: Provenance | None = None


@dataclass(frozen=True, slots=True)
class CompleteTransfer:
    """The old union hands the record over."""

    member: PersonId
    transfer: str
    effective_on: date


@dataclass(frozen=True, slots=True)
class ObjectToTransfer:
    """The old union objects: another person, or a double record."""

    member: PersonId
    transfer: str
    ground: ObjectionGround
    statement: str
    effective_on: date


@dataclass(frozen=True, slots=True)
class UpholdObjection:
    """The union above both finds the objection right."""

    member: PersonId
    transfer: str
    effective_on: date


@dataclass(frozen=True, slots=True)
class DismissObjection:
    """The union above both finds the objection wrong."""

    member: PersonId
    transfer: str
    effective_on: date


@dataclass(frozen=True, slots=True)
class Link:
    """This record and `same_as` are of one person."""

    member: PersonId
    same_as: PersonId
    effective_on: date


@dataclass(frozen=True, slots=True)
class Unlink:
    """They are not."""

    member: PersonId
    effective_on: date


Command = (
    RefuseApplication
    | WithdrawApplication
    | Correct
    | Suspend
    | Resume
    | Retain
    | Retire
    | Leave
    | Expel
    | RecordDeath
    | CompleteTransfer
    | ObjectToTransfer
    | UpholdObjection
    | DismissObjection
    | Unlink
)
"""What is decided on the member's stream alone."""
