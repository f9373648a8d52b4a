"""A public notice from the posting to the taking down, together with the applications that it lists. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from contracts.assistance.applications import (
    ApplicationCleared,
    ApplicationPosted,
    NoticeObjected,
    NoticePosted,
    NoticeTakenDown,
    ObjectionSettled,
)
from contracts.kernel import Event, OrgCode, PersonId
from contracts.membership import Digest, Principal
from contracts.values import day_in_china
from foundation.decider import Decider, JointDecider, Part

from assistance.applications.application import Verified, stage
from assistance.applications.errors import ApplicationElsewhere, ApprovalStale, OnNotice, OutsideArea
from assistance.applications.following import APPLICATION, known, not_to_come
from assistance.applications.making import concerned
from assistance.desk import Desk, once
from assistance.interests.interests import INTERESTS, no_conflict
from assistance.notices import errors
from assistance.programmes.programme import PROGRAMME, rules_on
from assistance.workdays import WorkingDays

LISTED_MAX = 200
"""Applications on one notice."""


@dataclass(frozen=True, slots=True)
class Post:
    """Hang a list. `area`: the unions whose applications may be on it; all are of one programme.

    `sheet`: the masked sheet that hangs, by its digest; it was made by `template` of applications in these versions (`seen`).
    """

    notice: str
    organisation: OrgCode
    area: frozenset[OrgCode]
    programme: str
    applications: tuple[str, ...]
    sheet: Digest
    on: date
    calendar: WorkingDays
    by: Principal
    template: str | None = None
    seen: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Object:
    """Enter an objection to one application on the list."""

    notice: str
    objection: str
    application: str
    person: PersonId
    statement: str
    on: date


@dataclass(frozen=True, slots=True)
class SettleObjection:
    """Say what came of looking into it."""

    notice: str
    objection: str
    application: str
    upheld: bool
    finding: str
    by: Principal


@dataclass(frozen=True, slots=True)
class TakeDown:
    """Take the list down after its days; `applications` as posted."""

    notice: str
    applications: tuple[str, ...]
    photo: Digest
    on: date


# -------------------------------------------------------------------------------------------------------------- states


@dataclass(frozen=True, slots=True)
class Unposted:
    """No such notice."""


@dataclass(frozen=True, slots=True)
class Hanging:
    """On the wall. `objections`: application and, once settled, whether it was upheld."""

    posted: NoticePosted
    objections: Mapping[str, tuple[str, bool | None]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Down:
    """Taken down in time."""

    posted: NoticePosted


Notice = Unposted | Hanging | Down


def evolve(notice: Notice, event: Event) -> Notice:
    match notice, event:
        case Unposted(), NoticePosted():
            return Hanging(event)
        case Hanging(objections=objections), NoticeObjected():
            return replace(notice, objections={**objections, event.objection: (event.application, None)})
        case Hanging(objections=objections), ObjectionSettled():
            return replace(notice, objections={**objections, event.objection: (event.application, event.upheld)})
        case Hanging(posted=posted), NoticeTakenDown():
            return Down(posted)
        case _:
            return notice


def hanging(notice: Notice, id: str) -> Hanging:
    """The notice, where it hangs. Raises NoticeUnknown, NoticeDown."""
    match notice:
        case Hanging():
            return notice
        case Down():
            raise errors.NoticeDown(id)
        case _:
            raise errors.NoticeUnknown(id)


def decide(command: Object, notice: Notice, now: datetime) -> list[Event]:
    not_to_come(command.on, now)
    found = hanging(notice, command.notice)
    if command.application not in found.posted.applications:
        raise errors.NotOnNotice(command.application)
    objected = NoticeObjected(
        notice=command.notice,
        objection=command.objection,
        application=command.application,
        person=command.person,
        statement=command.statement,
        objected_on=command.on,
    )
    return [] if command.objection in found.objections else [objected]


NOTICE: Decider[Notice, Object] = Decider(category="notice", initial=Unposted(), decide=decide, evolve=evolve)


# ------------------------------------------------------------------------------------------- with the applications on it


def _post_parts(command: Post) -> Sequence[Part]:
    if not 1 <= len(command.applications) <= LISTED_MAX or len(set(command.applications)) < len(command.applications):
        raise errors.NoticeMalformed("listed", listed_max=LISTED_MAX)
    listed = [Part(APPLICATION, application) for application in command.applications]
    return once([Part(NOTICE, command.notice), Part(PROGRAMME, command.programme), Part(INTERESTS, command.by), *listed])


def _post(command: Post, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    desk = Desk(_post_parts(command), states, now)
    if not isinstance(desk.state(NOTICE, command.notice), Unposted):
        raise errors.NoticeExists(command.notice)
    rules = rules_on(desk.state(PROGRAMME, command.programme), command.programme, day_in_china(now)).definition
    if rules.notice is None:
        raise errors.NoticeMalformed("programme")
    if command.on != day_in_china(now):
        # A day in the past would let a notice come down that never hung.
        raise errors.NoticeMalformed("today")
    until = command.calendar.after(command.on, rules.notice.working_days)
    for listed in command.applications:
        application = known(desk.state(APPLICATION, listed), listed)
        if not isinstance(application, Verified) or application.case.programme != command.programme:
            raise ApplicationElsewhere(listed, stage(application))
        if application.case.organisation not in command.area:
            raise OutsideArea(listed)
        if application.found.notice is not None and not application.found.cleared:
            raise OnNotice(listed)
        if command.seen.get(listed, application.case.version) != application.case.version:
            raise ApprovalStale(listed, ["application"])
        no_conflict(command.by, desk.state(INTERESTS, command.by), concerned(application))
        desk.add(APPLICATION, listed, ApplicationPosted(application=listed, notice=command.notice, until=until.on))
    posted = NoticePosted(
        notice=command.notice,
        organisation=command.organisation,
        applications=command.applications,
        sheet=command.sheet,
        template=command.template,
        working_days=rules.notice.working_days,
        posted_on=command.on,
        until=until.on,
        provisional=until.provisional,
        posted_by=command.by,
    )
    desk.add(NOTICE, command.notice, posted)
    return desk.decided()


POST: JointDecider[Post] = JointDecider(parts=_post_parts, decide=_post)


def _settle_parts(command: SettleObjection) -> Sequence[Part]:
    return (Part(NOTICE, command.notice), Part(APPLICATION, command.application), Part(INTERESTS, command.by))


def _settle(command: SettleObjection, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    found = hanging(states[0], command.notice)
    application, upheld = found.objections.get(command.objection, (None, None))
    if application != command.application:
        raise errors.ObjectionUnknown(command.objection)
    if upheld is command.upheld:
        return [], [], []
    case = known(states[1], command.application).case
    no_conflict(command.by, states[2], case.people)
    if command.by in case.makers or command.by == found.posted.posted_by:
        raise errors.OwnObjection
    settled = ObjectionSettled(
        notice=command.notice,
        objection=command.objection,
        application=command.application,
        person=case.person,
        upheld=command.upheld,
        finding=command.finding,
        settled_by=command.by,
    )
    return [settled], [], []


SETTLE: JointDecider[SettleObjection] = JointDecider(parts=_settle_parts, decide=_settle)


def _take_down_parts(command: TakeDown) -> Sequence[Part]:
    return once([Part(NOTICE, command.notice), *(Part(APPLICATION, application) for application in command.applications)])


def _take_down(command: TakeDown, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    desk = Desk(_take_down_parts(command), states, now)
    notice = desk.state(NOTICE, command.notice)
    if isinstance(notice, Down):
        return desk.decided()
    found = hanging(notice, command.notice)
    if command.on <= found.posted.until:
        raise errors.NoticeStillHangs(found.posted.until)
    if unsettled := [objection for objection, (_, upheld) in found.objections.items() if upheld is None]:
        raise errors.ObjectionsOpen(unsettled)
    if set(command.applications) != set(found.posted.applications):
        raise errors.NoticeMalformed("whole")
    desk.add(NOTICE, command.notice, NoticeTakenDown(notice=command.notice, photo=command.photo, taken_down_on=command.on))
    upheld = {application for application, was in found.objections.values() if was}
    for listed in command.applications:
        application = known(desk.state(APPLICATION, listed), listed)
        if isinstance(application, Verified) and application.found.notice == command.notice:
            desk.add(APPLICATION, listed, ApplicationCleared(application=listed, notice=command.notice, upheld=listed in upheld))
    return desk.decided()


TAKE_DOWN: JointDecider[TakeDown] = JointDecider(parts=_take_down_parts, decide=_take_down)
"""The applications that waited for this notice are clear now; one that was verified anew meanwhile waits for a notice of its own."""
