"""Members 会员: from application to the end of a membership, and transfers between unions."""

from datetime import date
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from contracts.kernel import Event, OrgCode, Personal, PersonId
from contracts.values import Digest, IdentityDocument, RecordId


class MemberKind(StrEnum):
    """On what footing a person is a member."""

    regular = "regular"
    direct = "direct"  # 直接入会 at a union above the employer, which has none
    honorary = "honorary"


class Sex(StrEnum):
    """GB/T 2261.1."""

    unknown = "0"
    male = "1"
    female = "2"
    unstated = "9"


class Category(StrEnum):
    """Groups of workers that the unions' statistics count. In clear, so that a figure stands after a person's erasure."""

    migrant = "migrant"  # 农民工
    new_employment = "new_employment"  # 新就业形态劳动者
    dispatched = "dispatched"  # 劳务派遣


class PersonDetails(BaseModel):
    """What else a union knows about a member; sealed as one value. Unknown is None."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    birth: date | None = None
    ethnicity: str | None = None
    education: str | None = None
    household_registration: str | None = None
    address: str | None = None
    employer: str | None = None
    post: str | None = None
    contract: str | None = None
    skill_level: str | None = None
    bank_name: str | None = None
    """The name as the bank spells it, where its systems lack a character."""


class Provenance(BaseModel):
    """Where an entry came from: the row (from 1, without the heading) of a roster 花名册."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    roster: RecordId
    row: int


class Proof(BaseModel):
    """What shows that somebody works for an employer: the kind of document and its digest, and where the paper stands."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: str
    digest: Digest | None = None
    shelf: str | None = None


class MembershipApplied(Event, type="membership.MembershipApplied", version=1, subject="member", purpose="membership"):
    """A worker asked a union for membership 入会申请."""

    member: PersonId
    organisation: OrgCode
    kind: MemberKind = MemberKind.regular
    sex: Sex = Sex.unknown
    categories: tuple[Category, ...] = ()
    name: Personal[str]
    document: Personal[IdentityDocument]
    phone: Personal[str] | None = None
    details: Personal[PersonDetails] | None = None
    applied_on: date


class ApplicationRefused(Event, type="membership.ApplicationRefused", version=1, subject="member", purpose="membership"):
    """The union did not take the applicant."""

    member: PersonId
    organisation: OrgCode
    reason: Personal[str]
    effective_on: date


class ApplicationWithdrawn(Event, type="membership.ApplicationWithdrawn", version=1):
    """The applicant took the application back."""

    member: PersonId
    organisation: OrgCode
    effective_on: date


class MemberAdmitted(Event, type="membership.MemberAdmitted", version=1, subject="member", purpose="membership"):
    """A person became a member of one union (工会法 3): by application, by a roster, or again after leaving.

    Personal values are None where they stand as the person's earlier events told them (an application, an earlier membership).
    """

    member: PersonId
    organisation: OrgCode
    kind: MemberKind = MemberKind.regular
    sex: Sex = Sex.unknown
    categories: tuple[Category, ...] = ()
    name: Personal[str] | None = None
    document: Personal[IdentityDocument] | None = None
    phone: Personal[str] | None = None
    details: Personal[PersonDetails] | None = None
    joined_on: date
    provenance: Provenance | None = None


class MemberCorrected(Event, type="membership.MemberCorrected", version=1, subject="member", purpose="membership"):
    """What is known about a person changed or was put right, from a day on; None stands for "as before", an empty phone for "none"."""

    member: PersonId
    name: Personal[str] | None = None
    document: Personal[IdentityDocument] | None = None
    phone: Personal[str] | None = None
    details: Personal[PersonDetails] | None = None
    sex: Sex | None = None
    categories: tuple[Category, ...] | None = None
    reason: Personal[str] | None = None
    effective_on: date
    provenance: Provenance | None = None


class MemberSuspended(Event, type="membership.MemberSuspended", version=1, subject="member", purpose="membership"):
    """A member's rights rest 暂停会籍."""

    member: PersonId
    organisation: OrgCode
    reason: Personal[str]
    effective_on: date


