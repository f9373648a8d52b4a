"""One rule for everything on a list, in one append: each row is decided on those before it, and all are taken or none. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, TypeVar

from contracts.kernel import Event
from foundation.decider import JointDecider, Part, Refusal

from assistance.desk import Desk, once
from assistance.lists.errors import ListRefused

C = TypeVar("C")


def all_of(joint: JointDecider[C]) -> JointDecider[Sequence[C]]:
    """The rule for a sequence of its commands. Raises ListRefused with every row that the rule refuses."""

    def parts(rows: Sequence[C]) -> Sequence[Part]:
        return once([part for row in rows for part in joint.parts(row)])

    def decide(rows: Sequence[C], states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
        desk = Desk(parts(rows), states, now)
        refused = {}
        for number, row in enumerate(rows, 1):
            named = joint.parts(row)
            try:
                decided = joint.decide(row, [desk.state(part.decider, part.id) for part in named], now)
            except Refusal as refusal:
                refused[number] = refusal
                continue
            for part, events in zip(named, decided, strict=True):
                if events:
                    desk.add(part.decider, part.id, *events)
        if refused:
            raise ListRefused(refused)
        return desk.decided()

    return JointDecider(parts=parts, decide=decide)
