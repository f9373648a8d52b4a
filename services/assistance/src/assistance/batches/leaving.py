"""What a batch needs of the account that it is paid from: whose it is, and that nothing has stopped it. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.assistance.payments import AccountNumber
from contracts.kernel import Event
from foundation.decider import JointDecider, Part

from assistance.batches import commands
from assistance.batches.batch import BATCH
from assistance.reconciliation import errors
from assistance.reconciliation.account import PAYMENT_ACCOUNT, opened


@dataclass(frozen=True, slots=True)
class FromAccount:
    """A command on a batch that is decided together with the account that pays."""

    command: commands.Open | commands.Release | commands.BeginSending | commands.HandOut
    account: AccountNumber


def _parts(it: FromAccount) -> Sequence[Part]:
    return (Part(BATCH, it.command.batch), Part(PAYMENT_ACCOUNT, it.account))


def _decide(it: FromAccount, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    batch, account = states[0], opened(states[1], it.account)
    if isinstance(it.command, commands.Open):
        if it.command.organisation != account.organisation:
            raise errors.PaymentAccountOfAnother(it.account)
    elif account.halted:
        raise errors.AccountHalted(it.account)
    return BATCH.decide(it.command, batch, now), []


FROM_ACCOUNT: JointDecider[FromAccount] = JointDecider(parts=_parts, decide=_decide)
