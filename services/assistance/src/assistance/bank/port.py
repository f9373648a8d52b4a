"""What a bank is asked, and what it may answer. Adapters: `http.HttpBank`, `memory.MemoryBank`.

A bank is never told anything twice: who gets no answer asks for the status of the message, and does not send again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import Channel


@dataclass(frozen=True, slots=True)
class Order:
    """One credit transfer in a file. The bank shows both references again."""

    instruction: str
    entitlement: str
    fen: int
    account: BankAccount


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """What is to be paid from one account on a day. `message` is the batch; `holder` and `bank` are of the account that pays."""

    message: str
    account: str
    holder: str
    bank: str
    execute_on: date
    orders: Sequence[Order]

    @property
    def fen(self) -> int:
        """What all orders come to."""
        return sum(order.fen for order in self.orders)


@dataclass(frozen=True, slots=True)
class Taken:
    """The bank has the file."""


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """The bank refused the file as a whole, with an ISO 20022 code; `answer` is all that it said."""

    code: str
    answer: bytes


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Nobody knows whether the bank has the file."""


class BankUnreachable(Exception):
    """A question could not be put; it may be put again."""


class Bank(Protocol):
    """One bank's counter for files."""

    async def send(self, file: bytes, channel: Channel) -> Taken | RefusedFile | NoAnswer:
        """Hand a file over, once. Never raises for what happens on the way: then it is NoAnswer."""
        ...

    async def status(self, message: str) -> bytes | None:
        """The bank's report on a file; None where it does not know it (yet). Raises BankUnreachable."""
        ...

    async def statement(self, account: str, day: date) -> bytes | None:
        """The statement of an account for a day of the bank's; None where there is none. Raises BankUnreachable."""
        ...
