"""What routes of several slices need: ids that follow from the request, the level somebody acts at, who is a member today."""

from collections.abc import Iterable, Sequence

from contracts.kernel import OrgCode, PersonId
from contracts.membership import Level
from foundation.cursor import Pool
from foundation.http.caller import Application, Calling
from foundation.ids import command_id

from assistance.eligibility.people import CURRENT
from assistance.hardship.households import PLACE
from assistance.interests.interests import INTERESTS, no_conflict
from assistance.organisations.levels import level_of


async def own_id(caller: Calling, what: str) -> str:
    """An id that follows from the request, so that the same request sent again means the same thing."""
    return command_id(what, str((await caller.command_ref()).id)).hex


async def acting_level(caller: Calling, app: Application, roles: Sequence[str], unit: OrgCode) -> tuple[OrgCode, Level]:
    """The union that the caller acts for above (or at) `unit`, and its level. Raises what `require` raises, and LevelUnknown."""
    grant = await caller.require(*roles, unit=unit, fresh=True)
    return grant.unit, await level_of(app.pool, grant.unit)


async def require_unconcerned(caller: Calling, app: Application, concerned: Iterable[PersonId]) -> None:
    """Relatives do not even look. Raises ConflictOfInterest."""
    interests, _ = await app.state(INTERESTS, caller.principal)
    no_conflict(caller.principal, interests, concerned)


async def standings(pool: Pool, people: Sequence[PersonId]) -> dict[PersonId, str]:
    """How those of them who are members today stand; who is none is not there."""
    rows = await pool.fetch(
        "select person, standing from people where person = any ($1) and standing = any ($2) and linked_to is null",
        *(list(people), sorted(CURRENT)),
    )
    return {row["person"]: row["standing"] for row in rows}


_DOUBLES = """
with recursive linked (asked, person) as (
    select p, p from unnest($1::text[]) p
    union
    select l.asked, e.other from linked l cross join lateral (
        select linked_to from people where person = l.person and linked_to is not null
        union all select person from people where linked_to = l.person
    ) e (other)
)
select asked, person from linked where person <> asked order by asked, person
"""


async def homes(app: Application, people: Sequence[PersonId]) -> dict[PersonId, str]:
    """In whose household's live file they are; who is in none is not there."""
    places = await app.states(PLACE, people) if people else {}
    return {person: place for person, place in places.items() if place is not None}


async def doubles(app: Application, people: Sequence[PersonId]) -> dict[PersonId, tuple[str, ...]]:
    """Under which other records the same person, and a household of theirs, may have received; who has none is not there."""
    rows = await app.pool.fetch(_DOUBLES, list(people))
    if not rows:
        return {}
    places = await homes(app, list({row["person"] for row in rows}))
    found: dict[PersonId, list[str]] = {}
    for row in rows:
        other = row["person"]
        found.setdefault(row["asked"], []).extend((other, places[other]) if other in places else (other,))
    return {person: tuple(dict.fromkeys(others)) for person, others in found.items()}
