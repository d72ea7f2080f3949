"""Bands on a chart: what its lines were expected to be and will be, when the address asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import plotly.graph_objects as go
from dash import html
from dash.development.base_component import Component

from app.actions.bands import bands, last_hour
from app.clock import now_ms
from app.domain.forecast.outlook import HORIZON_H, HOUR_MS, LEAST_H, Predicted, PredictQuestion, lacking_words
from app.domain.labels import Labels
from app.domain.tenancy import Viewer
from app.errors import InvalidInput
from app.figures.bands import Expected, add_bands
from app.figures.theme import series_colour
from app.ui.urlstate import View

# In the address: b=1.
ASKED: Final = "b"
# More shades than this over each other cannot be told apart.
MOST: Final = 3
# So far back it is worked out what was expected.
MOST_BACK_H: Final = 14 * 24


@dataclass(frozen=True)
class Wanted:
    """A line of the chart: its name, its place among the colours, and its labels in the answer of the expression."""

    name: str
    index: int
    labels: Labels


@dataclass(frozen=True)
class Bands:
    """What is known of the wanted lines, and a sentence for the chart's head."""

    expected: tuple[Expected, ...]
    words: str
    end_ms: int


def is_asked(view: View) -> bool:
    """Whether the address asks for bands."""
    return view.query.get(ASKED) == "1"


def of_lines(
    viewer: Viewer, expr: str, lines: Sequence[Wanted], view: View, *, family: str, factor: float = 1.0
) -> Bands | None:
    """The bands of some lines of `expr`; None when the address asks for none."""
    if not is_asked(view) or not lines:
        return None
    chosen = lines[:MOST]
    question = question_of(expr, chosen, view, family=family)
    try:
        found = bands(viewer, question)
    except InvalidInput as error:
        return Bands((), f"no forecast: {error.reason}", view.window.end_ms)
    if found is None:
        return Bands((), "the forecast is being computed and shows with the next refresh", view.window.end_ms)
    by_labels = {tuple(sorted(its.labels.items())): its for its in found}
    known = [(line, by_labels.get(line.labels)) for line in chosen]
    expected = tuple(_expected(line, its, factor) for line, its in known if its is not None and its.ts)
    return Bands(expected, _words([its for _, its in known], len(lines)), _end_ms(view, question.end_ms))


def question_of(expr: str, lines: Sequence[Wanted], view: View, *, family: str) -> PredictQuestion:
    """What an ml worker is asked of some lines; the same for an hour, so that its answer is kept."""
    now = now_ms()
    end_ms = min(last_hour(now), view.window.end_ms // HOUR_MS * HOUR_MS)
    # Whole days, so that a range that moves by minutes asks the same.
    days = -(-max(end_ms - view.window.start_ms, 0) // (24 * HOUR_MS))
    return PredictQuestion(
        expr=expr,
        only=[dict(line.labels) for line in lines],
        family=family,
        horizon=HORIZON_H,
        end_ms=end_ms,
        back_h=min(days * 24, MOST_BACK_H),
    )


def add_to(figure: go.Figure, its: Bands | None, view: View, *, unit: str = "") -> None:
    """Put bands onto a chart whose lines are drawn."""
    if its is not None and its.expected:
        add_bands(figure, its.expected, zone=view.zone, end_ms=its.end_ms, unit=unit)


def named(exprs: Mapping[str, str]) -> tuple[str, list[Wanted]]:
    """Expressions of one series each as one, whose lines are told apart by the label `line`; and these lines."""
    expr = " or ".join(f'label_replace({each}, "line", "{name}", "", "")' for name, each in exprs.items())
    return expr, [Wanted(name, index, (("line", name),)) for index, name in enumerate(exprs)]


def grouped(exprs: Mapping[str, str], lines: Sequence[tuple[str, str]]) -> tuple[str, list[Wanted]]:
    """Expressions by the label that tells their series apart, as one; and the lines, each (label, value)."""
    expr = " or ".join(f"max by ({label}) ({each})" for label, each in exprs.items())
    return expr, [Wanted(value, index, ((label, value),)) for index, (label, value) in enumerate(lines)]


def under(its: Bands | None, drawn: Component) -> Component:
    """The chart with the sentence on its bands below it; without bands the chart alone."""
    if its is None:
        return drawn
    return html.Div([drawn, html.P(its.words, className="chart-note")], className="noted")


def _end_ms(view: View, from_ms: int) -> int:
    """Where the chart ends: a range that reaches the present gets up to as much again of what is to come."""
    if view.window.end_ms < last_hour(now_ms()):
        return view.window.end_ms
    ahead = min(HORIZON_H * HOUR_MS, max(view.window.length_ms // 2, 2 * HOUR_MS))
    return max(view.window.end_ms, from_ms) + ahead


def _expected(line: Wanted, its: Predicted, factor: float) -> Expected:
    mean, lo80, hi80, lo95, hi95 = (
        np.array(part) * factor for part in (its.mean, its.lo80, its.hi80, its.lo95, its.hi95)
    )
    colour = series_colour(line.index) or "#7F8AA0"
    ts_ms = np.array(its.ts, dtype=np.int64)
    return Expected(line.name, colour, ts_ms, mean, lo80, hi80, lo95, hi95, its.from_ts)


def _words(found: Sequence[Predicted | None], lines: int) -> str:
    lacking = [its.lacking_h if its is not None else LEAST_H for its in found]
    if all(lacking):
        return f"no forecast yet: {lacking_words(min(lacking))} of history needed"
    said = "bands: 80 and 95 % of values are expected inside"
    if lines > len(found):
        said += f", of the first {len(found)} lines"
    if any(lacking):
        said += f"; of {sum(1 for hours in lacking if hours)}, {lacking_words(max(lacking))} of history needed"
    return said
