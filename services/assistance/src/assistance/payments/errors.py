"""The rules that a payment can break."""

from contracts.assistance.payments import BatchId, InstructionId
from foundation.decider import Refusal


class PaymentUnknown(Refusal):
    """Nothing was instructed for this entitlement."""

    status = 404

    def __init__(self, entitlement: str) -> None:
        super().__init__(entitlement=entitlement)


class PaymentUnderWay(Refusal):
    """The entitlement is in a batch whose answer has not come: a second instruction might pay it twice."""

    def __init__(self, entitlement: str, batch: BatchId) -> None:
        super().__init__(entitlement=entitlement, batch=batch)


class AlreadyPaid(Refusal):
    """It was paid."""

    def __init__(self, entitlement: str, instruction: InstructionId) -> None:
        super().__init__(entitlement=entitlement, instruction=instruction)


class AccountAtFault(Refusal):
    """The bank refused this account or its holder's name; the account has to be corrected before another instruction."""

    def __init__(self, entitlement: str, code: str) -> None:
        super().__init__(entitlement=entitlement, code=code)


class InstructionUnknown(Refusal):
    """The bank speaks of an instruction that was never given for this entitlement."""

    def __init__(self, entitlement: str, instruction: InstructionId) -> None:
        super().__init__(entitlement=entitlement, instruction=instruction)


class Contradiction(Refusal):
    """The bank says of an instruction the opposite of what it said before; somebody has to ask it."""

    def __init__(self, entitlement: str, instruction: InstructionId, said: str, before: str) -> None:
        super().__init__(
            entitlement=entitlement,
            instruction=instruction,
            said=said,
            before=before,
        )


class ReturnedBeforePaid(Refusal):
    """The bank gives back what it has not said to be paid: the word that it was is under way, and this one is heard after it."""

    def __init__(self, entitlement: str, instruction: InstructionId) -> None:
        super().__init__(entitlement=entitlement, instruction=instruction)


class WithdrawnFromBatch(Refusal):
    """It was taken out of this very batch: it goes to the bank in another one, by an instruction of its own."""

    def __init__(self, entitlement: str) -> None:
        super().__init__(entitlement=entitlement)


class NothingToCorrect(Refusal):
    """An account is corrected while the payment is due, not while it is on its way or after it was paid."""

    def __init__(self, entitlement: str) -> None:
        super().__init__(entitlement=entitlement)


class DutiesNotSeparated(Refusal):
    """One person would do two of the things that take two people."""

    status = 403

    def __init__(self, duties: str) -> None:
        super().__init__(duties, duties=duties)


class OtherTerms(Refusal):
    """Person, amount or reservation are not what was instructed before."""

    def __init__(self, entitlement: str) -> None:
        super().__init__(entitlement=entitlement)


class CashTooMuch(Refusal):
    """More than may be paid by hand."""

    def __init__(self, fen: int, most: int) -> None:
        super().__init__(fen=fen, most_fen=most)


class NotGranted(Refusal):
    """The application holds no such entitlement in money, or not any more."""

    def __init__(self, entitlement: str) -> None:
        super().__init__(entitlement=entitlement)
