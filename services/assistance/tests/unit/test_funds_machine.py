"""Money under any order of commands: two organisations' lines over two years, and books that must agree after each step."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from assistance.funds import commands
from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.funds.closing import CLOSE_LINE, RETURN_LATE
from assistance.funds.line import Closed, Holding, Open, Stage, fen_of
from assistance.funds.moves import APPROVE, BUDGET_MOVE
from assistance.ledger.postings import Account, balance, postings
from contracts.assistance.funds import (
    Adjustment,
    Allotment,
    Appropriation,
    Drawn,
    FundsAppropriated,
    FundsReserved,
    FundsReturned,
    FundsReturnedLate,
    LateReturnReceived,
    Move,
    Recall,
    RecallReceived,
    ReservationPosted,
    ReservationVoided,
)
from contracts.kernel import Event
from foundation.decider import JointDecider, Refusal
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

CITY, COUNTY = "3709", "370902"
PURPOSES = ("aid", "aid.tuition")
YEARS = (2026, 2027)
PAPER, MAKER, CHECKER = "d" * 64, "7" * 32, "8" * 32
DAYS = (datetime(2026, 6, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC), datetime(2027, 2, 1, tzinfo=UTC))
LINES = [line_id(unit, year, "superior", purpose) for unit in (CITY, COUNTY) for year in YEARS for purpose in PURPOSES]

units, years, purposes, lines = map(st.sampled_from, ((CITY, COUNTY), YEARS, PURPOSES, LINES))
fens, grants = st.integers(1, 60), st.integers(40, 200)
ids = st.integers(0, 7).map(lambda number: f"{number:032x}")
numbers = st.integers(0, 20)


def mostly(stage: Stage) -> st.SearchStrategy[Stage]:
    """This stage, and now and then another one, on which it is refused."""
    return st.one_of(st.just(stage), st.just(stage), st.sampled_from(Stage))


class Funds(RuleBasedStateMachine):
    """Commands in any order; a refusal is as good as an event, as long as the books agree."""

    def __init__(self) -> None:
        super().__init__()
        self.streams: dict[str, list[Event]] = {}
        self.day = 0
        self.debits: Counter[tuple[str, Account]] = Counter()
        self.credits: Counter[tuple[str, Account]] = Counter()
        self.paid: Counter[str] = Counter()
        """Instructions: how often each was posted."""
        self.back: Counter[str] = Counter()
        """Reversals: how often each was booked."""

    def _took(self, stream: str, events: Sequence[Event]) -> None:
        self.streams.setdefault(stream, []).extend(events)
        for event in events:
            found = postings(event)
            assert sum(one.debit for one in found) == sum(one.credit for one in found)
            for one in found:
                self.debits[stream, one.account] += one.debit
                self.credits[stream, one.account] += one.credit
            if isinstance(event, ReservationPosted):
                self.paid.update(item.instruction for item in event.items)
            if isinstance(event, FundsReturned | FundsReturnedLate):
                self.back[event.reversal] += 1

    def _ask(self, joint: JointDecider[Any], command: Any) -> None:
        try:
            parts = joint.parts(command)
            decided = joint.decide(command, [part.decider.fold(self.streams.get(part.stream, [])) for part in parts], DAYS[self.day])
        except Refusal:
            return
        for part, events in zip(parts, decided, strict=True):
            self._took(part.stream, events)

    def _tell(self, line: str, command: commands.Command) -> None:
        stream = f"budgetline-{line}"
        try:
            self._took(stream, BUDGET_LINE.decide(command, BUDGET_LINE.fold(self.streams.get(stream, [])), DAYS[self.day]))
        except Refusal:
            return

    def _move(self, move: Move) -> None:
        proposal = f"{sum(map(len, self.streams.values())):032x}"
        below = move.to_organisation if isinstance(move, Allotment) else move.from_organisation if isinstance(move, Recall) else None
        above = (CITY,) if below == COUNTY else ()
        try:
            made = BUDGET_MOVE.decide(commands.Propose(proposal, move, MAKER, above), BUDGET_MOVE.initial, DAYS[self.day])
        except Refusal:
            return
        self._took(f"budgetmove-{proposal}", made)
        self._ask(APPROVE, commands.Approve(proposal, move, CHECKER, above))

    def _open(self, line: str) -> Open | None:
        state = BUDGET_LINE.fold(self.streams.get(f"budgetline-{line}", []))
        return state.was if isinstance(state, Closed) else state if isinstance(state, Open) else None

    # ------------------------------------------------------------------------------------------------------- rules

    @initialize()
    def begin(self) -> None:
        """Each line has two lots, and payments out of both."""
        for purpose in PURPOSES:
            line, reservation = line_id(CITY, 2026, "superior", purpose), "a" * 32
            self.appropriate(CITY, 2026, purpose, 40)
            self.appropriate(CITY, 2026, purpose, 200)
            self._tell(line, commands.Reserve(line, reservation, "aid.tuition", tuple((f"{number:032x}", 30) for number in range(4))))
            for number in range(3):
                self._tell(line, commands.Post(line, reservation, ((f"{number:032x}", f"{line[:8]}ee{number:022x}"),)))

    @rule(unit=units, year=years, purpose=purposes, fen=grants)
    def appropriate(self, unit: str, year: int, purpose: str, fen: int) -> None:
        self._move(
            Appropriation(organisation=unit, year=year, source="superior", purpose=purpose, earmarked=False, fen=fen, document=PAPER)
        )

    @rule(unit=units, to=units, year=years, purpose=purposes, fen=fens)
    def allot(self, unit: str, to: str, year: int, purpose: str, fen: int) -> None:
        self._move(Allotment(organisation=unit, year=year, source="superior", purpose=purpose, to_organisation=to, fen=fen, document=PAPER))

    @rule(year=years, purpose=purposes, fen=fens, back=fens)
    def allot_and_recall(self, year: int, purpose: str, fen: int, back: int) -> None:
        self.allot(CITY, COUNTY, year, purpose, fen)
        self.recall(CITY, COUNTY, year, purpose, back)

    @rule(unit=units, below=units, year=years, purpose=purposes, fen=fens)
    def recall(self, unit: str, below: str, year: int, purpose: str, fen: int) -> None:
        self._move(
            Recall(organisation=unit, year=year, source="superior", purpose=purpose, from_organisation=below, fen=fen, document=PAPER)
        )

    @rule(unit=units, year=years, purpose=purposes, to=purposes, fen=fens)
    def adjust(self, unit: str, year: int, purpose: str, to: str, fen: int) -> None:
        self._move(
            Adjustment(
                organisation=unit, year=year, source="superior", purpose=purpose, to_purpose=to, to_earmarked=False, fen=fen, document=PAPER
            )
        )

    @rule(data=st.data(), reservation=numbers, items=st.lists(st.tuples(ids, fens), min_size=1, max_size=4, unique_by=lambda item: item[0]))
    def reserve(self, data: st.DataObject, reservation: int, items: list[tuple[str, int]]) -> None:
        line = data.draw(st.sampled_from(self._lines()))
        self._tell(line, commands.Reserve(line, f"{reservation:032x}", "aid.tuition", tuple(items)))

    @rule(data=st.data(), stage=st.sampled_from(Stage))
    def void(self, data: st.DataObject, stage: Stage) -> None:
        if found := self._some(data, stage):
            line, entitlement, holding = found
            self._tell(line, commands.Void(line, holding.reservation, (entitlement,)))

    @rule(data=st.data(), number=numbers, stage=mostly(Stage.reserved))
    def post(self, data: st.DataObject, number: int, stage: Stage) -> None:
        if found := self._some(data, stage):
            line, entitlement, holding = found
            instruction = f"{line[:8]}{entitlement[-2:]}{number:022x}"
            self._tell(line, commands.Post(line, holding.reservation, ((entitlement, instruction),)))

    @rule(data=st.data(), number=numbers, stage=mostly(Stage.paid), fen=st.none() | fens)
    def money_comes_back(self, data: st.DataObject, number: int, stage: Stage, fen: int | None) -> None:
        if found := self._some(data, stage):
            line, entitlement, holding = found
            reversal = f"ff{line[:8]}{entitlement[-2:]}{number:020x}"
            self._tell(line, commands.Return(line, holding.reservation, entitlement, reversal, fen, data.draw(st.booleans())))
            state = BUDGET_LINE.fold(self.streams[f"budgetline-{line}"])
            into = data.draw(st.just(state.into_line) if isinstance(state, Closed) else st.sampled_from(self._lines()))
            held_as = data.draw(st.sampled_from([None, reversal]))
            self._ask(RETURN_LATE, commands.ReturnLate(line, holding.reservation, entitlement, reversal, into, fen, held_as))

    def _lines(self) -> list[str]:
        return [line for line in LINES if self._open(line) is not None]

    def _some(self, data: st.DataObject, stage: Stage) -> tuple[str, str, Holding] | None:
        """An entitlement at this stage, of whichever line."""
        found = [
            (line, entitlement, holding)
            for line in self._lines()
            if (state := self._open(line)) is not None
            for entitlement, holding in sorted(state.holdings.items())
            if holding.stage is stage
        ]
        return data.draw(st.sampled_from(found)) if found else None

    @rule(line=lines, sure=st.integers(0, 3))
    def close_period(self, line: str, sure: int) -> None:
        if sure == 0:
            self._tell(line, commands.ClosePeriod(line, DAYS[self.day].date().replace(day=1)))

    @rule(unit=units, purpose=purposes, into=purposes)
    def close_year(self, unit: str, purpose: str, into: str) -> None:
        line, later = line_id(unit, 2026, "superior", purpose), line_id(unit, 2027, "superior", into)
        state = self._open(line)
        if self.day == len(DAYS) - 1 and state is not None:
            for entitlement, holding in state.holdings.items():
                if holding.stage is Stage.reserved:
                    self._tell(line, commands.Void(line, holding.reservation, (entitlement,)))
        self._ask(CLOSE_LINE, commands.CloseLine(line, later, into, into_earmarked=False, by=(MAKER, CHECKER)))

    @rule(unit=units, purpose=purposes, into=purposes, sure=st.integers(0, 3))
    def a_line_is_closed_once_its_year_is_over(self, unit: str, purpose: str, into: str, sure: int) -> None:
        if sure == 0:
            self.day = len(DAYS) - 1
            self.close_year(unit, purpose, into)

    @rule(sure=st.integers(0, 3))
    def time_goes_on(self, sure: int) -> None:
        if sure == 0:
            self.day = min(self.day + 1, len(DAYS) - 1)

    # --------------------------------------------------------------------------------------------------- invariants

    @invariant()
    def debits_are_credits(self) -> None:
        assert self.debits.total() == self.credits.total()

    @invariant()
    def no_line_is_below_zero_and_its_books_say_what_it_says(self) -> None:
        for line in LINES:
            state = self._open(line)
            if state is None:
                continue
            assert min(state.lots, default=0) >= 0
            assert sum(state.lots) == state.available_fen
            holdings = state.holdings.values()
            assert sum(fen_of(one.drawn) for one in holdings if one.stage is Stage.reserved) == state.reserved_fen
            booked = {
                account: balance(account, self.debits[f"budgetline-{line}", account], self.credits[f"budgetline-{line}", account])
                for account in Account
            }
            assert (booked[Account.available], booked[Account.reserved], booked[Account.paid]) == (
                state.available_fen,
                state.reserved_fen,
                state.paid_fen,
            )
            assert min(booked[Account.available], booked[Account.reserved], booked[Account.paid], booked[Account.allotted]) >= 0

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        states = [state for line in LINES if (state := self._open(line)) is not None]
        granted = sum(event.fen for events in self.streams.values() for event in events if isinstance(event, FundsAppropriated))
        late = sum(fen_of(event.drawn) for events in self.streams.values() for event in events if isinstance(event, FundsReturnedLate))
        assert sum(state.available_fen + state.reserved_fen + state.paid_fen for state in states) - late == granted

    @invariant()
    def a_payment_and_a_reversal_happen_once(self) -> None:
        assert max((*self.paid.values(), *self.back.values()), default=1) == 1

    @invariant()
    def what_comes_back_returns_to_its_very_line_and_year(self) -> None:
        """To the lots it was paid from; where that line is closed, the receiving lots name just those."""
        paid: dict[str, tuple[str, tuple[Drawn, ...]]] = {}
        received = {event.reversal: event for events in self.streams.values() for event in events if isinstance(event, LateReturnReceived)}
        for stream, events in self.streams.items():
            for event in events:
                if isinstance(event, ReservationPosted):
                    paid |= {item.instruction: (stream, item.drawn) for item in event.items}
                if isinstance(event, FundsReturned | FundsReturnedLate):
                    line, drawn = paid[event.instruction]
                    lots = {one.lot: one.fen for one in drawn}
                    assert stream == line
                    assert all(0 < one.fen <= lots[one.lot] for one in event.drawn)
                if isinstance(event, FundsReturnedLate):
                    there = received[event.reversal]
                    assert (there.from_line, there.line) == (event.line, event.into_line)
                    assert [(lot.origin, lot.fen) for lot in there.lots] == [(one.lot, one.fen) for one in event.drawn]

    @invariant()
    def every_payment_leads_back_to_an_appropriation(self) -> None:
        """And no more is drawn from a lot than was ever in it."""
        lots: dict[tuple[str, int], tuple[str, int] | None] = {}
        left: Counter[tuple[str, int]] = Counter()
        for stream, events in self.streams.items():
            line = stream.removeprefix("budgetline-")
            for event in events:
                match event:
                    case FundsAppropriated():
                        lots[line, event.lot] = None
                        left[line, event.lot] += event.fen
                    case FundsReserved() | ReservationVoided():
                        sign = -1 if isinstance(event, FundsReserved) else 1
                        for d in (d for item in event.items for d in item.drawn):
                            left[line, d.lot] += sign * d.fen
                    case RecallReceived():
                        for d in event.restored:
                            left[line, d.lot] += d.fen
                    case FundsReturned(held=False):
                        for d in event.drawn:
                            left[line, d.lot] += d.fen
                    case _:
                        for lot in getattr(event, "lots", ()):
                            lots[line, lot.lot] = (event.from_line, lot.origin)  # type: ignore[attr-defined]
                            left[line, lot.lot] += lot.fen
                        if not isinstance(event, FundsReturned | FundsReturnedLate):
                            for d in getattr(event, "drawn", ()):
                                left[line, d.lot] -= d.fen
        assert min(left.values(), default=0) >= 0
        for line in self._lines():
            state = self._open(line)
            assert state is not None
            assert state.lots == tuple(left[line, number] for number in range(1, len(state.lots) + 1))
        for stream, events in self.streams.items():
            for event in events:
                if isinstance(event, ReservationPosted):
                    for d in (d for item in event.items for d in item.drawn):
                        at: tuple[str, int] | None = (stream.removeprefix("budgetline-"), d.lot)
                        while at is not None:
                            at = lots[at]


TestFunds = Funds.TestCase
TestFunds.settings = settings(max_examples=100, stateful_step_count=70, deadline=None)
