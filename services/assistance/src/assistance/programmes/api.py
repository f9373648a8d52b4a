"""Routes of programmes: administrators publish rules for their union and all below it; everybody who is known here reads them."""

from importlib.resources import files

from contracts.assistance.programmes import ProgrammeCode, ProgrammeDefinition
from contracts.kernel import OrgCode
from contracts.membership import Digest
from contracts.values import Day
from foundation.http.answers import Accepted
from foundation.http.caller import App, Caller
from foundation.http.problems import problems
from foundation.http.routing import Body, Router

from assistance.programmes import commands, errors
from assistance.programmes.definition import check, parsed
from assistance.programmes.programme import PROGRAMME, Published

router = Router(tags=["programmes"])

PUBLISHER = "org-admin"


class PublishBody(Body):
    organisation: OrgCode
    definition: ProgrammeDefinition


class EndBody(Body):
    organisation: OrgCode
    ends_on: Day


class ProgrammeView(Body):
    """The newest version of a programme's rules."""

    programme: ProgrammeCode
    organisation: OrgCode
    number: int
    digest: Digest
    ends_on: Day | None
    definition: ProgrammeDefinition


class Shipped(Body):
    """Rules that come with the system: to be looked over, adjusted and published."""

    programme: ProgrammeCode
    definition: ProgrammeDefinition


@router.post("/programmes/{programme}/versions", status_code=201, responses=problems(errors.DefinitionMalformed, errors.ProgrammeOfAnother))
async def publish(programme: ProgrammeCode, body: PublishBody, caller: Caller, app: App) -> Accepted:
    """Put rules in force; administrator of the publishing union or above. No deployment: the next application is decided by them."""
    await caller.require(PUBLISHER, unit=body.organisation, fresh=True)
    check(body.definition)
    return await app.handle(PROGRAMME, programme, commands.Publish(programme, body.organisation, body.definition), by=caller)


@router.post("/programmes/{programme}/end", responses=problems(errors.ProgrammeUnknown, errors.ProgrammeOfAnother))
async def end(programme: ProgrammeCode, body: EndBody, caller: Caller, app: App) -> Accepted:
    """Take and grant nothing more from a day on; administrator of the publishing union or above."""
    await caller.require(PUBLISHER, unit=body.organisation, fresh=True)
    return await app.handle(PROGRAMME, programme, commands.End(programme, body.organisation, body.ends_on), by=caller)


@router.get("/programmes/shipped")
async def shipped(caller: Caller, app: App) -> list[Shipped]:
    """The rules that come with the system; anybody who is known here."""
    folder = files("assistance.programmes") / "shipped"
    found = sorted(folder.iterdir(), key=lambda path: path.name)
    return [Shipped(programme=path.name.removesuffix(".toml"), definition=parsed(path.read_text("utf-8"))) for path in found]


@router.get("/programmes/{programme}", responses=problems(errors.ProgrammeUnknown))
async def read(programme: ProgrammeCode, caller: Caller, app: App) -> ProgrammeView:
    """A programme's rules as last published; anybody who is known here."""
    state, _ = await app.state(PROGRAMME, programme)
    if not isinstance(state, Published):
        raise errors.ProgrammeUnknown(programme)
    return ProgrammeView(
        programme=programme,
        organisation=state.organisation,
        number=state.number,
        digest=state.digest,
        ends_on=state.ends_on,
        definition=state.definition,
    )
