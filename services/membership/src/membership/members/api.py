"""Routes of members: registrars (clerk, steward) enter facts, deciders (approver, steward) decide; each for their union or above."""

from collections.abc import Sequence
from typing import Any

from contracts.kernel import PersonId
from foundation.decider import Refusal
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.problems import problems
from foundation.http.routing import Router
from foundation.ids import command_id

from membership import people
from membership.erasures.notices import notices
from membership.members import commands, errors, requests
from membership.members.joining import ADMISSION, APPLICANT_ADMISSION, APPLICATION, LINK, REINSTATEMENT
from membership.members.record import record
from membership.members.requests import union_of
from membership.members.rules import MEMBER
from membership.organisations.errors import OrganisationEnded, OrganisationNotYetFounded, OrganisationUnknown

router = Router(tags=["members"])

REGISTRARS = ("clerk", "steward")
DECIDERS = ("approver", "steward")
READERS = ("clerk", "approver", "finance", "steward", "auditor", "org-admin")

UNION: tuple[type[Refusal], ...] = (OrganisationUnknown, OrganisationEnded, OrganisationNotYetFounded)
_JOINING = (*UNION, errors.AlreadyMember, errors.LinkedElsewhere, errors.MemberDead, errors.KindNotHere, errors.DayToCome)
_STANDING = (errors.MemberUnknown, errors.LinkedElsewhere, errors.MembershipEnded, errors.MemberNotActive, errors.DayToCome)


async def require_union(member: PersonId, roles: Sequence[str], caller: Calling, app: Application) -> None:
    """Go on for these roles of the union that looks after this record, or above. Raises MemberUnknown, and what `require` raises."""
    state, _ = await app.state(MEMBER, member)
    union = union_of(state)
    if union is None:
        raise errors.MemberUnknown(member)
    await caller.require(*roles, unit=union)


async def own_id(caller: Calling, what: str) -> str:
    """An id that follows from the request, so that the same request sent again means the same thing."""
    return command_id(what, str((await caller.command_ref()).id)).hex


# ------------------------------------------------------------------------------------------------------------- joining


@router.post("/applications", status_code=201, responses=problems(*_JOINING, errors.ApplicationOpen, requests.IdentityRefused))
async def apply(body: requests.JoinBody, caller: Caller, app: App) -> Accepted:
    """Enter a worker's application; registrar of the union. The answer's stream names the member."""
    await caller.require(*REGISTRARS, unit=body.organisation)
    document = body.document.checked(app.today())
    member = await people.identify(app.vault, document, pending=lambda: own_id(caller, "person"))
    command = commands.Apply(member, body.organisation, body.person(document), body.on, body.kind)
    return await app.handle_joint(APPLICATION, command, by=caller)


@router.post(
    "/members", status_code=201, responses=problems(*_JOINING, errors.MemberWasExpelled, errors.MemberNotActive, requests.IdentityRefused)
)
async def admit(body: requests.JoinBody, caller: Caller, app: App) -> Accepted:
    """Register a member directly; registrar of the union. The answer's stream names the member."""
    await caller.require(*REGISTRARS, unit=body.organisation)
    document = body.document.checked(app.today())
    member = await people.identify(app.vault, document, pending=lambda: own_id(caller, "person"))
    command = commands.Admit(member, body.organisation, body.person(document), body.on, body.kind)
    return await app.handle_joint(ADMISSION, command, by=caller)


@router.post(
    "/members/{member}/admission",
    responses=problems(*UNION, errors.NoApplication, errors.LinkedElsewhere, errors.DayToCome),
)
async def admit_applicant(member: PersonId, body: requests.UnionDayBody, caller: Caller, app: App) -> Accepted:
    """Take an applicant; decider of the union."""
    await caller.require(*DECIDERS, unit=body.organisation)
    return await app.handle_joint(APPLICANT_ADMISSION, commands.AdmitApplicant(member, body.organisation, body.on), by=caller)


