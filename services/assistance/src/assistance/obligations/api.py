"""Routes of emergency payments and what they owe."""

from typing import Annotated

from contracts.assistance.funds import EntitlementId, LineId
from contracts.assistance.obligations import ObligationOpened
from contracts.kernel import OrgCode
from contracts.membership import Digest, Principal, RecordId
from contracts.values import Day
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from pydantic import Field, StrictInt

from assistance.applications import errors as applications
from assistance.applications.api import found as application_found
from assistance.applications.deciding import counted_with, kin_of, unnamed
from assistance.asking import acting_level, doubles, homes, own_id, standings
from assistance.beneficiaries.beneficiary import AidIsStopped, AlreadyGranted
from assistance.funds import errors as funds
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.line import Closed
from assistance.hardship.file import FILE
from assistance.interests.interests import ConflictOfInterest
from assistance.obligations import commands, errors, owed
from assistance.obligations.closing import MEET, RECOVER, WRITE_OFF
from assistance.obligations.emergency import PAY_FIRST
from assistance.obligations.obligation import OBLIGATION, NoObligation, Owed, Settled
from assistance.organisations.levels import LevelUnknown
from assistance.payments.payment import PAYMENT, Done
from assistance.programmes.errors import ProgrammeNotInForce, ProgrammeUnknown
from assistance.programmes.programme import PROGRAMME, Published
from assistance.workdays import WorkingDays

router = Router(tags=["obligations"])

AUTHORISER = "approver"
READERS = ("clerk", "steward", "approver", "finance", "auditor")

Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Fen = Annotated[StrictInt, Field(ge=1, le=10**12)]

_OWED = (errors.ObligationUnknown, errors.ObligationClosed, errors.ClosedByAuthoriser, applications.DayToCome, ConflictOfInterest)


class PayFirstBody(Body):
    line: LineId
    fen: Fen


class MeetBody(Body):
    on: Day


class RecoverBody(Body):
    fen: Fen
    receipt: Digest
    on: Day


class WriteOffBody(Body):
    reason: Text
    paper: Digest
    on: Day


class ObligationView(Body):
    obligation: RecordId
    application: RecordId
    organisation: OrgCode
    authoriser: Principal
    fen: int
    due_on: Day
    provisional: bool
    overdue: bool
    settled_by: str | None


class Exposure(Body):
    """What is open of emergency payments in a union and all below it."""

    open_fen: int
    overdue_fen: int
    overdue: list[RecordId]


def paying_first(calendar: WorkingDays) -> Router:
    """The route that counts days."""
    router = Router(tags=["obligations"])

    @router.post(
        "/aid/applications/{application}/emergency-payment",
        responses=problems(
            *(applications.ApplicationUnknown, applications.ApplicationElsewhere, applications.DutiesNotSeparated),
            *(applications.ApprovalStale, applications.NotEligible, applications.EligibleNotCompliant, applications.HigherLevelNeeded),
            *(applications.FileNeeded, applications.IncidentDuplicate),
            *(errors.PayFirstNotOffered, errors.EmergencyAmountTooHigh, errors.DiscretionCutOff, errors.ExposureTooHigh),
            *(ConflictOfInterest, AlreadyGranted, AidIsStopped, LevelUnknown, ProgrammeUnknown, ProgrammeNotInForce),
            *(funds.LineUnknown, funds.LineExhausted, funds.LineClosed, funds.PurposeMismatch, funds.PeriodIsClosed),
            funds.BookedOutsideYear,
        ),
    )
    async def pay_first(application: RecordId, body: PayFirstBody, caller: Caller, app: App) -> Accepted:
        """Pay at once, on one's own authority; approver of the union or above. The papers are owed by the authoriser."""
        case = (await application_found(application, app)).case
        unit, level = await acting_level(caller, app, (AUTHORISER,), case.organisation)
        state, _ = await app.state(PROGRAMME, case.programme)
        if not isinstance(state, Published):
            raise ProgrammeUnknown(case.programme)
        home = (await homes(app, unnamed(state.definition, [case]))).get(case.person)
        household = case.household or home
        command = commands.PayFirst(
            obligation=await own_id(caller, "obligation"),
            application=application,
            person=case.person,
            household=case.household,
            counted=counted_with(state.definition, case.person, household),
            programme=case.programme,
            line=body.line,
            fen=body.fen,
            level=level,
            area=frozenset(app.authority.below(unit, app.today())),
            standing=(await standings(app.pool, [case.person])).get(case.person),
            calendar=calendar,
            by=caller.principal,
            doubles=(await doubles(app, [case.person])).get(case.person, ()),
            home=home,
            kin=kin_of(state.definition, None if household is None else (await app.state(FILE, household))[0]),
        )
        return await app.handle_joint(PAY_FIRST, command, by=caller)

    return router


