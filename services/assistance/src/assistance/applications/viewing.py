"""Applications as they stand today, with what they lack and where they are decided: one, or a whole table's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from contracts.assistance.applications import ApplicationId
from contracts.assistance.programmes import ProgrammeCode
from foundation.http.caller import Application as App

from assistance.applications.application import Known, Refused, Submitted, Verified, stage
from assistance.applications.deciding import counted_with, digest_of, lacking, period_of, unnamed
from assistance.applications.requests import ApplicationView, GrantView, NextDecision, SeenBody
from assistance.asking import homes, standings
from assistance.beneficiaries.beneficiary import BENEFICIARY, granted_for, granted_in
from assistance.hardship.file import FILE, HardshipFile, Live
from assistance.programmes.assessment import Live as Today
from assistance.programmes.assessment import live_failures, payable, step_for
from assistance.programmes.errors import ProgrammeUnknown
from assistance.programmes.programme import PROGRAMME, Published


async def rules_of(programme: ProgrammeCode, app: App) -> Published:
    """The programme's rules. Raises ProgrammeUnknown."""
    state, _ = await app.state(PROGRAMME, programme)
    if not isinstance(state, Published):
        raise ProgrammeUnknown(programme)
    return state


async def views(found: Mapping[ApplicationId, Known], app: App) -> Sequence[ApplicationView]:
    """Each application's view, in order: a few questions to the database, however many there are. Raises ProgrammeUnknown."""
    cases = [it.case for it in found.values()]
    rules = {programme: await rules_of(programme, app) for programme in dict.fromkeys(case.programme for case in cases)}
    home = await homes(app, [person for case in cases for person in unnamed(rules[case.programme].definition, [case])])
    counted = [counted_with(rules[case.programme].definition, case.person, case.household or home.get(case.person)) for case in cases]
    granted = await app.states(BENEFICIARY, list(dict.fromkeys(record for whose in counted for record in whose)))
    files = await app.states(FILE, list(dict.fromkeys(case.household for case in cases if case.household is not None)))
    members = await standings(app.pool, [case.person for case in cases])
    known = []
    for (application, it), whose in zip(found.items(), counted, strict=True):
        case = it.case
        together, definition = [granted[record] for record in whose], rules[case.programme].definition
        fen, times = granted_in(app.today().year, case.programme, *together)
        period = period_of(definition, application, app.today(), case.incident)
        twice = granted_for(case.programme, period, *together, apart={application, *case.apart})
        today = Today(members.get(case.person), app.today(), fen, times)
        file = None if case.household is None else files[case.household]
        known.append(_view(application, it, _Around(rules[case.programme], today, file, twice)))
    return known


@dataclass(frozen=True, slots=True)
class _Around:
    """What an application is seen with: the rules, the day's facts, the file, and what was granted for the same."""

    rules: Published
    today: Today
    file: HardshipFile | None
    twice: list[ApplicationId]


def _view(application: ApplicationId, it: Known, around: _Around) -> ApplicationView:
    rules, today, file = around.rules, around.today, around.file
    case, definition = it.case, rules.definition
    verified = it.found if isinstance(it, Verified | Submitted | Refused) else None
    entitled = failed = lacks = at = seen = None
    if verified is not None:
        failures = live_failures(definition, today)
        entitled = payable(definition, verified.entitled_fen, today.year_fen)
        failed = [*verified.failed, *(failure.condition for failure in failures)]
        lacks = lacking(definition, case, verified)
        step = step_for(definition, entitled, floor=case.floor)
        at = NextDecision(level=step.level, by=step.by)
    if isinstance(it, Submitted):
        seen = SeenBody(
            application_version=case.version,
            programme_version=rules.number,
            file_version=file.facts_version if isinstance(file, Live) else None,
            documents=digest_of(case.documents),
        )
    grant = getattr(it, "grant", None)
    return ApplicationView(
        application=application,
        stage=stage(it),
        organisation=case.organisation,
        programme=case.programme,
        person=case.person,
        household=case.household,
        payee=case.payee,
        entitled_fen=entitled,
        failed=failed or [],
        lacking=lacks or [],
        duplicate_of=around.twice,
        apart_from=sorted(case.apart),
        decided_at=at,
        seen=seen,
        grant=None if grant is None else GrantView(**{name: getattr(grant, name) for name in GrantView.model_fields}),
        appeal_until=it.appeal_until if isinstance(it, Refused) else None,
    )
