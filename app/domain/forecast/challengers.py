"""Forecasters that cost seconds a series, by name: for series that are few, short and of low frequency, or pinned.

Imports heavy libraries: workers and the command line load this, the web does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from app.domain.forecast.arima import AutoArima
from app.domain.forecast.base import Forecaster

CHALLENGERS: Final[Mapping[str, Forecaster]] = {each.name: each for each in (AutoArima(),)}
