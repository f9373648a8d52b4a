"""Budgets at two levels, drawn upon at once: no line is ever overspent, and whoever comes too late is told why."""

import asyncio
from datetime import date
from pathlib import Path

from node.embedded.postgres import Postgres

from .aid import (
    ACCOUNTANT,
    APPROVER,
    CHAIR,
    CITY_ACCOUNTANT,
    CITY_APPROVER,
    CITY_TREASURER,
    COUNTY,
    DEPUTY,
    PAPER,
    TREASURER,
    Aid,
    aid,
)
from .running_node import TOP

PAPERS = ("diagnosis", "settlement", "invoices")
RELIEF = 200_000
"""What the rules of medical relief come to for 15,000 yuan paid by the patient: 2,000 yuan, in fen."""


async def ready(story: Aid, count: int) -> list[str]:
    """Applications for medical relief of 2,000 yuan each, that wait for a decision."""
    drafted = [await story.drafted("medical-relief", await story.member(order), PAPERS) for order in range(1, count + 1)]
    for application in drafted:
        await story.visited(application, serious_illness=True, third_party_pays=False, self_paid_fen=1_500_000)
    await story.posted(drafted)
    for application in drafted:
        await story.submitted(application)
    return drafted


async def test_a_budget_is_exhausted_at_the_county_and_at_the_city_at_once(postgres: Postgres, tmp_path: Path) -> None:
    """The city has 20,000 yuan and allots 10,000 to the county; twelve cases of 2,000 are decided side by side, six on each line."""
    async with aid(postgres, tmp_path, date(2026, 3, 2)) as story:
        await story.publish("medical-relief")
        city = await story.fund(2_000_000, "aid.medical", TOP, by=(CITY_ACCOUNTANT, CITY_TREASURER))
        allotment = {"organisation": TOP, "year": 2026, "source": "superior", "purpose": "aid.medical", "fen": 1_000_000}
        proposal = await story.send("budget/allotments", allotment | {"to_organisation": COUNTY, "document": PAPER}, by=CITY_ACCOUNTANT)
        await story.send(f"budget/proposals/{proposal}/approval", None, by=CITY_TREASURER)
        county = story.line("aid.medical")
        assert [(await story.balances(line))["available"] for line in (city, county)] == [1_000_000, 1_000_000]

        applications = await ready(story, 12)
        decisions = [
            (await story.decision(line, application, organisation=organisation), by)
            for number, application in enumerate(applications)
            for line, organisation, by in [
                ((county, COUNTY, (APPROVER, DEPUTY, CHAIR)[number % 3]), (city, TOP, CITY_APPROVER))[number % 2]
            ]
        ]
        answers = await asyncio.gather(*(story.node.post("assistance/aid/decisions", body, by=by) for body, by in decisions))

        losers = [answer.json() for answer in answers if answer.status_code != 201]
        assert [told["type"].rpartition(":")[2] for told in losers] == ["line-exhausted"] * 2, losers
        assert [(told["available_fen"], told["asked_fen"]) for told in losers] == [(0, RELIEF)] * 2
        for line in (city, county):
            balances = await story.balances(line)
            assert (balances["available"], balances["reserved"]) == (0, 5 * RELIEF)
        stages = [(await story.see(f"aid/applications/{one}"))["stage"] for one in applications]
        assert sorted(stages) == ["granted"] * 10 + ["submitted"] * 2

        # More money comes, by two people, and those who waited get theirs.
        again = await story.send(
            "budget/appropriations", allotment | {"organisation": COUNTY, "fen": 2 * RELIEF, "document": PAPER}, by=ACCOUNTANT
        )
        await story.refused(f"budget/proposals/{again}/approval", None, "not-permitted", by=ACCOUNTANT)
        await story.send(f"budget/proposals/{again}/approval", None, by=TREASURER)
        waiting = [one for one, stage in zip(applications, stages, strict=True) if stage == "submitted"]
        await story.send("aid/decisions", await story.decision(county, *waiting), by=APPROVER)
        assert (await story.balances(county))["available"] == 0
