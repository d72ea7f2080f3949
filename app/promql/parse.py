"""From the text of a query to its tree.

The grammar is promql-parser's (Prometheus's own, compiled); this file turns its tree into ours, refuses what the
engine does not have, and guards the parser against queries that would overflow its stack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

import promql_parser as grammar

from app.domain.labels import METRIC, Matcher, MatchOp
from app.errors import InvalidInput, QueryError
from app.promql.nodes import (
    Aggregate,
    At,
    Binary,
    Call,
    Matching,
    Negate,
    Node,
    Number,
    RangeSelector,
    Selector,
    Subquery,
    Text,
)
from app.promql.parse_errors import in_front, in_prometheus_words, place_of

# The compiled parser recurses per operator and bracket and kills the process when its stack is full
# (seen at 5,000 operators); our own walk recurses too.
MOST_CHARACTERS = 100_000
MOST_DEPTH = 200

# Half of what an int64 holds, so that offsets and ranges can be added without overflow.
FURTHEST_MS = 2**62

_STRING = re.compile(r'"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])*\'|`[^`]*`|#[^\n]*', re.DOTALL)
# Strings, comments, names, and numbers whose digits are kept apart by underscores, which the grammar does not know.
_TOKEN = re.compile(_STRING.pattern + r"|[A-Za-z_:][\w:]*|(?P<number>\.?\d(?:[\w.]|(?<=[eE])[+-])*)", re.DOTALL)
_DECIMAL = re.compile(r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_SEPARATED = re.compile(r"(0[xX])_|(?<=[0-9a-fA-F])_(?=[0-9a-fA-F])")
_DEEPENS = re.compile(r"[(\[+\-*/%^=<>]|\b(?:and|or|unless|atan2)\b", re.IGNORECASE)
_SELECTOR_BODY = re.compile(r"\{[^{}]*\}")
_AT = re.compile(r" @ -?[0-9.]+")
_SYSTEM_TIME = re.compile(r"tv_sec:\s*(-?\d+),\s*tv_nsec:\s*(\d+)")

# The parser's enumerations have no hash; their text is `Class.Member`.
_MATCH_OPS = {
    "Equal": MatchOp.EQUAL,
    "NotEqual": MatchOp.NOT_EQUAL,
    "Re": MatchOp.REGEX,
    "NotRe": MatchOp.NOT_REGEX,
}
_CONDITIONS = frozenset({"and", "unless", "==", "!=", ">", "<", ">=", "<="})
_MANY = {"ManyToOne": "left", "OneToMany": "right"}


@lru_cache(maxsize=2048)
def parse(expr: str) -> Node:
    """The tree of a query. Raises QueryError (bad_data) with the parser's words."""
    tree = grammar_tree(expr)
    try:
        return _node(tree)
    except (ValueError, OverflowError) as error:
        # Durations that the grammar takes and no timedelta holds.
        raise QueryError("parse error: duration out of range") from error


def parse_selector(expr: str) -> tuple[Matcher, ...]:
    """The matchers of a series selector, as `match[]` has it. Raises QueryError if it is anything else."""
    node = parse(expr)
    if not isinstance(node, Selector):
        raise QueryError("parse error: expected an instant vector selector")
    return node.matchers


def selectors_in(node: object) -> Iterator[Selector]:
    """Every selector of series in a tree."""
    if isinstance(node, Selector):
        yield node
    elif isinstance(node, tuple):
        for each in node:
            yield from selectors_in(each)
    elif is_dataclass(node):
        for its in fields(node):
            yield from selectors_in(getattr(node, its.name))


def measured_side(expr: str) -> tuple[str, float | None]:
    """What a rule's condition measures, and the number it compares that with (None where there is none).

    `rate(x[5m]) > 5 and on (device) up == 1` measures `rate(x[5m])` against 5: the part worth a chart.
    """
    tree = grammar_tree(expr)
    limit: float | None = None
    while isinstance(tree, grammar.ParenExpr) or (isinstance(tree, grammar.BinaryExpr) and str(tree.op) in _CONDITIONS):
        if isinstance(tree, grammar.BinaryExpr):
            limit = tree.rhs.val if isinstance(tree.rhs, grammar.NumberLiteral) else limit
            tree = tree.lhs
        else:
            tree = tree.expr
    return str(tree.prettify()), limit


def format_query(expr: str) -> str:
    """The query, laid out as Prometheus's formatter does."""
    return str(grammar_tree(expr).prettify())


def grammar_tree(expr: str) -> Any:
    """The parser's own tree; untyped, as the parser is. Raises QueryError."""
    _check_depth(expr)
    try:
        return grammar.parse(_TOKEN.sub(_number, expr))
    except ValueError as error:
        place = place_of(str(error), expr, _STRING)
        why = f"{in_front(place, expr)}parse error: {in_prometheus_words(str(error))}"
        raise QueryError(why, position=place) from error


