"""Identity of alerts (A1, A2, A13's number is for later) and what an evaluation does to a set of them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.alerting.alert import Severity, severity_of
from app.domain.alerting.rules import AlertEvent, Rule, evaluate, fingerprint_of, identity_of, instances_of
from app.domain.alerting.state import Clock, State
from app.domain.labels import labels_of
from app.errors import QueryError

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SERIES = labels_of({"__name__": "snmp_up", "device": "core-1", "severity": "from series"})


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        pytest.param(
            Rule("Down", "e"),
            {"alertname": "Down", "device": "core-1", "severity": "from series"},
            id="A1 the metric's name is no part",
        ),
        pytest.param(
            Rule("Down", "e", labels={"severity": "critical", "team": "{{ $labels.device }}-{{ $value }}"}),
            {"alertname": "Down", "device": "core-1", "severity": "critical", "team": "core-1-0"},
            id="A1 the rule's labels are filled in and win",
        ),
        pytest.param(
            Rule("Down", "e", labels={"alertname": "other"}),
            {"alertname": "Down", "device": "core-1", "severity": "from series"},
            id="A1 the name of the alert wins over all",
        ),
        pytest.param(
            Rule("Down", "e", labels={"device": ""}),
            {"alertname": "Down", "severity": "from series"},
            id="A1 an empty label is no label",
        ),
    ],
)
def test_identity(rule: Rule, expected: dict[str, str]) -> None:
    assert dict(identity_of(rule, SERIES, 0.0)) == expected


def test_a1_value_and_annotations_are_no_part_of_identity() -> None:
    rule = Rule("Hot", "e", annotations={"summary": "{{ $value }} degrees"})
    [(key, cold)] = instances_of(rule, [(SERIES, 70.0)]).items()
    [(again, hot)] = instances_of(rule, [(SERIES, 90.0)]).items()
    assert key == again
    assert (cold.summary, hot.summary) == ("70 degrees", "90 degrees")


def test_a2_two_results_with_one_identity_fail() -> None:
    rule = Rule("Any", "e", labels={"device": "some"})
    with pytest.raises(QueryError, match="same labels"):
        instances_of(rule, [(labels_of({"device": "a"}), 1.0), (labels_of({"device": "b"}), 1.0)])


@pytest.mark.parametrize(
    ("word", "severity"),
    [
        ("critical", Severity.CRITICAL),
        ("Page", Severity.CRITICAL),
        ("error", Severity.MAJOR),
        ("info", Severity.WARNING),
        ("purple", Severity.UNKNOWN),
    ],
)
def test_severity_of_other_systems_words(word: str, severity: Severity) -> None:
    assert severity_of(word) is severity


def test_a_severity_label_decides_and_a_strange_one_does_not() -> None:
    for word, severity in (("critical", Severity.CRITICAL), ("purple", Severity.MINOR)):
        rule = Rule("R", "e", severity=Severity.MINOR, labels={"severity": word})
        [instance] = instances_of(rule, [((), 1.0)]).values()
        assert instance.severity is severity


def test_an_evaluation_tells_what_began_and_what_ended() -> None:
    rule = Rule("Down", "e")
    found = instances_of(rule, [(labels_of({"device": "new"}), 0.0)])
    old = fingerprint_of(identity_of(rule, labels_of({"device": "old"}), 0.0))
    moved = evaluate(rule, {old: Clock(State.FIRING, NOON, NOON)}, found, at=NOON)
    assert {item.event for item in moved} == {AlertEvent.FIRING, AlertEvent.RESOLVED}
    assert [item.is_new for item in moved if item.event is AlertEvent.FIRING] == [True]


@given(
    st.dictionaries(st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5), max_size=4),
    st.dictionaries(st.text(min_size=1, max_size=5), st.text(min_size=1, max_size=5), max_size=4),
)
def test_different_labels_have_different_fingerprints(one: dict[str, str], other: dict[str, str]) -> None:
    assert (fingerprint_of(labels_of(one)) == fingerprint_of(labels_of(other))) == (one == other)
