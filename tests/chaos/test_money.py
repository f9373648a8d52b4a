"""Money while assistance is killed, its events come twice and late, and the bank loses, hangs, breaks, repeats and returns.

What was paid is read from the bank's own log, which knows nothing of us. First a busy day: faults in an order that a seed says.
It meets what nobody thought of, but whether it meets what a given protection is for is left to chance, so it shows the need of none.

That is for the stories. In each of them one protection stands alone between a fault and a second payment, or a line below zero. Each is
told with everything in place, and nothing may be wrong; and again without each protection that matters to it, and then the same checks
have to report it: by the bank's log, an entitlement with two transfers that stand; by the history, a line below zero, or one that has
paid something else than the bank. What would be a race is held and let go (money_stories), so that it happens every time.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest
import pytest_asyncio

from .conftest import Counts
from .load import COUNTY, VILLAGES
from .machine import COPY, Machine, running
from .money import FUNDS_MAX, TOWNSHIP, Bank, Money
from .money_checks import violations
from .money_run import Run
from .money_stories import Scene, hung, killed, killed_at_a_bank_that_looks, told_again, two_decisions, two_makers, two_senders
from .nemesis import Tee
from .test_sabotage import drop_unique_index, uncheck_versions

pytestmark = [
    pytest.mark.chaos,
    pytest.mark.timeout(600),
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SEEDS = [int(seed) for seed in os.environ.get("TONGXIN_CHAOS_MONEY_SEEDS", "1").split(",")]
"""Up to fourteen in one run: each has a budget line of the county's."""

SECONDS = float(os.environ.get("TONGXIN_CHAOS_SECONDS", "0"))
"""How long faults go on; at least one round."""

FUNDED = 24 + int(SECONDS)
CASES = FUNDED + 6

ELSEWHERE = (TOWNSHIP, *VILLAGES)
"""Where the stories' money is, out of the busy day's way."""

Story = Callable[[Scene], Awaitable[None]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def money(machine: Machine) -> AsyncIterator[Money]:
    """A county with its staff, two processes of assistance, and a bank."""
    bank = Bank(machine)
    more = {"TONGXIN_BANK_URL": bank.url, "TONGXIN_BANK_POLL_SECONDS": "0.1"}
    async with running(machine, "membership", "assistance", "assistance" + COPY, more=more) as node:
        await bank.start()
        money = Money(node, bank, SEEDS[0])
        impatient = asyncio.create_task(money.impatient())
        try:
            await money.prepare()
            yield money
        finally:
            impatient.cancel()
            await asyncio.gather(impatient, return_exceptions=True)
            await money.close()
            bank.kill()


@pytest_asyncio.fixture(loop_scope="module")
async def scene(money: Money) -> Scene:
    """A fund of its own with money for one, and a case; nothing is broken or left out yet."""
    await money.node.leave_out("assistance")
    await money.bank.behave()
    place = next(place for place in ELSEWHERE if money.funds[place] < FUNDS_MAX)
    return Scene(money, await money.fund(place, cases=1), *await money.applications(2))


@pytest.mark.timeout(600 + 3 * SECONDS)
@pytest.mark.parametrize("seed", SEEDS)
async def test_every_entitlement_is_paid_once_whatever_dies(money: Money, counts: Counts, seed: int) -> None:
    began, tee = time.monotonic(), Tee(money.node)
    doubling = asyncio.create_task(tee.run())
    fund = await money.fund(COUNTY, cases=FUNDED)
    run = Run(money, seed, fund, await money.applications(CASES))
    try:
        found = await run.go(SECONDS)
    finally:
        doubling.cancel()
        await asyncio.gather(doubling, return_exceptions=True)
        counts.say(
            seed=seed,
            seconds=round(time.monotonic() - began),
            attempts=money.attempts,
            restarts=money.node.deaths,
            doubled=tee.doubled,
            bank=dict(Counter(line["kind"] for line in money.bank.log(fund.account))),
            refused=dict(run.refused),
            faults=dict(run.done),
        )
    assert not found, "\n".join(found)


# ---------------------------------------------------------------------------------------- the stories, and what is left out


TOLD: tuple[tuple[Story, str, str], ...] = (
    (two_decisions, "", ""),
    (two_decisions, "draw", "below zero"),
    (two_senders, "", ""),
    (two_senders, "begun", "paid twice"),
    (two_makers, "", ""),
    (two_makers, "alive", "paid twice"),
    (told_again, "", ""),
    (told_again, "over", "the line has paid 0 fen"),
    (hung, "", ""),
    (hung, "silence", "paid twice"),
    (hung, "patience", "paid twice"),
    (killed, "", ""),
    (killed, "mark", "paid twice"),
    (killed, "asking", "paid twice"),
    (killed_at_a_bank_that_looks, "asking,duplicates", "paid twice"),
)
"""Each story; what is left out of assistance meanwhile (program.WITHOUT); and what has then to be reported."""


@pytest.mark.parametrize(
    ("story", "without", "reported"), TOLD, ids=[f"{story.__name__}, without {without or 'nothing'}" for story, without, _ in TOLD]
)
async def test_story(scene: Scene, counts: Counts, story: Story, without: str, reported: str) -> None:
    await scene.node.leave_out("assistance", *filter(None, without.split(",")))
    await story(scene)
    found = await violations(scene.money, scene.fund)
    if without:
        counts.say(violations=found)
        assert any(reported in violation for violation in found)
    else:
        assert not found, "\n".join(found)


async def test_without_versions_being_checked(scene: Scene, counts: Counts) -> None:
    """The last one: streams that both processes wrote to are of no use afterwards."""
    await scene.alone()
    scene.node.start("assistance" + COPY)
    await scene.node.leave_out("assistance")  # answered once it is up
    database = await asyncpg.connect(scene.node.dsn("assistance"))
    await uncheck_versions(database)
    await drop_unique_index(database)
    await database.close()
    await two_decisions(scene)
    found = await violations(scene.money, scene.fund)
    counts.say(violations=found)
    assert any("below zero" in violation for violation in found)
