"""The language of profiles: what it computes, and what it refuses."""

from __future__ import annotations

import pytest

from app.errors import InvalidInput
from ingest.snmp.expressions import Linear, parse_expression


@pytest.mark.parametrize(
    ("source", "columns", "expected"),
    [
        ("load / 100", {"load": 37}, 0.37),
        ("used * unit", {"used": 3, "unit": 4096}, 12288.0),
        ("used * unit", {"used": 3, "unit": None}, None),
        ("used * unit", {"used": 3}, None),
        ("a / b", {"a": 1, "b": 0}, None),
        ("value * 10 ** (3 * (scale - 9) - precision)", {"value": 332, "scale": 9, "precision": 2}, 3.32),
        ("10 ** a", {"a": 1000}, None),
        ("-a % 4294967296", {"a": 1}, 4294967295.0),
        ("nonzero(a) * 1000000", {"a": 0}, None),
        ("nonzero(a) * 1000000", {"a": 10}, 1e7),
        ("unless(a, 4294967295)", {"a": 4294967295}, None),
        ("given(status, 1) == 1", {}, 1.0),
        ("a > 1 and b <= 2 or c != 3", {"a": 1, "b": 2, "c": 4}, 1.0),
    ],
)
def test_an_expression_is_arithmetic_over_a_row(source: str, columns: dict, expected: float | None) -> None:
    assert parse_expression(source).evaluate(columns) == expected


@pytest.mark.parametrize(
    ("source", "linear"),
    [
        ("a", Linear("a")),
        ("a / 100", Linear("a", 0.01)),
        ("nonzero(a) * 1000000", Linear("a", 1e6, 0.0)),
        ("unless(a, 7)", Linear("a", 1.0, 7.0)),
        ("a * b", None),
        ("a + 1", None),
    ],
)
def test_simple_forms_are_found(source: str, linear: Linear | None) -> None:
    assert parse_expression(source).linear == linear


@pytest.mark.parametrize(
    "source",
    [
        "__import__('os')",
        "a.b",
        "open(a)",
        "[a]",
        "a if b else c",
        "'text'",
        "lambda: 1",
        "a +",
        "nonzero(a, b)",
        "True.x",
    ],
)
def test_anything_else_is_refused(source: str) -> None:
    with pytest.raises(InvalidInput):
        parse_expression(source)
