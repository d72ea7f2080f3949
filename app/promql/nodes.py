"""The tree of a query, as the engine walks it: frozen, typed, free of the parser's own types."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.domain.labels import Matcher


class At(StrEnum):
    """Where `@ start()` and `@ end()` pin a selector."""

    START = "start"
    END = "end"


@dataclass(frozen=True)
class Number:
    """A number literal; a duration literal is its seconds."""

    value: float


@dataclass(frozen=True)
class Text:
    """A string literal."""

    value: str


@dataclass(frozen=True)
class Selector:
    """An instant vector selector. `offset_ms` shifts into the past; `at` is ms, an end of the query, or None."""

    matchers: tuple[Matcher, ...]
    offset_ms: int = 0
    at: int | At | None = None


@dataclass(frozen=True)
class RangeSelector:
    """A selector with a range: the samples in (t - range, t]."""

    selector: Selector
    range_ms: int


@dataclass(frozen=True)
class Subquery:
    """An expression evaluated at its own steps over a range; `step_ms` None is the default interval."""

    expr: Node
    range_ms: int
    step_ms: int | None
    offset_ms: int = 0
    at: int | At | None = None


@dataclass(frozen=True)
class Negate:
    """Unary minus."""

    expr: Node


@dataclass(frozen=True)
class Matching:
    """How two vectors are joined. `on` says whether `labels` are those that count or those that do not.

    `many` is the side that may have several series per match ("left", "right"), None for one-to-one;
    `include` are the labels copied from the other side.
    """

    on: bool = False
    labels: tuple[str, ...] = ()
    many: str | None = None
    include: tuple[str, ...] = ()


@dataclass(frozen=True)
class Binary:
    """A binary operation; `is_bool` turns a comparison into 0 and 1."""

    op: str
    left: Node
    right: Node
    matching: Matching
    is_bool: bool


@dataclass(frozen=True)
class Aggregate:
    """An aggregation over the series of one vector, by or without `labels`."""

    op: str
    expr: Node
    param: Node | None
    labels: tuple[str, ...]
    without: bool


@dataclass(frozen=True)
class Call:
    """A function and its arguments."""

    name: str
    args: tuple[Node, ...]


Node = Number | Text | Selector | RangeSelector | Subquery | Negate | Binary | Aggregate | Call


class Kind(StrEnum):
    """Prometheus's four value types, by the names it uses in messages."""

    SCALAR = "scalar"
    STRING = "string"
    VECTOR = "instant vector"
    MATRIX = "range vector"


SCALAR_FUNCTIONS = frozenset({"scalar", "time", "pi", "step", "start", "end", "range", "min_of", "max_of"})


def kind_of(node: Node) -> Kind:  # noqa: PLR0911  one branch per kind of node
    """The type of value that a node has."""
    match node:
        case Number():
            return Kind.SCALAR
        case Text():
            return Kind.STRING
        case RangeSelector() | Subquery():
            return Kind.MATRIX
        case Call(name=name):
            return Kind.SCALAR if name in SCALAR_FUNCTIONS else Kind.VECTOR
        case Negate(expr=expr):
            return kind_of(expr)
        case Binary(left=left, right=right):
            both = {kind_of(left), kind_of(right)}
            return Kind.SCALAR if both == {Kind.SCALAR} else Kind.VECTOR
        case Selector() | Aggregate():
            return Kind.VECTOR
