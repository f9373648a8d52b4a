"""An appeal that is won: refused at the county, found right at the city, and granted there by others than those who refused."""

from datetime import date, timedelta
from pathlib import Path

from node.embedded.postgres import Postgres

from .aid import APPROVER, CHAIR, CITY_ACCOUNTANT, CITY_APPROVER, CITY_DEPUTY, CITY_TREASURER, CLERK, DEPUTY, STEWARD, Aid, aid
from .running_node import TOP

PAPERS = ("diagnosis", "settlement", "invoices")


async def ready(story: Aid) -> str:
    """An application for medical relief of 2,000 yuan, with the county."""
    application = await story.drafted("medical-relief", await story.member(1), PAPERS)
    await story.visited(application, serious_illness=True, third_party_pays=False, self_paid_fen=1_500_000)
    await story.posted([application])
    await story.submitted(application)
    return application


async def test_an_appeal_is_won(postgres: Postgres, tmp_path: Path) -> None:
    async with aid(postgres, tmp_path, date(2026, 3, 2)) as story:
        await story.publish("medical-relief")
        county, city = (
            await story.fund(1_000_000, "aid.medical"),
            await story.fund(1_000_000, "aid.medical", TOP, by=(CITY_ACCOUNTANT, CITY_TREASURER)),
        )
        application = await ready(story)
        here = f"aid/applications/{application}"

        refusal = await story.case(application, outcome="refuse", reason="家庭另有收入")
        await story.send("aid/decisions", {"organisation": "370902", "programme": "medical-relief", "cases": [refusal]}, by=APPROVER)
        told = await story.see(here)
        assert (told["stage"], (await story.balances(county))["available"]) == ("refused", 1_000_000)
        assert date.fromisoformat(told["appeal_until"]) > story.today

        story.go_to(date.fromisoformat(told["appeal_until"]))
        await story.send(f"{here}/appeal", {"grounds": "该收入已于去年终止", "on": f"{story.today}"}, by=CLERK)
        right = {"upheld": True, "reason": "单位证明属实"}
        await story.refused(f"{here}/appeal/settlement", right, "not-permitted", by=STEWARD)
        await story.refused(f"{here}/appeal/settlement", right, "duties-not-separated", by=APPROVER)
        await story.refused(f"{here}/appeal/settlement", right, "appeal-below", by=CHAIR)
        await story.send(f"{here}/appeal/settlement", right, by=CITY_APPROVER)
        assert (await story.see(here))["decided_at"]["level"] == "city"

        # The county's refusal binds nobody now, and the county has no say any more; nor has whoever found the appeal right.
        again = await story.decision(county, application)
        assert (await story.refused("aid/decisions", again, "higher-level-needed", by=DEPUTY))["level"] == "city"
        at_the_city = await story.decision(city, application, organisation=TOP)
        await story.refused("aid/decisions", at_the_city, "duties-not-separated", by=CITY_APPROVER)
        await story.send("aid/decisions", at_the_city, by=CITY_DEPUTY)
        told = await story.see(here)
        assert (told["stage"], told["grant"]["fen"], told["grant"]["decided_by"]) == ("granted", 200_000, CITY_DEPUTY)
        assert (await story.balances(city))["reserved"] == 200_000


async def test_an_appeal_a_day_late_is_not_heard(postgres: Postgres, tmp_path: Path) -> None:
    async with aid(postgres, tmp_path, date(2026, 3, 2)) as story:
        await story.publish("medical-relief")
        application = await ready(story)
        here = f"aid/applications/{application}"
        refusal = await story.case(application, outcome="refuse", reason="家庭另有收入")
        await story.send("aid/decisions", {"organisation": "370902", "programme": "medical-relief", "cases": [refusal]}, by=APPROVER)
        last = date.fromisoformat((await story.see(here))["appeal_until"])
        story.go_to(last + timedelta(days=1))
        late = await story.refused(f"{here}/appeal", {"grounds": "该收入已于去年终止", "on": f"{story.today}"}, "appeal-late", by=CLERK)
        assert late["until"] == f"{last}"
