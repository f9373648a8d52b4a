"""The rules that an appointment can break."""

from contracts.kernel import OrgCode
from contracts.membership import Role
from foundation.decider import Refusal


class AppointmentUnknown(Refusal):
    """There is no such appointment of this person."""

    status = 404

    def __init__(self, appointment: str) -> None:
        super().__init__("there is no such appointment", appointment=appointment)


class AppointmentPeriodEmpty(Refusal):
    """An appointment ends after it begins."""

    status = 422

    def __init__(self) -> None:
        super().__init__("an appointment ends after the day it begins")


class AlreadyAppointed(Refusal):
    """Somebody holds the same role at the same union in that time; end or let run out what stands."""

    def __init__(self, appointment: str) -> None:
        super().__init__("this role at this union is held already in that time", appointment=appointment)


class DutiesNotSeparated(Refusal):
    """Maker, checker and payer are three people at one union; an auditor does nothing else there (DOMAIN 0)."""

    def __init__(self, organisation: OrgCode, role: Role, held: Role) -> None:
        super().__init__(
            f"{role} and {held} at {organisation} need two people; where there is only one, staff of the union above hold the other role",
            organisation=organisation,
            role=str(role),
            held=str(held),
        )


class ActingNotStated(Refusal):
    """Who holds a post already takes another one only as explicitly acting."""

    def __init__(self) -> None:
        super().__init__("this person holds another post in that time; say that this one is held beside it (acting)")


class DelegationTooLong(Refusal):
    """A delegation during leave is capped."""

    def __init__(self, days_max: int) -> None:
        super().__init__(f"a delegation lasts {days_max} days at most", days_max=days_max)


class DelegationOutsidePost(Refusal):
    """Nobody delegates what is not theirs in that time, nor what was delegated to them."""

    def __init__(self) -> None:
        super().__init__("the post delegated does not cover that time, or was itself delegated")


class DelegatedToSelf(Refusal):
    """Work goes to somebody else."""

    status = 422

    def __init__(self) -> None:
        super().__init__("a post is delegated or handed over to somebody else")


class NothingToHandOver(Refusal):
    """The person holds no post at this union on that day."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(f"there is no post of this person at {organisation} on that day", organisation=organisation)


class AlreadyBootstrapped(Refusal):
    """The first appointment of this node has been made."""

    def __init__(self) -> None:
        super().__init__("this node has its first administrator; further appointments are theirs to make")
