"""What follows in assistance from other services' events. Pure; the functions' names stay for ever (they are in the commands' ids)."""

from contracts import membership, rights
from contracts.assistance import EndReason
from contracts.assistance.applications import StopReason
from contracts.values import day_in_china
from foundation.ids import command_id
from foundation.reactions import Issue, reacts_to

from assistance.applications.commands import DraftForChair
from assistance.applications.making import DRAFT_FOR_CHAIR
from assistance.beneficiaries.beneficiary import BENEFICIARY, Resume, Stop
from assistance.eligibility.commands import EndEligibility, RestoreEligibility
from assistance.eligibility.eligibility import ELIGIBILITY

CHAIR_PROTECTION = "chair-protection"
"""The programme that a confirmed dismissal asks for."""


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


@reacts_to(membership.MemberDied)
def stop_aid_on_death(event: membership.MemberDied) -> Issue:
    """Nothing more is granted or paid to the dead, until an heir is proven."""
    return Issue(BENEFICIARY, event.member, Stop(event.member, StopReason.died, event.effective_on))


@reacts_to(membership.MemberReinstated)
def resume_aid(event: membership.MemberReinstated) -> Issue:
    """A death in error stops nothing any more."""
    return Issue(BENEFICIARY, event.member, Resume(event.member, event.effective_on))


@reacts_to(membership.ErasureOrdered)
def stop_aid_on_erasure(event: membership.ErasureOrdered) -> Issue:
    """Nothing more is granted or paid to somebody who is erased: where it would go is withheld from that moment on."""
    return Issue(BENEFICIARY, event.person, Stop(event.person, StopReason.erased, day_in_china(event.ordered_at)))


@reacts_to(rights.ChairDismissalConfirmed)
def ask_for_chair_protection(event: rights.ChairDismissalConfirmed) -> Issue:
    """Half a year's living allowance for a chair dismissed for defending workers: it goes straight to those who decide."""
    application = command_id("chair protection", event.case).hex
    facts = {"monthly_living_fen": event.monthly_living_fen, "months": event.months}
    command = DraftForChair(application, event.organisation, CHAIR_PROTECTION, event.chair, event.case, facts, event.dismissed_on)
    return Issue(DRAFT_FOR_CHAIR, application, command)


REACTIONS = (
    *(end_eligibility_on_leaving, end_eligibility_on_expulsion, end_eligibility_on_death, restore_eligibility),
    *(stop_aid_on_death, resume_aid, stop_aid_on_erasure, ask_for_chair_protection),
)
