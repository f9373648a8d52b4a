"""Routes of reconciliation: the accounts that pay, the bank's files, the exceptions, and the daily check."""

import asyncio
from datetime import date, datetime
from hashlib import sha256
from typing import Annotated

from contracts.assistance.payments import AccountNumber, InstitutionName
from contracts.kernel import OrgCode
from contracts.membership import Digest, RecordId
from contracts.values import Day
from fastapi import Query
from foundation.http.answers import Accepted
from foundation.http.caller import App, Caller
from foundation.http.limits import body_up_to
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from foundation.texts import LANGUAGES
from pydantic import Field
from starlette.requests import Request

from assistance.bank import files
from assistance.bank.errors import BankFileUnreadable
from assistance.bank.port import Bank, BankUnreachable
from assistance.bank.words import Outcome, Statement
from assistance.batches.sending import brought_by_hand, reconcile, refused_by_report
from assistance.desk import Desk
from assistance.double_entry.api import enter, entry_of
from assistance.double_entry.entry import ENTRY
from assistance.reconciliation import account, errors, exceptions
from assistance.reconciliation.account import PAYMENT_ACCOUNT, Compare, opened
from assistance.reconciliation.comparing import compare
from assistance.reconciliation.taking import BANK_FILE, dated, take_in, whose

router = Router(prefix="/payments", tags=["payments"])

FINANCE = "finance"
READERS = ("finance", "approver", "steward", "auditor")
HAND_IN = "hand-in-bank-file"
FILE_BYTES_MAX = 50_000_000

_TYPES = ("application/xml", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "application/octet-stream")


class AccountBody(Body):
    account: AccountNumber
    organisation: OrgCode
    bank: InstitutionName
    holder: InstitutionName
    paper: Digest = Field(description="The bank's letter that opened it.")


class PaperBody(Body):
    paper: Digest


class FileBody(Body):
    file: Digest
    booked_on: Day | None


class DayBody(Body):
    day: Day


class AccountView(Body):
    account: AccountNumber
    organisation: OrgCode
    bank: str
    holder: str
    halted: bool


class TakenView(Body):
    """What became of a file. `waits`: for a second person to hand in the same; `before`: it had been read, and nothing was done again."""

    file: Digest
    waits: bool = False
    lines: int
    exceptions: int
    before: bool


class ComparedView(Body):
    """Net fen that left an account for payments on a day."""

    account: AccountNumber
    day: date
    events_fen: int
    ledger_fen: int
    bank_fen: int
    agrees: bool


class ExceptionView(Body):
    """What somebody has to look at, and what to do about it."""

    exception: RecordId
    rule: str
    zh: str
    en: str
    next_zh: str
    next_en: str
    file: Digest | None
    place: int
    batch: str | None
    entitlement: str | None
    instruction: str | None
    found_at: datetime


@router.post("/accounts", status_code=201, responses=problems(errors.PaymentAccountOfAnother, errors.SamePerson))
async def open_account(body: AccountBody, caller: Caller, app: App) -> Accepted:
    """Pay from an organisation's own account from now on; two of its finance or above, the same each."""
    await caller.require(FINANCE, unit=body.organisation, fresh=True)

    def command(by: str, approved_by: str) -> account.OpenAccount:
        return account.OpenAccount(body.account, body.organisation, body.bank, body.holder, body.paper, by, approved_by)

    return await enter(app, caller, "open-account", (PAYMENT_ACCOUNT, body.account), body.organisation, said=body, command=command)


@router.get("/accounts/{number}", responses=problems(errors.PaymentAccountUnknown))
async def read_account(number: AccountNumber, caller: Caller, app: App) -> AccountView:
    """An account that pays; finance, approvers, stewards and auditors of its organisation or above."""
    found = opened((await app.state(PAYMENT_ACCOUNT, number))[0], number)
    await caller.require(*READERS, unit=found.organisation)
    return AccountView(**{name: getattr(found, name) for name in AccountView.model_fields})


@router.post("/accounts/{number}/resumption", responses=problems(errors.PaymentAccountUnknown, errors.SamePerson))
async def resume(number: AccountNumber, body: PaperBody, caller: Caller, app: App) -> Accepted:
    """Enter that a difference was found and set right; two of finance, the same paper each."""
    found = opened((await app.state(PAYMENT_ACCOUNT, number))[0], number)
    await caller.require(FINANCE, unit=found.organisation, fresh=True)

    def command(by: str, approved_by: str) -> account.Resume:
        return account.Resume(number, body.paper, by, approved_by)

    return await enter(app, caller, "resume-payments", (PAYMENT_ACCOUNT, number), found.organisation, said=body, command=command)


