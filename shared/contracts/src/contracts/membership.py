"""Events of membership 会员与组织: organisations, members and staff appointments. The history is the contract.

Dates named `effective_on` are days in Shanghai and may lie before or after the day of recording: a change told late takes effect from
its own day, up to the next change that is already recorded for a later day.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from contracts.foundation import ErasureBasis, ErasureId
from contracts.kernel import AuthorityChange, Event, Granted, OrgCode, Personal, PersonId, Revoked, Sealed, UnitEnded, UnitPlaced
from contracts.values import IdentityDocument

Principal = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
"""Who acts: the random subject of a token, never a login or a name."""

Digest = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
"""The SHA-256 of a document that is kept outside the history."""

RecordId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""An appointment, a transfer, a roster: 128 bits in lower-case hex."""


# ------------------------------------------------------------------------------------------------ organisations 组织


class Level(StrEnum):
    """Where a union stands between the province and the group, highest first."""

    province = "province"
    city = "city"
    county = "county"
    township = "township"
    grassroots = "grassroots"
    group = "group"


class OrganisationKind(StrEnum):
    """What a union is. In this order they may stand below one another on one level."""

    federation = "federation"  # 地方总工会
    development_zone = "development_zone"  # 开发区工会
    area_federation = "area_federation"  # 区域工会联合会
    industry_federation = "industry_federation"  # 行业工会联合会
    representative = "representative"  # 派出代表机构: without legal personality
    joint = "joint"  # 联合基层工会
    community = "community"  # 社区工会
    village = "village"  # 村工会
    enterprise = "enterprise"  # 企业工会
    institution = "institution"  # 事业单位工会
    agency = "agency"  # 机关工会
    branch = "branch"  # 分工会
    group = "group"  # 工会小组


class Relation(StrEnum):
    """The two dated relations between unions, which may differ."""

    organisational = "organisational"  # 组织隶属
    funding = "funding"  # 经费隶属


class OrganisationFounded(Event, type="membership.OrganisationFounded", version=1):
    """A union was set up (工会法 10–12) below `parent`, and funded through `funding_parent`; both None only at the top of a node."""

    organisation: OrgCode
    name: str
    level: Level
    kind: OrganisationKind
    parent: OrgCode | None
    funding_parent: OrgCode | None
    uscc: str | None = None
    division: str | None = None
    effective_on: date


class OrganisationChanged(Event, type="membership.OrganisationChanged", version=1):
    """The particulars of a union from a day on: all of them, changed or not."""

    organisation: OrgCode
    name: str
    kind: OrganisationKind
    uscc: str | None = None
    division: str | None = None
    effective_on: date


class OrganisationMoved(Event, type="membership.OrganisationMoved", version=1):
    """One of a union's two relations leads to another parent from a day on."""

    organisation: OrgCode
    relation: Relation
    parent: OrgCode
    effective_on: date


class OrganisationMerged(Event, type="membership.OrganisationMerged", version=1):
    """A union went up in another one, which takes its members and the unions below it."""

    organisation: OrgCode
    into: OrgCode
    effective_on: date


class OrganisationDissolved(Event, type="membership.OrganisationDissolved", version=1):
    """A union ended. What stood below it falls to `successor`, or where that is None to its parent."""

    organisation: OrgCode
    successor: OrgCode | None
    effective_on: date


# ------------------------------------------------------------------------------------------------------- members 会员


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


# ------------------------------------------------------------------------------------------------------ rosters 花名册


class RosterReceived(Event, type="membership.RosterReceived", version=1):
    """A union's roster came in. The file is named by its digest; its rows are in the history as the events they led to."""

    roster: RecordId
    organisation: OrgCode
    digest: Digest
    size_bytes: int
    complete: bool
    """It names everybody: who is not on it has left."""


class RosterApplicationStarted(Event, type="membership.RosterApplicationStarted", version=1):
    """Somebody had a roster applied, after its dry run. What follows from it carries its stream as correlation."""

    roster: RecordId
    organisation: OrgCode
    digest: Digest


class RosterApplied(Event, type="membership.RosterApplied", version=1):
    """Every row of a roster was dealt with: how many led to what."""

    roster: RecordId
    organisation: OrgCode
    joined: int
    transferred: int
    changed: int
    unchanged: int
    left: int
    refused: int


# ------------------------------------------------------------------------------------------------------- erasure 删除


class ErasureOrdered(Event, type="membership.ErasureOrdered", version=1, subject="erasure", purpose="erasure"):
    """A person is to be erased (PIPL 47): every service restricts, then destroys its own keys of the purposes that have ended.

    The note is sealed under the erasure's own id: it is the evidence of why, and outlives the person's keys.
    """

    person: PersonId
    erasure: ErasureId
    basis: ErasureBasis
    note: Sealed[str] | None = None
    ordered_at: datetime


# -------------------------------------------------------------------------------------------- staff appointments 任用


class Role(StrEnum):
    """What an appointment lets its holder do (DESIGN 8)."""

    clerk = "clerk"  # 经办
    approver = "approver"  # 审批
    finance = "finance"  # 财务
    steward = "steward"  # 工会干部
    auditor = "auditor"  # 审计
    org_admin = "org-admin"  # 组织管理员
    agency = "agency"  # 外部机构
    member = "member"  # 会员


class StaffAppointed(Event, type="membership.StaffAppointed", version=1):
    """Somebody may act in a role for an organisation and all below it, until `valid_until` (exclusive; None: until ended).

    `acting`: beside another post, in so many words 代理/兼任. `delegated_from`: the appointment of the person on leave whose
    work this one covers.
    """

    appointment: RecordId
    principal: Principal
    organisation: OrgCode
    role: Role
    acting: bool = False
    delegated_from: RecordId | None = None
    valid_from: date
    valid_until: date | None = None


class StaffAppointmentEnded(Event, type="membership.StaffAppointmentEnded", version=1):
    """An appointment ends on a day (exclusive)."""

    appointment: RecordId
    principal: Principal
    organisation: OrgCode
    valid_until: date


class StaffHandedOver(Event, type="membership.StaffHandedOver", version=1):
    """A departing cadre's open work at an organisation moved to a successor in one signed paper 工作移交."""

    principal: Principal
    successor: Principal
    organisation: OrgCode
    paper: Digest
    effective_on: date


class NodeBootstrapped(Event, type="membership.NodeBootstrapped", version=1):
    """The first appointment of a node was made; it can be made once."""

    organisation: OrgCode
    appointment: RecordId


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
