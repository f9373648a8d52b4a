"""Durable timers of assistance: what its history says is due, and the command that follows."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

from contracts.assistance.hardship import (
    CallBackOverdue,
    CallBackRecorded,
    HardshipFileClosed,
    HardshipFileRevised,
    HardshipLevelSet,
    HardshipReviewOverdue,
)
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

from assistance.hardship.commands import MarkCallBackOverdue, MarkReviewOverdue
from assistance.hardship.file import FILE
from assistance.obligations.commands import MarkOverdue
from assistance.obligations.obligation import OBLIGATION


def _after(day: date) -> datetime:
    """When the day after this one begins in China."""
    return datetime.combine(day + timedelta(days=1), time(), CHINA)


def timing(happened: Happened) -> Iterable[Schedule | Cancel]:
    """Each is overdue when the day after its last one begins in China.

    A timer fires once for ever, so a review's is named by its day; one that was reviewed in time fires too, and nothing follows.
    """
    match happened.event:
        case ObligationOpened(obligation=obligation, due_on=due_on):
            yield Schedule(f"obligation {obligation}", _after(due_on), "mark-overdue", {"obligation": obligation})
        case (
            ObligationOverdue(obligation=obligation)
            | ObligationMet(obligation=obligation)
            | ObligationRecovered(obligation=obligation)
            | ObligationWrittenOff(obligation=obligation)
        ):
            yield Cancel(f"obligation {obligation}")
        case HardshipLevelSet(household=household, review_on=day) | HardshipFileRevised(household=household, review_on=date() as day):
            yield Schedule(f"review {household} {day}", _after(day), "mark-review-overdue", {"household": household, "day": f"{day}"})
        case HardshipReviewOverdue(household=household, review_on=day):
            yield Cancel(f"review {household} {day}")
        case HardshipFileClosed(household=household, call_back_on=date() as day):
            yield Schedule(f"call-back {household}", _after(day), "mark-call-back-overdue", {"household": household, "day": f"{day}"})
        case CallBackRecorded(household=household) | CallBackOverdue(household=household):
            yield Cancel(f"call-back {household}")
        case _:
            pass


def issue(due: Due) -> Issue:
    """The command of a due timer."""
    told = due.payload
    match due.command:
        case "mark-review-overdue":
            return Issue(FILE, told["household"], MarkReviewOverdue(told["household"], date.fromisoformat(told["day"])))
        case "mark-call-back-overdue":
            return Issue(FILE, told["household"], MarkCallBackOverdue(told["household"], date.fromisoformat(told["day"])))
        case _:
            return Issue(OBLIGATION, told["obligation"], MarkOverdue(told["obligation"]))


TIMERS = TimersFrom(
    version=2,
    timing=timing,
    issue=issue,
    events=frozenset(
        {
            *(ObligationOpened, ObligationOverdue, ObligationMet, ObligationRecovered, ObligationWrittenOff),
            *(HardshipLevelSet, HardshipFileRevised, HardshipReviewOverdue, HardshipFileClosed, CallBackRecorded, CallBackOverdue),
        }
    ),
)
