"""Routes of lists: the single routes' rules for up to LIST_MAX rows, taken all or none; and the agenda of those who decide."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from contracts.assistance.applications import ApplicationId
from contracts.assistance.programmes import ProgrammeCode
from contracts.kernel import OrgCode
from foundation.commands import Accepted as Outcome
from foundation.decider import JointDecider
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Router
from foundation.ids import command_id

from assistance.applications import commands, errors
from assistance.applications.api import MAKERS, READERS, require_files
from assistance.applications.application import Known
from assistance.applications.following import APPLICATION, known
from assistance.applications.making import DRAFT, SUBMIT, VERIFY
from assistance.applications.requests import ApplicationView
from assistance.applications.standing import Asked, standing
from assistance.applications.viewing import views
from assistance.applications.visiting import visits
from assistance.asking import own_id
from assistance.hardship import commands as hardship
from assistance.hardship import errors as files
from assistance.hardship.api import DECIDER, KEEPERS
from assistance.hardship.file import FILE, Closed, Unopened
from assistance.hardship.households import OPEN, SET_LEVEL
from assistance.hardship.levels import level_on
from assistance.interests.interests import INTERESTS
from assistance.lists import requests
from assistance.lists.all_of import all_of
from assistance.lists.errors import ListRefused
from assistance.programmes.errors import ProgrammeUnknown

router = Router(tags=["lists"])

OPEN_ALL, LEVEL_ALL, DRAFT_ALL, VISIT_ALL, SUBMIT_ALL = (all_of(one) for one in (OPEN, SET_LEVEL, DRAFT, VERIFY, SUBMIT))


async def _taken(app: Application, caller: Calling, joint: JointDecider[Any], rows: Sequence[Any], **ids: Sequence[str]) -> Accepted:
    """The answer to a whole list, with the ids of its rows in their order."""
    answer = await app.handle_joint(joint, rows, by=caller)
    return Accepted(app.name, Outcome(answer.stream, answer.version, answer.position, answer.repeated), **ids)


async def _own_ids(caller: Calling, what: str, count: int) -> list[str]:
    """Ids that follow from the request and the row's place in it."""
    whole = await own_id(caller, what)
    return [command_id(what, whole, str(number)).hex for number in range(count)]


async def _require(caller: Calling, roles: Sequence[str], organisations: Iterable[OrgCode]) -> None:
    for organisation in dict.fromkeys(organisations):
        await caller.require(*roles, unit=organisation, fresh=True)


async def _applications(app: Application, ids: Sequence[ApplicationId]) -> Mapping[ApplicationId, Known]:
    """Raises ApplicationUnknown."""
    found = await app.states(APPLICATION, ids)
    return {one: known(found[one], one) for one in ids}


@router.post("/hardship/file-lists", status_code=201, responses=problems(ListRefused))
async def open_files(body: requests.HouseholdsBody, caller: Caller, app: App) -> Accepted:
    """Open files of many households; clerk or steward of the union. `households` of the answer names them in order."""
    await caller.require(*KEEPERS, unit=body.organisation, fresh=True)
    ids = await _own_ids(caller, "household", len(body.households))
    rows = [
        hardship.Open(household, body.organisation, one.particulars(), one.on, caller.principal)
        for household, one in zip(ids, body.households, strict=True)
    ]
    return await _taken(app, caller, OPEN_ALL, rows, households=ids)


@router.post("/hardship/level-lists", responses=problems(ListRefused, files.FileUnknown, files.LevelNotKnown))
async def set_levels(body: requests.LevelsBody, caller: Caller, app: App) -> Accepted:
    """Set one level for the households that a signed decision names; approver of their unions or above."""
    found = await app.states(FILE, body.households)
    if missing := [one for one in body.households if isinstance(found[one], Unopened)]:
        raise files.FileUnknown(missing[0])
    was = [file.was if isinstance(file, Closed) else file for file in found.values()]
    await _require(caller, (DECIDER,), [file.organisation for file in was if not isinstance(file, Unopened)])
    level = level_on(body.level, body.on)
    if level is None:
        raise files.LevelNotKnown(body.level)
    review_on = level.review_on(body.on)
    rows = [hardship.SetLevel(one, body.level, body.paper, body.on, review_on, caller.principal) for one in body.households]
    return await _taken(app, caller, LEVEL_ALL, rows)


@router.post("/aid/application-lists", status_code=201, responses=problems(ListRefused))
async def draft_all(body: requests.ApplicantsBody, caller: Caller, app: App) -> Accepted:
    """Ask for a programme's aid for many; clerk or steward of the union. `applications` of the answer names them in order."""
    await require_files(caller, app, [one.household for one in body.applicants])
    await caller.require(*MAKERS, unit=body.organisation, fresh=True)
    ids = await _own_ids(caller, "application", len(body.applicants))
    above = app.authority.path(body.organisation, app.today())
    rows = [body.draft(application, one, caller.principal, above) for application, one in zip(ids, body.applicants, strict=True)]
    return await _taken(app, caller, DRAFT_ALL, rows, applications=ids)


@router.post("/aid/visit-lists", responses=problems(ListRefused, errors.ApplicationUnknown))
async def verify_all(body: requests.VisitsBody, caller: Caller, app: App) -> Accepted:
    """Enter what many visits found; clerk or steward of the unions."""
    its = await _applications(app, [one.application for one in body.visits])
    await _require(caller, MAKERS, [it.case.organisation for it in its.values()])
    rows = await visits(app, [(one.application, its[one.application].case, one) for one in body.visits], caller.principal)
    return await _taken(app, caller, VISIT_ALL, rows)


@router.post("/aid/submission-lists", responses=problems(ListRefused, errors.ApplicationUnknown))
async def submit_all(body: requests.SubmissionsBody, caller: Caller, app: App) -> Accepted:
    """Send up the applications of one stamped list; clerk or steward of the unions."""
    its = await _applications(app, body.applications)
    await _require(caller, MAKERS, [it.case.organisation for it in its.values()])
    rows = [commands.Submit(one, its[one].case.programme, body.stamped, body.on, caller.principal) for one in body.applications]
    return await _taken(app, caller, SUBMIT_ALL, rows)


@router.get("/aid/agenda", responses=problems(ProgrammeUnknown))
async def read_agenda(
    caller: Caller, app: App, *, organisation: OrgCode, programme: ProgrammeCode, limit: Limit = 50, cursor: Cursor = None
) -> Page[ApplicationView]:
    """What waits for a decision in a union and all below it, each as it has to be seen; staff there or above, without their relatives'."""
    await caller.require(*READERS, unit=organisation)
    interests, _ = await app.state(INTERESTS, caller.principal)
    query = f"aid agenda {organisation} {programme}"
    place = app.cursors.read(cursor, query=query)
    asked = Asked(app.authority.below(organisation, app.today()), "submitted", programme, sorted(interests))
    found = await standing(app.pool, asked, after=-1 if place is None else place[0], limit=limit)
    its = await _applications(app, [one.application for one in found])
    return Page(items=await views(its, app), next=app.cursors.make([found[-1].position], query=query) if len(found) == limit else None)
