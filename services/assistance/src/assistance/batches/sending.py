"""Brings released batches to the bank, each once, and asks what became of them; beside the requests, from start to stop.

What is recorded decides, never what this process remembers: `BatchSending` stands in the history before the first byte leaves. Who finds it
there without an answer asks the bank, and does not send.
"""

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import date, timedelta
from hashlib import sha256
from typing import Any, assert_never

import structlog
from contracts.assistance.payments import AccountNumber, BatchId, Channel
from foundation.commands import Actor
from foundation.decider import Refusal
from foundation.http.caller import Application
from foundation.http.tokens import SERVICE_PREFIX
from foundation.ids import random_id
from foundation.lease import Lease
from foundation.transient import TRANSIENT

from assistance.bank import files
from assistance.bank.errors import BankFileUnreadable, FileNotRendered
from assistance.bank.port import Bank, BankUnreachable, NoAnswer, RefusedFile, Taken
from assistance.bank.words import Report, Statement
from assistance.batches import commands
from assistance.batches.batch import BATCH, Accepted, HandedOut, Known, Refused, Released, Sending, Unopened
from assistance.batches.filling import instructed, items_of, payment_file
from assistance.batches.leaving import FROM_ACCOUNT, FromAccount
from assistance.payments.commands import Fail
from assistance.payments.hearing import HEAR, HEARD_MAX, Hear, Heard
from assistance.reconciliation import comparing, exceptions, taking
from assistance.reconciliation.account import Compare
from assistance.reconciliation.errors import AccountHalted
from assistance.reconciliation.taking import caught_up, take_in

SUSPICIOUS_ASKS = 6
"""After so many questions without an answer somebody should call the bank."""

HELD_ASKS = 24
"""How often a day's statement is asked for, about half a day, before it is compared with words in it that cannot be booked yet."""

_TRY_AGAIN: tuple[type[Exception], ...] = (*TRANSIENT, BankUnreachable)

WAITING = """
with waiting as (
    select batch from batches where stage in ('released', 'sending', 'unanswered')
    union select batch from payment_instructions where outcome = 'under way'
)
select b.batch from waiting join batches b using (batch) left join bank_asks a using (batch)
where case when b.stage in ('released', 'sending', 'unanswered') then $2 and not b.by_hand
    else b.stage = 'refused' or b.stage = 'accepted' and $2 and not b.by_hand end
    and (a.next_at is null or a.next_at <= $1)
order by b.position limit 100
"""
"""Batches that can be moved on; found by what is under way, and not among all batches that have ever been."""

UNCOMPARED = """
with recursive paying (account) as (
    select min(account) from batches
    union all select (select min(account) from batches where account > p.account) from paying p where p.account is not null
)
select p.account, u.day from paying p
cross join lateral (select min(day) as first, max(day) as last from compared_days where account = p.account) c
cross join lateral (
    select s.day::date as day from generate_series(
        case when c.first is null then (select least(min(b.execute_on), $1::date) from batches b where b.account = p.account)
            else greatest(c.first, least(c.last + 1, $1::date - 31)) end,
        $1::date, interval '1 day') s (day)
    where not exists (select from compared_days d where d.account = p.account and d.day = s.day::date)
        and not exists (select from bank_asks a where a.batch = p.account || ' ' || s.day::date::text and a.next_at > $2)
    order by 1 limit 10
) u
where exists (select from batches b where b.account = p.account and b.stage in ('accepted', 'unanswered', 'refused', 'sending'))
"""
"""Days of accounts, up to the last that is over, that have not been compared: ten of each account at a time, the oldest first.

All since the last that was, and those of the month before that were left out, as their statement was not there. Where none was yet,
from the first batch's day. The accounts are found one after another in their index.
"""

log = structlog.get_logger()


