"""The labels of several series, and what queries ask of them again and again: worked out once, however often asked.

A source that keeps its label sets between queries keeps that with them; for 20,000 series it is 40 ms a query.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import chain

from app.domain.labels import METRIC, Labels, value_of
from app.promql.vectors import without_names


class LabelSets(tuple[Labels, ...]):
    """The labels of series, in order."""

    # What it was put together from, if it was.
    _pieces: tuple[LabelSets, ...] = ()

    @staticmethod
    def of(labels: Sequence[Labels]) -> LabelSets:
        """The same labels, with what is known of them."""
        return labels if isinstance(labels, LabelSets) else LabelSets(labels)

    @staticmethod
    def joined(pieces: Sequence[LabelSets]) -> LabelSets:
        """Those of all pieces, one after the other."""
        if len(pieces) == 1:
            return pieces[0]
        whole = LabelSets(chain.from_iterable(pieces))
        whole._pieces = tuple(pieces)
        return whole

    @cached_property
    def names(self) -> frozenset[str]:
        """The metrics' names; "" where there is none."""
        if self._pieces:
            return frozenset().union(*(piece.names for piece in self._pieces))
        # A name sorts before nearly every other label.
        return frozenset(one[0][1] if one and one[0][0] == METRIC else value_of(one, METRIC) for one in self)

    @cached_property
    def unnamed(self) -> LabelSets:
        """Each without the metric's name, type and unit."""
        if self._pieces:
            return LabelSets.joined([piece.unnamed for piece in self._pieces])
        return LabelSets(without_names(self))

    @cached_property
    def metric(self) -> str | None:
        """The name that all have, where it is all that `unnamed` takes away: different ones stay different then."""
        if self._pieces:
            names = {piece.metric for piece in self._pieces}
            return names.pop() if len(names) == 1 else None
        if (
            len(self.names) != 1
            or "" in self.names
            or not all(len(a) == len(b) + 1 for a, b in zip(self, self.unnamed, strict=True))
        ):
            return None
        return next(iter(self.names))
