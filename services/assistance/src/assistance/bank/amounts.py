"""Fen and the yuan of files."""

import re

from assistance.bank.errors import BankFileUnreadable

FEN_MAX = 10**13
"""A hundred thousand million yuan; no amount of a bank's file is more."""

_AMOUNT = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,5})?")


def yuan(fen: int) -> str:
    """Fen as yuan with two places."""
    return f"{fen // 100}.{fen % 100:02d}"


def fen_of(text: str, place: int = 0, *, zero: bool = False) -> int:
    """Fen of a plain decimal in yuan: no sign, no exponent, nothing below a fen. Raises BankFileUnreadable."""
    match = _AMOUNT.fullmatch(text.strip())
    if match is None:
        raise BankFileUnreadable("amount", place)
    part = (match[2] or "")[1:]
    if part[2:].strip("0"):
        raise BankFileUnreadable("amount", place)
    fen = int(match[1]) * 100 + int(part[:2].ljust(2, "0"))
    if fen > FEN_MAX or (fen == 0 and not zero):
        raise BankFileUnreadable("amount", place)
    return fen