def _number(token: re.Match[str]) -> str:
    number: str | None = token["number"]
    if number is None:
        return token[0]
    plain = _SEPARATED.sub(r"\1", number) if "_" in number else number
    if _DECIMAL.fullmatch(plain) and math.isinf(float(plain)):
        why = f'error parsing number: strconv.ParseFloat: parsing "{plain}": value out of range'
        raise QueryError(f"parse error: {why}")
    return plain


def _check_depth(expr: str) -> None:
    if not expr.strip():
        raise QueryError("parse error: no expression found in input")
    if len(expr) > MOST_CHARACTERS:
        raise QueryError(f"parse error: the query is longer than {MOST_CHARACTERS} characters")
    bare = _SELECTOR_BODY.sub("", _STRING.sub("", expr))
    if len(_DEEPENS.findall(bare)) > MOST_DEPTH:
        raise QueryError(f"parse error: the query has more than {MOST_DEPTH} operators and brackets")


def _node(tree: Any) -> Node:  # noqa: PLR0911  one branch per kind of node, nothing else
    match tree:
        case grammar.NumberLiteral():
            return Number(tree.val)
        case grammar.StringLiteral():
            return Text(tree.val)
        case grammar.ParenExpr():
            return _node(tree.expr)
        case grammar.VectorSelector():
            return _selector(tree)
        case grammar.MatrixSelector():
            return RangeSelector(_selector(tree.vector_selector), ms_of(tree.range))
        case grammar.SubqueryExpr():
            return _subquery(tree)
        case grammar.UnaryExpr():
            return Negate(_node(tree.expr))
        case grammar.BinaryExpr():
            return _binary(tree)
        case grammar.AggregateExpr():
            return _aggregate(tree)
        case grammar.Call():
            return Call(tree.func.name, tuple(_node(argument) for argument in tree.args))
        case _:
            raise QueryError(f"parse error: {type(tree).__name__} is not supported")


def _selector(tree: Any) -> Selector:
    if tree.matchers.or_matchers:
        raise QueryError('parse error: "or" between label matchers is not supported')
    matchers = [] if tree.name is None else [Matcher(METRIC, MatchOp.EQUAL, tree.name)]
    try:
        matchers += [Matcher(m.name, _MATCH_OPS[member_of(m.op)], m.value) for m in tree.matchers.matchers]
    except InvalidInput as error:
        raise QueryError(f"parse error: {error.reason}") from error
    return Selector(tuple(matchers), ms_of(tree.offset), at_of(tree))


def _subquery(tree: Any) -> Subquery:
    step_ms = None if tree.step is None else ms_of(tree.step)
    return Subquery(_node(tree.expr), ms_of(tree.range), step_ms, ms_of(tree.offset), at_of(tree))


def _binary(tree: Any) -> Binary:
    modifier = tree.modifier
    matching = Matching()
    if modifier is not None:
        if modifier.fill_values.lhs is not None or modifier.fill_values.rhs is not None:
            raise QueryError("parse error: fill modifiers are not supported")
        labels = modifier.matching
        on = labels is not None and labels.type == grammar.LabelModifierType.Include
        matching = Matching(
            on,
            () if labels is None else tuple(labels.labels),
            _MANY.get(member_of(modifier.card)),
            tuple(modifier.group_labels or ()),
        )
    is_bool = modifier is not None and modifier.return_bool
    return Binary(str(tree.op), _node(tree.lhs), _node(tree.rhs), matching, is_bool)


def _aggregate(tree: Any) -> Aggregate:
    modifier = tree.modifier
    return Aggregate(
        str(tree.op),
        _node(tree.expr),
        None if tree.param is None else _node(tree.param),
        () if modifier is None else tuple(sorted(set(modifier.labels))),
        modifier is not None and modifier.type == grammar.AggModifierType.Without,
    )


def at_of(tree: Any) -> int | At | None:
    """Where `@` pins a selector or subquery of the parser's tree: ms, an end of the query, or None."""
    # The parser's own value of `@` panics before 1970, so the number is read from its text instead: what
    # follows the selector's or the subquery's last bracket. That text shows times before 1970 as 0.
    text = str(tree)
    suffix = text[max(text.rfind("}"), text.rfind("]")) + 1 :]
    if " @ start()" in suffix:
        return At.START
    if " @ end()" in suffix:
        return At.END
    found = _AT.search(suffix)
    if found is None:
        return None
    seconds, nanoseconds = _SYSTEM_TIME.findall(repr(tree))[-1]
    at_ms = int(seconds) * 1000 + int(nanoseconds) // 1_000_000
    if abs(at_ms) > FURTHEST_MS:
        raise QueryError(f"parse error: timestamp out of bounds for @ modifier: {seconds}")
    return at_ms


def ms_of(duration: timedelta | None) -> int:
    """A duration of the parser's tree in ms; none is 0."""
    return 0 if duration is None else round(duration / timedelta(milliseconds=1))


def member_of(value: Any) -> str:
    """The name of a member of one of the parser's enumerations, which have no hash."""
    return str(value).rpartition(".")[2]
