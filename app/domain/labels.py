"""Labels, matchers and series keys.

Labels are a tuple of (name, value) pairs, ascending by name, without empty values: hashable, small,
and equal when the series is the same. The metric's name is the label `__name__`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import re2

from app.errors import InvalidInput

METRIC = "__name__"

Labels = tuple[tuple[str, str], ...]


def labels_of(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> Labels:
    """The labels in canonical form: sorted by name, empty values left out."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return tuple(sorted((name, value) for name, value in items if value))


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
