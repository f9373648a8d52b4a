"""Routes of public notices, and the masked sheet that is printed."""

from typing import Annotated

from contracts.kernel import OrgCode
from contracts.membership import Digest, RecordId
from contracts.values import Day
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from pydantic import Field

from assistance.applications import errors as applications
from assistance.applications.api import found as application_found
from assistance.asking import own_id
from assistance.interests.interests import ConflictOfInterest
from assistance.notices import errors
from assistance.notices.notice import NOTICE, POST, SETTLE, TAKE_DOWN, Down, Hanging, Object, Post, SettleObjection, TakeDown, Unposted
from assistance.programmes.errors import ProgrammeNotInForce, ProgrammeUnknown
from assistance.workdays import WorkingDays

router = Router(tags=["notices"])

MAKERS = ("clerk", "steward")
DECIDER = "approver"
READERS = ("clerk", "steward", "approver", "auditor")

Text = Annotated[str, Field(min_length=1, max_length=2_000)]

_NOTICE = (errors.NoticeUnknown, errors.NoticeDown, applications.DayToCome, applications.ApplicationUnknown)


class PostBody(Body):
    organisation: OrgCode
    applications: Annotated[list[RecordId], Field(min_length=1, max_length=200)]
    sheet: Digest = Field(description="SHA-256 of the masked sheet as printed.")
    on: Day


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
    posted_on: Day
    until: Day
    provisional: bool
    down: bool
    objections: list[ObjectionView]


async def _posted(notice: str, app: Application) -> Hanging | Down:
    state, _ = await app.state(NOTICE, notice)
    if isinstance(state, Unposted):
        raise errors.NoticeUnknown(notice)
    return state


def posting(calendar: WorkingDays) -> Router:
    """The route that counts working days."""
    router = Router(tags=["notices"])

    @router.post(
        "/aid/notices",
        status_code=201,
        responses=problems(
            *(applications.ApplicationUnknown, applications.ApplicationElsewhere, applications.OutsideArea, applications.OnNotice),
            *(errors.NoticeMalformed, errors.NoticeExists, ProgrammeUnknown, ProgrammeNotInForce, ConflictOfInterest),
            applications.DayToCome,
        ),
    )
    async def post(body: PostBody, caller: Caller, app: App) -> Accepted:
        """Hang a list of verified applications of one programme; clerk or steward of the union or above."""
        await caller.require(*MAKERS, unit=body.organisation, fresh=True)
        first = await application_found(body.applications[0], app)
        command = Post(
            notice=await own_id(caller, "notice"),
            organisation=body.organisation,
            area=frozenset(app.authority.below(body.organisation, app.today())),
            programme=first.case.programme,
            applications=tuple(body.applications),
            sheet=body.sheet,
            on=body.on,
            calendar=calendar,
            by=caller.principal,
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
        posted_on=posted.posted_on,
        until=posted.until,
        provisional=posted.provisional,
        down=isinstance(state, Down),
        objections=[ObjectionView(objection=name, application=it, upheld=upheld) for name, (it, upheld) in objections.items()],
    )
