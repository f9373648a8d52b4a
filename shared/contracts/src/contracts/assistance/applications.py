"""Applications for aid, from the draft to the follow-up (DOMAIN 2.4), decisions on them and public notices. Money is integer fen.

In clear stand ids, codes, days and amounts: what a union publishes about its aid anyway. Facts, accounts, reasons and findings are sealed.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.assistance.funds import EntitlementId, LineId
from contracts.assistance.hardship import BankAccount, HouseholdId
from contracts.assistance.programmes import DecidedBy, ProgrammeCode, Word
from contracts.kernel import Event, OrgCode, Personal, PersonId, Sealed, Under
from contracts.membership import Digest, Level, Principal, RecordId

ApplicationId = RecordId
MinutesNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z\u4e00-\u9fff〔〕()（）\[\]-]{1,40}$")]
"""The number of a meeting's minutes 会议纪要, as in 泰工纪要〔2026〕12号."""

PeriodLabel = Annotated[str, StringConstraints(pattern=r"^([0-9]{4}|lifetime|[0-9]{4}-[0-9]{2}-[0-9]{2}|[0-9a-f]{32})$")]
"""What a grant is for: a year, a lifetime, or one incident: its day, or the case of rights that it is."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class Facts(_Value):
    """What was found at the visit, by the facts' names; sealed as one value."""

    values: dict[str, int | bool | str]


class ApplicationDrafted(Event, type="assistance.ApplicationDrafted", version=1, subject="person", purpose="assistance"):
    """Aid of a programme was asked for, for `person`, to be paid to `payee`. `case`: the rights case that it comes from."""

    application: ApplicationId
    organisation: OrgCode
    programme: ProgrammeCode
    person: PersonId
    household: HouseholdId | None = None
    people: tuple[PersonId, ...] = ()
    """Everybody of the household on that day, with the minors' guardians: whose relatives keep out of it."""

    payee: PersonId
    name: Personal[str] | None = None
    """The applicant's name as on the form; a public notice shows its first character."""

    statement: Personal[str] | None = None
    account: Annotated[Personal[BankAccount] | None, Under("payee", purpose="assistance")] = None
    case: RecordId | None = None
    incident_on: date | None = None
    """The day of what the aid is for: of the admission to hospital, the accident, the disaster."""

    drafted_by: Principal | None = None
    """None: a service drafted it, from another service's event."""

    drafted_on: date


class DocumentAttached(Event, type="assistance.DocumentAttached", version=1):
    """A paper of the application, by the digest of its scan."""

    application: ApplicationId
    kind: Word
    digest: Digest
    attached_by: Principal


class AccountGiven(Event, type="assistance.AccountGiven", version=1, subject="payee", purpose="assistance"):
    """Where the money is to go, in the place of what was known; payments take the newest."""

    application: ApplicationId
    payee: PersonId
    account: Personal[BankAccount]
    given_by: Principal


class ApplicationVerified(Event, type="assistance.ApplicationVerified", version=1, subject="person", purpose="assistance"):
    """A visit established the facts, and the rules were applied to them: what they come to, and which conditions failed.

    What was seen is pinned: the programme's version, and the version of the household's file (None: no file).
    """

    application: ApplicationId
    person: PersonId
    visitors: tuple[Principal, ...]
    visited_on: date
    facts: Personal[Facts]
    finding: Personal[str] | None = None
    programme_version: int
    file_version: int | None
    entitled_fen: int
    failed: tuple[Word, ...] = ()
    documents_needed: tuple[Word, ...] = ()
    verified_by: Principal | None


class IncidentSetApart(Event, type="assistance.IncidentSetApart", version=1, subject="person", purpose="assistance"):
    """What happened is not what another application of that day was granted for, although it looks like it."""

    application: ApplicationId
    apart_from: ApplicationId
    person: PersonId
    reason: Personal[str]
    set_apart_by: Principal


class ApplicationPosted(Event, type="assistance.ApplicationPosted", version=1):
    """The application is on a public notice until a day (inclusive)."""

    application: ApplicationId
    notice: RecordId
    until: date


