"""What can be asked of the books in vain."""

from foundation.decider import Refusal


class NothingBooked(Refusal):
    """Nothing was booked under this id."""

    status = 404

    def __init__(self, id: str) -> None:
        super().__init__(id=id)
