"""Routes of batches: made by one of finance, checked by a second, released by a third; the service sends."""

from collections.abc import Sequence
from datetime import date
from hashlib import sha256
from typing import Annotated, Literal

from contracts.assistance.funds import EntitlementId
from contracts.assistance.payments import AccountNumber, BatchId, Channel
from contracts.kernel import OrgCode
from contracts.membership import Digest
from contracts.values import Day
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from pydantic import Field
from starlette.responses import Response

from assistance.asking import own_id, require_unconcerned
from assistance.bank.errors import FileNotRendered
from assistance.batches import commands, errors, standing
from assistance.batches.batch import BATCH, FILL_MAX, HandedOut, Known, Unopened, stage
from assistance.batches.filling import Held, fill, people_of, with_accounts
from assistance.batches.findings import findings
from assistance.batches.leaving import FROM_ACCOUNT, FromAccount
from assistance.batches.sending import render
from assistance.batches.withdrawing import REASONS, TAKE_OUT, TakeOut
from assistance.double_entry.api import enter
from assistance.interests.interests import ConflictOfInterest
from assistance.payments import standing as payments
from assistance.payments.errors import DutiesNotSeparated
from assistance.reconciliation import errors as accounts
from assistance.reconciliation import exceptions

router = Router(prefix="/payments/batches", tags=["payments"])

FINANCE = "finance"
READERS = ("finance", "approver", "steward", "auditor")

_FILES = {
    Channel.iso20022: ("application/xml", "xml"),
    Channel.template: ("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
}

_BATCH = (errors.BatchUnknown, errors.BatchElsewhere, errors.BatchDutiesNotSeparated)
_ACCOUNT = (accounts.PaymentAccountUnknown, accounts.PaymentAccountOfAnother, accounts.AccountHalted)


class OpenBody(Body):
    organisation: OrgCode
    account: AccountNumber
    channel: Channel = Channel.iso20022
    execute_on: Day
    by_hand: bool = Field(default=False, description="The payer brings the file to the bank; the service never sends it.")


class FillBody(Body):
    entitlements: Annotated[list[EntitlementId], Field(min_length=1, max_length=FILL_MAX)] | None = Field(
        default=None, description="None: the next ones that are due."
    )
    after: EntitlementId | None = Field(default=None, description="Go on after this one, as the answer before said.")
    limit: Annotated[int, Field(ge=1, le=FILL_MAX)] = FILL_MAX


class HeldView(Body):
    entitlement: EntitlementId
    rule: str


class FilledView(Body):
    """What went in, and what a rule held back."""

    instructed: int
    held: list[HeldView]
    after: EntitlementId | None
    count: int = Field(description="Payments in the batch now.")
    total_fen: int


class FiguresBody(Body):
    count: Annotated[int, Field(ge=1)]
    total_fen: Annotated[int, Field(ge=1)]


class StatementBody(Body):
    statement: Digest = Field(description="The bank's letter that it never had the file.")


class WithdrawalBody(Body):
    entitlement: EntitlementId
    reason: Literal[REASONS]  # type: ignore[valid-type]


class UploadBody(Body):
    reference: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]{4,35}$", description="What the bank says it received the file as.")]


class BatchView(Body):
    batch: BatchId
    organisation: OrgCode
    account: AccountNumber
    channel: Channel
    execute_on: date
    stage: str
    count: int
    total_fen: int
    opened_by: str
    checked_by: str | None
    released_by: str | None
    by_hand: bool


class FindingView(Body):
    """Something a checker should see before freezing the batch."""

    entitlement: EntitlementId
    rule: str
    zh: str
    en: str


async def _known(batch: BatchId, app: Application) -> Known:
    state, _ = await app.state(BATCH, batch)
    if isinstance(state, Unopened):
        raise errors.BatchUnknown(batch)
    return state


async def _require(batch: BatchId, caller: Calling, app: Application, roles: Sequence[str] = (FINANCE,)) -> Known:
    known = await _known(batch, app)
    await caller.require(*roles, unit=known.contents.opened.organisation, fresh=True)
    return known


