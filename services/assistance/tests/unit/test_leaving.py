"""How a batch leaves, or does not: a payment taken out of it before, and a file that the payer brings to the bank."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from assistance.applications.application import Instructed
from assistance.applications.following import APPLICATION
from assistance.batches import commands, errors
from assistance.batches.batch import BATCH, Accepted, Filling, HandedOut, Refused
from assistance.batches.leaving import FROM_ACCOUNT, FromAccount
from assistance.batches.withdrawing import TAKE_OUT, TakeOut
from assistance.funds.budget_line import BUDGET_LINE
from assistance.payments.errors import InstructionUnknown, WithdrawnFromBatch
from assistance.payments.payment import PAYMENT, Due, UnderWay
from assistance.reconciliation.account import PAYMENT_ACCOUNT, OpenAccount
from assistance.reconciliation.errors import AccountHalted
from contracts.assistance.payments import BatchReduced, Channel, PaymentsHalted, PaymentWithdrawn
from foundation.decider import Refusal
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from .test_instructing import BATCH_ID, CASE, NEXT, confirm, granted, hear, instruct
from .test_programmes import MEDICAL
from .world import COUNTY, ILL, LINE, PAPER, PAPERS, PAYER, World

OWN, FEN = "3709000000000001", 200_000
CHECKER, RELEASER, OTHER = "c1" * 16, "c2" * 16, "c3" * 16


@pytest.fixture
def world() -> World:
    return prepared()


def prepared() -> World:
    """2,000 yuan of medical relief, granted, and an account to pay it from."""
    world = World()
    world.ask(PAYMENT_ACCOUNT, OWN, OpenAccount(OWN, COUNTY, "泰安银行", "岱岳区总工会", PAPER, "1" * 32, "2" * 32))
    world.fund(10_000_000)
    world.publish("medical-relief", MEDICAL)
    world.household()
    world.submitted(CASE, "medical-relief", ILL, *PAPERS)
    world.grant(CASE)
    return world


def begun(world: World, batch: str = BATCH_ID, *, by_hand: bool = False) -> None:
    command = commands.Open(batch, COUNTY, OWN, Channel.template, world.today, PAYER, by_hand)
    world.ask_joint(FROM_ACCOUNT, FromAccount(command, OWN))


def released(world: World, batch: str = BATCH_ID, *, by_hand: bool = False) -> None:
    begun(world, batch, by_hand=by_hand)
    instruct(world, batch)
    world.ask(BATCH, batch, commands.Check(batch, 1, FEN, CHECKER))
    world.ask_joint(FROM_ACCOUNT, FromAccount(commands.Release(batch, PAPER, RELEASER), OWN))


def take_out(world: World, batch: str = BATCH_ID) -> list[Any]:
    return world.ask_joint(TAKE_OUT, TakeOut(batch, granted(world).entitlement, "account-in-doubt", OTHER))


def hand_out(world: World, by: str = RELEASER, batch: str = BATCH_ID) -> list[Any]:
    return world.ask_joint(FROM_ACCOUNT, FromAccount(commands.HandOut(batch, by), OWN))


# -------------------------------------------------------------------------------------------------------------- taken out


def test_what_is_taken_out_is_due_and_the_others_are_checked_anew(world: World) -> None:
    released(world)
    reduced, withdrawn = take_out(world)
    assert isinstance(reduced, BatchReduced)
    assert (reduced.count, reduced.total_fen) == (0, 0)
    assert isinstance(withdrawn, PaymentWithdrawn)
    assert isinstance(world.state(BATCH, BATCH_ID), Filling)
    assert isinstance(world.state(PAYMENT, granted(world).entitlement), Due)
    assert isinstance(world.state(APPLICATION, CASE), Instructed)
    assert world.state(BUDGET_LINE, LINE).reserved_fen == FEN, "its money waits for it"
    with pytest.raises(errors.ControlFiguresDiffer):
        world.ask(BATCH, BATCH_ID, commands.Check(BATCH_ID, 1, FEN, CHECKER))
    with pytest.raises(errors.BatchElsewhere):
        world.ask_joint(FROM_ACCOUNT, FromAccount(commands.BeginSending(BATCH_ID, PAPER), OWN))


def test_it_goes_into_another_batch_and_not_into_this_one(world: World) -> None:
    released(world)
    take_out(world)
    with pytest.raises(WithdrawnFromBatch):
        instruct(world)
    begun(world, NEXT)
    instruct(world, NEXT)
    assert isinstance(world.state(PAYMENT, granted(world).entitlement), UnderWay)
    with pytest.raises(errors.NotInBatch):
        take_out(world)


def test_the_bank_was_never_told_of_what_was_taken_out(world: World) -> None:
    released(world)
    take_out(world)
    with pytest.raises(InstructionUnknown):
        hear(world, confirm(world))


def test_nothing_is_taken_out_of_what_the_bank_may_have(world: World) -> None:
    released(world)
    world.ask_joint(FROM_ACCOUNT, FromAccount(commands.BeginSending(BATCH_ID, PAPER), OWN))
    with pytest.raises(errors.BatchElsewhere):
        take_out(world)


# ---------------------------------------------------------------------------------------------------------------- by hand


def test_the_payer_brings_it_and_the_bank_gives_a_reference(world: World) -> None:
    released(world, by_hand=True)
    for somebody in (PAYER, CHECKER, OTHER):
        with pytest.raises(errors.NotThePayer):
            hand_out(world, somebody)
    hand_out(world)
    assert isinstance(world.state(BATCH, BATCH_ID), HandedOut)
    assert hand_out(world) == [], "the same file again, until the bank has it"
    upload = commands.Upload(BATCH_ID, "TA20260302-17", RELEASER)
    with pytest.raises(errors.NotThePayer):
        world.ask(BATCH, BATCH_ID, replace(upload, by=OTHER))
    world.ask(BATCH, BATCH_ID, upload)
    assert isinstance(world.state(BATCH, BATCH_ID), Accepted)
    for command in (commands.HandOut(BATCH_ID, RELEASER), upload):
        with pytest.raises(errors.BatchElsewhere):
            world.ask(BATCH, BATCH_ID, command)


def test_never_both_ways(world: World) -> None:
    released(world, by_hand=True)
    with pytest.raises(errors.BatchGoesOtherwise):
        world.ask_joint(FROM_ACCOUNT, FromAccount(commands.BeginSending(BATCH_ID, PAPER), OWN))
    begun(world, NEXT)
    for command in (commands.HandOut(NEXT, RELEASER), commands.Upload(NEXT, "TA-1", RELEASER)):
        with pytest.raises(errors.BatchGoesOtherwise):
            world.ask(BATCH, NEXT, command)


def test_nothing_is_handed_out_of_a_halted_account(world: World) -> None:
    released(world, by_hand=True)
    halted = PaymentsHalted(account=OWN, organisation=COUNTY, day=world.today - timedelta(days=1), events_fen=0, ledger_fen=0, bank_fen=1)
    world.streams[PAYMENT_ACCOUNT.stream(OWN)].append(halted)
    with pytest.raises(AccountHalted):
        hand_out(world)


@pytest.mark.parametrize("brought", [False, True])
def test_the_bank_may_refuse_what_was_brought(world: World, *, brought: bool) -> None:
    released(world, by_hand=True)
    hand_out(world)
    if brought:
        world.ask(BATCH, BATCH_ID, commands.Upload(BATCH_ID, "TA-1", RELEASER))
    world.ask(BATCH, BATCH_ID, commands.Refuse(BATCH_ID, "AM04", PAPER))
    assert isinstance(world.state(BATCH, BATCH_ID), Refused)


def test_what_never_got_there_takes_the_banks_letter_and_two_people(world: World) -> None:
    released(world, by_hand=True)
    hand_out(world)
    with pytest.raises(errors.BatchElsewhere):
        take_out(world)
    with pytest.raises(errors.BatchDutiesNotSeparated):
        world.ask(BATCH, BATCH_ID, commands.Disown(BATCH_ID, PAPER, OTHER, OTHER))
    world.ask(BATCH, BATCH_ID, commands.Disown(BATCH_ID, PAPER, OTHER, CHECKER))
    assert isinstance(world.state(BATCH, BATCH_ID), Refused)


# ------------------------------------------------------------------------------------------------------- in any order at all

batches_ = some.sampled_from([BATCH_ID, NEXT, "b3" * 16])
people = some.sampled_from([PAYER, CHECKER, RELEASER, OTHER])


class Leaving(RuleBasedStateMachine):
    """One payment, three batches, and everybody does everything at any time."""

    @initialize(by_hand=some.lists(some.booleans(), min_size=3, max_size=3))
    def begin(self, by_hand: list[bool]) -> None:
        self.world = prepared()
        self.left: list[str] = []
        """Instructions that a bank may have, one for each time that a file with them left."""
        self.ways: dict[str, set[str]] = {}
        for batch, hand in zip([BATCH_ID, NEXT, "b3" * 16], by_hand, strict=True):
            begun(self.world, batch, by_hand=hand)

    def asked(self, batch: str, command: Any) -> bool:
        try:
            return bool(self.world.ask_joint(FROM_ACCOUNT, FromAccount(command, OWN)))
        except Refusal:
            return False

    def goes(self, batch: str, way: str) -> None:
        self.ways.setdefault(batch, set()).add(way)
        self.left += self.world.state(BATCH, batch).contents.items.values()

    @rule(batch=batches_)
    def fill(self, batch: str) -> None:
        try:
            instruct(self.world, batch)
        except Refusal:
            return

    @rule(batch=batches_, by=people)
    def check(self, batch: str, by: str) -> None:
        self.asked(batch, commands.Check(batch, 1, FEN, by))

    @rule(batch=batches_, by=people)
    def check_and_release(self, batch: str, by: str) -> None:
        self.asked(batch, commands.Check(batch, 1, FEN, CHECKER))
        self.asked(batch, commands.Release(batch, PAPER, by))

    @rule(batch=batches_, by=people)
    def reopen(self, batch: str, by: str) -> None:
        self.asked(batch, commands.Reopen(batch, by))

    @rule(batch=batches_)
    def take_out(self, batch: str) -> None:
        try:
            take_out(self.world, batch)
        except Refusal:
            return

    @rule(batch=batches_)
    def send(self, batch: str) -> None:
        if self.asked(batch, commands.BeginSending(batch, PAPER)):
            self.goes(batch, "online")

    @rule(batch=batches_, by=people)
    def bring(self, batch: str, by: str) -> None:
        if self.asked(batch, commands.HandOut(batch, by)):
            self.goes(batch, "by hand")

    @invariant()
    def no_two_instructions_of_one_payment_are_with_a_bank(self) -> None:
        if hasattr(self, "left"):
            assert len(self.left) <= 1
            assert all(len(ways) == 1 for ways in self.ways.values())

    @invariant()
    def what_is_taken_out_of_a_batch_is_not_in_it(self) -> None:
        if not hasattr(self, "world"):
            return
        payment = self.world.state(PAYMENT, granted(self.world).entitlement)
        holding = {batch for batch in [BATCH_ID, NEXT, "b3" * 16] if self.world.state(BATCH, batch).contents.items}
        assert holding == ({payment.batch} if isinstance(payment, UnderWay) else set())
        for batch in [BATCH_ID, NEXT, "b3" * 16]:
            contents = self.world.state(BATCH, batch).contents
            assert (contents.count, contents.total_fen) == (len(contents.items), FEN * len(contents.items))


TestLeaving = Leaving.TestCase
TestLeaving.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)
