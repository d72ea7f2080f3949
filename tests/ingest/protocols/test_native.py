"""Our own JSON, in rows and in columns."""

from __future__ import annotations

import contextlib
import json
import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.labels import decode_labels
from app.errors import DecodeError, TooLarge
from ingest.protocols import native

NOW = 1_770_000_000_000


def listed(body: object) -> tuple[list[tuple[object, int, float, int]], list[tuple[int, str, int]]]:
    """(labels, ms, value, position) of the good samples, and (index, reason, count) of the others."""
    batch = native.decode(json.dumps(body).encode())
    assert batch.positions is not None
    keys = [dict(decode_labels(key)) for key in batch.keys]
    rows = zip(
        batch.series.tolist(), batch.ts_ms.tolist(), batch.values.tolist(), batch.positions.tolist(), strict=True
    )
    return (
        [(keys[series], ts_ms, value, position) for series, ts_ms, value, position in rows],
        [(each.index, each.reason, each.count) for each in batch.rejected],
    )


def test_rows_and_columns_say_the_same() -> None:
    labels = {"device": "core-1", "ifName": "xe-0/0/1"}
    rows = {"samples": [{"metric": "m", "labels": labels, "ts": NOW + i, "value": i} for i in range(3)]}
    column = {"metric": "m", "labels": labels, "ts": [NOW, NOW + 1, NOW + 2], "values": [0, 1, 2]}
    key = {"__name__": "m", **labels}
    assert listed(rows)[0] == [(key, NOW + i, float(i), i) for i in range(3)]
    assert listed({"series": [column]})[0] == [(key, NOW + i, float(i), 0) for i in range(3)]


@pytest.mark.parametrize(
    ("ts", "ms"),
    [
        pytest.param(NOW, NOW, id="milliseconds"),
        pytest.param(NOW + 0.75, NOW, id="a fraction is cut off"),
        pytest.param("2026-02-02T02:40:00Z", NOW, id="RFC 3339"),
        pytest.param("2026-02-02T03:40:00.001+01:00", NOW + 1, id="RFC 3339 with a zone"),
        pytest.param("2026-02-02T02:40:00.000999999Z", NOW, id="nanoseconds"),
    ],
)
def test_times(ts: object, ms: int) -> None:
    assert listed({"samples": [{"metric": "m", "ts": ts, "value": 1}]})[0][0][1] == ms
    assert listed({"series": [{"metric": "m", "ts": [ts], "values": [1]}]})[0][0][1] == ms


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        pytest.param({"metric": "m", "ts": NOW}, "value", id="no value"),
        pytest.param({"metric": "m", "ts": NOW, "value": None}, "null", id="null"),
        pytest.param({"metric": "m", "ts": NOW, "value": "many"}, "not a number", id="a word"),
        pytest.param({"metric": "m", "ts": "yesterday", "value": 1}, "RFC 3339", id="no time"),
        pytest.param({"metric": "m", "ts": "2026-02-02T02:40:00", "value": 1}, "time zone", id="no zone"),
        pytest.param({"metric": "m", "ts": NOW * 1_000_000, "value": 1}, "milliseconds", id="nanoseconds as number"),
        pytest.param({"metric": "m", "ts": True, "value": 1}, "bool", id="a boolean"),
        pytest.param({"metric": 7, "ts": NOW, "value": 1}, "metric", id="a metric that is no text"),
        pytest.param(
            {"metric": "m", "labels": {"a": 1}, "ts": NOW, "value": 1}, "labels", id="a label that is no text"
        ),
        pytest.param("row", "object", id="not an object"),
    ],
)
def test_a_bad_row_is_told_and_the_others_are_taken(item: object, reason: str) -> None:
    good = {"metric": "m", "ts": NOW, "value": 1}
    samples, rejected = listed({"samples": [good, item, good]})
    assert [position for *_, position in samples] == [0, 2]
    assert [index for index, *_ in rejected] == [1]
    assert reason in rejected[0][1]


def test_bad_columns_are_told_and_the_others_are_taken() -> None:
    good = {"metric": "m", "ts": [NOW], "values": [1.5]}
    uneven = {"metric": "m", "ts": [NOW], "values": [1, 2, 3]}
    mixed = {"metric": "m", "ts": [NOW, "never", NOW + 1], "values": [1, 2, "NaN"]}
    samples, rejected = listed({"series": [good, uneven, mixed, good]})
    assert [position for *_, position in samples] == [0, 2, 2, 3]
    assert math.isnan(samples[2][2])
    assert [(index, count) for index, _, count in rejected] == [(1, 3), (2, 1)]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"samples": {}}',
        b'{"samples": [], "series": []}',
        b'{"metric": "m"}',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"samples":' + b"[" * 100_000,
    ],
)
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(DecodeError):
        native.decode(body)


@pytest.mark.parametrize("item", [b"{}", b'{"metric":"m","ts":1,"value":1}'])
def test_too_many_items_are_too_large(monkeypatch: pytest.MonkeyPatch, item: bytes) -> None:
    monkeypatch.setattr(native, "MOST_ITEMS", 3)
    with pytest.raises(TooLarge):
        native.decode(b'{"samples":[' + b",".join([item] * 4) + b"]}")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)
items = st.fixed_dictionaries(
    {},
    optional={
        "metric": json_values,
        "labels": json_values,
        "ts": json_values,
        "value": json_values,
        "values": json_values,
    },
)


@given(
    st.one_of(
        st.binary(max_size=60), st.dictionaries(st.sampled_from(["samples", "series"]), st.lists(items | json_values))
    )
)
def test_garbage_raises_nothing_but_decode_error(body: object) -> None:
    with contextlib.suppress(DecodeError):
        native.decode(body if isinstance(body, bytes) else json.dumps(body).encode())


@given(st.lists(st.integers(-(10**12), 2 * 10**12)), st.lists(st.floats(allow_nan=False, allow_infinity=False)))
def test_columns_keep_every_bit(ts_ms: list[int], values: list[float]) -> None:
    size = min(len(ts_ms), len(values))
    body = msgspec.json.encode({"series": [{"metric": "m", "ts": ts_ms[:size], "values": values[:size]}]})
    batch = native.decode(body)
    assert batch.ts_ms.tolist() == ts_ms[:size]
    assert batch.values.tolist() == values[:size]
