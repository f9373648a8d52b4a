"""The rules that an emergency payment or its obligation can break. Amounts are fen."""

from collections.abc import Sequence

from contracts.membership import Level
from foundation.decider import Refusal


class PayFirstNotOffered(Refusal):
    """The programme pays nothing before its papers are there."""

    def __init__(self, programme: str) -> None:
        super().__init__(programme=programme)


class EmergencyAmountTooHigh(Refusal):
    """More is asked for than the programme pays at once."""

    def __init__(self, max_fen: int, asked_fen: int) -> None:
        super().__init__(max_fen=max_fen, asked_fen=asked_fen)


class DiscretionCutOff(Refusal):
    """Papers of earlier emergency payments are overdue: no further discretion until they are there."""

    def __init__(self, obligations: Sequence[str], overdue_fen: int) -> None:
        super().__init__(
            obligations=list(obligations),
            overdue_fen=overdue_fen,
        )


class ExposureTooHigh(Refusal):
    """What this authoriser has open would go over the limit."""

    def __init__(self, open_fen: int, asked_fen: int, limit_fen: int) -> None:
        super().__init__(
            open_fen=open_fen,
            asked_fen=asked_fen,
            limit_fen=limit_fen,
        )


class ObligationUnknown(Refusal):
    """There is no such obligation."""

    status = 404

    def __init__(self, obligation: str) -> None:
        super().__init__(obligation=obligation)


class ObligationClosed(Refusal):
    """The obligation was closed otherwise."""

    def __init__(self, obligation: str, by: str) -> None:
        super().__init__(obligation=obligation, by=by)


class ClosedByAuthoriser(Refusal):
    """Whoever authorised the payment does not close what it owes."""

    status = 403

    def __init__(self, obligation: str) -> None:
        super().__init__(obligation=obligation)


class PapersMissing(Refusal):
    """Papers that the programme asks for are not there yet."""

    def __init__(self, kinds: Sequence[str]) -> None:
        super().__init__(kinds=list(kinds))


class RecoveredInPart(Refusal):
    """An obligation ends when all of the money is back."""

    def __init__(self, fen: int, recovered_fen: int) -> None:
        super().__init__(fen=fen, recovered_fen=recovered_fen)


class WriteOffBelow(Refusal):
    """A debt of papers is given up above the level that paid; at the city's or the province's, by somebody else there."""

    status = 403

    def __init__(self, level: Level) -> None:
        super().__init__(level=level)


class NotDueYet(Refusal):
    """The day on which the papers are due has not passed."""

    def __init__(self, obligation: str) -> None:
        super().__init__(obligation=obligation)
