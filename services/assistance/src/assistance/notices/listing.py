"""What a sheet is made of, out of the applications' own histories: as they stood when they were posted, or as they stand now."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.assistance.applications import AccountGiven, ApplicationDrafted, ApplicationPosted
from contracts.kernel import OrgCode
from contracts.membership import Principal
from foundation.history import Happened
from foundation.http.caller import Application as App

from assistance.applications.application import Case, Verified, stage
from assistance.applications.errors import ApplicationElsewhere
from assistance.applications.following import APPLICATION, known
from assistance.hardship.file import FILE, HardshipFile, Live
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


async def listed(applications: Mapping[str, Sequence[Happened]], app: App, *, by: Principal, notice: str | None = None) -> list[Listed]:
    """What a sheet may know of applications, by their histories, as they were before they hung on this notice; in their order.

    Names are opened for the principal. Raises ApplicationUnknown, ApplicationElsewhere.
    """
    histories = {application: until_posted(history, notice) for application, history in applications.items()}
    states = {application: _verified(application, history) for application, history in histories.items()}
    cases = [state.case for state in states.values()]
    files = await app.states(FILE, list(dict.fromkeys(case.household for case in cases if case.household is not None)))
    minors = {application for application, state in states.items() if _minor(state.case, files)}
    naming = [
        (application, one)
        for application, history in histories.items()
        for one in history
        if application not in minors and isinstance(one.event, ApplicationDrafted | AccountGiven)
    ]
    told: dict[str, dict[str, str]] = {}
    opened = await app.sealer.open([one for _, one in naming], principal=by, only={"name", "account"})
    for (application, _), one in zip(naming, opened, strict=True):
        if (name := named(one.event)) is not None:
            told.setdefault(application, {}).update([name])
    return [
        Listed(
            application,
            state.case.version,
            state.case.organisation,
            Line(
                told.get(application, {}).get(state.case.person), application in minors, state.case.organisation, state.found.entitled_fen
            ),
        )
        for application, state in states.items()
    ]


def _verified(application: str, history: Sequence[Happened]) -> Verified:
    state = known(APPLICATION.fold([one.event for one in history]), application)
    if not isinstance(state, Verified):
        raise ApplicationElsewhere(application, stage(state))
    return state


def _minor(case: Case, files: Mapping[str, HardshipFile]) -> bool:
    """Whether the applicant is under age: by the file, or else where somebody else receives the money; rather a name too few on a wall."""
    file = None if case.household is None else files[case.household]
    member = file.member(case.person) if isinstance(file, Live) else None
    return case.payee != case.person if member is None else member.minor


async def listing(union: OrgCode, hangs: Hangs, found: Sequence[Listed], app: App) -> Listing:
    """The list with the unions' names."""
    names = await names_of(app.pool, [union, *(one.organisation for one in found)])
    lines = [Line(one.line.name, one.line.minor, names[one.organisation], one.line.fen) for one in found]
    return Listing(names[union], hangs, lines)
