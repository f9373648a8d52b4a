"""Routes of hardship files: clerks and stewards keep them, approvers set levels and lift households out."""

from datetime import date
from typing import Annotated, Any, Literal

from contracts.assistance.hardship import Authority, Household, HouseholdMember, LevelCode, LiftReason, Relation
from contracts.kernel import Erased, OrgCode, PersonId
from contracts.membership import Digest, Principal, RecordId
from contracts.values import Day, line
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.problems import problems
from foundation.http.routing import Body, Router
from pydantic import AfterValidator, Field, StrictInt

from assistance.applications.requests import AccountBody
from assistance.asking import own_id, require_unconcerned
from assistance.hardship import commands, errors
from assistance.hardship.file import FILE, Closed, HardshipFile, Live, Unopened, live
from assistance.hardship.households import CLOSE, JOIN, OPEN, REVISE, SET_LEVEL
from assistance.hardship.levels import level_on, levels, months_after
from assistance.hardship.standing import Asked, standing
from assistance.interests.interests import INTERESTS, ConflictOfInterest
from assistance.names.names import names_of

router = Router(tags=["hardship files"])

KEEPERS = ("clerk", "steward")
DECIDER = "approver"
READERS = ("clerk", "steward", "approver", "auditor")

Line = Annotated[str, AfterValidator(line), Field(min_length=1, max_length=200)]
Text = Annotated[str, Field(min_length=1, max_length=2_000)]
Fen = Annotated[StrictInt, Field(ge=0, le=10**12)]

_FILE = (errors.FileUnknown, errors.FileNotLive, ConflictOfInterest, errors.DayToCome)
_PEOPLE = (errors.HouseholdMalformed, errors.PersonInAnotherFile)


class MemberBody(Body):
    person: PersonId
    relation: Relation
    minor: bool = False
    guardian: PersonId | None = None
    consent: Digest | None = None


class CircumstancesBody(Body):
    """How the household lives; a month's income, a year's spending, in fen."""

    employer: Line | None = None
    own_month_fen: Fen = 0
    household_month_fen: Fen = 0
    heads: Annotated[StrictInt, Field(ge=1, le=50)] = 1
    rigid_spending_year_fen: Fen = 0
    causes: list[Line] = Field(default=[], max_length=20)
    note: Text | None = None


class HouseholdBody(Body):
    members: Annotated[list[MemberBody], Field(min_length=1, max_length=30)]
    circumstances: CircumstancesBody
    account: AccountBody
    on: Day

    def particulars(self) -> commands.Particulars:
        members = tuple(HouseholdMember(**one.model_dump()) for one in self.members)
        told = Household(**(self.circumstances.model_dump() | {"causes": tuple(self.circumstances.causes)}))
        return commands.Particulars(members, told, self.account.account())

    def leaving(self, *files: Live) -> tuple[PersonId, ...]:
        """Who belonged to the files and is not named now."""
        named = {one.person for one in self.members}
        return tuple(one.person for file in files for one in file.members if one.person not in named)


class OpenBody(HouseholdBody):
    organisation: OrgCode


class ReviseBody(HouseholdBody):
    reviewed: bool = Field(default=False, description="This is the yearly review.")


class JoinBody(HouseholdBody):
    into: RecordId


class LevelBody(Body):
    level: LevelCode
    paper: Digest = Field(description="SHA-256 of the signed decision.")
    on: Day


class CloseBody(Body):
    reason: LiftReason
    on: Day


class AuthoriseBody(Body):
    authorities: Annotated[list[Authority], Field(min_length=1, max_length=len(Authority))]
    paper: Digest = Field(description="SHA-256 of the household's signed authorisation.")
    valid_until: Day


class CheckBody(Body):
    authority: Authority
    consistent: bool
    disputed: bool = False
    finding: Text
    on: Day


class CadreBody(Body):
    cadre: Principal
    since: Day


class CallBackBody(Body):
    relapsed: bool
    finding: Text
    on: Day


class LevelView(Body):
    code: LevelCode
    zh: str
    en: str
    since: Day
    until: Day | None
    source: str


Stage = Literal["live", "closed"]


class FileEntry(Body):
    """A file in a list; `waits_for` its yearly review or a call-back until `due_on`. No name where it is erased."""

    household: RecordId
    organisation: OrgCode
    applicant: PersonId
    name: str | None
    stage: Stage
    level: LevelCode | None
    cadre: Principal | None
    waits_for: str | None
    due_on: Day | None


_ENTRY = FileEntry.model_fields.keys() - {"name"}


