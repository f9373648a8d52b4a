"""The rules that a roster can break."""

from typing import Any

from foundation.decider import Refusal


class RosterUnknown(Refusal):
    """There is no such roster."""

    status = 404

    def __init__(self, roster: str) -> None:
        super().__init__(roster=roster)


class RosterNotChecked(Refusal):
    """The dry run has not come to its end, or the file was refused."""

    def __init__(self, roster: str) -> None:
        super().__init__(roster=roster)


class RosterNotStarted(Refusal):
    """Only an application that was started can be finished."""

    def __init__(self, roster: str) -> None:
        super().__init__(roster=roster)


class RosterRefused(Refusal):
    """The file as a whole cannot be taken; `rule` says why."""

    status = 422

    def __init__(self, rule: str, **arguments: Any) -> None:
        super().__init__(rule, rule=rule, **arguments)
