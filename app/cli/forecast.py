"""`forecast`: continue the series of a file, with ranges."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import numpy as np

from app.clock import monotonic_s
from app.domain.forecast import backtest
from app.domain.forecast.base import Forecast, Forecaster
from app.domain.forecast.challengers import challengers
from app.domain.forecast.longform import LongForm, aligned, step_of
from app.errors import InvalidInput

COLUMNS = ("unique_id", "ds", "y")
WRITTEN = ("unique_id", "ds", "model", "mean", "lo80", "hi80", "lo95", "hi95")
MOST_HORIZON = 10_000
ARIMA_S = 60.0


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--horizon", type=click.IntRange(1, MOST_HORIZON), required=True, help="Steps to forecast.")
@click.option("--season", type=click.IntRange(1, MOST_HORIZON), help="Steps of a season; by the step when left out.")
@click.option("--freq", help="The step: 5min, 1h, D; by the times when left out.")
@click.option("--arima", is_flag=True, help="Let auto_arima take part, for a minute at most; for few, short series.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Where to write; else standard output.")
def forecast(file: Path, *, horizon: int, season: int | None, freq: str | None, arima: bool, out: Path | None) -> None:
    """Forecast each series of FILE (columns unique_id, ds, y), its model chosen by backtest on the file.

    A series without any number is left out.
    """
    step = None if freq is None else step_of(freq)
    with file.open(newline="", encoding="utf-8-sig") as text:
        series = aligned(_rows(csv.DictReader(text)), step=step)
    expected, models = backtest.forecast(
        series.values, horizon=horizon, season=season or series.season(), more=_challengers() if arima else {}
    )
    lines = _lines(series, expected, models)
    if out is None:
        csv.writer(sys.stdout).writerows(lines)
        return
    with out.open("w", newline="", encoding="utf-8") as text:
        csv.writer(text).writerows(lines)


def _challengers() -> Mapping[str, Forecaster]:
    """auto_arima while there is time; a series that it could not look at at each origin goes without."""
    end_s = monotonic_s() + ARIMA_S
    return challengers(may_go_on=lambda: monotonic_s() < end_s)


def _rows(reader: csv.DictReader[str]) -> Iterator[tuple[str, str, str]]:
    missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
    if missing:
        raise InvalidInput("FILE", f"column {missing[0]} is missing; it needs {', '.join(COLUMNS)}")
    return ((row["unique_id"], row["ds"] or "", row["y"] or "") for row in reader)


def _lines(series: LongForm, expected: Forecast, models: list[str]) -> Iterator[tuple[str, ...]]:
    yield WRITTEN
    parts = (expected.mean, expected.lo80, expected.hi80, expected.lo95, expected.hi95)
    for i, name in enumerate(series.ids):
        if not np.isfinite(series.values[i]).any():
            continue
        for k, ds in enumerate(series.following(i, expected.mean.shape[1])):
            yield (name, ds, models[i], *(repr(float(part[i, k])) for part in parts))
