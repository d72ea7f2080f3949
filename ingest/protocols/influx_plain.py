"""Plain lines of InfluxDB line protocol, many at once: no quotes, no escapes, single spaces, as agents write them.

Whatever is not plain is left to influx.py, which reads line by line and says what is wrong with one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.domain.labels import METRIC, encode_labels, labels_of
from app.domain.samples import Float64s
from ingest.protocols.bounds import check_keys

_COMMA, _EQUALS, _NEWLINE, _I = b",=\ni"
_SEPARATORS: Final = np.zeros(256, dtype=bool)
_SEPARATORS[[_COMMA, _EQUALS, _NEWLINE]] = True
_TO_COMMAS: Final = bytes.maketrans(b"=\n", b",,")
_OF_NUMBERS: Final = b"0123456789+-.eE,i"
_FRACTION: Final = np.zeros(256, dtype=bool)
_FRACTION[list(b".eE")] = True
# A sender's lines have the same tags and fields again and again. 2 kB a line of eight fields.
_LINES_KEPT: Final = 16_384
_LONGEST_KEPT: Final = 16_384

_read_numbers = msgspec.json.Decoder(list[float]).decode


class Plain(NamedTuple):
    """The numbers of some lines. `keys` and `values` stand side by side; `counts` says how many each line has."""

    keys: list[bytes]
    values: Float64s
    counts: NDArray[np.intp]


def read(heads: Sequence[bytes], fields: Sequence[bytes]) -> Plain | None:
    """Lines without quotes and backslashes, by measurement with tags and by fields; None when any is not plain."""
    text = b"\n".join(fields)
    octets = np.frombuffer(text, dtype=np.uint8)
    at = np.flatnonzero(_SEPARATORS[octets])
    separators = octets[at]
    ends = np.append(separators[1::2], np.uint8(_NEWLINE))
    # name = value, name = value, and nothing empty between.
    if not len(at) % 2 or (separators[::2] != _EQUALS).any() or (ends == _EQUALS).any():
        return None
    if at[0] == 0 or at[-1] == len(text) - 1 or (np.diff(at) == 1).any():
        return None
    pairs = text.translate(_TO_COMMAS).split(b",")
    values = _numbers(pairs[1::2])
    if values is None:
        return None
    stops = np.flatnonzero(ends == _NEWLINE) + 1
    keys: list[bytes] = []
    names, first, total = pairs[::2], 0, 0
    for head, stop in zip(heads, stops.tolist(), strict=True):
        size = len(head) * (stop - first)
        check_keys(total := total + size)
        # What is long is not kept: senders of all tenants share this memory.
        keys_of = _keys_of if size <= _LONGEST_KEPT else _keys_of.__wrapped__
        of_line = keys_of(head, tuple(names[first:stop]))
        if of_line is None:
            return None
        keys += of_line
        first = stop
    return Plain(keys, values, np.diff(stops, prepend=0))


def _numbers(texts: list[bytes]) -> Float64s | None:
    """Numbers, of which whole ones may end in `i`; None when any is something else."""
    text = b",".join(texts)
    if text.translate(None, _OF_NUMBERS):
        return None
    if b"i" in text:
        octets = np.frombuffer(text, dtype=np.uint8)
        if _FRACTION[octets].any() and _has_broken_integer(octets):
            return None
        text = (text + b",").replace(b"i,", b",")[:-1]
        if b"i" in text:
            return None
    if b"-0," in text + b",":  # JSON reads a whole zero, which has no sign
        return _slowly(text)
    try:
        return np.array(_read_numbers(b"[" + text + b"]"), dtype=np.float64)
    except msgspec.DecodeError:  # such as `.5`, `+1` and `007`, which JSON does not have
        return _slowly(text)


def _slowly(text: bytes) -> Float64s | None:
    try:
        return np.array([float(each) for each in text.split(b",")], dtype=np.float64)
    except ValueError:
        return None


def _has_broken_integer(octets: NDArray[np.uint8]) -> bool:
    """Whether a number that ends in `i` has a fraction or an exponent."""
    so_far = np.cumsum(_FRACTION[octets])
    commas = np.append(np.flatnonzero(octets == _COMMA), len(octets))
    fractions = np.diff(so_far[commas - 1], prepend=0)
    return bool((fractions[octets[commas - 1] == _I] > 0).any())


@lru_cache(maxsize=_LINES_KEPT)
def _keys_of(head: bytes, names: tuple[bytes, ...]) -> tuple[bytes, ...] | None:
    """The series key of each field of a line; None when the tags are no plain tags."""
    measurement, *tags = head.decode().split(",")
    pairs = [tag.split("=") for tag in tags]
    if not measurement or any(len(pair) != 2 or not all(pair) for pair in pairs):
        return None
    labels = {name: value for name, value in pairs}  # noqa: C416  pairs are lists
    return tuple(encode_labels(labels_of({**labels, METRIC: f"{measurement}_{name.decode()}"})) for name in names)
