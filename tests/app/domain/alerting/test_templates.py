"""Templates as Prometheus writes them, and that nothing else gets through."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.alerting.templates import check, expand
from app.errors import InvalidInput

LABELS = {"device": "core-1", "instance": "10.0.0.1:9100", "n": "1234567"}


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        pytest.param("{{ $labels.device }} is down", 0, "core-1 is down", id="label"),
        pytest.param("{{$labels.missing}}!", 0, "!", id="absent label is empty"),
        pytest.param("{{ .Labels.device }}/{{ .Value }}", 2, "core-1/2", id="long form"),
        pytest.param("{{ $value }}", 0.25, "0.25", id="value"),
        pytest.param("{{ $value | humanize }}bit/s", 1_234_567, "1.235Mbit/s", id="SI prefix"),
        pytest.param("{{ humanize 0.00123 }}", 0, "1.23m", id="small SI prefix"),
        pytest.param("{{ humanize1024 2048 }}B", 0, "2kiB", id="binary prefix"),
        pytest.param("{{ $value | humanizePercentage }}", 0.9312, "93.12%", id="ratio"),
        pytest.param("{{ $value | humanizeDuration }}", 90_061, "1d 1h 1m 1s", id="duration"),
        pytest.param("{{ humanizeDuration 0.005 }}", 0, "5ms", id="short duration"),
        pytest.param('{{ printf "%.1f of %s" $value $labels.device }}', 2.25, "2.2 of core-1", id="printf"),
        pytest.param('{{ $labels.device | printf "%q" | toUpper }}', 0, '"CORE-1"', id="pipeline"),
        pytest.param("{{ $labels.instance | stripPort }}", 0, "10.0.0.1", id="port"),
        pytest.param("{{ $labels.n | humanize }}", 0, "1.235M", id="a label read as number"),
        pytest.param("a {{- $value -}} b", 1, "a 1 b", id="trim markers"),
        pytest.param("no action }} here", 0, "no action }} here", id="plain text"),
    ],
)
def test_expand(text: str, value: float, expected: str) -> None:
    assert expand(text, LABELS, float(value)) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{{ $labels.device.__class__ }}",
        "{{ 0.__class__ }}",
        "{{ ''.__class__ }}",
        "{{ query `up` }}",
        "{{ if true }}x{{ end }}",
        "{{ range $labels }}",
        "{{ $labels.device | nothing }}",
        "{{ humanize }}",
        "{{ humanize 1 2 }}",
        "{{ $value $value }}",
        "{{ }}",
        "{{ $value",
    ],
)
def test_what_is_not_known_is_refused_at_save_and_harmless_at_send(text: str) -> None:
    with pytest.raises(InvalidInput):
        check("summary", text)
    assert text.count("{{") != text.count("}}") or "<error expanding template:" in expand(text, LABELS, 1.0)


@pytest.mark.parametrize("text", ["{0.__class__}", "%s %d", "${jndi:ldap://x}", "{% import os %}", "#{7*7}"])
def test_the_languages_of_others_are_plain_text(text: str) -> None:
    assert expand(text, LABELS, 1.0) == text


def test_a_text_cannot_be_made_to_swell() -> None:
    assert len(expand('{{ printf "%99.99f" $value }}' * 200, LABELS, 1e300)) <= 4096


@given(st.text(alphabet='{}$.|"`%() abclnsvu0159_\\', max_size=40), st.floats())
def test_garbage_never_raises(text: str, value: float) -> None:
    expand(text, LABELS, value)
