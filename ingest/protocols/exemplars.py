"""Exemplars of a remote write request, 1.0 and 2.0: read apart from the samples, for few requests have any.

Source: prometheus/prompb types.proto (TimeSeries.exemplars = 3), io/prometheus/write/v2/types.proto (exemplars = 4).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

from app.domain.exemplars import Exemplar
from app.domain.labels import Labels, check_labels, decode_labels, encode_label, labels_of
from app.domain.samples import TOO_NEW, TOO_OLD, Rejection, Window
from app.errors import DecodeError
from ingest.protocols.bounds import check_items
from ingest.protocols.protobuf import BYTES, FIXED64, VARINT, Field, double, fields, signed, varint

PROTOCOL: Final = "remote_write"
# OpenMetrics allows 128 characters for the labels of one.
MOST_CHARS: Final = 128

Pairs = list[tuple[bytes, bytes]]


def decode(body: bytes, *, is_v2: bool, window: Window) -> tuple[list[Exemplar], list[Rejection]]:
    """The exemplars of a request that can be kept, and why others cannot, by the index of their series.

    The request has been decoded once, so that it is well-formed; raises DecodeError where it is not after all.
    """
    kept: list[Exemplar] = []
    rejected: list[Rejection] = []
    for index, (series, exemplar) in enumerate_exemplars(body, is_v2=is_v2):
        try:
            kept.append(_checked(series, exemplar, window))
        except ValueError as error:
            rejected.append(Rejection(index, f"exemplar: {error}"))
        check_items(len(kept) + len(rejected))
    return kept, rejected


def enumerate_exemplars(body: bytes, *, is_v2: bool) -> Iterator[tuple[int, tuple[Pairs, tuple[Pairs, int, float]]]]:
    """Each exemplar with the index and the labels of its series."""
    symbols = [body[one.start : one.stop] for one in fields(PROTOCOL, body, 0, len(body)) if one.number == 4]
    pairs_of: Callable[[bytes, Field, int], Pairs] = _referred(symbols) if is_v2 else _written
    series, labels, exemplars = (5, 1, 4) if is_v2 else (1, 1, 3)
    index = -1
    for each in fields(PROTOCOL, body, 0, len(body)):
        if each.number != series or each.wire != BYTES:
            continue
        index += 1
        parts = list(fields(PROTOCOL, body, each.start, each.stop))
        found = [part for part in parts if part.number == exemplars and part.wire == BYTES]
        if found:
            of_series = pairs_of(body, each, labels)
            yield from ((index, (of_series, _read(body, part, pairs_of))) for part in found)


def _read(body: bytes, message: Field, pairs_of: Callable[[bytes, Field, int], Pairs]) -> tuple[Pairs, int, float]:
    ts_ms, value = 0, 0.0
    for one in fields(PROTOCOL, body, message.start, message.stop):
        if one.number == 2 and one.wire == FIXED64:
            value = double(body, one)
        elif one.number == 3 and one.wire == VARINT:
            ts_ms = signed(one.value)
    return pairs_of(body, message, 1), ts_ms, value


def _written(body: bytes, message: Field, number: int) -> Pairs:
    """Labels as 1.0 writes them."""
    pairs = []
    for one in fields(PROTOCOL, body, message.start, message.stop):
        if one.number == number and one.wire == BYTES:
            parts = {part.number: body[part.start : part.stop] for part in fields(PROTOCOL, body, one.start, one.stop)}
            pairs.append((parts.get(1, b""), parts.get(2, b"")))
    return pairs


def _referred(symbols: Sequence[bytes]) -> Callable[[bytes, Field, int], Pairs]:
    """Labels as 2.0 writes them: references into a table."""

    def read(body: bytes, message: Field, number: int) -> Pairs:
        references: list[int] = []
        for one in fields(PROTOCOL, body, message.start, message.stop):
            if one.number == number and one.wire == VARINT:
                references.append(one.value)
            elif one.number == number and one.wire == BYTES:
                at = one.start
                while at < one.stop:
                    reference, at = varint(PROTOCOL, body, at, one.stop)
                    references.append(reference)
        if any(reference >= len(symbols) for reference in references) or len(references) % 2:
            raise DecodeError(PROTOCOL, "labels_refs", "there is no such symbol")
        texts = [symbols[reference] for reference in references]
        return list(zip(texts[::2], texts[1::2], strict=True))

    return read


def _checked(series: Pairs, exemplar: tuple[Pairs, int, float], window: Window) -> Exemplar:
    """The exemplar; raises ValueError when it cannot be kept."""
    pairs, ts_ms, value = exemplar
    of_series, labels = _labels(series), _labels(pairs)
    if reason := check_labels(of_series):
        raise ValueError(reason)
    if sum(len(name) + len(text) for name, text in labels) > MOST_CHARS:
        raise ValueError(f"its labels have more than {MOST_CHARS} characters")
    if any("\0" in name or "\0" in text for name, text in labels):
        raise ValueError("a NUL character in a label")
    if ts_ms < window.start_ms:
        raise ValueError(TOO_OLD)
    if ts_ms > window.end_ms:
        raise ValueError(TOO_NEW)
    return Exemplar(of_series, labels, ts_ms, value)


def _labels(pairs: Pairs) -> Labels:
    try:
        return labels_of(decode_labels(b"".join(encode_label(name, value) for name, value in pairs)))
    except DecodeError as error:
        raise ValueError(f"malformed labels: {error.why}") from None
