"""The clock and the calendar, in UTC."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s
from app.promql.arguments import Arguments, Function
from app.promql.vectors import Grid, Vectors

Days = NDArray[np.int64]
SECONDS_A_DAY = 86_400

# What Prometheus (Go on amd64) makes of NaN, Inf and all that no int64 holds: the last second there is.
LAST_SECOND = 2**63 - 1


def time(arguments: Arguments) -> Float64s:
    """The evaluation time of each step, in seconds."""
    return arguments.grid.ts_ms / 1000


def of_query(read: Callable[[Grid], int]) -> Function:
    """A function that tells something (ms) about the steps of the whole query, in seconds."""
    return lambda arguments: np.full(arguments.grid.steps, read(arguments.query) / 1000)


def calendar(part: Callable[[NDArray[np.int64]], NDArray[np.int64]]) -> Function:
    """A function that reads `part` of times in whole seconds: of its vector's values, or of the steps themselves."""

    def function(arguments: Arguments) -> Vectors:
        if not len(arguments):
            seconds = arguments.grid.ts_ms // 1000
            return Vectors([()], part(seconds).astype(np.float64)[None, :])
        vectors = arguments.vectors(0)
        with np.errstate(invalid="ignore"):
            fits = np.abs(vectors.values) < 2.0**63
            whole = np.where(fits, np.trunc(vectors.values), 0.0).astype(np.int64)
        seconds = np.where(fits, whole, LAST_SECOND)
        return vectors.with_values(part(seconds).astype(np.float64)).without_names()

    return function


def minute(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 to 59."""
    return seconds // 60 % 60


def hour(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 to 23."""
    return seconds // 3600 % 24


def day_of_week(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """0 (Sunday) to 6; 1970 began on a Thursday."""
    return (seconds // SECONDS_A_DAY + 4) % 7


def day_of_month(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 to 31."""
    return _days(seconds) - _first_of(seconds, "M") + 1


def day_of_year(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 to 366."""
    return _days(seconds) - _first_of(seconds, "Y") + 1


def days_in_month(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """28 to 31."""
    months = _days(seconds).astype("datetime64[D]").astype("datetime64[M]")
    following = (months + np.timedelta64(1, "M")).astype("datetime64[D]").astype(np.int64)
    lengths: NDArray[np.int64] = following - months.astype("datetime64[D]").astype(np.int64)
    return lengths


def month(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """1 to 12."""
    months = _days(seconds).astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    numbers: NDArray[np.int64] = months % 12 + 1
    return numbers


def year(seconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """The year of the Gregorian calendar."""
    years = _days(seconds).astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64)
    numbers: NDArray[np.int64] = years + 1970
    return numbers


def _days(seconds: NDArray[np.int64]) -> Days:
    return seconds // SECONDS_A_DAY


def _first_of(seconds: NDArray[np.int64], unit: str) -> Days:
    """The day (since 1970) on which the month or year of each time began."""
    begun = _days(seconds).astype("datetime64[D]").astype(f"datetime64[{unit}]").astype("datetime64[D]")
    days: Days = begun.astype(np.int64)
    return days
