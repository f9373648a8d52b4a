"""Payments of granted aid, the batches they travel to the bank in, and what the bank answered (DOMAIN 2.8). Money is integer fen.

A payment is one entitlement's: it is paid at most once, by one instruction at a time. A failed item gets a new instruction; one without an
answer is asked about and never sent again.
"""

from datetime import date
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.assistance.applications import ApplicationId
from contracts.assistance.funds import EntitlementId, LineId
from contracts.assistance.hardship import BankAccount
from contracts.kernel import Event, OrgCode, Personal, PersonId
from contracts.membership import Digest, Principal, RecordId

InstructionId = RecordId
"""One attempt to pay an entitlement; the bank shows it as InstrId."""

BatchId = RecordId
"""A file to the bank; its message id there is this id."""

ReasonCode = Annotated[str, StringConstraints(pattern=r"^[A-Z0-9]{4}$")]
"""An ISO 20022 external status or return reason; a branch's own words are mapped to one (`bank/reasons.toml`)."""

AccountNumber = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{4,34}$")]
"""A union's own account, which is nobody's personal data."""

InstitutionName = Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z\u4e00-\u9fff（）()·]{2,60}$")]
"""A bank's or a union's name as it stands on the account; never a person's."""


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class PaymentInstructed(Event, type="assistance.PaymentInstructed", version=1, subject="payee", purpose="assistance"):
    """An entitlement went into a batch, to this account. The account is the payee's as it stood then."""

    entitlement: EntitlementId
    instruction: InstructionId
    batch: BatchId
    application: ApplicationId
    organisation: OrgCode
    person: PersonId
    payee: PersonId
    line: LineId
    reservation: RecordId
    fen: Annotated[int, Field(gt=0)]
    account: Personal[BankAccount]
    instructed_by: Principal


class PaymentConfirmed(Event, type="assistance.PaymentConfirmed", version=1):
    """The bank paid it. `report`: the digest of the bank's file that says so."""

    entitlement: EntitlementId
    instruction: InstructionId
    booked_on: date
    report: Digest


class PaymentFailed(Event, type="assistance.PaymentFailed", version=1, subject="payee", purpose="assistance"):
    """The bank did not pay it: it is due still, by another instruction. `reason`: the bank's words, where it said any."""

    entitlement: EntitlementId
    instruction: InstructionId
    payee: PersonId
    code: ReasonCode
    reason: Personal[str] | None = None
    report: Digest


class PaymentReturned(Event, type="assistance.PaymentReturned", version=1, subject="payee", purpose="assistance"):
    """Paid money came back 退汇: it is set aside again for the entitlement, which is due still.

    `line` and `reservation`: where it is set aside now, if the line that paid it had been closed by then.
    """

    entitlement: EntitlementId
    instruction: InstructionId
    payee: PersonId
    reversal: RecordId
    code: ReasonCode
    reason: Personal[str] | None = None
    booked_on: date
    report: Digest
    line: LineId | None = None
    reservation: RecordId | None = None


class AccountCorrected(Event, type="assistance.AccountCorrected", version=1, subject="payee", purpose="assistance"):
    """Another account of the same payee, entered by one and confirmed by another."""

    entitlement: EntitlementId
    payee: PersonId
    account: Personal[BankAccount]
    paper: Digest
    corrected_by: Principal
    approved_by: Principal


class PayeeRedirected(Event, type="assistance.PayeeRedirected", version=1, subject="payee", purpose="assistance"):
    """The payee died: a proven heir takes their place, entered by one and confirmed by another. `proof`: digest of the paper."""

    entitlement: EntitlementId
    payee: PersonId
    account: Personal[BankAccount]
    proof: Digest
    redirected_by: Principal
    approved_by: Principal


ReasonGiven = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_-]{0,39}$")]
"""A reason of a list."""


class PaymentWithdrawn(Event, type="assistance.PaymentWithdrawn", version=1):
    """It was taken out of a batch that had not left: its instruction is over, and it is due by another one."""

    entitlement: EntitlementId
    instruction: InstructionId
    batch: BatchId
    reason: ReasonGiven
    withdrawn_by: Principal


class PaidInCash(Event, type="assistance.PaidInCash", version=1):
    """Paid by hand for an approved reason, before two witnesses, against a signed receipt."""

    entitlement: EntitlementId
    instruction: InstructionId
    application: ApplicationId
    organisation: OrgCode
    person: PersonId
    payee: PersonId
    line: LineId
    reservation: RecordId
    fen: Annotated[int, Field(gt=0)]
    reason: ReasonGiven
    witnesses: tuple[Principal, Principal]
    receipt: Digest
    paid_by: Principal
    approved_by: Principal
    paid_on: date


# ------------------------------------------------------------------------------------------------------------ batches 批次


class Channel(StrEnum):
    """How a batch reaches the bank."""

    iso20022 = "iso20022"  # pain.001.001.09
    template = "template"  # the branch's own Excel 代发


class BatchItem(_Value):
    """One payment in a batch."""

    entitlement: EntitlementId
    instruction: InstructionId
    fen: Annotated[int, Field(gt=0)]


