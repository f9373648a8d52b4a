"""How routes ask for something that takes two people: the same route, the same body, by another."""

from collections.abc import Callable, Sequence
from hmac import digest
from typing import Any

from contracts.kernel import OrgCode
from foundation.decider import Decider, Part
from foundation.http.answers import Accepted
from foundation.http.caller import Application, Calling
from foundation.http.routing import Body

from assistance.desk import Desk
from assistance.double_entry.entry import ENTER, Enter


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
