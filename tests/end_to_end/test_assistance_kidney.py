"""Kidney failure, diagnosed on 7 January: 15,000 yuan of mutual aid and 3,000 of relief in hand on the 21st, and the papers come late.

Mutual aid has no books of its own kind yet: here its association is an organisation with a budget line and a bank account of its own.
"""

from datetime import date
from pathlib import Path
from typing import Any

from node.embedded.postgres import Postgres

from .aid import APPROVER, CLERK, DEPUTY, MUTUAL_ACCOUNT, MUTUAL_HOLDER, PAPER, STEWARD, Aid, account, aid
from .running_node import TOP, until

MUTUAL = "3709.M1"
MUTUAL_CLERK, MUTUAL_DIRECTOR, MUTUAL_DEPUTY, MUTUAL_TREASURER, MUTUAL_ACCOUNTANT, MUTUAL_CASHIER, MUTUAL_PAYER = (
    letter * 16 for letter in ("a1", "a2", "a3", "a4", "a5", "a6", "a7")
)
MUTUAL_STAFF = {
    MUTUAL_CLERK: "clerk",
    **dict.fromkeys((MUTUAL_DIRECTOR, MUTUAL_DEPUTY, MUTUAL_TREASURER), "approver"),
    **dict.fromkeys((MUTUAL_ACCOUNTANT, MUTUAL_CASHIER, MUTUAL_PAYER), "finance"),
}


def mutual_aid(relief: dict[str, Any]) -> dict[str, Any]:
    """A programme that nobody has programmed: a fixed sum for a listed illness, at once, the papers within 30 days."""
    return relief | {
        "title": {"zh": "职工医疗互助", "en": "Medical mutual aid"},
        "entitlement": {"kind": "fixed", "fen": 1_500_000},
        "caps": {"year_times": 1},
        "notice": None,
        "route": [{"up_to_fen": 2_000_000, "level": "city", "by": "person"}, {"level": "city", "by": "meeting"}],
        "pay_first": {"max_fen": 1_500_000, "papers_days": 30, "exposure_max_fen": 3_000_000},
    }


async def prepared(story: Aid) -> tuple[str, str]:
    """Both programmes in force, the association founded with its staff, money and accounts on both sides; the two lines."""
    found = {"organisation": MUTUAL, "name": MUTUAL_HOLDER, "kind": "institution", "level": "city", "parent": TOP}
    answer = await story.node.post("membership/organisations", found | {"effective_on": "2020-01-01"})
    assert answer.status_code == 201, answer.text
    for principal, role in MUTUAL_STAFF.items():
        await story.node.appoint(principal, role, MUTUAL)
    shipped = {one["programme"]: one["definition"] for one in await story.see("programmes/shipped")}
    await story.publish("medical-relief")
    await story.publish("mutual-aid", mutual_aid(shipped["medical-relief"]))

    async def heard() -> bool:
        return (await story.node.get("assistance/payments/due", by=MUTUAL_PAYER, organisation=MUTUAL)).status_code == 200

    await until(heard)
    relief = await story.fund(5_000_000, "aid.medical")
    mutual = await story.fund(10_000_000, "aid.medical", MUTUAL, by=(MUTUAL_ACCOUNTANT, MUTUAL_TREASURER))
    await story.opened_account()
    await story.opened_account(MUTUAL_ACCOUNT, MUTUAL_HOLDER, organisation=MUTUAL, by=(MUTUAL_ACCOUNTANT, MUTUAL_CASHIER))
    return relief, mutual


