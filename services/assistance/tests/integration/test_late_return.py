"""A statement of January, after the year was closed: what came back is booked by itself, the day agrees, and it is due still."""

from datetime import UTC, datetime
from pathlib import Path

from assistance.bank.memory import MemoryBank
from assistance.batches.sending import Sender, reconcile
from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.funds.closing import CLOSE_LINE
from assistance.funds.commands import CloseLine, ClosePeriod
from assistance.funds.line import Open
from assistance.ledger.lineage import origins, uses_of
from assistance.payments.payment import PAYMENT, Due
from assistance.payments.standing import due
from assistance.reconciliation.account import PAYMENT_ACCOUNT, Account
from assistance.reconciliation.taking import caught_up, take_in
from node.embedded.postgres import Postgres

from .test_sending import BATCH_ID, COUNTY, FEN, LINE, MAKER, OWN, PEOPLE, all_paid, entitlement, known, released

CLOSED_AT, JANUARY = datetime(2026, 12, 31, 4, tzinfo=UTC), datetime(2027, 1, 5, 4, tzinfo=UTC)
LATER = line_id(COUNTY, 2027, "superior", "aid")
NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def statement(*returned: tuple[str, str]) -> bytes:
    """A camt.053 of the day in January: (instruction, entitlement) each came back."""
    day = f"<BookgDt><Dt>{JANUARY.date()}</Dt></BookgDt>"
    entries = "".join(
        f"<Ntry><NtryRef>{number}</NtryRef><Amt Ccy='CNY'>{FEN // 100}.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>{day}"
        f"<NtryDtls><TxDtls><Refs><InstrId>{instruction}</InstrId><EndToEndId>{of}</EndToEndId></Refs>"
        "<RtrInf><AddtlInf>账户已销户</AddtlInf></RtrInf></TxDtls></NtryDtls></Ntry>"
        for number, (instruction, of) in enumerate(returned)
    )

    def balance(code: str, yuan: int) -> str:
        return (
            f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='CNY'>{yuan}.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
            f"<Dt><Dt>{JANUARY.date()}</Dt></Dt></Bal>"
        )

    balances = balance("OPBD", 10) + balance("CLBD", 10 + len(returned) * FEN // 100)
    account = f"<Acct><Id><Othr><Id>{OWN}</Id></Othr></Id></Acct>"
    return f'<Document xmlns="{NAMESPACE}"><BkToCstmrStmt><Stmt>{account}{balances}{entries}</Stmt></BkToCstmrStmt></Document>'.encode()


async def test_what_came_back_after_closing_is_booked_and_due(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, clock):
        await Sender(MemoryBank()).step(app, BATCH_ID)
        await take_in(app, await all_paid(app), MAKER)
        clock.advance(CLOSED_AT - clock.now())
        await app.handler.handle(BUDGET_LINE, LINE, ClosePeriod(LINE, CLOSED_AT.date()), by=MAKER)
        clock.advance(JANUARY - clock.now())
        items = (await known(app)).contents.items
        back = [entitlement(number) for number in range(2)]
        data = statement(*((items[one], one) for one in back))
        assert not (await take_in(app, data, MAKER)).before
        assert {row["rule"] for row in await app.pool.fetch("delete from payment_exceptions returning rule")} == {
            "account-closed",
            "period-is-closed",
        }, "no day of the old year is open, and the year is not closed: the file comes again"
        await app.handler.handle_joint(CLOSE_LINE, CloseLine(LINE, LATER, "aid", into_earmarked=False), by=MAKER)

        compared = await reconcile(app, data, MAKER)
        assert compared.events_fen == compared.ledger_fen == compared.bank_fen == -2 * FEN
        account, _ = await app.state(PAYMENT_ACCOUNT, OWN)
        assert isinstance(account, Account)
        assert not account.halted
        rules = {row["rule"] for row in await app.pool.fetch("select rule from payment_exceptions")}
        assert rules == {"account-closed"}, "to be seen to is the payee's account, not the books"
        assert all(isinstance(state, Due) for state in (await app.states(PAYMENT, back)).values())
        later = (await app.state(BUDGET_LINE, LATER))[0]
        assert isinstance(later, Open)
        assert (later.available_fen, later.reserved_fen) == (0, 2 * FEN)
        await caught_up(app)
        assert [(one.entitlement, one.line) for one in await due(app.pool, COUNTY, limit=PEOPLE)] == [(one, LATER) for one in back]

        uses = await uses_of(app.pool, back[0])
        assert [use.kind for use in uses] == ["reserved", "paid", "returned-late", "reserved"]
        way = await origins(app.pool, [(uses[-1].line, uses[-1].lot)])
        assert [(one.line, one.kind) for one in way] == [(LATER, "late-return"), (LINE, "appropriation")]

        head = (await app.store.head()).position
        assert (await take_in(app, data, MAKER)).before
        assert (await app.store.head()).position == head
