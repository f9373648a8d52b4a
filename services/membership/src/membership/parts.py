"""What this service's routes need beside foundation's own: put together in `main`, handed to routes by `Membership`."""

from dataclasses import dataclass
from typing import Annotated, cast

from contracts.kernel import OrgCode
from fastapi import Depends
from foundation.http.caller import App

from membership.people import People
from membership.terms import Terms


@dataclass(frozen=True, slots=True)
class Parts:
    """`top` is the union that this node stands for: nothing is above it here."""

    top: OrgCode
    people: People
    terms: Terms


NAME = "membership"
"""Under which `Application.parts` holds them."""


async def _parts(app: App) -> Parts:
    return cast(Parts, app.parts[NAME])


Membership = Annotated[Parts, Depends(_parts)]
"""A route's parts of this service."""
