"""Routes of applications: clerks and stewards make the case, approvers decide, and nobody does both."""

from collections.abc import Iterable, Sequence

from contracts.assistance.applications import ApplicationId, Meeting, Recusal
from contracts.assistance.programmes import ProgrammeCode
from contracts.kernel import OrgCode
from foundation.decider import Refusal
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Router

from assistance.applications import commands, errors, requests
from assistance.applications.appeals import REVOKE, SETTLE_APPEAL, counted_with_grant
from assistance.applications.application import Appealed, Granted, Instructed, Known, Paid, stage
from assistance.applications.deciding import DECIDE, kin_of, unnamed
from assistance.applications.following import APPLICATION, known
from assistance.applications.making import ATTACH, DRAFT, RETURN, SUBMIT, VERIFY
from assistance.applications.standing import Asked, standing
from assistance.applications.viewing import views
from assistance.applications.visiting import visits
from assistance.asking import acting_level, doubles, homes, own_id, require_unconcerned, standings
from assistance.beneficiaries.beneficiary import AidIsStopped, AlreadyGranted
from assistance.funds import errors as funds
from assistance.hardship.file import FILE, Live
from assistance.interests.interests import INTERESTS, ConflictOfInterest
from assistance.names.names import names_of
from assistance.organisations.levels import LevelUnknown
from assistance.payments.payment import PAYMENT, Due
from assistance.programmes.errors import ProgrammeNotInForce, ProgrammeUnknown
from assistance.programmes.programme import PROGRAMME, Published
from assistance.workdays import WorkingDays

router = Router(tags=["applications"])

MAKERS = ("clerk", "steward")
DECIDER = "approver"
READERS = ("clerk", "steward", "approver", "finance", "auditor")

_LISTED = requests.ApplicationEntry.model_fields.keys() - {"name"}

_RULES = (ProgrammeUnknown, ProgrammeNotInForce)
_CASE: tuple[type[Refusal], ...] = (errors.ApplicationUnknown, errors.ApplicationElsewhere, ConflictOfInterest, errors.DayToCome)
_LINE = (funds.LineUnknown, funds.LineExhausted, funds.LineClosed, funds.PurposeMismatch, funds.PeriodIsClosed, funds.BookedOutsideYear)


async def found(application: ApplicationId, app: Application) -> Known:
    """The application as it stands. Raises ApplicationUnknown."""
    return known((await app.state(APPLICATION, application))[0], application)


async def require(application: ApplicationId, roles: Sequence[str], caller: Calling, app: Application) -> Known:
    """Go on for these roles of the application's union or above. Raises ApplicationUnknown, and what `require` raises."""
    it = await found(application, app)
    await caller.require(*roles, unit=it.case.organisation, fresh=True)
    return it


async def require_files(caller: Calling, app: Application, households: Iterable[str | None]) -> None:
    """Whoever asks for aid on a household's file is clerk or steward of the union that keeps it, too. Raises what `require` raises."""
    files = await app.states(FILE, list({household for household in households if household is not None}))
    for organisation in dict.fromkeys(file.organisation for file in files.values() if isinstance(file, Live)):
        await caller.require(*MAKERS, unit=organisation, fresh=True)


# -------------------------------------------------------------------------------------------------------------- making


@router.post(
    "/aid/applications",
    status_code=201,
    responses=problems(*_CASE, *_RULES, errors.OutOfSeason, errors.FileNeeded, errors.PayeeNotGuardian, errors.IncidentNeeded),
)
async def draft(body: requests.DraftBody, caller: Caller, app: App) -> Accepted:
    """Ask for a programme's aid; clerk or steward of the union. The answer's stream names the application."""
    await require_files(caller, app, [body.household])
    await caller.require(*MAKERS, unit=body.organisation, fresh=True)
    command = body.draft(await own_id(caller, "application"), body, caller.principal, app.authority.path(body.organisation, app.today()))
    return await app.handle_joint(DRAFT, command, by=caller)


