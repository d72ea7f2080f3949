"""InfluxDB line protocol (Telegraf): `measurement,tag=value field=1,other=2i 1700000000000000000`.

A field becomes the metric `measurement_field`, tags become labels; texts are no samples and are passed over.
Source: InfluxDB v2 reference, "Line protocol": elements, data types, escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from app.domain.labels import METRIC, encode_labels, labels_of
from app.domain.samples import Batch, Rejection
from app.errors import DecodeError
from ingest.protocols import influx_plain
from ingest.protocols.bounds import check_keys, check_lines
from ingest.protocols.times import FURTHEST_MS

PROTOCOL: Final = "influx"
# Units in a millisecond, or milliseconds in a unit: (multiply by, divide by).
PRECISIONS: Final[Mapping[str, tuple[int, int]]] = {
    **dict.fromkeys(("", "n", "ns"), (1, 1_000_000)),
    **dict.fromkeys(("u", "us", "µ"), (1, 1_000)),
    "ms": (1, 1),
    "s": (1_000, 1),
    "m": (60_000, 1),
    "h": (3_600_000, 1),
}
BOOLEANS: Final = {
    **dict.fromkeys(("t", "T", "true", "True", "TRUE"), 1.0),
    **dict.fromkeys(("f", "F", "false", "False", "FALSE"), 0.0),
}
COMMENT: Final = ord("#")

_NUMBER: Final = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
_INTEGER: Final = re.compile(r"[+-]?\d+")
# Parts of a line: what a separator ends unless a backslash stands before it, or quotes hold it.
_HEAD: Final = re.compile(r"((?:[^\\ ]|\\.)+) +")
_FIELDS: Final = re.compile(r'((?:[^\\" ]|\\.|"(?:[^"\\]|\\.)*")+)(?: +|$)')
_BY_COMMA: Final = re.compile(r'(?:[^\\",]|\\.|"(?:[^"\\]|\\.)*")+')
# Quotes mean nothing in measurements and tags.
_BY_TAG: Final = re.compile(r"(?:[^\\,]|\\.)+")
_PAIR: Final = re.compile(r"((?:[^\\=]|\\.)+)=(.*)", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\([,= \\\"])")


class LineError(ValueError):
    """What is wrong with one line."""


def decode(body: bytes, *, precision: str, now_ms: int) -> Batch:
    """The samples of some lines; bad lines are in `rejected`, by their index. Lines without a time are of `now_ms`.

    Raises DecodeError for a body that is not UTF-8 or a precision that nobody knows.
    """
    if precision not in PRECISIONS:
        raise DecodeError(PROTOCOL, "precision", f"{precision} is not one of ns, us, ms, s, m, h")
    check_lines(body)
    try:
        body.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(PROTOCOL, f"byte {error.start}", "not UTF-8") from None
    lines = [line.strip(b" \t\r") for line in body.split(b"\n")]
    unit = PRECISIONS[precision]
    plain, others = _plain_lines(lines, unit, now_ms)
    batch = _read_slowly(others, unit, now_ms)
    return _merged(plain, batch) if plain is not None else batch


def _plain_lines(
    lines: Sequence[bytes], unit: tuple[int, int], now_ms: int
) -> tuple[Batch | None, list[tuple[int, bytes]]]:
    """The samples of the plain lines, and the other lines that say something, each with its index."""
    indexes, parts, others = [], [], []
    for index, line in enumerate(lines):
        if not line or line[0] == COMMENT:
            continue
        split = line.split(b" ")
        if b'"' in line or b"\\" in line or not 1 < len(split) < 4 or not all(split):
            others.append((index, line))
        else:
            indexes.append(index)
            parts.append(split)
    moments = _moments({split[2] if len(split) > 2 else b"" for split in parts}, unit, now_ms)
    read = (
        influx_plain.read([split[0] for split in parts], [split[1] for split in parts]) if parts and moments else None
    )
    if read is None:
        return None, sorted([*others, *((index, lines[index]) for index in indexes)])
    of_line = np.array([moments[split[2] if len(split) > 2 else b""] for split in parts], dtype=np.int64)
    return Batch(
        keys=read.keys,
        series=np.arange(len(read.keys), dtype=np.int32),
        ts_ms=np.repeat(of_line, read.counts),
        values=read.values,
        positions=np.repeat(np.array(indexes, dtype=np.int32), read.counts),
    ), others


def _moments(stamps: set[bytes], unit: tuple[int, int], now_ms: int) -> dict[bytes, int]:
    """The time of each stamp in ms; none at all when any is no time."""
    try:
        return {stamp: _moment(stamp.decode(), unit, now_ms) for stamp in stamps}
    except LineError:
        return {}


def _read_slowly(lines: Sequence[tuple[int, bytes]], unit: tuple[int, int], now_ms: int) -> Batch:
    """The samples of lines read one by one; bad lines are in `rejected`."""
    numbers: dict[tuple[str, str], int] = {}
    series, ts_ms, values, positions, rejected = [], [], [], [], []
    for index, line in lines:
        try:
            head, fields, moment = _parts_of(line.decode(), unit, now_ms)
            for name, value in list(_numbers_of(fields)):
                series.append(numbers.setdefault((head, name), len(numbers)))
                ts_ms.append(moment)
                values.append(value)
                positions.append(index)
        except LineError as error:
            rejected.append(Rejection(index, str(error)))
    keys, reasons = _keys_of(numbers)
    batch = Batch(
        keys=keys,
        series=np.array(series, dtype=np.int32),
        ts_ms=np.array(ts_ms, dtype=np.int64),
        values=np.array(values, dtype=np.float64),
        positions=np.array(positions, dtype=np.int32),
        rejected=rejected,
    )
    return _without(batch, reasons) if reasons else batch


def _merged(one: Batch, other: Batch) -> Batch:
    """Both batches in the order of their lines: of two samples of one series and time the later line wins."""
    if not len(other):
        return replace(one, rejected=other.rejected)
    assert one.positions is not None
    assert other.positions is not None
    positions = np.concatenate((one.positions, other.positions))
    order = np.argsort(positions, kind="stable")
    return Batch(
        keys=[*one.keys, *other.keys],
        series=np.concatenate((one.series, other.series + np.int32(len(one.keys))))[order],
        ts_ms=np.concatenate((one.ts_ms, other.ts_ms))[order],
        values=np.concatenate((one.values, other.values))[order],
        positions=positions[order],
        rejected=other.rejected,
    )


def _parts_of(line: str, unit: tuple[int, int], now_ms: int) -> tuple[str, str, int]:
    """Measurement with tags, fields, and the time in ms."""
    head = _HEAD.match(line)
    fields = _FIELDS.match(line, head.end()) if head else None
    if head is None or fields is None:
        raise LineError("no fields")
    return head[1], fields[1], _moment(line[fields.end() :].strip(), unit, now_ms)


def _moment(stamp: str, unit: tuple[int, int], now_ms: int) -> int:
    if not stamp:
        return now_ms
    if not _INTEGER.fullmatch(stamp):
        raise LineError("the time is not a whole number")
    if len(stamp) > 20 or abs(moment := int(stamp) * unit[0] // unit[1]) > FURTHEST_MS:
        raise LineError("the time is out of range: is the precision right?")
    return moment


def _numbers_of(fields: str) -> Iterator[tuple[str, float]]:
    """The fields that are numbers or booleans."""
    at = 0
    for part in _BY_COMMA.finditer(fields):
        pair = _PAIR.fullmatch(part[0])
        if pair is None or not pair[2] or part.start() != at:
            raise LineError("a field without a value")
        at = part.end() + 1
        name, text = pair[1], pair[2]
        if text[0] == '"':
            continue
        if text in BOOLEANS:
            yield name, BOOLEANS[text]
        elif text[-1] in "iu" and _INTEGER.fullmatch(text[:-1]):
            yield name, float(text[:-1])
        elif _NUMBER.fullmatch(text):
            yield name, float(text)
        else:
            raise LineError("a field is neither a number, a boolean nor a quoted text")
    if at != len(fields) + 1:
        raise LineError("a field without a value")


def _keys_of(numbers: Mapping[tuple[str, str], int]) -> tuple[list[bytes], dict[int, str]]:
    """The series key of each (head, field), and what is wrong with some."""
    tags: dict[str, tuple[str, dict[str, str]] | None] = {}
    keys, reasons, total = [], {}, 0
    for (head, name), number in numbers.items():
        if head not in tags:
            tags[head] = _tags_of(head)
        parsed = tags[head]
        if parsed is None:
            reasons[number] = "a tag without a value"
            keys.append(b"")
            continue
        measurement, labels = parsed
        keys.append(encode_labels(labels_of({**labels, METRIC: f"{measurement}_{_plain(name)}"})))
        check_keys(total := total + len(keys[-1]))
    return keys, reasons


def _tags_of(head: str) -> tuple[str, dict[str, str]] | None:
    parts = _BY_TAG.findall(head)
    if not parts or sum(map(len, parts)) + len(parts) - 1 != len(head):
        return None
    pairs = [_PAIR.fullmatch(part) for part in parts[1:]]
    labels = {_plain(pair[1]): _plain(pair[2]) for pair in pairs if pair and pair[2]}
    return (_plain(parts[0]), labels) if len(labels) == len(pairs) else None


def _plain(text: str) -> str:
    return _ESCAPE.sub(r"\1", text) if "\\" in text else text


def _without(batch: Batch, reasons: Mapping[int, str]) -> Batch:
    """The batch without the samples of some series, which are told as refused."""
    assert batch.positions is not None
    bad = np.isin(batch.series, list(reasons))
    lines = np.unique(batch.positions[bad]).tolist()
    reason = next(iter(reasons.values()))
    return Batch(
        keys=batch.keys,
        series=batch.series[~bad],
        ts_ms=batch.ts_ms[~bad],
        values=batch.values[~bad],
        positions=batch.positions[~bad],
        rejected=[*batch.rejected, *(Rejection(line, reason) for line in lines)],
    )
