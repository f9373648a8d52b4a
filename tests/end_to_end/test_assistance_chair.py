"""A chair dismissed for defending workers: rights confirms it in its history, Kafka carries it, and half a year's allowance is granted."""

from datetime import date
from pathlib import Path

from contracts.rights import ChairDismissalConfirmed
from foundation.broker.kafka import KafkaBroker
from foundation.commands import Actor
from foundation.decider import Decider, JointDecider, Part
from foundation.http.caller import Application
from foundation.ids import command_id
from node.embedded.postgres import Postgres

from .aid import APPROVER, CLERK, VILLAGE, account, aid
from .running_node import TOP, until

CASE = "c" * 32
TOLD: Decider[None, ChairDismissalConfirmed] = Decider("case", None, lambda event, *_: [event], lambda state, _: state)
CONFIRMED: JointDecider[ChairDismissalConfirmed] = JointDecider(
    parts=lambda event: [Part(TOLD, event.case)], decide=lambda event, *_: [[event]]
)
"""Stands for the rule that rights does not have yet; the event is the one it will publish."""


async def test_half_a_years_allowance_comes_through_kafka(postgres: Postgres, kafka_bootstrap: str, tmp_path: Path) -> None:
    """Six months at 2,100 yuan: 12,600, decided by one approver of the county, for it is not over 20,000."""
    broker = KafkaBroker(kafka_bootstrap)
    try:
        async with aid(postgres, tmp_path, date(2026, 10, 9), broker=broker, with_rights=True) as story:
            await story.publish("chair-protection")
            line = await story.fund(3_000_000, "aid.chair")
            chair = await story.member(1, name="李建国")
            rights: Application = story.node.services["rights"].http.state.application
            event = ChairDismissalConfirmed(
                case=CASE, chair=chair, organisation=VILLAGE, dismissed_on=date(2026, 9, 30), monthly_living_fen=210_000, months=6
            )
            await rights.handler.handle_joint(CONFIRMED, event, by=Actor("e" * 32, TOP, "0" * 32))

            application = command_id("chair protection", CASE).hex
            here = f"aid/applications/{application}"

            async def arrived() -> bool:
                answer = await story.node.get(f"assistance/{here}", by=APPROVER)
                return answer.status_code == 200 and answer.json()["stage"] == "submitted"

            await until(arrived)
            told = await story.see(here)
            assert (told["person"], told["entitled_fen"], told["lacking"]) == (chair, 1_260_000, ["account"])

            # Nobody in the union has to ask for it, but somebody has to say where the money goes.
            asked = await story.decision(line, application)
            await story.refused("aid/decisions", asked, "eligible-not-compliant", by=APPROVER)
            await story.send(f"{here}/account", {"account": account("李建国")}, by=CLERK)
            await story.send("aid/decisions", await story.decision(line, application), by=APPROVER)
            told = await story.see(here)
            assert (told["stage"], told["grant"]["fen"]) == ("granted", 1_260_000)
            balances = await story.balances(line)
            assert (balances["available"], balances["reserved"]) == (1_740_000, 1_260_000)
    finally:
        await broker.close()
