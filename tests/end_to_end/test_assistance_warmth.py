"""Winter warmth to thousands of households, through a bank that answers nothing, and then brokenly, in the middle.

`TONGXIN_STORY_HOUSEHOLDS=10000` tells it with the number of the domain; the suite takes fewer, for time's sake.
"""

import os
import secrets
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from assistance.lists.requests import LIST_MAX
from node.embedded.postgres import Postgres

from .aid import ACCOUNT, CASHIER, CLERK, COUNTY, DEPUTY, PAPER, PAYER, STEWARD, VILLAGE, Aid, account, aid
from .running_node import until

HOUSEHOLDS = int(os.environ.get("TONGXIN_STORY_HOUSEHOLDS", "1000"))
SECONDS_MAX = 120 + HOUSEHOLDS // 20
"""How long the bank's word on a batch is waited for."""

GRANT = 100_000
"""1,000 yuan for a household in relative hardship, in fen."""


async def asked(story: Aid, numbers: range) -> list[str]:
    """One union's list: the households' files with their level, and their applications as visited."""
    on, people = f"{story.today}", [secrets.token_hex(16) for _ in numbers]
    accounts = [account("陈秀英", f"6228480{number:012d}") for number in numbers]
    households = [
        {"members": [{"person": person, "relation": "applicant"}], "circumstances": {}, "account": into, "on": on}
        for person, into in zip(people, accounts, strict=True)
    ]
    files = await story.listed("hardship/file-lists", {"organisation": VILLAGE, "households": households}, "households", by=CLERK)
    await story.listed("hardship/level-lists", {"level": "relative", "paper": PAPER, "on": on, "households": files}, by=DEPUTY)
    applicants = [
        {"person": person, "household": file, "account": into} for person, file, into in zip(people, files, accounts, strict=True)
    ]
    wanted = {"organisation": VILLAGE, "programme": "winter-warmth", "on": on, "applicants": applicants}
    applications = await story.listed("aid/application-lists", wanted, "applications", by=CLERK)
    visit = {"facts": {}, "finding": "属实", "visitors": [STEWARD], "visited_on": on}
    await story.listed("aid/visit-lists", {"visits": [visit | {"application": one} for one in applications]}, by=STEWARD)
    return applications


def slices(of: range) -> Iterator[range]:
    """As many as fit on a list."""
    return (of[first : first + LIST_MAX] for first in range(0, len(of), LIST_MAX))


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
        applications = [one for some in slices(range(HOUSEHOLDS)) for one in await asked(story, some)]
        await story.posted(applications)
        await story.sent_up(applications)
        assert await story.granted(line, "winter-warmth") == applications

        # Three batches. The second one's file is taken without an answer, and the bank's report on it breaks off in the middle.
        third = -(-HOUSEHOLDS // 3)
        early, second, last = [await story.batch(at_most=third) for _ in range(3)]
        await story.released(early)
        await story.answered(early, SECONDS_MAX)
        await behave(story, hung_files_every=1, broken_reports_every=1)
        await story.released(second)

        async def broken() -> bool:
            return "file-unreadable" in {one["rule"] for one in await exceptions(story, second)}

        await until(broken)
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
