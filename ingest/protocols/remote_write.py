"""Prometheus remote write 1.0: a protobuf WriteRequest to columns, with no object for each sample.

A series with one sample, which is what senders send, is its labels followed by a tail of fixed length. Labels are
walked and tails are gathered for all series at once; the labels' bytes are the series key as they stand. Any series
that looks different is read field by field.
Source: Prometheus Remote-Write 1.0 specification; prometheus/prompb types.proto, remote.proto.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from app.domain.keys import HashedKeys, hashed
from app.domain.labels import MOST_LABELS, length
from app.domain.samples import Batch, Float64s, Int64s, Metadata
from app.errors import DecodeError
from ingest.protocols.bounds import check_items, check_samples
from ingest.protocols.protobuf import BYTES, FIXED64, VARINT, Field, double, fields, signed
from ingest.protocols.remote_write_recall import TAIL, TAIL_OF_ZERO, Known, Matching, Recall, Series

PROTOCOL: Final = "remote_write"
CONTENT_TYPE: Final = "application/x-protobuf"
MESSAGE: Final = "prometheus.WriteRequest"
KINDS: Final = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")

# A sample message with its tag: tag 2, length 16, double tag, 8 bytes, int64 tag, 6 varint bytes. Six bytes hold the
# milliseconds from 1971 to 2109. A value of 0 is left out by writers of proto3.
_TS_BYTES: Final = 6
_EIGHT: Final = np.arange(8)
# The number of items is looked at once in so many bytes.
_LOOK_EVERY: Final = 65_536
# Behind the last byte the array goes on, so that a look at a message's end never leaves it.
_MARGIN: Final = 32


@dataclass(frozen=True)
class Decoded:
    """A request: its samples, and how many exemplars and native histograms it carries, which are not stored."""

    batch: Batch
    histograms: int = 0
    exemplars: int = 0


@dataclass
class Slow:
    """What was read field by field."""

    keys: list[bytes] = field(default_factory=list)
    series: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    ts_ms: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    histograms: int = 0
    exemplars: int = 0

    def add(self, key: bytes, position: int, samples: Sequence[tuple[int, float]]) -> None:
        """Take the samples of one series."""
        check_samples(len(self.values) + len(samples))
        for ts_ms, value in samples:
            self.series.append(len(self.keys))
            self.positions.append(position)
            self.ts_ms.append(ts_ms)
            self.values.append(value)
        if samples:
            self.keys.append(key)

    def batch(self, metadata: Sequence[Metadata]) -> Batch:
        """All of it as columns."""
        return Batch(
            keys=self.keys,
            series=np.array(self.series, dtype=np.int32),
            ts_ms=np.array(self.ts_ms, dtype=np.int64),
            values=np.array(self.values, dtype=np.float64),
            positions=np.array(self.positions, dtype=np.int32),
            metadata=metadata,
        )


class _Spans(NamedTuple):
    """Series that have to be read: where they stand, which of the request's they are; and the metadata between them."""

    starts: list[int]
    stops: list[int]
    indexes: list[int]
    metadata: list[Metadata]


class _Fast(NamedTuple):
    """The series with one plain sample: which they are, where their labels end, and their samples."""

    chosen: NDArray[np.intp]
    label_ends: NDArray[np.int64]
    ts_ms: Int64s
    values: Float64s


class _Plain(NamedTuple):
    """Series with one plain sample, in the order of the request."""

    keys: Sequence[bytes]
    ts_ms: Int64s
    values: Float64s
    positions: NDArray[np.int32]


def decode(body: bytes, recall: Recall | None = None) -> Decoded:
    """The samples of a WriteRequest (decompressed); raises DecodeError when it is none.

    `positions` of the batch are indexes of time series in the request. Labels are not looked at. `recall` is what the
    tenant's earlier requests were like: it makes no difference but to the time that this takes.
    """
    if recall is None:
        return _decode(body, None)
    try:
        return _decode(body, recall)
    except DecodeError:  # read from the start, so that it says where as for any other request
        return _decode(body, None)


