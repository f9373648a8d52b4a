"""What can be asked of a batch. `by` is who asks; amounts are fen."""

from dataclasses import dataclass
from datetime import date

from contracts.assistance.funds import EntitlementId
from contracts.assistance.payments import AccountNumber, BatchId, BatchItem, Channel, ReasonCode
from contracts.kernel import OrgCode
from contracts.membership import Digest, Principal


@dataclass(frozen=True, slots=True)
class Open:
    """Begin a batch of an organisation's payments from one of its accounts."""

    batch: BatchId
    organisation: OrgCode
    account: AccountNumber
    channel: Channel
    execute_on: date
    by: Principal
    by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Fill:
    """Put payments in; those that are in already stay once. `hands`: who made or decided the cases; none of them lets it through."""

    batch: BatchId
    items: tuple[BatchItem, ...]
    by: Principal
    hands: frozenset[Principal] = frozenset()


@dataclass(frozen=True, slots=True)
class Check:
    """Freeze it: these are the control figures that the checker counted."""

    batch: BatchId
    count: int
    total_fen: int
    by: Principal


@dataclass(frozen=True, slots=True)
class Reopen:
    """Send a batch that has not left back to its maker."""

    batch: BatchId
    by: Principal


@dataclass(frozen=True, slots=True)
class Reduce:
    """Take out a payment of `fen` before the batch has left; decided with the payment, see `withdrawing`."""

    batch: BatchId
    entitlement: EntitlementId
    fen: int
    reason: str
    by: Principal


@dataclass(frozen=True, slots=True)
class Release:
    """Let it go, with the digest of the file as it will be sent."""

    batch: BatchId
    file: Digest
    by: Principal


@dataclass(frozen=True, slots=True)
class BeginSending:
    """The first byte is about to leave. Asked once: whoever asks again is refused, and does not send."""

    batch: BatchId
    file: Digest


@dataclass(frozen=True, slots=True)
class HandOut:
    """Give the file to the payer, who brings it to the bank."""

    batch: BatchId
    by: Principal


@dataclass(frozen=True, slots=True)
class Upload:
    """The payer has brought it there; the bank gave a reference."""

    batch: BatchId
    reference: str
    by: Principal


@dataclass(frozen=True, slots=True)
class Accept:
    """The bank has it."""

    batch: BatchId


@dataclass(frozen=True, slots=True)
class Refuse:
    """The bank refused the whole file, in an answer of this digest."""

    batch: BatchId
    code: ReasonCode
    report: Digest


@dataclass(frozen=True, slots=True)
class Miss:
    """No answer came."""

    batch: BatchId


@dataclass(frozen=True, slots=True)
class Disown:
    """The bank stated in writing that it never had the file."""

    batch: BatchId
    statement: Digest
    by: Principal
    approved_by: Principal


Command = Open | Fill | Check | Reopen | Reduce | Release | BeginSending | HandOut | Upload | Accept | Refuse | Miss | Disown