@router.post("/aid/applications/{application}/account", responses=problems(*_CASE))
async def give_account(application: ApplicationId, body: requests.GiveAccountBody, caller: Caller, app: App) -> Accepted:
    """Say where the money is to go, in the place of what was known; clerk or steward of the union."""
    it = await require(application, MAKERS, caller, app)
    await require_unconcerned(caller, app, it.case.people)
    command = commands.GiveAccount(application, body.account.account(), caller.principal)
    return await app.handle(APPLICATION, application, command, by=caller)


@router.post("/aid/applications/{application}/documents", responses=problems(*_CASE, *_RULES, errors.DocumentNotAsked))
async def attach(application: ApplicationId, body: requests.AttachBody, caller: Caller, app: App) -> Accepted:
    """Add a paper by its digest; clerk or steward of the union."""
    it = await require(application, MAKERS, caller, app)
    command = commands.Attach(application, it.case.programme, body.kind, body.digest, caller.principal)
    return await app.handle_joint(ATTACH, command, by=caller)


@router.post("/aid/applications/{application}/setting-apart", responses=problems(*_CASE))
async def set_apart(application: ApplicationId, body: requests.SetApartBody, caller: Caller, app: App) -> Accepted:
    """Declare that it is about another incident than an application that was granted; clerk or steward of the union, decided by others."""
    it = await require(application, MAKERS, caller, app)
    await require_unconcerned(caller, app, it.case.people)
    await found(body.apart_from, app)
    command = commands.SetApart(application, body.apart_from, body.reason, caller.principal)
    return await app.handle(APPLICATION, application, command, by=caller)


@router.post(
    "/aid/applications/{application}/verification",
    responses=problems(*_CASE, *_RULES, errors.FileNeeded, errors.VisitMalformed, errors.FactsMisfit, errors.ApprovalStale),
)
async def verify(application: ApplicationId, body: requests.VerifyBody, caller: Caller, app: App) -> Accepted:
    """Enter what a visit found; clerk or steward of the union. The rules are applied at once, and say what failed."""
    it = await require(application, MAKERS, caller, app)
    [command] = await visits(app, [(application, it.case, body)], caller.principal)
    return await app.handle_joint(VERIFY, command, by=caller)


@router.post("/aid/applications/{application}/submission", responses=problems(*_CASE, *_RULES, errors.NoticeNeeded))
async def submit(application: ApplicationId, body: requests.SubmitBody, caller: Caller, app: App) -> Accepted:
    """Send the stamped application up; clerk or steward of the union."""
    it = await require(application, MAKERS, caller, app)
    command = commands.Submit(application, it.case.programme, body.stamped, body.on, caller.principal)
    return await app.handle_joint(SUBMIT, command, by=caller)


@router.post("/aid/applications/{application}/return", responses=problems(*_CASE, errors.DutiesNotSeparated))
async def send_back(application: ApplicationId, body: requests.ReasonBody, caller: Caller, app: App) -> Accepted:
    """Send it back for revision; approver of the union or above."""
    await require(application, (DECIDER,), caller, app)
    return await app.handle_joint(RETURN, commands.Return(application, body.reason, caller.principal), by=caller)


@router.post("/aid/applications/{application}/withdrawal", responses=problems(*_CASE))
async def withdraw(application: ApplicationId, body: requests.DayBody, caller: Caller, app: App) -> Accepted:
    """Enter that the applicant takes it back; clerk or steward of the union."""
    it = await require(application, MAKERS, caller, app)
    await require_unconcerned(caller, app, it.case.people)
    return await app.handle(APPLICATION, application, commands.Withdraw(application, body.on), by=caller)


# ------------------------------------------------------------------------------------------------------------- deciding


def _outcome(body: requests.CaseBody) -> commands.Grant | commands.Refuse:
    if body.outcome == "refuse":
        if body.reason is None or body.fen is not None:
            raise errors.DecisionMalformed("refusal")
        return commands.Refuse(body.reason)
    if body.reason is not None:
        raise errors.DecisionMalformed("reason")
    return commands.Grant(body.fen)


