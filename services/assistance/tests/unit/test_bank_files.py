"""Files to the bank and from it: the simulated bank, which shares no code, takes ours; whatever comes back is read or refused by kind."""

from contextlib import suppress
from dataclasses import replace
from datetime import date
from io import BytesIO
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import simulated_bank.template as their_template
from assistance.bank import camt053, files, pain001, pain002, template
from assistance.bank.amounts import fen_of, yuan
from assistance.bank.errors import BankFileUnreadable, FileNotRendered
from assistance.bank.pain001 import NAMESPACE
from assistance.bank.port import Order, PaymentFile
from assistance.bank.reasons import code_of, kind_of, lies_with_account, reasons
from assistance.bank.words import Outcome, Report, Statement
from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import Channel
from hypothesis import given
from hypothesis import strategies as some
from openpyxl import Workbook
from pyiso20022.pain import pain_001_001_09 as iso  # type: ignore[import-untyped]  # the package has no types
from simulated_bank import pain001 as their_pain001
from simulated_bank.behaviour import Behaviour
from simulated_bank.book import Account, AccountState, Book
from simulated_bank.reports import statement, status
from xsdata.formats.dataclass.parsers import XmlParser

OWN, DAY = "3709000000000001", date(2026, 11, 20)
ENTITLEMENTS = tuple(f"{number:032x}" for number in range(1, 4))


def order(number: int, name: str = "王伟", fen: int = 200_000, account: str | None = None) -> Order:
    return Order(
        f"{number + 100:032x}", f"{number:032x}", fen, BankAccount(bank="农业银行", name=name, number=account or f"62284800000{number:05d}")
    )


FILE = PaymentFile("b" * 32, OWN, "泰安市总工会", "泰安银行", DAY, (order(1), order(2, "阿依古丽·买买提", 1), order(3, "𠮷<&>\"'", 99)))


def test_the_bank_reads_what_we_write() -> None:
    for theirs in (their_pain001.read(pain001.write(FILE)), their_template.read(template.write(FILE))):
        assert (theirs.message, theirs.debtor_account, theirs.execute_on, theirs.fen) == (FILE.message, OWN, DAY, 200_100)
        assert [(one.instruction, one.end_to_end, one.fen, one.name, one.account) for one in theirs.orders] == [
            (one.instruction, one.entitlement, one.fen, one.account.name, one.account.number) for one in FILE.orders
        ]


@pytest.mark.parametrize("channel", list(Channel))
def test_the_same_payments_are_the_same_bytes(channel: Channel) -> None:
    assert files.write(FILE, channel) == files.write(replace(FILE, orders=list(FILE.orders)), channel)
    assert files.write(FILE, channel) != files.write(replace(FILE, orders=FILE.orders[::-1]), channel)


def test_a_filled_in_transfer_is_what_the_library_would_have_written() -> None:
    read = XmlParser().from_bytes(pain001.write(FILE), iso.Document)
    transfers = read.cstmr_cdt_trf_initn.pmt_inf[0].cdt_trf_tx_inf
    assert [one.cdtr.nm for one in transfers] == [one.account.name for one in FILE.orders]
    assert [str(one.amt.instd_amt.value) for one in transfers] == [yuan(one.fen) for one in FILE.orders]


@pytest.mark.parametrize(
    ("name", "rule"), [("王\x00伟", "characters"), ("王" * 141, "format"), ("", "format"), ("\x1b", "characters"), ("\udc80", "characters")]
)
def test_what_does_not_fit_the_schema_is_not_written(name: str, rule: str) -> None:
    many = [order(number) for number in range(1, 1_000)]
    for orders in ([order(1, name)], [*many, order(1_000, name)], [order(1_000, name), *many]):
        with pytest.raises(FileNotRendered) as refused:
            pain001.write(replace(FILE, orders=orders))
        assert refused.value.members["rule"] == rule
        assert name not in str(refused.value) or not name


def test_a_file_without_transfers_is_not_written() -> None:
    with pytest.raises(FileNotRendered):
        pain001.write(replace(FILE, orders=()))


