"""A chair dismissed for defending workers: rights confirms it, and half a year's allowance waits for a decision at the county."""

from datetime import date
from pathlib import Path

from assistance.applications.application import Submitted
from assistance.applications.following import APPLICATION
from contracts.rights import ChairDismissalConfirmed
from foundation.commands import Actor
from foundation.decider import Decider, JointDecider, Part
from foundation.http.caller import Application
from foundation.ids import command_id
from node.embedded.postgres import Postgres

from tests.end_to_end.running_node import BOSS, TOP, running_node, until

from ..unit.world import UNION, WANG

CASE = "c" * 32
TOLD: Decider[None, ChairDismissalConfirmed] = Decider("case", None, lambda event, *_: [event], lambda state, _: state)
CONFIRMED: JointDecider[ChairDismissalConfirmed] = JointDecider(
    parts=lambda event: [Part(TOLD, event.case)], decide=lambda event, *_: [[event]]
)
"""Stands for the rule that rights does not have yet; the event is the one it will publish."""


async def test_a_confirmed_dismissal_asks_for_the_allowance_by_itself(postgres: Postgres, tmp_path: Path) -> None:
    async with running_node(postgres, tmp_path, with_rights=True) as node:
        shipped = {one["programme"]: one["definition"] for one in (await node.get("assistance/programmes/shipped")).json()}
        body = {"organisation": TOP, "definition": shipped["chair-protection"]}

        async def published() -> bool:
            return (await node.post("assistance/programmes/chair-protection/versions", body, by=BOSS)).status_code == 201

        await until(published)
        rights: Application = node.services["rights"].http.state.application
        event = ChairDismissalConfirmed(
            case=CASE, chair=WANG, organisation=UNION, dismissed_on=date(2026, 9, 30), monthly_living_fen=210_000, months=6
        )
        await rights.handler.handle_joint(CONFIRMED, event, by=Actor("specification", TOP, "0" * 32))
        assistance: Application = node.services["assistance"].http.state.application
        application = command_id("chair protection", CASE).hex

        async def submitted() -> bool:
            return isinstance((await assistance.state(APPLICATION, application))[0], Submitted)

        await until(submitted)
        state, version = await assistance.state(APPLICATION, application)
        assert isinstance(state, Submitted)
        assert (state.case.person, state.found.entitled_fen, version) == (WANG, 1_260_000, 3)
