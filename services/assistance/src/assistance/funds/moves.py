"""How money comes into budget lines and goes from one to another: somebody in finance proposes, somebody else approves. Pure.

A proposal is a stream of its own. Approving it appends to it and to the lines in one go, so the money has moved exactly where it says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, assert_never

from contracts.assistance.funds import (
    Adjustment,
    AdjustmentReceived,
    Allotment,
    AllotmentRecalled,
    AllotmentReceived,
    Appropriation,
    BudgetAdjusted,
    BudgetMoveApproved,
    BudgetMoveProposed,
    BudgetMoveRejected,
    FundsAllotted,
    FundsAppropriated,
    LineId,
    LineOpened,
    Move,
    Recall,
    RecallReceived,
)
from contracts.kernel import Event, OrgCode
from contracts.membership import Principal, RecordId
from foundation.decider import Decider, JointDecider, Part

from assistance.funds import commands, errors
from assistance.funds.budget_line import (
    BUDGET_LINE,
    booking_day,
    checked_fen,
    draw,
    line_id,
    lots_of,
    opened,
    opened_by,
    opening_of,
    unused,
)
from assistance.funds.line import BudgetLine, Open

# -------------------------------------------------------------------------------------------------------------- states


@dataclass(frozen=True, slots=True)
class Unproposed:
    """Nobody has asked."""


@dataclass(frozen=True, slots=True)
class Proposed:
    """What was asked for, by whom; `approved` is None while nobody has decided on it."""

    move: Move
    maker: Principal
    approved: bool | None = None


Proposal = Unproposed | Proposed


def evolve(proposal: Proposal, event: Event) -> Proposal:
    match proposal, event:
        case Unproposed(), BudgetMoveProposed():
            return Proposed(event.move, event.maker)
        case Proposed(), BudgetMoveApproved():
            return replace(proposal, approved=True)
        case Proposed(), BudgetMoveRejected():
            return replace(proposal, approved=False)
        case _:
            return proposal


# --------------------------------------------------------------------------------------------------------------- rules


def decide(command: commands.Propose | commands.Reject, proposal: Proposal, now: datetime) -> list[Event]:
    match command:
        case commands.Propose():
            return _propose(command, proposal)
        case commands.Reject():
            waiting = known(proposal, command.proposal)
            if waiting.approved is False:
                return []
            _may_decide(waiting, command.proposal, command.approver)
            return [BudgetMoveRejected(proposal=command.proposal, approver=command.approver, document=command.document)]
        case _:
            assert_never(command)


BUDGET_MOVE: Decider[Proposal, commands.Propose | commands.Reject] = Decider(
    category="budgetmove",
    initial=Unproposed(),
    decide=decide,
    evolve=evolve,
    opens=lambda command: isinstance(command, commands.Propose),
)


def known(proposal: Proposal, id: str) -> Proposed:
    """A proposal that was made. Raises ProposalUnknown."""
    match proposal:
        case Proposed():
            return proposal
        case Unproposed():
            raise errors.ProposalUnknown(id)
        case _:
            assert_never(proposal)


def _propose(command: commands.Propose, proposal: Proposal) -> list[Event]:
    match proposal:
        case Proposed():
            if (proposal.move, proposal.maker) != (command.move, command.maker):
                raise errors.ProposalExists(command.proposal)
            return []
        case Unproposed():
            checked_fen(command.move.fen)
            _goes_down(command.move, command.above)
            _goes_elsewhere(command.move)
            return [BudgetMoveProposed(proposal=command.proposal, move=command.move, maker=command.maker)]
        case _:
            assert_never(proposal)


def _goes_down(move: Move, above: Sequence[OrgCode]) -> None:
    match move:
        case Allotment(to_organisation=below) | Recall(from_organisation=below):
            if below == move.organisation or move.organisation not in above:
                raise errors.NotBelow(move.organisation, below)
        case _:
            pass


def _goes_elsewhere(move: Move) -> None:
    if isinstance(move, Adjustment) and move.to_purpose == move.purpose:
        raise errors.AdjustedToItself(move.purpose)


def _may_decide(proposal: Proposed, id: str, approver: Principal) -> None:
    if proposal.approved is not None:
        raise errors.ProposalSettled(id)
    if approver == proposal.maker:
        raise errors.MakerApproves(id)


# ------------------------------------------------------------------------------------------------------------ approval


def leaves(move: Allotment | Adjustment | Recall) -> LineId:
    """The line that a move's money leaves."""
    organisation = move.from_organisation if isinstance(move, Recall) else move.organisation
    return line_id(organisation, move.year, move.source, move.purpose)