@router.post(
    "/bank-files",
    status_code=202,
    responses=problems(BankFileUnreadable, errors.BookingDayMissing),
    openapi_extra={
        "requestBody": {"required": True, "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in _TYPES}}
    },
)
@body_up_to(FILE_BYTES_MAX)
async def receive(
    request: Request, caller: Caller, app: App, *, org: Annotated[OrgCode, Query()], booked_on: Annotated[Day | None, Query()] = None
) -> TakenView:
    """Hand in a file of the bank's: a status report, a return sheet, a statement; two of finance of the organisation that it is of, or
    above, the same file each: who could hand one in alone could have a payment made twice. Read once; the day of a statement is compared.

    `booked_on`: the bank's day of what a return sheet says was paid, where the sheet has no days and no statement will come.
    """
    await caller.require(FINANCE, unit=org, fresh=True)
    data = await request.body()
    said = await asyncio.to_thread(files.read, data)
    organisation = await whose(app, said) or org
    await caller.require(FINANCE, unit=organisation, fresh=True)
    if booked_on is not None:
        said = dated(said, booked_on)
    elif await brought_by_hand(app, said) and any(word.outcome is Outcome.paid and word.day is None for word in said.words):
        raise errors.BookingDayMissing
    file = FileBody(file=sha256(data).hexdigest(), booked_on=booked_on)
    await enter(app, caller, HAND_IN, (BANK_FILE, file.file), organisation, said=file, command=lambda *_: None, carry_out=nothing_more)
    entered, _ = await app.state(ENTRY, entry_of(app, HAND_IN, file.file, file))
    if entered is None or not entered.done:
        return TakenView(file=file.file, waits=True, lines=len(said.words), exceptions=0, before=False)
    by = caller.actor()
    taken = await take_in(app, data, by, booked_on=booked_on)
    if isinstance(taken.said, Statement):
        if await whose(app, taken.said) is not None:
            await compare(app, taken.said, by)
    else:
        await refused_by_report(app, taken.said, file.file, by)
    return TakenView(file=taken.digest, lines=taken.lines, exceptions=taken.exceptions, before=taken.before)


@router.get("/exceptions")
async def read_exceptions(
    *, caller: Caller, app: App, organisation: OrgCode, limit: Limit = 50, cursor: Cursor = None
) -> Page[ExceptionView]:
    """What nobody has settled yet, each with what to do; finance, approvers, stewards and auditors of the organisation or above."""
    await caller.require(*READERS, unit=organisation)
    query = f"payment exceptions {organisation}"
    place = app.cursors.read(cursor, query=query)
    found = await exceptions.unsettled(app.pool, organisation, after="" if place is None else place[0], limit=limit + 1)
    more = app.cursors.make([found[limit - 1].exception], query=query) if len(found) > limit else None
    return Page(items=[_exception(one) for one in found[:limit]], next=more)


@router.post("/exceptions/{exception}/settlement", responses=problems(errors.ExceptionUnknown))
async def settle(exception: RecordId, caller: Caller, app: App) -> ExceptionView:
    """Say that an exception was seen to; finance of its organisation or above."""
    found = await exceptions.read(app.pool, exception)
    if found is None:
        raise errors.ExceptionUnknown(exception)
    await caller.require(FINANCE, unit=found.organisation, fresh=True)
    await exceptions.settle(app.pool, exception, caller.principal, app.clock.now())
    return _exception(found)


def comparing(bank: Bank | None) -> Router:
    """The route that asks the bank for a statement."""
    router = Router(prefix="/payments", tags=["payments"])

    @router.post(
        "/accounts/{number}/comparison",
        responses=problems(errors.PaymentAccountUnknown, errors.StatementMissing, BankFileUnreadable),
    )
    async def ask_and_compare(number: AccountNumber, body: DayBody, caller: Caller, app: App) -> ComparedView:
        """Ask the bank for a day's statement, take it in, and compare the day; finance. A difference stops payments from the account."""
        found = opened((await app.state(PAYMENT_ACCOUNT, number))[0], number)
        await caller.require(FINANCE, unit=found.organisation, fresh=True)
        try:
            data = None if bank is None else await bank.statement(number, body.day)
        except BankUnreachable:
            data = None
        if data is None:
            raise errors.StatementMissing(number, body.day)
        return _compared(await reconcile(app, data, caller.actor()))

    return router


def nothing_more(desk: Desk, command: None) -> None:
    """That two have handed it in is all; it is worked through afterwards, in parts."""


def _compared(it: Compare) -> ComparedView:
    return ComparedView(**{name: getattr(it, name) for name in ComparedView.model_fields})


def _exception(one: exceptions.Kept) -> ExceptionView:
    texts = {language: exceptions.sentence(one.rule, language) for language in LANGUAGES}
    steps = {f"next_{language}": exceptions.next_step(one.rule, language) for language in LANGUAGES}
    kept = {name: getattr(one, name) for name in ("exception", "rule", "file", "place", "batch", "entitlement", "instruction", "found_at")}
    return ExceptionView(**kept, **texts, **steps)
