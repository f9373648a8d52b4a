"""Writes what the bank tells: pain.002.001.10 (status of a file) and camt.053.001.08 (a day's statement), ISO 20022."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime
from io import BytesIO
from typing import Any

from lxml import etree

from simulated_bank.book import Received, Result
from simulated_bank.orders import yuan

PAIN_002 = "urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"
CAMT_053 = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


class _Xml:
    """Elements written one after another: a report of a hundred thousand orders is never a tree in memory."""

    def __init__(self, out: BytesIO, namespace: str) -> None:
        self._file, self._namespace = etree.xmlfile(out, encoding="UTF-8"), namespace
        self._writer: Any = None

    @contextmanager
    def document(self) -> Iterator[None]:
        with self._file as self._writer:
            self._writer.write_declaration()
            with self._writer.element("Document", nsmap={None: self._namespace}):
                yield

    @contextmanager
    def within(self, *names: str, **attributes: str) -> Iterator[None]:
        with self._writer.element(names[0], **attributes):
            if names[1:]:
                with self.within(*names[1:]):
                    yield
            else:
                yield

    def text(self, path: str, value: str, **attributes: str) -> None:
        *outer, name = path.split("/")
        element = etree.Element(name, attributes)
        element.text = value
        for wrapper in reversed(outer):
            parent = etree.Element(wrapper)
            parent.append(element)
            element = parent
        self._writer.write(element)


def status(received: Received, *, pending: bool, repeated: bool) -> bytes:
    """The status report of a file; all of its orders are under way where `pending`, and told twice where `repeated`.

    ACSC: done, RJCT: rejected, PDNG: under way. What came back later is in the statement, not here.
    """
    out = BytesIO()
    xml = _Xml(out, PAIN_002)
    results = [result for result in received.results if result.status != "returned"]
    rejected = sum(result.status == "rejected" for result in results)
    group = "ACSP" if pending else "RJCT" if rejected == len(results) else "PART" if rejected else "ACSC"
    with xml.document(), xml.within("CstmrPmtStsRpt"):
        with xml.within("GrpHdr"):
            xml.text("MsgId", f"ST{received.file.message}"[:35])
            xml.text("CreDtTm", _now())
        with xml.within("OrgnlGrpInfAndSts"):
            xml.text("OrgnlMsgId", received.file.message)
            xml.text("OrgnlMsgNmId", received.format)
            xml.text("GrpSts", group)
        with xml.within("OrgnlPmtInfAndSts"):
            xml.text("OrgnlPmtInfId", received.file.message)
            for result in (*results, *results) if repeated else results:
                _order_status(xml, result, pending=pending)
    return out.getvalue()


def _order_status(xml: _Xml, result: Result, *, pending: bool) -> None:
    with xml.within("TxInfAndSts"):
        xml.text("OrgnlInstrId", result.order.instruction)
        xml.text("OrgnlEndToEndId", result.order.end_to_end)
        xml.text("TxSts", "PDNG" if pending else "RJCT" if result.status == "rejected" else "ACSC")
        if result.status == "rejected" and not pending:
            with xml.within("StsRsnInf"):
                xml.text("Rsn/Cd", result.code)
                xml.text("AddtlInf", result.reason)
        if result.status == "done" and not pending:
            xml.text("AccptncDtTm", result.at.isoformat(timespec="seconds"))


def statement(account: str, day: date, entries: Sequence[tuple[Result, int]], closing_fen: int) -> bytes:
    """The statement of an account for a day: opening and closing balance, and each movement with the customer's references."""
    out = BytesIO()
    xml = _Xml(out, CAMT_053)
    opening = closing_fen - sum(sign * result.order.fen for result, sign in entries)
    with xml.document(), xml.within("BkToCstmrStmt"):
        with xml.within("GrpHdr"):
            xml.text("MsgId", f"CAMT{day:%Y%m%d}")
            xml.text("CreDtTm", _now())
        with xml.within("Stmt"):
            xml.text("Id", f"{day:%Y%m%d}-{account}"[:35])
            xml.text("CreDtTm", _now())
            xml.text("Acct/Id/Othr/Id", account)
            for code, fen in (("OPBD", opening), ("CLBD", closing_fen)):
                with xml.within("Bal"):
                    xml.text("Tp/CdOrPrtry/Cd", code)
                    xml.text("Amt", yuan(abs(fen)), Ccy="CNY")
                    xml.text("CdtDbtInd", "CRDT" if fen >= 0 else "DBIT")
                    xml.text("Dt/Dt", day.isoformat())
            for number, (result, sign) in enumerate(entries, 1):
                _entry(xml, number, result, sign, day)
    return out.getvalue()


def _entry(xml: _Xml, number: int, result: Result, sign: int, day: date) -> None:
    order = result.order
    with xml.within("Ntry"):
        xml.text("NtryRef", f"{day:%Y%m%d}{number:08d}")
        xml.text("Amt", yuan(order.fen), Ccy="CNY")
        xml.text("CdtDbtInd", "CRDT" if sign > 0 else "DBIT")
        xml.text("Sts/Cd", "BOOK")
        xml.text("BookgDt/Dt", day.isoformat())
        xml.text("BkTxCd/Prtry/Cd", "RETURN" if sign > 0 else "TRANSFER")
        with xml.within("NtryDtls", "TxDtls"):
            with xml.within("Refs"):
                xml.text("InstrId", order.instruction)
                xml.text("EndToEndId", order.end_to_end)
            xml.text("RltdPties/CdtrAcct/Id/Othr/Id", order.account)
            if sign > 0:
                with xml.within("RtrInf"):
                    xml.text("Rsn/Cd", result.code)
                    xml.text("AddtlInf", result.reason)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
