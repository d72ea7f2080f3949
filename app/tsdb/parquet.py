"""Samples as Parquet, in both directions: one row a sample, sorted by series and time; lossless to the bit.

Columns: `metric` and `labels` (all labels as JSON, `__name__` too) as dictionaries, `ts_ms` int64, `value` float64.
DuckDB, for one, can ask them: `select … from 'tenant=1/**/*.parquet' where labels->>'device' = 'r1'`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from app.domain.labels import METRIC, Labels, labels_of, value_of
from app.domain.samples import Float64s, Int64s, is_absent
from app.errors import DecodeError
from app.promql.select import SeriesBlock

SCHEMA: Final = pa.schema(
    [
        ("metric", pa.dictionary(pa.int32(), pa.string())),
        ("labels", pa.dictionary(pa.int32(), pa.string())),
        ("ts_ms", pa.int64()),
        ("value", pa.float64()),
    ]
)
# Rows of one row group: what is taken apart and put together at once.
ROW_GROUP: Final = 1_000_000


@dataclass(frozen=True)
class Samples:
    """Samples of some series. `labels`: k, ascending. `series` (n,) index into it, `ts_ms`, `values` (n,).

    Sorted by series, then time; no two of one series and time.
    """

    labels: Sequence[Labels]
    series: NDArray[np.intp]
    ts_ms: Int64s
    values: Float64s

    def __len__(self) -> int:
        return len(self.values)

    def digest(self) -> str:
        """Says whether two are the same to the bit."""
        names = msgspec.json.encode([list(map(list, labels)) for labels in self.labels])
        state = hashlib.sha256(names)
        for column in (self.series.astype("<i8"), self.ts_ms.astype("<i8"), self.values.astype("<f8")):
            state.update(column.tobytes())
        return state.hexdigest()


_READ: Final = ["labels", "ts_ms", "value"]
_BROKEN: Final = (pa.ArrowException, msgspec.MsgspecError, KeyError, ValueError, OSError)
NO_SAMPLES: Final = Samples((), np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.int64), np.zeros(0))


def samples_of(blocks: Sequence[SeriesBlock]) -> Samples:
    """The samples of blocks, absent ones left out; of two for one series and time the later block's stays."""
    labels: list[Labels] = []
    pieces = []
    for block in blocks:
        columns, rows = np.nonzero(~is_absent(block.values).T)
        pieces.append((columns + len(labels), block.ts_ms[rows], block.values[rows, columns]))
        labels += block.labels
    return _sorted(labels, pieces)


def merged(first: Samples, second: Samples) -> Samples:
    """Both; of two samples for one series and time that of `second` stays."""
    shifted = second.series + len(first.labels)
    pieces = [(first.series, first.ts_ms, first.values), (shifted, second.ts_ms, second.values)]
    return _sorted([*first.labels, *second.labels], pieces)


def missing_from(present: Samples, wanted: Samples) -> Samples:
    """What of `wanted` has no sample of its series and time in `present`. All are of some hours, or of some series."""
    place = {labels: index for index, labels in enumerate(wanted.labels)}
    renamed = np.array([place.get(labels, -1) for labels in present.labels], dtype=np.int64)
    series = renamed[present.series] if len(present) else np.zeros(0, dtype=np.int64)
    times = np.concatenate([wanted.ts_ms, present.ts_ms])
    # One number for a series and time.
    first_ms, span = (int(times.min()), int(np.ptp(times)) + 1) if len(times) else (0, 1)
    there = (series * span + present.ts_ms - first_ms)[series >= 0]
    kept = ~np.isin(wanted.series.astype(np.int64) * span + wanted.ts_ms - first_ms, there)
    return Samples(wanted.labels, wanted.series[kept], wanted.ts_ms[kept], wanted.values[kept])


