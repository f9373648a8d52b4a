"""The rules that an appointment can break."""

from contracts.kernel import OrgCode
from contracts.membership import Role
from foundation.decider import Refusal


class AppointmentUnknown(Refusal):
    """There is no such appointment of this person."""

    status = 404

    def __init__(self, appointment: str) -> None:
        super().__init__(appointment=appointment)


class AppointmentPeriodEmpty(Refusal):
    """An appointment ends after it begins."""

    status = 422


class AlreadyAppointed(Refusal):
    """Somebody holds the same role at the same union in that time; end or let run out what stands."""

    def __init__(self, appointment: str) -> None:
        super().__init__(appointment=appointment)


class DutiesNotSeparated(Refusal):
    """Maker, checker and payer are three people at one union; an auditor does nothing else there (DOMAIN 0)."""

    def __init__(self, organisation: OrgCode, role: Role, held: Role) -> None:
        super().__init__(
            organisation=organisation,
            role=role,
            held=held,
        )


class ActingNotStated(Refusal):
    """Who holds a post already takes another one only as explicitly acting."""


class DelegationTooLong(Refusal):
    """A delegation during leave is capped."""

    def __init__(self, days_max: int) -> None:
        super().__init__(days_max=days_max)


class DelegationOutsidePost(Refusal):
    """Nobody delegates what is not theirs in that time, nor what was delegated to them."""


class DelegatedToSelf(Refusal):
    """Work goes to somebody else."""

    status = 422


class NothingToHandOver(Refusal):
    """The person holds no post at this union on that day."""

    def __init__(self, organisation: OrgCode) -> None:
        super().__init__(organisation=organisation)


class AlreadyBootstrapped(Refusal):
    """The first appointment of this node has been made."""