class Sender:
    """One per process; one process at a time works, by a lease. Two would only ask twice.

    Without a bank to talk to it only sees to it that what a refused batch held is due again.
    """

    def __init__(
        self, bank: Bank | None, *, poll_seconds: float = 1.0, first_wait_seconds: float = 2.0, wait_seconds_max: float = 3_600.0
    ) -> None:
        self._bank, self._poll_seconds = bank, poll_seconds
        self._first_wait, self._wait_max = first_wait_seconds, wait_seconds_max

    async def work(self, app: Application) -> None:
        """Until cancelled."""
        lease = Lease(app.pool, "batches", ttl_seconds=15)
        while True:
            try:
                if await lease.hold():
                    await self.round(app)
            except _TRY_AGAIN as error:
                log.warning("batches try again", error=type(error).__name__)
            except Exception as error:
                # Its text may hold what it worked on, so only the class is told (DESIGN 3).
                log.error("batches fail and try again", error=type(error).__name__)
            await asyncio.sleep(self._poll_seconds)

    async def round(self, app: Application) -> None:
        """Move every batch on by one step, if it can be moved now and is not brought by hand; then compare days that are over."""
        await caught_up(app)
        rows = await app.pool.fetch(WAITING, app.clock.now(), self._bank is not None)
        for row in rows:
            await self._alone(app, row["batch"], self.step(app, row["batch"]))
        if self._bank is not None:
            await self._days(app, self._bank)

    async def _alone(self, app: Application, what: str, work: Coroutine[Any, Any, None]) -> None:
        """Whatever goes wrong with one batch or day keeps no other waiting; it comes again later and later."""
        try:
            await work
        except _TRY_AGAIN as error:
            log.warning("batch tries again", error=type(error).__name__)
            await self._wait(app, what)
        except Exception as error:
            log.error("batch fails and tries again", error=type(error).__name__)
            await self._wait(app, what)

    async def step(self, app: Application, batch: BatchId) -> None:
        """Whatever the batch's history says comes next."""
        state, _ = await app.state(BATCH, batch)
        by = worker(app)
        match state:
            case Released() if self._bank is not None:
                await self._send(app, self._bank, batch, state, by)
            case Sending(unanswered=False):
                # Whoever was sending it is gone, or somebody else's answer comes yet: then it is accepted all the same.
                await app.handler.handle(BATCH, batch, commands.Miss(batch), by=by)
            case Sending() | Accepted() if self._bank is not None:
                await self._ask(app, self._bank, batch, state, by)
            case Refused():
                await fail_all(app, batch, state, by)
            case _:
                pass

    async def _send(self, app: Application, bank: Bank, batch: BatchId, state: Released, by: Actor) -> None:
        begun = state.contents.opened
        try:
            file = await render(app, batch, state, by.principal)
            begin = commands.BeginSending(batch, sha256(file).hexdigest())
            await app.handler.handle_joint(FROM_ACCOUNT, FromAccount(begin, begun.account), by=by)
        except AccountHalted:
            return  # released before the account was halted; it leaves when that is over
        except Refusal as refusal:
            await self._wait(app, batch)
            found = exceptions.Found(
                begun.organisation, "render-failed" if isinstance(refusal, FileNotRendered) else refusal.TYPE, batch=batch
            )
            await exceptions.keep(app.pool, [found], app.clock.now())
            return
        answer = await bank.send(file, Channel(begun.channel))
        match answer:
            case Taken():
                await app.handler.handle(BATCH, batch, commands.Accept(batch), by=by)
            case RefusedFile(code="DU01"):
                # It says that it has the message: whatever the reason, that is no refusal to pay.
                await app.handler.handle(BATCH, batch, commands.Miss(batch), by=by)
            case RefusedFile(code, said):
                refuse = commands.Refuse(batch, code, sha256(said).hexdigest())
                await app.handler.handle(BATCH, batch, refuse, by=by)
                await exceptions.keep(app.pool, [exceptions.Found(begun.organisation, "file-refused", batch=batch)], app.clock.now())
                await self.step(app, batch)
            case NoAnswer():
                await app.handler.handle(BATCH, batch, commands.Miss(batch), by=by)
            case _:
                assert_never(answer)

    async def _ask(self, app: Application, bank: Bank, batch: BatchId, state: Sending | Accepted, by: Actor) -> None:
        asks = await self._wait(app, batch)
        organisation = state.contents.opened.organisation
        data = await bank.status(batch)
        if data is None:
            if asks == SUSPICIOUS_ASKS:
                await exceptions.keep(app.pool, [exceptions.Found(organisation, "unanswered", batch=batch)], app.clock.now())
            return
        try:
            said = await asyncio.to_thread(files.read, data)
        except BankFileUnreadable as refusal:
            digest = sha256(data).hexdigest()
            found = exceptions.Found(organisation, "file-unreadable", digest, refusal.place, batch)
            await exceptions.keep(app.pool, [found], app.clock.now())
            return
        if not isinstance(said, Report) or said.message != batch:
            return
        if said.refused is not None and isinstance(state, Sending):
            refuse = commands.Refuse(batch, said.refused, sha256(data).hexdigest())
            await app.handler.handle(BATCH, batch, refuse, by=by)
            return
        if isinstance(state, Sending):
            await app.handler.handle(BATCH, batch, commands.Accept(batch), by=by)
        await take_in(app, data, by)

    async def _wait(self, app: Application, batch: str) -> int:
        """When to ask next: each time twice as long after. How often it was asked, this time included."""
        asks: int = await app.pool.fetchval("select asks from bank_asks where batch = $1", batch) or 0
        pause = timedelta(seconds=min(self._first_wait * 2.0 ** min(asks, 30), self._wait_max))
        await app.pool.execute(
            "insert into bank_asks (batch, asks, next_at) values ($1, $2, $3)"
            " on conflict (batch) do update set asks = excluded.asks, next_at = excluded.next_at",
            *(batch, asks + 1, app.clock.now() + pause),
        )
        return asks + 1

    async def _days(self, app: Application, bank: Bank) -> None:
        """Compare each account's days that are over, each once, the oldest first."""
        rows = await app.pool.fetch(UNCOMPARED, comparing.last_over(app), app.clock.now())
        for row in rows:
            await self._alone(app, f"{row['account']} {row['day']}", self._day(app, bank, row["account"], row["day"]))

    async def _day(self, app: Application, bank: Bank, account: AccountNumber, day: date) -> None:
        asks = await self._wait(app, f"{account} {day}")
        data = await bank.statement(account, day)
        if data is None:
            return
        statement, unread = await _take_in(app, data, worker(app))
        if not unread or asks >= HELD_ASKS:
            await comparing.compare(app, statement, worker(app))


