"""Reads pain.002.001.10 (ISO 20022 customer payment status report)."""

from datetime import date

from assistance.bank.errors import BankFileUnreadable
from assistance.bank.reasons import OTHER, code_of
from assistance.bank.words import Outcome, Report, Said
from assistance.bank.xml import Element, elements, line_of, text

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"
LINES_MAX = 200_000
REJECTED = "RJCT"

_OUTCOMES = {"ACSC": Outcome.paid, "ACCC": Outcome.paid, REJECTED: Outcome.failed}
"""Settled on the debtor's or the creditor's account, and rejected; everything else is under way (ExternalPaymentTransactionStatus1Code)."""


def read(data: bytes) -> Report:
    """The report. Raises BankFileUnreadable."""
    words: list[Said] = []
    group: dict[str, str] = {}

    def head(element: Element) -> None:
        if group:
            raise BankFileUnreadable("twice", line_of(element))
        group.update(message=text(element, "OrgnlMsgId"), status=text(element, "GrpSts"), code=text(element, "StsRsnInf/Rsn/Cd"))

    def line(element: Element) -> None:
        words.append(_said(element, len(words) + 1))
        if len(words) > LINES_MAX:
            raise BankFileUnreadable("too-many")

    elements(data, NAMESPACE, {"OrgnlGrpInfAndSts": head, "TxInfAndSts": line})
    if not group.get("message"):
        raise BankFileUnreadable("no-message")
    refused = (group["code"] or OTHER) if group["status"] == REJECTED and not words else None
    return Report(group["message"], tuple(words), refused)


def _said(element: Element, place: int) -> Said:
    outcome = _OUTCOMES.get(text(element, "TxSts"), Outcome.under_way)
    reason = text(element, "StsRsnInf/AddtlInf") or None
    code = text(element, "StsRsnInf/Rsn/Cd")
    if code in ("", OTHER) and reason is not None:
        code = code_of(reason)
    return Said(
        place=place,
        instruction=text(element, "OrgnlInstrId"),
        entitlement=text(element, "OrgnlEndToEndId"),
        outcome=outcome,
        day=day_of(text(element, "AccptncDtTm"), element) if outcome is Outcome.paid else None,
        code=(code or OTHER) if outcome is Outcome.failed else None,
        reason=reason,
    )


def day_of(said: str, element: Element) -> date | None:
    """A day, None where none is said. Raises BankFileUnreadable."""
    if not said:
        return None
    try:
        return date.fromisoformat(said[:10])
    except ValueError:
        raise BankFileUnreadable("day", line_of(element)) from None
