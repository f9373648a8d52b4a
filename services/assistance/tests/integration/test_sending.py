"""Sending on a real history: the process is killed at each step, and the bank gets a file at most once; what it says is taken in once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from assistance.applications.following import APPLICATION
from assistance.bank.memory import MemoryBank
from assistance.bank.port import NoAnswer, RefusedFile, Taken
from assistance.batches import commands as batches
from assistance.batches.batch import BATCH, Accepted, Known, Refused, Released, Sending
from assistance.batches.filling import fill
from assistance.batches.leaving import FROM_ACCOUNT, FromAccount
from assistance.batches.sending import Sender, render
from assistance.events import CATALOGUE
from assistance.funds.budget_line import BUDGET_LINE
from assistance.payments.payment import PAYMENT, Done, Due, UnderWay
from assistance.payments.standing import STANDING
from assistance.reconciliation.account import PAYMENT_ACCOUNT, OpenAccount
from assistance.reconciliation.taking import caught_up, take_in
from contracts.assistance import AidGranted, ApplicationDrafted, FundsAppropriated, FundsReserved, LineOpened
from contracts.assistance.funds import Drawn, Reserved
from contracts.assistance.hardship import BankAccount
from contracts.assistance.payments import Channel
from contracts.kernel import Event
from contracts.membership import Level
from contracts.values import day_in_china
from foundation.clock import ManualClock
from foundation.commands import Actor
from foundation.decider import JointDecider, Part
from foundation.history import all_happened
from foundation.http.caller import Application
from node.embedded.postgres import Postgres

from tests.end_to_end.running_node import running_node

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
TODAY = day_in_china(NOW)
COUNTY, LINE, RESERVATION, OWN, BATCH_ID, PAPER = "370902", "1" * 32, "2" * 32, "3709000000000001", "b" * 32, "d" * 64
MAKER, CHECKER, PAYER = (Actor(letter * 32, COUNTY, "0" * 32) for letter in "789")
FEN, PEOPLE = 100_000, 3

Past = Sequence[tuple[Part, Sequence[Event]]]
PAST: JointDecider[Past] = JointDecider(
    parts=lambda past: [part for part, _ in past], decide=lambda past, *_: [events for _, events in past]
)
"""What has happened before, put where it would be."""


class Killed(BaseException):
    """The process ends here, and nobody catches it."""


class Deadly(MemoryBank):
    """A counter at which the process dies: `before` it hands the file over, or `after`."""

    def __init__(self, when: str) -> None:
        super().__init__()
        self.when = when

    async def send(self, file: bytes, channel: Channel) -> Taken | RefusedFile | NoAnswer:
        if self.when == "before":
            raise Killed
        answer = await super().send(file, channel)
        if self.when == "after":
            raise Killed
        return answer


def entitlement(number: int) -> str:
    return f"e{number}" * 16


def _granted(number: int) -> tuple[Part, list[Event]]:
    application = f"a{number}" * 16
    told: dict[str, Any] = {"application": application, "organisation": COUNTY, "person": f"c{number}" * 16, "payee": f"c{number}" * 16}
    account = BankAccount(bank="农行", name="王伟", number=f"622848000000000{number:04d}")
    drafted = ApplicationDrafted(**told, programme="relief", account=account, drafted_by="5" * 32, drafted_on=TODAY)
    granted = AidGranted(
        **told,
        entitlement=entitlement(number),
        line=LINE,
        reservation=RESERVATION,
        fen=FEN,
        programme="relief",
        programme_version=1,
        period="2026",
        decision=RESERVATION,
        decided_by="6" * 32,
        level=Level.county,
        granted_on=TODAY,
    )
    return Part(APPLICATION, application), [drafted, granted]


@asynccontextmanager
async def released(postgres: Postgres, folder: Path, channel: Channel = Channel.iso20022) -> AsyncIterator[tuple[Application, ManualClock]]:
    """A service with one released batch of three payments."""
    clock = ManualClock(NOW)
    async with running_node(postgres, folder, clock=clock) as node:
        app: Application = node.services["assistance"].http.state.application
        opened = LineOpened(line=LINE, organisation=COUNTY, year=2026, source="superior", purpose="aid", earmarked=False)
        money = FundsAppropriated(line=LINE, proposal="9" * 32, lot=1, fen=FEN * PEOPLE, document=PAPER, booked_on=TODAY)
        held = tuple(Reserved(entitlement=entitlement(number), drawn=(Drawn(lot=1, fen=FEN),)) for number in range(PEOPLE))
        reserved = FundsReserved(line=LINE, reservation=RESERVATION, purpose="aid", items=held, booked_on=TODAY)
        past = [(Part(BUDGET_LINE, LINE), [opened, money, reserved]), *(_granted(number) for number in range(PEOPLE))]
        await app.handler.handle_joint(PAST, past, by=MAKER)
        account = OpenAccount(OWN, COUNTY, "泰安银行", "泰山区总工会", PAPER, "1" * 32, "2" * 32)
        await app.handler.handle(PAYMENT_ACCOUNT, OWN, account, by=MAKER)
        begin = batches.Open(BATCH_ID, COUNTY, OWN, channel, TODAY, MAKER.principal)
        await app.handler.handle_joint(FROM_ACCOUNT, FromAccount(begin, OWN), by=MAKER)
        await caught_up(app)
        filled = await fill(app, BATCH_ID, await known(app), MAKER, only=None)
        assert (filled.instructed, filled.held) == (PEOPLE, ())
        await app.handler.handle(BATCH, BATCH_ID, batches.Check(BATCH_ID, PEOPLE, FEN * PEOPLE, CHECKER.principal), by=CHECKER)
        file = sha256(await render(app, BATCH_ID, await known(app), PAYER.principal)).hexdigest()
        release = FromAccount(batches.Release(BATCH_ID, file, PAYER.principal), OWN)
        await app.handler.handle_joint(FROM_ACCOUNT, release, by=PAYER)
        yield app, clock


async def known(app: Application) -> Known:
    state, _ = await app.state(BATCH, BATCH_ID)
    assert isinstance(state, Known)
    return state


def report(app_batch: str, *said: tuple[str, str, str]) -> bytes:
    """A pain.002 of (instruction, entitlement, status)."""
    lines = "".join(
        f"<TxInfAndSts><OrgnlInstrId>{instruction}</OrgnlInstrId><OrgnlEndToEndId>{of}</OrgnlEndToEndId><TxSts>{status}</TxSts>"
        + ("<StsRsnInf><AddtlInf>户名不符</AddtlInf></StsRsnInf>" if status == "RJCT" else "")
        + f"<AccptncDtTm>{TODAY}T04:00:00Z</AccptncDtTm></TxInfAndSts>"
        for instruction, of, status in said
    )
    return (
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.10"><CstmrPmtStsRpt><OrgnlGrpInfAndSts>'
        f"<OrgnlMsgId>{app_batch}</OrgnlMsgId><GrpSts>PART</GrpSts></OrgnlGrpInfAndSts><OrgnlPmtInfAndSts>{lines}</OrgnlPmtInfAndSts>"
        "</CstmrPmtStsRpt></Document>"
    ).encode()


async def all_paid(app: Application) -> bytes:
    items = (await known(app)).contents.items
    return report(BATCH_ID, *((instruction, of, "ACSC") for of, instruction in items.items()))


@pytest.mark.parametrize(("when", "sent"), [("before", 0), ("after", 1)])
async def test_whenever_it_is_killed_the_file_goes_at_most_once(postgres: Postgres, tmp_path: Path, when: str, sent: int) -> None:
    async with released(postgres, tmp_path) as (app, clock):
        bank = Deadly(when)
        with pytest.raises(Killed):
            await Sender(bank).step(app, BATCH_ID)
        assert isinstance(await known(app), Sending)
        bank.when = ""
        again = Sender(bank)  # another process: it knows what the history says
        for _ in range(4):
            await again.step(app, BATCH_ID)
            clock.advance(timedelta(hours=1))
        assert len(bank.files) == sent
        state = await known(app)
        assert isinstance(state, Sending)
        assert state.unanswered
        bank.reports[BATCH_ID] = await all_paid(app)
        await again.step(app, BATCH_ID)
        assert isinstance(await known(app), Accepted)
        assert [type(one) for one in (await app.states(PAYMENT, [entitlement(number) for number in range(PEOPLE)])).values()] == [Done] * 3
        assert len(bank.files) == sent


async def test_killed_before_the_sending_is_recorded_it_is_sent_later(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, _):
        assert isinstance(await known(app), Released)
        bank = MemoryBank()
        await Sender(bank).step(app, BATCH_ID)
        assert (len(bank.files), type(await known(app))) == (1, Accepted)
        await Sender(bank).step(app, BATCH_ID)
        assert len(bank.files) == 1


async def test_two_workers_at_once_send_once(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, _):
        bank = MemoryBank(silent=True)
        await asyncio.gather(*(Sender(bank).step(app, BATCH_ID) for _ in range(5)), return_exceptions=True)
        assert len(bank.files) == 1


async def test_a_refused_file_leaves_all_of_it_due(postgres: Postgres, tmp_path: Path) -> None:
    class Refusing(MemoryBank):
        async def send(self, file: bytes, channel: Channel) -> Taken | RefusedFile | NoAnswer:
            return RefusedFile("AM04", b"{}")

    async with released(postgres, tmp_path) as (app, _):
        await Sender(Refusing()).step(app, BATCH_ID)
        assert isinstance(await known(app), Refused)
        payments = await app.states(PAYMENT, [entitlement(number) for number in range(PEOPLE)])
        assert [type(one) for one in payments.values()] == [Due] * PEOPLE


async def test_a_file_is_read_once_and_what_does_not_fit_is_shown(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, _):
        await Sender(MemoryBank()).step(app, BATCH_ID)
        items = dict((await known(app)).contents.items)
        one, two, three = (entitlement(number) for number in range(PEOPLE))
        data = report(
            BATCH_ID,
            (items[one], one, "ACSC"),
            (items[one], one, "ACSC"),
            (items[one], one, "RJCT"),
            (items[two], two, "RJCT"),
            (items[three], three, "PDNG"),
            (items[three], one, "ACSC"),
            ("f" * 32, three, "ACSC"),
        )
        taken = await take_in(app, data, MAKER)
        states = await app.states(PAYMENT, [one, two, three])
        assert [type(states[name]) for name in (one, two, three)] == [Done, Due, UnderWay]
        rows = await app.pool.fetch("select rule from payment_exceptions order by rule")
        assert [row["rule"] for row in rows] == [
            *("contradiction", "name-mismatch", "name-mismatch", "unknown-reference", "unknown-reference")
        ]
        assert (taken.lines, taken.exceptions) == (7, 5)
        head = (await app.store.head()).position
        again = await take_in(app, data, MAKER)
        assert (again.before, (await app.store.head()).position) == (True, head)


async def test_the_template_confirms_by_the_statement_alone(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path, Channel.template) as (app, _):
        bank = MemoryBank()
        await Sender(bank).step(app, BATCH_ID)
        assert bank.files[0].startswith(b"PK")
        assert isinstance(await known(app), Accepted)


async def test_tables_of_payments_do_not_depend_on_where_batches_end(postgres: Postgres, tmp_path: Path) -> None:
    async with released(postgres, tmp_path) as (app, _):
        await Sender(MemoryBank()).step(app, BATCH_ID)
        await take_in(app, await all_paid(app), MAKER)
        await caught_up(app)
        live = [tuple(row) for row in await app.pool.fetch("select * from payments order by 1")]
        happened = [one for one in all_happened(await app.store.read(-1), CATALOGUE) if type(one.event) in (STANDING.events or ())]
        for cut in (1, 3, len(happened)):
            async with app.pool.acquire() as connection:
                for table in STANDING.tables:
                    await connection.execute(f"create temporary table t_{table.name} ({table.columns})")
                tables = {table.name: f"t_{table.name}" for table in STANDING.tables}
                for first in range(0, len(happened), cut):
                    await STANDING.apply(connection, tables, happened[first : first + cut])
                rebuilt = [tuple(row) for row in await connection.fetch("select * from t_payments order by 1")]
                for table in STANDING.tables:
                    await connection.execute(f"drop table t_{table.name}")
            assert rebuilt == live
        assert [row[9] for row in live] == ["paid"] * PEOPLE
        assert date.fromisoformat(str(live[0][8])) == TODAY
