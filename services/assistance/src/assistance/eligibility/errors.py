"""The rules of eligibility."""

from contracts.kernel import PersonId
from foundation.decider import Refusal


class PersonUnknown(Refusal):
    """Membership has told nothing of this person."""

    status = 404

    def __init__(self, person: PersonId) -> None:
        super().__init__(person=person)
