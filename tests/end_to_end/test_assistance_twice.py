"""What a family, or somebody who means well, could have had twice."""

import asyncio
import secrets
from datetime import date
from pathlib import Path

from node.embedded.postgres import Postgres

from .aid import APPROVER, CHAIR, DEPUTY, Aid, aid

HELP = 100_000
"""Half of a loss of 2,000 yuan, in fen."""


async def asked(story: Aid, person: str) -> str:
    """Emergency relief that is asked for as if there were no household."""
    application = await story.drafted("emergency-relief", person, ["proof"])
    await story.visited(application, cause="accident", loss_fen=2 * HELP)
    await story.submitted(application)
    return application


async def test_a_family_that_leaves_its_household_out(postgres: Postgres, tmp_path: Path) -> None:
    """Two a year for a household. A couple with a hardship file asks for the third and the fourth without naming it, and both are decided
    at the same moment, at two desks: one of them was the second."""
    async with aid(postgres, tmp_path, date(2026, 3, 2)) as story:
        await story.publish("emergency-relief")
        line = await story.fund(1_000_000, "aid.emergency")
        husband, wife = secrets.token_hex(16), secrets.token_hex(16)
        household = await story.household(husband, {"person": wife, "relation": "spouse"})
        named = await story.drafted("emergency-relief", husband, ["proof"], household=household)
        await story.visited(named, cause="accident", loss_fen=2 * HELP)
        await story.submitted(named)
        await story.send("aid/decisions", await story.decision(line, named), by=APPROVER)

        unnamed = [await asked(story, person) for person in (wife, husband)]
        decisions = [await story.decision(line, one) for one in unnamed]
        answers = await asyncio.gather(
            *(story.node.post("assistance/aid/decisions", body, by=by) for body, by in zip(decisions, (DEPUTY, CHAIR), strict=True))
        )
        [loser] = [answer.json() for answer in answers if answer.status_code != 201]
        assert (loser["type"], loser["failed"]) == ("urn:tongxin:problem:not-eligible", ["year-times"])
        assert (await story.balances(line))["reserved"] == 2 * HELP
        stages = {one: await story.see(f"aid/applications/{one}") for one in unnamed}
        [waiting] = [told for told in stages.values() if told["stage"] == "submitted"]
        assert waiting["failed"] == ["year-times"], "seen before anybody decides"
        again = {"line": line, "fen": HELP}
        one_more = await story.drafted("emergency-relief", wife, ["proof"])
        told = await story.refused(f"aid/applications/{one_more}/emergency-payment", again, "not-eligible", by=APPROVER)
        assert told["failed"] == ["year-times"]
