"""Remote write 1.0 and 2.0: every shape a sender may choose gives the same samples, and garbage only DecodeError."""

from __future__ import annotations

import contextlib
import math
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.labels import decode_labels, labels_of
from app.domain.samples import STALE, STALE_BITS, Metadata
from app.errors import DecodeError
from ingest.protocols import remote_write, remote_write2
from tests.factories.prompb import message, metadata, sample, write_request, write_request_2

NOW = 1_770_000_000_000
UP = {"__name__": "up", "job": "node", "instance": "a:9100"}

texts = st.text(max_size=150)
labels = st.dictionaries(st.text(min_size=1, max_size=20), texts, min_size=1, max_size=6)
moments = st.one_of(st.integers(NOW - 10**9, NOW + 10**9), st.integers(-(2**62), 2**62))
samples = st.tuples(moments, st.floats(allow_nan=False))
requests = st.lists(st.tuples(labels, st.lists(samples, max_size=3)), max_size=8)


def listed(decoded: remote_write.Decoded) -> list[tuple[object, int, float]]:
    """Every sample as (labels, ms, value), sorted."""
    batch = decoded.batch
    keys = [decode_labels(key) for key in batch.keys]
    rows = zip(batch.series.tolist(), batch.ts_ms.tolist(), batch.values.tolist(), strict=True)
    return sorted((keys[series], ts_ms, value) for series, ts_ms, value in rows)


def expected(request: list[tuple[dict[str, str], list[tuple[int, float]]]]) -> list[tuple[object, int, float]]:
    return sorted((labels_of(each), ts_ms, value) for each, pairs in request for ts_ms, value in pairs)


@given(requests)
def test_version_1_gives_what_was_written(request_: list) -> None:
    assert listed(remote_write.decode(write_request(request_))) == expected(request_)


@given(requests)
def test_version_2_gives_what_was_written(request_: list) -> None:
    assert listed(remote_write2.decode(write_request_2(request_))) == expected(request_)


@given(st.binary(max_size=200))
def test_garbage_raises_nothing_but_decode_error(body: bytes) -> None:
    for decode in (remote_write.decode, remote_write2.decode):
        with contextlib.suppress(DecodeError):
            decode(body)


@given(requests, st.data())
def test_a_damaged_request_raises_nothing_but_decode_error(request_: list, data: st.DataObject) -> None:
    for write, decode in ((write_request, remote_write.decode), (write_request_2, remote_write2.decode)):
        body = bytearray(write(request_) or b"\0")
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
        with contextlib.suppress(DecodeError):
            decode(bytes(body[: data.draw(st.integers(0, len(body)))]))


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(0.0, id="zero, which Go leaves out"),
        pytest.param(-0.0, id="minus zero, which it does not"),
        pytest.param(math.inf, id="infinity"),
        pytest.param(STALE, id="the stale marker, bit for bit"),
        pytest.param(1e308, id="large"),
    ],
)
def test_one_sample_keeps_every_bit(value: float) -> None:
    batch = remote_write.decode(write_request([(UP, [(NOW, value)])])).batch
    assert batch.values.view(np.uint64)[0] == struct.unpack("<Q", struct.pack("<d", value))[0]
    assert batch.ts_ms.tolist() == [NOW]
    assert batch.positions is not None
    assert batch.positions.tolist() == [0]


def test_the_stale_marker_has_prometheus_bits() -> None:
    assert remote_write.decode(write_request([(UP, [(NOW, STALE)])])).batch.values.view(np.uint64)[0] == STALE_BITS


def test_a_label_that_looks_like_a_sample_is_a_label() -> None:
    tail = message(2, sample(NOW, 1.5)).decode("latin-1")
    request = [({"__name__": "up", "z": tail}, [(NOW, 2.0)]), ({"__name__": "up", "z": tail}, [(NOW, 0.0)])]
    assert listed(remote_write.decode(write_request(request))) == expected(request)


def test_labels_of_any_length_and_number() -> None:
    request = [
        ({f"l{i}": "x" * size for i in range(number)}, [(NOW, 1.0)])
        for number, size in ((1, 0), (1, 1), (3, 130), (2, 20_000), (80, 3))
    ]
    assert listed(remote_write.decode(write_request(request))) == expected(request)


def test_exemplars_and_histograms_are_counted_and_not_read() -> None:
    extra = message(3, b"anything") + message(4, b"more") + message(4, b"")
    decoded = remote_write.decode(write_request([(UP, [(NOW, 1.0)])], extra=extra))
    assert (decoded.exemplars, decoded.histograms, len(decoded.batch)) == (1, 2, 1)
    extra = message(3, b"") + message(4, b"")
    decoded = remote_write2.decode(write_request_2([(UP, [(NOW, 1.0)])], extra=extra))
    assert (decoded.exemplars, decoded.histograms, len(decoded.batch)) == (1, 1, 1)


def test_metadata_comes_along() -> None:
    told = Metadata("up", "gauge", "Whether it is up.", "1")
    body = metadata(2, "up", "Whether it is up.", "1") + write_request([(UP, [(NOW, 1.0)])])
    assert remote_write.decode(body).batch.metadata == [told]
    decoded = remote_write2.decode(write_request_2([(UP, [(NOW, 1.0)])], about="Whether it is up."))
    assert decoded.batch.metadata == [Metadata("up", "gauge", "Whether it is up.")]


@pytest.mark.parametrize(
    ("body", "why"),
    [
        pytest.param(message(4, b"x"), "first one is not empty", id="first symbol not empty"),
        pytest.param(message(4, b"") + message(5, message(1, b"\x00")), "without a value", id="odd references"),
        pytest.param(message(4, b"") + message(5, message(1, b"\x00\x07")), "no symbol 7", id="beyond the table"),
    ],
)
def test_a_bad_string_table_is_told(body: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        remote_write2.decode(body)
