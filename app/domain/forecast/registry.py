"""The forecasters that need a series' own past alone, by name. To add one: a file beside this and a line here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.domain.forecast.base import Forecaster
from app.domain.forecast.decomposition import Decomposition
from app.domain.forecast.seasonal_naive import LastValue, SeasonalNaive
from app.domain.forecast.smoothing import SeasonalSmoothing, WeekProfile

NAIVE: Final = "seasonal_naive"
FORECASTERS: Final[Mapping[str, Forecaster]] = {
    each.name: each
    for each in (
        SeasonalNaive(1, NAIVE),
        SeasonalNaive(7, "weekly_naive"),
        SeasonalSmoothing(),
        WeekProfile(),
        Decomposition(),
        LastValue(),
    )
}
