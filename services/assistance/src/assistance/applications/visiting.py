"""Visits as they are entered, each with what its household's file says."""

from collections.abc import Sequence

from contracts.assistance.applications import ApplicationId
from contracts.membership import Principal
from foundation.http.caller import Application

from assistance.applications.application import Case
from assistance.applications.commands import Verify
from assistance.applications.requests import VerifyBody
from assistance.hardship.circumstances import Told, told

_NO_FILE = Told(None, None)


async def visits(app: Application, found: Sequence[tuple[ApplicationId, Case, VerifyBody]], principal: Principal) -> list[Verify]:
    """The command for each of them, in order; the households' circumstances are opened for the principal."""
    files = await told(app, list(dict.fromkeys(case.household for _, case, _ in found if case.household is not None)), principal)
    commands = []
    for application, case, body in found:
        file = _NO_FILE if case.household is None else files[case.household]
        commands.append(
            Verify(
                application,
                case.programme,
                case.household,
                file.circumstances,
                file.facts_version,
                dict(body.facts),
                body.finding,
                tuple(body.visitors),
                body.visited_on,
                principal,
            )
        )
    return commands
