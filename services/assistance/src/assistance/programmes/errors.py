"""The rules that a programme can break."""

from foundation.decider import Refusal


class ProgrammeUnknown(Refusal):
    """There is no such programme."""

    status = 404

    def __init__(self, programme: str) -> None:
        super().__init__("there is no such programme", programme=programme)


class ProgrammeNotInForce(Refusal):
    """The programme's rules do not hold on this day."""

    def __init__(self, programme: str) -> None:
        super().__init__("this programme is not in force on that day", programme=programme)


class DefinitionMalformed(Refusal):
    """The definition is not one; `where` says which part."""

    status = 422

    def __init__(self, where: str, why: str) -> None:
        super().__init__(f"{where}: {why}", where=where)


class ProgrammeOfAnother(Refusal):
    """Another union's programme has this code."""

    def __init__(self, programme: str, organisation: str) -> None:
        super().__init__("another union publishes a programme under this code", programme=programme, organisation=organisation)