def _decode(body: bytes, recall: Recall | None) -> Decoded:
    octets = np.frombuffer(body + bytes(_MARGIN), dtype=np.uint8)
    matching = Matching(recall, body, octets) if recall else None
    spans = _spans_of(body, matching)
    starts, stops = np.array(spans.starts, dtype=np.int64), np.array(spans.stops, dtype=np.int64)
    fast = _fast_series(octets, starts, stops)
    slow = Slow()
    for number in np.setdiff1d(np.arange(len(starts)), fast.chosen, assume_unique=True).tolist():
        _read_series(body, spans.starts[number], spans.stops[number], spans.indexes[number], slow)
    if recall and matching and recall.is_worth_learning(matching.alike, len(fast.chosen)):
        _learn(recall, body, octets)
    positions = np.array(spans.indexes, dtype=np.int32)[fast.chosen]
    key_starts = starts[fast.chosen]
    if not matching or not matching.alike:
        keys = [body[start:end] for start, end in zip(key_starts.tolist(), fast.label_ends.tolist(), strict=True)]
        return _decoded(_Plain(keys, fast.ts_ms, fast.values, positions), slow, spans.metadata)
    recalled = _recalled(body, octets, matching.known())
    if recalled is None:  # a time in fewer than six bytes
        return _decode(body, None)
    if not len(positions):
        return _decoded(recalled, slow, spans.metadata)
    others = _Plain(hashed(body, key_starts, fast.label_ends), fast.ts_ms, fast.values, positions)
    return _decoded(_in_order(recalled, others), slow, spans.metadata)


def _spans_of(body: bytes, matching: Matching | None = None) -> _Spans:
    """The series that are not alike, and the metadata."""
    spans = _Spans([], [], [], [])
    at = index = 0
    try:
        while matching and at < len(body) and matching.is_hopeful:
            at, index = matching.run_at(at, index)
            at, index = _read_spans(body, at, index, spans=spans, until=min(at + 1, len(body)))
        while at < len(body):
            at, index = _read_spans(body, at, index, spans=spans, until=min(at + _LOOK_EVERY, len(body)))
            check_items(index + len(spans.metadata))
    except IndexError:
        raise DecodeError(PROTOCOL, f"byte {at}", "cut off") from None
    if at > len(body):
        raise DecodeError(PROTOCOL, f"byte {len(body)}", "cut off")
    return spans


def _read_spans(body: bytes, at: int, index: int, *, spans: _Spans, until: int) -> tuple[int, int]:
    """Note what begins between `at` and `until`; answers where the next begins, and its index. Raises IndexError."""
    starts, stops, begun = spans.starts, spans.stops, len(spans.starts)
    while at < until:
        if body[at] == 0x0A and (size := body[at + 1]) < 0x80:
            at += 2
        elif body[at] == 0x0A and body[at + 2] < 0x80:
            size = size & 0x7F | body[at + 2] << 7
            at += 3
        else:
            at = _other_field(body, at, spans)
            continue
        starts.append(at)
        at += size
        stops.append(at)
    index += len(starts) - begun
    spans.indexes.extend(range(index - len(starts) + begun, index))
    return at, index


def _learn(recall: Recall, body: bytes, octets: NDArray[np.uint8]) -> None:
    spans = _spans_of(body)
    starts, stops = np.array(spans.starts, dtype=np.int64), np.array(spans.stops, dtype=np.int64)
    fast = _fast_series(octets, starts, stops)
    recall.learn(body, Series(starts[fast.chosen], fast.label_ends, stops[fast.chosen]))


def _recalled(body: bytes, octets: NDArray[np.uint8], known: Known) -> _Plain | None:
    """The series that are alike; None when the time of any is not written as it mostly is."""
    is_stamp, ts_ms = _times_before(octets, known.ends)
    if not is_stamp.all():
        return None
    values = np.zeros(len(ts_ms))
    values[known.is_full] = _words_at(octets, known.ends[known.is_full] - TAIL + 3)
    key_stops = known.ends - np.where(known.is_full, TAIL, TAIL_OF_ZERO)
    keys = HashedKeys(body, key_stops - known.key_sizes, key_stops, known.hashes)
    return _Plain(keys, ts_ms, values, known.indexes.astype(np.int32))


def _in_order(one: _Plain, other: _Plain) -> _Plain:
    """Both in the order of the request: of two samples of one series and time the later wins."""
    assert isinstance(one.keys, HashedKeys)
    assert isinstance(other.keys, HashedKeys)
    positions = np.concatenate((one.positions, other.positions))
    order = np.argsort(positions, kind="stable")
    return _Plain(
        one.keys.with_others(other.keys, order),
        np.concatenate((one.ts_ms, other.ts_ms))[order],
        np.concatenate((one.values, other.values))[order],
        positions[order],
    )


def _other_field(body: bytes, at: int, spans: _Spans) -> int:
    """Read a field of the request that is not a short series; answers where it ends."""
    one = next(fields(PROTOCOL, body, at, len(body)))
    if one.number == 1 and one.wire == BYTES:
        spans.starts.append(one.start)
        spans.stops.append(one.stop)
    elif one.number == 3 and one.wire == BYTES:
        spans.metadata.append(_metadata(body, one))
    return one.stop


