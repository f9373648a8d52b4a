"""Hardship files in lists on real databases, and the yearly review that a timer chases."""

from datetime import timedelta

from assistance.hardship.file import FILE
from assistance.hardship.levels import months_after

from tests.end_to_end.running_node import RunningNode, until

from .test_applications import ACCOUNT, APPROVER, AUDITOR, CLERK, COUNTY, PAPER, STRANGER, TODAY, VILLAGE, member, node, ok

__all__ = ["node"]


async def test_files_are_listed_and_an_overdue_review_is_chased(node: RunningNode) -> None:
    long_ago = TODAY - timedelta(days=400)
    households = []
    for order in (1, 2):
        person = await member(node, order)
        told = {"members": [{"person": person, "relation": "applicant"}], "circumstances": {}, "account": ACCOUNT, "on": f"{long_ago}"}
        households.append(await ok(node, "hardship/files", told | {"organisation": VILLAGE}, by=CLERK))
    late, fresh = households
    await ok(node, f"hardship/files/{late}/levels", {"level": "deep", "paper": PAPER, "on": f"{long_ago}"}, by=APPROVER)
    await ok(node, f"hardship/files/{fresh}/levels", {"level": "deep", "paper": PAPER, "on": f"{TODAY}"}, by=APPROVER)

    async def listed(url: str, by: str = AUDITOR, **asked: str) -> list[tuple[str, str, str | None]]:
        answer = await node.get(f"assistance/hardship/{url}", by=by, organisation=COUNTY, **asked)
        assert answer.status_code == 200, answer.text
        return [(one["household"], one["due_on"], one["name"]) for one in answer.json()["items"]]

    due = months_after(long_ago, 12)

    async def told_of() -> bool:
        return await listed("files", level="deep") == [
            (late, f"{due}", "王伟"),
            (fresh, f"{months_after(TODAY, 12)}", "王伟"),
        ]

    await until(told_of)
    assert await listed("overdue") == [(late, f"{due}", "王伟")]
    assert await listed("files", stage="closed") == []
    assert (await node.get("assistance/hardship/overdue", by=STRANGER, organisation=COUNTY)).status_code == 403

    async def chased() -> bool:
        state, _ = await node.services["assistance"].http.state.application.state(FILE, late)
        return bool(state.chased == due)

    await until(chased)
    await ok(node, f"staff/{APPROVER}/interests", {"person": person, "kind": "relative"}, by=APPROVER)
    assert [one[0] for one in await listed("files", by=APPROVER)] == [late]
