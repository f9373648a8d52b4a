"""Budgets and what becomes of them: appropriation → allotment → reservation → payment → return, every fen by the lot it came with.

A budget line 预算项目 is one organisation's money of one year, source and purpose. Whatever reaches a line is a *lot*, numbered from 1
within it; whatever leaves it names the lots it was drawn from, oldest first. So each fen's way can be read from the events alone.
Amounts are fen (CNY), `booked_on` is the day in Shanghai that the books carry.
"""

from datetime import date
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from contracts.kernel import Event, OrgCode
from contracts.membership import Digest, Principal, RecordId

LineId = RecordId
"""A budget line; it follows from organisation, year, source and purpose."""

EntitlementId = RecordId
"""What is paid at most once."""

SourceCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,30}$")]
"""Where money comes from (`funds/sources.toml`)."""

PurposeCode = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z_]{0,30}(\.[a-z][a-z_]{0,30}){0,3}$")]
"""What money is for (`funds/purposes.toml`): `aid` covers `aid.tuition`."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Drawn(_Part):
    """So much of one lot of the line."""

    lot: int
    fen: int


class Lot(_Part):
    """A new lot of the line, made of `fen` of the lot `origin` of the line that it came from."""

    lot: int
    origin: int
    fen: int


class Reserved(_Part):
    """What one entitlement holds."""

    entitlement: EntitlementId
    drawn: tuple[Drawn, ...]


class Paid(_Part):
    """What one entitlement was paid, by which instruction to the bank."""

    entitlement: EntitlementId
    instruction: RecordId
    drawn: tuple[Drawn, ...]


# ----------------------------------------------------------------------------------------------------- proposals 预算事项


class Key(_Part):
    """What makes a line that line."""

    organisation: OrgCode
    year: int
    source: SourceCode
    purpose: PurposeCode


class Appropriation(Key):
    """Money that an authority grants to a line by a document 批文."""

    kind: Literal["appropriation"] = "appropriation"
    earmarked: bool
    fen: int
    document: Digest


class Allotment(Key):
    """Money that goes from a line to the line of the same year, source and purpose of an organisation below 下拨."""

    kind: Literal["allotment"] = "allotment"
    to_organisation: OrgCode
    fen: int
    document: Digest


class Adjustment(Key):
    """Money that goes in mid-year from a line to another purpose of the same organisation, year and source 预算调整."""

    kind: Literal["adjustment"] = "adjustment"
    to_purpose: PurposeCode
    to_earmarked: bool
    fen: int
    document: Digest


class Recall(Key):
    """Allotted money that was not used and goes back up, to the line and the lots that it came from 收回下拨."""

    kind: Literal["recall"] = "recall"
    from_organisation: OrgCode
    fen: int
    document: Digest


Move = Annotated[Appropriation | Allotment | Adjustment | Recall, Field(discriminator="kind")]
"""What somebody in finance proposes and somebody else approves."""


class BudgetMoveProposed(Event, type="assistance.BudgetMoveProposed", version=1):
    """Somebody in finance asks for a move of budget; nothing has moved yet."""

    proposal: RecordId
    move: Move
    maker: Principal


class BudgetMoveApproved(Event, type="assistance.BudgetMoveApproved", version=1):
    """Somebody else approved it; the money moved in the same append."""

    proposal: RecordId
    approver: Principal


class BudgetMoveRejected(Event, type="assistance.BudgetMoveRejected", version=1):
    """Somebody else said no; nothing moves. The reasons are in the document, where there is one."""

    proposal: RecordId
    approver: Principal
    document: Digest | None = None


# ----------------------------------------------------------------------------------------------------- budget lines 预算


class LineOpened(Event, type="assistance.LineOpened", version=1):
    """The first money of its kind is about to reach this line. `earmarked`: it serves its purpose and no other 专款专用."""

    line: LineId
    organisation: OrgCode
    year: int
    source: SourceCode
    purpose: PurposeCode
    earmarked: bool


class FundsAppropriated(Event, type="assistance.FundsAppropriated", version=1):
    """An authority granted money by a document; the beginning of every yuan's way."""

    line: LineId
    proposal: RecordId
    lot: int
    fen: int
    document: Digest
    booked_on: date


class FundsAllotted(Event, type="assistance.FundsAllotted", version=1):
    """Money left for the line of an organisation below."""

    line: LineId
    proposal: RecordId
    to_line: LineId
    to_organisation: OrgCode
    drawn: tuple[Drawn, ...]
    document: Digest
    booked_on: date


