"""Staff appointments 任用: who may act for which organisation in which role."""

from datetime import date
from enum import StrEnum

from contracts.kernel import Event, OrgCode
from contracts.values import Digest, Principal, RecordId


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
