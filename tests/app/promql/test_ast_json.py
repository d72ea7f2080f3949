"""The tree that /api/v1/parse_query answers, field by field as Prometheus's documentation and UI have it."""

from __future__ import annotations

from typing import Any

import pytest

from app.errors import QueryError
from app.promql.ast_json import ast_of


def _selector(name: str, **fields: Any) -> dict[str, Any]:
    plain = {"type": "vectorSelector", "name": name, "offset": 0, "timestamp": None, "startOrEnd": None}
    return {**plain, "matchers": [{"name": "__name__", "value": name, "type": "="}], **fields}


@pytest.mark.parametrize(
    ("expr", "tree"),
    [
        ("1h30m", {"type": "numberLiteral", "val": "5400"}),
        ("-Inf", {"type": "numberLiteral", "val": "-Inf"}),
        ('"a"', {"type": "stringLiteral", "val": "a"}),
        ("(up)", {"type": "parenExpr", "expr": _selector("up")}),
        ("-up", {"type": "unaryExpr", "op": "-", "expr": _selector("up")}),
        ("up offset -5m @ 3.5", _selector("up", offset=-300_000, timestamp=3500)),
        ("up @ end()", _selector("up", startOrEnd="end")),
        (
            'up{a!="b", c=~"d", e!~"f"}',
            _selector(
                "up",
                matchers=[
                    {"name": "a", "value": "b", "type": "!="},
                    {"name": "c", "value": "d", "type": "=~"},
                    {"name": "e", "value": "f", "type": "!~"},
                    {"name": "__name__", "value": "up", "type": "="},
                ],
            ),
        ),
        ("up[5m]", {**_selector("up", type="matrixSelector"), "range": 300_000}),
        (
            "up[1h:5m] offset 1m",
            {
                "type": "subquery",
                "expr": _selector("up"),
                "range": 3_600_000,
                "step": 300_000,
                "offset": 60_000,
                "timestamp": None,
                "startOrEnd": None,
            },
        ),
        (
            "a * on (x) group_left (y) b",
            {
                "type": "binaryExpr",
                "op": "*",
                "lhs": _selector("a"),
                "rhs": _selector("b"),
                "matching": {"card": "many-to-one", "labels": ["x"], "on": True, "include": ["y"]},
                "bool": False,
            },
        ),
        (
            "a unless ignoring (x) b",
            {
                "type": "binaryExpr",
                "op": "unless",
                "lhs": _selector("a"),
                "rhs": _selector("b"),
                "matching": {"card": "many-to-many", "labels": ["x"], "on": False, "include": []},
                "bool": False,
            },
        ),
        (
            "a > bool 2",
            {
                "type": "binaryExpr",
                "op": ">",
                "lhs": _selector("a"),
                "rhs": {"type": "numberLiteral", "val": "2"},
                "matching": None,
                "bool": True,
            },
        ),
        (
            "topk without (x) (3, a)",
            {
                "type": "aggregation",
                "op": "topk",
                "expr": _selector("a"),
                "param": {"type": "numberLiteral", "val": "3"},
                "grouping": ["x"],
                "without": True,
            },
        ),
        (
            "abs(a)",
            {
                "type": "call",
                "func": {"name": "abs", "argTypes": ["vector"], "variadic": 0, "returnType": "vector"},
                "args": [_selector("a")],
            },
        ),
    ],
)
def test_each_kind_of_node(expr: str, tree: dict[str, Any]) -> None:
    assert ast_of(expr) == tree


def test_what_cannot_be_parsed() -> None:
    with pytest.raises(QueryError, match="parse error"):
        ast_of("sum(")
