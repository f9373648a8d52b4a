"""The daily check of three: what the events say left an account for payments on a day, what the ledger says, and what the bank says."""

from datetime import UTC, date, timedelta

from contracts.assistance.payments import AccountNumber
from foundation.commands import Actor
from foundation.cursor import Pool
from foundation.http.caller import Application

from assistance.bank.words import Statement
from assistance.reconciliation.account import PAYMENT_ACCOUNT, Compare, opened
from assistance.reconciliation.taking import caught_up


def last_over(app: Application) -> date:
    """The last day that is over, in China and by UTC: a bank may count its days by either."""
    return app.clock.now().astimezone(UTC).date() - timedelta(days=1)


async def compare(app: Application, statement: Statement, by: Actor) -> Compare:
    """Compare the day of a statement that has been taken in; where the three differ, payments from the account are halted.

    It is compared again as long as it is not over, and where it differs while another day's difference halts the account: it halts it
    itself once that one is explained.
    """
    await caught_up(app)
    account, day = statement.account, statement.day
    events, ledger = await by_events(app.pool, account, day), await by_ledger(app.pool, account, day)
    compared = Compare(account, day, events, ledger, statement.paid_fen)
    before = opened((await app.state(PAYMENT_ACCOUNT, account))[0], account)
    await app.handler.handle(PAYMENT_ACCOUNT, account, compared, by=by)
    if day <= last_over(app) and (compared.agrees or not before.halted):
        await app.pool.execute("insert into compared_days (account, day) values ($1, $2) on conflict do nothing", account, day)
    return compared


async def by_events(pool: Pool, account: AccountNumber, day: date) -> int:
    """Net fen confirmed less returned, by the payments' own events."""
    fen: int = await pool.fetchval(
        "select coalesce(sum(i.fen) filter (where i.booked_on = $2), 0) - coalesce(sum(i.fen) filter (where i.returned_on = $2), 0)"
        " from payment_instructions i join batches b on b.batch = i.batch"
        " where b.account = $1 and (i.booked_on = $2 or i.returned_on = $2)",
        *(account, day),
    )
    return int(fen)


async def by_ledger(pool: Pool, account: AccountNumber, day: date) -> int:
    """Net fen posted less returned, by the lines' books, of the day on which the bank moved it."""
    fen: int = await pool.fetchval(
        "select coalesce(sum(case when u.kind = 'paid' then u.fen else -u.fen end), 0) from ledger_uses u"
        # What was recovered by hand came in by no instruction's way, and is no return of the bank's.
        " join payment_instructions i on i.instruction = u.instruction and (u.kind = 'paid' or i.returned_on is not null)"
        " join batches b on b.batch = i.batch"
        " where b.account = $1 and u.moved_on = $2 and u.kind in ('paid', 'returned', 'returned-held', 'returned-late')",
        *(account, day),
    )
    return int(fen)
