"""Autumn tuition: 829 students of households in hardship, 656,240 yuan, one meeting's minutes after another."""

import secrets
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

from node.embedded.postgres import Postgres

from .aid import APPROVER, CHAIR, DEPUTY, PAPER, Aid, account, aid, meeting, together

STUDENTS = {"college": 202, "senior": 331, "compulsory": 296}
GRANTS = {"college": 100_000, "senior": 80_000, "compulsory": 64_000}
TOTAL = 65_624_000


async def household(story: Aid, stages: tuple[str, ...]) -> list[tuple[str, str]]:
    """A household with a child or two in school; each child's application, with what stage it is at."""
    parent = secrets.token_hex(16)
    children = {secrets.token_hex(16): stage for stage in stages}
    members = [
        {"person": child, "relation": "child"} | ({"minor": True, "guardian": parent, "consent": PAPER} if stage == "compulsory" else {})
        for child, stage in children.items()
    ]
    file = await story.household(parent, *members)
    into = account("刘洋", f"62284801{parent[:8]}".translate(str.maketrans("abcdef", "012345")))
    asked = []
    for child, stage in children.items():
        more: dict[str, Any] = {"household": file, "account": into, "payee": parent if stage == "compulsory" else child}
        application = await story.drafted("autumn-tuition", child, ["enrolment"], **more)
        await story.visited(application, stage=stage, full_time=True, other_grant_fen=0)
        asked.append((application, stage))
    return asked


async def test_829_students(postgres: Postgres, tmp_path: Path) -> None:
    assert sum(GRANTS[stage] * count for stage, count in STUDENTS.items()) == TOTAL
    async with aid(postgres, tmp_path, date(2026, 8, 24)) as story:
        await story.publish("autumn-tuition")
        line = await story.fund(TOTAL, "aid.tuition")
        await story.opened_account()
        stages = sorted(Counter(STUDENTS).elements())
        pairs = [tuple(stages[first : first + 2]) for first in range(0, len(stages), 2)]
        stage_of = dict(one for asked in await together(household(story, pair) for pair in pairs) for one in asked)
        assert len(stage_of) == 829
        applications = list(stage_of)
        await story.posted(applications)
        await story.sent_up(applications)
        await story.granted(line, "autumn-tuition", meeting=meeting(story.today, APPROVER, DEPUTY, CHAIR))
        balances = await story.balances(line)
        assert (balances["available"], balances["reserved"]) == (0, TOTAL)

        batch = await story.batch()
        told = await story.see(f"payments/batches/{batch}")
        assert (told["count"], told["total_fen"]) == (829, TOTAL)
        await story.released(batch)
        await story.answered(batch)
        transferred = await story.transferred()
        assert Counter(line["fen"] for line in transferred) == {GRANTS[stage]: count for stage, count in STUDENTS.items()}
        assert len({line["end_to_end"] for line in transferred}) == 829
        assert (await story.balances(line))["paid"] == TOTAL
