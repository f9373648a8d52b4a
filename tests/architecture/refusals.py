"""Every refusal of the program, as its sources raise it: which sentences it has, and which members they may name.

`python -m tests.architecture.refusals` writes docs/errors.md, the table of all problem types.
"""

import ast
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from foundation.decider import Refusal
from foundation.refusals import texts, title
from foundation.texts import named

ROOT = Path(__file__).parents[2]
PACKAGES = ("foundation", "membership", "assistance", "rights", "training", "node")
ANY = "*"
"""A reason that is only known when it happens, as the rule that a file breaks."""


@dataclass(slots=True)
class Kind:
    """A class of refusals. `fields`: by reason, the members that are there wherever it is raised for it; ANY among them: also others."""

    refusal: type[Refusal]
    fields: dict[str, frozenset[str]] = field(default_factory=dict)

    @property
    def type(self) -> str:
        return self.refusal.TYPE

    @property
    def package(self) -> str:
        return self.refusal.__module__.rpartition(".")[0]

    def raised(self, why: str, members: frozenset[str]) -> None:
        self.fields[why] = self.fields.get(why, members) & members

    def reasons(self) -> dict[str, frozenset[str]]:
        """With the reasons of the catalogue in the place of ANY."""
        if ANY not in self.fields:
            return self.fields
        prefix = f"{self.type}."
        found = {key.removeprefix(prefix): self.fields[ANY] for key in texts(self.refusal.__module__, "zh") if key.startswith(prefix)}
        return {**found, **{why: members for why, members in self.fields.items() if why != ANY}}


@cache
def kinds() -> tuple[Kind, ...]:
    """Every kind of refusal that is raised somewhere, by package and type."""
    modules = list(_modules())
    found: dict[type[Refusal], Kind] = {}
    for module in modules:
        for node in ast.walk(_parsed(module)):
            match node:
                case ast.Call(func=func) if (refusal := _refusal(func, module)) is not None:
                    _read(found.setdefault(refusal, Kind(refusal)), node)
                case ast.Raise(exc=ast.Name() | ast.Attribute() as func) if (refusal := _refusal(func, module)) is not None:
                    _read(found.setdefault(refusal, Kind(refusal)), ast.Call(func, [], []))
                case _:
                    pass
    return tuple(sorted(found.values(), key=lambda kind: (PACKAGES.index(kind.package.partition(".")[0]), kind.type, kind.package)))


def _modules() -> Iterator[ModuleType]:
    for package in map(importlib.import_module, PACKAGES):
        for one in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if not one.name.endswith("__main__"):
                yield importlib.import_module(one.name)


@cache
def _parsed(module: ModuleType) -> ast.Module:
    return ast.parse(Path(module.__file__ or "").read_text())


def _refusal(func: ast.expr, module: ModuleType) -> type[Refusal] | None:
    match func:
        case ast.Name(id=name):
            found = getattr(module, name, None)
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            found = getattr(getattr(module, owner, None), name, None)
        case _:
            return None
    return found if isinstance(found, type) and issubclass(found, Refusal) else None


def _read(kind: Kind, call: ast.Call) -> None:
    """What one place that makes such a refusal tells of it."""
    made = next(one for one in kind.refusal.__mro__ if "__init__" in one.__dict__)
    if made is Refusal:
        for why in _whys(call.args[0] if call.args else None):
            kind.raised(why, _named(call))
        return
    parameters = [name for name in inspect.signature(made.__init__).parameters if name != "self"]  # type: ignore[misc]
    handed = _handed_on(made)
    given: dict[str, ast.expr] = dict(zip(parameters, call.args, strict=False)) | {one.arg: one.value for one in call.keywords if one.arg}
    first = handed.args[0] if handed.args else None
    members = _named(handed)
    if any(one.arg is None and isinstance(one.value, ast.Name) and one.value.id in parameters for one in handed.keywords):
        members = (members - {ANY}) | (_named(call) - set(parameters))
    for why in _whys(given.get(first.id) if isinstance(first, ast.Name) else first):
        kind.raised(why, members)


def _handed_on(made: type[Refusal]) -> ast.Call:
    """The call of `super().__init__` in a class's own."""
    module = importlib.import_module(made.__module__)
    defined = next(node for node in ast.walk(_parsed(module)) if isinstance(node, ast.ClassDef) and node.name == made.__name__)
    return next(
        node
        for node in ast.walk(defined)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "__init__"
    )


def _whys(given: ast.expr | None) -> list[str]:
    match given:
        case None:
            return ["detail"]
        case ast.Constant(value=str(why)):
            return [why]
        case ast.IfExp(body=one, orelse=other):
            return [*_whys(one), *_whys(other)]
        case _:
            return [ANY]


def _named(call: ast.Call) -> frozenset[str]:
    return frozenset(ANY if one.arg is None else one.arg for one in call.keywords)


# --------------------------------------------------------------------------------------------------------- docs/errors.md

HEAD = """# Problem types

Written by `make errors` from the sources and their catalogues; a test holds it to them. Every refusal is `application/problem+json`
(RFC 9457). Programs branch on `type`, which is `urn:tongxin:problem:` and the name below, and read the members; both are stable. People
read `title` and `detail` in Chinese, and the same in English under `en` ([0019](decisions/0019-problem-texts.md)).

Members named `fen` or `…_fen` are amounts in fen. `trace` is what to quote when asking; `errors` of `request-invalid` lists the faults one
by one. Where two rows have one type, two slices refuse for the same reason and tell different members.
"""


def table() -> str:
    """The table of all problem types, by the package that refuses."""
    lines = [HEAD]
    for package in PACKAGES:
        mine = [kind for kind in kinds() if kind.package.partition(".")[0] == package]
        if mine:
            lines += [f"## {package}", "", "| type | status | 标题 | title | members |", "|---|---|---|---|---|"]
            lines += [_row(kind) for kind in mine] + [""]
    return "\n".join(lines)


def _row(kind: Kind) -> str:
    members = sorted({name for names in kind.fields.values() for name in names} - {ANY})
    told = ", ".join(f"`{name}`" for name in members)
    return f"| `{kind.type}` | {kind.refusal.status} | {title(kind.refusal, 'zh')} | {title(kind.refusal, 'en')} | {told} |"


def catalogues() -> Iterator[tuple[Path, Any]]:
    """The catalogues of refusals in the sources, with the language of each."""
    for path in sorted([*ROOT.glob("shared/*/src/**/refusals.*.po"), *ROOT.glob("services/*/src/**/refusals.*.po")]):
        yield path, path.suffixes[-2].removeprefix(".")


def spoken(there: dict[str, str]) -> frozenset[str]:
    """The fields that any text of a catalogue names."""
    return frozenset(name for text in there.values() for name in named(text))


if __name__ == "__main__":
    print(table(), end="")  # noqa: T201 - this is what it is run for
