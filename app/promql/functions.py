"""Every function of the language, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from app.domain.samples import Float64s
from app.promql import functions_labels as labels
from app.promql import functions_math as math
from app.promql import functions_over_time as over_time
from app.promql import functions_rate as change
from app.promql import functions_time as clock
from app.promql import functions_vectors as vectors
from app.promql.arguments import Arguments, Function
from app.promql.quantile import warn_of_quantile
from app.promql.vectors import Vectors
from app.promql.windows import Windows


def over_range(compute: Callable[[Windows], Float64s], *, keeps_name: bool = False) -> Function:
    """A function of one range vector."""
    return lambda arguments: arguments.ranges(0).map(compute, keeps_name=keeps_name)


def _quantile_over_time(arguments: Arguments) -> Vectors:
    q = arguments.scalar(0)
    warn_of_quantile(arguments.warn, q)
    return arguments.ranges(1).map(lambda windows: over_time.quantile_over_time(windows, q))


def _predict_linear(arguments: Arguments) -> Vectors:
    ahead_s = arguments.scalar(1)
    return arguments.ranges(0).map(lambda windows: change.predict_linear(windows, ahead_s))


def _double_exponential_smoothing(arguments: Arguments) -> Vectors:
    smoothing, trend = arguments.scalar(1), arguments.scalar(2)
    return arguments.ranges(0).map(lambda windows: change.double_exponential_smoothing(windows, smoothing, trend))


FUNCTIONS: Mapping[str, Function] = {
    "abs": math.mapped(np.abs),
    "absent": vectors.absent,
    "absent_over_time": vectors.absent_over_time,
    "acos": math.mapped(np.arccos),
    "acosh": math.mapped(np.arccosh),
    "asin": math.mapped(np.arcsin),
    "asinh": math.mapped(np.arcsinh),
    "atan": math.mapped(np.arctan),
    "atanh": math.mapped(np.arctanh),
    "avg_over_time": over_range(over_time.avg_over_time),
    "ceil": math.mapped(np.ceil),
    "changes": over_range(change.changes),
    "clamp": math.clamp,
    "clamp_max": math.clamp_max,
    "clamp_min": math.clamp_min,
    "cos": math.mapped(np.cos),
    "cosh": math.mapped(np.cosh),
    "count_over_time": over_range(over_time.count_over_time),
    "day_of_month": clock.calendar(clock.day_of_month),
    "day_of_week": clock.calendar(clock.day_of_week),
    "day_of_year": clock.calendar(clock.day_of_year),
    "days_in_month": clock.calendar(clock.days_in_month),
    "deg": math.mapped(np.degrees),
    "delta": over_range(change.delta),
    "deriv": over_range(change.deriv),
    "double_exponential_smoothing": _double_exponential_smoothing,
    "end": clock.of_query(lambda query: query.end_ms),
    "exp": math.mapped(np.exp),
    "first_over_time": over_range(over_time.first_over_time, keeps_name=True),
    "floor": math.mapped(np.floor),
    "histogram_avg": vectors.of_native_histograms,
    "histogram_count": vectors.of_native_histograms,
    "histogram_fraction": vectors.histogram_fraction,
    "histogram_quantile": vectors.histogram_quantile,
    "histogram_quantiles": vectors.histogram_quantiles,
    "histogram_stddev": vectors.of_native_histograms,
    "histogram_stdvar": vectors.of_native_histograms,
    "histogram_sum": vectors.of_native_histograms,
    "hour": clock.calendar(clock.hour),
    "idelta": over_range(change.idelta),
    "increase": over_range(change.increase),
    "irate": over_range(change.irate),
    "label_join": labels.label_join,
    "label_replace": labels.label_replace,
    "last_over_time": over_range(over_time.last_over_time, keeps_name=True),
    "ln": math.mapped(np.log),
    "log10": math.mapped(np.log10),
    "log2": math.mapped(np.log2),
    "max_of": math.extreme_of(math.greater_of),
    "mad_over_time": over_range(over_time.mad_over_time),
    "max_over_time": over_range(over_time.max_over_time),
    "min_over_time": over_range(over_time.min_over_time),
    "min_of": math.extreme_of(math.smaller_of),
    "minute": clock.calendar(clock.minute),
    "month": clock.calendar(clock.month),
    "pi": vectors.pi,
    "predict_linear": _predict_linear,
    "present_over_time": over_range(over_time.present_over_time),
    "quantile_over_time": _quantile_over_time,
    "rad": math.mapped(np.radians),
    "range": clock.of_query(lambda query: query.end_ms - query.start_ms),
    "rate": over_range(change.rate),
    "resets": over_range(change.resets),
    "round": math.round_to,
    "scalar": vectors.scalar,
    "sgn": math.mapped(math.sign),
    "sin": math.mapped(np.sin),
    "sinh": math.mapped(np.sinh),
    "sort": vectors.sort_by_value(descending=False),
    "sort_by_label": vectors.sort_by_label(descending=False),
    "sort_by_label_desc": vectors.sort_by_label(descending=True),
    "sort_desc": vectors.sort_by_value(descending=True),
    "sqrt": math.mapped(np.sqrt),
    "start": clock.of_query(lambda query: query.start_ms),
    "step": clock.of_query(lambda query: query.step_ms),
    "stddev_over_time": over_range(over_time.stddev_over_time),
    "stdvar_over_time": over_range(over_time.stdvar_over_time),
    "sum_over_time": over_range(over_time.sum_over_time),
    "tan": math.mapped(np.tan),
    "tanh": math.mapped(np.tanh),
    "time": clock.time,
    "timestamp": vectors.timestamp,
    "ts_of_first_over_time": over_range(over_time.ts_of_first_over_time),
    "ts_of_last_over_time": over_range(over_time.ts_of_last_over_time),
    "ts_of_max_over_time": over_range(over_time.ts_of_max_over_time),
    "ts_of_min_over_time": over_range(over_time.ts_of_min_over_time),
    "vector": vectors.vector,
    "year": clock.calendar(clock.year),
}