class FileView(Body):
    """A household's file. `erased` says that its circumstances were destroyed on purpose or are withheld; they are null then."""

    household: RecordId
    stage: str
    organisation: OrgCode
    applicant: PersonId
    members: list[MemberBody]
    level: LevelCode | None
    review_on: Day | None
    cadre: Principal | None
    facts_version: int
    call_back_on: Day | None
    circumstances: Household | None
    erased: bool


async def require(household: str, roles: tuple[str, ...], caller: Calling, app: Application) -> HardshipFile:
    """Go on for these roles of the union that keeps the file, or above, unless a relative is concerned.

    Raises FileUnknown, ConflictOfInterest, and what `require` raises.
    """
    file, _ = await app.state(FILE, household)
    if isinstance(file, Unopened):
        raise errors.FileUnknown(household)
    was = file.was if isinstance(file, Closed) else file
    await caller.require(*roles, unit=was.organisation, fresh=True)
    await require_unconcerned(caller, app, was.people)
    return file


@router.post("/hardship/files", status_code=201, responses=problems(*_FILE, *_PEOPLE, errors.FileOpen))
async def open_file(body: OpenBody, caller: Caller, app: App) -> Accepted:
    """Open a household's file; clerk or steward of the union. The answer's stream names the household."""
    await caller.require(*KEEPERS, unit=body.organisation, fresh=True)
    household = await own_id(caller, "household")
    command = commands.Open(household, body.organisation, body.particulars(), body.on, caller.principal)
    return await app.handle_joint(OPEN, command, by=caller)


@router.post("/hardship/files/{household}/revisions", responses=problems(*_FILE, *_PEOPLE))
async def revise(household: RecordId, body: ReviseBody, caller: Caller, app: App) -> Accepted:
    """Put the household down as it is now; clerk or steward of the union."""
    file = live(await require(household, KEEPERS, caller, app), household)
    command = commands.Revise(household, body.particulars(), body.leaving(file), body.reviewed, body.on, caller.principal)
    return await app.handle_joint(REVISE, command, by=caller)


@router.post("/hardship/files/{household}/joining", responses=problems(*_FILE, *_PEOPLE, errors.JoinedToItself))
async def join(household: RecordId, body: JoinBody, caller: Caller, app: App) -> Accepted:
    """Close this file and go on with another one, as for couples in two unions; clerk or steward of both."""
    ending = live(await require(household, KEEPERS, caller, app), household)
    staying = live(await require(body.into, KEEPERS, caller, app), body.into)
    command = commands.Join(household, body.into, body.particulars(), body.leaving(ending, staying), body.on, caller.principal)
    return await app.handle_joint(JOIN, command, by=caller)


@router.post("/hardship/files/{household}/levels", responses=problems(*_FILE, errors.LevelNotKnown, errors.FileDutiesNotSeparated))
async def set_level(household: RecordId, body: LevelBody, caller: Caller, app: App) -> Accepted:
    """Set the household's level from a day on, to be reviewed in a year; approver of the union or above, who did not make the file."""
    await require(household, (DECIDER,), caller, app)
    level = level_on(body.level, body.on)
    if level is None:
        raise errors.LevelNotKnown(body.level)
    command = commands.SetLevel(household, body.level, body.paper, body.on, level.review_on(body.on), caller.principal)
    return await app.handle_joint(SET_LEVEL, command, by=caller)


@router.post("/hardship/files/{household}/end", responses=problems(*_FILE, *_PEOPLE))
async def close(household: RecordId, body: CloseBody, caller: Caller, app: App) -> Accepted:
    """Lift the household out of hardship, or end its file otherwise; approver of the union or above."""
    file = await require(household, (DECIDER,), caller, app)
    was = file.was if isinstance(file, Closed) else live(file, household)
    people = tuple(one.person for one in was.members)
    command = commands.Close(household, body.reason, people, body.on, _call_back(was, body.reason, body.on), caller.principal)
    return await app.handle_joint(CLOSE, command, by=caller)


def _call_back(file: Live, reason: LiftReason, on: date) -> date | None:
    """By when a household that was lifted out is called back; nobody else is."""
    level = None if file.level is None else level_on(file.level, on)
    lifted = reason in (LiftReason.income_risen, LiftReason.cause_ended)
    return months_after(on, level.call_back_months) if lifted and level is not None else None


@router.post("/hardship/files/{household}/authorisation", responses=problems(*_FILE))
async def authorise(household: RecordId, body: AuthoriseBody, caller: Caller, app: App) -> Accepted:
    """Enter the household's signature for checks with authorities; clerk or steward of the union."""
    await require(household, KEEPERS, caller, app)
    command = commands.AuthoriseChecks(household, tuple(sorted(set(body.authorities))), body.paper, body.valid_until)
    return await app.handle(FILE, household, command, by=caller)


