"""Routes of budgets: finance proposes and closes, an approver decides.

What decisions and payments do to a line comes from their own routes.
"""

from typing import Annotated

from contracts.assistance.funds import Adjustment, Allotment, Appropriation, LineId, Move, PurposeCode, Recall, SourceCode
from contracts.kernel import OrgCode
from contracts.membership import Digest, Principal, RecordId
from contracts.values import Day
from foundation.decider import Part
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from foundation.ids import command_id
from pydantic import Field

from assistance.double_entry.api import enter, entry_of
from assistance.double_entry.entry import ENTRY
from assistance.funds import codes, commands, errors, proposals
from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.funds.closing import CLOSE_LINE
from assistance.funds.commands import FEN_MAX
from assistance.funds.moves import APPROVE, BUDGET_MOVE, known
from assistance.ledger import lineage

router = Router(tags=["budgets"])

MAKER, CHECKER = "finance", "approver"
CARRY_ELSEWHERE = "carry-elsewhere"
READERS = (MAKER, CHECKER, "auditor", "steward", "org-admin")

Fen = Annotated[int, Field(strict=True, ge=1, le=FEN_MAX, description="Fen; 100 are one yuan.")]
Year = Annotated[int, Field(strict=True, ge=2000, le=2100)]

_CODES = (errors.SourceUnknown, errors.PurposeUnknown, errors.AmountOutOfRange)
_LINE = (errors.LineUnknown, errors.LineClosed)
_PROPOSAL = (errors.ProposalUnknown, errors.ProposalSettled, errors.MakerApproves)
_BOOKING = (errors.PeriodIsClosed, errors.BookedOutsideYear, errors.BookedAhead)


class MoveBody(Body):
    """Of which line, how much, by which document."""

    organisation: OrgCode
    year: Year
    source: SourceCode
    purpose: PurposeCode
    fen: Fen
    document: Digest = Field(description="SHA-256 of the document 批文 it rests on.")


class AppropriationBody(MoveBody):
    pass


class AllotmentBody(MoveBody):
    to_organisation: OrgCode


class AdjustmentBody(MoveBody):
    to_purpose: PurposeCode


class RecallBody(MoveBody):
    from_organisation: OrgCode


class RejectionBody(Body):
    document: Digest | None = None


class PeriodBody(Body):
    through: Day = Field(description="The last day that is closed.")


class ClosingBody(Body):
    into_purpose: PurposeCode | None = Field(default=None, description="The purpose in the next year; the same, where none is named.")


class ProposalView(Body):
    """A proposed move; `approved` is null while it waits."""

    proposal: RecordId
    move: Move
    maker: Principal
    approved: bool | None


class Waiting(Body):
    proposal: RecordId
    organisation: OrgCode
    kind: str
    fen: int
    maker: Principal


class CodeView(Body):
    code: str
    zh: str
    en: str
    earmarked: bool
    citation: str


class Codes(Body):
    sources: list[CodeView]
    purposes: list[CodeView]


# ----------------------------------------------------------------------------------------------------------- proposals


def _above(app: Application, move: Move) -> tuple[OrgCode, ...]:
    """Everything above whom an allotment goes to, or is taken back from, today; nothing where that has ended."""
    match move:
        case Allotment(to_organisation=below) | Recall(from_organisation=below):
            answering, *above = app.authority.path(below, app.today())
            return tuple(above) if answering == below else ()
        case _:
            return ()


async def _propose(move: Move, caller: Calling, app: Application) -> Accepted:
    await caller.require(MAKER, unit=move.organisation, fresh=True)
    codes.source(move.source)
    codes.purpose(move.purpose)
    # The id follows from the request, so that the same request sent again proposes nothing twice.
    proposal = command_id("budgetmove", str((await caller.command_ref()).id)).hex
    return await app.handle(BUDGET_MOVE, proposal, commands.Propose(proposal, move, caller.principal, _above(app, move)), by=caller)


@router.post("/budget/appropriations", status_code=201, responses=problems(*_CODES))
async def appropriate(body: AppropriationBody, caller: Caller, app: App) -> Accepted:
    """Propose that an authority's money is entered into a line; finance of its organisation or above."""
    return await _propose(Appropriation(**body.model_dump(), earmarked=codes.purpose(body.purpose).earmarked), caller, app)


@router.post("/budget/allotments", status_code=201, responses=problems(*_CODES, errors.NotBelow))
async def allot(body: AllotmentBody, caller: Caller, app: App) -> Accepted:
    """Propose to send money to an organisation below; finance of the organisation that it leaves, or above."""
    return await _propose(Allotment(**body.model_dump()), caller, app)


@router.post("/budget/recalls", status_code=201, responses=problems(*_CODES, errors.NotBelow))
async def recall(body: RecallBody, caller: Caller, app: App) -> Accepted:
    """Propose to take back what was allotted and is not used, from an organisation below; finance of the one that allotted it, or above."""
    return await _propose(Recall(**body.model_dump()), caller, app)


@router.post("/budget/adjustments", status_code=201, responses=problems(*_CODES, errors.AdjustedToItself))
async def adjust(body: AdjustmentBody, caller: Caller, app: App) -> Accepted:
    """Propose to move money to another purpose in mid-year; finance of its organisation or above."""
    return await _propose(Adjustment(**body.model_dump(), to_earmarked=codes.purpose(body.to_purpose).earmarked), caller, app)


