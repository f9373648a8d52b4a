"""The bank's book: an append-only log of lines, and the accounts and files as they follow from it.

What is in the log has happened at the bank, whatever anybody was told. A process that starts again reads it from the beginning.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from simulated_bank.behaviour import Behaviour, falls_on
from simulated_bank.orders import FileRefused, Order, PaymentFile


class AccountState(StrEnum):
    """What an account can be."""

    open = "open"
    dormant = "dormant"  # 睡眠户
    limited = "limited"  # 限额账户
    frozen = "frozen"  # 冻结
    closed = "closed"  # 销户


REASONS: Mapping[str, tuple[str, str]] = {
    "unknown": ("AC01", "账号不存在"),
    "dormant": ("AC06", "收款账户为睡眠户"),
    "limited": ("AM14", "超出收款账户限额"),
    "frozen": ("AC06", "收款账户已冻结"),
    "closed": ("AC04", "收款账户已销户"),
    "name": ("BE01", "户名与账号不符"),
    "funds": ("AM04", "付款账户余额不足"),
    "chance": ("NARR", "系统繁忙，交易失败"),
    "returned": ("AC04", "他行退汇：账户状态异常"),
}
"""ISO 20022 external status reason codes, with the bank's words."""


@dataclass(slots=True)
class Account:
    """An account as it stands; money in fen. `limit_fen` is the most that one transfer may bring to a limited account."""

    account: str
    name: str
    state: AccountState = AccountState.open
    fen: int = 0
    limit_fen: int = 0


class Result(NamedTuple):
    """What became of one order. `status` is done, rejected or returned; `at` is when, in UTC."""

    order: Order
    status: str
    code: str
    reason: str
    at: datetime


@dataclass(slots=True)
class Received:
    """A file that the bank has taken."""

    file: PaymentFile
    format: str
    at: datetime
    results: list[Result] = field(default_factory=list)


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


class Book:
    """The bank's state. Not for threads: its methods do not wait, so one event loop calls them one after another."""

    def __init__(self, path: Path, behaviour: Behaviour, now: Callable[[], datetime] = utc_now) -> None:
        self.behaviour, self.now = behaviour, now
        self.accounts: dict[str, Account] = {}
        self.files: dict[str, Received] = {}
        self.disowned: set[str] = set()
        self._counts: Counter[str] = Counter()
        path.touch()
        for line in path.read_bytes().splitlines():
            self._apply(json.loads(line))
        self.path = path

    def open_accounts(self, accounts: Iterable[Account]) -> None:
        """Open accounts, or change those that are there."""
        self._write({"kind": "account", **asdict(account)} for account in accounts)

    def count(self, what: str) -> int:
        """One more of something; how many there are now."""
        self._counts[what] += 1
        return self._counts[what]

    def execute(self, file: PaymentFile, format: str) -> None:
        """Take a file and carry out its orders, all of it in the log before this returns. Raises FileRefused."""
        if file.message in self.disowned:
            raise FileRefused("DS02", f"文件已声明作废：{file.message}")
        if file.message in self.files and not self.behaviour.takes_twice:
            raise FileRefused("DU01", f"重复文件：{file.message}")
        debtor = self.accounts.get(file.debtor_account)
        if debtor is None:
            raise FileRefused("AC02", "付款账户不存在")
        if debtor.fen < file.fen:
            raise FileRefused(*REASONS["funds"])
        received = {"kind": "file", "message": file.message, "format": format, "debtor": file.debtor_account}
        self._write([{**received, "execute_on": file.execute_on.isoformat()}, *self._carried_out(file)])

    def disown(self, message: str) -> bool:
        """State that a file never came, and never take it from now on; False where it did come."""
        if message in self.files:
            return False
        if message not in self.disowned:
            self._write([{"kind": "disowned", "message": message}])
        return True

    def _carried_out(self, file: PaymentFile) -> Iterator[dict[str, Any]]:
        names = {account.account: account.name for account in self.accounts.values()}
        for order in file.orders:
            known = self.accounts.get(order.account)
            line = {"kind": "rejected", "message": file.message, **asdict(order)}
            why = self._obstacle(order, known, names.setdefault(order.account, order.name))
            if why:
                code, reason = REASONS[why]
                yield {**line, "code": code, "reason": reason}
                continue
            yield {**line, "kind": "transferred"}
            if falls_on(self.count("transfer"), self.behaviour.returned_every):
                code, reason = REASONS["returned"]
                yield {**line, "kind": "returned", "code": code, "reason": reason}

    def _obstacle(self, order: Order, known: Account | None, name: str) -> str:
        if falls_on(self.count("order"), self.behaviour.rejected_every):
            return "chance"
        if known is None and not self.behaviour.strangers:
            return "unknown"
        if name != order.name:
            return "name"
        if known is None or known.state is AccountState.open:
            return ""
        return "" if known.state is AccountState.limited and order.fen <= known.limit_fen else known.state.value

    def statement(self, account: str, day: date) -> list[tuple[Result, int]]:
        """What was booked to a customer's account on a day (UTC), in order, with the sign of each: -1 paid, 1 came back."""
        return [(result, sign) for result, sign in self._booked(account) if result.at.date() == day]

    def closing_fen(self, account: str, day: date) -> int:
        """What a customer's account held at the end of a day (UTC)."""
        later = sum(sign * result.order.fen for result, sign in self._booked(account) if result.at.date() > day)
        return self.accounts[account].fen - later

    def _booked(self, account: str) -> Iterator[tuple[Result, int]]:
        for received in self.files.values():
            if received.file.debtor_account == account:
                for result in received.results:
                    if result.status != "rejected":
                        yield result, -1 if result.status == "done" else 1

    # -------------------------------------------------------------------------------------------------------- the log

    def _write(self, lines: Iterable[dict[str, Any]]) -> None:
        at = self.now().isoformat()
        entries = [{"at": at, **line} for line in lines]
        with self.path.open("ab") as log:
            log.write(b"".join(json.dumps(entry, ensure_ascii=False).encode() + b"\n" for entry in entries))
            log.flush()
            os.fsync(log.fileno())
        for entry in entries:
            self._apply(entry)

    def _apply(self, entry: dict[str, Any]) -> None:
        at = datetime.fromisoformat(entry["at"])
        match entry["kind"]:
            case "account":
                said = {name: entry[name] for name in ("account", "name", "fen", "limit_fen")}
                self.accounts[entry["account"]] = Account(**said, state=AccountState(entry["state"]))
            case "file":
                file = PaymentFile(entry["message"], entry["debtor"], date.fromisoformat(entry["execute_on"]), ())
                self.files.setdefault(entry["message"], Received(file, entry["format"], at))
            case "disowned":
                self.disowned.add(entry["message"])
            case "transferred" | "rejected" | "returned" as kind:
                self._settled(entry, "done" if kind == "transferred" else kind, at)

    def _settled(self, entry: dict[str, Any], status: str, at: datetime) -> None:
        order = Order(*(entry[name] for name in ("instruction", "end_to_end", "fen", "account", "name", "purpose")))
        received = self.files[entry["message"]]
        received.results.append(Result(order, status, entry.get("code", ""), entry.get("reason", ""), at))
        if status == "rejected":
            return
        sign = 1 if status == "done" else -1
        self.accounts.setdefault(order.account, Account(order.account, order.name)).fen += sign * order.fen
        self.accounts[received.file.debtor_account].fen -= sign * order.fen
