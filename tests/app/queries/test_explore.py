"""Questions of Explore: the PromQL they become, the series they find, and to whom."""

from __future__ import annotations

import numpy as np
import pytest

from app.clock import now_ms
from app.domain.labels import Matcher, MatchOp, labels_of
from app.domain.timerange import Window
from app.errors import Forbidden, QueryError
from app.queries import explore
from app.queries.explore import Question
from tests.browser.seed import seed
from tests.factories.cast import Cast, token_viewer
from tests.factories.database import RolledBackDatabase

HOUR_MS = 3_600_000


@pytest.fixture
def network(db: RolledBackDatabase) -> Cast:
    """The seeded network, up to now."""
    return seed(now_ms(), days=1)


def window(hours: int = 24) -> Window:
    end = now_ms()
    return Window(end - hours * HOUR_MS, end)


LON1 = Matcher("site", MatchOp.EQUAL, "LON1")


@pytest.mark.parametrize(
    ("question", "hours", "expr", "unit"),
    [
        pytest.param(Question("ifSpeed"), 24, "ifSpeed", "bps", id="the samples themselves"),
        pytest.param(
            Question("ifHCOutOctets", (LON1,), "rate"),
            1,
            'rate(ifHCOutOctets{site="LON1"}[180s]) * 8',
            "bps",
            id="octets become bits",
        ),
        pytest.param(
            Question("ifHCOutOctets", function="rate", by=("device", "ifName")),
            24,
            "sum by (device, ifName) (rate(ifHCOutOctets[900s]) * 8)",
            "bps",
            id="grouped; old data needs a wider range",
        ),
        pytest.param(
            Question("x", (Matcher("a", MatchOp.REGEX, 'b"\\d'),)), 1, 'x{a=~"b\\"\\\\d"}', "", id="quotes are escaped"
        ),
        pytest.param(Question("", expr="up == 0"), 1, "up == 0", "", id="as it was written"),
    ],
)
def test_questions_become_promql(question: Question, hours: int, expr: str, unit: str) -> None:
    assert explore.expression(question, window(hours), 15_000) == (expr, unit)


@pytest.mark.parametrize(
    ("series", "names"),
    [
        ([{"device": "a", "ifName": "x"}, {"device": "a", "ifName": "y"}], ["x", "y"]),
        ([{"device": "a", "ifName": "x"}, {"device": "b", "ifName": "x"}], ["a", "b"]),
        ([{"device": "a", "job": "1"}, {"device": "a", "job": "2"}], ["1", "2"]),
        ([{"__name__": "up"}], ["up"]),
        ([{"site": "L"}], ["site=L"]),
    ],
)
def test_series_are_called_by_what_differs(series: list[dict[str, str]], names: list[str]) -> None:
    assert explore.names_of([labels_of(each) for each in series]) == names


def test_the_strongest_come_first_and_the_rest_are_counted(network: Cast) -> None:
    question = Question("ifHCOutOctets", (LON1,), "rate")
    answer = explore.chart_series(network.vera, question, window(), top=5)
    assert (answer.found, len(answer.series)) == (36, 5)
    means = [np.nanmean(series.values) for series in answer.series]
    assert means == sorted(means, reverse=True)
    assert answer.series[0].last() > 0
    before = explore.earlier(network.vera, answer, window(2), "1d")
    assert set(before) <= {series.labels for series in answer.series}


def test_what_can_be_picked(network: Cast) -> None:
    assert "ifHCOutOctets" in explore.metric_names(network.vera, window())
    pairs = explore.label_pairs(network.vera, "snmp_up", window())
    assert pairs["site"] == ["AMS2", "FRA1", "LON1", "MAD1", "PAR3"]
    assert explore.nearest_names(network.vera, "ifhcoutoctet", window())[0] == "ifHCOutOctets"


def test_alerts_stand_beside_their_series(network: Cast) -> None:
    found = explore.alert_annotations(network.vera, ["lon1-acc-04"], window())
    assert found[0].end_ms is None or found[-1].end_ms is None
    assert {each.severity for each in found} >= {"critical"}


def test_a_wrong_expression_says_so(network: Cast) -> None:
    with pytest.raises(QueryError):
        explore.chart_series(network.vera, Question("", expr="sum(("), window(), top=5)


def test_charlie_of_globex_sees_nothing_of_acme(network: Cast) -> None:
    charlie = network.charlie
    answer = explore.chart_series(charlie, Question("ifHCOutOctets", function="rate"), window(), top=5)
    assert (answer.found, answer.series) == (0, ())
    assert explore.metric_names(charlie, window()) == []
    assert explore.label_pairs(charlie, "snmp_up", window()) == {}
    assert explore.nearest_names(charlie, "snmp_u", window()) == []
    assert explore.alert_annotations(charlie, ["lon1-acc-04"], window()) == []
    ours = explore.chart_series(network.vera, Question("snmp_up"), window(), top=5)
    assert explore.earlier(charlie, ours, window(), "1d") == {}


def test_a_token_that_may_only_send_learns_nothing(network: Cast) -> None:
    with pytest.raises(Forbidden):
        explore.chart_series(token_viewer(network.alice), Question("snmp_up"), window(), top=5)
