"""A union without an online bank: the payer brings the file, the branch's return sheet says what became of it, nobody sends anything."""

from datetime import timedelta
from hashlib import sha256
from io import BytesIO
from pathlib import Path

from assistance.bank import files
from assistance.bank.memory import MemoryBank
from assistance.bank.template import ANSWER_HEADINGS
from assistance.bank.words import Report
from assistance.batches import commands
from assistance.batches.batch import BATCH, Accepted, Checked, Filling, HandedOut, Refused
from assistance.batches.filling import fill
from assistance.batches.leaving import FROM_ACCOUNT, FromAccount
from assistance.batches.sending import Sender, brought_by_hand, refused_by_report, render
from assistance.batches.withdrawing import TAKE_OUT, TakeOut
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.line import Open
from assistance.payments.payment import PAYMENT, Done, Due
from assistance.reconciliation.taking import caught_up, dated, take_in
from contracts.assistance.payments import Channel
from foundation.http.caller import Application
from node.embedded.postgres import Postgres
from openpyxl import Workbook

from .test_sending import BATCH_ID, CHECKER, COUNTY, FEN, LINE, MAKER, OWN, PAPER, PAYER, PEOPLE, TODAY, entitlement, released

HAND = "ba" * 16


async def brought(app: Application) -> bytes:
    """The batch of the fixture is emptied, and its payments go into one that is brought by hand, all but one; the file."""
    for number in range(PEOPLE):
        out = TakeOut(BATCH_ID, entitlement(number), "entered-in-error", CHECKER.principal)
        await app.handler.handle_joint(TAKE_OUT, out, by=CHECKER)
    begin = commands.Open(HAND, COUNTY, OWN, Channel.template, TODAY, MAKER.principal, by_hand=True)
    await app.handler.handle_joint(FROM_ACCOUNT, FromAccount(begin, OWN), by=MAKER)
    await caught_up(app)
    opened, _ = await app.state(BATCH, HAND)
    assert isinstance(opened, Filling)
    filled = await fill(app, HAND, opened, MAKER, only=None)
    assert (filled.instructed, filled.held) == (PEOPLE, ())
    await app.handler.handle_joint(TAKE_OUT, TakeOut(HAND, entitlement(0), "to-be-examined", CHECKER.principal), by=CHECKER)
    check = commands.Check(HAND, PEOPLE - 1, FEN * (PEOPLE - 1), CHECKER.principal)
    await app.handler.handle(BATCH, HAND, check, by=CHECKER)
    state, _ = await app.state(BATCH, HAND)
    assert isinstance(state, Checked)
    file = await render(app, HAND, state, PAYER.principal)
    release = commands.Release(HAND, sha256(file).hexdigest(), PAYER.principal)
    await app.handler.handle_joint(FROM_ACCOUNT, FromAccount(release, OWN), by=PAYER)
    await app.handler.handle_joint(FROM_ACCOUNT, FromAccount(commands.HandOut(HAND, PAYER.principal), OWN), by=PAYER)
    return file


def sheet(rows: list[tuple[str, str, str, str]]) -> bytes:
    """The branch's return sheet of (instruction, entitlement, result, reason)."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.append(["批次号", HAND])
    page.append(list(ANSWER_HEADINGS))
    for number, (instruction, of, result, reason) in enumerate(rows, 1):
        page.append([str(number), instruction, of, "王伟", "6228", f"{FEN // 100}.00", "", result, reason])
    out = BytesIO()
    book.save(out)
    return out.getvalue()


async def test_the_payer_brings_it_and_the_sheet_says_what_became_of_it(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path, Channel.template) as (app, clock):
        file = await brought(app)
        bank = MemoryBank()
        for _ in range(3):
            await Sender(bank, first_wait_seconds=0).round(app)
            clock.advance(timedelta(hours=2))
        assert bank.files == [], "what is brought by hand is never sent"
        state, _ = await app.state(BATCH, HAND)
        assert isinstance(state, HandedOut)
        assert await render(app, HAND, state, PAYER.principal) == file, "downloaded again, it is the same"
        await app.handler.handle(BATCH, HAND, commands.Upload(HAND, "TA20260302-17", PAYER.principal), by=PAYER)
        state, _ = await app.state(BATCH, HAND)
        assert isinstance(state, Accepted)

        one, two = state.contents.items.items()
        data = sheet([(one[1], one[0], "成功", ""), (two[1], two[0], "失败", "户名不符")])
        said = files.read(data)
        assert await brought_by_hand(app, said)
        assert [word.day for word in dated(said, TODAY).words] == [TODAY, None]
        await take_in(app, data, MAKER, booked_on=TODAY)
        states = await app.states(PAYMENT, [entitlement(0), one[0], two[0]])
        assert [type(found) for found in states.values()] == [Due, Done, Due]
        line, _ = await app.state(BUDGET_LINE, LINE)
        assert isinstance(line, Open)
        assert (line.reserved_fen, line.paid_fen) == (2 * FEN, FEN)
        await caught_up(app)
        rows = await app.pool.fetch("select batch, stage, count, by_hand from batches order by position")
        assert [tuple(row) for row in rows] == [(BATCH_ID, "filling", 0, False), (HAND, "accepted", PEOPLE - 1, True)]


async def test_without_any_bank_online_a_refused_file_leaves_all_of_it_due(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, _):
        await brought(app)
        await refused_by_report(app, Report(HAND, (), "AM04"), PAPER, MAKER)
        assert isinstance((await app.state(BATCH, HAND))[0], Refused)
        await Sender(None).round(app)
        states = await app.states(PAYMENT, [entitlement(number) for number in range(PEOPLE)])
        assert [type(found) for found in states.values()] == [Due] * PEOPLE
