"""The rules that an application or a decision can break. None repeats anything personal. Amounts are fen."""

from collections.abc import Sequence
from datetime import date

from contracts.assistance.programmes import DecidedBy
from contracts.membership import Level
from foundation.decider import Refusal


class ApplicationUnknown(Refusal):
    """There is no such application."""

    status = 404

    def __init__(self, application: str) -> None:
        super().__init__(application=application)


class ApplicationElsewhere(Refusal):
    """The application is not at the stage that this needs."""

    def __init__(self, application: str, stage: str) -> None:
        super().__init__(application=application, stage=stage)


class IncidentNeeded(Refusal):
    """The programme helps once for each incident: the application has to say on which day it happened."""

    status = 422

    def __init__(self, programme: str) -> None:
        super().__init__(programme=programme)


class IncidentDuplicate(Refusal):
    """The beneficiary was helped for an incident of that day already: somebody has to say whether this is another one."""

    def __init__(self, application: str, incident: str) -> None:
        super().__init__(application=application, incident=incident)


class DutiesNotSeparated(Refusal):
    """Maker, checker and payer of one case are three people (DOMAIN 0)."""

    status = 403

    def __init__(self, application: str) -> None:
        super().__init__(application=application)


class FactsMisfit(Refusal):
    """The facts are not those that the programme asks for, or not of their kind."""

    status = 422

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__(names=list(names))


class DocumentNotAsked(Refusal):
    """The programme asks for no paper of this kind."""

    status = 422

    def __init__(self, kind: str) -> None:
        super().__init__(kind=kind)


class OutOfSeason(Refusal):
    """The programme takes applications at another time of the year."""

    def __init__(self, programme: str) -> None:
        super().__init__(programme=programme)


class FileNeeded(Refusal):
    """The programme is for households with a live hardship file, and the person belongs to none of this one."""

    def __init__(self, household: str | None) -> None:
        super().__init__(household=household)


class PayeeNotGuardian(Refusal):
    """A minor's aid is paid to the guardian."""


class VisitMalformed(Refusal):
    """A visit was made on a day that has come, by people who are named once."""

    status = 422


class DayToCome(Refusal):
    """What has happened is recorded on its day or later."""

    status = 422

    def __init__(self, day: date) -> None:
        super().__init__(day=day)


class NoticeNeeded(Refusal):
    """The programme wants a public notice first, and it was not taken down in time, or an objection was found right."""

    def __init__(self, application: str) -> None:
        super().__init__(application=application)


class OnNotice(Refusal):
    """The application is on a public notice already."""

    def __init__(self, application: str) -> None:
        super().__init__(application=application)


class NotEligible(Refusal):
    """The rules say no; `failed` names the conditions, `missing` the facts that are not known."""

    def __init__(self, application: str, failed: Sequence[str], missing: Sequence[str] = ()) -> None:
        super().__init__(application=application, failed=list(failed), missing=list(missing))


class EligibleNotCompliant(Refusal):
    """The person is eligible, but papers or steps are missing; `lacking` names them 符合条件但手续不全."""

    def __init__(self, application: str, lacking: Sequence[str]) -> None:
        super().__init__(application=application, lacking=list(lacking))


class ApprovalStale(Refusal):
    """What was seen is not what is so any more; `moved` says what. Look again, then decide."""

    def __init__(self, application: str, moved: Sequence[str]) -> None:
        super().__init__(application=application, moved=list(moved))


class HigherLevelNeeded(Refusal):
    """The amount is decided higher up, or by a meeting."""

    def __init__(self, application: str, fen: int, level: Level, by: DecidedBy) -> None:
        super().__init__(
            application=application,
            fen=fen,
            level=level,
            by=by,
        )


class AmountNotEntitled(Refusal):
    """The amount is not what the rules come to; only discretionary programmes may give less, and none more."""

    def __init__(self, application: str, entitled_fen: int, asked_fen: int) -> None:
        super().__init__(application=application, entitled_fen=entitled_fen, asked_fen=asked_fen)


class OutsideArea(Refusal):
    """The application is of a union that does not stand below the deciding one."""

    status = 403

    def __init__(self, application: str) -> None:
        super().__init__(application=application)


class MeetingMalformed(Refusal):
    """A meeting has at least QUORUM people at the table for every case, whoever enters its minutes among them, each named once; they
    decide for the union, or for one above or below it.
    """

    status = 422


class DecisionMalformed(Refusal):
    """A decision names 1 to CASES_MAX applications of one programme, each once, and a budget line where it grants anything."""

    status = 422


class DecisionExists(Refusal):
    """A decision of this id was taken."""

    def __init__(self, decision: str) -> None:
        super().__init__(decision=decision)


class AppealLate(Refusal):
    """The term for an appeal is over."""

    def __init__(self, until: date) -> None:
        super().__init__(until=until)


class AppealBelow(Refusal):
    """An appeal is settled above the level that refused, or by a meeting where nobody is above it."""

    status = 403

    def __init__(self, level: Level) -> None:
        super().__init__(level=level)
