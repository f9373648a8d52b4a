"""A batch's way to the bank: three people, figures that agree, and one sending."""

from dataclasses import replace
from datetime import date

import pytest
from assistance.batches import commands, errors
from assistance.batches.batch import BATCH, ITEMS_MAX
from contracts.assistance.payments import (
    BatchAccepted,
    BatchChecked,
    BatchDisowned,
    BatchFilled,
    BatchItem,
    BatchOpened,
    BatchRefused,
    BatchReleased,
    BatchReopened,
    BatchSending,
    BatchUnanswered,
    Channel,
)
from foundation.decider import Refusal, given

ID, FILE, OTHER = "b" * 32, "d" * 64, "e" * 64
OPEN = commands.Open(ID, "370911", "3709000000000001", Channel.iso20022, date(2026, 3, 3), "maker")
opened = BatchOpened(
    batch=ID,
    organisation="370911",
    account="3709000000000001",
    channel=Channel.iso20022,
    execute_on=date(2026, 3, 3),
    opened_by="maker",
)
ITEMS = tuple(BatchItem(entitlement=f"{number:032x}", instruction=f"{number + 100:032x}", fen=10_000) for number in range(3))
FILL = commands.Fill(ID, ITEMS, "maker")
filled = BatchFilled(batch=ID, items=ITEMS, count=3, total_fen=30_000)
CHECK = commands.Check(ID, 3, 30_000, "checker")
checked = BatchChecked(batch=ID, count=3, total_fen=30_000, checked_by="checker")
RELEASE = commands.Release(ID, FILE, "payer")
released = BatchReleased(batch=ID, file=FILE, released_by="payer")
SEND = commands.BeginSending(ID, FILE)
sending = BatchSending(batch=ID)
before_sending = (opened, filled, checked, released)


def test_from_the_maker_to_the_bank() -> None:
    given(BATCH).when(OPEN).then(opened)
    given(BATCH, opened).when(FILL).then(filled)
    given(BATCH, opened, filled).when(CHECK).then(checked)
    given(BATCH, opened, filled, checked).when(RELEASE).then(released)
    given(BATCH, *before_sending).when(SEND).then(sending)
    given(BATCH, *before_sending, sending).when(commands.Accept(ID)).then(BatchAccepted(batch=ID))


def test_three_people() -> None:
    given(BATCH, opened).when(replace(FILL, by="else")).rejects(errors.BatchDutiesNotSeparated)
    given(BATCH, opened, filled).when(replace(CHECK, by="maker")).rejects(errors.BatchDutiesNotSeparated)
    for same in ("maker", "checker"):
        given(BATCH, opened, filled, checked).when(replace(RELEASE, by=same)).rejects(errors.BatchDutiesNotSeparated)


@pytest.mark.parametrize("check", [replace(CHECK, count=2), replace(CHECK, total_fen=30_001)])
def test_figures_that_differ_are_refused(check: commands.Check) -> None:
    given(BATCH, opened, filled).when(check).rejects(errors.ControlFiguresDiffer)


def test_an_empty_batch_is_not_checked() -> None:
    given(BATCH, opened).when(replace(CHECK, count=0, total_fen=0)).rejects(errors.ControlFiguresDiffer)


def test_a_frozen_batch_takes_nothing_more() -> None:
    given(BATCH, opened, filled, checked).when(FILL).rejects(errors.BatchElsewhere)
    given(BATCH, opened, filled, checked).when(commands.Reopen(ID, "payer")).then(BatchReopened(batch=ID, reopened_by="payer"))


def test_what_is_in_stays_in_once() -> None:
    given(BATCH, opened, filled).when(FILL).then_nothing()
    more = BatchItem(entitlement="9" * 32, instruction="8" * 32, fen=1)
    given(BATCH, opened, filled).when(replace(FILL, items=(*ITEMS, more))).then(
        BatchFilled(batch=ID, items=(more,), count=4, total_fen=30_001)
    )
    full = filled.model_copy(update={"count": ITEMS_MAX})
    given(BATCH, opened, full).when(replace(FILL, items=(more,))).rejects(errors.BatchFull)


def test_it_is_sent_once_and_only_as_released() -> None:
    given(BATCH, *before_sending).when(replace(SEND, file=OTHER)).rejects(errors.FileDiffers)
    after = (*before_sending, sending)
    for events in (after, (*after, BatchUnanswered(batch=ID)), (*after, BatchAccepted(batch=ID))):
        given(BATCH, *events).when(SEND).rejects(errors.SentBefore)


def test_silence_is_followed_by_a_question_or_by_paper() -> None:
    silent = (*before_sending, sending, BatchUnanswered(batch=ID))
    given(BATCH, *before_sending, sending).when(commands.Miss(ID)).then(BatchUnanswered(batch=ID))
    given(BATCH, *silent).when(commands.Accept(ID)).then(BatchAccepted(batch=ID))
    disown = commands.Disown(ID, OTHER, "one", "two")
    disowned = BatchDisowned(batch=ID, statement=OTHER, disowned_by="one", approved_by="two")
    given(BATCH, *silent).when(disown).then(disowned)
    given(BATCH, *silent).when(replace(disown, approved_by="one")).rejects(errors.BatchDutiesNotSeparated)
    given(BATCH, *before_sending, sending).when(disown).rejects(errors.BatchElsewhere)
    given(BATCH, *silent, disowned).when(SEND).rejects(errors.SentBefore)


def test_a_refused_file() -> None:
    refuse = commands.Refuse(ID, "AM10", "d" * 64)
    refused = BatchRefused(batch=ID, code="AM10", report="d" * 64)
    given(BATCH, *before_sending, sending).when(refuse).then(refused)
    given(BATCH, *before_sending, sending, refused).when(refuse).then_nothing()
    given(BATCH, *before_sending, sending, refused).when(commands.Accept(ID)).rejects(errors.BatchElsewhere)


@pytest.mark.parametrize("command", [FILL, CHECK, RELEASE, SEND, commands.Accept(ID)])
def test_no_such_batch(command: commands.Command) -> None:
    given(BATCH).when(command).rejects(errors.BatchUnknown)


@pytest.mark.parametrize(
    ("events", "command", "refusal"),
    [
        ((opened,), replace(OPEN, account="3709000000000002"), errors.BatchExists),
        ((opened, filled), RELEASE, errors.BatchElsewhere),
        ((opened, filled, checked), SEND, errors.BatchElsewhere),
        ((*before_sending,), commands.Accept(ID), errors.BatchElsewhere),
    ],
)
def test_each_in_its_turn(events: tuple[BatchOpened, ...], command: commands.Command, refusal: type[Refusal]) -> None:
    given(BATCH, *events).when(command).rejects(refusal)
