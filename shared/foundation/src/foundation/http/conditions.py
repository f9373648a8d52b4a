"""Entity tags are stream versions: `ETag: "5"` out, `If-Match: "5"` in, 412 where the stream has moved on (RFC 9110, 13.1.1)."""

import re
from typing import Any

from foundation.decider import Refusal

_STRONG = re.compile(r'"(0|[1-9][0-9]{0,17})"')


class IfMatchMalformed(Refusal):
    """If-Match is neither `*` nor one strong entity tag that this service gave."""

    status = 400


def etag(version: int) -> str:
    """The entity tag of a stream at a version."""
    return f'"{version}"'


def expected_version(if_match: str | None) -> int | None:
    """The version that the caller has seen; None where any will do. Raises IfMatchMalformed."""
    if if_match is None or if_match.strip() == "*":
        return None
    found = _STRONG.fullmatch(if_match.strip())
    if found is None:
        raise IfMatchMalformed()
    return int(found.group(1))


IF_MATCH: dict[str, Any] = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "The version you have seen, as its ETag; 412 where it has changed since.",
    "schema": {"type": "string", "pattern": r'^(\*|"(0|[1-9][0-9]{0,17})")$'},
}
"""How it is documented on every command."""
