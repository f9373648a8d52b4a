"""Idempotency keys: the same key and request get the first answer for ever (draft-ietf-httpapi-idempotency-key-header).

The command id follows from principal, route and key; what is remembered of the request is a *keyed* hash, because a plain one of a
short body could be guessed back into the personal data in it.
"""

import re
from hashlib import blake2b
from typing import Any

from foundation import ids
from foundation.commands import CommandRef
from foundation.decider import Refusal

KEY_LENGTH_MAX = 200
_PRINTABLE = re.compile(rf"[\x21-\x7e]{{1,{KEY_LENGTH_MAX}}}")


class IdempotencyKeyMissing(Refusal):
    """A command came without the key that makes it safe to send again."""

    status = 400


class IdempotencyKeyMalformed(Refusal):
    """The key is empty, too long, or not printable ASCII without spaces."""

    status = 400


def checked_key(header: str | None) -> str:
    """The key of a command. Raises IdempotencyKeyMissing, IdempotencyKeyMalformed."""
    if header is None:
        raise IdempotencyKeyMissing()
    if _PRINTABLE.fullmatch(header) is None:
        raise IdempotencyKeyMalformed(length_max=KEY_LENGTH_MAX)
    return header


def command_ref(secret: bytes, *, principal: str, method: str, route: str, path: str, key: str, body: bytes) -> CommandRef:
    """What is remembered of a command: its id, and keyed BLAKE2b (RFC 7693) of method, path and body under the service's secret."""
    command = ids.command_id(principal, route, path, key)
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in (method.encode(), path.encode(), body))
    return CommandRef(command, blake2b(framed, digest_size=32, key=secret).digest())


IDEMPOTENCY_KEY: dict[str, Any] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": True,
    "description": "The same key and body get the first answer again, for ever; the same key with another body gets 422.",
    "schema": {"type": "string", "minLength": 1, "maxLength": KEY_LENGTH_MAX, "pattern": r"^[\x21-\x7e]+$"},
}
"""How it is documented on every command."""
