"""Money comes into lines and goes from one to another: who may, where to, and that both sides say the same."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from assistance.funds import commands, errors
from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.funds.closing import CLOSE_LINE, RETURN_LATE
from assistance.funds.line import Open
from assistance.funds.moves import APPROVE, BUDGET_MOVE
from contracts.assistance.funds import (
    Adjustment,
    Allotment,
    Appropriation,
    CarryOverReceived,
    FundsReturnedLate,
    LineClosed,
    Move,
    Recall,
)
from contracts.kernel import Event
from foundation.decider import NOON, JointDecider, Refusal, given

CITY, COUNTY, OTHER_COUNTY, TOWN = "3709", "370902", "370911", "370902001"
ABOVE = {CITY: (), COUNTY: (CITY,), OTHER_COUNTY: (CITY,), TOWN: (COUNTY, CITY)}
PAPER, MAKER, CHECKER = "d" * 64, "7" * 32, "8" * 32
P, R, ANNA, INSTRUCTION, BACK = "1" * 32, "2" * 32, "a" * 32, "4" * 32, "6" * 32
NEW_YEARS_EVE = datetime(2026, 12, 31, 4, tzinfo=UTC)
IN_FEBRUARY = datetime(2027, 2, 1, 4, tzinfo=UTC)
AID, TUITION = (line_id(CITY, 2026, "superior", purpose) for purpose in ("aid", "aid.tuition"))
NEXT = line_id(CITY, 2027, "superior", "aid")


def key(organisation: str = CITY, purpose: str = "aid") -> dict[str, Any]:
    return {"organisation": organisation, "year": 2026, "source": "superior", "purpose": purpose, "document": PAPER}


def appropriation(fen: int, *, earmarked: bool = False, **of: Any) -> Appropriation:
    return Appropriation(**key(**of), fen=fen, earmarked=earmarked)


def allotment(fen: int, to: str, **of: Any) -> Allotment:
    return Allotment(**key(**of), fen=fen, to_organisation=to)


def adjustment(fen: int, to: str, **of: Any) -> Adjustment:
    return Adjustment(**key(**of), fen=fen, to_purpose=to, to_earmarked=False)


class World:
    """All streams of one history, in memory."""

    def __init__(self) -> None:
        self.streams: dict[str, list[Event]] = {}
        self.proposals = 0

    def line(self, id: str) -> Open:
        line = BUDGET_LINE.fold(self.streams.get(f"budgetline-{id}", []))
        assert isinstance(line, Open), line
        return line

    def ask(self, joint: JointDecider[Any], command: Any, now: datetime = NOON) -> Sequence[Sequence[Event]]:
        parts = joint.parts(command)
        decided = joint.decide(command, [part.decider.fold(self.streams.get(part.stream, [])) for part in parts], now)
        for part, events in zip(parts, decided, strict=True):
            self.streams.setdefault(part.stream, []).extend(events)
        return decided

    def tell(self, command: Any, now: datetime = NOON) -> None:
        events = self.streams.setdefault(f"budgetline-{command.line}", [])
        events += BUDGET_LINE.decide(command, BUDGET_LINE.fold(events), now)

    def propose(self, move: Move, above: tuple[str, ...] | None = None) -> commands.Approve:
        self.proposals += 1
        proposal = f"{self.proposals:032x}"
        if above is None:
            below = move.to_organisation if isinstance(move, Allotment) else move.from_organisation if isinstance(move, Recall) else ""
            above = ABOVE.get(below, ())
        stream = self.streams.setdefault(f"budgetmove-{proposal}", [])
        stream += BUDGET_MOVE.decide(commands.Propose(proposal, move, MAKER, above), BUDGET_MOVE.fold(stream), NOON)
        return commands.Approve(proposal, move, CHECKER, above)

    def move(self, move: Move, now: datetime = NOON) -> None:
        self.ask(APPROVE, self.propose(move), now)


@pytest.fixture
def world() -> World:
    world = World()
    world.move(appropriation(10_000))
    return world


def test_an_allotment_goes_down_and_keeps_its_lineage(world: World) -> None:
    world.move(appropriation(5_000))
    world.move(allotment(12_000, COUNTY))
    below = world.line(line_id(COUNTY, 2026, "superior", "aid"))
    assert (world.line(AID).lots, below.lots) == ((0, 3_000), (10_000, 2_000))
    arrived = world.streams[f"budgetline-{below.line}"][-1]
    assert [(lot.lot, lot.origin, lot.fen) for lot in arrived.lots] == [(1, 1, 10_000), (2, 2, 2_000)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("of", "to"), [(COUNTY, OTHER_COUNTY), (COUNTY, COUNTY), (COUNTY, CITY), (TOWN, COUNTY)])
def test_money_goes_neither_to_a_sibling_nor_up(world: World, of: str, to: str) -> None:
    with pytest.raises(errors.NotBelow):
        world.propose(allotment(1, to, organisation=of))


def test_it_must_still_stand_below_when_it_is_approved(world: World) -> None:
    asked = world.propose(allotment(1, COUNTY))
    with pytest.raises(errors.NotBelow):
        world.ask(APPROVE, commands.Approve(asked.proposal, asked.move, CHECKER, above=("3701",)))


def test_nothing_moves_before_somebody_else_approves(world: World) -> None:
    asked = world.propose(appropriation(1))
    assert world.line(AID).available_fen == 10_000
    with pytest.raises(errors.MakerApproves):
        world.ask(APPROVE, commands.Approve(asked.proposal, asked.move, MAKER))
    with pytest.raises(errors.MakerApproves):
        BUDGET_MOVE.decide(commands.Reject(asked.proposal, MAKER), BUDGET_MOVE.fold(world.streams[f"budgetmove-{asked.proposal}"]), NOON)
    world.ask(APPROVE, asked)
    assert world.line(AID).available_fen == 10_001
    assert world.ask(APPROVE, asked) == [[], []]


def test_a_proposal_is_decided_once_and_as_it_was_read(world: World) -> None:
    asked = world.propose(appropriation(1))
    with pytest.raises(errors.ProposalStale):
        world.ask(APPROVE, commands.Approve(asked.proposal, appropriation(2), CHECKER))
    stream = world.streams[f"budgetmove-{asked.proposal}"]
    rejected = BUDGET_MOVE.decide(commands.Reject(asked.proposal, CHECKER), BUDGET_MOVE.fold(stream), NOON)
    stream += rejected
    given(BUDGET_MOVE, *stream).when(commands.Reject(asked.proposal, CHECKER)).then_nothing()
    with pytest.raises(errors.ProposalSettled):
        world.ask(APPROVE, asked)
    with pytest.raises(errors.ProposalUnknown):
        world.ask(APPROVE, commands.Approve("f" * 32, asked.move, CHECKER))


def test_a_proposal_is_made_once() -> None:
    propose = commands.Propose(P, appropriation(1), MAKER)
    (made,) = given(BUDGET_MOVE).when(propose).events
    given(BUDGET_MOVE, made).when(propose).then_nothing()
    given(BUDGET_MOVE, made).when(commands.Propose(P, appropriation(2), MAKER)).rejects(errors.ProposalExists)
    given(BUDGET_MOVE).when(commands.Propose(P, appropriation(0), MAKER)).rejects(errors.AmountOutOfRange)
    given(BUDGET_MOVE).when(commands.Propose(P, adjustment(1, "aid"), MAKER)).rejects(errors.AdjustedToItself)


def test_no_more_leaves_than_there_is(world: World) -> None:
    for move in (allotment(10_001, COUNTY), adjustment(10_001, "aid.tuition")):
        with pytest.raises(errors.LineExhausted):
            world.move(move)
    with pytest.raises(errors.LineUnknown):
        world.move(allotment(1, TOWN, organisation=COUNTY))


def test_an_adjustment_goes_to_another_purpose_unless_earmarked(world: World) -> None:
    world.move(adjustment(4_000, "aid.tuition"))
    assert (world.line(AID).available_fen, world.line(TUITION).available_fen) == (6_000, 4_000)
    world.move(appropriation(1_000, earmarked=True, purpose="startup"))
    with pytest.raises(errors.EarmarkedElsewhere):
        world.move(adjustment(1, "aid", purpose="startup"))
    world.move(allotment(1_000, COUNTY, purpose="startup"))
    assert world.line(line_id(COUNTY, 2026, "superior", "startup")).earmarked


def test_neither_side_of_a_move_is_in_a_closed_period(world: World) -> None:
    world.move(adjustment(1, "aid.tuition"))
    world.tell(commands.ClosePeriod(TUITION, NOON.date()))
    with pytest.raises(errors.PeriodIsClosed):
        world.move(adjustment(1, "aid.tuition"))


# ------------------------------------------------------------------------------------------------------------- closing

close = commands.CloseLine(AID, NEXT, "aid", into_earmarked=False)


def paid(world: World, fen: int = 3_000) -> None:
    world.tell(commands.Reserve(AID, R, "aid", ((ANNA, fen),)))
    world.tell(commands.Post(AID, R, ((ANNA, INSTRUCTION),)))


def test_a_year_is_closed_and_its_balance_carried_over(world: World) -> None:
    paid(world)
    closed, received = world.ask(CLOSE_LINE, close, NEW_YEARS_EVE)
    assert [type(event) for event in closed] == [LineClosed]
    assert isinstance(received[-1], CarryOverReceived)
    assert received[-1].booked_on == date(2027, 1, 1)
    assert world.line(NEXT).lots == (7_000,)
    assert world.ask(CLOSE_LINE, close, NEW_YEARS_EVE) == [[], []]
    with pytest.raises(errors.LineClosed):
        world.tell(commands.ClosePeriod(AID, date(2026, 12, 31)))
    with pytest.raises(errors.LineClosed):
        world.move(appropriation(1))


def test_a_year_is_not_closed_early_or_with_money_set_aside(world: World) -> None:
    with pytest.raises(errors.YearNotOver):
        world.ask(CLOSE_LINE, close, datetime(2026, 12, 30, 4, tzinfo=UTC))
    world.tell(commands.Reserve(AID, R, "aid", ((ANNA, 1),)))
    with pytest.raises(errors.ReservationsOpen):
        world.ask(CLOSE_LINE, close, NEW_YEARS_EVE)


def test_a_balance_stays_with_its_source_and_earmarked_with_its_purpose(world: World) -> None:
    for year, source in ((2027, "donation"), (2028, "superior")):
        with pytest.raises(errors.SourceMismatch):
            world.ask(CLOSE_LINE, commands.CloseLine(AID, line_id(CITY, year, source, "aid"), "aid", into_earmarked=False), NEW_YEARS_EVE)
    world.move(appropriation(1, earmarked=True, purpose="startup"))
    startup = line_id(CITY, 2026, "superior", "startup")
    with pytest.raises(errors.EarmarkedElsewhere):
        world.ask(CLOSE_LINE, commands.CloseLine(startup, NEXT, "aid", into_earmarked=False), NEW_YEARS_EVE)


def test_one_person_carries_nothing_into_another_purpose(world: World) -> None:
    into = line_id(CITY, 2027, "superior", "aid.tuition")
    elsewhere = commands.CloseLine(AID, into, "aid.tuition", into_earmarked=False)
    for people in ((), (MAKER,), (MAKER, MAKER)):
        with pytest.raises(errors.CarriedElsewhereByOne):
            world.ask(CLOSE_LINE, replace(elsewhere, by=people), NEW_YEARS_EVE)
    world.ask(CLOSE_LINE, replace(elsewhere, by=(MAKER, CHECKER)), NEW_YEARS_EVE)
    assert world.line(into).lots == (10_000,)


def late(fen: int | None = None, into: str = NEXT, reversal: str = BACK) -> commands.ReturnLate:
    return commands.ReturnLate(AID, R, ANNA, reversal, into, fen)


def test_what_comes_back_after_closing_is_received_by_the_next_year_with_reference_to_the_old_line(world: World) -> None:
    paid(world)
    with pytest.raises(errors.NotClosed):
        world.ask(RETURN_LATE, late())
    world.ask(CLOSE_LINE, close, NEW_YEARS_EVE)
    before = list(world.streams[f"budgetline-{AID}"])
    (memo,), (received,) = world.ask(RETURN_LATE, late(1_000), IN_FEBRUARY)
    assert isinstance(memo, FundsReturnedLate)
    assert (memo.into_line, memo.instruction, received.from_line) == (NEXT, INSTRUCTION, AID)  # type: ignore[attr-defined]
    assert world.streams[f"budgetline-{AID}"] == [*before, memo]
    assert world.line(NEXT).lots == (7_000, 1_000)
    assert world.ask(RETURN_LATE, late(1_000), IN_FEBRUARY) == [[], []]
    with pytest.raises(errors.NotPaid):
        world.ask(RETURN_LATE, late(2_001, reversal=R), IN_FEBRUARY)
    world.ask(RETURN_LATE, late(2_000, reversal=R), IN_FEBRUARY)
    assert world.line(NEXT).available_fen == 10_000


def test_it_is_received_by_the_same_organisation_and_source(world: World) -> None:
    paid(world)
    world.move(allotment(1, COUNTY))
    world.ask(CLOSE_LINE, close, NEW_YEARS_EVE)
    with pytest.raises(errors.SourceMismatch):
        world.ask(RETURN_LATE, late(into=line_id(COUNTY, 2026, "superior", "aid")), IN_FEBRUARY)
    with pytest.raises(errors.SourceMismatch):
        world.ask(RETURN_LATE, late(into=AID), IN_FEBRUARY)
    with pytest.raises(Refusal):
        world.ask(RETURN_LATE, late(into=TUITION), IN_FEBRUARY)


def test_the_year_of_17_7_million(world: World) -> None:
    """150 parks × 50,000, 50 prize-winning parks × 100,000, 16 training bases × 100,000, 210 people × 10,000, 1.5 million: 17.7 million
    yuan; beside them earmarks of 4 and 1 million (DOMAIN 2.1)."""
    yuan = 100
    whole = 17_700_000 * yuan
    world.move(appropriation(whole, purpose="parks"))
    grants = [(50_000, 150), (100_000, 50)]
    others = {"training": 16 * 100_000, "startup": 210 * 10_000, "legal_aid": 1_500_000}
    for purpose, fen in others.items():
        world.move(adjustment(fen * yuan, purpose, purpose="parks"))
    parks = line_id(CITY, 2026, "superior", "parks")
    number = 0
    for each, count in grants:
        for _ in range(count):
            number += 1
            world.tell(commands.Reserve(parks, f"{number:032x}", "parks", ((f"{number:032x}", each * yuan),)))
            world.tell(commands.Post(parks, f"{number:032x}", ((f"{number:032x}", f"{number:032x}"),)))
    spent = world.line(parks)
    assert (number, spent.paid_fen, spent.available_fen) == (200, 12_500_000 * yuan, 0)
    with pytest.raises(errors.LineExhausted):
        world.tell(commands.Reserve(parks, R, "parks", ((ANNA, 1),)))
    rest = {purpose: world.line(line_id(CITY, 2026, "superior", purpose)).available_fen for purpose in others}
    assert rest == {purpose: fen * yuan for purpose, fen in others.items()}
    assert spent.paid_fen + sum(rest.values()) == whole
    for fen, purpose in ((4_000_000, "aid.central"), (1_000_000, "aid.chair")):
        world.move(appropriation(fen * yuan, earmarked=True, purpose=purpose))
        with pytest.raises(errors.EarmarkedElsewhere):
            world.move(adjustment(1, "parks", purpose=purpose))


def taken_back(fen: int, below: str, unit: str = CITY) -> Recall:
    return Recall(organisation=unit, year=2026, source="superior", purpose="aid", from_organisation=below, fen=fen, document=PAPER)


def test_what_is_not_used_goes_back_up_to_the_very_lots(world: World) -> None:
    """City → county → town and back again, as far as nobody has used it."""
    world.move(allotment(6_000, COUNTY))
    before = world.line(AID)
    county = line_id(COUNTY, 2026, "superior", "aid")
    world.tell(commands.Reserve(county, R, "aid", ((ANNA, 2_000),)))
    world.move(taken_back(3_500, COUNTY))
    assert world.line(county).lots == (500,)
    assert world.line(AID).available_fen == before.available_fen + 3_500
    assert len(world.line(AID).lots) == len(before.lots), "no new lot: each fen is back in its own"
    with pytest.raises(errors.AllotmentUsed) as refused:
        world.move(taken_back(501, COUNTY))
    assert refused.value.members["unused_fen"] == 500
    world.move(taken_back(500, COUNTY))
    assert world.line(county).available_fen == 0
    assert world.line(county).reserved_fen == 2_000, "what is set aside stays"


def test_nobody_takes_back_what_others_gave(world: World) -> None:
    world.move(allotment(6_000, COUNTY))
    county = line_id(COUNTY, 2026, "superior", "aid")
    world.move(appropriation(1_000, organisation=COUNTY))
    assert world.line(county).available_fen == 7_000
    with pytest.raises(errors.AllotmentUsed):
        world.move(taken_back(6_001, COUNTY))
    for move in (taken_back(1, CITY, COUNTY), taken_back(1, CITY), taken_back(1, "370902999")):
        with pytest.raises(Refusal):
            world.move(move)
