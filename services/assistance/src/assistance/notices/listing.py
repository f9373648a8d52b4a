"""What a sheet is made of, out of the applications' own histories: as they stood when they were posted, or as they stand now."""

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.assistance.applications import AccountGiven, ApplicationDrafted, ApplicationPosted
from contracts.kernel import OrgCode
from contracts.membership import Principal
from foundation.history import Happened
from foundation.http.caller import Application as App

from assistance.applications.application import Verified, stage
from assistance.applications.errors import ApplicationElsewhere
from assistance.applications.following import APPLICATION, known
from assistance.hardship.file import FILE, Live
from assistance.names.names import named
from assistance.notices.sheet import Hangs, Line, Listing
from assistance.organisations.levels import names_of


@dataclass(frozen=True, slots=True)
class Listed:
    """An application on a list, in the version that the list shows."""

    application: str
    version: int
    organisation: OrgCode
    line: Line


def until_posted(history: Sequence[Happened], notice: str | None) -> Sequence[Happened]:
    """An application's history up to its posting on this notice; all of it where it was not posted on one."""
    for number, one in enumerate(history):
        if isinstance(one.event, ApplicationPosted) and one.event.notice == notice:
            return history[:number]
    return history


async def listed(application: str, app: App, *, by: Principal, notice: str | None = None) -> Listed:
    """What a sheet may know of an application. Raises ApplicationUnknown, ApplicationElsewhere."""
    history = until_posted(await app.history(APPLICATION, application), notice)
    state = known(APPLICATION.fold([one.event for one in history]), application)
    if not isinstance(state, Verified):
        raise ApplicationElsewhere(application, stage(state))
    case = state.case
    file = None if case.household is None else (await app.state(FILE, case.household))[0]
    member = file.member(case.person) if isinstance(file, Live) else None
    # Somebody else receives the money where the applicant is under age: rather one name too few on a wall.
    minor = case.payee != case.person if member is None else member.minor
    name = None
    if not minor:
        told = [one for one in history if isinstance(one.event, ApplicationDrafted | AccountGiven)]
        names = [named(one.event) for one in await app.sealer.open(told, principal=by, only={"name", "account"})]
        name = dict(one for one in names if one is not None).get(case.person)
    return Listed(application, case.version, case.organisation, Line(name, minor, case.organisation, state.found.entitled_fen))


async def listing(union: OrgCode, hangs: Hangs, found: Sequence[Listed], app: App) -> Listing:
    """The list with the unions' names."""
    names = await names_of(app.pool, [union, *(one.organisation for one in found)])
    lines = [Line(one.line.name, one.line.minor, names[one.organisation], one.line.fen) for one in found]
    return Listing(names[union], hangs, lines)
