"""How households live, as their files have it: opened for whoever has to know, and for nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.assistance.hardship import Household
from contracts.membership import Principal
from foundation.http.caller import Application

from assistance.hardship.file import FILE, Live
from assistance.histories import histories


@dataclass(frozen=True, slots=True)
class Told:
    """`facts_version`: of the live file that the circumstances stand in, None without one. No circumstances where they were erased."""

    facts_version: int | None
    circumstances: Household | None


async def told(app: Application, households: Sequence[str], principal: Principal) -> dict[str, Told]:
    """What the files say of each of these households today; the openings are the principal's."""
    files = await histories(app, FILE, households)
    last = {household: [one for one in file if hasattr(one.event, "circumstances")][-1:] for household, file in files.items()}
    opened = await app.sealer.open([one for found in last.values() for one in found], principal=principal, only={"circumstances"})
    said: dict[str, Any] = dict(zip([household for household, found in last.items() if found], opened, strict=True))
    return {household: _told(FILE.fold([one.event for one in file]), said.get(household)) for household, file in files.items()}


def _told(file: object, said: Any) -> Told:
    circumstances = None if said is None else said.event.circumstances
    return Told(file.facts_version if isinstance(file, Live) else None, circumstances if isinstance(circumstances, Household) else None)
