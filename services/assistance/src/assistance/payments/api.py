"""Routes of payments: what is due, one payment's way, another account or heir, and paying by hand."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from contracts.assistance.funds import EntitlementId
from contracts.assistance.payments import BatchId, InstructionId
from contracts.kernel import OrgCode, PersonId
from contracts.membership import Digest, Principal
from contracts.values import Day
from foundation.decider import Part
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from pydantic import Field

from assistance.applications.application import Unknown
from assistance.applications.errors import DutiesNotSeparated as CaseDutiesNotSeparated
from assistance.applications.following import APPLICATION
from assistance.applications.requests import AccountBody
from assistance.asking import require_unconcerned
from assistance.beneficiaries.beneficiary import BENEFICIARY, AidIsStopped
from assistance.double_entry.api import enter
from assistance.funds.budget_line import BUDGET_LINE
from assistance.interests.interests import ConflictOfInterest
from assistance.payments import commands, errors, standing
from assistance.payments.by_hand import CASH_REASONS, by_hand
from assistance.payments.instructing import instruction_id
from assistance.payments.payment import PAYMENT

router = Router(prefix="/payments", tags=["payments"])

FINANCE = "finance"
READERS = ("finance", "approver", "steward", "auditor")


class PaymentView(Body):
    """One entitlement's payment as it stands."""

    entitlement: EntitlementId
    application: str
    organisation: OrgCode
    person: PersonId
    payee: PersonId
    line: str
    fen: int
    programme: str
    stage: str = Field(description="due, under way, paid, failed or returned; the last two are due again.")
    batch: BatchId | None
    instruction: InstructionId | None
    code: str | None = Field(description="Why it failed or came back (ISO 20022).")


class StepView(Body):
    """One thing that happened to a payment."""

    position: int
    at: datetime
    type: str
    actor: str
    instruction: InstructionId | None
    code: str | None
    fen: int | None


class CorrectBody(Body):
    account: AccountBody
    paper: Digest


class HeirBody(Body):
    payee: PersonId
    account: AccountBody
    proof: Digest


class CashBody(Body):
    reason: Literal[CASH_REASONS]  # type: ignore[valid-type]
    witnesses: Annotated[list[Principal], Field(min_length=2, max_length=2)]
    receipt: Digest
    on: Day


async def _require(entitlement: EntitlementId, caller: Calling, app: Application, roles: Sequence[str]) -> standing.Standing:
    found = await standing.standing(app.pool, entitlement)
    if found is None:
        raise errors.NotGranted(entitlement)
    await caller.require(*roles, unit=found.organisation, fresh=roles == (FINANCE,))
    application, _ = await app.state(APPLICATION, found.application)
    people = frozenset() if isinstance(application, Unknown) else application.case.people
    await require_unconcerned(caller, app, people | {found.payee})
    return found


@router.get("/due")
async def read_due(*, caller: Caller, app: App, organisation: OrgCode, limit: Limit = 50, cursor: Cursor = None) -> Page[PaymentView]:
    """What waits to be paid from an organisation's lines; finance, approvers, stewards and auditors of it or above."""
    await caller.require(*READERS, unit=organisation)
    query = f"payments due {organisation}"
    place = app.cursors.read(cursor, query=query)
    found = await standing.due(app.pool, organisation, after="" if place is None else place[0], limit=limit + 1)
    more = app.cursors.make([found[limit - 1].entitlement], query=query) if len(found) > limit else None
    return Page(items=[_view(one) for one in found[:limit]], next=more)


@router.get("/entitlements/{entitlement}", responses=problems(errors.NotGranted, ConflictOfInterest))
async def read(entitlement: EntitlementId, caller: Caller, app: App) -> PaymentView:
    """One payment as it stands; staff of the union or above, no relatives."""
    return _view(await _require(entitlement, caller, app, READERS))


@router.get("/entitlements/{entitlement}/steps", responses=problems(errors.NotGranted, ConflictOfInterest))
async def read_steps(entitlement: EntitlementId, caller: Caller, app: App) -> list[StepView]:
    """Everything that happened to one payment, oldest first; staff of the union or above, no relatives."""
    await _require(entitlement, caller, app, READERS)
    return [
        StepView(
            position=one.position,
            at=one.envelope.time,
            type=one.envelope.type,
            actor=one.envelope.actor,
            **{name: getattr(one.event, name, None) for name in ("instruction", "code", "fen")},
        )
        for one in await app.history(PAYMENT, entitlement)
    ]


def _view(found: standing.Standing) -> PaymentView:
    return PaymentView(**{name: getattr(found, name) for name in PaymentView.model_fields})


@router.post(
    "/entitlements/{entitlement}/account",
    responses=problems(errors.NotGranted, errors.OtherTerms, errors.NothingToCorrect, errors.DutiesNotSeparated, ConflictOfInterest),
)
async def correct(entitlement: EntitlementId, body: CorrectBody, caller: Caller, app: App) -> Accepted:
    """Enter another account of the same payee, while the payment is due, for the first time or again; two of finance, the same each."""
    found = await _require(entitlement, caller, app, (FINANCE,))
    account = body.account.account()

    def command(by: str, approved_by: str) -> commands.CorrectAccount:
        return commands.CorrectAccount(entitlement, found.payee, account, body.paper, by, approved_by)

    return await enter(app, caller, "correct-account", (PAYMENT, entitlement), found.organisation, said=body, command=command)


@router.post(
    "/entitlements/{entitlement}/heir",
    responses=problems(errors.NotGranted, errors.NothingToCorrect, errors.DutiesNotSeparated, ConflictOfInterest),
)
async def redirect(entitlement: EntitlementId, body: HeirBody, caller: Caller, app: App) -> Accepted:
    """Enter a proven heir in the payee's place, while the payment is due; two of finance, the same heir each."""
    found = await _require(entitlement, caller, app, (FINANCE,))
    await require_unconcerned(caller, app, [body.payee])
    account = body.account.account()

    def command(by: str, approved_by: str) -> commands.Redirect:
        return commands.Redirect(entitlement, body.payee, account, body.proof, by, approved_by)

    return await enter(app, caller, "redirect-payment", (PAYMENT, entitlement), found.organisation, said=body, command=command)


@router.post(
    "/entitlements/{entitlement}/cash",
    responses=problems(
        *(errors.NotGranted, errors.CashTooMuch, errors.PaymentUnderWay, errors.AlreadyPaid, errors.OtherTerms),
        *(errors.DutiesNotSeparated, CaseDutiesNotSeparated, AidIsStopped, ConflictOfInterest),
    ),
)
async def pay_in_cash(entitlement: EntitlementId, body: CashBody, caller: Caller, app: App) -> Accepted:
    """Enter a payment by hand for a reason of the list, before two witnesses, up to 1,000 yuan; two of finance, the same each."""
    found = await _require(entitlement, caller, app, (FINANCE,))
    one, two = body.witnesses

    def command(by: str, approved_by: str) -> commands.PayInCash:
        terms = commands.Terms(found.application, found.organisation, found.person, found.payee, found.line, "", found.fen)
        instruction = instruction_id("cash", entitlement)
        return commands.PayInCash(entitlement, instruction, terms, body.reason, (one, two), body.receipt, body.on, by, approved_by)

    parts = (
        *(Part(APPLICATION, found.application), Part(BUDGET_LINE, found.line)),
        *(Part(BENEFICIARY, found.payee), Part(BENEFICIARY, found.person)),
    )
    about = (PAYMENT, entitlement)
    return await enter(app, caller, "pay-in-cash", about, found.organisation, said=body, command=command, parts=parts, carry_out=by_hand)
