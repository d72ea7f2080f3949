"""Which stored series stands behind a line."""

from __future__ import annotations

import pytest

from app.domain.labels import METRIC, labels_of
from app.promql.bare import bare_selector, selector_of, stored_labels
from app.promql.parse import parse_selector

LINE = labels_of({"device": "core-1", "ifName": "xe-0"})
WHOLE = labels_of({METRIC: "up", **dict(LINE)})


@pytest.mark.parametrize(
    "expr",
    [
        "up",
        'up{device=~"core.*"}',
        "rate(up[5m]) * 8",
        "8 * -rate(up[5m])",
        "quantile_over_time(0.95, up[5m])",
        "clamp_max(up, 1)",
        "up > 0.5",
        "(abs(deriv(up[1h])))",
    ],
)
def test_lines_that_are_one_stored_series_each(expr: str) -> None:
    assert stored_labels(expr, [LINE]) == [WHOLE]


@pytest.mark.parametrize(
    "expr",
    [
        "sum by (device, ifName) (up)",
        "topk(3, up)",
        "up + up",
        "up and down",
        "up or down",
        'label_replace(up, "device", "a", "", "")',
        "absent(up)",
        "vector(1)",
        "1 + 1",
        "up offset 1d",
        "up @ 0",
        "max_over_time(rate(up[5m])[1h:])",
        "avg(up) * 100",
    ],
)
def test_lines_that_are_not(expr: str) -> None:
    assert bare_selector(expr) is None
    assert stored_labels(expr, [LINE]) == [None]


def test_a_line_without_a_name_whose_selector_gives_none_is_nobodys() -> None:
    assert stored_labels('rate({device="core-1"}[5m])', [LINE]) == [None]
    assert stored_labels('{device="core-1"}', [WHOLE]) == [WHOLE]


@pytest.mark.parametrize("name", ["up", "1.odd-name"])
def test_a_selector_of_one_series_is_read_back(name: str) -> None:
    labels = labels_of({METRIC: name, "device": 'a"\\\n'})
    assert labels_of({its.name: its.value for its in parse_selector(selector_of(labels))}) == labels
