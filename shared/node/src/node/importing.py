"""Files on their way into a node, with progress told while they are taken in."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from node.access import Access
from node.errors import UsageError

SAMPLE = "taian-3709.csv"

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
        caller.stream("/organisations/import", content=content, headers={"content-type": "text/csv"}) as lines,
    ):
        line: dict[str, Any] = {}
        for line in lines:
            report(line["done"], line["total"])
    return Imported(line.get("accepted", 0), line.get("refused", []))


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