def test_a_long_file_is_written_in_pieces_that_are_let_go() -> None:
    orders = [order(number) for number in range(1, 2_001)]
    pieces = list(pain001.pieces(replace(FILE, orders=orders)))
    assert (len(pieces), max(map(len, pieces)) < 100_000) == (12, True)
    assert [one.end_to_end for one in their_pain001.read(b"".join(pieces)).orders] == [one.entitlement for one in orders]


@pytest.mark.parametrize("place", pain001._PLACES)
def test_a_name_cannot_take_another_fields_place(place: str) -> None:
    theirs = their_pain001.read(pain001.write(replace(FILE, orders=(order(1, place),))))
    assert (theirs.orders[0].name, theirs.orders[0].account) == (place, "6228480000000001")


@pytest.fixture
def book(tmp_path: Path) -> Book:
    """The bank after our file: the second account is dormant; each third transfer comes back."""
    book = Book(tmp_path / "log.jsonl", Behaviour(returned_every=2))
    book.open_accounts(
        [Account(OWN, "泰安市总工会", fen=10_000_000), Account("6228480000000002", "阿依古丽·买买提", state=AccountState.dormant)]
    )
    book.execute(their_pain001.read(pain001.write(FILE)), "pain.001.001.09")
    return book


def test_reports_are_read(book: Book) -> None:
    report = files.read(status(book.files[FILE.message], pending=False, repeated=False))
    assert isinstance(report, Report)
    assert (report.message, report.refused) == (FILE.message, None)
    assert [(word.instruction, word.entitlement, word.outcome, word.code) for word in report.words] == [
        (FILE.orders[0].instruction, ENTITLEMENTS[0], Outcome.paid, None),
        (FILE.orders[1].instruction, ENTITLEMENTS[1], Outcome.failed, "AC06"),
        (FILE.orders[2].instruction, ENTITLEMENTS[2], Outcome.paid, None),
    ]
    assert report.words[0].day is not None
    waiting = pain002.read(status(book.files[FILE.message], pending=True, repeated=True))
    assert {word.outcome for word in waiting.words} == {Outcome.under_way}


def test_statements_are_read(book: Book) -> None:
    day = book.files[FILE.message].at.date()
    told = files.read(statement(OWN, day, book.statement(OWN, day), book.closing_fen(OWN, day)))
    assert isinstance(told, Statement)
    assert [(word.entitlement, word.outcome, word.fen, word.code) for word in told.words] == [
        (ENTITLEMENTS[0], Outcome.paid, 200_000, None),
        (ENTITLEMENTS[2], Outcome.paid, 99, None),
        (ENTITLEMENTS[2], Outcome.returned, 99, "AC04"),
    ]
    assert (told.paid_fen, told.opening_fen - told.closing_fen) == (200_000, 200_000)


def test_return_sheets_are_read() -> None:
    theirs = their_template.read(template.write(FILE))
    one, two, three = theirs.orders
    sheet = their_template.answer(theirs, [(one, "成功", ""), (two, "失败", "收款账户为睡眠户"), (three, "处理中", "")])
    report = files.read(sheet)
    assert isinstance(report, Report)
    assert [(word.instruction, word.outcome, word.code, word.fen) for word in report.words] == [
        (one.instruction, Outcome.paid, None, 200_000),
        (two.instruction, Outcome.failed, "AC06", 1),
        (three.instruction, Outcome.under_way, None, 99),
    ]


@pytest.mark.parametrize(
    ("words", "code", "kind"),
    [
        ("户名与账号不符", "BE01", "name-mismatch"),
        ("他行退汇：账户状态异常", "AC04", "account-closed"),
        ("收款账户为睡眠户", "AC06", "account-dormant"),
        ("超出收款账户限额", "AM14", "account-limited"),
        ("付款账户余额不足", "AM04", "own-funds"),
        ("今日天气不好", "NARR", "failed"),
    ],
)
def test_the_banks_words_have_codes(words: str, code: str, kind: str) -> None:
    assert (code_of(words), kind_of(code)) == (code, kind)


def test_no_word_means_two_things() -> None:
    words = [word for reason in reasons().values() for word in reason.words]
    assert len(set(words)) == len(words)
    assert not lies_with_account("AC02"), "the account that pays is not the payee's"


# ------------------------------------------------------------------------------------------------------ hostile files

