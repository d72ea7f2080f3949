"""Our own JSON: `{"samples": [rows]}` or `{"series": [columns]}`; INTERFACE says what a row and a column are.

The whole body is read with types first; only a body that has a bad item is read item by item, to say which.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import lru_cache
from math import isfinite
from struct import Struct, pack
from typing import Final

import msgspec
import numpy as np

from app.domain.labels import METRIC, encode_labels, labels_of
from app.domain.samples import Batch, Int64s, Rejection
from app.errors import DecodeError, TooLarge
from ingest.protocols.bounds import MOST_ITEMS, NOT_JSON, check_json
from ingest.protocols.times import EPOCH, FURTHEST_MS, moment_of

PROTOCOL: Final = "ingest"
# Values that JSON has no number for.
SPECIAL: Final = {"NaN": float("nan"), "+Inf": float("inf"), "Inf": float("inf"), "-Inf": float("-inf")}
# Series of columns whose keys are kept, by the text of their labels: some 400 bytes each.
KEYS_KEPT: Final = 65_536


class OtherForm(DecodeError):
    """JSON that is neither rows nor columns, and may be another agent's."""


class Row(msgspec.Struct, gc=False):
    """One sample."""

    metric: str
    ts: int | float | str
    value: float | str
    labels: dict[str, str] = {}


class Column(msgspec.Struct, gc=False):
    """One series as most write it: times in ms, values as numbers.

    The times stay text at first, for an agent's series mostly have the same ones; so do labels, which come again.
    """

    metric: str
    ts: msgspec.Raw
    values: list[float]
    labels: msgspec.Raw = msgspec.Raw(b"{}")


class LooseColumn(msgspec.Struct):
    """One series as it may be written."""

    metric: str
    ts: list[int | float | str]
    values: list[float | str]
    labels: dict[str, str] = {}


class Body(msgspec.Struct):
    """A request: rows, or columns."""

    samples: list[Row] | None = None
    series: list[Column] | None = None


class LooseBody(msgspec.Struct):
    """A request whose items are read one by one."""

    samples: list[msgspec.Raw] | None = None
    series: list[msgspec.Raw] | None = None


class Parsed:
    """The good series of columns, in their order; `items` are their places in the request, `values` packed doubles."""

    def __init__(self) -> None:
        self.items: list[int] = []
        self.keys: list[bytes] = []
        self.ts_ms: list[Int64s] = []
        self.values: list[bytes] = []

    def add(self, item: int, key: bytes, ts_ms: Int64s, values: bytes) -> None:
        """One more."""
        self.items.append(item)
        self.keys.append(key)
        self.ts_ms.append(ts_ms)
        self.values.append(values)


_read_body = msgspec.json.Decoder(Body).decode
_read_loose_body = msgspec.json.Decoder(LooseBody).decode
_read_labels = msgspec.json.Decoder(dict[str, str]).decode
_read_times = msgspec.json.Decoder(list[int]).decode
_read_row = msgspec.json.Decoder(Row).decode
_read_column = msgspec.json.Decoder(LooseColumn).decode


def decode(body: bytes) -> Batch:
    """The samples of a request; bad items are in `rejected`, by their index in `samples` or `series`.

    Raises DecodeError when the body is not JSON of this form at all, TooLarge when it has too many items.
    """
    check_json(body)
    rejected: list[Rejection] = []
    try:
        read = _read_body(body)
        _check_form(read)
        if read.samples is not None:
            return _of_rows(enumerate(read.samples), rejected)
        return _of_columns(_even(read.series or (), rejected), rejected)
    except (msgspec.ValidationError, OverflowError):
        return _decode_loosely(body)
    except NOT_JSON as error:
        raise DecodeError(PROTOCOL, "body", str(error)) from None


def _decode_loosely(body: bytes) -> Batch:
    rejected: list[Rejection] = []
    try:
        read = _read_loose_body(body)
    except NOT_JSON as error:
        raise DecodeError(PROTOCOL, "body", str(error)) from None
    _check_form(read)
    if read.samples is not None:
        return _of_rows(_good_rows(read.samples, rejected), rejected)
    return _of_columns(_good_columns(read.series or (), rejected), rejected)


def _check_form(read: Body | LooseBody) -> None:
    if read.samples is None and read.series is None:
        raise OtherForm(PROTOCOL, "body", "needs either samples or series")
    if read.samples is not None and read.series is not None:
        raise DecodeError(PROTOCOL, "body", "needs either samples or series")
    if len(read.samples or read.series or ()) > MOST_ITEMS:
        raise TooLarge(f"the body has more than {MOST_ITEMS} items")