def receiver(move: Move) -> LineOpened:
    """How the line that a move's money arrives at is opened, where it is not open yet."""
    organisation, purpose = move.organisation, move.purpose
    match move:
        case Appropriation(earmarked=earmarked):
            pass
        case Allotment():
            # The line that it comes from says whether it is earmarked; see _approve.
            organisation, earmarked = move.to_organisation, False
        case Adjustment(to_earmarked=earmarked):
            purpose = move.to_purpose
        case Recall():
            earmarked = False  # it is open, having allotted; see _taken_back
        case _:
            assert_never(move)
    return LineOpened(
        line=line_id(organisation, move.year, move.source, purpose),
        organisation=organisation,
        year=move.year,
        source=move.source,
        purpose=purpose,
        earmarked=earmarked,
    )


def _parts(command: commands.Approve) -> list[Part]:
    move = command.move
    parts = [Part(BUDGET_MOVE, command.proposal), Part(BUDGET_LINE, receiver(move).line)]
    return parts if isinstance(move, Appropriation) else [*parts, Part(BUDGET_LINE, leaves(move))]


def _approve(command: commands.Approve, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    proposal, arriving = known(states[0], command.proposal), states[1]
    if proposal.move != command.move:
        raise errors.ProposalStale(command.proposal)
    if proposal.approved:
        return [[] for _ in states]
    _may_decide(proposal, command.proposal, command.approver)
    _goes_down(command.move, command.above)
    approved = BudgetMoveApproved(proposal=command.proposal, approver=command.approver)
    if isinstance(command.move, Appropriation):
        return [[approved], _appropriated(command.move, command.proposal, arriving, now)]
    leaving = opened(states[2], leaves(command.move))
    if isinstance(command.move, Recall):
        return [[approved], *_taken_back(command.move, command.proposal, arriving, leaving, now)]
    return [[approved], *_moved(command.move, command.proposal, arriving, leaving, now)]


def _appropriated(move: Appropriation, proposal: RecordId, arriving: BudgetLine, now: datetime) -> list[Event]:
    opening = receiver(move)
    into = opened_by(arriving, opening)
    appropriated = FundsAppropriated(
        line=into.line,
        proposal=proposal,
        lot=len(into.lots) + 1,
        fen=move.fen,
        document=move.document,
        booked_on=booking_day(into, None, now, ahead=True),
    )
    return [*opening_of(arriving, opening), appropriated]


def _moved(
    move: Allotment | Adjustment, proposal: RecordId, arriving: BudgetLine, leaving: Open, now: datetime
) -> tuple[list[Event], list[Event]]:
    """What happens at the line that the money reaches, and at the line that it leaves."""
    opening = receiver(move)
    if isinstance(move, Allotment):
        opening = opening.model_copy(update={"earmarked": leaving.earmarked})
    elif leaving.earmarked:
        raise errors.EarmarkedElsewhere(leaving.line, leaving.purpose)
    into = opened_by(arriving, opening)
    (drawn,) = draw(leaving, [move.fen])
    day = max(booking_day(line, None, now, ahead=True) for line in (leaving, into))
    leave: dict[str, Any] = {"line": leaving.line, "to_line": into.line, "drawn": drawn, "document": move.document}
    arrive: dict[str, Any] = {"line": into.line, "from_line": leaving.line, "lots": lots_of(into, drawn)}
    if isinstance(move, Allotment):
        left: Event = FundsAllotted(proposal=proposal, booked_on=day, to_organisation=move.to_organisation, **leave)
        received: Event = AllotmentReceived(proposal=proposal, booked_on=day, **arrive)
    else:
        left = BudgetAdjusted(proposal=proposal, booked_on=day, **leave)
        received = AdjustmentReceived(proposal=proposal, booked_on=day, **arrive)
    return [*opening_of(arriving, opening), received], [left]


def _taken_back(move: Recall, proposal: RecordId, arriving: BudgetLine, leaving: Open, now: datetime) -> tuple[list[Event], list[Event]]:
    """What happens at the line that gets its money back, and at the one that had not used it."""
    into = opened(arriving, receiver(move).line)
    drawn, restored = unused(leaving, into.line, move.fen)
    day = max(booking_day(line, None, now, ahead=True) for line in (leaving, into))
    recalled = AllotmentRecalled(
        line=leaving.line,
        proposal=proposal,
        to_line=into.line,
        to_organisation=move.organisation,
        drawn=drawn,
        document=move.document,
        booked_on=day,
    )
    received = RecallReceived(line=into.line, proposal=proposal, from_line=leaving.line, restored=restored, booked_on=day)
    return [received], [recalled]


APPROVE: JointDecider[commands.Approve] = JointDecider(parts=_parts, decide=_approve)
