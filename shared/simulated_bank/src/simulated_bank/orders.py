"""What a customer asks of the bank, whichever format it came in."""

import re
from dataclasses import dataclass
from datetime import date

_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,2})?")


class FileRefused(Exception):
    """A payment file as a whole cannot be taken. `code` is an ISO 20022 external status reason, `reason` the bank's words."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


@dataclass(frozen=True, slots=True)
class Order:
    """One credit transfer. `instruction` and `end_to_end` are the customer's references; the amount is in fen."""

    instruction: str
    end_to_end: str
    fen: int
    account: str
    name: str
    purpose: str


@dataclass(frozen=True, slots=True)
class PaymentFile:
    """A file of orders from one debtor account, to be executed on a day. `message` is the customer's reference of the file."""

    message: str
    debtor_account: str
    execute_on: date
    orders: tuple[Order, ...]

    @property
    def fen(self) -> int:
        """What all orders come to."""
        return sum(order.fen for order in self.orders)


def fen_of(text: str) -> int:
    """Fen of a decimal amount in yuan with at most two places. Raises FileRefused."""
    if not _AMOUNT.fullmatch(text.strip()):
        raise FileRefused("AM12", f"金额无效：{text[:20]!r}")
    whole, _, part = text.strip().partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or "0")


def yuan(fen: int) -> str:
    """Fen as yuan with two places."""
    return f"{fen // 100}.{fen % 100:02d}"


def checked(file: PaymentFile, count: int, total_fen: int) -> PaymentFile:
    """The file, whose own control figures hold. Raises FileRefused."""
    if not file.orders:
        raise FileRefused("NARR", "文件中没有明细")
    if len(file.orders) != count:
        raise FileRefused("AM19", f"笔数不符：汇总 {count} 笔，明细 {len(file.orders)} 笔")
    if file.fen != total_fen:
        raise FileRefused("AM10", f"金额不符：汇总 {yuan(total_fen)} 元，明细 {yuan(file.fen)} 元")
    if any(order.fen <= 0 for order in file.orders):
        raise FileRefused("AM01", "金额必须大于零")
    return file
