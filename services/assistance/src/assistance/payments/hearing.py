"""What the bank says of payments, with what it means for the budget line and the application, in one append. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from contracts.assistance.payments import PaymentConfirmed, PaymentReturned
from contracts.kernel import Event
from foundation.decider import JointDecider, Part

from assistance.applications.commands import MarkPaid
from assistance.applications.following import APPLICATION
from assistance.desk import Desk, once
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.commands import Post, Return
from assistance.payments.commands import Bounce, Confirm, Fail
from assistance.payments.payment import PAYMENT

HEARD_MAX = 100
"""Payments in one command; with their applications and lines about two hundred streams."""


@dataclass(frozen=True, slots=True)
class Heard:
    """The bank's word on one payment, with the application and the budget line that the payment names."""

    word: Confirm | Fail | Bounce
    application: str
    line: str
    reservation: str


@dataclass(frozen=True, slots=True)
class Hear:
    """Take these words in; all or none, so that a contradiction is found by taking them in one by one."""

    heard: tuple[Heard, ...]


def _parts(command: Hear) -> Sequence[Part]:
    parts: list[Part] = []
    for one in command.heard:
        parts += (Part(PAYMENT, one.word.entitlement), Part(BUDGET_LINE, one.line), Part(APPLICATION, one.application))
    return once(parts)


def _decide(command: Hear, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    desk = Desk(_parts(command), states, now)
    paid: dict[tuple[str, str, date], list[tuple[str, str]]] = {}
    for one in command.heard:
        for event in PAYMENT.decide(one.word, desk.state(PAYMENT, one.word.entitlement), now):
            desk.add(PAYMENT, one.word.entitlement, event)
            match event:
                case PaymentConfirmed(entitlement=entitlement, instruction=instruction, booked_on=day):
                    # The line books all payments of a reservation at once.
                    paid.setdefault((one.line, one.reservation, day), []).append((entitlement, instruction))
                    desk.ask(APPLICATION, one.application, MarkPaid(one.application, day))
                case PaymentReturned(entitlement=entitlement, reversal=reversal, booked_on=day):
                    _post(paid, desk)
                    desk.ask(BUDGET_LINE, one.line, Return(one.line, one.reservation, entitlement, reversal, held=True, booked_on=day))
    _post(paid, desk)
    return desk.decided()


def _post(paid: dict[tuple[str, str, date], list[tuple[str, str]]], desk: Desk) -> None:
    for (line, reservation, day), payments in paid.items():
        desk.ask(BUDGET_LINE, line, Post(line, reservation, tuple(payments), day))
    paid.clear()


HEAR: JointDecider[Hear] = JointDecider(parts=_parts, decide=_decide)
