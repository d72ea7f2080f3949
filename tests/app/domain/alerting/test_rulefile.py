"""Prometheus rule files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.alerting.alert import Severity
from app.domain.alerting.rulefile import format_duration, parse_duration, parse_rule_file
from app.domain.alerting.rules import Rule
from app.errors import InvalidInput

FILE = """
groups:
  - name: nodes
    interval: 30s
    labels: {team: noc}
    rules:
      - alert: InstanceDown
        expr: up == 0
        for: 5m
        keep_firing_for: 1h30m
        labels: {severity: page}
        annotations:
          summary: "{{ $labels.instance }} down"
      - record: job:up:sum
        expr: sum by (job) (up)
  - name: empty
"""


def test_a_file_is_read() -> None:
    parsed = parse_rule_file(FILE)
    assert [(group.name, group.interval_s) for group in parsed.groups] == [("nodes", 30), ("empty", 60)]
    assert parsed.groups[0].rules == (
        Rule(
            name="InstanceDown",
            expr="up == 0",
            for_s=300,
            keep_firing_for_s=5400,
            severity=Severity.CRITICAL,
            labels={"team": "noc", "severity": "page"},
            annotations={"summary": "{{ $labels.instance }} down"},
        ),
    )
    assert parsed.left_out == ("group nodes: the recording rule job:up:sum (recording rules are not supported yet)",)


@pytest.mark.parametrize(
    ("text", "where"),
    [
        pytest.param("groups: [", "file", id="no YAML"),
        pytest.param("- a", "file", id="a list"),
        pytest.param("groupz: []", "file", id="a misspelt field"),
        pytest.param("groups: [{rules: []}]", "group", id="no name"),
        pytest.param("groups: [{name: a}, {name: a}]", "group a", id="a name twice"),
        pytest.param("groups: [{name: a, rules: [{alert: b}]}]", "group a, rule 1", id="no expression"),
        pytest.param("groups: [{name: a, rules: [{alert: b, expr: c, for: soon}]}]", "group a, rule 1.for", id="for"),
        pytest.param(
            "groups: [{name: a, rules: [{alert: b, expr: c, labels: {__x: y}}]}]", "group a, rule 1.labels", id="label"
        ),
        pytest.param(
            "groups: [{name: a, rules: [{alert: b, expr: c, annotations: {s: '{{ exec 1 }}'}}]}]",
            "group a, rule 1.annotations.s",
            id="template",
        ),
        pytest.param(
            'groups: [{name: a, rules: [{alert: b, expr: "c\\0"}]}]', "group a, rule 1", id="a character that is none"
        ),
        pytest.param(
            'groups: [{name: a, rules: [{alert: b, expr: c, labels: {x: "\\ud800"}}]}]',
            "group a, rule 1.labels",
            id="half a character",
        ),
        pytest.param("groups: [{name: a, rules: [{alert: b, expr: c, for: 9y}]}]", "group a, rule 1.for", id="years"),
        pytest.param("a: !!python/object/apply:os.system [id]", "file", id="a gadget is no YAML of ours"),
    ],
)
def test_a_fault_is_named(text: str, where: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        parse_rule_file(text)
    assert caught.value.field == where


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("90s", 90), ("0", 0), ("1d", 86400), ("2w", 1209600), ("250ms", 0.25), (15, 15)],
)
def test_durations(text: object, seconds: float) -> None:
    assert parse_duration("for", text) == seconds


@pytest.mark.parametrize("text", ["", "5", "m5", "5m1h", "-5m", "5 m", "∞", None, True])
def test_what_is_no_duration(text: object) -> None:
    with pytest.raises(InvalidInput):
        parse_duration("for", text)


@given(st.integers(0, 10**11))
def test_durations_come_back(milliseconds: int) -> None:
    assert round(parse_duration("for", format_duration(milliseconds / 1000)) * 1000) == milliseconds
