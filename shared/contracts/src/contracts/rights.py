"""Events of rights 维权. So far: a chair dismissed for defending workers, which assistance answers with an allowance (DOMAIN 3.5)."""

from datetime import date
from typing import Annotated

from pydantic import StringConstraints

from contracts.kernel import Event, OrgCode, PersonId

CaseId = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{32}$")]
"""A case: 128 random bits in lower-case hex."""


class ChairDismissalConfirmed(Event, type="rights.ChairDismissalConfirmed", version=1):
    """A union's chair was dismissed for doing the office (工会法 17–18, 52): confirmed by the union above `organisation`.

    `monthly_living_fen` is what the confirming union set as a month's living allowance, in fen; `months` how many it granted.
    """

    case: CaseId
    chair: PersonId
    organisation: OrgCode
    dismissed_on: date
    monthly_living_fen: int
    months: int
