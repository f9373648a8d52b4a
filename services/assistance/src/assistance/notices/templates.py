"""Templates of public notices as dated data: which fields are shown, and how they are masked. Pure but for reading the list."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any

MASKS: Mapping[str, frozenset[str | None]] = {
    "number": frozenset({None}),
    "name": frozenset({"first"}),
    "union": frozenset({None}),
    "amount": frozenset({None}),
}
"""The fields that a notice can show, and the masks that each of them may have: a name is never shown without one."""


class TemplateUnsafe(ValueError):
    """A template asks for a field that no notice shows, or for a name without a mask."""


@dataclass(frozen=True, slots=True)
class Template:
    """The columns of a sheet from a day on, in their order, each with its mask."""

    code: str
    since: date
    fields: tuple[tuple[str, str | None], ...]


def parsed(toml: str) -> tuple[Template, ...]:
    """The templates of a list. Raises TemplateUnsafe."""
    return tuple(_template(row) for row in tomllib.loads(toml)["template"])


def _template(row: Mapping[str, Any]) -> Template:
    fields = tuple((one["name"], one.get("mask")) for one in row["field"])
    for name, mask in fields:
        if mask not in MASKS.get(name, frozenset()):
            raise TemplateUnsafe(f"template {row['code']}: no notice shows {name} with the mask {mask}")
    return Template(row["code"], row["from"], fields)


@cache
def templates() -> tuple[Template, ...]:
    """Those that come with the service."""
    return parsed((files("assistance.notices") / "templates.toml").read_text("utf-8"))


def template_on(day: date) -> Template:
    """The newest that is in force on a day; the first one before that."""
    known = sorted(templates(), key=lambda one: one.since)
    return next((one for one in reversed(known) if one.since <= day), known[0])


def template_of(code: str) -> Template:
    """The one of a code that a notice names."""
    return next(one for one in templates() if one.code == code)


def masked(name: str) -> str:
    """The first character, and one star however long the rest is; nothing but the star of a name of one character."""
    bare = name.strip()
    return f"{bare[0]}*" if len(bare) > 1 else "*"
