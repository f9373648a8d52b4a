"""A request's headers by name: a walk over all of them for each that is asked for adds up."""

from collections.abc import Mapping
from typing import cast

from starlette.types import Scope

SCOPE_KEY = "tongxin.headers"


def headers_of(scope: Scope) -> Mapping[bytes, bytes]:
    """The headers by their names in lower case; of one that came several times, the first."""
    found = scope.get(SCOPE_KEY)
    if found is None:
        found = scope[SCOPE_KEY] = dict(reversed(scope["headers"]))
    return cast(Mapping[bytes, bytes], found)


def header(scope: Scope, name: bytes) -> str | None:
    """One header's text, None where it is missing; `name` in lower case."""
    value = headers_of(scope).get(name)
    return None if value is None else value.decode("latin-1")
