"""How routes ask for something that takes two people: the same route, the same body, by another; and the list of what waits for one."""

from collections.abc import Callable, Sequence
from datetime import datetime
from hmac import digest
from typing import Any

from contracts.kernel import OrgCode
from contracts.membership import Digest, Principal
from foundation.decider import Decider, Part
from foundation.http.answers import Accepted
from foundation.http.caller import App, Application, Caller, Calling
from foundation.http.pagination import Cursor, Limit, Page
from foundation.http.routing import Body, Router
from foundation.texts import LANGUAGES, catalogue

from assistance.desk import Desk
from assistance.double_entry.entry import ENTER, Enter
from assistance.double_entry.waiting import waiting

router = Router(prefix="/payments", tags=["payments"])

READERS = ("finance", "approver", "steward", "auditor")


class WaitingView(Body):
    """What one person has entered and another has to enter, the very same, from the same paper."""

    entry: Digest
    act: str
    zh: str
    en: str
    subject: str
    organisation: OrgCode
    entered_by: Principal
    entered_at: datetime


@router.get("/double-entries")
async def read_waiting(*, caller: Caller, app: App, organisation: OrgCode, limit: Limit = 50, cursor: Cursor = None) -> Page[WaitingView]:
    """What waits for a second person in a union and all below it, the oldest first; finance, approvers, stewards and auditors."""
    await caller.require(*READERS, unit=organisation)
    query = f"double entries {organisation}"
    place = app.cursors.read(cursor, query=query)
    organisations = app.authority.below(organisation, app.today())
    found = await waiting(app.pool, organisations, after=-1 if place is None else place[0], limit=limit + 1)
    more = app.cursors.make([found[limit - 1].position], query=query) if len(found) > limit else None
    zh, en = (catalogue("assistance.double_entry", f"acts.{language}.po") for language in LANGUAGES)
    items = [
        WaitingView(
            zh=zh.get(one.act, one.act),
            en=en.get(one.act, one.act),
            **{name: getattr(one, name) for name in WaitingView.model_fields if name not in LANGUAGES},
        )
        for one in found[:limit]
    ]
    return Page(items=items, next=more)


async def enter(
    app: Application,
    caller: Calling,
    act: str,
    about: tuple[Decider[Any, Any], str],
    organisation: OrgCode,
    *,
    said: Body,
    command: Callable[[str, str], Any],
    parts: Sequence[Part] = (),
    carry_out: Callable[[Desk, Any], None] | None = None,
) -> Accepted:
    """Enter something about a stream: the first time it waits, entered the same by another it happens, by both.

    `command(by, approved_by)` is what the stream is asked; `carry_out` asks more streams, `parts`, as well. Raises what they raise.
    """
    decider, subject = about

    def both(desk: Desk, by: str, approved_by: str) -> None:
        asked = command(by, approved_by)
        if carry_out is None:
            desk.ask(decider, subject, asked)
        else:
            carry_out(desk, asked)

    wanted = Enter(entry_of(app, act, subject, said), act, subject, organisation, caller.principal, (Part(decider, subject), *parts), both)
    return await app.handle_joint(ENTER, wanted, by=caller)


def entry_of(app: Application, act: str, id: str, said: Body) -> str:
    """The id of what is entered: keyed, since a bare digest of an account's number could be guessed back."""
    return digest(app.request_secret, f"{act} {id} {said.model_dump_json()}".encode(), "sha256").hex()