def _meeting(body: requests.MeetingBody | None, unit: OrgCode, app: Application) -> Meeting | None:
    """Raises MeetingMalformed where somebody at the table decides neither for the union, nor above or below it."""
    if body is None:
        return None
    near = {*app.authority.path(unit, app.today()), *app.authority.below(unit, app.today())}
    for one in body.attendees:
        if not any(grant.role == DECIDER and grant.unit in near for grant in app.authority.roles(one, app.today())):
            raise errors.MeetingMalformed("approvers")
    recusals = tuple(Recusal(principal=one.principal, application=one.application) for one in body.recusals)
    return Meeting(held_on=body.held_on, attendees=tuple(body.attendees), recusals=recusals, minutes=body.minutes, paper=body.paper)


def deciding(calendar: WorkingDays) -> Router:
    """The routes that count working days."""
    router = Router(tags=["applications"])

    @router.post(
        "/aid/decisions",
        status_code=201,
        responses=problems(
            *_CASE,
            *_RULES,
            *_LINE,
            errors.DecisionMalformed,
            errors.MeetingMalformed,
            errors.DecisionExists,
            errors.OutsideArea,
            errors.ApprovalStale,
            errors.DutiesNotSeparated,
            errors.NotEligible,
            errors.EligibleNotCompliant,
            errors.AmountNotEntitled,
            errors.HigherLevelNeeded,
            AlreadyGranted,
            errors.IncidentDuplicate,
            AidIsStopped,
            LevelUnknown,
        ),
    )
    async def decide(body: requests.DecideBody, caller: Caller, app: App) -> Accepted:
        """Settle cases of one programme, all or none, with the money reserved; approver of the deciding union, for what is below it."""
        unit, level = await acting_level(caller, app, (DECIDER,), body.organisation)
        cases = await app.states(APPLICATION, [one.application for one in body.cases])
        its = [known(cases[one.application], one.application) for one in body.cases]
        members = await standings(app.pool, [it.case.person for it in its])
        same = await doubles(app, [it.case.person for it in its])
        state, _ = await app.state(PROGRAMME, body.programme)
        days = state.definition.appeal_working_days if isinstance(state, Published) else 0
        home = await homes(app, unnamed(state.definition, [it.case for it in its]) if isinstance(state, Published) else ())
        files = await app.states(FILE, list({*home.values(), *(it.case.household for it in its if it.case.household is not None)}))
        kin = {name: kin_of(state.definition, file) for name, file in files.items() if isinstance(state, Published)}
        command = commands.Decide(
            decision=await own_id(caller, "decision"),
            organisation=unit,
            level=level,
            area=frozenset(app.authority.below(unit, app.today())),
            programme=body.programme,
            line=body.line,
            settled=tuple(
                commands.Settle(
                    *(one.application, it.case.person, it.case.household, one.seen.seen(), _outcome(one)),
                    standing=members.get(it.case.person),
                    doubles=same.get(it.case.person, ()),
                    home=None if it.case.household is not None else home.get(it.case.person),
                    kin=kin.get(it.case.household or home.get(it.case.person, ""), ()),
                )
                for one, it in zip(body.cases, its, strict=True)
            ),
            meeting=_meeting(body.meeting, unit, app),
            appeal_until=calendar.after(app.today(), days).on,
            by=caller.principal,
        )
        return await app.handle_joint(DECIDE, command, by=caller)

    return router


@router.post("/aid/applications/{application}/revocation", responses=problems(*_CASE, *_LINE, *_RULES, errors.DutiesNotSeparated))
async def revoke(application: ApplicationId, body: requests.RevokeBody, caller: Caller, app: App) -> Accepted:
    """Take a grant back before it is instructed, or after its payment failed or came back, and free its money; approver of the union or
    above."""
    it = await require(application, (DECIDER,), caller, app)
    if not isinstance(it, Granted | Instructed | Paid):
        raise errors.ApplicationElsewhere(application, stage(it))
    payment, _ = await app.state(PAYMENT, it.grant.entitlement)
    line = payment.terms.line if isinstance(payment, Due) else it.grant.line
    counted = counted_with_grant(it.case, it.grant)
    command = commands.Revoke(application, it.grant.entitlement, line, counted, body.reason, body.on, caller.principal)
    return await app.handle_joint(REVOKE, command, by=caller)


