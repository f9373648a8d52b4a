"""Reads camt.053.001.08 (ISO 20022 bank to customer statement): one account, one day, balances that its bookings explain."""

from collections.abc import Sequence
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
    """Each transaction of an entry (TxDtls; several in a batch booking).

    Where they do not come to the entry's amount, it is one booking of an order that nobody knows, for a person to look at.
    """
    signed, reference = _signed(element), text(element, "NtryRef")
    it.net_fen += signed
    details = element.findall(f"{{{NAMESPACE}}}NtryDtls/{{{NAMESPACE}}}TxDtls")
    parts = _parts(details, signed)
    if parts is None:
        ours = any(text(one, "Refs/InstrId") for one in details)
        _line(it, element, None, signed, ours=ours, entry=reference)
        return
    for number, (one, fen) in enumerate(zip(details, parts, strict=True), 1):
        # Numbered, so that one instruction twice in a batch is seen to be booked twice.
        entry = reference if len(details) == 1 else f"{reference}/{number}"
        _line(it, element, one, fen, ours=bool(text(one, "Refs/InstrId")), entry=entry)


def _parts(details: Sequence[Element], signed: int) -> Sequence[int] | None:
    """The signed fen of each transaction; None where one's are not told, or they do not come to the entry's."""
    told = [one.find(f"{{{NAMESPACE}}}Amt") is not None for one in details]
    if told == [False]:
        return [signed]
    if not all(told):
        return None
    parts = [_signed(one, side=CREDIT if signed > 0 else DEBIT) for one in details]
    return parts if sum(parts) == signed else None


def _line(it: _Reading, element: Element, details: Element | None, signed: int, *, ours: bool, entry: str) -> None:
    place = len(it.words) + len(it.others) + 1
    if place > LINES_MAX:
        raise BankFileUnreadable("too-many")
    if not ours:
        it.others.append((place, signed))
        return
    returned = signed > 0
    reason = _told(details, "RtrInf/AddtlInf") or None
    code = _told(details, "RtrInf/Rsn/Cd")
    if code in ("", OTHER) and reason is not None:
        code = code_of(reason)
    it.words.append(
        Said(
            place=place,
            instruction=_told(details, "Refs/InstrId"),
            entitlement=_told(details, "Refs/EndToEndId"),
            outcome=Outcome.returned if returned else Outcome.paid,
            fen=abs(signed),
            day=day_of(text(element, "BookgDt/Dt"), element),
            code=(code or OTHER) if returned else None,
            reason=reason,
            entry=entry,
        )
    )


def _told(details: Element | None, path: str) -> str:
    return "" if details is None else text(details, path)


def _signed(element: Element, *, zero: bool = False, side: str = "") -> int:
    """Fen, credit positive; `side`: where the element names none."""
    place = line_of(element)
    amount = element.find(f"{{{NAMESPACE}}}Amt")
    if amount is None or amount.get("Ccy") != "CNY":
        raise BankFileUnreadable("currency", place)
    fen, side = fen_of(amount.text or "", place, zero=zero), text(element, "CdtDbtInd") or side
    if side not in (CREDIT, DEBIT):
        raise BankFileUnreadable("side", place)
    return fen if side == CREDIT else -fen


def _within(element: Element, name: str) -> bool:
    parent = element.getparent()
    return parent is not None and parent.tag == f"{{{NAMESPACE}}}{name}"
