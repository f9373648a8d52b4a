"""A meeting's resolution over 200 applications: one append on a real history, with the money; and again, once."""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from assistance.applications import commands
from assistance.applications.deciding import CASES_MAX, DECIDE, digest_of
from assistance.applications.following import APPLICATION
from assistance.funds.budget_line import BUDGET_LINE
from assistance.programmes.definition import definition
from assistance.programmes.programme import PROGRAMME
from contracts.assistance import (
    ApplicationDrafted,
    ApplicationSubmitted,
    ApplicationVerified,
    FundsAppropriated,
    LineOpened,
    ProgrammePublished,
)
from contracts.assistance.applications import Facts
from contracts.kernel import Event
from contracts.membership import Level
from foundation.commands import Actor
from foundation.decider import JointDecider, Part
from foundation.http.caller import Application
from node.embedded.postgres import Postgres

from tests.end_to_end.running_node import TOP, running_node
from tests.support import Midday

from ..unit.test_programmes import WARMTH, changed
from ..unit.world import ACCOUNT, APPROVER, COUNTY, LINE, PAPER, UNION

BY = Actor("specification", TOP, "0" * 32)
TODAY = Midday.DAY

Past = Sequence[tuple[Part, Sequence[Event]]]
PAST: JointDecider[Past] = JointDecider(
    parts=lambda past: [part for part, _ in past], decide=lambda past, *_: [events for _, events in past]
)
"""What has happened before, put where it would be."""


def _submitted(application: str, person: str) -> list[Event]:
    told: dict[str, Any] = {"application": application}
    return [
        ApplicationDrafted(
            **told,
            organisation=UNION,
            programme="relief",
            person=person,
            payee=person,
            account=ACCOUNT,
            drafted_by="a" * 32,
            drafted_on=TODAY,
        ),
        ApplicationVerified(
            **told,
            person=person,
            visitors=("b" * 32,),
            visited_on=TODAY,
            facts=Facts(values={}),
            programme_version=1,
            file_version=None,
            entitled_fen=100_000,
            verified_by="b" * 32,
        ),
        ApplicationSubmitted(**told, stamped=PAPER, submitted_by="a" * 32, submitted_on=TODAY),
    ]


async def _prepare(app: Application, ids: Sequence[str]) -> None:
    fixed = {"kind": "fixed", "fen": 100_000}
    rules = definition(changed(WARMTH, entitlement=fixed, conditions=[], needs_file=False, notice=None, season=None, counted_per="person"))
    published = ProgrammePublished(programme="relief", organisation=TOP, number=1, definition=rules, digest=PAPER)
    opened = LineOpened(line=LINE, organisation=COUNTY, year=TODAY.year, source="superior", purpose="aid", earmarked=False)
    money = FundsAppropriated(line=LINE, proposal="9" * 32, lot=1, fen=len(ids) * 100_000, document=PAPER, booked_on=TODAY)
    past: list[tuple[Part, Sequence[Event]]] = [(Part(PROGRAMME, "relief"), [published]), (Part(BUDGET_LINE, LINE), [opened, money])]
    past += [(Part(APPLICATION, one), _submitted(one, secrets.token_hex(16))) for one in ids]
    await app.handler.handle_joint(PAST, past, by=BY)


async def test_two_hundred_cases_are_one_append(postgres: Postgres, tmp_path: Path) -> None:
    ids = [secrets.token_hex(16) for _ in range(CASES_MAX)]
    async with running_node(postgres, tmp_path) as node:
        app: Application = node.services["assistance"].http.state.application
        await _prepare(app, ids)
        cases = {one: state.case for one, state in (await app.states(APPLICATION, ids)).items()}  # type: ignore[union-attr]
        settled = tuple(
            commands.Settle(
                *(one, case.person, None, commands.Seen(case.version, 1, None, digest_of(case.documents)), commands.Grant(), "active")
            )
            for one, case in cases.items()
        )
        command = commands.Decide(
            *("d" * 32, COUNTY, Level.county, frozenset({COUNTY, UNION}), "relief", LINE, settled, None, TODAY, APPROVER)
        )
        accepted = await app.handler.handle_joint(DECIDE, command, by=BY)
        states = await app.states(APPLICATION, ids)
        assert {type(state).__name__ for state in states.values()} == {"Granted"}
        line, _ = await app.state(BUDGET_LINE, LINE)
        assert line.available_fen == 0  # type: ignore[union-attr]
        head = await app.store.head()
        assert head.position >= accepted.position
