"""What can be asked of one payment. `by` is who asks, `approved_by` who confirmed it; amounts are fen."""

from dataclasses import dataclass
from datetime import date

from contracts.assistance.funds import EntitlementId, LineId
from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import BatchId, InstructionId, ReasonCode
from contracts.kernel import OrgCode, PersonId
from contracts.membership import Digest, Principal, RecordId


@dataclass(frozen=True, slots=True)
class Terms:
    """What was granted: whose, how much, out of which reservation."""

    application: str
    organisation: OrgCode
    person: PersonId
    payee: PersonId
    line: str
    reservation: str
    fen: int


@dataclass(frozen=True, slots=True)
class Instruct:
    """Put it into a batch, to this account."""

    entitlement: EntitlementId
    instruction: InstructionId
    batch: BatchId
    terms: Terms
    account: BankAccount
    by: Principal


@dataclass(frozen=True, slots=True)
class Confirm:
    """The bank paid it."""

    entitlement: EntitlementId
    instruction: InstructionId
    booked_on: date
    report: Digest


@dataclass(frozen=True, slots=True)
class Fail:
    """The bank did not pay it."""

    entitlement: EntitlementId
    instruction: InstructionId
    code: ReasonCode
    reason: str | None
    report: Digest


@dataclass(frozen=True, slots=True)
class Bounce:
    """What was paid came back. `reversal` follows from the bank's entry, so that it counts once.

    `line` and `reservation`: where it is set aside from now on, if the line that paid it is closed.
    """

    entitlement: EntitlementId
    instruction: InstructionId
    reversal: RecordId
    code: ReasonCode
    reason: str | None
    booked_on: date
    report: Digest
    line: LineId | None = None
    reservation: RecordId | None = None


@dataclass(frozen=True, slots=True)
class Withdraw:
    """End an instruction that has not left, together with its batch: see `batches.withdrawing`."""

    entitlement: EntitlementId
    instruction: InstructionId
    reason: str
    by: Principal


@dataclass(frozen=True, slots=True)
class CorrectAccount:
    """Another account of the same payee; its holder's name is the payee's, as the bank spells it."""

    entitlement: EntitlementId
    payee: PersonId
    account: BankAccount
    paper: Digest
    by: Principal
    approved_by: Principal


@dataclass(frozen=True, slots=True)
class Redirect:
    """A proven heir takes the payee's place."""

    entitlement: EntitlementId
    payee: PersonId
    account: BankAccount
    proof: Digest
    by: Principal
    approved_by: Principal


@dataclass(frozen=True, slots=True)
class PayInCash:
    """Paid by hand."""

    entitlement: EntitlementId
    instruction: InstructionId
    terms: Terms
    reason: str
    witnesses: tuple[Principal, Principal]
    receipt: Digest
    on: date
    by: Principal
    approved_by: Principal


Command = Instruct | Confirm | Fail | Bounce | Withdraw | CorrectAccount | Redirect | PayInCash
