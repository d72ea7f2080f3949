"""How far the values of features have moved from those of training: the population stability index.

Source: Siddiqi, Credit Risk Scorecards, 2006: sum over bins of (now - then) * ln(now / then); 0.1 is a small move,
0.25 a large one. Of what chance alone makes of few series the expectation, (bins - 1) * (1/n + 1/m), is taken off;
n and m are days of series.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from app.domain.forecast.features import NAMES, features
from app.domain.samples import Float64s

BINS: Final = 10
# A week, so that every day of it counts alike; and some hours of each day.
ORIGINS: Final = 7
STEPS: Final = (0, 8, 16, 24, 32, 40)
# The clock is not the network.
_CLOCK: Final = frozenset({"step", "slot"})
_LEAST: Final = 1e-4


@dataclass(frozen=True)
class Reference:
    """Of each feature the edges (9,) between its bins and the share of rows in each bin (10,), of `series` series."""

    edges: Mapping[str, Sequence[float]]
    shares: Mapping[str, Sequence[float]]
    series: int

    def to_document(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {
            "edges": {name: list(its) for name, its in self.edges.items()},
            "shares": {name: list(its) for name, its in self.shares.items()},
            "series": self.series,
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Back from JSON; raises KeyError where it is none."""
        return cls(document["edges"], document["shares"], int(document["series"]))


def reference_of(history: Float64s, *, season: int) -> Reference:
    """The spread of each feature over the last week of (n, t)."""
    rows = _rows(history, season)
    edges, shares = {}, {}
    for at, name in enumerate(NAMES):
        if name not in _CLOCK:
            values = rows[:, at][np.isfinite(rows[:, at])]
            cuts = np.quantile(values, np.linspace(0, 1, BINS + 1)[1:-1]) if len(values) else np.zeros(BINS - 1)
            edges[name] = [float(cut) for cut in cuts]
            shares[name] = _shares(rows[:, at], cuts)
    return Reference(edges, shares, len(history))


def index_of(reference: Reference, history: Float64s, *, season: int) -> dict[str, float]:
    """The index of each feature of the last week of (n, t) against the reference, 0 and above."""
    rows = _rows(history, season)
    # The days of a series count as independent, its hours do not.
    chance = (BINS - 1) / ORIGINS * (1 / max(reference.series, 1) + 1 / max(len(history), 1))
    found = {}
    for at, name in enumerate(NAMES):
        if name in reference.edges:
            now = np.maximum(_shares(rows[:, at], np.asarray(reference.edges[name])), _LEAST)
            then = np.maximum(np.asarray(reference.shares[name]), _LEAST)
            found[name] = max(float(((now - then) * np.log(now / then)).sum()) - chance, 0.0)
    return found


def _rows(history: Float64s, season: int) -> Float64s:
    """The features at the last origins, a season apart; (rows, k)."""
    horizon = max(STEPS) + 1
    found = []
    for back in range(ORIGINS):
        end = history.shape[1] - back * season
        if end >= season:
            rows = features(history[:, :end], horizon=horizon, season=season).rows
            found.append(rows.reshape(len(history), horizon, -1)[:, STEPS].reshape(-1, rows.shape[1]))
    return np.concatenate(found) if found else np.empty((0, len(NAMES)))


def _shares(values: Float64s, cuts: Float64s) -> list[float]:
    """The share of the finite values in each bin; a value on an edge lies above it."""
    there = values[np.isfinite(values)]
    counts = np.bincount(np.searchsorted(cuts, there, side="right"), minlength=BINS)
    return [float(count) for count in counts / max(len(there), 1)]