class AllotmentReceived(Event, type="assistance.AllotmentReceived", version=1):
    """Money arrived from the line of an organisation above."""

    line: LineId
    proposal: RecordId
    from_line: LineId
    lots: tuple[Lot, ...]
    booked_on: date


class AllotmentRecalled(Event, type="assistance.AllotmentRecalled", version=1):
    """What had been allotted to this line and was not used left it again, for the line that had allotted it."""

    line: LineId
    proposal: RecordId
    to_line: LineId
    to_organisation: OrgCode
    drawn: tuple[Drawn, ...]
    document: Digest
    booked_on: date


class RecallReceived(Event, type="assistance.RecallReceived", version=1):
    """What this line had allotted came back unused, each fen to the lot that it had been drawn from."""

    line: LineId
    proposal: RecordId
    from_line: LineId
    restored: tuple[Drawn, ...]
    booked_on: date


class BudgetAdjusted(Event, type="assistance.BudgetAdjusted", version=1):
    """Money left for another purpose of the same organisation, year and source."""

    line: LineId
    proposal: RecordId
    to_line: LineId
    drawn: tuple[Drawn, ...]
    document: Digest
    booked_on: date


class AdjustmentReceived(Event, type="assistance.AdjustmentReceived", version=1):
    """Money arrived from another purpose."""

    line: LineId
    proposal: RecordId
    from_line: LineId
    lots: tuple[Lot, ...]
    booked_on: date


class FundsReserved(Event, type="assistance.FundsReserved", version=1):
    """A decision set money aside for entitlements: it can be spent on nothing else until posted or voided."""

    line: LineId
    reservation: RecordId
    purpose: PurposeCode
    items: tuple[Reserved, ...]
    booked_on: date


class ReservationVoided(Event, type="assistance.ReservationVoided", version=1):
    """Entitlements gave back unpaid what they held; it is available again in its lots."""

    line: LineId
    reservation: RecordId
    items: tuple[Reserved, ...]
    booked_on: date


class ReservationPosted(Event, type="assistance.ReservationPosted", version=1):
    """The bank paid entitlements out of what they held. `moved_on`: the bank's day, where the books carry another one."""

    line: LineId
    reservation: RecordId
    items: tuple[Paid, ...]
    booked_on: date
    moved_on: date | None = None


class FundsReturned(Event, type="assistance.FundsReturned", version=1):
    """Paid money, all or part, came back in the open year, to its very line and lots.

    `held`: it stays set aside for the entitlement, which is still due; otherwise it is available again. `moved_on`: as for what was paid.
    """

    line: LineId
    reservation: RecordId
    entitlement: EntitlementId
    instruction: RecordId
    reversal: RecordId
    drawn: tuple[Drawn, ...]
    held: bool
    booked_on: date
    moved_on: date | None = None


class FundsReturnedLate(Event, type="assistance.FundsReturnedLate", version=1):
    """Paid money came back after the line's year was closed: the closed books stay as they are, `into_line` received it.

    `returned_on` is the bank's day.
    """

    line: LineId
    reservation: RecordId
    entitlement: EntitlementId
    instruction: RecordId
    reversal: RecordId
    drawn: tuple[Drawn, ...]
    into_line: LineId
    returned_on: date


class LateReturnReceived(Event, type="assistance.LateReturnReceived", version=1):
    """Money that a closed line had paid came back, and counts with the carried-over balance of its source.

    Where it is due still, it is set aside again for the same entitlement in the same append.
    """

    line: LineId
    from_line: LineId
    entitlement: EntitlementId
    reversal: RecordId
    lots: tuple[Lot, ...]
    booked_on: date


class PeriodClosed(Event, type="assistance.PeriodClosed", version=1):
    """The line's books are closed up to and including this day."""

    line: LineId
    through: date


class LineClosed(Event, type="assistance.LineClosed", version=1):
    """The line's year is closed; what was left went to next year's line `into_line`."""

    line: LineId
    into_line: LineId
    drawn: tuple[Drawn, ...]
    booked_on: date


class CarryOverReceived(Event, type="assistance.CarryOverReceived", version=1):
    """The balance of a closed year's line arrived 结转."""

    line: LineId
    from_line: LineId
    lots: tuple[Lot, ...]
    booked_on: date