@router.post("/members/{member}/application/refusal", responses=problems(errors.NoApplication, errors.DayToCome))
async def refuse_application(member: PersonId, body: requests.UnionReasonBody, caller: Caller, app: App) -> Accepted:
    """Do not take an applicant; decider of the union."""
    await caller.require(*DECIDERS, unit=body.organisation)
    command = commands.RefuseApplication(member, body.organisation, body.reason, body.on)
    return await app.handle(MEMBER, member, command, by=caller)


@router.post("/members/{member}/application/withdrawal", responses=problems(errors.NoApplication, errors.DayToCome))
async def withdraw_application(member: PersonId, body: requests.UnionDayBody, caller: Caller, app: App) -> Accepted:
    """Enter that an applicant takes the application back; registrar of the union."""
    await caller.require(*REGISTRARS, unit=body.organisation)
    return await app.handle(MEMBER, member, commands.WithdrawApplication(member, body.organisation, body.on), by=caller)


# ------------------------------------------------------------------------------------------------------------ standing


@router.post("/members/{member}/suspension", responses=problems(*_STANDING))
async def suspend(member: PersonId, body: requests.ReasonBody, caller: Caller, app: App) -> Accepted:
    """Let a member's rights rest; decider of the union."""
    await require_union(member, DECIDERS, caller, app)
    return await app.handle(MEMBER, member, commands.Suspend(member, body.reason, body.on), by=caller)


@router.post("/members/{member}/resumption", responses=problems(*_STANDING))
async def resume(member: PersonId, body: requests.DayBody, caller: Caller, app: App) -> Accepted:
    """Give a suspended or retained member all rights again; decider of the union."""
    await require_union(member, DECIDERS, caller, app)
    return await app.handle(MEMBER, member, commands.Resume(member, body.on), by=caller)


@router.post("/members/{member}/retention", responses=problems(*_STANDING))
async def retain(member: PersonId, body: requests.DayBody, caller: Caller, app: App) -> Accepted:
    """Keep the membership of a member without work 保留会籍; registrar of the union."""
    await require_union(member, REGISTRARS, caller, app)
    return await app.handle(MEMBER, member, commands.Retain(member, body.on), by=caller)


@router.post("/members/{member}/retirement", responses=problems(*_STANDING))
async def retire(member: PersonId, body: requests.DayBody, caller: Caller, app: App) -> Accepted:
    """Enter that a member retired; registrar of the union."""
    await require_union(member, REGISTRARS, caller, app)
    return await app.handle(MEMBER, member, commands.Retire(member, body.on), by=caller)


@router.post("/members/{member}/departure", responses=problems(*_STANDING))
async def leave(member: PersonId, body: requests.LeaveBody, caller: Caller, app: App) -> Accepted:
    """Enter that a member left; registrar of the union."""
    await require_union(member, REGISTRARS, caller, app)
    return await app.handle(MEMBER, member, commands.Leave(member, body.on, body.reason), by=caller)


@router.post("/members/{member}/expulsion", responses=problems(*_STANDING))
async def expel(member: PersonId, body: requests.ExpelBody, caller: Caller, app: App) -> Accepted:
    """Expel a member by a signed decision; decider of the union."""
    await require_union(member, DECIDERS, caller, app)
    return await app.handle(MEMBER, member, commands.Expel(member, body.reason, body.decision, body.on), by=caller)


@router.post("/members/{member}/death", responses=problems(*_STANDING))
async def record_death(member: PersonId, body: requests.DayBody, caller: Caller, app: App) -> Accepted:
    """Enter a member's death; registrar of the union."""
    await require_union(member, REGISTRARS, caller, app)
    return await app.handle(MEMBER, member, commands.RecordDeath(member, body.on), by=caller)


