"""Prometheus remote write 2.0: strings stand once in a table, series refer to them.

Source: Prometheus Remote-Write 2.0 specification; prometheus/prompb io/prometheus/write/v2/types.proto.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from app.domain.labels import MOST_LABELS, encode_label
from app.domain.samples import Metadata
from app.errors import DecodeError, TooLarge
from ingest.protocols.bounds import check_items, check_keys, check_samples
from ingest.protocols.protobuf import BYTES, VARINT, Field, fields, varint
from ingest.protocols.remote_write import Decoded, Slow, clean_text, kind_of, read_sample

PROTOCOL: Final = "remote_write"
MESSAGE: Final = "io.prometheus.write.v2.Request"
METRIC_NAME: Final = b"__name__"
# Symbols are labels and help texts; every series that refers to one gets a copy.
LONGEST_SYMBOL: Final = 65_536
MOST_KNOWN: Final = 500_000


class _Symbols:
    """The string table, and the label messages made of its pairs."""

    def __init__(self, table: list[bytes]) -> None:
        if table and table[0]:
            raise DecodeError(PROTOCOL, "symbols", "the first one is not empty")
        self.table = table
        self.labels: dict[tuple[int, int], bytes] = {}
        self.key_bytes = 0

    def at(self, reference: int) -> bytes:
        """The string of a reference."""
        if reference >= len(self.table):
            raise DecodeError(PROTOCOL, "symbols", f"there is no symbol {reference}")
        return self.table[reference]

    def key(self, references: Sequence[int]) -> bytes:
        """The series key of label references: name, value, name, value ..."""
        if len(references) % 2:
            raise DecodeError(PROTOCOL, "labels_refs", "a name without a value")
        # One label too many is enough to refuse the series.
        pairs = references[: 2 * MOST_LABELS + 2]
        key = b"".join(map(self._label, pairs[::2], pairs[1::2]))
        self.key_bytes += len(key)
        check_keys(self.key_bytes)
        return key

    def metric(self, references: Sequence[int]) -> str:
        """The metric that label references name."""
        values = (b for a, b in zip(references[::2], references[1::2], strict=True) if self.at(a) == METRIC_NAME)
        return clean_text(self.at(next(values, 0)))

    def _label(self, name: int, value: int) -> bytes:
        label = self.labels.get((name, value))
        if label is None:
            if len(self.labels) > MOST_KNOWN:
                self.labels.clear()
            label = self.labels[name, value] = encode_label(self.at(name), self.at(value))
        return label


def decode(body: bytes) -> Decoded:
    """The samples of a Request (decompressed); raises DecodeError when it is none."""
    table: list[bytes] = []
    series: list[Field] = []
    for one in fields(PROTOCOL, body, 0, len(body)):
        if one.wire == BYTES and one.number == 4:
            if one.stop - one.start > LONGEST_SYMBOL:
                raise TooLarge(f"a symbol is longer than {LONGEST_SYMBOL} bytes")
            table.append(body[one.start : one.stop])
        elif one.wire == BYTES and one.number == 5:
            series.append(one)
        check_items(max(len(series), len(table) // 4))
    symbols = _Symbols(table)
    out = Slow()
    metadata: dict[str, Metadata] = {}
    for index, one in enumerate(series):
        about = _read_series(body, one, index, symbols=symbols, out=out)
        if about is not None:
            metadata.setdefault(about.metric, about)
    return Decoded(out.batch(list(metadata.values())), out.histograms, out.exemplars)


def _read_series(body: bytes, message: Field, index: int, *, symbols: _Symbols, out: Slow) -> Metadata | None:
    references: list[int] = []
    samples: list[tuple[int, float]] = []
    description: Field | None = None
    for one in fields(PROTOCOL, body, message.start, message.stop):
        if one.number == 1 and one.wire == BYTES:
            references += _packed(body, one)
        elif one.number == 1 and one.wire == VARINT:
            references.append(one.value)
        elif one.number == 2 and one.wire == BYTES:
            samples.append(read_sample(PROTOCOL, body, one))
            check_samples(len(samples))
        elif one.number == 5 and one.wire == BYTES:
            description = one
        out.histograms += one.number == 3
        out.exemplars += one.number == 4
    out.add(symbols.key(references), index, samples)
    return None if description is None else _metadata(body, description, symbols.metric(references), symbols)


def _packed(body: bytes, message: Field) -> Sequence[int]:
    if message.stop - message.start > LONGEST_SYMBOL:
        raise TooLarge(f"the labels of a series take more than {LONGEST_SYMBOL} bytes")
    content = body[message.start : message.stop]
    if content.isascii():  # every byte is a number of its own
        return content
    numbers, at = [], 0
    while at < len(content):
        number, at = varint(PROTOCOL, content, at, len(content))
        numbers.append(number)
    return numbers


def _metadata(body: bytes, message: Field, metric: str, symbols: _Symbols) -> Metadata:
    numbers = {one.number: one.value for one in fields(PROTOCOL, body, message.start, message.stop)}
    about, unit = (clean_text(symbols.at(numbers.get(number, 0))) if numbers.get(number) else "" for number in (3, 4))
    return Metadata(metric, kind_of(numbers.get(1, 0)), about, unit)
