"""Durable timers of assistance: what its history says is due, and the command that follows."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from contracts.assistance.obligations import (
    ObligationMet,
    ObligationOpened,
    ObligationOverdue,
    ObligationRecovered,
    ObligationWrittenOff,
)
from contracts.values import CHINA
from foundation.history import Happened
from foundation.reactions import Issue
from foundation.service import TimersFrom
from foundation.timers import Cancel, Due, Schedule

from assistance.obligations.commands import MarkOverdue
from assistance.obligations.obligation import OBLIGATION


def timing(happened: Happened) -> Iterable[Schedule | Cancel]:
    """An obligation falls overdue when the day after its last one begins in China."""
    match happened.event:
        case ObligationOpened(obligation=obligation, due_on=due_on):
            at = datetime.combine(due_on + timedelta(days=1), time(), CHINA)
            yield Schedule(f"obligation {obligation}", at, "mark-overdue", {"obligation": obligation})
        case (
            ObligationOverdue(obligation=obligation)
            | ObligationMet(obligation=obligation)
            | ObligationRecovered(obligation=obligation)
            | ObligationWrittenOff(obligation=obligation)
        ):
            yield Cancel(f"obligation {obligation}")
        case _:
            pass


def issue(due: Due) -> Issue:
    """The command of a due timer."""
    obligation = due.payload["obligation"]
    return Issue(OBLIGATION, obligation, MarkOverdue(obligation))


TIMERS = TimersFrom(
    version=1,
    timing=timing,
    issue=issue,
    events=frozenset({ObligationOpened, ObligationOverdue, ObligationMet, ObligationRecovered, ObligationWrittenOff}),
)
