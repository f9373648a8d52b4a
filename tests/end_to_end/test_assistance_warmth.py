"""Winter warmth to thousands of households, through a bank that answers nothing, and then brokenly, in the middle.

`TONGXIN_STORY_HOUSEHOLDS=10000` tells it with the number of the domain; the suite takes fewer, for time's sake.
"""

import os
import secrets
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from node.embedded.postgres import Postgres

from .aid import ACCOUNT, APPROVER, CASHIER, COUNTY, PAYER, Aid, account, aid, together
from .running_node import until

HOUSEHOLDS = int(os.environ.get("TONGXIN_STORY_HOUSEHOLDS", "300"))
SECONDS_MAX = 120 + HOUSEHOLDS // 20
"""How long the bank's word on a batch is waited for."""

GRANT = 100_000
"""1,000 yuan for a household in relative hardship, in fen."""


async def asked(story: Aid, number: int) -> str:
    """A household's file, and its application as visited."""
    person = secrets.token_hex(16)
    into = account("陈秀英", f"6228480{number:012d}")
    file = await story.household(person, level="relative", account=into)
    application = await story.drafted("winter-warmth", person, household=file, account=into)
    await story.visited(application)
    return application


async def behave(story: Aid, **behaviour: int) -> None:
    """Tell the bank what goes wrong from now on."""
    answer = await story.node.client.put("http://bank/behaviour", json=behaviour)
    assert answer.status_code == 200, answer.text


async def exceptions(story: Aid, batch: str) -> list[dict[str, Any]]:
    """What somebody has to look at, of one batch."""
    found = (await story.see("payments/exceptions", organisation=COUNTY, limit=200))["items"]
    return [one for one in found if one["batch"] == batch]


@pytest.mark.timeout(300 + HOUSEHOLDS // 10)
async def test_each_household_is_paid_once_whatever_the_bank_says(postgres: Postgres, tmp_path: Path) -> None:
    async with aid(postgres, tmp_path, date(2026, 11, 30)) as story:
        await story.publish("winter-warmth")
        line = await story.fund(HOUSEHOLDS * GRANT, "aid.warmth")
        await story.opened_account()
        applications = await together(asked(story, number) for number in range(HOUSEHOLDS))
        await story.posted(applications)
        await together(story.submitted(one) for one in applications)
        for first in range(0, HOUSEHOLDS, 200):
            await story.send("aid/decisions", await story.decision(line, *applications[first : first + 200]), by=APPROVER)

        # Three batches. The second one's file is taken without an answer, and the bank's report on it breaks off in the middle.
        third = -(-HOUSEHOLDS // 3)
        early, second, last = [await story.batch(at_most=third) for _ in range(3)]
        await story.released(early)
        await story.answered(early, SECONDS_MAX)
        await behave(story, hung_files_every=1, broken_reports_every=1)
        await story.released(second)

        async def broken() -> bool:
            return "file-unreadable" in {one["rule"] for one in await exceptions(story, second)}

        await until(broken, 60)
        assert (await story.see(f"payments/batches/{second}"))["stage"] == "unanswered"
        assert len(await story.transferred()) == 2 * third, "the bank has paid what nobody here knows yet"
        assert (await story.balances(line))["paid"] == third * GRANT
        assert await story.refused(f"payments/batches/{second}/release", None, "batch-elsewhere", by=PAYER)

        # The bank answers again: asked, and not sent a second time.
        await behave(story)
        await story.released(last)
        for batch in (second, last):
            await story.answered(batch, SECONDS_MAX)
        transferred = await story.transferred()
        assert len({one["end_to_end"] for one in transferred}) == len(transferred) == HOUSEHOLDS
        balances = await story.balances(line)
        assert (balances["available"], balances["reserved"], balances["paid"]) == (0, 0, HOUSEHOLDS * GRANT)
        day = await story.node.post(f"assistance/payments/accounts/{ACCOUNT}/comparison", {"day": f"{story.today}"}, by=CASHIER)
        told = day.json()
        assert (told["events_fen"], told["ledger_fen"], told["bank_fen"], told["agrees"]) == (*[HOUSEHOLDS * GRANT] * 3, True)
