"""The rules that a hardship file can break."""

from datetime import date

from contracts.assistance.hardship import Authority
from contracts.kernel import PersonId
from foundation.decider import Refusal


class FileUnknown(Refusal):
    """There is no hardship file of this household."""

    status = 404

    def __init__(self, household: str) -> None:
        super().__init__("there is no hardship file of this household", household=household)


class FileNotLive(Refusal):
    """The file is closed."""

    def __init__(self, household: str) -> None:
        super().__init__("this household's file is closed; open a new one if hardship has come back", household=household)


class HouseholdMalformed(Refusal):
    """A household has one applicant, names nobody twice, and every minor has a guardian and the guardian's signed consent."""

    status = 422

    def __init__(self, why: str) -> None:
        super().__init__(why)


class PersonInAnotherFile(Refusal):
    """A person belongs to one live file at a time; couples in two unions have theirs joined."""

    def __init__(self, person: PersonId, household: str) -> None:
        super().__init__("this person belongs to another live file; join the two files", person=person, household=household)


class NotAuthorised(Refusal):
    """The household has not signed for checks with this authority, or no longer."""

    def __init__(self, authority: Authority) -> None:
        super().__init__("the household has not signed for this check", authority=str(authority))


class LevelNotKnown(Refusal):
    """The code list has no such level on that day."""

    status = 422

    def __init__(self, level: str) -> None:
        super().__init__("the code list has no such level on that day", level=level)


class DayToCome(Refusal):
    """Facts are recorded on their day or later."""

    status = 422

    def __init__(self, day: date) -> None:
        super().__init__(f"{day} is yet to come; facts are recorded once they are so", day=day.isoformat())


class NotLifted(Refusal):
    """Only a household that was lifted out of hardship is called back."""

    def __init__(self, household: str) -> None:
        super().__init__("this household's file is live, or ended otherwise than by lifting out", household=household)


class FileOpen(Refusal):
    """The household's file was opened before."""

    def __init__(self, household: str) -> None:
        super().__init__("this household has its file", household=household)


class JoinedToItself(Refusal):
    """One file is not two."""

    status = 422

    def __init__(self) -> None:
        super().__init__("a file is joined to another one")


class NotDueYet(Refusal):
    """The day by which a file is reviewed, or a household called back, has not passed."""

    def __init__(self, day: date) -> None:
        super().__init__(f"there is time until {day}", day=day.isoformat())
