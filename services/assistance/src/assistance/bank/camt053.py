"""Reads camt.053.001.08 (ISO 20022 bank to customer statement): one account, one day, balances that its bookings explain."""

from dataclasses import dataclass, field
from datetime import date

from assistance.bank.amounts import fen_of
from assistance.bank.errors import BankFileUnreadable
from assistance.bank.pain002 import LINES_MAX, day_of
from assistance.bank.reasons import OTHER, code_of
from assistance.bank.words import Outcome, Said, Statement
from assistance.bank.xml import Element, elements, line_of, text

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"
BOOKED = "BOOK"
CREDIT, DEBIT = "CRDT", "DBIT"


@dataclass(slots=True)
class _Reading:
    account: str = ""
    statements: int = 0
    balances: dict[str, tuple[int, str]] = field(default_factory=dict)
    words: list[Said] = field(default_factory=list)
    others: list[tuple[int, int]] = field(default_factory=list)
    net_fen: int = 0


def read(data: bytes) -> Statement:
    """The statement. Raises BankFileUnreadable, also where opening balance and bookings do not come to the closing balance."""
    it = _Reading()

    def account(element: Element) -> None:
        if _within(element, "Stmt"):
            it.account = text(element, "Id/Othr/Id") or text(element, "Id/IBAN")

    def balance(element: Element) -> None:
        code = text(element, "Tp/CdOrPrtry/Cd")
        if code in it.balances:
            raise BankFileUnreadable("twice", line_of(element))
        it.balances[code] = (_signed(element, zero=True), text(element, "Dt/Dt"))

    def entry(element: Element) -> None:
        if text(element, "Sts/Cd") == BOOKED:
            _book(it, element)

    def statement(_: Element) -> None:
        it.statements += 1

    elements(data, NAMESPACE, {"Acct": account, "Bal": balance, "Ntry": entry, "Stmt": statement})
    if it.statements != 1 or not it.account or {"OPBD", "CLBD"} - it.balances.keys():
        raise BankFileUnreadable("no-statement")
    (opening, _), (closing, said) = it.balances["OPBD"], it.balances["CLBD"]
    if opening + it.net_fen != closing:
        raise BankFileUnreadable("totals")
    try:
        day = date.fromisoformat(said[:10])
    except ValueError:
        raise BankFileUnreadable("day") from None
    return Statement(it.account, day, opening, closing, tuple(it.words), tuple(it.others))


def _book(it: _Reading, element: Element) -> None:
    place, signed = len(it.words) + len(it.others) + 1, _signed(element)
    it.net_fen += signed
    details = element.find(f"{{{NAMESPACE}}}NtryDtls/{{{NAMESPACE}}}TxDtls")
    instruction = "" if details is None else text(details, "Refs/InstrId")
    if len(it.words) + len(it.others) >= LINES_MAX:
        raise BankFileUnreadable("too-many")
    if details is None or not instruction:
        it.others.append((place, signed))
        return
    returned = signed > 0
    reason = text(details, "RtrInf/AddtlInf") or None
    code = text(details, "RtrInf/Rsn/Cd")
    if code in ("", OTHER) and reason is not None:
        code = code_of(reason)
    it.words.append(
        Said(
            place=place,
            instruction=instruction,
            entitlement=text(details, "Refs/EndToEndId"),
            outcome=Outcome.returned if returned else Outcome.paid,
            fen=abs(signed),
            day=day_of(text(element, "BookgDt/Dt"), element),
            code=(code or OTHER) if returned else None,
            reason=reason,
            entry=text(element, "NtryRef"),
        )
    )


def _signed(element: Element, *, zero: bool = False) -> int:
    place = line_of(element)
    amount = element.find(f"{{{NAMESPACE}}}Amt")
    if amount is None or amount.get("Ccy") != "CNY":
        raise BankFileUnreadable("currency", place)
    fen, side = fen_of(amount.text or "", place, zero=zero), text(element, "CdtDbtInd")
    if side not in (CREDIT, DEBIT):
        raise BankFileUnreadable("side", place)
    return fen if side == CREDIT else -fen


def _within(element: Element, name: str) -> bool:
    parent = element.getparent()
    return parent is not None and parent.tag == f"{{{NAMESPACE}}}{name}"
