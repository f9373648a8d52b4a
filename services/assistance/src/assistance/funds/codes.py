"""Sources and purposes of budget money, as data that comes with the service (`sources.toml`, `purposes.toml`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from assistance.funds import errors


@dataclass(frozen=True, slots=True)
class Code:
    """One source or purpose, with its names and where it is defined ([check]: not verified against the official text)."""

    code: str
    zh: str
    en: str
    citation: str
    earmarked: bool = False


@cache
def _of(name: str) -> Mapping[str, Code]:
    rows = tomllib.loads((files("assistance.funds") / f"{name}.toml").read_text("utf-8"))["code"]
    return {row["code"]: Code(**row) for row in rows}


def sources() -> Mapping[str, Code]:
    """Every source, by its code."""
    return _of("sources")


def purposes() -> Mapping[str, Code]:
    """Every purpose, by its code."""
    return _of("purposes")


def source(code: str) -> Code:
    """A source. Raises SourceUnknown."""
    if code not in sources():
        raise errors.SourceUnknown(code)
    return sources()[code]


def purpose(code: str) -> Code:
    """A purpose. Raises PurposeUnknown."""
    if code not in purposes():
        raise errors.PurposeUnknown(code)
    return purposes()[code]
