"""Finding people: ranges of search keys in the vault, in the order of the keys, page by page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from foundation.cursor import Pool

from membership.directory.keys import Lookup

Place = tuple[str, str]
"""Where a page ended: the last key and person."""

START: Place = ("", "")


@dataclass(frozen=True, slots=True)
class Found:
    """A person in a list."""

    person: str
    organisation: str
    status: str
    name: str
    phone: str | None
    place: Place


# One ordered walk over the index per range, which stops at the page's end; people found by an earlier key of theirs are passed over.
# The lower bound and the page's place are one row comparison: with two of them PostgreSQL starts at the wrong one and reads the
# index from its beginning. Organisations are a subquery, hashed once, because planning `= any` over three thousand of them takes 15 ms.
_SEARCH = """
select f.key, f.person, p.organisation, p.status, p.name, p.phone
from unnest($1::text[], $2::text[], $3::text[]) r (low, high, also)
cross join lateral (
    select k.key, k.person from directory_keys k
    where (k.key, k.person) > (greatest(r.low, $5), case when $5 >= r.low then $6 else '' end) and k.key < r.high
      and (k.current or not $8)
      and ($4::text[] is null or k.organisation in (select o from unnest($4) o))
      and (r.also is null or exists (
          select from directory_people p, string_to_table(p.keys, E'\\n') o (key) where p.person = k.person and starts_with(o.key, r.also)
      ))
      and not exists (
          select from directory_people p, string_to_table(p.keys, E'\\n') o (key),
            unnest($1::text[], $2::text[], $3::text[]) e (low, high, also)
          where p.person = k.person and o.key < k.key and o.key >= e.low and o.key < e.high
            and (e.also is null or exists (select from string_to_table(p.keys, E'\\n') a (key) where starts_with(a.key, e.also)))
      )
    order by k.key, k.person limit $7
) f
join directory_people p on p.person = f.person
order by f.key, f.person limit $7
"""

_BY_PERSON = """
select person, organisation, status, name, phone from directory_people where person = any ($1)
"""


async def search(
    vault: Pool, lookups: Sequence[Lookup], *, organisations: Sequence[str] | None, current: bool, after: Place, limit: int
) -> list[Found]:
    """People with a key in one of the ranges, in these organisations (None: any), in the order of the keys.

    `current`: only those who are members now. May give fewer than `limit` where more follow only if two ranges overlap.
    """
    if not lookups:
        return []
    rows = await vault.fetch(
        _SEARCH,
        *([lookup.low for lookup in lookups], [lookup.high for lookup in lookups], [lookup.also for lookup in lookups]),
        *(None if organisations is None else list(organisations), *after, limit, current),
    )
    found: dict[str, Found] = {}
    for row in rows:
        found.setdefault(row["person"], _found(row, (row["key"], row["person"])))
    return list(found.values())


async def by_person(vault: Pool, people: Sequence[str]) -> dict[str, Found]:
    """The same for people who are known already; erased ones are missing."""
    rows = await vault.fetch(_BY_PERSON, list(people))
    return {row["person"]: _found(row, ("", row["person"])) for row in rows}


def _found(row: Any, place: Place) -> Found:
    return Found(row["person"], row["organisation"], row["status"], row["name"], row["phone"], place)
