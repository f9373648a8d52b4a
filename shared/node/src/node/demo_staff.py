"""Everybody who acts in a demo, and how they ask: each post has its own person, and what is accepted is a place in a history."""

import time
from dataclasses import dataclass
from typing import Any, NamedTuple

from node.access import Access
from node.errors import Refused

HEARD_SECONDS_MAX = 30


class Post(NamedTuple):
    """Somebody with a role: the `number`-th who has it there."""

    role: str
    organisation: str
    number: int = 1


@dataclass(frozen=True, slots=True)
class Done:
    """An accepted command: the id of its stream, and where its last event stands."""

    id: str
    service: str
    position: int


class Staff:
    """The people of one demo."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._tokens: dict[Post, str] = {}

    def send(self, url: str, body: Any, by: Post) -> Done:
        """A command, `<service>/<path>`. Raises Refused."""
        service, _, path = url.partition("/")
        with self._access.caller(service, self._token(by)) as caller:
            told = caller.post(f"/{path}", json=body).json()
        stream, position = told.get("stream", ""), told.get("position", ":-1")
        return Done(str(stream).partition("-")[2], service, int(position.rpartition(":")[2]))

    def see(self, url: str, by: Post, *, absent: bool = False, **params: Any) -> Any:
        """What somebody is shown; None for what is `absent`. Raises Refused."""
        service, _, path = url.partition("/")
        with self._access.caller(service, self._token(by)) as caller:
            answer = caller.get(f"/{path}", absent=absent, params=params)
        return None if answer.is_error else answer.json()

    def appoint(self, *posts: Post) -> None:
        """Return once everybody is appointed and assistance has heard of it; the last one is of finance. Raises Refused."""
        for post in posts:
            self._token(post)
        deadline = time.monotonic() + HEARD_SECONDS_MAX
        while True:
            try:
                self.see("assistance/payments/due", posts[-1], organisation=posts[-1].organisation)
            except Refused:
                # Appointments are heard of in their order.
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)
            else:
                return

    def _token(self, post: Post) -> str:
        if post not in self._tokens:
            self._tokens[post] = self._access.token(*post)
        return self._tokens[post]
