"""Retention per purpose as dated data, put into the vault at every start (docs/decisions/0012-erasure.md)."""

import math
import os
import tomllib
from dataclasses import dataclass
from datetime import date
from importlib.resources import files
from pathlib import Path

from foundation.vault.keeper import Keeper

from node.errors import UsageError

OWN_FILE = "TONGXIN_RETENTIONS_FILE"


@dataclass(frozen=True, slots=True)
class Retention:
    """A rule that holds from a day on: so many days after a purpose ended its keys are still kept."""

    purpose: str
    days: int
    since: date
    source: str
    in_use: bool


def read() -> list[Retention]:
    """The rules of the operator's own file, or those that come with the node. Raises UsageError where a file is not one."""
    own = os.environ.get(OWN_FILE)
    try:
        text = Path(own).read_text("utf-8") if own else (files("node") / "retentions.toml").read_text("utf-8")
        return [_retention(row) for row in tomllib.loads(text).get("retention", [])]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{own or 'retentions.toml'} is no list of retentions: {error}", f"see {OWN_FILE} in README.md") from error


def _retention(row: dict[str, object]) -> Retention:
    match row:
        case {"purpose": str(purpose), "from": date() as since, "source": str(source), "years": int(years)} if 0 <= years <= 1000:
            # Rounded up: rather a day longer than a day too short.
            return Retention(purpose, math.ceil(years * 365.25), since, source, row.get("in_use") is True)
        case _:
            raise ValueError("a retention has purpose, years (0 to 1,000), from (a day) and source")


async def put(keeper: Keeper) -> None:
    """Let the vault keep by these rules."""
    for one in read():
        await keeper.retain(one.purpose, one.days, one.source, since=one.since, in_use=one.in_use)
