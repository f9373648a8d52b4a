"""The small language of programme rules: facts, numbers, texts and truth values, compared, combined and calculated. Pure and total.

    file_level in ['deep', 'relative'] and income_per_head_fen <= 80000
    min(self_paid_fen * 30 // 100, 500000)

Python's own parser reads it, nothing of Python runs: every node is one of those below, or the rule is refused. No loops, no names but
facts, no attributes, and numbers are bounded, so a rule ends at once and cannot do harm.
"""

import ast
import operator
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, TypeAlias

from contracts.assistance.programmes import FactKind

Value: TypeAlias = int | bool | str
Facts: TypeAlias = Mapping[str, Value]

NUMBER_MAX = 10**15
"""Numbers beyond this, in a rule or on the way, are refused: no amount is that large."""

NODES_MAX = 120
DEPTH_MAX = 20


class RuleMalformed(ValueError):
    """A rule is not a sentence of the language, or compares what cannot be compared. `why` and `members` are as a refusal has them."""

    def __init__(self, why: str, **members: Any) -> None:
        super().__init__(why, members)
        self.why, self.members = why, members


class FactMissing(LookupError):
    """A rule asks for a fact that is not known; its name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is not known")
        self.name = name


class FigureTooLarge(ArithmeticError):
    """A calculation left the range of amounts, or divided by zero."""


_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_CALCULATIONS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}
_FUNCTIONS: dict[str, Callable[..., int]] = {"min": min, "max": max}


class Rule:
    """One expression, read once. `facts` are the names it asks for, in order of appearance."""

    def __init__(self, source: str) -> None:
        """Raises RuleMalformed."""
        self.source = source
        try:
            tree = ast.parse(source.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise RuleMalformed("expression") from None
        if sum(1 for _ in ast.walk(tree)) > NODES_MAX:
            raise RuleMalformed("long")
        _check_form(tree, DEPTH_MAX)
        self._tree = tree
        called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
        names = [node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called]
        self.facts = tuple(dict.fromkeys(names))

    def value(self, facts: Facts) -> Value:
        """What it comes to. Raises FactMissing, FigureTooLarge."""
        return _value(self._tree, facts)

    def holds(self, facts: Facts) -> bool:
        """Whether it is so. Raises FactMissing, FigureTooLarge."""
        return bool(self.value(facts))

    def kind(self, known: Mapping[str, tuple[FactKind, tuple[str, ...]]]) -> FactKind:
        """The kind of its value, given each fact's kind and choices. Raises RuleMalformed where a fact is unknown or kinds do not fit."""
        return _kind(self._tree, known)[0]


@lru_cache(maxsize=2_048)
def rule(source: str) -> Rule:
    """The rule of a source text. Raises RuleMalformed."""
    return Rule(source)


def _check_form(node: ast.AST, depth: int) -> None:
    if depth == 0:
        raise RuleMalformed("deep")
    match node:
        case ast.Constant(value=bool() | str()):
            pass
        case ast.Constant(value=int(number)):
            if abs(number) > NUMBER_MAX:
                raise RuleMalformed("number")
        case ast.Name():
            pass
        case ast.BoolOp(values=parts) | ast.List(elts=parts):
            _check_all(parts, depth)
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=operand):
            _check_form(operand, depth - 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _CALCULATIONS:
            _check_all([left, right], depth)
        case ast.Compare(left=left, ops=ops, comparators=others):
            if any(type(op) not in _COMPARISONS and not isinstance(op, ast.In | ast.NotIn) for op in ops):
                raise RuleMalformed("comparison")
            _check_all([left, *others], depth)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in _FUNCTIONS and args:
            _check_all(args, depth)
        case _:
            raise RuleMalformed("foreign", construct=type(node).__name__)


def _check_all(nodes: list[ast.expr], depth: int) -> None:
    for node in nodes:
        _check_form(node, depth - 1)


def _value(node: ast.AST, facts: Facts) -> Value:
    match node:
        case ast.Constant(value=bool() | int() | str() as value):
            return value
        case ast.Name(id=name):
            if name not in facts:
                raise FactMissing(name)
            return facts[name]
        case ast.BoolOp(op=op, values=parts):
            # As in Python: what follows is not looked at once the answer is clear, so its facts need not be known.
            return all(_value(part, facts) for part in parts) if isinstance(op, ast.And) else any(_value(part, facts) for part in parts)
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, facts)
            return not value if isinstance(op, ast.Not) else _bounded(-int(value))
        case ast.BinOp(left=left, op=op, right=right):
            try:
                return _bounded(_CALCULATIONS[type(op)](int(_value(left, facts)), int(_value(right, facts))))
            except ZeroDivisionError:
                raise FigureTooLarge("division by zero") from None
        case ast.Compare(left=left, ops=ops, comparators=others):
            return _compared(_value(left, facts), ops, others, facts)
        case ast.Call(func=ast.Name(id=name), args=args):
            return _FUNCTIONS[name](*[int(_value(argument, facts)) for argument in args]) if len(args) > 1 else _value(args[0], facts)
        case _:
            raise RuleMalformed("foreign", construct=type(node).__name__)


