"""Forecasters that cost seconds a series, by name: for series that are few, short and of low frequency, or pinned.

Imports heavy libraries: workers and the command line load this, the web does not.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from app.domain.forecast.arima import AutoArima
from app.domain.forecast.base import Forecaster


def challengers(may_go_on: Callable[[], bool] = lambda: True) -> Mapping[str, Forecaster]:
    """The forecasters by name; each asks `may_go_on` before a series, and leaves the rest out once it says no."""
    return {each.name: each for each in (AutoArima(may_go_on),)}
