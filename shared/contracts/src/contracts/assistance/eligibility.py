"""When somebody's eligibility as a member ended, and when it came back."""

from datetime import date
from enum import StrEnum

from contracts.kernel import Event, OrgCode, PersonId


class EndReason(StrEnum):
    """Why a membership, and with it the eligibility, ended."""

    left = "left"
    expelled = "expelled"
    died = "died"


class EligibilityEnded(Event, type="assistance.EligibilityEnded", version=1):
    """From `since` on a person gets no assistance as a member of that union; payments under way stop or go to an heir."""

    person: PersonId
    organisation: OrgCode
    reason: EndReason
    since: date


class EligibilityRestored(Event, type="assistance.EligibilityRestored", version=1):
    """The end had been recorded in error or was set aside: the person is eligible as before."""

    person: PersonId
    organisation: OrgCode
    since: date
