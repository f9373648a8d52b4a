"""Taking one payment out of a batch that has not left: the batch and the payment in one append. Pure.

The batch goes back to its maker with new control figures. What its checker and its payer let through was another sum and another file, and
an approval holds for what was seen (DOMAIN 0); to shrink it under their names would make them sign what they never counted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.assistance.funds import EntitlementId
from contracts.assistance.payments import BatchId
from contracts.kernel import Event
from contracts.membership import Principal
from foundation.decider import JointDecider, Part

from assistance.batches import commands, errors
from assistance.batches.batch import BATCH, Unopened
from assistance.desk import Desk
from assistance.payments.commands import Withdraw
from assistance.payments.payment import PAYMENT, UnderWay

REASONS = ("account-in-doubt", "asked-by-payee", "entered-in-error", "payee-died", "to-be-examined")
"""Why a payment may be taken out; the rest stands in the papers."""


@dataclass(frozen=True, slots=True)
class TakeOut:
    """Take an entitlement's payment out of a batch."""

    batch: BatchId
    entitlement: EntitlementId
    reason: str
    by: Principal


def _parts(command: TakeOut) -> Sequence[Part]:
    return (Part(BATCH, command.batch), Part(PAYMENT, command.entitlement))


def _decide(command: TakeOut, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    desk = Desk(_parts(command), states, now)
    batch, payment = states
    if isinstance(batch, Unopened):
        raise errors.BatchUnknown(command.batch)
    instruction = batch.contents.items.get(command.entitlement)
    if instruction is None or not isinstance(payment, UnderWay) or payment.instruction != instruction:
        raise errors.NotInBatch(command.batch, command.entitlement)
    desk.ask(BATCH, command.batch, commands.Reduce(command.batch, command.entitlement, payment.terms.fen, command.reason, command.by))
    desk.ask(PAYMENT, command.entitlement, Withdraw(command.entitlement, instruction, command.reason, command.by))
    return desk.decided()


TAKE_OUT: JointDecider[TakeOut] = JointDecider(parts=_parts, decide=_decide)
