"""What the bank says of payments, with what it means for the budget line and the application, in one append. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from contracts.assistance.payments import PaymentConfirmed, PaymentReturned
from contracts.kernel import Event
from contracts.membership import RecordId
from foundation.decider import JointDecider, Part
from foundation.ids import command_id

from assistance.applications.commands import MarkPaid
from assistance.applications.following import APPLICATION
from assistance.desk import Desk, once
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.closing import return_late
from assistance.funds.commands import Post, Return, ReturnLate
from assistance.payments.commands import Bounce, Confirm, Fail
from assistance.payments.payment import PAYMENT

HEARD_MAX = 100
"""Payments in one command; with their applications and lines about two hundred streams."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The bank's word on one payment, with the application and the budget line that the payment names.

    `into`: the open line that receives what comes back, where the payment's own line is closed.
    """

    word: Confirm | Fail | Bounce
    application: str
    line: str
    reservation: str
    into: str | None = None


@dataclass(frozen=True, slots=True)
class Hear:
    """Take these words in; all or none, so that a contradiction is found by taking them in one by one."""

    heard: tuple[Heard, ...]


def _parts(command: Hear) -> Sequence[Part]:
    parts: list[Part] = []
    for one in command.heard:
        parts += (Part(PAYMENT, one.word.entitlement), Part(BUDGET_LINE, one.line), Part(APPLICATION, one.application))
        if one.into is not None:
            parts.append(Part(BUDGET_LINE, one.into))
    return once(parts)


def _decide(command: Hear, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    desk = Desk(_parts(command), states, now)
    paid: dict[tuple[str, str, date], list[tuple[str, str]]] = {}
    for one in command.heard:
        for event in PAYMENT.decide(_word(one), desk.state(PAYMENT, one.word.entitlement), now):
            desk.add(PAYMENT, one.word.entitlement, event)
            match event:
                case PaymentConfirmed(entitlement=entitlement, instruction=instruction, booked_on=day):
                    # The line books all payments of a reservation at once.
                    paid.setdefault((one.line, one.reservation, day), []).append((entitlement, instruction))
                    desk.ask(APPLICATION, one.application, MarkPaid(one.application, day))
                case PaymentReturned():
                    _post(paid, desk)
                    _take_back(one, event, desk, now)
    _post(paid, desk)
    return desk.decided()


def _post(paid: dict[tuple[str, str, date], list[tuple[str, str]]], desk: Desk) -> None:
    for (line, reservation, day), payments in paid.items():
        desk.ask(BUDGET_LINE, line, Post(line, reservation, tuple(payments), moved_on=day))
    paid.clear()


def _word(one: Heard) -> Confirm | Fail | Bounce:
    """What the payment is told: after a late return also where its money waits from now on."""
    if one.into is None or not isinstance(one.word, Bounce):
        return one.word
    return replace(one.word, line=one.into, reservation=held_as(one.word.reversal))


def held_as(reversal: RecordId) -> RecordId:
    """The reservation under which money that came back late is set aside again."""
    return command_id("late return", reversal).hex


def _take_back(one: Heard, returned: PaymentReturned, desk: Desk, now: datetime) -> None:
    """To its very line while that is open; after closing to the line that received its balance, for the same entitlement."""
    about = (one.line, one.reservation, returned.entitlement, returned.reversal)
    if one.into is None:
        desk.ask(BUDGET_LINE, one.line, Return(*about, held=True, moved_on=returned.booked_on))
        return
    late = ReturnLate(*about, one.into, held_as=returned.reservation, moved_on=returned.booked_on)
    closed, received = return_late(late, desk.state(BUDGET_LINE, one.line), desk.state(BUDGET_LINE, one.into), now)
    desk.add(BUDGET_LINE, one.line, *closed)
    desk.add(BUDGET_LINE, one.into, *received)


HEAR: JointDecider[Hear] = JointDecider(parts=_parts, decide=_decide)
