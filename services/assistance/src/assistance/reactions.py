"""What follows in assistance from other services' events. Pure; the functions' names stay for ever (they are in the commands' ids)."""

from contracts import membership
from contracts.assistance import EndReason
from foundation.reactions import Issue, reacts_to

from assistance.eligibility.commands import EndEligibility, RestoreEligibility
from assistance.eligibility.eligibility import ELIGIBILITY


@reacts_to(membership.MemberLeft)
def end_eligibility_on_leaving(event: membership.MemberLeft) -> Issue:
    """Who has left gets nothing more as a member."""
    return _ended(event, EndReason.left)


@reacts_to(membership.MemberExpelled)
def end_eligibility_on_expulsion(event: membership.MemberExpelled) -> Issue:
    """Nor who was expelled."""
    return _ended(event, EndReason.expelled)


@reacts_to(membership.MemberDied)
def end_eligibility_on_death(event: membership.MemberDied) -> Issue:
    """A death stops payments, or sends them to a proven heir."""
    return _ended(event, EndReason.died)


@reacts_to(membership.MemberReinstated)
def restore_eligibility(event: membership.MemberReinstated) -> Issue:
    """An end in error is an end here no more."""
    command = RestoreEligibility(event.member, event.organisation, event.effective_on)
    return Issue(ELIGIBILITY, event.member, command)


def _ended(event: membership.MemberLeft | membership.MemberExpelled | membership.MemberDied, reason: EndReason) -> Issue:
    command = EndEligibility(event.member, event.organisation, reason, event.effective_on)
    return Issue(ELIGIBILITY, event.member, command)


REACTIONS = (end_eligibility_on_leaving, end_eligibility_on_expulsion, end_eligibility_on_death, restore_eligibility)
