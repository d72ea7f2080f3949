"""Which stored series a line of a chart is, where it is exactly one: nothing is added up, compared or renamed.

And the other way round: the selector that selects one series.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from app.domain.labels import METRIC, Labels, MatchOp, labels_of, value_of
from app.promql.nodes import Binary, Call, Kind, Negate, Node, RangeSelector, Selector, kind_of
from app.promql.parse import parse

# What these answer has other labels than what they read, or none.
_RENAMING: Final = frozenset(
    {
        "absent", "absent_over_time", "histogram_fraction", "histogram_quantile", "histogram_quantiles",
        "label_join", "label_replace", "scalar", "vector",
    }
)  # fmt: skip
_NAME = re.compile(r"[a-zA-Z_:][\w:]*", re.ASCII)


def bare_selector(expr: str) -> Selector | None:
    """The one selector whose series are the lines of `expr`, each by itself; None where lines are made of several.

    A selector that looks into the past (offset, @) is none either: its line's times are not the series'.
    Raises QueryError.

    >>> bare_selector("sum(rate(up[5m]))"), bare_selector("up / up"), bare_selector("up offset 1d")
    (None, None, None)
    >>> bare_selector("-rate(up[5m]) * 8").matchers[0].value
    'up'
    """
    return _bare(parse(expr))


def stored_labels(expr: str, lines: Sequence[Labels]) -> list[Labels | None]:
    """All labels of the stored series that each line of `expr` is; None for one that is not exactly one.

    Functions drop the metric's name: a selector that says it gives it back. Raises QueryError.
    """
    selector = bare_selector(expr)
    if selector is None:
        return [None] * len(lines)
    names = [its.value for its in selector.matchers if its.name == METRIC and its.op is MatchOp.EQUAL]
    found: list[Labels | None] = []
    for line in lines:
        name = value_of(line, METRIC) or (names[0] if names else "")
        found.append(labels_of({**dict(line), METRIC: name}) if name else None)
    return found


def selector_of(labels: Labels) -> str:
    """A selector of the series with these labels, in one spelling.

    >>> selector_of((("__name__", "up"), ("device", 'a"b')))
    'up{device="a\\\\"b"}'
    """
    name = value_of(labels, METRIC)
    inside = [(key, value) for key, value in labels if key != METRIC or not _NAME.fullmatch(name)]
    pairs = ", ".join(f'{key}="{_escaped(value)}"' for key, value in inside)
    return (name if _NAME.fullmatch(name) else "") + (f"{{{pairs}}}" if pairs else "")


def _bare(node: Node) -> Selector | None:
    match node:
        case Selector(offset_ms=0, at=None):
            return node
        case RangeSelector(selector=selector):
            return _bare(selector)
        case Negate(expr=expr):
            return _bare(expr)
        case Call(name=name, args=args) if name not in _RENAMING:
            return _only([each for each in args if kind_of(each) in (Kind.VECTOR, Kind.MATRIX)])
        case Binary(left=left, right=right):
            # With a number on one side the lines are those of the other.
            vectors = [each for each in (left, right) if kind_of(each) is Kind.VECTOR]
            return _only(vectors)
    return None


def _only(nodes: Sequence[Node]) -> Selector | None:
    return _bare(nodes[0]) if len(nodes) == 1 else None


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