class Writer:
    """A file that is made piece by piece: row groups of at most ROW_GROUP samples. It is in memory as it is on disk."""

    def __init__(self) -> None:
        self.series = self.samples = 0
        self.first_ms, self.last_ms = 2**62, -(2**62)
        self._state = hashlib.sha256()
        self._sink: Any = pa.BufferOutputStream()
        self._writer: Any = pq.ParquetWriter(
            self._sink,
            SCHEMA,
            compression="zstd",
            use_dictionary=["metric", "labels"],
            column_encoding={"ts_ms": "DELTA_BINARY_PACKED", "value": "BYTE_STREAM_SPLIT"},
        )

    def write(self, samples: Samples) -> None:
        """Add the samples of some series, which are in no other piece."""
        for first in range(0, len(samples), ROW_GROUP):
            some = _rows(samples, slice(first, first + ROW_GROUP))
            self._state.update(some.digest().encode())
            self._writer.write_table(_table(some), row_group_size=len(some))
            self.first_ms = min(self.first_ms, int(some.ts_ms.min()))
            self.last_ms = max(self.last_ms, int(some.ts_ms.max()))
        self.series += len(samples.labels)
        self.samples += len(samples)

    def close(self) -> bytes:
        """The file."""
        self._writer.close()
        return bytes(self._sink.getvalue())

    def digest(self) -> str:
        """Says with digest_of() whether a file is this one to the bit."""
        return self._state.hexdigest()


def digest_of(content: bytes) -> str:
    """Writer.digest() of a file, read a row group at a time; raises DecodeError."""
    state = hashlib.sha256()
    for some in pieces_of(content):
        state.update(some.digest().encode())
    return state.hexdigest()


def pieces_of(content: bytes) -> Iterator[Samples]:
    """The samples of a file that a Writer made, a row group at a time; raises DecodeError."""
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        for number in range(file.num_row_groups):
            yield _samples(file.read_row_group(number, columns=_READ))
    except _BROKEN as error:
        raise DecodeError("parquet", "", f"unreadable: {error}") from error


def encode(samples: Samples) -> bytes:
    """The samples as a Parquet file."""
    writer = Writer()
    writer.write(samples)
    return writer.close()


def decode(content: bytes) -> Samples:
    """The samples of a file that a Writer made; raises DecodeError."""
    try:
        return _samples(pq.read_table(pa.BufferReader(content), columns=_READ))
    except _BROKEN as error:
        raise DecodeError("parquet", "", f"unreadable: {error}") from error


def _rows(samples: Samples, rows: slice) -> Samples:
    """Some rows, with the labels that stand there."""
    series = samples.series[rows]
    first, last = int(series[0]), int(series[-1])
    return Samples(samples.labels[first : last + 1], series - first, samples.ts_ms[rows], samples.values[rows])


def _table(samples: Samples) -> Any:
    names = pa.array([value_of(labels, METRIC) for labels in samples.labels], pa.string())
    texts = pa.array([msgspec.json.encode(dict(labels)).decode() for labels in samples.labels], pa.string())
    unique = names.dictionary_encode()
    metric_of = unique.indices.to_numpy(zero_copy_only=False).astype(np.int32)
    columns = [
        pa.DictionaryArray.from_arrays(pa.array(metric_of[samples.series]), unique.dictionary),
        pa.DictionaryArray.from_arrays(pa.array(samples.series.astype(np.int32)), texts),
        pa.array(samples.ts_ms),
        pa.array(samples.values),
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _samples(table: Any) -> Samples:
    coded = table.column("labels").combine_chunks().dictionary_encode()
    chunk: Any = coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded
    labels = [labels_of(msgspec.json.decode(text, type=dict[str, str])) for text in chunk.dictionary.to_pylist()]
    series = chunk.indices.to_numpy(zero_copy_only=False).astype(np.intp)
    ts_ms = table.column("ts_ms").to_numpy().astype(np.int64)
    return _sorted(labels, [(series, ts_ms, table.column("value").to_numpy().astype(np.float64))])


def _sorted(labels: Sequence[Labels], pieces: Sequence[tuple[NDArray[Any], Int64s, Float64s]]) -> Samples:
    """Labels that stand twice become one; the last of two samples for one series and time stays."""
    if not any(len(piece[2]) for piece in pieces):
        return NO_SAMPLES
    series, ts_ms, values = (np.concatenate(parts) for parts in zip(*pieces, strict=True))
    used = np.unique(series)
    unique = sorted({labels[index] for index in used.tolist()})
    place = {name: index for index, name in enumerate(unique)}
    renamed = np.full(len(labels), -1, dtype=np.intp)
    renamed[used] = [place[labels[index]] for index in used.tolist()]
    series = renamed[series]
    order = np.lexsort((ts_ms, series))
    series, ts_ms, values = series[order], ts_ms[order], values[order]
    is_last = np.append((series[1:] != series[:-1]) | (ts_ms[1:] != ts_ms[:-1]), True)
    return Samples(unique, series[is_last], ts_ms[is_last], values[is_last])
