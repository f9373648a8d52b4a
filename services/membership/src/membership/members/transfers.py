"""Routes of transfers 会员关系转接: membership follows employment (DOMAIN 1.4). The term for objecting comes in when they are made."""

from datetime import timedelta

from contracts.kernel import OrgCode, PersonId
from contracts.membership import RecordId
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.problems import problems
from foundation.http.routing import Router

from membership import people
from membership.members import commands, errors, requests
from membership.members.api import DECIDERS, REGISTRARS, UNION, own_id
from membership.members.joining import TRANSFER
from membership.members.member import Current, TransferContested, TransferOpen, TransferSettled
from membership.members.rules import MEMBER
from membership.terms import Terms

_GONE_ON = (errors.MemberUnknown, errors.LinkedElsewhere, errors.MembershipEnded, errors.TransferUnknown, errors.DayToCome)


def routes(terms: Terms) -> Router:
    """The routes, with the terms in force."""
    router = Router(tags=["transfers"])

    @router.post(
        "/transfers",
        status_code=201,
        responses=problems(
            *UNION,
            errors.MemberUnknown,
            errors.LinkedElsewhere,
            errors.MembershipEnded,
            errors.MemberSuspended,
            errors.MemberNotActive,
            errors.ObjectionOpen,
            errors.NobodyKnown,
            errors.DayToCome,
            requests.IdentityRefused,
        ),
    )
    async def transfer(body: requests.TransferBody, caller: Caller, app: App) -> Accepted:
        """Register a proven member of another union who works here now; registrar of the new union. The stream names the member."""
        await caller.require(*REGISTRARS, unit=body.organisation)
        member = await people.known(app.vault, body.document.checked(app.today()))
        if member is None:
            raise errors.NobodyKnown
        term = terms.on("transfer-objection", app.today())
        command = commands.Transfer(
            member,
            await own_id(caller, "transfer"),
            body.organisation,
            body.proof.proof(),
            app.today() + timedelta(days=term.days),
            body.on,
        )
        return await app.handle_joint(TRANSFER, command, by=caller)

    @router.post("/members/{member}/transfers/{transfer}/completion", responses=problems(*_GONE_ON, errors.ObjectionOpen))
    async def complete_transfer(member: PersonId, transfer: RecordId, body: requests.DayBody, caller: Caller, app: App) -> Accepted:
        """Hand a member's record over; registrar of the old union."""
        old, _ = await _parties(member, transfer, app)
        await caller.require(*REGISTRARS, unit=old)
        return await app.handle(MEMBER, member, commands.CompleteTransfer(member, transfer, body.on), by=caller)

    @router.post("/members/{member}/transfers/{transfer}/objection", responses=problems(*_GONE_ON, errors.ObjectionLate))
    async def object_to_transfer(member: PersonId, transfer: RecordId, body: requests.ObjectBody, caller: Caller, app: App) -> Accepted:
        """Object to a transfer, to identity or a duplicate only; registrar of the old union."""
        old, _ = await _parties(member, transfer, app)
        await caller.require(*REGISTRARS, unit=old)
        command = commands.ObjectToTransfer(member, transfer, body.ground, body.statement, body.on)
        return await app.handle(MEMBER, member, command, by=caller)

    @router.post("/members/{member}/transfers/{transfer}/objection/upholding", responses=problems(*_GONE_ON, errors.NoObjection))
    async def uphold_objection(member: PersonId, transfer: RecordId, body: requests.DayBody, caller: Caller, app: App) -> Accepted:
        """Find an objection right: the member stays with the old union; decider of the union above both."""
        await _require_above_both(member, transfer, caller, app)
        return await app.handle(MEMBER, member, commands.UpholdObjection(member, transfer, body.on), by=caller)

    @router.post("/members/{member}/transfers/{transfer}/objection/dismissal", responses=problems(*_GONE_ON, errors.NoObjection))
    async def dismiss_objection(member: PersonId, transfer: RecordId, body: requests.DayBody, caller: Caller, app: App) -> Accepted:
        """Find an objection wrong: the transfer stands; decider of the union above both."""
        await _require_above_both(member, transfer, caller, app)
        return await app.handle(MEMBER, member, commands.DismissObjection(member, transfer, body.on), by=caller)

    return router


async def _parties(member: PersonId, transfer: RecordId, app: Application) -> tuple[OrgCode, OrgCode]:
    """The old and the new union of the member's last transfer. Raises TransferUnknown."""
    state, _ = await app.state(MEMBER, member)
    if isinstance(state, Current) and state.transfer is not None and state.transfer.id == transfer:
        match state.transfer:
            case TransferOpen(before=before) | TransferContested(before=before):
                return before.union, state.union
            case TransferSettled(other=other, upheld=upheld):
                return (state.union, other) if upheld else (other, state.union)
    raise errors.TransferUnknown(member)


async def _require_above_both(member: PersonId, transfer: RecordId, caller: Calling, app: Application) -> None:
    old, new = await _parties(member, transfer, app)
    above_old = app.authority.path(old, app.today())
    common = next((unit for unit in app.authority.path(new, app.today()) if unit in above_old), old)
    await caller.require(*DECIDERS, unit=common)