class ApplicationCleared(Event, type="assistance.ApplicationCleared", version=1):
    """Its public notice was taken down in time; `upheld`: an objection to this application was found right."""

    application: ApplicationId
    notice: RecordId
    upheld: bool = False


class ApplicationSubmitted(Event, type="assistance.ApplicationSubmitted", version=1):
    """The union stamped the application and sent it up. `stamped`: the digest of the sealed form."""

    application: ApplicationId
    stamped: Digest | None
    submitted_by: Principal | None
    submitted_on: date


class ApplicationReturned(Event, type="assistance.ApplicationReturned", version=1, subject="person", purpose="assistance"):
    """Sent back for revision: it is a draft again, and what was verified counts no more."""

    application: ApplicationId
    person: PersonId
    reason: Personal[str]
    returned_by: Principal


class ApplicationWithdrawn(Event, type="assistance.ApplicationWithdrawn", version=1):
    """The applicant took it back."""

    application: ApplicationId
    withdrawn_on: date


class AidGranted(Event, type="assistance.AidGranted", version=1):
    """Aid was granted and its money reserved, in one append. The entitlement is what is paid at most once.

    `household`: the one that it counts with, named by the application or found; `decision`: the decision that settled it, with others
    perhaps; `obligation`: it was paid first, and papers are owed.
    """

    application: ApplicationId
    entitlement: EntitlementId
    organisation: OrgCode
    person: PersonId
    household: HouseholdId | None = None
    payee: PersonId
    line: LineId
    reservation: RecordId
    fen: Annotated[int, Field(gt=0)]
    programme: ProgrammeCode
    programme_version: int
    period: PeriodLabel
    decision: RecordId
    decided_by: Principal
    level: Level
    in_kind: bool = False
    obligation: RecordId | None = None
    granted_on: date


class AidRefused(Event, type="assistance.AidRefused", version=1, subject="person", purpose="assistance"):
    """A decision did not grant the aid, with a reason; an appeal is possible until a day (inclusive)."""

    application: ApplicationId
    person: PersonId
    reason: Personal[str]
    failed: tuple[Word, ...] = ()
    decision: RecordId
    decided_by: Principal
    level: Level
    appeal_until: date
    refused_on: date


class AidAppealed(Event, type="assistance.AidAppealed", version=1, subject="person", purpose="assistance"):
    """The applicant appealed against a refusal to the level above."""

    application: ApplicationId
    person: PersonId
    grounds: Personal[str]
    appealed_on: date


class Recusal(_Value):
    """Somebody at the table who took no part in one case 回避."""

    principal: Principal
    application: ApplicationId


class Meeting(_Value):
    """The meeting that decided: who sat there, who stepped aside, and its minutes."""

    held_on: date
    attendees: tuple[Principal, ...]
    recusals: tuple[Recusal, ...] = ()
    minutes: MinutesNumber
    paper: Digest


class AppealUpheld(Event, type="assistance.AppealUpheld", version=1, subject="person", purpose="assistance"):
    """The appeal was right: the application is to be decided anew, at `level` or above, by somebody else."""

    application: ApplicationId
    person: PersonId
    reason: Personal[str]
    settled_by: Principal
    level: Level
    meeting: Meeting | None = None


class AppealDismissed(Event, type="assistance.AppealDismissed", version=1, subject="person", purpose="assistance"):
    """The appeal was wrong: the refusal stands."""

    application: ApplicationId
    person: PersonId
    reason: Personal[str]
    settled_by: Principal
    level: Level
    meeting: Meeting | None = None


class GrantRevoked(Event, type="assistance.GrantRevoked", version=1, subject="person", purpose="assistance"):
    """A grant was taken back before it was instructed, and its money released."""

    application: ApplicationId
    entitlement: EntitlementId
    person: PersonId
    reason: Personal[str]
    revoked_by: Principal
    revoked_on: date


class AidInstructed(Event, type="assistance.AidInstructed", version=1):
    """The payment went into a batch."""

    application: ApplicationId
    entitlement: EntitlementId
    instructed_by: Principal


class AidPaid(Event, type="assistance.AidPaid", version=1):
    """The bank confirmed the payment, or the goods were handed over."""

    application: ApplicationId
    entitlement: EntitlementId
    paid_on: date


