"""Something that takes two people: entered once it waits, entered the same by another it happens. Pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from contracts.assistance.payments import EnteredOnce, EnteredTwice
from contracts.kernel import Event, OrgCode
from contracts.membership import Principal
from foundation.decider import Decider, JointDecider, Part

from assistance.desk import Desk, once


@dataclass(frozen=True, slots=True)
class Entered:
    """Who entered it first, and whether it has happened."""

    by: Principal
    done: bool = False


def _evolve(entered: Entered | None, event: Event) -> Entered | None:
    match event, entered:
        case EnteredOnce(entered_by=by), _:
            return Entered(by)
        case EnteredTwice(), Entered(by):
            return Entered(by, done=True)
        case _:
            return entered


def _no_single_rule(command: Any, state: Any, now: datetime) -> list[Event]:
    raise AssertionError("an entry is decided with what it does")


ENTRY: Decider[Entered | None, Any] = Decider(category="doubleentry", initial=None, decide=_no_single_rule, evolve=_evolve)


@dataclass(frozen=True, slots=True)
class Enter:
    """Somebody enters something. `entry`: the keyed digest of all of it, so that only the very same meets it.

    `parts`: the streams that it is about; `carry_out`: asks them, given the desk and both people.
    """

    entry: str
    act: str
    subject: str
    organisation: OrgCode
    by: Principal
    parts: Sequence[Part]
    carry_out: Callable[[Desk, Principal, Principal], None]


def _parts(command: Enter) -> Sequence[Part]:
    return once([Part(ENTRY, command.entry), *command.parts])


def _decide(command: Enter, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    desk = Desk(_parts(command), states, now)
    entered = desk.state(ENTRY, command.entry)
    if entered is None or entered.done:
        # Whether it could be done at all is said at once; done before, the same entered again begins anew.
        command.carry_out(Desk(_parts(command), states, now), "first", "second")
        first = EnteredOnce(
            entry=command.entry, act=command.act, subject=command.subject, organisation=command.organisation, entered_by=command.by
        )
        desk.add(ENTRY, command.entry, first)
    elif entered.by != command.by:
        desk.add(ENTRY, command.entry, EnteredTwice(entry=command.entry, entered_by=command.by))
        command.carry_out(desk, entered.by, command.by)
    return desk.decided()


ENTER: JointDecider[Enter] = JointDecider(parts=_parts, decide=_decide)