async def reconcile(app: Application, data: bytes, by: Actor) -> Compare:
    """Take a statement in and compare its day. Raises BankFileUnreadable."""
    statement, _ = await _take_in(app, data, by)
    return await comparing.compare(app, statement, by)


async def _take_in(app: Application, data: bytes, by: Actor) -> tuple[Statement, bool]:
    """Take a statement in; whether it counts as unread still. Raises BankFileUnreadable."""
    taken = await taking.take_in(app, data, by)
    if isinstance(taken.said, Report):
        raise BankFileUnreadable("kind")
    return taken.said, taken.comes_again


async def brought_by_hand(app: Application, said: Report | Statement) -> bool:
    """Whether a file is about a batch that the payer brought to the bank."""
    if not isinstance(said, Report):
        return False
    state, _ = await app.state(BATCH, said.message)
    return not isinstance(state, Unopened) and state.contents.opened.by_hand


async def refused_by_report(app: Application, said: Report, file: str, by: Actor) -> None:
    """A batch that was brought by hand was refused as a whole, as a handed-in report says: none of it was paid."""
    state, _ = await app.state(BATCH, said.message)
    if said.refused is not None and isinstance(state, HandedOut | Accepted) and state.contents.opened.by_hand:
        await app.handler.handle(BATCH, said.message, commands.Refuse(said.message, said.refused, file), by=by)


async def render(app: Application, batch: BatchId, state: Known, principal: str) -> bytes:
    """The batch's file. Raises FileNotRendered."""
    file = await payment_file(app, batch, state, principal)
    return await asyncio.to_thread(files.write, file, Channel(state.contents.opened.channel))


async def fail_all(app: Application, batch: BatchId, state: Refused, by: Actor) -> None:
    """None of a refused batch was paid: each of its payments is due again."""
    payments = await instructed(app, await items_of(app, batch))
    heard = [
        Heard(Fail(one.entitlement, one.instruction, state.code, None, state.report), one.application, one.line, one.reservation)
        for one in payments
    ]
    for first in range(0, len(heard), HEARD_MAX):
        await _hear(app, state, heard[first : first + HEARD_MAX], by)


async def _hear(app: Application, state: Refused, heard: Sequence[Heard], by: Actor) -> None:
    """All of them, or, where a rule refuses one, each alone; that one was told of otherwise before, and somebody has to ask the bank."""
    try:
        await app.handler.handle_joint(HEAR, Hear(tuple(heard)), by=by)
    except Refusal as refusal:
        if len(heard) > 1:
            for one in heard:
                await _hear(app, state, [one], by)
            return
        word, begun = heard[0].word, state.contents.opened
        found = exceptions.Found(begun.organisation, refusal.TYPE, None, 0, begun.batch, word.entitlement, word.instruction)
        await exceptions.keep(app.pool, [found], app.clock.now())


def worker(app: Application) -> Actor:
    """The service itself, in a conversation of its own."""
    return Actor(SERVICE_PREFIX + app.name, None, random_id())
