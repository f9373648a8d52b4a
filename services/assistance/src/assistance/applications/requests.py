"""Request and answer models of applications. Amounts are fen."""

from typing import Annotated, Literal

from contracts.assistance.applications import ApplicationId, MinutesNumber
from contracts.assistance.funds import LineId
from contracts.assistance.hardship import BankAccount
from contracts.assistance.programmes import Fen, ProgrammeCode, Word
from contracts.kernel import OrgCode, PersonId
from contracts.membership import Digest, Level, Principal, RecordId
from contracts.values import Day, line
from foundation.http.routing import Body
from pydantic import AfterValidator, Field, StrictBool, StrictInt

from assistance.applications import commands

Line = Annotated[str, AfterValidator(line), Field(min_length=1, max_length=200)]
PartyName = Annotated[Line, Field(max_length=140, description="At most what ISO 20022 has room for.")]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Told = Annotated[StrictBool | Annotated[StrictInt, Field(ge=0, le=10**12)] | Annotated[str, Field(max_length=40)], Field()]


class AccountBody(Body):
    """Where money goes; the name as the bank spells it."""

    bank: PartyName
    name: PartyName
    number: Annotated[str, Field(pattern=r"^[0-9]{8,32}$")]

    def account(self) -> BankAccount:
        return BankAccount(**self.model_dump())


class ApplicantBody(Body):
    """Who asks, for which household, and where the money is to go."""

    person: PersonId
    household: RecordId | None = None
    payee: PersonId | None = Field(default=None, description="The person, where nobody else is named.")
    incident_on: Day | None = Field(
        default=None,
        description="The day of the admission to hospital, the accident, the disaster: needed where the programme helps once for each.",
    )
    name: Line | None = Field(default=None, description="The applicant's name; a public notice shows its first character only.")
    statement: Text | None = None
    account: AccountBody | None = None


class WantedBody(Body):
    """What is asked for, through which union, since when."""

    organisation: OrgCode
    programme: ProgrammeCode
    on: Day

    def draft(self, application: ApplicationId, applicant: ApplicantBody, by: Principal, above: tuple[OrgCode, ...]) -> commands.Draft:
        """The command that asks for it."""
        return commands.Draft(
            application,
            self.organisation,
            self.programme,
            applicant.person,
            applicant.household,
            applicant.payee or applicant.person,
            applicant.statement,
            None if applicant.account is None else applicant.account.account(),
            self.on,
            by,
            above,
            applicant.name,
            applicant.incident_on,
        )


class DraftBody(ApplicantBody, WantedBody):
    """One application."""


class GiveAccountBody(Body):
    account: AccountBody


class AttachBody(Body):
    kind: Word
    digest: Digest


class SetApartBody(Body):
    apart_from: ApplicationId = Field(description="The application that was granted for an incident of the same day.")
    reason: Text


class VerifyBody(Body):
    facts: Annotated[dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")], Told], Field(max_length=60)]
    finding: Text | None = None
    visitors: Annotated[list[Principal], Field(min_length=1, max_length=10)]
    visited_on: Day


class SubmitBody(Body):
    stamped: Digest = Field(description="SHA-256 of the form with the union's seal.")
    on: Day


Stage = Literal["draft", "verified", "submitted", "granted", "instructed", "paid", "refused", "appealed", "withdrawn"]


class ReasonBody(Body):
    reason: Text


class DayBody(Body):
    on: Day


class RevokeBody(Body):
    reason: Text
    on: Day


class AppealBody(Body):
    grounds: Text
    on: Day


class RecusalBody(Body):
    principal: Principal
    application: ApplicationId


class MeetingBody(Body):
    held_on: Day
    attendees: Annotated[list[Principal], Field(min_length=1, max_length=50)]
    recusals: list[RecusalBody] = Field(default=[], max_length=500)
    minutes: MinutesNumber
    paper: Digest = Field(description="SHA-256 of the signed minutes.")


class SettleAppealBody(Body):
    upheld: bool
    reason: Text
    meeting: MeetingBody | None = Field(default=None, description="Where nobody is above the union that refused.")


class ReceiptBody(Body):
    receipt: Digest = Field(description="SHA-256 of the signed receipt.")
    on: Day


class FollowUpBody(Body):
    finding: Text
    on: Day


# ------------------------------------------------------------------------------------------------------------ decisions


class SeenBody(Body):
    """What the approver had before them, as the application's view gives it."""

    application_version: StrictInt
    programme_version: StrictInt
    file_version: StrictInt | None = None
    documents: Digest

    def seen(self) -> commands.Seen:
        return commands.Seen(**self.model_dump())


class CaseBody(Body):
    """One case: grant it (`fen` only where the programme leaves room), or refuse it with a reason."""

    application: ApplicationId
    seen: SeenBody
    outcome: Literal["grant", "refuse"]
    fen: Fen | None = None
    reason: Text | None = None


class DecideBody(Body):
    organisation: OrgCode
    programme: ProgrammeCode
    line: LineId | None = None
    cases: Annotated[list[CaseBody], Field(min_length=1, max_length=200)]
    meeting: MeetingBody | None = None


# ------------------------------------------------------------------------------------------------------------- answers


class GrantView(Body):
    entitlement: RecordId
    line: LineId
    fen: int
    decided_by: Principal
    obligation: RecordId | None


class NextDecision(Body):
    """Where the amount that the rules come to is decided."""

    level: Level
    by: str


class ApplicationView(Body):
    """An application as it stands. Eligible where `failed` is empty; compliant where `lacking` is empty too (符合条件但手续不全)."""

    application: ApplicationId
    stage: str
    organisation: OrgCode
    programme: ProgrammeCode
    person: PersonId
    household: RecordId | None
    payee: PersonId
    entitled_fen: int | None
    failed: list[str]
    lacking: list[str]
    duplicate_of: list[ApplicationId] = Field(description="Granted for an incident of the same day, and not told apart 疑似重复.")
    apart_from: list[ApplicationId] = Field(description="Of the same day, and declared to be about another incident 另一事由.")
    decided_at: NextDecision | None
    seen: SeenBody | None
    grant: GrantView | None
    appeal_until: Day | None


class ApplicationEntry(Body):
    """An application in a list; `fen`: granted, or what the rules came to at the visit. No name where it is erased or was never given."""

    application: ApplicationId
    organisation: OrgCode
    programme: ProgrammeCode
    person: PersonId
    name: str | None
    household: RecordId | None
    stage: str
    fen: int | None
    drafted_on: Day
