"""Routes of eligibility."""

from datetime import date

from contracts.assistance import EndReason
from contracts.kernel import OrgCode, PersonId
from foundation.http.caller import App, Caller
from foundation.http.problems import problems
from foundation.http.routing import Body, Router

from assistance.eligibility import errors, people
from assistance.eligibility.eligibility import ELIGIBILITY, Ended

router = Router(tags=["eligibility"])

READERS = ("clerk", "approver", "finance", "steward", "auditor", "org-admin")


class EndView(Body):
    organisation: OrgCode
    reason: EndReason
    since: date


class EligibilityView(Body):
    """Whether a person is a member now, where, and the last end that assistance has recorded."""

    person: PersonId
    eligible: bool
    organisation: OrgCode
    standing: str
    since: date
    linked_to: PersonId | None
    ended: EndView | None


@router.get("/people/{person}/eligibility", responses=problems(errors.PersonUnknown))
async def read(person: PersonId, caller: Caller, app: App) -> EligibilityView:
    """How a person stands; staff of the union or above."""
    found = await people.read(app.pool, person)
    if found is None:
        raise errors.PersonUnknown(person)
    await caller.require(*READERS, unit=found.organisation)
    state, _ = await app.state(ELIGIBILITY, person)
    return EligibilityView(
        person=person,
        eligible=found.eligible,
        organisation=found.organisation,
        standing=found.standing,
        since=found.since,
        linked_to=found.linked_to,
        ended=EndView(organisation=state.organisation, reason=state.reason, since=state.since) if isinstance(state, Ended) else None,
    )
