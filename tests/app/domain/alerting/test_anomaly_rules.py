"""Which anomalies count for a rule: side, size, and what is no measurement."""

from __future__ import annotations

from typing import Any

import pytest

from app.domain.alerting.anomaly_rules import AnomalyRule, Criteria, Direction, Unusual, instances, meets
from app.domain.alerting.rules import Rule
from app.domain.labels import Matcher, MatchOp, labels_of

LABELS = labels_of({"__name__": "load", "device": "core-1"})


def unusual(value: float, *, score: float = 2.0, low: float | None = 10, high: float | None = 20) -> Unusual:
    return Unusual(LABELS, score, value, low, high, 19.0, "why")


@pytest.mark.parametrize(
    ("value", "criteria", "counts"),
    [
        pytest.param(25, {}, True, id="anything"),
        pytest.param(25, {"least_score": 2.5}, False, id="not unusual enough"),
        pytest.param(25, {"source": "peers"}, False, id="found by another"),
        pytest.param(25, {"direction": Direction.UP}, True, id="above"),
        pytest.param(5, {"direction": Direction.UP}, False, id="below"),
        pytest.param(5, {"direction": Direction.DOWN}, True, id="below is asked for"),
        pytest.param(25, {"least_abs": 5.0}, True, id="far enough"),
        pytest.param(25, {"least_abs": 5.1}, False, id="too near"),
        pytest.param(25, {"least_rel": 0.25}, True, id="a quarter of the range's end"),
        pytest.param(25, {"least_rel": 0.26}, False, id="less than that share"),
        pytest.param(25, {"valid_hi": 24.0}, False, id="no measurement"),
        pytest.param(5, {"valid_lo": 6.0}, False, id="no measurement below"),
        pytest.param(15, {"direction": Direction.DOWN, "least_abs": 4.0}, True, id="in a gap: from the nearest value"),
    ],
)
def test_criteria(value: float, criteria: dict[str, Any], counts: bool) -> None:
    assert meets(Criteria(**criteria), unusual(value)) is counts


def test_of_one_series_the_worst_is_told_with_its_why() -> None:
    watched = AnomalyRule(Rule("Unusual", "load"), (Matcher("__name__", MatchOp.EQUAL, "load"),))
    found = instances(watched, [unusual(25), unusual(40, score=9.0), unusual(30)])
    (instance,) = found.values()
    assert instance.value == 40
    assert instance.annotations == {
        "view": "why", "score": "9.00", "expected": "10 to 20", "nearest_past_value": "19"
    }  # fmt: skip
    assert dict(instance.labels) == {"alertname": "Unusual", "device": "core-1", "metric": "load"}
    other = AnomalyRule(Rule("Unusual", "up"), (Matcher("__name__", MatchOp.EQUAL, "up"),))
    assert instances(other, [unusual(25)]) == {}
