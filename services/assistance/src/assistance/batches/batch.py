"""A batch's way to the bank: open → checked → released → sending → accepted, refused or unanswered. Pure.

It is sent once. What follows silence is a question to the bank, and if that finds nothing, the bank's statement on paper.
One that is brought by hand goes from released through the payer's hands to accepted, and is never sent. Until it leaves, a payment can be
taken out of it: the others saw other figures, so it is checked and released anew.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from contracts.assistance.payments import (
    BatchAccepted,
    BatchChecked,
    BatchDisowned,
    BatchFilled,
    BatchHandedOut,
    BatchOpened,
    BatchReduced,
    BatchRefused,
    BatchReleased,
    BatchReopened,
    BatchSending,
    BatchUnanswered,
    BatchUploaded,
    Channel,
)
from contracts.kernel import Event
from foundation.decider import Decider
from immutables import Map

from assistance.batches import commands, errors
from assistance.batches.commands import Open

ITEMS_MAX = 10_000
"""Payments in one batch: a file that a branch takes, and that is rendered in memory without harm."""

FILL_MAX = 200
"""Payments in one command; its record stays below 60,000 bytes."""


DISOWNED = "NOAS"
"""No answer: the ISO 20022 reason that the payments of a disowned batch fail with."""

_NO_ITEMS: Map[str, str] = Map()


@dataclass(frozen=True, slots=True)
class Unopened:
    """No such batch."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a batch is and holds: instruction by entitlement, the control figures, and whoever had a hand in one of its cases."""

    opened: Open
    items: Map[str, str] = _NO_ITEMS
    count: int = 0
    total_fen: int = 0
    hands: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Filling:
    """Being filled by its maker."""

    contents: Contents


@dataclass(frozen=True, slots=True)
class Checked:
    """Frozen."""

    contents: Contents
    checked_by: str


@dataclass(frozen=True, slots=True)
class Released:
    """To be sent; nothing has left yet."""

    contents: Contents
    file: str
    released_by: str


@dataclass(frozen=True, slots=True)
class Sending:
    """The bank may have it: `unanswered` once its answer was given up."""

    contents: Contents
    file: str
    unanswered: bool = False


@dataclass(frozen=True, slots=True)
class HandedOut:
    """With the payer, who brings it to the bank: it may be there."""

    contents: Contents
    file: str
    to: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """With the bank."""

    contents: Contents


@dataclass(frozen=True, slots=True)
class Refused:
    """Refused as a whole, or disowned: none of it was paid. `code` and `report`: why, and the digest of the paper that says so."""

    contents: Contents
    code: str
    report: str


Known = Filling | Checked | Released | Sending | HandedOut | Accepted | Refused
Batch = Unopened | Known


def stage(batch: Known) -> str:
    """In a word."""
    match batch:
        case Sending(unanswered=True):
            return "unanswered"
        case HandedOut():
            return "handed-out"
        case _:
            return type(batch).__name__.lower()


def evolve(batch: Batch, event: Event) -> Batch:
    match event, batch:
        case BatchOpened(), Unopened():
            opened = Open(event.batch, event.organisation, event.account, event.channel, event.execute_on, event.opened_by, event.by_hand)
            return Filling(Contents(opened))
        case BatchFilled(), Filling(contents):
            items = contents.items.update({item.entitlement: item.instruction for item in event.items})
            hands = contents.hands.union(event.hands)
            return Filling(replace(contents, items=items, count=event.count, total_fen=event.total_fen, hands=hands))
        case BatchChecked(checked_by=by), Filling(contents):
            return Checked(contents, by)
        case BatchReopened(), Checked(contents) | Released(contents):
            return Filling(contents)
        case BatchReduced(), Filling(contents) | Checked(contents) | Released(contents):
            items = contents.items.delete(event.entitlement)
            return Filling(replace(contents, items=items, count=event.count, total_fen=event.total_fen))
        case BatchReleased(file=file, released_by=by), Checked(contents):
            return Released(contents, file, by)
        case BatchSending(), Released(contents, file):
            return Sending(contents, file)
        case BatchHandedOut(handed_to=to), Released(contents, file):
            return HandedOut(contents, file, to)
        case BatchUploaded(), HandedOut(contents):
            return Accepted(contents)
        case BatchUnanswered(), Sending():
            return replace(batch, unanswered=True)
        case BatchAccepted(), Sending(contents):
            return Accepted(contents)
        case BatchRefused(code=code, report=report), Sending(contents) | HandedOut(contents) | Accepted(contents):
            return Refused(contents, code, report)
        case BatchDisowned(statement=statement), Sending(contents) | HandedOut(contents):
            return Refused(contents, DISOWNED, statement)
        case _:
            return batch


def decide(command: commands.Command, batch: Batch, now: datetime) -> list[Event]:
    if isinstance(command, Open):
        return _open(command, batch)
    if isinstance(batch, Unopened):
        raise errors.BatchUnknown(command.batch)
    match command:
        case commands.Fill():
            return _fill(command, batch)
        case commands.Check() | commands.Reopen() | commands.Release():
            return _let_through(command, batch)
        case commands.Reduce():
            return _reduce(command, batch)
        case commands.HandOut() | commands.Upload():
            return _by_hand(command, batch)
        case commands.BeginSending():
            return _begin_sending(command, batch)
        case commands.Accept() | commands.Refuse() | commands.Miss() | commands.Disown():
            return _hear(command, batch)
        case _:
            assert_never(command)


BATCH: Decider[Batch, commands.Command] = Decider(category="batch", initial=Unopened(), decide=decide, evolve=evolve)


