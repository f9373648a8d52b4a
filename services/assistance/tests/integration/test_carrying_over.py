"""The rest of a year goes into another purpose by one of finance and an approver, over HTTP."""

from assistance.funds.budget_line import BUDGET_LINE, line_id
from assistance.funds.line import Closed

from tests.end_to_end.running_node import RunningNode, until

from .test_applications import APPROVER, COUNTY, FINANCE, PAPER, TODAY, no, node, ok

__all__ = ["node"]


async def test_another_purpose_takes_finance_and_an_approver(node: RunningNode) -> None:
    year = TODAY.year - 1
    key = {"organisation": COUNTY, "year": year, "source": "superior", "purpose": "aid.medical", "fen": 500, "document": PAPER}
    proposal = await ok(node, "budget/appropriations", key, by=FINANCE)
    await ok(node, f"budget/proposals/{proposal}/approval", None, by=APPROVER)
    ended = line_id(COUNTY, year, "superior", "aid.medical")
    closing, elsewhere = f"budget/lines/{ended}/closing", {"into_purpose": "aid.tuition"}

    async def known() -> bool:
        return (await node.get(f"assistance/budget/lines/{ended}", by=FINANCE)).status_code == 200

    async def closed() -> bool:
        state, _ = await node.services["assistance"].http.state.application.state(BUDGET_LINE, ended)
        return isinstance(state, Closed)

    await until(known)
    await no(node, closing, elsewhere, "not-permitted", by=APPROVER)
    for _ in range(2):
        await ok(node, closing, elsewhere, by=FINANCE)
    assert not await closed()
    await ok(node, closing, elsewhere, by=APPROVER)
    assert await closed()
