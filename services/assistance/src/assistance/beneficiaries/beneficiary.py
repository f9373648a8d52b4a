"""What counts together for a person or a household: grants by programme and period, and stops. Pure.

One stream per beneficiary, read and written by every grant, so that once-only rules and yearly caps hold under any concurrency.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import assert_never

from contracts.assistance.applications import AidCounted, AidResumed, AidStopped, AidUncounted, StopReason
from contracts.kernel import Event
from foundation.decider import Decider, Refusal


class AlreadyGranted(Refusal):
    """The beneficiary has this programme's aid for that period already."""

    def __init__(self, application: str, period: str) -> None:
        super().__init__(application=application, period=period)


class AidIsStopped(Refusal):
    """Nothing is granted or paid to this person now: a death is recorded, or an erasure."""

    def __init__(self, reason: StopReason) -> None:
        super().__init__(reason=reason)


@dataclass(frozen=True, slots=True)
class Count:
    """A grant counts from now on. `apart`: applications that were for another incident, although of the same day."""

    granted: AidCounted
    apart: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Uncount:
    """A grant was taken back."""

    beneficiary: str
    entitlement: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Grant and pay nothing more."""

    beneficiary: str
    reason: StopReason
    since: date


@dataclass(frozen=True, slots=True)
class Resume:
    """The death was recorded in error. An erasure is for good."""

    beneficiary: str
    since: date


Command = Count | Uncount | Stop | Resume


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """The grants that stand, by entitlement, and the stop, if there is one."""

    grants: tuple[AidCounted, ...] = ()
    stopped: StopReason | None = None


def evolve(beneficiary: Beneficiary, event: Event) -> Beneficiary:
    match event:
        case AidCounted():
            return replace(beneficiary, grants=(*beneficiary.grants, event))
        case AidUncounted():
            return replace(beneficiary, grants=tuple(one for one in beneficiary.grants if one.entitlement != event.entitlement))
        case AidStopped():
            return replace(beneficiary, stopped=event.reason)
        case AidResumed():
            return replace(beneficiary, stopped=None)
        case _:
            return beneficiary


def decide(command: Command, beneficiary: Beneficiary, now: datetime) -> list[Event]:
    match command:
        case Count(granted, apart):
            may_receive(beneficiary)
            if twice := granted_for(granted.programme, granted.period, beneficiary, apart=apart):
                raise AlreadyGranted(twice[0], granted.period)
            return [granted]
        case Uncount(id, entitlement):
            counted = any(one.entitlement == entitlement for one in beneficiary.grants)
            return [AidUncounted(beneficiary=id, entitlement=entitlement)] if counted else []
        case Stop(id, reason, since):
            stands = beneficiary.stopped in (reason, StopReason.erased)
            return [] if stands else [AidStopped(beneficiary=id, reason=reason, since=since)]
        case Resume(id, since):
            return [AidResumed(beneficiary=id, since=since)] if beneficiary.stopped is StopReason.died else []
        case _:
            assert_never(command)


BENEFICIARY: Decider[Beneficiary, Command] = Decider(category="beneficiary", initial=Beneficiary(), decide=decide, evolve=evolve)


def may_receive(*beneficiaries: Beneficiary) -> None:
    """Raises AidIsStopped where one of them is to get nothing. Payments ask this before every instruction."""
    for one in beneficiaries:
        if one.stopped is not None:
            raise AidIsStopped(one.stopped)


def granted_in(year: int, programme: str, *together: Beneficiary) -> tuple[int, int]:
    """What a programme granted in a calendar year under records that count together: fen, and how many times."""
    grants = {one.entitlement: one.fen for record in together for one in record.grants if (one.programme, one.year) == (programme, year)}
    return sum(grants.values()), len(grants)


def granted_for(programme: str, period: str, *together: Beneficiary, apart: Collection[str] = ()) -> list[str]:
    """The applications by which they have the programme's aid for the period, but for those that are told apart."""
    grants = (one for record in together for one in record.grants if (one.programme, one.period) == (programme, period))
    return list(dict.fromkeys(one.application for one in grants if one.application not in apart))
