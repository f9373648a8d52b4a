"""Request and answer models of members, and what a body's values become in commands."""

from datetime import date, datetime
from typing import Annotated, Any

from contracts.kernel import Erased, OrgCode, PersonId
from contracts.membership import Category, Digest, MemberKind, ObjectionGround, PersonDetails, Proof, Sex
from contracts.values import Day, DocumentKind, IdentityDocument, PersonName, Phone, ValueRefused, identity_document, line
from foundation.decider import Refusal
from foundation.http.routing import Body
from pydantic import AfterValidator, Field

from membership.erasures.notices import Notice
from membership.members.commands import Person
from membership.members.member import Current, Linked, Member, TransferContested, TransferOpen, Unknown
from membership.members.record import PERSONAL, Record

Line = Annotated[str, AfterValidator(line), Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]


class IdentityRefused(Refusal):
    """The identity document cannot be what it claims to be; `rule` says which rule it breaks."""

    status = 422

    def __init__(self, refused: ValueRefused) -> None:
        super().__init__(refused.rule, rule=refused.rule, **refused.arguments)


class DocumentBody(Body):
    """An identity document as it reads; `pending` has no number yet."""

    kind: DocumentKind
    number: str = Field(default="", max_length=40)
    issuer: str = Field(default="CN", min_length=2, max_length=2)

    def checked(self, today: date) -> IdentityDocument:
        """The document in normal form. Raises IdentityRefused."""
        try:
            return identity_document(self.kind, self.number, issuer=self.issuer, today=today)
        except ValueRefused as refused:
            raise IdentityRefused(refused) from None


class DetailsBody(Body):
    """What else a union knows about a member; all of it replaces what was known."""

    birth: Day | None = None
    ethnicity: Line | None = None
    education: Line | None = None
    household_registration: Line | None = None
    address: Line | None = None
    employer: Line | None = None
    post: Line | None = None
    contract: Line | None = None
    skill_level: Line | None = None
    bank_name: Line | None = None

    def details(self) -> PersonDetails:
        return PersonDetails(**self.model_dump())


class PersonBody(Body):
    name: PersonName = Field(max_length=200)
    document: DocumentBody
    phone: Phone | None = Field(default=None, max_length=40)
    details: DetailsBody | None = None
    sex: Sex = Sex.unknown
    categories: list[Category] = Field(default=[], max_length=len(Category))

    def person(self, document: IdentityDocument) -> Person:
        details = None if self.details is None else self.details.details()
        return Person(self.name, document, self.phone, details, self.sex, tuple(sorted(set(self.categories))))


class JoinBody(PersonBody):
    organisation: OrgCode
    kind: MemberKind | None = Field(default=None, description="Regular at the grassroots and direct above it, where none is named.")
    on: Day = Field(description="The day of applying, or of joining.")


class UnionDayBody(Body):
    organisation: OrgCode
    on: Day


class UnionReasonBody(UnionDayBody):
    reason: Text


class DayBody(Body):
    on: Day


class ReasonBody(DayBody):
    reason: Text


class LeaveBody(DayBody):
    reason: Text | None = None


class ExpelBody(ReasonBody):
    decision: Digest = Field(description="SHA-256 of the signed decision.")


class CorrectBody(DayBody):
    """What to put right; what is not named stays as it is."""

    name: PersonName | None = Field(default=None, max_length=200)
    document: DocumentBody | None = None
    phone: Phone | None = Field(default=None, max_length=40)
    no_phone: bool = Field(default=False, description="There is no phone any more.")
    details: DetailsBody | None = None
    sex: Sex | None = None
    categories: list[Category] | None = Field(default=None, max_length=len(Category))
    reason: Text | None = None


class ProofBody(Body):
    """What shows the employment: the kind of paper, its digest, the shelf number of the original."""

    kind: Line
    digest: Digest | None = None
    shelf: Line | None = None

    def proof(self) -> Proof:
        return Proof(**self.model_dump())


class TransferBody(UnionDayBody):
    document: DocumentBody
    proof: ProofBody


class ObjectBody(DayBody):
    ground: ObjectionGround
    statement: Text


class LinkBody(DayBody):
    same_as: PersonId


# ------------------------------------------------------------------------------------------------------------- answers


class DocumentView(Body):
    kind: DocumentKind
    number: str
    issuer: str


class TransferView(Body):
    """A transfer that the old union may still complete or object to, or that is contested."""

    transfer: str
    from_organisation: OrgCode
    object_until: date | None
    contested: bool


class MemberView(Body):
    """A member as known on a day. `erased` names the values that were destroyed on purpose or are withheld; they are null.

    `notice` says so in words.
    """

    member: PersonId
    version: int
    state: str
    organisation: OrgCode | None
    same_as: PersonId | None
    transfer: TransferView | None
    kind: MemberKind
    sex: Sex
    categories: list[Category]
    joined_on: date | None
    name: str | None
    document: DocumentView | None
    phone: str | None
    details: PersonDetails | None
    erased: list[str]
    notice: Notice | None


class HappenedView(Body):
    """One event of a member's history, without anything personal."""

    position: int
    type: str
    recorded_at: datetime
    actor: str
    acting_for: OrgCode | None
    facts: dict[str, Any]


def union_of(member: Member) -> OrgCode | None:
    """The union whose staff look after this record."""
    match member:
        case Unknown():
            return None
        case Linked(_, before):
            return union_of(before)
        case _:
            return member.union


def transfer_view(member: Member) -> TransferView | None:
    """The transfer that is still open, if there is one."""
    if not isinstance(member, Current):
        return None
    match member.transfer:
        case TransferOpen(id, before, object_until):
            return TransferView(transfer=id, from_organisation=before.union, object_until=object_until, contested=False)
        case TransferContested(id, before):
            return TransferView(transfer=id, from_organisation=before.union, object_until=None, contested=True)
        case _:
            return None


def member_view(id: PersonId, version: int, member: Member, record: Record, day: date, *, notice: Notice | None) -> MemberView:
    """What staff see of a member."""
    values = {name: record.on(name, day) for name in PERSONAL}
    erased = [name for name, value in values.items() if isinstance(value, Erased)]
    shown: dict[str, Any] = {name: None if name in erased or value == "" else value for name, value in values.items()}
    if isinstance(shown["document"], IdentityDocument):
        shown["document"] = DocumentView(**shown["document"].model_dump())
    return MemberView(
        member=id,
        version=version,
        state=type(member).__name__.lower(),
        organisation=union_of(member),
        same_as=member.same_as if isinstance(member, Linked) else None,
        transfer=transfer_view(member),
        kind=record.kind,
        sex=record.sex,
        categories=list(record.categories),
        joined_on=record.joined_on,
        erased=erased,
        notice=notice,
        **shown,
    )
