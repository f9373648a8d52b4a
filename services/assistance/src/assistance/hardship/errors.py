"""The rules that a hardship file can break."""

from datetime import date

from contracts.assistance.hardship import Authority
from contracts.kernel import PersonId
from foundation.decider import Refusal


class FileUnknown(Refusal):
    """There is no hardship file of this household."""

    status = 404

    def __init__(self, household: str) -> None:
        super().__init__(household=household)


class FileNotLive(Refusal):
    """The file is closed."""

    def __init__(self, household: str) -> None:
        super().__init__(household=household)


class HouseholdMalformed(Refusal):
    """A household has one applicant, names nobody twice, and every minor has a guardian and the guardian's signed consent."""

    status = 422


class PersonInAnotherFile(Refusal):
    """A person belongs to one live file at a time; couples in two unions have theirs joined."""

    def __init__(self, person: PersonId, household: str) -> None:
        super().__init__(person=person, household=household)


class NotAuthorised(Refusal):
    """The household has not signed for checks with this authority, or no longer."""

    def __init__(self, authority: Authority) -> None:
        super().__init__(authority=authority)


class LevelNotKnown(Refusal):
    """The code list has no such level on that day."""

    status = 422

    def __init__(self, level: str) -> None:
        super().__init__(level=level)


class FileDutiesNotSeparated(Refusal):
    """Who opened or revised a file does not set its level: maker and checker are two people (DOMAIN 0)."""

    status = 403

    def __init__(self, household: str) -> None:
        super().__init__(household=household)


class DayToCome(Refusal):
    """Facts are recorded on their day or later."""

    status = 422

    def __init__(self, day: date) -> None:
        super().__init__(day=day)


class NotLifted(Refusal):
    """Only a household that was lifted out of hardship is called back."""

    def __init__(self, household: str) -> None:
        super().__init__(household=household)


class FileOpen(Refusal):
    """The household's file was opened before."""

    def __init__(self, household: str) -> None:
        super().__init__(household=household)


class JoinedToItself(Refusal):
    """One file is not two."""

    status = 422


class NotDueYet(Refusal):
    """The day by which a file is reviewed, or a household called back, has not passed."""

    def __init__(self, day: date) -> None:
        super().__init__(day=day)