@router.post("", status_code=201, responses=problems(errors.BatchExists, *_ACCOUNT))
async def begin(body: OpenBody, caller: Caller, app: App) -> Accepted:
    """Begin a batch of an organisation's payments from one of its accounts; finance of it or above, its maker from then on."""
    await caller.require(FINANCE, unit=body.organisation, fresh=True)
    batch = await own_id(caller, "batch")
    command = commands.Open(batch, body.organisation, body.account, body.channel, body.execute_on, caller.principal, body.by_hand)
    return await app.handle_joint(FROM_ACCOUNT, FromAccount(command, body.account), by=caller)


@router.post("/{batch}/items", responses=problems(*_BATCH, errors.BatchFull))
async def put_in(batch: BatchId, body: FillBody, caller: Caller, app: App) -> FilledView:
    """Put payments in that are due, in one go at most so many; its maker. What a rule holds back is told and left out; again is no harm."""
    known = await _require(batch, caller, app)
    filled = await fill(app, batch, known, caller.actor(), only=body.entitlements, after=body.after or "", limit=body.limit)
    contents = (await _known(batch, app)).contents
    return FilledView(
        instructed=filled.instructed,
        held=[_held(one) for one in filled.held],
        after=filled.after,
        count=contents.count,
        total_fen=contents.total_fen,
    )


def _held(one: Held) -> HeldView:
    return HeldView(entitlement=one.entitlement, rule=one.rule)


@router.get("/{batch}/findings", responses=problems(errors.BatchUnknown, FileNotRendered))
async def look_over(batch: BatchId, caller: Caller, app: App) -> list[FindingView]:
    """What a checker should see: one account for several people, money to somebody else; finance of the organisation or above."""
    known = await _known(batch, app)
    await caller.require(FINANCE, unit=known.contents.opened.organisation)
    found = await findings_of(batch, known, caller.principal, app)
    return [
        FindingView(
            entitlement=one.entitlement or "",
            rule=one.rule,
            zh=exceptions.sentence(one.rule, "zh"),
            en=exceptions.sentence(one.rule, "en"),
        )
        for one in found
    ]


async def findings_of(batch: BatchId, known: Known, principal: str, app: Application) -> list[exceptions.Found]:
    """As exceptions of the batch's organisation."""
    found = findings(await with_accounts(app, batch, principal))
    organisation = known.contents.opened.organisation
    return [exceptions.Found(organisation, rule, batch=batch, entitlement=entitlement) for rule, entitlement in found]


@router.post("/{batch}/check", responses=problems(*_BATCH, errors.ControlFiguresDiffer, FileNotRendered, ConflictOfInterest))
async def check(batch: BatchId, body: FiguresBody, caller: Caller, app: App) -> Accepted:
    """Compare the control figures and freeze the batch; finance, not its maker. Its findings become exceptions to be seen to."""
    known = await _require(batch, caller, app)
    await require_unconcerned(caller, app, await people_of(app, batch))
    found = await findings_of(batch, known, caller.principal, app)
    command = commands.Check(batch, body.count, body.total_fen, caller.principal)
    answer = await app.handle(BATCH, batch, command, by=caller)
    await exceptions.keep(app.pool, found, app.clock.now())
    return answer


@router.post("/{batch}/reopening", responses=problems(*_BATCH))
async def reopen(batch: BatchId, caller: Caller, app: App) -> Accepted:
    """Send a batch that has not left back to its maker; finance."""
    await _require(batch, caller, app)
    return await app.handle(BATCH, batch, commands.Reopen(batch, caller.principal), by=caller)


@router.post("/{batch}/release", responses=problems(*_BATCH, *_ACCOUNT, FileNotRendered, ConflictOfInterest))
async def release(batch: BatchId, caller: Caller, app: App) -> Accepted:
    """Let it go to the bank, its file fixed by its digest; finance, neither its maker nor its checker."""
    known = await _require(batch, caller, app)
    await require_unconcerned(caller, app, await people_of(app, batch))
    file = await render(app, batch, known, caller.principal)
    command = commands.Release(batch, sha256(file).hexdigest(), caller.principal)
    return await app.handle_joint(FROM_ACCOUNT, FromAccount(command, known.contents.opened.account), by=caller)