class MemberResumed(Event, type="membership.MemberResumed", version=1):
    """A suspended member, or one with retained membership, has all rights again."""

    member: PersonId
    organisation: OrgCode
    effective_on: date


class MembershipRetained(Event, type="membership.MembershipRetained", version=1):
    """A member without work keeps the membership 保留会籍, free of dues."""

    member: PersonId
    organisation: OrgCode
    effective_on: date


class MemberRetired(Event, type="membership.MemberRetired", version=1):
    """A member retired and keeps the membership 退休, free of dues."""

    member: PersonId
    organisation: OrgCode
    effective_on: date


class MemberLeft(Event, type="membership.MemberLeft", version=1, subject="member", purpose="membership"):
    """A member gave the membership up 退会."""

    member: PersonId
    organisation: OrgCode
    reason: Personal[str] | None = None
    effective_on: date
    provenance: Provenance | None = None


class MemberExpelled(Event, type="membership.MemberExpelled", version=1, subject="member", purpose="membership"):
    """A union expelled a member by a decision 开除会籍."""

    member: PersonId
    organisation: OrgCode
    reason: Personal[str]
    decision: Digest
    effective_on: date


class MemberDied(Event, type="membership.MemberDied", version=1):
    """A member died on `effective_on`."""

    member: PersonId
    organisation: OrgCode
    effective_on: date


class MemberReinstated(Event, type="membership.MemberReinstated", version=1, subject="member", purpose="membership"):
    """An end of membership was recorded in error or set aside: the person is a member as before, from `effective_on`."""

    member: PersonId
    organisation: OrgCode
    reason: Personal[str]
    effective_on: date


class MemberTransferred(Event, type="membership.MemberTransferred", version=1, subject="member", purpose="membership"):
    """Membership followed employment 会员关系转接: the union of the new employer took a proven member over.

    The old union completes the record, and may object only to identity or a duplicate, until `object_until` (inclusive).
    """

    member: PersonId
    transfer: RecordId
    from_organisation: OrgCode
    organisation: OrgCode
    proof: Personal[Proof]
    object_until: date
    effective_on: date
    provenance: Provenance | None = None


class TransferCompleted(Event, type="membership.TransferCompleted", version=1):
    """The old union handed the member's record over."""

    member: PersonId
    transfer: RecordId
    effective_on: date


class ObjectionGround(StrEnum):
    """The only grounds on which an old union may object to a transfer."""

    identity = "identity"
    duplicate = "duplicate"


class TransferObjected(Event, type="membership.TransferObjected", version=1, subject="member", purpose="membership"):
    """The old union objected to a transfer in time."""

    member: PersonId
    transfer: RecordId
    ground: ObjectionGround
    statement: Personal[str]
    effective_on: date


class ObjectionUpheld(Event, type="membership.ObjectionUpheld", version=1):
    """The union above both found the objection right: the person is a member of the old union (`organisation`) as before."""

    member: PersonId
    transfer: RecordId
    organisation: OrgCode
    effective_on: date


class ObjectionDismissed(Event, type="membership.ObjectionDismissed", version=1):
    """The union above both found the objection wrong: the transfer stands."""

    member: PersonId
    transfer: RecordId
    effective_on: date


class MemberLinked(Event, type="membership.MemberLinked", version=1):
    """This record and `same_as` are of one person; `same_as` counts from now on. Undone by MemberUnlinked."""

    member: PersonId
    same_as: PersonId
    effective_on: date


class MemberUnlinked(Event, type="membership.MemberUnlinked", version=1):
    """The link was wrong: this record is of another person than `was_same_as` and stands as it stood before."""

    member: PersonId
    was_same_as: PersonId
    effective_on: date