@router.post(
    "/members/{member}/reinstatement",
    responses=problems(*UNION, errors.MemberUnknown, errors.AlreadyMember, errors.LinkedElsewhere, errors.DayToCome),
)
async def reinstate(member: PersonId, body: requests.UnionReasonBody, caller: Caller, app: App) -> Accepted:
    """Set an end aside that was recorded in error or overturned; decider of the union it ended in."""
    await caller.require(*DECIDERS, unit=body.organisation)
    command = commands.Reinstate(member, body.organisation, body.reason, body.on)
    return await app.handle_joint(REINSTATEMENT, command, by=caller)


@router.post(
    "/members/{member}/corrections",
    responses=problems(errors.MemberUnknown, errors.LinkedElsewhere, errors.DayToCome, errors.DocumentOfAnother, requests.IdentityRefused),
)
async def correct(member: PersonId, body: requests.CorrectBody, caller: Caller, app: App) -> Accepted:
    """Put right what is known about a person, from a day on; registrar of the union."""
    await require_union(member, REGISTRARS, caller, app)
    document = None if body.document is None else body.document.checked(app.today())
    if document is not None:
        holder = await people.bind(app.vault, member, document)
        if holder != member:
            raise errors.DocumentOfAnother(member)
    command = commands.Correct(
        member,
        body.on,
        name=body.name,
        document=document,
        phone="" if body.no_phone else body.phone,
        details=None if body.details is None else body.details.details(),
        sex=body.sex,
        categories=None if body.categories is None else tuple(sorted(set(body.categories))),
        reason=body.reason,
    )
    return await app.handle(MEMBER, member, command, by=caller)


# ------------------------------------------------------------------------------------------------------ double records


@router.post(
    "/members/{member}/link",
    responses=problems(
        errors.MemberUnknown, errors.LinkedElsewhere, errors.LinkWouldEndMembership, errors.LinkedToItself, errors.DayToCome
    ),
)
async def link(member: PersonId, body: requests.LinkBody, caller: Caller, app: App) -> Accepted:
    """Say that this record and another are of one person, and that the other counts; decider of both unions."""
    await require_union(member, DECIDERS, caller, app)
    await require_union(body.same_as, DECIDERS, caller, app)
    return await app.handle_joint(LINK, commands.Link(member, body.same_as, body.on), by=caller)


@router.post("/members/{member}/link/undoing", responses=problems(errors.MemberUnknown, errors.DayToCome))
async def unlink(member: PersonId, body: requests.DayBody, caller: Caller, app: App) -> Accepted:
    """Undo a link; decider of this record's union."""
    await require_union(member, DECIDERS, caller, app)
    return await app.handle(MEMBER, member, commands.Unlink(member, body.on), by=caller)


# ------------------------------------------------------------------------------------------------------------- queries


@router.get("/members/{member}", responses=problems(errors.MemberUnknown))
async def read(member: PersonId, caller: Caller, app: App) -> requests.MemberView:
    """A member with the personal values; staff of the union or above. Opening them is recorded where their purpose asks for it."""
    await require_union(member, READERS, caller, app)
    history = await app.history(MEMBER, member, opened_for=caller.principal)
    told = record([one.event for one in history])
    state = MEMBER.fold([one.event for one in history])
    notice = (await notices(app.pool, [member])).get(member)
    return requests.member_view(member, len(history), state, told, app.today(), notice=notice)


@router.get("/members/{member}/history", responses=problems(errors.MemberUnknown))
async def read_history(member: PersonId, caller: Caller, app: App) -> list[requests.HappenedView]:
    """Everything that happened to a membership, oldest first, without the personal values; staff of the union or above."""
    await require_union(member, READERS, caller, app)
    return [
        requests.HappenedView(
            position=one.position,
            type=one.envelope.type,
            recorded_at=one.envelope.time,
            actor=one.envelope.actor,
            acting_for=one.envelope.org,
            facts=_facts(one.event),
        )
        for one in await app.history(MEMBER, member)
    ]


def _facts(event: Any) -> dict[str, Any]:
    facts: dict[str, Any] = event.model_dump(mode="json", exclude={"member", *event.SEALED}, exclude_none=True)
    return facts
