"""How use rises and falls over the day and the week, with its exact integral.

A profile is constant within each five minutes of the week and has the mean 1. Because its integral is known in
closed form, a counter can be asked for at any moment without summing up what went before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

WEEK_S: Final = 604_800
CELL_S: Final = 300
DAY_S: Final = 86_400


def _bump(hour: Floats, middle: float, width: float) -> Floats:
    """A smooth hill of height 1 round an hour of the day, midnight bridged."""
    distance = np.abs((hour - middle + 12) % 24 - 12)
    return np.asarray(np.exp(-0.5 * (distance / width) ** 2))


def _business(hour: Floats, weekday: Floats) -> Floats:
    work = 1 / (1 + np.exp(-(hour - 8.2) * 1.8)) * 1 / (1 + np.exp((hour - 17.8) * 1.4))
    lunch = 0.16 * _bump(hour, 12.6, 0.7)
    return np.asarray(0.22 + np.where(weekday < 5, work - lunch * work, 0.16 * work))


def _eyeball(hour: Floats, weekday: Floats) -> Floats:
    evening = 0.36 + 0.5 * _bump(hour, 20.6, 2.6) + 0.3 * _bump(hour, 14.0, 4.0)
    return np.asarray(evening * np.where(weekday >= 5, 1.1, 1.0))


def _datacentre(hour: Floats, weekday: Floats) -> Floats:
    return np.asarray(0.8 + 0.25 * _bump(hour, 15.0, 4.5) * np.where(weekday >= 5, 0.6, 1.0))


def _backup(hour: Floats, weekday: Floats) -> Floats:
    window = 1 / (1 + np.exp(-(hour - 1.0) * 6)) * 1 / (1 + np.exp((hour - 3.6) * 5))
    return np.asarray(0.35 + 2.2 * window * np.where(weekday == 6, 1.25, 1.0))


SHAPES: Final[Mapping[str, Callable[[Floats, Floats], Floats]]] = {
    "business": _business, "eyeball": _eyeball, "datacentre": _datacentre, "backup": _backup,
}  # fmt: skip


class Rhythm:
    """The profiles of several (shape, offset from UTC in s); times are seconds since a Monday, 00:00 UTC."""

    def __init__(self, kinds: tuple[tuple[str, int], ...]) -> None:
        middle = np.arange(CELL_S / 2, WEEK_S, CELL_S)
        columns = []
        for shape, offset_s in kinds:
            local = (middle + offset_s) % WEEK_S
            column = SHAPES[shape](local % DAY_S / 3600, local // DAY_S)
            columns.append(column / column.mean())
        self.cells = np.stack(columns, axis=1)  # (2016, k)
        self.sums = np.concatenate([np.zeros((1, len(kinds))), np.cumsum(self.cells * CELL_S, axis=0)])
        moments = self.cells * (middle * CELL_S)[:, None]
        self.moments = np.concatenate([np.zeros((1, len(kinds))), np.cumsum(moments, axis=0)])

    def value(self, t_s: Floats) -> Floats:
        """(t, k): the profiles at these times, mean 1 over a week."""
        return np.asarray(self.cells[(t_s % WEEK_S // CELL_S).astype(np.int64)])

    def integral(self, t_s: Floats) -> Floats:
        """(t, k): the integral of each profile from 0 to t, in seconds."""
        weeks, rest, cell = self._split(t_s)
        return np.asarray(weeks * WEEK_S + self._within(rest, cell))

    def first_moment(self, t_s: Floats) -> Floats:
        """(t, k): the integral of s * profile(s) from 0 to t, in s²; what growth in time needs."""
        weeks, rest, cell = self._split(t_s)
        start = cell[:, None] * CELL_S
        within = self.moments[cell] + self.cells[cell] * (rest**2 - start**2) / 2
        whole = WEEK_S * WEEK_S * weeks * (weeks - 1) / 2 + weeks * self.moments[-1]
        return np.asarray(whole + weeks * WEEK_S * self._within(rest, cell) + within)

    def _within(self, rest: Floats, cell: NDArray[np.int64]) -> Floats:
        return np.asarray(self.sums[cell] + self.cells[cell] * (rest - cell[:, None] * CELL_S))

    @staticmethod
    def _split(t_s: Floats) -> tuple[Floats, Floats, NDArray[np.int64]]:
        weeks = np.floor(t_s / WEEK_S)[:, None]
        rest = t_s[:, None] - weeks * WEEK_S
        return weeks, rest, (rest[:, 0] // CELL_S).astype(np.int64)
