"""Labels, their canonical key, and what a series may carry."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.labels import (
    LONGEST_VALUE,
    MOST_LABELS,
    check_labels,
    decode_labels,
    encode_labels,
    labels_of,
)
from app.errors import DecodeError

texts = st.text(max_size=200)


@given(st.dictionaries(texts, texts, max_size=8))
def test_decode_is_the_inverse_of_encode(pairs: dict[str, str]) -> None:
    labels = labels_of(pairs)
    assert decode_labels(encode_labels(labels)) == labels


@given(st.binary(max_size=80))
def test_garbage_raises_nothing_but_decode_error(key: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_labels(key)


def test_the_key_is_what_remote_write_carries() -> None:
    assert encode_labels((("__name__", "up"),)) == b"\x0a\x0e\x0a\x08__name__\x12\x02up"


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        pytest.param([("__name__", "up")], None, id="a metric alone"),
        pytest.param([("__name__", "grüße.total"), ("später", "ja")], None, id="UTF-8 names as in Prometheus 3"),
        pytest.param([("device", "core-1")], "no metric name", id="no metric"),
        pytest.param([("__name__", "up"), ("a", "1"), ("a", "2")], "the same label twice", id="a label twice"),
        pytest.param([("__name__", "up"), ("", "1")], "a label without a name", id="empty name"),
        pytest.param([("__name__", "up"), ("a", "b\0c")], "a NUL character in a label", id="NUL"),
        pytest.param([("__name__", "up"), ("a", "x" * (LONGEST_VALUE + 1))], "longer than", id="long value"),
        pytest.param([("__name__", "up"), ("b" * 300, "x")], "longer than", id="long name"),
        pytest.param(
            [("__name__", "up"), *((f"l{i}", "x") for i in range(MOST_LABELS))], "more than", id="many labels"
        ),
    ],
)
def test_what_a_series_may_carry(pairs: list[tuple[str, str]], reason: str | None) -> None:
    answer = check_labels(labels_of(pairs))
    assert answer is None if reason is None else reason in (answer or "")