class AidAcknowledged(Event, type="assistance.AidAcknowledged", version=1):
    """The payee signed for it."""

    application: ApplicationId
    entitlement: EntitlementId
    receipt: Digest
    acknowledged_on: date


class AidFollowedUp(Event, type="assistance.AidFollowedUp", version=1, subject="person", purpose="assistance"):
    """Somebody asked afterwards whether it helped 回访."""

    application: ApplicationId
    person: PersonId
    finding: Personal[str]
    followed_up_on: date


# ------------------------------------------------------------------------------------------------ decisions on many cases


class DecisionTaken(Event, type="assistance.DecisionTaken", version=1):
    """One decision settled these applications: by one person, or in one resolution of a meeting."""

    decision: RecordId
    organisation: OrgCode
    level: Level
    by: DecidedBy
    decided_by: Principal
    meeting: Meeting | None = None
    granted: int
    refused: int
    total_fen: int
    decided_on: date


# ---------------------------------------------------------------------------------------------------- what counts together


class StopReason(StrEnum):
    """Why payments to a person stop."""

    died = "died"
    erased = "erased"


class AidCounted(Event, type="assistance.AidCounted", version=1):
    """A grant counts for a person or a household (`beneficiary`): for once-only rules and yearly caps."""

    beneficiary: RecordId
    application: ApplicationId
    entitlement: EntitlementId
    programme: ProgrammeCode
    period: PeriodLabel
    fen: int
    year: int


class AidUncounted(Event, type="assistance.AidUncounted", version=1):
    """That grant was taken back."""

    beneficiary: RecordId
    entitlement: EntitlementId


class AidStopped(Event, type="assistance.AidStopped", version=1):
    """Nothing more is granted or paid to this person (a death, until an heir is proven). Payments read it before they instruct."""

    beneficiary: RecordId
    reason: StopReason
    since: date


class AidResumed(Event, type="assistance.AidResumed", version=1):
    """The stop was in error."""

    beneficiary: RecordId
    since: date


# ---------------------------------------------------------------------------------------------------------- public notice


class NoticePosted(Event, type="assistance.NoticePosted", version=1):
    """A list of applications hangs at the employer or the community, for `working_days`, until `until` (inclusive).

    `sheet`: SHA-256 of the masked sheet as it was made and hung; `template`: what says which fields it shows, and how they are masked
    (assistance.notices.templates). `provisional`: `until` lies beyond the published calendar of working days.
    """

    notice: RecordId
    organisation: OrgCode
    applications: tuple[ApplicationId, ...]
    sheet: Digest
    template: Word | None = None
    working_days: int | None = None
    posted_on: date
    until: date
    provisional: bool = False
    posted_by: Principal


class NoticeObjected(Event, type="assistance.NoticeObjected", version=1, subject="person", purpose="assistance"):
    """Somebody objected to an application on the notice; who and why is sealed with what is known of the applicant."""

    notice: RecordId
    objection: RecordId
    application: ApplicationId
    person: PersonId
    statement: Sealed[str]
    objected_on: date


class ObjectionSettled(Event, type="assistance.ObjectionSettled", version=1, subject="person", purpose="assistance"):
    """The objection was looked into."""

    notice: RecordId
    objection: RecordId
    application: ApplicationId
    person: PersonId
    upheld: bool
    finding: Sealed[str]
    settled_by: Principal


class NoticeTakenDown(Event, type="assistance.NoticeTakenDown", version=1):
    """The notice came down after its days; `photo` shows how it hung."""

    notice: RecordId
    photo: Digest
    taken_down_on: date


# ------------------------------------------------------------------------------------------------------- conflicts of interest


class InterestKind(StrEnum):
    """What stands between a cadre and a person."""

    relative = "relative"
    interest = "interest"


class InterestDeclared(Event, type="assistance.InterestDeclared", version=1):
    """A cadre declared a relative or an interest: they take no part in this person's matters, and see none of them."""

    principal: Principal
    person: PersonId
    kind: InterestKind


class InterestWithdrawn(Event, type="assistance.InterestWithdrawn", version=1):
    """The declaration is withdrawn, by somebody else's decision."""

    principal: Principal
    person: PersonId
    withdrawn_by: Principal