def _compared(left: Value, ops: list[ast.cmpop], others: list[ast.expr], facts: Facts) -> bool:
    for op, other in zip(ops, others, strict=True):
        if isinstance(op, ast.In | ast.NotIn):
            found = isinstance(other, ast.List) and any(left == _value(one, facts) for one in other.elts)
            if found is isinstance(op, ast.NotIn):
                return False
            continue
        right = _value(other, facts)
        if not _COMPARISONS[type(op)](left, right):
            return False
        left = right
    return True


def _bounded(number: int) -> int:
    if abs(number) > NUMBER_MAX:
        raise FigureTooLarge("a figure is too large")
    return number


# ------------------------------------------------------------------------------------------------- kinds, at publication

_Known = Mapping[str, tuple[FactKind, tuple[str, ...]]]
_FIGURES = frozenset({FactKind.money, FactKind.number, FactKind.day})


def _kind(node: ast.AST, known: _Known) -> tuple[FactKind, tuple[str, ...]]:
    """The kind of a node's value, and what a choice may be (none: a text of the rule itself)."""
    match node:
        case ast.Constant(value=bool()):
            return FactKind.truth, ()
        case ast.Constant(value=str(text)):
            return FactKind.choice, (text,)
        case ast.Constant():
            return FactKind.number, ()
        case ast.Name(id=name):
            if name not in known:
                raise RuleMalformed("unknown", fact=name)
            return known[name]
        case ast.BoolOp(values=parts):
            _all(parts, {FactKind.truth}, known)
            return FactKind.truth, ()
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            _all([operand], {FactKind.truth}, known)
            return FactKind.truth, ()
        case ast.UnaryOp(operand=operand):
            return _all([operand], _FIGURES, known), ()
        case ast.BinOp(left=left, right=right):
            return _all([left, right], _FIGURES, known), ()
        case ast.Call(args=args):
            return _all(args, _FIGURES, known), ()
        case ast.Compare(left=left, ops=ops, comparators=others):
            _comparable([left, *others], ops, known)
            return FactKind.truth, ()
        case _:
            raise RuleMalformed("list")


def _all(parts: list[ast.expr], wanted: frozenset[FactKind] | set[FactKind], known: _Known) -> FactKind:
    kinds = [_kind(part, known)[0] for part in parts]
    if any(kind not in wanted for kind in kinds):
        raise RuleMalformed("together", kinds=sorted(set(kinds)))
    return max(kinds, key=lambda kind: kind is FactKind.money)


def _comparable(parts: list[ast.expr], ops: list[ast.cmpop], known: _Known) -> None:
    for left, op, right in zip(parts, ops, parts[1:], strict=False):
        listed = isinstance(op, ast.In | ast.NotIn)
        if listed is not isinstance(right, ast.List) or isinstance(left, ast.List):
            raise RuleMalformed("in")
        rights = right.elts if isinstance(right, ast.List) else [right]
        kind, choices = _kind(left, known)
        for one in rights:
            other, others = _kind(one, known)
            if not (kind == other or {kind, other} <= _FIGURES):
                raise RuleMalformed("compared", kind=kind, other=other)
            if kind is FactKind.choice and choices and others and not set(choices) & set(others):
                raise RuleMalformed("choice", choice=others[0], choices=list(choices))
        if kind in (FactKind.choice, FactKind.truth) and not (listed or isinstance(op, ast.Eq | ast.NotEq)):
            raise RuleMalformed("order", kind=kind)
