"""InfluxDB line protocol (Telegraf): `measurement,tag=value field=1,other=2i 1700000000000000000`.

A field becomes the metric `measurement_field`, tags become labels; texts are no samples and are passed over.
Source: InfluxDB v2 reference, "Line protocol": elements, data types, escapes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np

from app.domain.labels import METRIC, encode_labels, labels_of
from app.domain.samples import Batch, Rejection
from app.errors import DecodeError

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
FURTHEST_MS: Final = 9_000_000_000_000

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
    try:
        lines = body.decode().split("\n")
    except UnicodeDecodeError as error:
        raise DecodeError(PROTOCOL, f"byte {error.start}", "not UTF-8") from None
    numbers: dict[tuple[str, str], int] = {}
    series, ts_ms, values, positions, rejected = [], [], [], [], []
    for index, line in enumerate(lines):
        stripped = line.strip(" \t\r")
        if not stripped or stripped.startswith("#"):
            continue
        try:
            head, fields, moment = _parts_of(stripped, PRECISIONS[precision], now_ms)
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


def _parts_of(line: str, unit: tuple[int, int], now_ms: int) -> tuple[str, str, int]:
    """Measurement with tags, fields, and the time in ms."""
    head = _HEAD.match(line)
    fields = _FIELDS.match(line, head.end()) if head else None
    if head is None or fields is None:
        raise LineError("no fields")
    stamp = line[fields.end() :].strip()
    if not stamp:
        return head[1], fields[1], now_ms
    if not _INTEGER.fullmatch(stamp):
        raise LineError("the time is not a whole number")
    if len(stamp) > 20 or abs(moment := int(stamp) * unit[0] // unit[1]) > FURTHEST_MS:
        raise LineError("the time is out of range: is the precision right?")
    return head[1], fields[1], moment


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
    keys, reasons = [], {}
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
