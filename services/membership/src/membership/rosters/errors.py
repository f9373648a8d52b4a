"""The rules that a roster can break."""

from foundation.decider import Refusal


class RosterUnknown(Refusal):
    """There is no such roster."""

    status = 404

    def __init__(self, roster: str) -> None:
        super().__init__("there is no such roster", roster=roster)


class RosterNotChecked(Refusal):
    """The dry run has not come to its end, or the file was refused."""

    def __init__(self, roster: str) -> None:
        super().__init__("the dry run of this roster is not done, or refused the file; look at its stage", roster=roster)


class RosterNotStarted(Refusal):
    """Only an application that was started can be finished."""

    def __init__(self, roster: str) -> None:
        super().__init__("the application of this roster has not been started", roster=roster)


class RosterRefused(Refusal):
    """The file as a whole cannot be taken; `rule` says why for programs, the sentence for people."""

    status = 422

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence, rule=rule)
