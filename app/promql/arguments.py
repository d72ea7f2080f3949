"""What a function of the language is given, and what it may answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.domain.labels import Labels
from app.domain.samples import Float64s, absent_array
from app.promql.label_sets import LabelSets
from app.promql.nodes import Node
from app.promql.vectors import Grid, Vectors, drop_empty, no_vectors, refuse_same
from app.promql.windows import Windows


@dataclass(frozen=True)
class Ranges:
    """A range vector: blocks of series with their windows at every step."""

    blocks: Sequence[tuple[Sequence[Labels], Windows]]
    steps: int
    check: Callable[[], None]

    def map(self, compute: Callable[[Windows], Float64s], *, keeps_name: bool = False) -> Vectors:
        """One value per series and step: what `compute` answers for each block, (steps, n) with ABSENT."""
        labels = LabelSets.joined([LabelSets.of(names) for names, _ in self.blocks])
        if not labels:
            return no_vectors(self.steps)
        values = absent_array((len(labels), self.steps))
        row = 0
        for names, windows in self.blocks:
            self.check()
            values[row : row + len(names)] = compute(windows).T
            row += len(names)
        result = drop_empty(Vectors(labels if keeps_name else labels.unnamed, values))
        # Not merged as elsewhere: two series that differ by name only are refused even if they never meet.
        if not keeps_name and labels.metric is None:
            refuse_same(result.labels)
        return result


Value = Vectors | Float64s | str | Ranges
"""Float64s here is a scalar at every step, (steps,)."""


@dataclass(frozen=True)
class Arguments:
    """The arguments of one call, evaluated at every step of `grid`; `nodes` are their expressions.

    `query` are the steps of the whole query, which differ from `grid` inside a subquery.
    """

    nodes: Sequence[Node]
    values: Sequence[Value]
    grid: Grid
    query: Grid
    warn: Callable[[str], None]
    inform: Callable[[str], None]

    def __len__(self) -> int:
        return len(self.values)

    def vectors(self, index: int) -> Vectors:
        """The argument as instant vectors."""
        value = self.values[index]
        assert isinstance(value, Vectors)
        return value

    def ranges(self, index: int) -> Ranges:
        """The argument as a range vector."""
        value = self.values[index]
        assert isinstance(value, Ranges)
        return value

    def scalar(self, index: int) -> Float64s:
        """The argument as a scalar at every step, (steps,)."""
        value = self.values[index]
        assert not isinstance(value, Vectors | Ranges | str)
        return value

    def text(self, index: int) -> str:
        """The argument as a string."""
        value = self.values[index]
        assert isinstance(value, str)
        return value


Function = Callable[[Arguments], Value]