async def test_eighteen_thousand_in_hand_after_two_weeks_and_papers_late(postgres: Postgres, tmp_path: Path) -> None:
    async with aid(postgres, tmp_path, date(2026, 1, 4)) as story:
        relief, mutual = await prepared(story)
        patient, other = await story.member(1), await story.member(2, name="赵丽")

        # 7 January: the diagnosis. Both ask with nothing but that.
        story.go_to(date(2026, 1, 7))
        asked = await story.drafted("medical-relief", patient, ["diagnosis"])
        claimed = await story.drafted("mutual-aid", patient, ["diagnosis"], organisation=MUTUAL, by=MUTUAL_CLERK)

        # 20 January: paid at once, by one person each, in their own name.
        story.go_to(date(2026, 1, 20))
        at_once = {"line": relief, "fen": 300_000}
        await story.refused(f"aid/applications/{asked}/emergency-payment", at_once, "not-permitted", by=STEWARD)
        await story.refused(
            f"aid/applications/{asked}/emergency-payment", at_once | {"fen": 300_100}, "emergency-amount-too-high", by=APPROVER
        )
        await story.send(f"aid/applications/{asked}/emergency-payment", at_once, by=APPROVER)
        await story.send(f"aid/applications/{claimed}/emergency-payment", {"line": mutual, "fen": 1_500_000}, by=MUTUAL_DIRECTOR)
        grants = [(await story.see(f"aid/applications/{one}"))["grant"] for one in (asked, claimed)]
        county = await story.batch(grants[0]["entitlement"])
        association = await story.batch(grants[1]["entitlement"], number=MUTUAL_ACCOUNT, organisation=MUTUAL, maker=MUTUAL_ACCOUNTANT)

        # 21 January: 18,000 yuan in hand.
        story.go_to(date(2026, 1, 21))
        await story.released(county)
        await story.released(association, checker=MUTUAL_CASHIER, payer=MUTUAL_PAYER)
        for batch in (county, association):
            await story.answered(batch)
        transferred = [(line["fen"], line["at"][:10]) for line in await story.transferred()]
        assert sorted(transferred) == [(300_000, "2026-01-21"), (1_500_000, "2026-01-21")]
        assert [(await story.payment(grant["entitlement"]))["stage"] for grant in grants] == ["paid", "paid"]
        assert [(await story.balances(line))["paid"] for line in (relief, mutual)] == [300_000, 1_500_000]
        exposure = await story.see("aid/exposure", organisation=TOP)
        assert exposure == {"open_fen": 1_800_000, "overdue_fen": 0, "overdue": []}

        # Thirty days end on 19 February, in the Spring Festival: the papers are due on the first working day after it.
        owed = grants[0]["obligation"]
        told = await story.see(f"aid/obligations/{owed}")
        assert (told["due_on"], told["overdue"], told["provisional"]) == ("2026-02-24", False, False)
        story.go_to(date(2026, 2, 25))

        async def overdue() -> bool:
            return bool((await story.see(f"aid/obligations/{owed}"))["overdue"])

        await until(overdue)
        exposure = await story.see("aid/exposure", organisation=TOP)
        assert (exposure["open_fen"], exposure["overdue_fen"]) == (1_800_000, 1_800_000)
        assert set(exposure["overdue"]) == {grant["obligation"] for grant in grants}

        # The authoriser pays nobody first any more; a colleague still may.
        next_one = await story.drafted("medical-relief", other, ["diagnosis"], account=account("赵丽", "6228480000000000001"))
        emergency = f"aid/applications/{next_one}/emergency-payment"
        told = await story.refused(emergency, {"line": relief, "fen": 200_000}, "discretion-cut-off", by=APPROVER)
        assert (told["obligations"], told["overdue_fen"]) == ([owed], 300_000)

        # The papers come at last, and somebody else than the authoriser checks them.
        papers = f"aid/obligations/{owed}/papers"
        assert (await story.refused(papers, {"on": f"{story.today}"}, "papers-missing", by=DEPUTY))["kinds"] == ["settlement", "invoices"]
        for kind in ("settlement", "invoices"):
            await story.attached(asked, kind)
        await story.refused(papers, {"on": f"{story.today}"}, "closed-by-authoriser", by=APPROVER)
        await story.send(papers, {"on": f"{story.today}"}, by=DEPUTY)
        exposure = await story.see("aid/exposure", organisation=TOP)
        assert (exposure["open_fen"], exposure["overdue_fen"]) == (1_500_000, 1_500_000)
        await story.send(emergency, {"line": relief, "fen": 200_000}, by=APPROVER)

        # The receipt, and a call whether it helped.
        await story.send(f"aid/applications/{asked}/receipt", {"receipt": PAPER, "on": f"{story.today}"}, by=CLERK)
        await story.send(
            f"aid/applications/{asked}/follow-up", {"finding": "每周三次透析，家属轮流陪护", "on": f"{story.today}"}, by=STEWARD
        )
        assert (await story.see(f"aid/applications/{asked}"))["stage"] == "paid"

        # Every yuan leads back to an appropriation.
        way = await story.see(f"budget/entitlements/{grants[0]['entitlement']}/lineage")
        assert [(use["kind"], use["fen"]) for use in way["uses"]] == [("reserved", 300_000), ("paid", 300_000)]
