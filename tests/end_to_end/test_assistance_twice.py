"""What a family, or somebody who means well, could have had twice."""

import asyncio
import secrets
from datetime import date, timedelta
from pathlib import Path

from node.embedded.postgres import Postgres

from .aid import APPROVER, CHAIR, CLERK, DEPUTY, STEWARD, Aid, aid

HELP = 100_000
"""Half of a loss of 2,000 yuan, in fen."""


async def asked(story: Aid, person: str, days_ago: int, **more: str) -> str:
    """Emergency relief for what happened that day, as if there were no household where none is named."""
    incident = {"incident_on": f"{story.today - timedelta(days=days_ago)}"}
    application = await story.drafted("emergency-relief", person, ["proof"], **incident, **more)
    await story.visited(application, cause="accident", loss_fen=2 * HELP)
    await story.submitted(application)
    return application


async def test_a_household_left_out_and_an_accident_told_twice(postgres: Postgres, tmp_path: Path) -> None:
    """Two a year for a household. A couple with a hardship file asks for the third and the fourth without naming it, and both are decided
    at the same moment, at two desks: one of them was the second. And two accidents of one day, which take somebody to say so."""
    async with aid(postgres, tmp_path, date(2026, 3, 2)) as story:
        await story.publish("emergency-relief")
        line = await story.fund(1_000_000, "aid.emergency")
        husband, wife = secrets.token_hex(16), secrets.token_hex(16)
        household = await story.household(husband, {"person": wife, "relation": "spouse"})
        named = await asked(story, husband, 3, household=household)
        await story.send("aid/decisions", await story.decision(line, named), by=APPROVER)

        unnamed = [await asked(story, person, days_ago) for days_ago, person in enumerate((wife, husband), 1)]
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
        one_more = await story.drafted("emergency-relief", wife, ["proof"])
        told = await story.refused(
            f"aid/applications/{one_more}/emergency-payment", {"line": line, "fen": HELP}, "not-eligible", by=APPROVER
        )
        assert told["failed"] == ["year-times"]

        # Somebody else's accident is told twice. The second is another one, says the steward; and another decides so.
        other = secrets.token_hex(16)
        first, second = [await asked(story, other, 1) for _ in range(2)]
        await story.send("aid/decisions", await story.decision(line, first), by=APPROVER)
        shown = await story.see(f"aid/applications/{second}")
        assert (shown["duplicate_of"], shown["apart_from"]) == ([first], [])
        told = await story.refused("aid/decisions", await story.decision(line, second), "incident-duplicate", by=APPROVER)
        assert (told["application"], told["incident"]) == (first, f"{story.today - timedelta(days=1)}")
        apart = {"apart_from": first, "reason": "当日上午、下午两次事故"}
        await story.refused(f"aid/applications/{second}/setting-apart", apart, "not-permitted", by=APPROVER)
        before = await story.decision(line, second)
        await story.send(f"aid/applications/{second}/setting-apart", apart, by=STEWARD)
        await story.refused("aid/decisions", before, "approval-stale", by=APPROVER)
        shown = await story.see(f"aid/applications/{second}", by=CLERK)
        assert (shown["duplicate_of"], shown["apart_from"]) == ([], [first])
        await story.send("aid/decisions", await story.decision(line, second), by=APPROVER)