REPORT = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><GrpHdr><MsgId>s</MsgId></GrpHdr>
<OrgnlGrpInfAndSts><OrgnlMsgId>{message}</OrgnlMsgId><GrpSts>{status}</GrpSts></OrgnlGrpInfAndSts>{more}</CstmrPmtStsRpt></Document>"""
STATEMENT = """<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt><Acct><Id><Othr><Id>{account}</Id>
</Othr></Id></Acct>{opening}{closing}{more}</Stmt></BkToCstmrStmt></Document>"""


def balance(code: str, amount: str, currency: str = "CNY") -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='{currency}'>{amount}</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
        "<Dt><Dt>2026-11-20</Dt></Dt></Bal>"
    )


def entry(amount: str, side: str = "DBIT") -> str:
    return (
        f"<Ntry><Amt Ccy='CNY'>{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-20</Dt></BookgDt>"
        "<NtryDtls><TxDtls><Refs><InstrId>i</InstrId><EndToEndId>e</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>"
    )


def told(closing: str = "90.00", more: str = "", opening: str = "100.00", account: str = OWN) -> bytes:
    return STATEMENT.format(account=account, opening=balance("OPBD", opening), closing=balance("CLBD", closing), more=more).encode()


def batch_booked(*said: tuple[str, str], amount: str = "10.00", side: str = "DBIT") -> bytes:
    """A statement whose one entry holds a transaction for each (instruction, XML of its amount)."""
    details = "".join(
        f"<TxDtls><Refs><InstrId>{one}</InstrId><EndToEndId>e{one}</EndToEndId></Refs>{told}</TxDtls>".replace("<InstrId></InstrId>", "")
        for one, told in said
    )
    booked = "<Sts><Cd>BOOK</Cd></Sts><BookgDt><Dt>2026-11-20</Dt></BookgDt>"
    more = (
        f"<Ntry><NtryRef>7</NtryRef><Amt Ccy='CNY'>{amount}</Amt><CdtDbtInd>{side}</CdtDbtInd>{booked}<NtryDtls>{details}</NtryDtls></Ntry>"
    )
    return told("90.00" if side == "DBIT" else "110.00", more)


def yuan_of(amount: str, side: str = "") -> str:
    return f"<Amt Ccy='CNY'>{amount}</Amt>" + (f"<CdtDbtInd>{side}</CdtDbtInd>" if side else "")


@pytest.mark.parametrize(("side", "outcome"), [("DBIT", Outcome.paid), ("CRDT", Outcome.returned)])
def test_a_batch_booking_is_read_one_by_one(side: str, outcome: Outcome) -> None:
    said = camt053.read(batch_booked(("1", yuan_of("6.00", side)), ("2", yuan_of("3.00")), ("", yuan_of("1.00")), side=side))
    assert [(one.place, one.instruction, one.entitlement, one.outcome, one.fen, one.entry) for one in said.words] == [
        (1, "1", "e1", outcome, 600, "7/1"),
        (2, "2", "e2", outcome, 300, "7/2"),
    ]
    assert said.others == ((3, -100 if side == "DBIT" else 100),)
    assert abs(said.paid_fen) == 900


def test_both_ways_in_one_booking() -> None:
    said = camt053.read(batch_booked(("1", yuan_of("12.00", "DBIT")), ("2", yuan_of("2.00", "CRDT"))))
    assert [(one.outcome, one.fen) for one in said.words] == [(Outcome.paid, 1_200), (Outcome.returned, 200)]
    assert said.paid_fen == 1_000


@pytest.mark.parametrize(
    "said",
    [
        (("1", yuan_of("6.00")), ("2", yuan_of("3.99"))),
        (("1", yuan_of("6.00")), ("2", "")),
        (("1", yuan_of("10.00")), ("2", yuan_of("10.00"))),
        (("1", yuan_of("6.00")),),
        (("", yuan_of("1.00")), ("2", "")),
    ],
    ids=["a fen short", "no amount", "each the whole", "one of several told", "reference in the second"],
)
def test_what_does_not_come_to_its_entry_is_nobodys_order(said: tuple[tuple[str, str], ...]) -> None:
    read = camt053.read(batch_booked(*said))
    assert [(one.instruction, one.entitlement, one.fen) for one in read.words] == [("", "", 1_000)]
    assert read.paid_fen == 1_000, "the day does not agree until it is explained"


LAUGHS = b'<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]><Document>&b;</Document>'
OUTSIDE = b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><Document>&a;</Document>'


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "empty"),
        (b"\x00\x01", "xml"),
        (b"<Document", "kind"),
        (b"<Document/>", "kind"),
        (LAUGHS, "doctype"),
        (OUTSIDE, "doctype"),
        (b"<a>" * 100_000, "kind"),
        (REPORT.format(message="m", status="ACSC", more="<x>" * 60 + "</x>" * 60).encode(), "depth"),
        (REPORT.format(message="m", status="ACSC", more="<x>" * 5_000 + "</x>" * 5_000).encode(), "depth"),
        (REPORT.format(message="", status="ACSC", more="").encode(), "no-message"),
        (REPORT.format(message="x" * 3_000, status="ACSC", more="").encode(), "too-long"),
        (REPORT.format(message="m", status="ACSC", more="").encode()[:-30], "xml"),
        (told("80.00", entry("10.00")), "totals"),
        (told("110.00", entry("10.00")), "totals"),
        (told("90.00", entry("-10.00")), "amount"),
        (told("90.00", entry("1e1")), "amount"),
        (told("90.00", entry("9" * 30)), "amount"),
        (told("90.00", entry("10.001")), "amount"),
        (told("90.00", entry("NaN")), "amount"),
        (told("90.00", entry("10.00", "?")), "side"),
        (told("90.00", entry("10.00"), account=""), "no-statement"),
        (told("90.00", entry("10.00")).replace(b"2026-11-20</Dt></Dt></Bal>", b"2026-13-40</Dt></Dt></Bal>"), "day"),
        (told("90.00", entry("10.00")).replace(b"CNY", b"USD"), "currency"),
        (told("90.00", balance("CLBD", "90.00")), "twice"),
        (b"PK\x03\x04 nothing", "excel"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_read_is_refused_by_kind(data: bytes, rule: str) -> None:
    with pytest.raises(BankFileUnreadable) as refused:
        files.read(data)
    assert refused.value.rule == rule


def workbook(formula: bool = False) -> bytes:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["批次号", "b" * 32])
    sheet.append(list(template.ANSWER_HEADINGS))
    sheet.append(["1", "i", "e", "王伟", "6222", "=1+1" if formula else "2.00", "", "成功", ""])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


def with_entry(name: str, content: bytes, base: bytes | None = None) -> bytes:
    out = BytesIO(base or workbook())
    with ZipFile(out, "a", ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (workbook(formula=True), "formulas"),
        (with_entry("xl/vbaProject.bin", b"x"), "macros"),
        (with_entry("xl/macrosheets/sheet1.xml", b"x"), "macros"),
        (with_entry("xl/media/big", b"\0" * 50_000_000), "bomb"),
        (workbook()[:-100], "excel"),
        (template.write(FILE), "kind"),
    ],
    ids=["formula", "macros", "macro sheet", "bomb", "cut", "not a return sheet"],
)
def test_workbooks_that_are_not_taken(data: bytes, rule: str) -> None:
    with pytest.raises(BankFileUnreadable) as refused:
        files.read(data)
    assert refused.value.rule == rule


def test_the_sheet_without_anything_wrong_is_taken() -> None:
    report = files.read(workbook())
    assert isinstance(report, Report)
    assert report.words[0].fen == 200


@given(some.binary(max_size=400))
def test_noise_is_refused(data: bytes) -> None:
    for wrapped in (data, b"PK" + data, REPORT.format(message="m", status="ACSC", more="@").encode().replace(b"@", data)):
        with suppress(BankFileUnreadable):
            files.read(wrapped)


@given(some.integers(min_value=1, max_value=10**13))
def test_amounts_there_and_back(fen: int) -> None:
    assert fen_of(yuan(fen)) == fen


def test_the_namespaces_are_those_of_the_versions() -> None:
    assert (NAMESPACE[-15:], pain002.NAMESPACE[-15:], camt053.NAMESPACE[-15:]) == ("pain.001.001.09", "pain.002.001.10", "camt.053.001.08")
