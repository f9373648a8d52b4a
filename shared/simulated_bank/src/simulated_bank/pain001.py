"""Reads pain.001.001.09 (ISO 20022 customer credit transfer initiation)."""

from collections.abc import Iterator
from datetime import date
from io import BytesIO

from lxml import etree

from simulated_bank.orders import FileRefused, Order, PaymentFile, checked, fen_of

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_NS = {"p": NAMESPACE}
_Element = etree._Element


def read(data: bytes) -> PaymentFile:
    """The orders of a file of one debtor account. Raises FileRefused where it is none, or its control figures do not hold."""
    root: _Element | None = None
    header: dict[str, str] = {}
    orders: list[Order] = []
    debtors: set[str] = set()
    days: set[str] = set()
    try:
        # Entities, document types and the network are refused: a file from a customer is not to be trusted.
        events = etree.iterparse(
            BytesIO(data), events=("start", "end"), resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
        )
        for event, element in events:
            if root is None:
                root = element
                if element.getroottree().docinfo.doctype or element.tag != f"{{{NAMESPACE}}}Document":
                    raise FileRefused("FF01", "不是 pain.001.001.09 文件")
            if event == "start":
                continue
            name = etree.QName(element).localname
            if name == "GrpHdr":
                header = {field: _text(element, f"p:{field}") for field in ("MsgId", "NbOfTxs", "CtrlSum")}
            elif name == "PmtInf":
                debtors.add(_text(element, "p:DbtrAcct/p:Id/p:Othr/p:Id"))
                days.add(_text(element, "p:ReqdExctnDt/p:Dt"))
                element.clear()
            elif name == "CdtTrfTxInf":
                orders.append(_order(element))
                element.clear()
    except etree.XMLSyntaxError as error:
        raise FileRefused("FF01", f"XML 格式错误（第 {error.lineno} 行）") from error
    if len(debtors) != 1 or len(days) != 1:
        raise FileRefused("NARR", "每个文件只能有一个付款账户和一个执行日")
    try:
        [account], [day] = debtors, days
        file = PaymentFile(header["MsgId"], account, date.fromisoformat(day), tuple(orders))
        return checked(file, int(header["NbOfTxs"]), fen_of(header["CtrlSum"]))
    except (KeyError, ValueError) as error:
        raise FileRefused("FF01", "文件头缺少必填项") from error


def _order(element: _Element) -> Order:
    amount = _one(element, "p:Amt/p:InstdAmt")
    if amount.get("Ccy") != "CNY":
        raise FileRefused("AM03", f"币种不支持：{str(amount.get('Ccy'))[:3]}")
    return Order(
        _text(element, "p:PmtId/p:InstrId"),
        _text(element, "p:PmtId/p:EndToEndId"),
        fen_of(amount.text or ""),
        _text(element, "p:CdtrAcct/p:Id/p:Othr/p:Id"),
        _text(element, "p:Cdtr/p:Nm"),
        "".join(_texts(element, "p:RmtInf/p:Ustrd")),
    )


def _one(element: _Element, path: str) -> _Element:
    found = element.find(path, _NS)
    if found is None:
        raise FileRefused("FF01", f"缺少 {path.replace('p:', '')}")
    return found


def _text(element: _Element, path: str) -> str:
    return (_one(element, path).text or "").strip()


def _texts(element: _Element, path: str) -> Iterator[str]:
    for found in element.iterfind(path, _NS):
        yield found.text or ""
