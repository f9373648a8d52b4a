"""Routes of public notices, and the masked sheet that is printed."""

from collections.abc import Sequence
from typing import Annotated

from contracts.kernel import OrgCode
from contracts.membership import Digest, RecordId
from contracts.values import Day
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from pydantic import Field
from starlette.responses import HTMLResponse

from assistance.applications import errors as applications
from assistance.applications.api import found as application_found
from assistance.applications.following import APPLICATION, known
from assistance.asking import own_id
from assistance.histories import histories
from assistance.interests.interests import ConflictOfInterest
from assistance.notices import errors
from assistance.notices.listing import Listed, listed, listing
from assistance.notices.notice import NOTICE, POST, SETTLE, TAKE_DOWN, Down, Hanging, Object, Post, SettleObjection, TakeDown, Unposted
from assistance.notices.sheet import Hangs, digest_of, rendered
from assistance.notices.templates import Template, template_of, template_on
from assistance.programmes.errors import ProgrammeNotInForce, ProgrammeUnknown
from assistance.programmes.programme import PROGRAMME, rules_on
from assistance.workdays import WorkingDays

router = Router(tags=["notices"])

MAKERS = ("clerk", "steward")
DECIDER = "approver"
READERS = ("clerk", "steward", "approver", "auditor")

Text = Annotated[str, Field(min_length=1, max_length=2_000)]

_LISTED = (
    *(applications.ApplicationUnknown, applications.ApplicationElsewhere, applications.OutsideArea),
    *(errors.NoticeMalformed, ProgrammeUnknown, ProgrammeNotInForce),
)
_NOTICE = (errors.NoticeUnknown, errors.NoticeDown, applications.DayToCome, applications.ApplicationUnknown)


class ListBody(Body):
    organisation: OrgCode
    applications: Annotated[list[RecordId], Field(min_length=1, max_length=200)]
    on: Day


class PostBody(ListBody):
    sheet: Digest | None = Field(default=None, description="SHA-256 of the sheet that was looked at; another one is refused.")


class ObjectBody(Body):
    application: RecordId
    statement: Text
    on: Day


class SettleBody(Body):
    application: RecordId
    upheld: bool
    finding: Text


class TakeDownBody(Body):
    photo: Digest = Field(description="SHA-256 of the photo of the notice on its wall.")
    on: Day


class ObjectionView(Body):
    objection: RecordId
    application: RecordId
    upheld: bool | None


class NoticeView(Body):
    """A notice as it stands; `provisional`: its last day rests on a calendar that nobody has published yet."""

    notice: RecordId
    organisation: OrgCode
    applications: list[RecordId]
    sheet: Digest
    posted_on: Day
    until: Day
    provisional: bool
    down: bool
    objections: list[ObjectionView]


def _page(sheet: bytes) -> HTMLResponse:
    return HTMLResponse(
        sheet, headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'", "x-sheet-digest": digest_of(sheet)}
    )


async def _posted(notice: str, app: Application) -> Hanging | Down:
    state, _ = await app.state(NOTICE, notice)
    if isinstance(state, Unposted):
        raise errors.NoticeUnknown(notice)
    return state


def posting(calendar: WorkingDays) -> Router:
    """The routes that count working days."""
    router = Router(tags=["notices"])

    async def made(body: ListBody, caller: Calling, app: Application) -> tuple[str, Sequence[Listed], Template, bytes]:
        """The programme, what is listed, and its sheet by the template of the day."""
        await caller.require(*MAKERS, unit=body.organisation, fresh=True)
        area = app.authority.below(body.organisation, app.today())
        told = await histories(app, APPLICATION, body.applications)
        cases = {one: known(APPLICATION.fold([happened.event for happened in told[one]]), one).case for one in body.applications}
        if outside := [one for one, case in cases.items() if case.organisation not in area]:
            raise applications.OutsideArea(outside[0])
        programme = cases[body.applications[0]].programme
        rules = rules_on((await app.state(PROGRAMME, programme))[0], programme, app.today()).definition
        if rules.notice is None:
            raise errors.NoticeMalformed("programme")
        days = rules.notice.working_days
        found = await listed(told, app, by=caller.principal)
        template = template_on(body.on)
        lines = await listing(body.organisation, Hangs(body.on, calendar.after(body.on, days).on, days), found, app)
        return programme, found, template, rendered(template, lines)

    @router.post("/aid/notice-sheets", response_class=HTMLResponse, responses=problems(*_LISTED))
    async def look(body: ListBody, caller: Caller, app: App) -> HTMLResponse:
        """The masked sheet as it would hang; clerk or steward of the union or above. A query: nothing is changed."""
        return _page((await made(body, caller, app))[-1])

    @router.post(
        "/aid/notices",
        status_code=201,
        responses=problems(
            *_LISTED,
            *(applications.OnNotice, applications.ApprovalStale, applications.DayToCome),
            *(errors.NoticeExists, errors.SheetDiffers, ConflictOfInterest),
        ),
    )
    async def post(body: PostBody, caller: Caller, app: App) -> Accepted:
        """Hang a list of verified applications of one programme; clerk or steward of the union or above."""
        programme, found, template, page = await made(body, caller, app)
        sheet = digest_of(page)
        if body.sheet not in (None, sheet):
            raise errors.SheetDiffers(sheet)
        command = Post(
            notice=await own_id(caller, "notice"),
            organisation=body.organisation,
            area=frozenset(app.authority.below(body.organisation, app.today())),
            programme=programme,
            applications=tuple(body.applications),
            sheet=sheet,
            on=body.on,
            calendar=calendar,
            by=caller.principal,
            template=template.code,
            seen={one.application: one.version for one in found},
        )
        return await app.handle_joint(POST, command, by=caller)

    return router


