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

from app.domain.labels import MOST_LABELS, length
from app.domain.samples import Batch, Float64s, Int64s, Metadata
from app.errors import DecodeError
from ingest.protocols.bounds import check_items, check_samples
from ingest.protocols.protobuf import BYTES, FIXED64, VARINT, Field, double, fields, signed

PROTOCOL: Final = "remote_write"
CONTENT_TYPE: Final = "application/x-protobuf"
MESSAGE: Final = "prometheus.WriteRequest"
KINDS: Final = ("unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")

# A sample message with its tag: tag 2, length 16, double tag, 8 bytes, int64 tag, 6 varint bytes. Six bytes hold the
# milliseconds from 1971 to 2109. A value of 0 is left out by writers of proto3.
_TAIL: Final = 18
_TAIL_OF_ZERO: Final = 9
_TS_BYTES: Final = 6
_SHIFTS: Final = np.arange(0, 7 * _TS_BYTES, 7, dtype=np.int64)
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
    """Where the series stand in the body, and the metadata that stood between them."""

    starts: list[int]
    stops: list[int]
    metadata: list[Metadata]


class _Fast(NamedTuple):
    """The series with one plain sample: which they are, where their labels end, and their samples."""

    chosen: NDArray[np.intp]
    label_ends: NDArray[np.int64]
    ts_ms: Int64s
    values: Float64s


def decode(body: bytes) -> Decoded:
    """The samples of a WriteRequest (decompressed); raises DecodeError when it is none.

    `positions` of the batch are indexes of time series in the request. Labels are not looked at.
    """
    spans = _spans_of(body)
    starts, stops = np.array(spans.starts, dtype=np.int64), np.array(spans.stops, dtype=np.int64)
    fast = _fast_series(np.frombuffer(body + bytes(_MARGIN), dtype=np.uint8), starts, stops)
    slow = Slow()
    others = np.setdiff1d(np.arange(len(starts)), fast.chosen, assume_unique=True)
    for index in others.tolist():
        _read_series(body, spans.starts[index], spans.stops[index], index, slow)
    fast_starts = starts[fast.chosen].tolist()
    keys = [body[start:end] for start, end in zip(fast_starts, fast.label_ends.tolist(), strict=True)]
    return _decoded(keys, fast, slow, spans.metadata)


def _spans_of(body: bytes) -> _Spans:
    starts: list[int] = []
    stops: list[int] = []
    metadata: list[Metadata] = []
    at, end = 0, len(body)
    try:
        while at < end:
            looked_at = min(end, at + _LOOK_EVERY)
            while at < looked_at:
                if body[at] == 0x0A and (size := body[at + 1]) < 0x80:
                    at += 2
                elif body[at] == 0x0A and body[at + 2] < 0x80:
                    size = size & 0x7F | body[at + 2] << 7
                    at += 3
                else:
                    at, size = _other_field(body, at, starts, stops, metadata)
                    continue
                starts.append(at)
                at += size
                stops.append(at)
            check_items(len(starts) + len(metadata))
    except IndexError:
        raise DecodeError(PROTOCOL, f"byte {at}", "cut off") from None
    if at > end:
        raise DecodeError(PROTOCOL, f"byte {end}", "cut off")
    return _Spans(starts, stops, metadata)


def _other_field(
    body: bytes, at: int, starts: list[int], stops: list[int], metadata: list[Metadata]
) -> tuple[int, int]:
    """Read a field of the request that is not a short series; answers where it ends, and 0."""
    one = next(fields(PROTOCOL, body, at, len(body)))
    if one.number == 1 and one.wire == BYTES:
        starts.append(one.start)
        stops.append(one.stop)
    elif one.number == 3 and one.wire == BYTES:
        metadata.append(_metadata(body, one))
    return one.stop, 0


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
    stamp = octets[np.maximum(stops, _TS_BYTES)[:, None] + np.arange(-_TS_BYTES, 0)]
    is_stamp = (stamp[:, :-1] >= 0x80).all(axis=1) & (stamp[:, -1] < 0x80)
    is_full = (
        (left == _TAIL)
        & (octets[at] == 0x12)
        & (octets[at + 1] == 16)
        & (octets[at + 2] == 0x09)
        & (octets[at + 11] == 0x10)
    )
    is_zero = (left == _TAIL_OF_ZERO) & (octets[at] == 0x12) & (octets[at + 1] == 7) & (octets[at + 2] == 0x10)
    chosen = np.flatnonzero((is_full | is_zero) & is_stamp)
    ts_ms = ((stamp[chosen] & np.uint8(0x7F)).astype(np.int64) << _SHIFTS).sum(axis=1)
    values = np.zeros(len(chosen))
    full = is_full[chosen]
    cells = at[chosen][full][:, None] + np.arange(3, 11)
    values[full] = np.ascontiguousarray(octets[cells]).view("<f8").reshape(-1)
    return _Fast(chosen, at[chosen], ts_ms, values)


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


def _decoded(keys: list[bytes], fast: _Fast, slow: Slow, metadata: Sequence[Metadata]) -> Decoded:
    first = len(keys)
    if not slow.keys:
        numbers = np.arange(first, dtype=np.int32)
        batch = Batch(keys, numbers, fast.ts_ms, fast.values, fast.chosen.astype(np.int32), metadata=metadata)
        return Decoded(batch, slow.histograms, slow.exemplars)
    batch = slow.batch(metadata)
    return Decoded(
        Batch(
            keys=[*keys, *batch.keys],
            series=np.concatenate((np.arange(first, dtype=np.int32), batch.series + np.int32(first))),
            ts_ms=np.concatenate((fast.ts_ms, batch.ts_ms)),
            values=np.concatenate((fast.values, batch.values)),
            positions=np.concatenate((fast.chosen.astype(np.int32), slow.positions)).astype(np.int32),
            metadata=metadata,
        ),
        slow.histograms,
        slow.exemplars,
    )
