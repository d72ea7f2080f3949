"""The tree of a query as Prometheus's /api/v1/parse_query writes it: plain dictionaries, for editors and explainers."""

from __future__ import annotations

from typing import Any, Final

import promql_parser as grammar

from app.promql.format import format_plain
from app.promql.nodes import At
from app.promql.parse import at_of, grammar_tree, member_of, ms_of

_MATCHES: Final = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
_CARDS: Final = {
    "OneToOne": "one-to-one",
    "ManyToOne": "many-to-one",
    "OneToMany": "one-to-many",
    "ManyToMany": "many-to-many",
}
_SETS: Final = frozenset({"and", "or", "unless"})
# What Prometheus says of a function with any number of further arguments.
_VECTORS: Final = (grammar.VectorSelector, grammar.AggregateExpr)

Plain = dict[str, Any]


def ast_of(expr: str) -> Plain:
    """The tree of `expr`; each node says its `type`. Durations and times are ms. Raises QueryError."""
    return _node(grammar_tree(expr))


def _node(tree: Any) -> Plain:  # noqa: PLR0911  one branch per kind of node, nothing else
    match tree:
        case grammar.NumberLiteral():
            return {"type": "numberLiteral", "val": format_plain(tree.val)}
        case grammar.StringLiteral():
            return {"type": "stringLiteral", "val": tree.val}
        case grammar.ParenExpr():
            return {"type": "parenExpr", "expr": _node(tree.expr)}
        case grammar.UnaryExpr():
            return {"type": "unaryExpr", "op": "-", "expr": _node(tree.expr)}
        case grammar.VectorSelector():
            return {"type": "vectorSelector", **_selector(tree), "matchers": _matchers(tree)}
        case grammar.MatrixSelector():
            inner = tree.vector_selector
            found = {"type": "matrixSelector", **_selector(inner), "matchers": _matchers(inner)}
            return {**found, "range": ms_of(tree.range)}
        case grammar.SubqueryExpr():
            step = 0 if tree.step is None else ms_of(tree.step)
            return {
                "type": "subquery",
                "expr": _node(tree.expr),
                "range": ms_of(tree.range),
                "step": step,
                **_place(tree),
            }
        case grammar.BinaryExpr():
            return _binary(tree)
        case grammar.AggregateExpr():
            return _aggregate(tree)
    return _call(tree)


def _selector(tree: Any) -> Plain:
    return {"name": tree.name or "", **_place(tree)}


def _place(tree: Any) -> Plain:
    at = at_of(tree)
    return {
        "offset": ms_of(tree.offset),
        "timestamp": at if isinstance(at, int) else None,
        "startOrEnd": str(at) if isinstance(at, At) else None,
    }


def _matchers(tree: Any) -> list[Plain]:
    found = [{"name": m.name, "value": m.value, "type": _MATCHES[member_of(m.op)]} for m in tree.matchers.matchers]
    # Prometheus puts the name last.
    return found + ([{"name": "__name__", "value": tree.name, "type": "="}] if tree.name else [])


def _binary(tree: Any) -> Plain:
    modifier = tree.modifier
    return {
        "type": "binaryExpr",
        "op": str(tree.op).strip(),
        "lhs": _node(tree.lhs),
        "rhs": _node(tree.rhs),
        "matching": _matching(tree) if _is_vector(tree.lhs) and _is_vector(tree.rhs) else None,
        "bool": modifier is not None and modifier.return_bool,
    }


def _matching(tree: Any) -> Plain:
    modifier = tree.modifier
    labels = None if modifier is None else modifier.matching
    card = "OneToOne" if modifier is None else member_of(modifier.card)
    if str(tree.op).strip() in _SETS:
        card = "ManyToMany"
    return {
        "card": _CARDS[card],
        "labels": [] if labels is None else list(labels.labels),
        "on": labels is not None and member_of(labels.type) == "Include",
        "include": [] if modifier is None else list(modifier.group_labels or ()),
    }


def _is_vector(tree: Any) -> bool:
    """Whether an operand is an instant vector."""
    match tree:
        case grammar.ParenExpr() | grammar.UnaryExpr():
            return _is_vector(tree.expr)
        case grammar.BinaryExpr():
            return _is_vector(tree.lhs) or _is_vector(tree.rhs)
        case grammar.Call():
            return member_of(tree.func.return_type) == "Vector"
    return isinstance(tree, _VECTORS)


def _aggregate(tree: Any) -> Plain:
    modifier = tree.modifier
    return {
        "type": "aggregation",
        "op": str(tree.op).strip(),
        "expr": _node(tree.expr),
        "param": None if tree.param is None else _node(tree.param),
        "grouping": [] if modifier is None else list(modifier.labels),
        "without": modifier is not None and member_of(modifier.type) != "By",
    }


def _call(tree: Any) -> Plain:
    function = tree.func
    return {
        "type": "call",
        "func": {
            "name": function.name,
            "argTypes": [member_of(kind).lower() for kind in function.arg_types],
            "variadic": function.variadic,
            "returnType": member_of(function.return_type).lower(),
        },
        "args": [_node(argument) for argument in tree.args],
    }
