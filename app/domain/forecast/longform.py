"""Series in long form (one row a value) as aligned arrays, and the times that follow them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np

from app.domain.samples import Float64s
from app.errors import InvalidInput

UNITS_S: Final = {
    "s": 1, "min": 60, "t": 60, "h": 3600, "d": 86_400, "w": 604_800,
}  # fmt: skip
DAY_S: Final = 86_400
# Steps that people mean; jittered times have a median near one of them, and a step that is a little wrong drifts away.
USUAL_S: Final = (1, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10_800, 14_400, 21_600, 43_200,
                  86_400, 604_800)  # fmt: skip
JITTER: Final = 0.1
MOST_STEPS: Final = 200_000
DEFAULT_SEASON: Final = 24


@dataclass(frozen=True, kw_only=True)
class LongForm:
    """Series by id; `values` (n, t) end at the newest value, NaN where a step has none; `last` and `step` are in
    seconds when `dated`, else in what `ds` counts."""

    ids: tuple[str, ...]
    values: Float64s
    last: Float64s
    step: float
    dated: bool

    def following(self, i: int, horizon: int) -> list[str]:
        """The `ds` of the next steps of series `i`, in the form it came in."""
        return [self._text(self.last[i] + (k + 1) * self.step) for k in range(horizon)]

    def season(self) -> int:
        """The season that goes with the step: a day, a week for days, a year for longer; 24 where `ds` only counts."""
        if not self.dated:
            return DEFAULT_SEASON
        if self.step < DAY_S:
            return max(1, round(DAY_S / self.step))
        return 7 if self.step < 7 * DAY_S else max(1, round(365.25 * DAY_S / self.step))

    def _text(self, at: float) -> str:
        if not self.dated:
            return str(round(at)) if at == round(at) else repr(float(at))
        return (datetime.fromtimestamp(0, UTC) + timedelta(seconds=at)).strftime("%Y-%m-%d %H:%M:%S")


def step_of(freq: str) -> float:
    """Seconds of a step such as 5min, 1h or D. Raises InvalidInput."""
    match = re.fullmatch(r"([1-9]\d*|)\s*(s|min|t|h|d|w)", freq.strip().lower())
    if match is None:
        raise InvalidInput("--freq", "a step looks like 5min, 1h, D or W")
    return float(int(match[1] or 1) * UNITS_S[match[2]])


def aligned(rows: Iterable[tuple[str, str, str]], *, step: float | None) -> LongForm:
    """The rows (unique_id, ds, y) as arrays; the step is the median distance of times when none is given, or the
    usual step (a minute, an hour) that it is near to.

    Repeated times keep the last row, gaps become NaN. Raises InvalidInput for a row that cannot be read.
    """
    series: dict[str, list[tuple[str, float]]] = {}
    for number, (name, ds, y) in enumerate(rows, start=2):
        series.setdefault(name, []).append((ds, _number(y, number)))
    if not series:
        raise InvalidInput("FILE", "no rows after the header")
    dated = not all(_is_number(ds) for each in series.values() for ds, _ in (each[0], each[-1]))
    times = [np.array([_time(ds, dated=dated) for ds, _ in each]) for each in series.values()]
    values = [np.array([y for _, y in each]) for each in series.values()]
    step = step or _step(times, dated=dated)
    return _grid(tuple(series), times, values, step=step, dated=dated)


def _grid(ids: tuple[str, ...], times: list[Float64s], values: list[Float64s], *, step: float, dated: bool) -> LongForm:
    last = np.array([each.max() for each in times])
    back = [np.rint((end - each) / step).astype(np.int64) for each, end in zip(times, last, strict=True)]
    length = min(MOST_STEPS, 1 + max(int(each.max()) for each in back))
    out = np.full((len(ids), length), np.nan)
    for i, (steps, ys) in enumerate(zip(back, values, strict=True)):
        kept = steps < length
        out[i, length - 1 - steps[kept]] = ys[kept]
    return LongForm(ids=ids, values=out, last=last, step=step, dated=dated)


def _step(times: list[Float64s], *, dated: bool) -> float:
    moves = np.concatenate([np.diff(np.unique(each)) for each in times])
    median = float(np.median(moves)) if len(moves) else 1.0
    near = [usual for usual in USUAL_S if abs(median - usual) <= JITTER * usual] if dated else []
    return float(min(near, key=lambda usual: abs(median - usual))) if near else median


def _time(ds: str, *, dated: bool) -> float:
    if not dated:
        return _number(ds, 0)
    try:
        at = datetime.fromisoformat(ds)
    except ValueError as error:
        raise InvalidInput("ds", f"{ds!r} is neither a number nor a time such as 2026-01-31 10:00:00") from error
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _number(text: str, row: int) -> float:
    try:
        return float(text) if text.strip() else float("nan")
    except ValueError as error:
        raise InvalidInput(f"row {row}", f"{text!r} is not a number") from error
