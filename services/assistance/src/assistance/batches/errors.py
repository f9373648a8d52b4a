"""The rules that a batch can break."""

from contracts.assistance.funds import EntitlementId
from contracts.assistance.payments import BatchId
from foundation.decider import Refusal


class BatchUnknown(Refusal):
    """There is no such batch."""

    status = 404

    def __init__(self, batch: BatchId) -> None:
        super().__init__(batch=batch)


class BatchExists(Refusal):
    """A batch of this id was begun with other particulars."""

    def __init__(self, batch: BatchId) -> None:
        super().__init__(batch=batch)


class BatchElsewhere(Refusal):
    """Not at this stage of the batch."""

    def __init__(self, batch: BatchId, stage: str) -> None:
        super().__init__(batch=batch, stage=stage)


class BatchFull(Refusal):
    """More than one file to the bank may hold."""

    def __init__(self, batch: BatchId, most: int) -> None:
        super().__init__(batch=batch, most=most)


class ControlFiguresDiffer(Refusal):
    """The checker counted something else than the batch holds."""

    def __init__(self, batch: BatchId, count: int, total_fen: int) -> None:
        super().__init__(batch=batch, count=count, total_fen=total_fen)


class BatchDutiesNotSeparated(Refusal):
    """Maker, checker and payer of a batch are three people."""

    status = 403

    def __init__(self, batch: BatchId) -> None:
        super().__init__(batch=batch)


class FileDiffers(Refusal):
    """The file is not the one that was released."""

    def __init__(self, batch: BatchId) -> None:
        super().__init__(batch=batch)


class SentBefore(Refusal):
    """The bank may have it already: it is asked about, and never sent again."""

    def __init__(self, batch: BatchId) -> None:
        super().__init__(batch=batch)


class NotInBatch(Refusal):
    """The batch holds no such payment, or not any more."""

    status = 404

    def __init__(self, batch: BatchId, entitlement: EntitlementId) -> None:
        super().__init__(batch=batch, entitlement=entitlement)


class BatchGoesOtherwise(Refusal):
    """A batch goes to the bank by hand or online, as it was begun, and never both ways."""


class NotThePayer(Refusal):
    """Who released a batch brings it to the bank, and nobody else."""

    status = 403

    def __init__(self, batch: BatchId) -> None:
        super().__init__(batch=batch)
