"""Numbers as Go's strconv writes them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.promql.format import format_labels, format_plain, format_value


@pytest.mark.parametrize(
    ("value", "plain", "in_api"),
    [
        (0.0, "0", "0"),
        (-0.0, "-0", "-0"),
        (1.0, "1", "1"),
        (-2.5, "-2.5", "-2.5"),
        (0.1 + 0.2, "0.30000000000000004", "0.30000000000000004"),
        (1e16, "10000000000000000", "10000000000000000"),
        (1e21, "1000000000000000000000", "1e+21"),
        (1.5e300, "15" + "0" * 299, "1.5e+300"),
        (1e-6, "0.000001", "0.000001"),
        (9.5e-7, "0.00000095", "9.5e-07"),
        (5e-324, "0." + "0" * 323 + "5", "5e-324"),
        (math.nan, "NaN", "NaN"),
        (math.inf, "+Inf", "+Inf"),
        (-math.inf, "-Inf", "-Inf"),
    ],
)
def test_numbers(value: float, plain: str, in_api: str) -> None:
    assert (format_plain(value), format_value(value)) == (plain, in_api)


@given(st.floats(allow_nan=False))
def test_what_is_written_reads_back(value: float) -> None:
    assert float(format_plain(value)) == value
    assert float(format_value(value)) == value


def test_label_sets() -> None:
    assert format_labels((("a", 'x"y'), ("b", "ü\n"))) == '{a="x\\"y", b="ü\\n"}'
    assert format_labels(()) == "{}"