def _open(command: Open, batch: Batch) -> list[Event]:
    if not isinstance(batch, Unopened):
        if batch.contents.opened != command:
            raise errors.BatchExists(command.batch)
        return []
    return [
        BatchOpened(
            batch=command.batch,
            organisation=command.organisation,
            account=command.account,
            channel=Channel(command.channel),
            execute_on=command.execute_on,
            opened_by=command.by,
            by_hand=command.by_hand,
        )
    ]


def _fill(command: commands.Fill, batch: Known) -> list[Event]:
    if not isinstance(batch, Filling):
        raise errors.BatchElsewhere(command.batch, stage(batch))
    contents = batch.contents
    if command.by != contents.opened.by:
        raise errors.BatchDutiesNotSeparated(command.batch)
    fresh = tuple(item for item in command.items if contents.items.get(item.entitlement) != item.instruction)
    count = contents.count + len(fresh)
    if count > ITEMS_MAX or len(command.items) > FILL_MAX:
        raise errors.BatchFull(command.batch, ITEMS_MAX)
    if not fresh:
        return []
    total = contents.total_fen + sum(item.fen for item in fresh)
    hands = tuple(sorted(command.hands - contents.hands))
    return [BatchFilled(batch=command.batch, items=fresh, count=count, total_fen=total, hands=hands)]


def _let_through(command: commands.Check | commands.Reopen | commands.Release, batch: Known) -> list[Event]:
    contents = batch.contents
    match command, batch:
        case commands.Check(name, count, total_fen, by), Filling():
            if by == contents.opened.by or by in contents.hands:
                raise errors.BatchDutiesNotSeparated(name)
            if (count, total_fen) != (contents.count, contents.total_fen) or not count:
                raise errors.ControlFiguresDiffer(name, count, total_fen)
            return [BatchChecked(batch=name, count=count, total_fen=total_fen, checked_by=by)]
        case commands.Check(by=by), Checked(checked_by=before) if by == before:
            return []
        case commands.Reopen(name, by), Checked() | Released():
            return [BatchReopened(batch=name, reopened_by=by)]
        case commands.Reopen(), Filling():
            return []
        case commands.Release(name, file, by), Checked(checked_by=checker):
            if by in (checker, contents.opened.by) or by in contents.hands:
                raise errors.BatchDutiesNotSeparated(name)
            return [BatchReleased(batch=name, file=file, released_by=by)]
        case commands.Release(file=file), Released(file=before) if file == before:
            return []
    raise errors.BatchElsewhere(command.batch, stage(batch))


def _reduce(command: commands.Reduce, batch: Known) -> list[Event]:
    if not isinstance(batch, Filling | Checked | Released):
        raise errors.BatchElsewhere(command.batch, stage(batch))
    contents = batch.contents
    instruction = contents.items.get(command.entitlement)
    if instruction is None:
        raise errors.NotInBatch(command.batch, command.entitlement)
    return [
        BatchReduced(
            batch=command.batch,
            entitlement=command.entitlement,
            instruction=instruction,
            count=contents.count - 1,
            total_fen=contents.total_fen - command.fen,
            reason=command.reason,
            withdrawn_by=command.by,
        )
    ]


def _by_hand(command: commands.HandOut | commands.Upload, batch: Known) -> list[Event]:
    """Only who released it carries it: the payer. Handed out again it is the same file, until the bank has given its reference."""
    if not batch.contents.opened.by_hand:
        raise errors.BatchGoesOtherwise("online", batch=command.batch)
    match command, batch:
        case commands.HandOut(by=by), Released(released_by=payer) | HandedOut(to=payer):
            if by != payer:
                raise errors.NotThePayer(command.batch)
            return [BatchHandedOut(batch=command.batch, handed_to=by)] if isinstance(batch, Released) else []
        case commands.Upload(name, reference, by), HandedOut(to=payer):
            if by != payer:
                raise errors.NotThePayer(name)
            return [BatchUploaded(batch=name, reference=reference, uploaded_by=by)]
    raise errors.BatchElsewhere(command.batch, stage(batch))


def _begin_sending(command: commands.BeginSending, batch: Known) -> list[Event]:
    if batch.contents.opened.by_hand:
        raise errors.BatchGoesOtherwise("by-hand", batch=command.batch)
    match batch:
        case Released(file=file) if file == command.file:
            return [BatchSending(batch=command.batch)]
        case Released():
            raise errors.FileDiffers(command.batch)
        case Sending() | HandedOut() | Accepted() | Refused():
            # Not "already so": who hears that would send it, and so would the one who came first.
            raise errors.SentBefore(command.batch)
        case Filling() | Checked():
            raise errors.BatchElsewhere(command.batch, stage(batch))
        case _:
            assert_never(batch)


def _hear(command: commands.Accept | commands.Refuse | commands.Miss | commands.Disown, batch: Known) -> list[Event]:
    match command, batch:
        case commands.Accept(name), Sending():
            return [BatchAccepted(batch=name)]
        case commands.Refuse(name, code, report), Sending() | HandedOut() | Accepted(Contents(Open(by_hand=True))):
            # Of one brought by hand it is the payer who said that the bank has it; the bank says later what it makes of it.
            return [BatchRefused(batch=name, code=code, report=report)]
        case commands.Miss(name), Sending(unanswered=False):
            return [BatchUnanswered(batch=name)]
        case commands.Disown(name, statement, by, approved_by), Sending(unanswered=True) | HandedOut():
            if by == approved_by:
                raise errors.BatchDutiesNotSeparated(name)
            return [BatchDisowned(batch=name, statement=statement, disowned_by=by, approved_by=approved_by)]
        case (
            (commands.Accept(), Accepted())
            | (commands.Miss(), Sending() | Accepted() | Refused())
            | ((commands.Refuse() | commands.Disown()), Refused())
        ):
            return []
    raise errors.BatchElsewhere(command.batch, stage(batch))
