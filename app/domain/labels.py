"""Labels, matchers and series keys.

Labels are a tuple of (name, value) pairs, ascending by name, without empty values: hashable, small,
and equal when the series is the same. The metric's name is the label `__name__`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import re2

from app.errors import DecodeError, InvalidInput

METRIC = "__name__"

Labels = tuple[tuple[str, str], ...]


def labels_of(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> Labels:
    """The labels in canonical form: sorted by name, empty values left out."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return tuple(sorted([pair for pair in items if pair[1]]))


def value_of(labels: Labels, name: str) -> str:
    """The value of one label; the empty string when it is absent."""
    for key, value in labels:
        if key == name:
            return value
    return ""


class MatchOp(StrEnum):
    """How a matcher compares; regular expressions are RE2 and anchored at both ends."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True)
class Matcher:
    """One condition on one label; an absent label counts as the empty string."""

    name: str
    op: MatchOp
    value: str
    _pattern: Any = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        if self.op in (MatchOp.REGEX, MatchOp.NOT_REGEX):
            # RE2 and not `re`: its time is linear, so a tenant's expression cannot hang a worker.
            try:
                pattern = re2.compile(f"(?s:{self.value})")
            except re2.error as error:
                raise InvalidInput(self.name, f"bad regular expression {self.value!r}: {error}") from error
            object.__setattr__(self, "_pattern", pattern)

    def matches(self, value: str) -> bool:
        """Whether a label with this value satisfies the condition."""
        match self.op:
            case MatchOp.EQUAL:
                return value == self.value
            case MatchOp.NOT_EQUAL:
                return value != self.value
            case MatchOp.REGEX:
                return self._pattern.fullmatch(value) is not None
            case MatchOp.NOT_REGEX:
                return self._pattern.fullmatch(value) is None


# What a series may carry; see check_labels().
MOST_LABELS = 64
LONGEST_NAME = 256
LONGEST_VALUE = 4096


@dataclass(frozen=True)
class LabelLimits:
    """What the labels of one series may be at most; names and values in characters."""

    labels: int = MOST_LABELS
    name_chars: int = LONGEST_NAME
    value_chars: int = LONGEST_VALUE


WIDEST = LabelLimits()


def encode_labels(labels: Labels) -> bytes:
    """The key of a series: its labels as the concatenated protobuf `Label` messages of remote write.

    Canonical when `labels` come from labels_of(). A well-formed remote-write series therefore carries its own
    key, byte for byte (prometheus/prompb types.proto: TimeSeries.labels = 1, Label.name = 1, Label.value = 2).
    """
    return b"".join([_encoded(name, value) for name, value in labels])


def encode_label(name: bytes, value: bytes) -> bytes:
    """One label of a series key."""
    body = b"\x0a" + length(len(name)) + name + b"\x12" + length(len(value)) + value
    return b"\x0a" + length(len(body)) + body


def decode_labels(key: bytes) -> Labels:
    """The labels of a series key, in the order in which they stand there; the inverse of encode_labels().

    Raises DecodeError when `key` is not a sequence of protobuf `Label` messages in UTF-8.
    """
    pairs = []
    at, end = 0, len(key)
    while at < end:
        at, stop = _field(key, at, b"\x0a", end)
        name_at, name_end = _field(key, at, b"\x0a", stop)
        value_at, value_end = _field(key, name_end, b"\x12", stop) if name_end < stop else (name_end, name_end)
        if value_end != stop:
            raise DecodeError("labels", f"byte {value_end}", "more than a name and a value")
        try:
            pairs.append((key[name_at:name_end].decode(), key[value_at:value_end].decode()))
        except UnicodeDecodeError:
            raise DecodeError("labels", f"byte {at}", "not UTF-8") from None
        at = stop
    return tuple(pairs)


def check_labels(labels: Labels, limits: LabelLimits = WIDEST) -> str | None:
    """Why a series with these labels cannot be taken, in a few words; None when it can.

    Names and values are any UTF-8 without NUL, as Prometheus 3 has it; the metric's name is required.
    """
    names = [name for name, _ in labels]
    if len(labels) > limits.labels:
        return f"more than {limits.labels} labels"
    if len(set(names)) < len(names):
        return "the same label twice"
    if not value_of(labels, METRIC):
        return "no metric name"
    return next((reason for name, value in labels if (reason := _fault_of(name, value, limits))), None)


def _fault_of(name: str, value: str, limits: LabelLimits) -> str | None:
    if not name:
        return "a label without a name"
    if len(name) > limits.name_chars:
        return f"a label name longer than {limits.name_chars} characters"
    if len(value) > limits.value_chars:
        return f"a label value longer than {limits.value_chars} characters"
    # jsonb cannot hold it, and no exporter means it.
    return "a NUL character in a label" if "\0" in name or "\0" in value else None


@lru_cache(maxsize=8_192)
def _encoded(name: str, value: str) -> bytes:
    """A series has labels of its own, but shares each of them with many: encoding them anew is most of the work."""
    return encode_label(name.encode(), value.encode())


def length(size: int) -> bytes:
    """A length as protobuf writes it: a varint."""
    out = bytearray()
    while size > 0x7F:
        out.append(size & 0x7F | 0x80)
        size >>= 7
    out.append(size)
    return bytes(out)


def _field(data: bytes, at: int, tag: bytes, end: int) -> tuple[int, int]:
    """Where the content of the length-delimited field at `at` begins and ends; it must carry `tag`."""
    if data[at : at + 1] != tag or at >= end:
        raise DecodeError("labels", f"byte {at}", "not a label")
    size = shift = 0
    for place in range(at + 1, min(at + 6, end)):
        size |= (data[place] & 0x7F) << shift
        shift += 7
        if data[place] < 0x80:
            if place + 1 + size > end:
                break
            return place + 1, place + 1 + size
    raise DecodeError("labels", f"byte {at}", "cut off")