@router.post(
    "/budget/proposals/{proposal}/approval",
    responses=problems(
        *(
            *_PROPOSAL,
            errors.ProposalStale,
            *_LINE,
            *_BOOKING,
            errors.LineExhausted,
            errors.AllotmentUsed,
            errors.EarmarkedElsewhere,
            errors.NotBelow,
        )
    ),
)
async def approve(proposal: RecordId, caller: Caller, app: App) -> Accepted:
    """Approve a move, which moves the money; an approver of its organisation or above, never who proposed it."""
    move = await _move(proposal, app)
    await caller.require(CHECKER, unit=move.organisation, fresh=True)
    return await app.handle_joint(APPROVE, commands.Approve(proposal, move, caller.principal, _above(app, move)), by=caller)


@router.post("/budget/proposals/{proposal}/rejection", responses=problems(*_PROPOSAL))
async def reject(proposal: RecordId, body: RejectionBody, caller: Caller, app: App) -> Accepted:
    """Say no to a move; an approver of its organisation or above, never who proposed it."""
    await caller.require(CHECKER, unit=(await _move(proposal, app)).organisation, fresh=True)
    return await app.handle(BUDGET_MOVE, proposal, commands.Reject(proposal, caller.principal, body.document), by=caller)


async def _move(proposal: RecordId, app: Application) -> Move:
    state, _ = await app.state(BUDGET_MOVE, proposal)
    return known(state, proposal).move


@router.get("/budget/proposals/{proposal}", responses=problems(errors.ProposalUnknown))
async def read_proposal(proposal: RecordId, caller: Caller, app: App) -> ProposalView:
    """A proposed move; finance, approvers, stewards and auditors of its organisation or above."""
    found = known((await app.state(BUDGET_MOVE, proposal))[0], proposal)
    await caller.require(*READERS, unit=found.move.organisation)
    return ProposalView(proposal=proposal, move=found.move, maker=found.maker, approved=found.approved)


@router.get("/budget/proposals")
async def list_proposals(*, caller: Caller, app: App, organisation: OrgCode, limit: Limit = 50, cursor: Cursor = None) -> Page[Waiting]:
    """What waits for an approver of an organisation; its finance, approvers, stewards and auditors, or above."""
    await caller.require(*READERS, unit=organisation)
    query = f"budget proposals {organisation}"
    place = app.cursors.read(cursor, query=query)
    found = await proposals.waiting(app.pool, organisation, after="" if place is None else place[0], limit=limit + 1)
    more = app.cursors.make([found[limit - 1].proposal], query=query) if len(found) > limit else None
    return Page(items=[Waiting(**{name: getattr(one, name) for name in Waiting.model_fields}) for one in found[:limit]], next=more)


# ------------------------------------------------------------------------------------------------------------- closing


@router.post("/budget/lines/{line}/periods", responses=problems(*_LINE, errors.BookedOutsideYear, errors.BookedAhead))
async def close_period(line: LineId, body: PeriodBody, caller: Caller, app: App) -> Accepted:
    """Close a line's books through a day: nothing is dated back into them any more; finance of its organisation or above."""
    await caller.require(MAKER, unit=(await _line(line, app)).organisation, fresh=True)
    return await app.handle(BUDGET_LINE, line, commands.ClosePeriod(line, body.through), by=caller)


@router.post(
    "/budget/lines/{line}/closing",
    responses=problems(
        *(*_LINE, *_BOOKING, errors.YearNotOver, errors.ReservationsOpen, errors.EarmarkedElsewhere, errors.SourceMismatch),
        *(errors.PurposeUnknown, errors.CarriedElsewhereByOne),
    ),
)
async def close(line: LineId, body: ClosingBody, caller: Caller, app: App) -> Accepted:
    """Close a line's year and carry over what is left; finance of its organisation or above.

    Into another purpose it is carried once an approver of the organisation or above, somebody else, has asked for the same.
    """
    found = await _line(line, app)
    entered, _ = await app.state(ENTRY, entry_of(app, CARRY_ELSEWHERE, line, body))
    agrees = entered is not None and not entered.done and entered.by != caller.principal
    await caller.require(CHECKER if agrees else MAKER, unit=found.organisation, fresh=True)
    purpose = codes.purpose(body.into_purpose or found.purpose)
    into = line_id(found.organisation, found.year + 1, found.source, purpose.code)
    if purpose.code == found.purpose:
        return await app.handle_joint(CLOSE_LINE, commands.CloseLine(line, into, purpose.code, purpose.earmarked), by=caller)

    def command(by: str, approved_by: str) -> commands.CloseLine:
        # Two of finance at the same moment: the later one came to ask, not to agree.
        people = (by, approved_by) if agrees or approved_by != caller.principal else (by,)
        return commands.CloseLine(line, into, purpose.code, purpose.earmarked, people)

    return await enter(
        app,
        caller,
        CARRY_ELSEWHERE,
        (BUDGET_LINE, line),
        found.organisation,
        said=body,
        command=command,
        parts=(Part(BUDGET_LINE, into),),
        carry_out=lambda desk, asked: desk.ask_joint(CLOSE_LINE, asked),
    )


async def _line(line: LineId, app: Application) -> lineage.Line:
    found = await lineage.line(app.pool, line)
    if found is None:
        raise errors.LineUnknown(line)
    return found


# --------------------------------------------------------------------------------------------------------------- codes


@router.get("/budget/codes")
async def read_codes(caller: Caller, app: App) -> Codes:
    """Sources and purposes; anybody who is known here."""

    def views(of: list[codes.Code]) -> list[CodeView]:
        return [CodeView(**{name: getattr(one, name) for name in CodeView.model_fields}) for one in of]

    return Codes(sources=views(list(codes.sources().values())), purposes=views(list(codes.purposes().values())))