async def _known(obligation: str, app: Application) -> Owed | Settled:
    state, _ = await app.state(OBLIGATION, obligation)
    if isinstance(state, NoObligation):
        raise errors.ObligationUnknown(obligation)
    return state


@router.post(
    "/aid/obligations/{obligation}/papers",
    responses=problems(*_OWED, applications.DutiesNotSeparated, errors.PapersMissing, ProgrammeUnknown),
)
async def meet(obligation: RecordId, body: MeetBody, caller: Caller, app: App) -> Accepted:
    """Enter that the papers, attached to the application, were checked; approver of the union or above, not the authoriser."""
    opened = (await _known(obligation, app)).opened
    await caller.require(AUTHORISER, unit=opened.organisation, fresh=True)
    command = commands.Meet(obligation, opened.authoriser, opened.application, opened.programme, body.on, caller.principal)
    return await app.handle_joint(MEET, command, by=caller)


async def _paid(opened: ObligationOpened, app: Application) -> tuple[EntitlementId | None, LineId | None, LineId | None]:
    """What was paid first, out of which line, and which line goes on with that one's balance, if it is closed."""
    grant = getattr(await application_found(opened.application, app), "grant", None)
    if grant is None or grant.obligation != opened.obligation:
        return None, None, None
    payment, _ = await app.state(PAYMENT, grant.entitlement)
    line = payment.terms.line if isinstance(payment, Done) else grant.line
    state, into = (await app.state(BUDGET_LINE, line))[0], None
    while isinstance(state, Closed):
        into = state.into_line
        state, _ = await app.state(BUDGET_LINE, into)
    return grant.entitlement, line, into


@router.post(
    "/aid/obligations/{obligation}/recovery",
    responses=problems(
        *(*_OWED, errors.RecoveredInPart, funds.NotPaid, funds.LineClosed),
        *(funds.PeriodIsClosed, funds.SourceMismatch, funds.EarmarkedElsewhere),
    ),
)
async def recover(obligation: RecordId, body: RecoverBody, caller: Caller, app: App) -> Accepted:
    """Enter that the money is back, all of it, and in its budget line; finance of the union or above."""
    opened = (await _known(obligation, app)).opened
    await caller.require("finance", unit=opened.organisation, fresh=True)
    entitlement, line, into = await _paid(opened, app)
    about = (obligation, opened.authoriser, opened.application, entitlement, line, into)
    command = commands.Recover(*about, body.fen, body.receipt, body.on, caller.principal)
    return await app.handle_joint(RECOVER, command, by=caller)


@router.post("/aid/obligations/{obligation}/write-off", responses=problems(*_OWED, errors.WriteOffBelow, LevelUnknown))
async def write_off(obligation: RecordId, body: WriteOffBody, caller: Caller, app: App) -> Accepted:
    """Give papers and money up, by a signed decision; approver of a union above the one that paid."""
    opened = (await _known(obligation, app)).opened
    _, level = await acting_level(caller, app, (AUTHORISER,), opened.organisation)
    command = commands.WriteOff(
        obligation, opened.authoriser, opened.application, body.reason, body.paper, level, body.on, caller.principal
    )
    return await app.handle_joint(WRITE_OFF, command, by=caller)


@router.get("/aid/obligations/{obligation}", responses=problems(errors.ObligationUnknown))
async def read(obligation: RecordId, caller: Caller, app: App) -> ObligationView:
    """What an emergency payment owes; staff of the union or above."""
    state = await _known(obligation, app)
    opened = state.opened
    await caller.require(*READERS, unit=opened.organisation)
    return ObligationView(
        obligation=obligation,
        application=opened.application,
        organisation=opened.organisation,
        authoriser=opened.authoriser,
        fen=opened.fen,
        due_on=opened.due_on,
        provisional=opened.provisional,
        overdue=isinstance(state, Owed) and state.overdue,
        settled_by=state.by if isinstance(state, Settled) else None,
    )


@router.get("/aid/exposure")
async def exposure(caller: Caller, app: App, *, organisation: OrgCode) -> Exposure:
    """What is open, and overdue, of emergency payments in a union and all below it; its approvers, finance, auditors, or above."""
    await caller.require("approver", "finance", "auditor", unit=organisation)
    found = await owed.open_in(app.pool, app.authority.below(organisation, app.today()))
    late = [one for one in found if one.due_on < app.today()]
    return Exposure(
        open_fen=sum(one.fen for one in found), overdue_fen=sum(one.fen for one in late), overdue=[one.obligation for one in late][:200]
    )