def _fast_series(octets: NDArray[np.uint8], starts: Int64s, stops: Int64s) -> _Fast:
    at = starts.copy()
    for _ in range(MOST_LABELS + 1):
        is_label = (octets[at] == 0x0A) & (at < stops)
        if not is_label.any():
            break
        low, high = octets[at + 1].astype(np.int64), octets[at + 2].astype(np.int64)
        is_long = low >= 0x80
        size = np.where(is_long, (low & 0x7F) | (high << 7), low)
        # One that goes beyond its series, or whose length takes three bytes, ends up unequal to both tails.
        at = np.where(is_label, np.minimum(at + 2 + is_long + size, stops + 1), at)
    left = stops - at
    is_stamp, times = _times_before(octets, np.maximum(stops, 8))
    is_full = (
        (left == TAIL)
        & (octets[at] == 0x12)
        & (octets[at + 1] == 16)
        & (octets[at + 2] == 0x09)
        & (octets[at + 11] == 0x10)
    )
    is_zero = (left == TAIL_OF_ZERO) & (octets[at] == 0x12) & (octets[at + 1] == 7) & (octets[at + 2] == 0x10)
    chosen = np.flatnonzero((is_full | is_zero) & is_stamp)
    values = np.zeros(len(chosen))
    full = is_full[chosen]
    values[full] = _words_at(octets, at[chosen][full] + 3)
    return _Fast(chosen, at[chosen], times[chosen], values)


def _times_before(octets: NDArray[np.uint8], ends: Int64s) -> tuple[NDArray[np.bool_], Int64s]:
    """Whether a number of six bytes ends at each place, and the number. No place may be before the eighth byte."""
    # Six bytes of seven bits each, the least first; only the last has no bit on top.
    words = _words_at(octets, ends - 8).view(np.int64) >> 16
    times = words & 0x7F
    for place in range(1, _TS_BYTES):
        times |= (words >> place) & (0x7F << 7 * place)
    return words & 0x808080808080 == 0x8080808080, times


def _words_at(octets: NDArray[np.uint8], places: Int64s) -> Float64s:
    """The float64 that stands at each place."""
    return np.ascontiguousarray(octets[places[:, None] + _EIGHT]).view("<f8").reshape(-1)


def _read_series(body: bytes, at: int, end: int, index: int, out: Slow) -> None:
    labels: list[bytes] = []
    samples: list[tuple[int, float]] = []
    for one in fields(PROTOCOL, body, at, end):
        if one.wire != BYTES:
            continue
        if one.number == 1:
            labels.append(b"\x0a" + length(one.stop - one.start) + body[one.start : one.stop])
        elif one.number == 2:
            samples.append(read_sample(PROTOCOL, body, one))
            check_samples(len(samples))
        elif one.number == 3:
            out.exemplars += 1
        elif one.number == 4:
            out.histograms += 1
    out.add(b"".join(labels), index, samples)


def read_sample(protocol: str, body: bytes, message: Field) -> tuple[int, float]:
    """Time and value of a Sample message, which are the same fields in 1.0 and 2.0."""
    ts_ms, value = 0, 0.0
    for one in fields(protocol, body, message.start, message.stop):
        if one.number == 1 and one.wire == FIXED64:
            value = double(body, one)
        elif one.number == 2 and one.wire == VARINT:
            ts_ms = signed(one.value)
    return ts_ms, value


def _metadata(body: bytes, message: Field) -> Metadata:
    texts = {2: "", 4: "", 5: ""}
    kind = 0
    for one in fields(PROTOCOL, body, message.start, message.stop):
        if one.number == 1 and one.wire == VARINT:
            kind = one.value
        elif one.number in texts and one.wire == BYTES:
            texts[one.number] = clean_text(body[one.start : one.stop])
    return Metadata(texts[2], kind_of(kind), texts[4], texts[5])


def kind_of(number: int) -> str:
    """The name of a metric type."""
    return KINDS[number] if number < len(KINDS) else "unknown"


def clean_text(text: bytes) -> str:
    """Text for people, whatever the sender made of it."""
    return text.decode(errors="replace").replace("\0", "")


def _decoded(plain: _Plain, slow: Slow, metadata: Sequence[Metadata]) -> Decoded:
    first = len(plain.keys)
    numbers = np.arange(first, dtype=np.int32)
    if not slow.keys:
        batch = Batch(plain.keys, numbers, plain.ts_ms, plain.values, plain.positions, metadata=metadata)
        return Decoded(batch, slow.histograms, slow.exemplars)
    batch = slow.batch(metadata)
    return Decoded(
        Batch(
            keys=[*plain.keys, *batch.keys],
            series=np.concatenate((numbers, batch.series + np.int32(first))),
            ts_ms=np.concatenate((plain.ts_ms, batch.ts_ms)),
            values=np.concatenate((plain.values, batch.values)),
            positions=np.concatenate((plain.positions, slow.positions)).astype(np.int32),
            metadata=metadata,
        ),
        slow.histograms,
        slow.exemplars,
    )
