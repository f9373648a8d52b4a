"""The rules that a movement of budget money can break. Amounts in answers are fen."""

from datetime import date

from contracts.assistance.funds import EntitlementId, LineId
from foundation.decider import Refusal


class LineUnknown(Refusal):
    """There is no such budget line."""

    status = 404

    def __init__(self, line: LineId) -> None:
        super().__init__(line=line)


class LineExhausted(Refusal):
    """The line has less available than is asked for: nothing is ever overspent."""

    def __init__(self, line: LineId, available_fen: int, asked_fen: int) -> None:
        super().__init__(
            line=line,
            available_fen=available_fen,
            asked_fen=asked_fen,
        )


class LineClosed(Refusal):
    """The line's year is closed; what was left of it was carried over."""

    def __init__(self, line: LineId, into_line: LineId) -> None:
        super().__init__(line=line, into_line=into_line)


class PeriodIsClosed(Refusal):
    """The books are closed for that day: nothing is dated back into them."""

    def __init__(self, line: LineId, booked_on: date, closed_through: date) -> None:
        super().__init__(
            line=line,
            booked_on=booked_on,
            closed_through=closed_through,
        )


class BookedOutsideYear(Refusal):
    """A line's bookings are days of its own year."""

    def __init__(self, line: LineId, booked_on: date, year: int) -> None:
        super().__init__(line=line, booked_on=booked_on, year=year)


class BookedAhead(Refusal):
    """Nothing is booked on a day that is yet to come, and nothing is spent before its year begins."""

    def __init__(self, line: LineId, booked_on: date) -> None:
        super().__init__(line=line, booked_on=booked_on)


class AmountOutOfRange(Refusal):
    """An amount is at least one fen and at most FEN_MAX; so is a sum."""

    status = 422

    def __init__(self, fen: int) -> None:
        super().__init__(fen=fen)


class ItemsOutOfRange(Refusal):
    """A command names 1 to ITEMS_MAX entitlements, each once."""

    status = 422

    def __init__(self, items_max: int) -> None:
        super().__init__(items_max=items_max)


class PurposeMismatch(Refusal):
    """The line's money serves another purpose."""

    def __init__(self, line: LineId, purpose: str, asked: str) -> None:
        super().__init__(line=line, purpose=purpose, asked=asked)


class SourceMismatch(Refusal):
    """Balances stay with their source, and what comes back late with its organisation."""

    def __init__(self, line: LineId, into_line: LineId) -> None:
        super().__init__(line=line, into_line=into_line)


class EarmarkedElsewhere(Refusal):
    """Earmarked money serves its own purpose (专款专用): it is not adjusted away."""

    def __init__(self, line: LineId, purpose: str) -> None:
        super().__init__(line=line, purpose=purpose)


class AdjustedToItself(Refusal):
    """An adjustment goes to another purpose."""

    status = 422

    def __init__(self, purpose: str) -> None:
        super().__init__(purpose=purpose)


class NotBelow(Refusal):
    """Money is allotted to an organisation below, never to a sibling, to one above or to itself."""

    def __init__(self, organisation: str, to_organisation: str) -> None:
        super().__init__(organisation=organisation, to_organisation=to_organisation)


class AllotmentUsed(Refusal):
    """Of what the line above had allotted, less is unused than is to be taken back."""

    def __init__(self, line: LineId, unused_fen: int, asked_fen: int) -> None:
        super().__init__(line=line, unused_fen=unused_fen, asked_fen=asked_fen)


class ReservationExists(Refusal):
    """This reservation was made for other entitlements or amounts."""

    def __init__(self, reservation: str) -> None:
        super().__init__(reservation=reservation)


class EntitlementTaken(Refusal):
    """The entitlement holds money of this line already, or was paid from it."""

    def __init__(self, entitlement: EntitlementId, reservation: str) -> None:
        super().__init__(entitlement=entitlement, reservation=reservation)


class EntitlementNotReserved(Refusal):
    """The entitlement holds nothing under this reservation."""

    def __init__(self, entitlement: EntitlementId) -> None:
        super().__init__(entitlement=entitlement)


class AlreadyPaid(Refusal):
    """The entitlement was paid: what it held can only come back by a return."""

    def __init__(self, entitlement: EntitlementId, instruction: str | None) -> None:
        super().__init__(entitlement=entitlement, instruction=instruction)


class NotPaid(Refusal):
    """Only what was paid, and has not come back, can be returned."""

    def __init__(self, entitlement: EntitlementId, paid_fen: int, asked_fen: int) -> None:
        super().__init__(
            entitlement=entitlement,
            paid_fen=paid_fen,
            asked_fen=asked_fen,
        )


class HeldInPart(Refusal):
    """What stays set aside for an entitlement after a return is all of it."""

    def __init__(self, entitlement: EntitlementId) -> None:
        super().__init__(entitlement=entitlement)


class ReservationsOpen(Refusal):
    """A year is closed once every reservation is paid or voided."""

    def __init__(self, line: LineId, reserved_fen: int) -> None:
        super().__init__(line=line, reserved_fen=reserved_fen)


class YearNotOver(Refusal):
    """A year is closed on its last day or later."""

    def __init__(self, line: LineId, year: int) -> None:
        super().__init__(line=line, year=year)


class CarriedElsewhereByOne(Refusal):
    """What is carried over into another purpose is a move of budget: one of finance asks for it, an approver agrees (DOMAIN 0)."""

    status = 403

    def __init__(self, line: LineId, purpose: str, asked: str) -> None:
        super().__init__(line=line, purpose=purpose, asked=asked)


class NotClosed(Refusal):
    """What comes back while the line's year is open goes back into this very line."""

    def __init__(self, line: LineId) -> None:
        super().__init__(line=line)


class ProposalUnknown(Refusal):
    """There is no such proposal."""

    status = 404

    def __init__(self, proposal: str) -> None:
        super().__init__(proposal=proposal)


class ProposalExists(Refusal):
    """The id stands for another proposal."""

    def __init__(self, proposal: str) -> None:
        super().__init__(proposal=proposal)


class ProposalSettled(Refusal):
    """The proposal was approved or rejected."""

    def __init__(self, proposal: str) -> None:
        super().__init__(proposal=proposal)


class ProposalStale(Refusal):
    """What is approved is not what was proposed."""

    def __init__(self, proposal: str) -> None:
        super().__init__(proposal=proposal)


class MakerApproves(Refusal):
    """Maker and approver are two people (DOMAIN 0)."""

    status = 403

    def __init__(self, proposal: str) -> None:
        super().__init__(proposal=proposal)


class SourceUnknown(Refusal):
    """No source has this code."""

    status = 422

    def __init__(self, source: str) -> None:
        super().__init__(source=source)


class PurposeUnknown(Refusal):
    """No purpose has this code."""

    status = 422

    def __init__(self, purpose: str) -> None:
        super().__init__(purpose=purpose)
