"""The rules that a programme can break."""

from typing import Any

from foundation.decider import Refusal


class ProgrammeUnknown(Refusal):
    """There is no such programme."""

    status = 404

    def __init__(self, programme: str) -> None:
        super().__init__(programme=programme)


class ProgrammeNotInForce(Refusal):
    """The programme's rules do not hold on this day."""

    def __init__(self, programme: str) -> None:
        super().__init__(programme=programme)


class DefinitionMalformed(Refusal):
    """The definition is not one; `where` says which part."""

    status = 422

    def __init__(self, where: str, why: str, **members: Any) -> None:
        super().__init__(why, where=where, **members)


class ProgrammeOfAnother(Refusal):
    """Another union's programme has this code."""

    def __init__(self, programme: str, organisation: str) -> None:
        super().__init__(programme=programme, organisation=organisation)
