"""The rules that a payment can break."""

from contracts.assistance.payments import BatchId, InstructionId
from foundation.decider import Refusal


class PaymentUnknown(Refusal):
    """Nothing was instructed for this entitlement."""

    status = 404

    def __init__(self, entitlement: str) -> None:
        super().__init__("nothing was instructed for this entitlement", entitlement=entitlement)


class PaymentUnderWay(Refusal):
    """The entitlement is in a batch whose answer has not come: a second instruction might pay it twice."""

    def __init__(self, entitlement: str, batch: BatchId) -> None:
        super().__init__("this payment is on its way to the bank already", entitlement=entitlement, batch=batch)


class AlreadyPaid(Refusal):
    """It was paid."""

    def __init__(self, entitlement: str, instruction: InstructionId) -> None:
        super().__init__("this entitlement was paid already", entitlement=entitlement, instruction=instruction)


class AccountAtFault(Refusal):
    """The bank refused this account or its holder's name; the account has to be corrected before another instruction."""

    def __init__(self, entitlement: str, code: str) -> None:
        super().__init__("the bank refused the account: correct it before paying again", entitlement=entitlement, code=code)


class InstructionUnknown(Refusal):
    """The bank speaks of an instruction that was never given for this entitlement."""

    def __init__(self, entitlement: str, instruction: InstructionId) -> None:
        super().__init__("this instruction was never given for this entitlement", entitlement=entitlement, instruction=instruction)


class Contradiction(Refusal):
    """The bank says of an instruction the opposite of what it said before; somebody has to ask it."""

    def __init__(self, entitlement: str, instruction: InstructionId, said: str, before: str) -> None:
        super().__init__(
            f"the bank said {before} of this instruction before, and says {said} now",
            entitlement=entitlement,
            instruction=instruction,
            said=said,
            before=before,
        )


class NothingToCorrect(Refusal):
    """An account is corrected while the payment is due, not while it is on its way or after it was paid."""

    def __init__(self, entitlement: str) -> None:
        super().__init__("this payment is on its way, or was paid: its account cannot be changed now", entitlement=entitlement)


class DutiesNotSeparated(Refusal):
    """One person would do two of the things that take two people."""

    status = 403

    def __init__(self, duties: str) -> None:
        super().__init__(f"{duties} must be different people", duties=duties)


class OtherTerms(Refusal):
    """Person, amount or reservation are not what was instructed before."""

    def __init__(self, entitlement: str) -> None:
        super().__init__("amount, payee or reservation differ from what was instructed before", entitlement=entitlement)


class CashTooMuch(Refusal):
    """More than may be paid by hand."""

    def __init__(self, fen: int, most: int) -> None:
        super().__init__("this is more than may be paid in cash", fen=fen, most_fen=most)


class NotGranted(Refusal):
    """The application holds no such entitlement in money, or not any more."""

    def __init__(self, entitlement: str) -> None:
        super().__init__("this aid is not granted in money, or was taken back", entitlement=entitlement)