@router.post("/aid/applications/{application}/appeal", responses=problems(*_CASE, errors.AppealLate))
async def appeal(application: ApplicationId, body: requests.AppealBody, caller: Caller, app: App) -> Accepted:
    """Enter that the applicant appeals against a refusal; clerk or steward of the union."""
    it = await require(application, MAKERS, caller, app)
    await require_unconcerned(caller, app, it.case.people)
    return await app.handle(APPLICATION, application, commands.Appeal(application, body.grounds, body.on), by=caller)


@router.post(
    "/aid/applications/{application}/appeal/settlement",
    responses=problems(*_CASE, errors.DutiesNotSeparated, errors.AppealBelow, errors.MeetingMalformed, LevelUnknown),
)
async def settle_appeal(application: ApplicationId, body: requests.SettleAppealBody, caller: Caller, app: App) -> Accepted:
    """Find an appeal right or wrong; approver of a union above the one that refused, or by a meeting where nobody is above it."""
    it = await found(application, app)
    unit, level = await acting_level(caller, app, (DECIDER,), it.case.organisation)
    if not isinstance(it, Appealed):
        raise errors.ApplicationElsewhere(application, stage(it))
    meeting = _meeting(body.meeting, unit, app)
    command = commands.SettleAppeal(application, body.upheld, body.reason, level, caller.principal, it.decision, meeting)
    return await app.handle_joint(SETTLE_APPEAL, command, by=caller)


# ------------------------------------------------------------------------------------------------------------ following


@router.post("/aid/applications/{application}/receipt", responses=problems(*_CASE))
async def acknowledge(application: ApplicationId, body: requests.ReceiptBody, caller: Caller, app: App) -> Accepted:
    """Enter that the payee has signed for it; clerk or steward of the union."""
    it = await require(application, MAKERS, caller, app)
    await require_unconcerned(caller, app, it.case.people)
    return await app.handle(APPLICATION, application, commands.Acknowledge(application, body.receipt, body.on), by=caller)


@router.post("/aid/applications/{application}/follow-up", responses=problems(*_CASE))
async def follow_up(application: ApplicationId, body: requests.FollowUpBody, caller: Caller, app: App) -> Accepted:
    """Enter what somebody found who asked whether it helped; clerk or steward of the union."""
    it = await require(application, MAKERS, caller, app)
    await require_unconcerned(caller, app, it.case.people)
    return await app.handle(APPLICATION, application, commands.FollowUp(application, body.finding, body.on), by=caller)


# -------------------------------------------------------------------------------------------------------------- reading


@router.get("/aid/applications")
async def list_applications(
    caller: Caller,
    app: App,
    *,
    organisation: OrgCode,
    stage: requests.Stage | None = None,
    programme: ProgrammeCode | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[requests.ApplicationEntry]:
    """Applications of a union and all below it, the oldest first; staff there or above, who do not see those of their relatives."""
    await caller.require(*READERS, unit=organisation)
    interests, _ = await app.state(INTERESTS, caller.principal)
    query = f"aid applications {organisation} {stage} {programme}"
    place = app.cursors.read(cursor, query=query)
    asked = Asked(app.authority.below(organisation, app.today()), stage, programme, sorted(interests))
    found = await standing(app.pool, asked, after=-1 if place is None else place[0], limit=limit)
    names = await names_of(app.search, [one.person for one in found])
    entries = [requests.ApplicationEntry(**{name: getattr(one, name) for name in _LISTED}, name=names.get(one.person)) for one in found]
    return Page(items=entries, next=app.cursors.make([found[-1].position], query=query) if len(found) == limit else None)


@router.get("/aid/applications/{application}", responses=problems(errors.ApplicationUnknown, ConflictOfInterest, ProgrammeUnknown))
async def read(application: ApplicationId, caller: Caller, app: App) -> requests.ApplicationView:
    """An application as it stands today, with what it lacks and where it is decided; staff of the union or above, no relatives."""
    it = await found(application, app)
    await caller.require(*READERS, unit=it.case.organisation)
    await require_unconcerned(caller, app, it.case.people)
    [view] = await views({application: it}, app)
    return view
