"""The daily check after days on which nobody could make it: each day is compared, the oldest first, and none before it is over."""

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

from assistance.bank.memory import MemoryBank
from assistance.batches.sending import HELD_ASKS, Sender
from assistance.payments.payment import PAYMENT, Due
from assistance.reconciliation.account import PAYMENT_ACCOUNT, Resume
from assistance.reconciliation.taking import caught_up
from contracts.assistance.payments import PaymentReturned, PaymentsHalted
from foundation.http.caller import Application
from foundation.life import patiently
from node.embedded.postgres import Postgres

from .test_sending import BATCH_ID, FEN, MAKER, OWN, PAPER, TODAY, all_paid, entitlement, known, released

NAMESPACE = "urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"


def statement(day: date, paid: Sequence[tuple[str, str]] = (), returned: Sequence[tuple[str, str]] = ()) -> bytes:
    """A camt.053 of a day of the own account: (instruction, entitlement) each paid, or come back."""
    entries = "".join(
        f"<Ntry><NtryRef>{side}{number}</NtryRef><Amt Ccy='CNY'>{FEN // 100}.00</Amt><CdtDbtInd>{side}</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>"
        f"<BookgDt><Dt>{day}</Dt></BookgDt><NtryDtls><TxDtls><Refs><InstrId>{instruction}</InstrId><EndToEndId>{of}</EndToEndId></Refs>"
        "</TxDtls></NtryDtls></Ntry>"
        for side, said in (("CRDT", returned), ("DBIT", paid))
        for number, (instruction, of) in enumerate(said)
    )

    def balance(code: str, fen: int) -> str:
        return (
            f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='CNY'>{fen // 100}.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
            f"<Dt><Dt>{day}</Dt></Dt></Bal>"
        )

    balances = balance("OPBD", 10 * FEN) + balance("CLBD", (10 + len(returned) - len(paid)) * FEN)
    account = f"<Acct><Id><Othr><Id>{OWN}</Id></Othr></Id></Acct>"
    return f'<Document xmlns="{NAMESPACE}"><BkToCstmrStmt><Stmt>{account}{balances}{entries}</Stmt></BkToCstmrStmt></Document>'.encode()


async def compared(app: Application) -> list[int]:
    """Which days were, counted from the first batch's."""
    await patiently("views", lambda: caught_up(app))
    rows = await app.pool.fetch("select day from compared_days where account = $1 order by day", OWN)
    return [(row["day"] - TODAY).days for row in rows]


async def halts(app: Application) -> list[int]:
    """The days whose difference halted the account, counted from the first batch's."""
    events = await app.handler.history(PAYMENT_ACCOUNT, OWN)
    return [(one.event.day - TODAY).days for one in events if isinstance(one.event, PaymentsHalted)]


async def test_every_day_is_compared_after_days_of_silence(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, clock):
        bank = MemoryBank()
        sender = Sender(bank)
        await sender.round(app)
        bank.reports[BATCH_ID] = await all_paid(app)
        clock.advance(timedelta(hours=1))
        items = (await known(app)).contents.items
        bank.statements = {(OWN, TODAY + timedelta(days=later)): statement(TODAY + timedelta(days=later)) for later in range(20)}
        bank.statements[OWN, TODAY] = statement(TODAY, paid=[(instruction, of) for of, instruction in items.items()])
        late = bank.statements.pop((OWN, TODAY + timedelta(days=2)))
        await sender.round(app)
        assert await compared(app) == [], "the day is not over"

        clock.advance(timedelta(days=1))
        await sender.round(app)
        assert await compared(app) == [0]

        clock.advance(timedelta(days=14))  # the node is down
        await sender.round(app)
        assert await compared(app) == [0, 1, *range(3, 11)], "ten at a time, the oldest first"
        await sender.round(app)
        assert await compared(app) == [0, 1, *range(3, 15)]

        bank.statements[OWN, TODAY + timedelta(days=2)] = late
        clock.advance(timedelta(hours=1))
        await sender.round(app)
        assert await compared(app) == list(range(15)), "its statement came late"
        assert await halts(app) == []


async def test_a_return_that_is_heard_before_its_payment_is_booked_once_that_is_known(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, clock):
        bank = MemoryBank()
        sender = Sender(bank)
        await sender.round(app)
        items = (await known(app)).contents.items
        back = entitlement(0)
        bank.statements[OWN, TODAY + timedelta(days=1)] = statement(TODAY + timedelta(days=1), returned=[(items[back], back)])
        clock.advance(timedelta(days=2))
        await sender.round(app)
        assert (await compared(app), await halts(app)) == ([], []), "the day waits for the payment"
        assert await app.pool.fetchval("select count(*) from payment_exceptions where rule = 'returned-before-paid'") == 1

        bank.statements[OWN, TODAY] = statement(TODAY, paid=[(instruction, of) for of, instruction in items.items()])
        for _ in range(2):
            clock.advance(timedelta(hours=1))
            await sender.round(app)
        history = [one.event for one in await app.handler.history(PAYMENT, back)]
        assert sum(isinstance(event, PaymentReturned) for event in history) == 1
        assert isinstance((await app.state(PAYMENT, back))[0], Due)
        assert (await compared(app), await halts(app)) == ([0, 1], [])


async def test_a_return_without_a_payment_keeps_a_day_from_being_compared_for_a_while_only(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, clock):
        bank = MemoryBank()
        sender = Sender(bank, wait_seconds_max=60)
        await sender.round(app)
        back = entitlement(0)
        instruction = (await known(app)).contents.items[back]
        bank.statements[OWN, TODAY] = statement(TODAY, returned=[(instruction, back)])
        clock.advance(timedelta(days=1))
        for _ in range(HELD_ASKS - 1):
            await sender.round(app)
            clock.advance(timedelta(minutes=1))
        assert (await compared(app), await halts(app)) == ([], [])
        await sender.round(app)
        assert (await compared(app), await halts(app)) == ([0], [0])


async def test_a_day_that_differs_while_another_halts_comes_again(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, clock):
        bank = MemoryBank()
        sender = Sender(bank)
        await sender.round(app)
        unknown = [("f" * 32, entitlement(0))]
        bank.statements = {(OWN, day): statement(day, paid=unknown) for day in (TODAY, TODAY + timedelta(days=1))}
        clock.advance(timedelta(days=2))
        await sender.round(app)
        assert (await compared(app), await halts(app)) == ([0], [0])
        await app.handler.handle(PAYMENT_ACCOUNT, OWN, Resume(OWN, PAPER, "1" * 32, "2" * 32), by=MAKER)
        clock.advance(timedelta(hours=1))
        await sender.round(app)
        assert (await compared(app), await halts(app)) == ([0, 1], [0, 1])
