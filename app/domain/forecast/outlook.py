"""What forecasts of hourly values are like for those who read them: lengths, what is lacking, how good they were."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from app.domain.samples import Float64s

HOUR_MS: Final = 3_600_000
SEASON_H: Final = 24
HORIZON_H: Final = 48
# How much past is read: what the features of the global model reach back, and a backtest.
HISTORY_H: Final = 35 * 24
# With less known hours nothing is said.
LEAST_H: Final = 72
# A series that has been silent for so long has ended.
SILENT_H: Final = 24

# What one question may bring or ask for.
MOST_SERIES: Final = 50
MOST_POINTS: Final = 100_000
MOST_HORIZON: Final = 1_000


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Counts over points that were foretold: how many, how many in the ranges, and the sums of scaled errors."""

    series: int = 0
    points: int = 0
    inside80: int = 0
    inside95: int = 0
    error: float = 0.0
    naive_error: float = 0.0

    def __add__(self, other: Quality) -> Quality:
        return Quality(
            series=self.series + other.series,
            points=self.points + other.points,
            inside80=self.inside80 + other.inside80,
            inside95=self.inside95 + other.inside95,
            error=self.error + other.error,
            naive_error=self.naive_error + other.naive_error,
        )

    @property
    def coverage80(self) -> float | None:
        """The share of points inside the 80 % range; None without any point."""
        return self.inside80 / self.points if self.points else None

    @property
    def coverage95(self) -> float | None:
        """The share of points inside the 95 % range; None without any point."""
        return self.inside95 / self.points if self.points else None

    @property
    def mase(self) -> float | None:
        """Mean absolute error against that of seasonal naive on the same points; below 1 is better than it."""
        return self.error / self.naive_error if self.naive_error > 0 else None


def lacking_h(history: Float64s) -> NDArray[np.int64]:
    """How many more hours each series of (n, t) must be known before anything is said of it, (n,); 0 = enough."""
    return np.asarray(np.maximum(LEAST_H - np.isfinite(history).sum(axis=1), 0), dtype=np.int64)


def is_worth_it(history: Float64s) -> NDArray[np.bool_]:
    """Which series of (n, t) move and still come: one that never changed, or has ended, is not foretold."""
    known = np.isfinite(history)
    highest = np.where(known, history, -np.inf).max(axis=1, initial=-np.inf)
    lowest = np.where(known, history, np.inf).min(axis=1, initial=np.inf)
    return np.asarray((highest > lowest) & known[:, -SILENT_H:].any(axis=1))


def lacking_words(hours: int) -> str:
    """`5 more hours` or `3 more days` of history."""
    if hours < 48:
        return f"{hours} more hour{'' if hours == 1 else 's'}"
    return f"{-(-hours // 24)} more days"


@dataclass(frozen=True)
class Column:
    """One series that the caller brings: times (ms, ascending) and values, of the same length."""

    ts: list[int]
    values: list[float]
    labels: Mapping[str, str]


@dataclass(frozen=True)
class PredictQuestion:
    """What to continue: values that the caller brings, stored series, or the result of an expression.

    Stored series and expressions go on from `end_ms`, a full hour. Of an expression `only` these label sets are
    wanted, if any. `back_h` hours before it are answered too, as they were to be expected a day before.
    """

    series: Sequence[Column] = ()
    selector: str = ""
    expr: str = ""
    only: Sequence[Mapping[str, str]] = ()
    family: str = ""
    horizon: int = HORIZON_H
    season: int = SEASON_H
    end_ms: int = 0
    back_h: int = 0


@dataclass(frozen=True)
class Predicted:
    """A series and what it will be: `ts` (ms, ends of steps), the expected values and the ranges; all of one length.

    `lacking_h`: how many more steps of history are needed; then there is nothing else. `from_ts`: where the forecast
    begins; what is before it is what was expected a day before.
    """

    labels: Mapping[str, str]
    model: str = ""
    lacking_h: int = 0
    from_ts: int = 0
    ts: Sequence[int] = ()
    mean: Sequence[float] = ()
    lo80: Sequence[float] = ()
    hi80: Sequence[float] = ()
    lo95: Sequence[float] = ()
    hi95: Sequence[float] = ()
