"""Files on their way into a node, with progress told while they are taken in."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from node.access import Access, Caller
from node.errors import NotReady, Refused, UsageError

SAMPLE = "taian-3709.csv"

STALLED_SECONDS = 120

Report = Callable[[int, int], None]
"""Told (done, total), in rows."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of an import: rows taken in (also those that stood already), and the refused ones with their reasons."""

    accepted: int
    refused: list[dict[str, Any]]


def organisations(access: Access, content: bytes, report: Report) -> Imported:
    """Found a union for each division of a CSV `code,name,level,parent`; what is there already stays as it is."""
    with (
        access.caller("membership") as caller,
        caller.stream("/imports/divisions", content=content, headers={"content-type": "text/csv"}) as lines,
    ):
        line: dict[str, Any] = {}
        for line in lines:
            report(line["done"], line["total"])
    return Imported(line.get("accepted", 0), line.get("refused", []))


@dataclass(frozen=True, slots=True)
class Roster:
    """What became of a roster: `stage` is the service's word; `counts` what applying it would do, or did; the refused rows."""

    roster: str
    stage: str
    rows: int
    counts: dict[str, int]
    refused: list[dict[str, Any]]
    seconds: float


def roster(access: Access, path: Path, organisation: str, *, complete: bool, dry_run: bool, report: Report) -> Roster:
    """Send a roster in, wait for its dry run, and unless told otherwise apply it. As a clerk of the union.

    The same file again is the same roster: an import that was cut off goes on. Raises Refused where the file as a whole is refused.
    """
    content, started = read(path), time.monotonic()
    with access.caller("membership", access.token("clerk", organisation)) as caller:
        parameters = {"org": organisation, "complete": str(complete).lower()}
        sent = caller.post("/rosters", params=parameters, content=content, headers={"content-type": "application/octet-stream"}).json()
        here = f"/rosters/{sent['roster']}"
        seen = _settled(caller, here, "checking", report)
        if seen["stage"] == "checked" and not dry_run:
            seen = caller.post(f"{here}/application").json()
        if seen["stage"] == "applying":  # by this command, or by an earlier one that was cut off
            seen = _settled(caller, here, "applying", report)
        if seen["stage"] not in ("checked", "applied"):
            raise Refused(f"the roster is {seen['stage']}: {(seen.get('refusal') or {}).get('en', 'see the log of membership')}")
        refused = list(_pages(caller, f"{here}/refusals"))
    return Roster(sent["roster"], seen["stage"], seen["rows"], seen["counts"], refused, round(time.monotonic() - started, 3))


def _settled(caller: Caller, here: str, stage: str, report: Report) -> dict[str, Any]:
    """The roster once it has left a stage, asked for as long as it makes progress."""
    done, asked = -1, time.monotonic()
    while True:
        seen: dict[str, Any] = caller.get(here).json()
        if seen["stage"] != stage:
            return seen
        if seen["done"] != done:
            done, asked = seen["done"], time.monotonic()
            report(done, seen["rows"])
        if time.monotonic() - asked > STALLED_SECONDS:
            raise NotReady(f"the roster has not moved for {STALLED_SECONDS} s", "see the log of membership; the same command goes on")
        time.sleep(0.1)


def _pages(caller: Caller, path: str) -> Iterator[dict[str, Any]]:
    cursor: dict[str, str] = {}
    while True:
        page = caller.get(path, params={"limit": 100, **cursor}).json()
        yield from page["items"]
        if page["next"] is None:
            return
        cursor = {"cursor": page["next"]}


def is_empty(access: Access) -> bool:
    """Whether the node has no organisations yet."""
    with access.caller("membership") as caller:
        return not caller.get("/organisations/tree", params={"depth": 0}).json()["organisations"]


def sample_tree() -> bytes:
    """The sample tree that is shipped: Tai'an, 3,877 divisions."""
    return (files("node") / "sample" / SAMPLE).read_bytes()


def read(path: Path) -> bytes:
    """A file's content. Raises UsageError."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
