"""Organisations 组织: the tree of unions and what becomes of its parts."""

from datetime import date
from enum import StrEnum

from contracts.kernel import Event, OrgCode


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
