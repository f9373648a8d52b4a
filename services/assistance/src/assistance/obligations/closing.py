"""How an obligation ends: by papers that somebody else has checked, by the money coming back, or by a superior's write-off. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.assistance.obligations import DiscretionRestored, ObligationMet, ObligationRecovered, ObligationWrittenOff
from contracts.kernel import Event
from foundation.decider import JointDecider, Part
from foundation.ids import command_id

from assistance.applications.application import Grant
from assistance.applications.errors import DutiesNotSeparated
from assistance.applications.following import APPLICATION, known, not_to_come
from assistance.applications.making import concerned
from assistance.desk import Desk, once
from assistance.funds.budget_line import BUDGET_LINE
from assistance.funds.closing import RETURN_LATE
from assistance.funds.commands import Return, ReturnLate
from assistance.funds.errors import NotPaid
from assistance.interests.interests import INTERESTS, no_conflict
from assistance.obligations import commands, errors
from assistance.obligations.obligation import DISCRETION, OBLIGATION, Obligation, Owed, Settled
from assistance.payments.payment import PAYMENT, Done
from assistance.programmes.definition import LEVELS, TOP_LEVELS
from assistance.programmes.programme import PROGRAMME, rules_of


def _owed(obligation: Obligation, command: commands.Meet | commands.Recover | commands.WriteOff, how: str) -> Owed | None:
    """What is owed; None where it was closed in this way before. Raises ObligationUnknown, ObligationClosed, ClosedByAuthoriser."""
    match obligation:
        case Owed(opened=opened) if opened.authoriser == command.authoriser:
            if command.by == opened.authoriser:
                raise errors.ClosedByAuthoriser(command.obligation)
            return obligation
        case Settled(by=by):
            if by == how:
                return None
            raise errors.ObligationClosed(command.obligation, by)
        case _:
            raise errors.ObligationUnknown(command.obligation)


def _restored(command: commands.Meet | commands.Recover | commands.WriteOff) -> list[Event]:
    return [DiscretionRestored(authoriser=command.authoriser, obligation=command.obligation)]


def _concerns(command: commands.Meet | commands.Recover | commands.WriteOff) -> tuple[Part, ...]:
    """What each of them is about: the obligation and its authoriser, whose matter it is, and the interests of who asks."""
    return (
        *(Part(OBLIGATION, command.obligation), Part(DISCRETION, command.authoriser)),
        *(Part(APPLICATION, command.application), Part(INTERESTS, command.by)),
    )


def _meet_parts(command: commands.Meet) -> Sequence[Part]:
    return (*_concerns(command), Part(PROGRAMME, command.programme))


def _meet(command: commands.Meet, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    owed = _owed(states[0], command, "papers")
    if owed is None:
        return [], [], [], [], []
    application = known(states[2], command.application)
    case = application.case
    no_conflict(command.by, states[3], concerned(application))
    if command.by in case.makers:
        raise DutiesNotSeparated(command.application)
    rules = rules_of(states[4], owed.opened.programme)
    has = {kind for kind, _ in case.documents}
    if missing := [one.kind for one in rules.definition.documents if one.when is None and one.kind not in has]:
        raise errors.PapersMissing(missing)
    met = ObligationMet(
        obligation=command.obligation,
        authoriser=command.authoriser,
        documents=tuple(sorted(digest for _, digest in case.documents)),
        checked_by=command.by,
        met_on=command.on,
    )
    return [met], _restored(command), [], [], []


MEET: JointDecider[commands.Meet] = JointDecider(parts=_meet_parts, decide=_meet)


def _recover_parts(command: commands.Recover) -> Sequence[Part]:
    lines = [Part(BUDGET_LINE, line) for line in (command.line, command.into) if line is not None]
    payment = [] if command.entitlement is None else [Part(PAYMENT, command.entitlement)]
    return once([*_concerns(command), *payment, *lines])


def _recover(command: commands.Recover, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    desk = Desk(_recover_parts(command), states, now)
    owed = _owed(desk.state(OBLIGATION, command.obligation), command, "recovery")
    if owed is None:
        return desk.decided()
    application = known(desk.state(APPLICATION, command.application), command.application)
    no_conflict(command.by, desk.state(INTERESTS, command.by), concerned(application))
    if command.fen != owed.opened.fen:
        raise errors.RecoveredInPart(owed.opened.fen, command.fen)
    grant = getattr(application, "grant", None)
    if grant is not None and grant.obligation == command.obligation:  # otherwise it was revoked, and its money never left
        _take_back(desk, command, grant, now)
    recovered = ObligationRecovered(
        obligation=command.obligation,
        authoriser=command.authoriser,
        fen=command.fen,
        receipt=command.receipt,
        recovered_on=command.on,
    )
    desk.add(OBLIGATION, command.obligation, recovered)
    desk.add(DISCRETION, command.authoriser, *_restored(command))
    return desk.decided()


def _take_back(desk: Desk, command: commands.Recover, grant: Grant, now: datetime) -> None:
    """Into the line that paid it, or, where its year is closed, into the one that goes on with its balance. Raises NotPaid, LineClosed."""
    payment = None if command.entitlement is None else desk.state(PAYMENT, command.entitlement)
    if not isinstance(payment, Done) or (grant.entitlement, payment.terms.line) != (command.entitlement, command.line):
        raise NotPaid(grant.entitlement, 0, command.fen)
    terms = payment.terms
    about = (terms.line, terms.reservation, grant.entitlement, command_id("recovery", command.obligation).hex)
    if command.into is None:
        desk.ask(BUDGET_LINE, terms.line, Return(*about))
        return
    lines = (terms.line, command.into)
    late = RETURN_LATE.decide(ReturnLate(*about, command.into), [desk.state(BUDGET_LINE, line) for line in lines], now)
    for line, events in zip(lines, late, strict=True):
        desk.add(BUDGET_LINE, line, *events)


RECOVER: JointDecider[commands.Recover] = JointDecider(parts=_recover_parts, decide=_recover)


def _write_off(command: commands.WriteOff, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    owed = _owed(states[0], command, "write-off")
    if owed is None:
        return [], [], [], []
    opened = owed.opened
    no_conflict(command.by, states[3], concerned(known(states[2], command.application)))
    above = LEVELS.index(command.level) < LEVELS.index(opened.level)
    if not above and not (command.level is opened.level and command.level in TOP_LEVELS):
        raise errors.WriteOffBelow(opened.level)
    written_off = ObligationWrittenOff(
        obligation=command.obligation,
        authoriser=command.authoriser,
        person=opened.person,
        fen=opened.fen,
        reason=command.reason,
        paper=command.paper,
        written_off_on=command.on,
    )
    return [written_off], _restored(command), [], []


WRITE_OFF: JointDecider[commands.WriteOff] = JointDecider(parts=_concerns, decide=_write_off)
