"""The rule that a list can break."""

from collections.abc import Mapping

from foundation.decider import Refusal


class ListRefused(Refusal):
    """Rules stand against rows of the list, and nothing of it was taken: mend them or leave them out, and send the list again.

    `numbers`: of these rows, from 1; `rows`: each with its number and its own problem.
    """

    def __init__(self, refused: Mapping[int, Refusal]) -> None:
        super().__init__(numbers=list(refused), rows=[{"row": number, "problem": refusal} for number, refusal in refused.items()])