@router.post("/hardship/files/{household}/checks", responses=problems(*_FILE, errors.NotAuthorised))
async def record_check(household: RecordId, body: CheckBody, caller: Caller, app: App) -> Accepted:
    """Enter what an authority answered; clerk or steward of the union."""
    await require(household, KEEPERS, caller, app)
    command = commands.RecordCheck(household, body.authority, body.consistent, body.disputed, body.finding, body.on)
    return await app.handle(FILE, household, command, by=caller)


@router.post("/hardship/files/{household}/cadre", responses=problems(*_FILE))
async def link_cadre(household: RecordId, body: CadreBody, caller: Caller, app: App) -> Accepted:
    """Let a cadre look after the household; approver of the union or above."""
    await require(household, (DECIDER,), caller, app)
    return await app.handle(FILE, household, commands.LinkCadre(household, body.cadre, body.since), by=caller)


@router.post("/hardship/files/{household}/call-back", responses=problems(*_FILE, errors.NotLifted))
async def call_back(household: RecordId, body: CallBackBody, caller: Caller, app: App) -> Accepted:
    """Enter how a household that was lifted out does; clerk or steward of the union."""
    await require(household, KEEPERS, caller, app)
    command = commands.RecordCallBack(household, body.relapsed, body.finding, body.on)
    return await app.handle(FILE, household, command, by=caller)


@router.get("/hardship/levels")
async def list_levels(caller: Caller, app: App) -> list[LevelView]:
    """The code list of levels; anybody who is known here."""
    return [LevelView(code=one.code, zh=one.zh, en=one.en, since=one.since, until=one.until, source=one.source) for one in levels()]


async def _listed(asked: Asked, query: str, page: tuple[int, str | None], app: Application) -> Page[FileEntry]:
    limit, cursor = page
    place = app.cursors.read(cursor, query=query)
    found = await standing(app.pool, asked, after=-1 if place is None else place[0], limit=limit)
    names = await names_of(app.search, [one.applicant for one in found])
    entries = [FileEntry(**{name: getattr(one, name) for name in _ENTRY}, name=names.get(one.applicant)) for one in found]
    return Page(items=entries, next=app.cursors.make([found[-1].position], query=query) if len(found) == limit else None)


@router.get("/hardship/files")
async def list_files(
    caller: Caller,
    app: App,
    *,
    organisation: OrgCode,
    stage: Stage | None = None,
    level: LevelCode | None = None,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[FileEntry]:
    """Files of a union and all below it, the oldest first; staff there or above, who do not see those of their relatives."""
    await caller.require(*READERS, unit=organisation)
    interests, _ = await app.state(INTERESTS, caller.principal)
    asked = Asked(app.authority.below(organisation, app.today()), sorted(interests), stage, level)
    return await _listed(asked, f"hardship files {organisation} {stage} {level}", (limit, cursor), app)


@router.get("/hardship/overdue")
async def list_overdue(caller: Caller, app: App, *, organisation: OrgCode, limit: Limit = 50, cursor: Cursor = None) -> Page[FileEntry]:
    """Files whose yearly review or call-back should have been by yesterday, in a union and all below it; staff there or above."""
    await caller.require(*READERS, unit=organisation)
    interests, _ = await app.state(INTERESTS, caller.principal)
    asked = Asked(app.authority.below(organisation, app.today()), sorted(interests), due_before=app.today())
    return await _listed(asked, f"hardship overdue {organisation} {app.today()}", (limit, cursor), app)


@router.get("/hardship/files/{household}", responses=problems(errors.FileUnknown, ConflictOfInterest))
async def read(household: RecordId, caller: Caller, app: App) -> FileView:
    """A household's file with its circumstances, without the account; staff of the union or above, no relatives."""
    file = await require(household, READERS, caller, app)
    was = file.was if isinstance(file, Closed) else live(file, household)
    history = await app.history(FILE, household, opened_for=caller.principal)
    told: Any = [one.event.circumstances for one in history if hasattr(one.event, "circumstances")][-1]
    return FileView(
        household=household,
        stage=type(file).__name__.lower(),
        organisation=was.organisation,
        applicant=was.applicant,
        members=[MemberBody(**one.model_dump()) for one in was.members],
        level=was.level,
        review_on=was.review_on,
        cadre=was.cadre,
        facts_version=was.facts_version,
        call_back_on=file.call_back_on if isinstance(file, Closed) else None,
        circumstances=None if isinstance(told, Erased) else told,
        erased=isinstance(told, Erased),
    )
