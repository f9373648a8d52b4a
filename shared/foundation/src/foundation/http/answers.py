"""The answer to a command: durable, with the stream's version as entity tag and the history's position to wait for."""

from typing import Any

import orjson
from starlette.responses import Response

from foundation.commands import Accepted as Outcome
from foundation.http.conditions import etag

POSITION_HEADER = "Position"
"""`<service>:<position>`: what a reader passes as `at_least` to see its own write, in this service or another."""


class Accepted(Response):
    """A route that answers with it is a command: it needs an Idempotency-Key and may be given an If-Match.

    Every event the command led to is durable; `repeated` says that the same command was accepted before and this is its first answer.
    """

    media_type = "application/json"

    def __init__(self, service: str, outcome: Outcome, **members: Any) -> None:
        self.stream, self.version, self.position, self.repeated = outcome.stream, outcome.version, outcome.position, outcome.repeated
        position = f"{service}:{outcome.position}"
        document = {"stream": outcome.stream, "version": outcome.version, "position": position, "repeated": outcome.repeated, **members}
        super().__init__(orjson.dumps(document), headers={"etag": etag(outcome.version), POSITION_HEADER: position})


ACCEPTED_RESPONSE: dict[str, Any] = {
    "description": "Accepted: every event this command led to is durable.",
    "headers": {
        "ETag": {"description": "The stream's version, for If-Match.", "schema": {"type": "string"}},
        POSITION_HEADER: {"description": "The history's position reached, for `at_least`.", "schema": {"type": "string"}},
    },
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["stream", "version", "position", "repeated"],
                "properties": {
                    "stream": {"type": "string"},
                    "version": {"type": "integer"},
                    "position": {"type": "string", "examples": ["membership:1204"]},
                    "repeated": {"type": "boolean", "description": "The same command was accepted before; this is its first answer."},
                },
            }
        }
    },
}