@router.post("/{batch}/withdrawals", responses=problems(*_BATCH, errors.NotInBatch, ConflictOfInterest))
async def take_out(batch: BatchId, body: WithdrawalBody, caller: Caller, app: App) -> Accepted:
    """Take one payment out of a batch that has not left; finance, no relatives. The payment is due still, in another batch; this one is
    to be checked and released anew, its figures being others."""
    await _require(batch, caller, app)
    payment = await payments.standing(app.pool, body.entitlement)
    if payment is not None:
        await require_unconcerned(caller, app, {payment.person, payment.payee})
    return await app.handle_joint(TAKE_OUT, TakeOut(batch, body.entitlement, body.reason, caller.principal), by=caller)


@router.post("/{batch}/handing-out", responses=problems(*_BATCH, *_ACCOUNT, errors.BatchGoesOtherwise, errors.NotThePayer, FileNotRendered))
async def hand_out(batch: BatchId, caller: Caller, app: App) -> Accepted:
    """Take over a batch's file, to bring it to the bank by hand; finance, who released it. The bank may have it from then on."""
    known = await _require(batch, caller, app)
    command = commands.HandOut(batch, caller.principal)
    return await app.handle_joint(FROM_ACCOUNT, FromAccount(command, known.contents.opened.account), by=caller)


@router.get(
    "/{batch}/file",
    responses=problems(*_BATCH, errors.NotThePayer, errors.FileDiffers, FileNotRendered)
    | {200: {"content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind, _ in _FILES.values()}}},
    response_class=Response,
)
async def download(batch: BatchId, caller: Caller, app: App) -> Response:
    """The file of a batch that was handed out; finance, who took it over, until the bank has given its reference."""
    known = await _require(batch, caller, app)
    if not isinstance(known, HandedOut):
        raise errors.BatchElsewhere(batch, stage(known))
    if known.to != caller.principal:
        raise errors.NotThePayer(batch)
    file = await render(app, batch, known, caller.principal)
    if sha256(file).hexdigest() != known.file:
        raise errors.FileDiffers(batch)
    kind, ending = _FILES[known.contents.opened.channel]
    headers = {"content-disposition": f'attachment; filename="{batch}.{ending}"', "cache-control": "no-store"}
    return Response(file, media_type=kind, headers=headers)


@router.post("/{batch}/upload", responses=problems(*_BATCH, errors.BatchGoesOtherwise, errors.NotThePayer))
async def acknowledge(batch: BatchId, body: UploadBody, caller: Caller, app: App) -> Accepted:
    """Enter the reference with which the bank received the file; finance, who brought it there."""
    await _require(batch, caller, app)
    return await app.handle(BATCH, batch, commands.Upload(batch, body.reference, caller.principal), by=caller)


@router.post("/{batch}/disowning", responses=problems(*_BATCH, DutiesNotSeparated))
async def disown(batch: BatchId, body: StatementBody, caller: Caller, app: App) -> Accepted:
    """Enter the bank's letter that it never had an unanswered batch; two of finance, the same letter each."""
    known = await _require(batch, caller, app)

    def command(by: str, approved_by: str) -> commands.Disown:
        return commands.Disown(batch, body.statement, by, approved_by)

    organisation = known.contents.opened.organisation
    return await enter(app, caller, "disown-batch", (BATCH, batch), organisation, said=body, command=command)


@router.get("/{batch}", responses=problems(errors.BatchUnknown))
async def read(batch: BatchId, caller: Caller, app: App) -> BatchView:
    """A batch as it stands; finance, approvers, stewards and auditors of its organisation or above."""
    found = await standing.standing(app.pool, batch)
    if found is None:
        raise errors.BatchUnknown(batch)
    await caller.require(*READERS, unit=found.organisation)
    return _view(found)


@router.get("")
async def read_all(*, caller: Caller, app: App, organisation: OrgCode, limit: Limit = 50, cursor: Cursor = None) -> Page[BatchView]:
    """An organisation's batches, the newest first; finance, approvers, stewards and auditors of it or above."""
    await caller.require(*READERS, unit=organisation)
    query = f"payment batches {organisation}"
    place = app.cursors.read(cursor, query=query)
    found = await standing.of_organisation(app.pool, organisation, before=2**62 if place is None else place[0], limit=limit + 1)
    more = app.cursors.make([found[limit - 1].position], query=query) if len(found) > limit else None
    return Page(items=[_view(one) for one in found[:limit]], next=more)


def _view(found: standing.Standing) -> BatchView:
    return BatchView(**{name: getattr(found, name) for name in BatchView.model_fields})
