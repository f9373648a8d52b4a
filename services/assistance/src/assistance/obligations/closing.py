"""How an obligation ends: by papers that somebody else has checked, by the money coming back, or by a superior's write-off. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from contracts.assistance.obligations import DiscretionRestored, ObligationMet, ObligationRecovered, ObligationWrittenOff
from contracts.kernel import Event
from contracts.membership import Level
from contracts.values import day_in_china
from foundation.decider import JointDecider, Part

from assistance.applications.following import APPLICATION, known, not_to_come
from assistance.obligations import commands, errors
from assistance.obligations.obligation import DISCRETION, OBLIGATION, Obligation, Owed, Settled
from assistance.programmes.definition import LEVELS
from assistance.programmes.programme import PROGRAMME, rules_on

_TOP = (Level.province, Level.city)
"""Where nobody above is on the node: somebody else there writes off."""


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


def _meet_parts(command: commands.Meet) -> Sequence[Part]:
    return (
        *(Part(OBLIGATION, command.obligation), Part(DISCRETION, command.authoriser)),
        *(Part(APPLICATION, command.application), Part(PROGRAMME, command.programme)),
    )


def _meet(command: commands.Meet, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    owed = _owed(states[0], command, "papers")
    if owed is None:
        return [], [], [], []
    case = known(states[2], owed.opened.application).case
    rules = rules_on(states[3], owed.opened.programme, day_in_china(now))
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
    return [met], _restored(command), [], []


MEET: JointDecider[commands.Meet] = JointDecider(parts=_meet_parts, decide=_meet)


def _parts(command: commands.Recover | commands.WriteOff) -> Sequence[Part]:
    return (Part(OBLIGATION, command.obligation), Part(DISCRETION, command.authoriser))


def _recover(command: commands.Recover, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    owed = _owed(states[0], command, "recovery")
    if owed is None:
        return [], []
    if command.fen != owed.opened.fen:
        raise errors.RecoveredInPart(owed.opened.fen, command.fen)
    recovered = ObligationRecovered(
        obligation=command.obligation,
        authoriser=command.authoriser,
        fen=command.fen,
        receipt=command.receipt,
        recovered_on=command.on,
    )
    return [recovered], _restored(command)


RECOVER: JointDecider[commands.Recover] = JointDecider(parts=_parts, decide=_recover)


def _write_off(command: commands.WriteOff, states: Sequence[Any], now: datetime) -> Sequence[Sequence[Event]]:
    not_to_come(command.on, now)
    owed = _owed(states[0], command, "write-off")
    if owed is None:
        return [], []
    opened = owed.opened
    above = LEVELS.index(command.level) < LEVELS.index(opened.level)
    if not above and not (command.level is opened.level and command.level in _TOP):
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
    return [written_off], _restored(command)


WRITE_OFF: JointDecider[commands.WriteOff] = JointDecider(parts=_parts, decide=_write_off)
