"""The tiny closed language of profiles: arithmetic over the columns of a row. No code runs, whatever a file says.

    load / 100      used * unit      nonzero(high_speed) * 1000000      value * 10 ** (3 * (scale - 9) - precision)

`nonzero(x)` and `unless(x, y)` answer nothing when x is 0, or y; `given(x, y)` is y where x is missing. Any other
missing column makes the whole answer nothing.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from app.errors import InvalidInput

Number = float | int

OPERATORS: Final[dict[type[ast.operator], Callable[[Number, Number], Number]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Mod: operator.mod,
    ast.Pow: operator.pow,
}
COMPARISONS: Final[dict[type[ast.cmpop], Callable[[Number, Number], bool]]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
MOST_EXPONENT: Final = 64
FUNCTIONS: Final = {"nonzero": 1, "unless": 2, "given": 2}


@dataclass(frozen=True)
class Linear:
    """column * factor, but nothing where the column is `void`: what a whole batch computes at once."""

    column: str
    factor: float = 1.0
    void: float | None = None


@dataclass(frozen=True)
class Expression:
    """A checked expression; `names` are the columns it needs, `linear` its simple form where it has one."""

    source: str
    names: frozenset[str]
    linear: Linear | None
    _tree: ast.expr = field(repr=False, compare=False)

    def evaluate(self, columns: Mapping[str, Number | None]) -> float | None:
        """The value for one row; None where a column is missing or the arithmetic has no answer."""
        found = _evaluate(self._tree, columns)
        # 332 * 10 ** -2 is not quite 3.32; what comes from decimal digits is given back as such.
        return None if found is None else float(f"{found:.15g}")

    def holds(self, columns: Mapping[str, Number | None]) -> bool:
        """The value as a condition; false where it has no answer."""
        return bool(_evaluate(self._tree, columns))


def parse_expression(source: str) -> Expression:
    """Check an expression; raises InvalidInput that says what is not allowed."""
    try:
        tree = ast.parse(source.strip(), mode="eval").body
    except SyntaxError as error:
        raise InvalidInput("expression", f"{source!r}: {error.msg}") from None
    _check(tree, source)
    functions = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in functions}
    return Expression(source, frozenset(names), _linear(tree), tree)


def _check(node: ast.expr, source: str) -> None:
    match node:
        case ast.Name():
            return
        case ast.Constant(value=int() | float()):
            return
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            children = [operand]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            children = [left, right]
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in COMPARISONS:
            children = [left, right]
        case ast.BoolOp(values=values):
            children = list(values)
        case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if FUNCTIONS.get(name) == len(args):
            children = list(args)
        case _:
            raise InvalidInput("expression", f"{source!r} has something other than arithmetic over columns")
    for child in children:
        _check(child, source)


def _evaluate(node: ast.expr, columns: Mapping[str, Number | None]) -> Number | None:  # noqa: PLR0911  one answer for each kind of node
    match node:
        case ast.Name(id=name):
            return columns.get(name)
        case ast.Constant(value=int() | float() as constant):
            return constant
        case ast.UnaryOp(operand=operand):
            found = _evaluate(operand, columns)
            return None if found is None else -found
        case ast.BinOp(left=left, op=op, right=right):
            return _apply(OPERATORS[type(op)], _evaluate(left, columns), _evaluate(right, columns))
        case ast.Compare(left=left, ops=[op], comparators=[right]):
            a, b = _evaluate(left, columns), _evaluate(right, columns)
            return None if a is None or b is None else COMPARISONS[type(op)](a, b)
        case ast.BoolOp(op=op, values=values):
            truths = [bool(_evaluate(each, columns)) for each in values]
            return all(truths) if isinstance(op, ast.And) else any(truths)
        case ast.Call(func=ast.Name(id="given"), args=[value, other]):
            found = _evaluate(value, columns)
            return _evaluate(other, columns) if found is None else found
        case ast.Call(args=[value, *others]):
            found = _evaluate(value, columns)
            void = _evaluate(others[0], columns) if others else 0
            return None if found is None or found == void else found
    raise AssertionError(ast.dump(node))


def _apply(operation: Callable[[Number, Number], Number], left: Number | None, right: Number | None) -> Number | None:
    if left is None or right is None:
        return None
    if operation is operator.pow and abs(right) > MOST_EXPONENT:
        return None
    try:
        found = operation(left, right)
    except (ZeroDivisionError, OverflowError):
        return None
    return found if isinstance(found, (int, float)) else None


def _linear(node: ast.expr) -> Linear | None:
    match node:
        case ast.Name(id=name):
            return Linear(name)
        case ast.Call(func=ast.Name(id="nonzero"), args=[ast.Name(id=name)]):
            return Linear(name, void=0.0)
        case ast.Call(
            func=ast.Name(id="unless"), args=[ast.Name(id=name), ast.Constant(value=int() | float() as void)]
        ):
            return Linear(name, void=float(void))
        case ast.BinOp(left=left, op=ast.Mult(), right=ast.Constant(value=int() | float() as factor)):
            inner = _linear(left)
            return Linear(inner.column, inner.factor * factor, inner.void) if inner else None
        case ast.BinOp(left=left, op=ast.Div(), right=ast.Constant(value=int() | float() as divisor)) if divisor:
            inner = _linear(left)
            return Linear(inner.column, inner.factor / divisor, inner.void) if inner else None
    return None
