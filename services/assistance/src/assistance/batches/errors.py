"""The rules that a batch can break."""

from contracts.assistance.payments import BatchId
from foundation.decider import Refusal


class BatchUnknown(Refusal):
    """There is no such batch."""

    status = 404

    def __init__(self, batch: BatchId) -> None:
        super().__init__("there is no such batch", batch=batch)


class BatchExists(Refusal):
    """A batch of this id was begun with other particulars."""

    def __init__(self, batch: BatchId) -> None:
        super().__init__("a batch of this id was begun with other particulars", batch=batch)


class BatchElsewhere(Refusal):
    """Not at this stage of the batch."""

    def __init__(self, batch: BatchId, stage: str) -> None:
        super().__init__(f"this cannot be done with a batch that is {stage}", batch=batch, stage=stage)


class BatchFull(Refusal):
    """More than one file to the bank may hold."""

    def __init__(self, batch: BatchId, most: int) -> None:
        super().__init__(f"a batch holds at most {most} payments: begin another", batch=batch, most=most)


class ControlFiguresDiffer(Refusal):
    """The checker counted something else than the batch holds."""

    def __init__(self, batch: BatchId, count: int, total_fen: int) -> None:
        super().__init__("these are not the batch's control figures: count again", batch=batch, count=count, total_fen=total_fen)


class BatchDutiesNotSeparated(Refusal):
    """Maker, checker and payer of a batch are three people."""

    status = 403

    def __init__(self, batch: BatchId) -> None:
        super().__init__("maker, checker and payer of a batch are three different people", batch=batch)


class FileDiffers(Refusal):
    """The file is not the one that was released."""

    def __init__(self, batch: BatchId) -> None:
        super().__init__("this is not the file that was released", batch=batch)


class SentBefore(Refusal):
    """The bank may have it already: it is asked about, and never sent again."""

    def __init__(self, batch: BatchId) -> None:
        super().__init__("the bank may have this batch already: ask what became of it; it is never sent again", batch=batch)