def _good_rows(items: Sequence[msgspec.Raw], rejected: list[Rejection]) -> Iterable[tuple[int, Row]]:
    for index, item in enumerate(items):
        try:
            yield index, _read_row(item)
        except NOT_JSON as error:
            rejected.append(Rejection(index, str(error)))


def _of_rows(rows: Iterable[tuple[int, Row]], rejected: list[Rejection]) -> Batch:
    numbers: dict[tuple[str, tuple[tuple[str, str], ...]], int] = {}
    series, ts_ms, values, positions = [], [], [], []
    for index, row in rows:
        try:
            moment, value = _time(row.ts), _number(row.value)
        except ValueError as error:
            rejected.append(Rejection(index, str(error)))
            continue
        identity = (row.metric, tuple(row.labels.items()))
        series.append(numbers.setdefault(identity, len(numbers)))
        ts_ms.append(moment)
        values.append(value)
        positions.append(index)
    return Batch(
        keys=[_key(metric, dict(labels)) for metric, labels in numbers],
        series=np.array(series, dtype=np.int32),
        ts_ms=np.array(ts_ms, dtype=np.int64),
        values=np.array(values, dtype=np.float64),
        positions=np.array(positions, dtype=np.int32),
        rejected=rejected,
    )


def _even(columns: Sequence[Column], rejected: list[Rejection]) -> Parsed:
    """The columns that have as many times as values."""
    good = Parsed()
    text, ts_ms, packed = msgspec.Raw(b"[]"), np.empty(0, dtype=np.int64), Struct("0d").pack
    for index, column in enumerate(columns):
        if column.ts != text:
            text = column.ts
            ts_ms = np.array(_read_times(text), dtype=np.int64)
            packed = Struct(f"{len(ts_ms)}d").pack
        values = column.values
        if len(ts_ms) == len(values):
            good.add(index, _key_of_text(column.metric, bytes(column.labels)), ts_ms, packed(*values))
        else:
            rejected.append(_uneven(index, len(ts_ms), len(values)))
    return good


def _good_columns(items: Sequence[msgspec.Raw], rejected: list[Rejection]) -> Parsed:
    good = Parsed()
    for index, item in enumerate(items):
        try:
            column = _read_column(item)
        except NOT_JSON as error:
            rejected.append(Rejection(index, str(error)))
            continue
        if len(column.ts) != len(column.values):
            rejected.append(_uneven(index, len(column.ts), len(column.values)))
            continue
        ts_ms, values = [], []
        for moment, value in zip(column.ts, column.values, strict=True):
            try:
                pair = _time(moment), _number(value)
            except ValueError as error:
                rejected.append(Rejection(index, str(error)))
                continue
            ts_ms.append(pair[0])
            values.append(pair[1])
        key = _key(column.metric, column.labels)
        good.add(index, key, np.array(ts_ms, dtype=np.int64), pack(f"{len(values)}d", *values))
    return good


def _of_columns(columns: Parsed, rejected: list[Rejection]) -> Batch:
    sizes = [len(times) for times in columns.ts_ms]
    return Batch(
        keys=columns.keys,
        series=np.repeat(np.arange(len(sizes), dtype=np.int32), sizes),
        ts_ms=np.concatenate(columns.ts_ms) if sizes else np.empty(0, dtype=np.int64),
        values=np.frombuffer(b"".join(columns.values)),
        positions=np.repeat(np.array(columns.items, dtype=np.int32), sizes),
        rejected=rejected,
    )


def _uneven(index: int, times: int, values: int) -> Rejection:
    return Rejection(index, f"{times} times but {values} values", max(times, values))


@lru_cache(maxsize=KEYS_KEPT)
def _key_of_text(metric: str, labels: bytes) -> bytes:
    return _key(metric, _read_labels(labels))


def _key(metric: str, labels: dict[str, str]) -> bytes:
    labels[METRIC] = metric
    return encode_labels(labels_of(labels))


def _time(ts: int | float | str) -> int:
    """Milliseconds since 1970; raises ValueError."""
    if isinstance(ts, str):
        return (moment_of(ts) - EPOCH) // timedelta(milliseconds=1)
    if not isfinite(ts) or abs(ts) > FURTHEST_MS:
        raise ValueError("ts is not a time in milliseconds")
    return int(ts)


def _number(value: float | str) -> float:
    """The value; raises ValueError."""
    if isinstance(value, str):
        try:
            return SPECIAL[value]
        except KeyError:
            raise ValueError("value is not a number") from None
    return value
