"""collectd's JSON, as its write_http plugin posts it: a list of value lists.

Metrics are named as collectd's own write_prometheus names them: `collectd_<plugin>[_<type>][_<data source>]`, with
`_total` for what only grows; the host is `instance`.
Source: collectd, src/utils/format_json/format_json.c and src/write_prometheus.c (5.12).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import isfinite
from typing import Final

import msgspec
import numpy as np

from app.domain.labels import METRIC, encode_labels, labels_of
from app.domain.samples import Batch, Rejection
from app.errors import DecodeError
from ingest.protocols.bounds import NOT_JSON, bounded, check_items, check_json, check_samples

PROTOCOL: Final = "collectd"
FURTHEST_S: Final = 9_000_000_000.0
GROWS: Final = frozenset({"counter", "derive", "absolute"})
_NOT_IN_NAMES: Final = re.compile(r"[^a-zA-Z0-9_:]")

Identity = tuple[str, str, str, str, str, str, bool]


class ValueList(msgspec.Struct):
    """What one plugin read at one time."""

    values: list[float | None]
    dstypes: list[str]
    dsnames: list[str]
    time: float
    host: str
    plugin: str
    type: str
    plugin_instance: str = ""
    type_instance: str = ""


_read_items = msgspec.json.Decoder(list[msgspec.Raw]).decode
_read_item = msgspec.json.Decoder(ValueList).decode


def decode(body: bytes) -> Batch:
    """The samples of a list of value lists; bad ones are in `rejected`, by their index.

    Raises DecodeError when the body is no JSON list, TooLarge when it has too many items.
    """
    check_json(body)
    try:
        items = _read_items(body)
    except NOT_JSON as error:
        raise DecodeError(PROTOCOL, "body", str(error)) from None
    check_items(len(items))
    numbers: dict[Identity, int] = {}
    series, ts_ms, values, positions = list[int](), list[int](), list[float](), list[int]()
    rejected: list[Rejection] = []
    for index, item in enumerate(items):
        try:
            read = _read_item(item)
            moment = _check(read)
        except (*NOT_JSON, ValueError) as error:
            rejected.append(Rejection(index, str(error)))
            continue
        for kind, source, value in zip(read.dstypes, read.dsnames, read.values, strict=True):
            if value is None:  # collectd's word for "no value"
                continue
            series.append(numbers.setdefault(_identity(read, kind, source), len(numbers)))
            ts_ms.append(moment)
            values.append(value)
            positions.append(index)
        check_samples(len(values))
    return Batch(
        keys=bounded(_key(*identity) for identity in numbers),
        series=np.array(series, dtype=np.int32),
        ts_ms=np.array(ts_ms, dtype=np.int64),
        values=np.array(values, dtype=np.float64),
        positions=np.array(positions, dtype=np.int32),
        rejected=rejected,
    )


def _check(read: ValueList) -> int:
    """The time in ms; raises ValueError."""
    sizes: Sequence[int] = (len(read.values), len(read.dstypes), len(read.dsnames))
    if len(set(sizes)) > 1:
        raise ValueError(f"{sizes[0]} values, {sizes[1]} dstypes and {sizes[2]} dsnames")
    if not read.plugin or not read.type:
        raise ValueError("no plugin or no type")
    if not isfinite(read.time) or abs(read.time) > FURTHEST_S:
        raise ValueError("time is out of range")
    return round(read.time * 1000)


def _identity(read: ValueList, kind: str, source: str) -> Identity:
    return read.plugin, read.type, source, read.host, read.plugin_instance, read.type_instance, kind in GROWS


def _key(  # noqa: PLR0917  the parts of an Identity, in its order
    plugin: str, type_: str, source: str, host: str, plugin_instance: str, type_instance: str, grows: bool
) -> bytes:
    words = ["collectd", plugin]
    words += [type_] if type_ != plugin else []
    words += [source] if source != "value" else []
    words += ["total"] if grows else []
    plain = _NOT_IN_NAMES.sub("_", plugin)
    labels = {METRIC: _NOT_IN_NAMES.sub("_", "_".join(words)), "instance": host}
    if plugin_instance:
        labels[plain] = plugin_instance
    if type_instance:
        labels["type" if plugin_instance else plain] = type_instance
    return encode_labels(labels_of(labels))