@router.post("/aid/notices/{notice}/objections", status_code=201, responses=problems(*_NOTICE, errors.NotOnNotice))
async def object_to(notice: RecordId, body: ObjectBody, caller: Caller, app: App) -> Accepted:
    """Enter an objection that somebody made; clerk or steward of the union."""
    await caller.require(*MAKERS, unit=(await _posted(notice, app)).posted.organisation, fresh=True)
    case = (await application_found(body.application, app)).case
    command = Object(notice, await own_id(caller, "objection"), body.application, case.person, body.statement, body.on)
    return await app.handle(NOTICE, notice, command, by=caller)


@router.post(
    "/aid/notices/{notice}/objections/{objection}/settlement",
    responses=problems(*_NOTICE, errors.ObjectionUnknown, errors.OwnObjection, ConflictOfInterest),
)
async def settle(notice: RecordId, objection: RecordId, body: SettleBody, caller: Caller, app: App) -> Accepted:
    """Say what came of looking into an objection; approver of the union or above, who made none of it."""
    await caller.require(DECIDER, unit=(await _posted(notice, app)).posted.organisation, fresh=True)
    command = SettleObjection(notice, objection, body.application, body.upheld, body.finding, caller.principal)
    return await app.handle_joint(SETTLE, command, by=caller)


@router.post(
    "/aid/notices/{notice}/taking-down",
    responses=problems(*_NOTICE, errors.NoticeStillHangs, errors.ObjectionsOpen, errors.NoticeMalformed),
)
async def take_down(notice: RecordId, body: TakeDownBody, caller: Caller, app: App) -> Accepted:
    """Take a notice down after its days, with a photo; clerk or steward of the union."""
    posted = (await _posted(notice, app)).posted
    await caller.require(*MAKERS, unit=posted.organisation, fresh=True)
    return await app.handle_joint(TAKE_DOWN, TakeDown(notice, posted.applications, body.photo, body.on), by=caller)


@router.get("/aid/notices/{notice}/sheet", response_class=HTMLResponse, responses=problems(errors.NoticeUnknown, errors.SheetNotKept))
async def read_sheet(notice: RecordId, caller: Caller, app: App) -> HTMLResponse:
    """The masked sheet that hung, made again from the history and equal to its digest; staff of the union or above."""
    posted = (await _posted(notice, app)).posted
    await caller.require(*READERS, unit=posted.organisation)
    if posted.template is None or posted.working_days is None:
        raise errors.SheetNotKept(notice, posted.sheet)
    found = await listed(await histories(app, APPLICATION, posted.applications), app, by=caller.principal, notice=notice)
    hangs = Hangs(posted.posted_on, posted.until, posted.working_days)
    lines = await listing(posted.organisation, hangs, found, app)
    sheet = rendered(template_of(posted.template), lines)
    if digest_of(sheet) != posted.sheet:
        raise errors.SheetNotKept(notice, posted.sheet)
    return _page(sheet)


@router.get("/aid/notices/{notice}", responses=problems(errors.NoticeUnknown))
async def read(notice: RecordId, caller: Caller, app: App) -> NoticeView:
    """A notice and what was objected to it; staff of the union or above."""
    state = await _posted(notice, app)
    posted = state.posted
    await caller.require(*READERS, unit=posted.organisation)
    objections = state.objections if isinstance(state, Hanging) else {}
    return NoticeView(
        notice=notice,
        organisation=posted.organisation,
        applications=list(posted.applications),
        sheet=posted.sheet,
        posted_on=posted.posted_on,
        until=posted.until,
        provisional=posted.provisional,
        down=isinstance(state, Down),
        objections=[ObjectionView(objection=name, application=it, upheld=upheld) for name, (it, upheld) in objections.items()],
    )