class BatchOpened(Event, type="assistance.BatchOpened", version=1):
    """A batch of one organisation's payments from one of its accounts was begun by its maker.

    `by_hand`: its file is brought to the bank by the payer, and never sent by the service.
    """

    batch: BatchId
    organisation: OrgCode
    account: AccountNumber
    channel: Channel
    execute_on: date
    opened_by: Principal
    by_hand: bool = False


class BatchFilled(Event, type="assistance.BatchFilled", version=1):
    """These payments went into it; `count` and `total_fen` are the batch's control figures afterwards.

    `hands`: who made or decided their cases, and was not named by the batch before; none of them checks or releases it.
    """

    batch: BatchId
    items: tuple[BatchItem, ...]
    count: int
    total_fen: int
    hands: tuple[Principal, ...] = ()


class BatchChecked(Event, type="assistance.BatchChecked", version=1):
    """Somebody else compared the control figures and froze the batch: nothing more goes in."""

    batch: BatchId
    count: int
    total_fen: int
    checked_by: Principal


class BatchReopened(Event, type="assistance.BatchReopened", version=1):
    """The payer sent a checked batch back to its maker."""

    batch: BatchId
    reopened_by: Principal


class BatchReduced(Event, type="assistance.BatchReduced", version=1):
    """A payment was taken out before the batch left. With other control figures, `count` and `total_fen`, it is to be checked anew."""

    batch: BatchId
    entitlement: EntitlementId
    instruction: InstructionId
    count: int
    total_fen: int
    reason: ReasonGiven
    withdrawn_by: Principal


class BatchReleased(Event, type="assistance.BatchReleased", version=1):
    """A third person let it go: the file's bytes are fixed by their digest."""

    batch: BatchId
    file: Digest
    released_by: Principal


class BatchSending(Event, type="assistance.BatchSending", version=1):
    """From now on the bank may have it. Recorded before the first byte leaves, so that no batch is ever sent twice."""

    batch: BatchId


class BatchHandedOut(Event, type="assistance.BatchHandedOut", version=1):
    """The file is the payer's from now on, to be brought to the bank by hand: the bank may have it. Recorded before the first byte."""

    batch: BatchId
    handed_to: Principal


class BatchUploaded(Event, type="assistance.BatchUploaded", version=1):
    """The payer brought the file to the bank, which gave this reference."""

    batch: BatchId
    reference: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z-]{4,35}$")]
    uploaded_by: Principal


class BatchAccepted(Event, type="assistance.BatchAccepted", version=1):
    """The bank has taken it."""

    batch: BatchId


class BatchRefused(Event, type="assistance.BatchRefused", version=1):
    """The bank refused the whole file: none of it was paid. Its words stay in its answer, `report`; they may name somebody."""

    batch: BatchId
    code: ReasonCode
    report: Digest


class BatchUnanswered(Event, type="assistance.BatchUnanswered", version=1):
    """The bank did not answer. It is asked what became of the file; the file is not sent again."""

    batch: BatchId


class BatchDisowned(Event, type="assistance.BatchDisowned", version=1):
    """The bank stated in writing that it never had the file: all of its payments are due again. By two people."""

    batch: BatchId
    statement: Digest
    disowned_by: Principal
    approved_by: Principal


# ------------------------------------------------------------------------------------------------------ entered twice 双人录入


class EnteredOnce(Event, type="assistance.EnteredOnce", version=1):
    """One of two people entered something that takes two: it has no effect before another enters the same.

    `entry` is a keyed digest of what was entered, `subject` what it is about.
    """

    entry: Digest
    act: Annotated[str, StringConstraints(pattern=r"^[a-z][a-z-]{1,39}$")]
    subject: Annotated[str, StringConstraints(pattern=r"^[0-9A-Za-z]{4,64}$")]
    organisation: OrgCode
    entered_by: Principal


class EnteredTwice(Event, type="assistance.EnteredTwice", version=1):
    """Another entered the same; its effect is in the same append."""

    entry: Digest
    entered_by: Principal


# -------------------------------------------------------------------------------------------------- bank files and the check


class PaymentAccountOpened(Event, type="assistance.PaymentAccountOpened", version=1):
    """An organisation pays from this account of its own; entered by one and confirmed by another. `paper`: the bank's letter."""

    account: AccountNumber
    organisation: OrgCode
    bank: InstitutionName
    holder: InstitutionName
    paper: Digest
    opened_by: Principal
    approved_by: Principal


class BankFileKind(StrEnum):
    """What the bank sends."""

    report = "report"  # pain.002, or the template's return sheet
    statement = "statement"  # camt.053


class BankFileRead(Event, type="assistance.BankFileRead", version=1):
    """A file of the bank was worked through, once; `exceptions` are the lines that somebody has to look at."""

    file: Digest
    kind: BankFileKind
    account: AccountNumber | None = None
    day: date | None = None
    lines: int
    exceptions: int


class PaymentsHalted(Event, type="assistance.PaymentsHalted", version=1):
    """The daily three-way check of events, ledger and bank did not agree: nothing more leaves this account."""

    account: AccountNumber
    organisation: OrgCode
    day: date
    events_fen: int
    ledger_fen: int
    bank_fen: int


class PaymentsResumed(Event, type="assistance.PaymentsResumed", version=1):
    """The difference was found and set right, stated by two people."""

    account: AccountNumber
    paper: Digest
    resumed_by: Principal
    approved_by: Principal
