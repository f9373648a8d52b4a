"""A list of administrative divisions as unions: one general union per division, the way most places are organised. Pure.

The columns are `code,name,level,parent` (docs/glossary.md; National Bureau of Statistics). Local practice differs in the names; they can be
changed afterwards.
"""

import csv
from collections.abc import Iterable, Iterator
from datetime import date

from contracts.kernel import OrgCode
from contracts.membership import Level, OrganisationKind
from contracts.values import ValueRefused, division, line
from foundation.decider import Refusal

from membership.organisations.commands import Found, Particulars

COLUMNS = ("code", "name", "level", "parent")
_LEVELS = {
    "province": Level.province,
    "city": Level.city,
    "county": Level.county,
    "township": Level.township,
    "community": Level.grassroots,
    "village": Level.grassroots,
}
_NAME_LENGTH_MAX = 100


class DivisionsUnreadable(Refusal):
    """The file is not a list of divisions; `row` is the line in the file, whose heading is 1."""

    status = 422


def foundings(lines: Iterable[str], *, top: OrgCode, below: OrgCode, effective_on: date) -> Iterator[Found]:
    """What founds a union for each division, in the order of the file.

    A division whose parent is not in the file before it stands under `below`; the division that is the node's `top`, under nobody.
    Raises DivisionsUnreadable.
    """
    reader = csv.DictReader(lines)
    missing = set(COLUMNS) - set(reader.fieldnames or ())
    if missing:
        raise DivisionsUnreadable("heading", missing=sorted(missing))
    seen: set[OrgCode] = set()
    try:
        for row in reader:
            code, parent, level, particulars = _division(reader.line_num, row)
            if parent not in seen:
                parent = None if code == top else below
            seen.add(code)
            yield Found(code, level, particulars, parent, parent, effective_on)
    except csv.Error:
        raise DivisionsUnreadable("csv", row=reader.line_num) from None


def _division(number: int, row: dict[str, str | None]) -> tuple[OrgCode, OrgCode | None, Level, Particulars]:
    try:
        code = division(row["code"] or "")
        parent = division(row["parent"]) if row["parent"] else None
        called = line(row["name"] or "")
    except ValueRefused as refused:
        raise DivisionsUnreadable("code" if refused.rule == "division-form" else "name", row=number, length_max=_NAME_LENGTH_MAX) from None
    level = _LEVELS.get(row["level"] or "")
    if level is None:
        raise DivisionsUnreadable("level", row=number, levels=list(_LEVELS))
    if not called or len(called) > _NAME_LENGTH_MAX:
        raise DivisionsUnreadable("name", row=number, length_max=_NAME_LENGTH_MAX)
    return code, parent, level, _particulars(called, level, code)


def _particulars(called: str, level: Level, code: str) -> Particulars:
    if level is not Level.grassroots:
        return Particulars(f"{called}总工会", OrganisationKind.federation, division=code)
    place = called.removesuffix("居委会").removesuffix("居民委员会").removesuffix("村委会").removesuffix("村民委员会")
    if called.endswith(("村委会", "村民委员会")):
        place = place if place.endswith("村") else f"{place}村"
        return Particulars(f"{place}工会联合会", OrganisationKind.village, division=code)
    place = place if place.endswith("社区") else f"{place}社区"
    return Particulars(f"{place}工会联合会", OrganisationKind.community, division=code)
