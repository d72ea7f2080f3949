"""The list of anomalies: one row each; on the phone two lines in one cell (assets/55-anomalies.js switches)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final

from dash.development.base_component import Component

from app.domain.anomaly.found import Anomaly
from app.domain.anomaly.verdicts import Mark
from app.domain.units import format_number, format_value, scale_for
from app.figures.sparkline import sparkline_path
from app.queries.anomaly_course import unit_and_factor
from app.ui.components.grid import grid, mono_column, number_column, text_column

# A view in the few words that fit a column or a chip.
VIEWS: Final[Mapping[str, str]] = {
    "value": "New value",
    "log": "New on log scale",
    "day": "Unlike yesterday",
    "week": "Unlike last week",
    "residual": "Off forecast",
    "peers": "Unlike peers",
    "forest": "Rare mix",
}
SCORE_HELP: Final = "How unusual the worst point was: 1.0 is the boundary, 2.0 twice as far from anything seen before."
VALUE_HELP: Final = "What was measured at the worst point; of a counter its rate."
EXPECTED_HELP: Final = "The range in which the series' earlier values around this one lie."
VIEW_HELP: Final = "The look at the series under which the point was unusual."
COURSE_HELP: Final = "The series from some hours before the worst point until an hour or more after it."
VERDICT_HELP: Final = "What people said of it; expected ones stay out of training and raise no alert."


def anomaly_grid(id: str) -> Component:
    """The grid, still without rows."""
    columns = [
        {"field": "phone", "headerName": "Anomaly", "cellRenderer": "AnomalyCell", "hide": True, "flex": 1},
        {"field": "since", "headerName": "Began", "cellRenderer": "WhenCell", "width": 112},
        number_column("score", "Score", width=80, cellRenderer="ScoreCell", headerTooltip=SCORE_HELP),
        mono_column("metric", "Metric", flex=3, minWidth=96, tooltipField="metric"),
        mono_column("device", "Device", flex=2, minWidth=92, tooltipField="device"),
        mono_column("interface", "Interface", flex=2, minWidth=80, tooltipField="interface"),
        number_column("value", "Value", width=88, sortable=False, headerTooltip=VALUE_HELP, tooltipField="value_why"),
        number_column(
            "expected", "Expected", width=172, sortable=False, headerTooltip=EXPECTED_HELP, tooltipField="expected_why"
        ),
        text_column("view", "Why", width=140, headerTooltip=VIEW_HELP, tooltipField="why"),
        {
            "field": "spark",
            "headerName": "Course",
            "cellRenderer": "CourseCell",
            "width": 110,
            "sortable": False,
            "headerTooltip": COURSE_HELP,
        },
        text_column("verdict", "Verdict", width=88, headerTooltip=VERDICT_HELP, tooltipField="verdict_why"),
    ]
    options = {"rowSelection": {"mode": "singleRow", "checkboxes": False, "enableClickSelection": True}}
    return grid(id, columns, label="Anomaly list", options=options)


def anomaly_rows(
    anomalies: Sequence[Anomaly],
    courses: Mapping[int, Sequence[float]],
    verdicts: Mapping[int, Mark],
    zone: tzinfo,
) -> list[dict[str, Any]]:
    """The rows of the grid; `since` in ms since 1970, `spark` the path of a line."""
    return [_row(its, courses.get(its.id, ()), verdicts.get(its.id), zone) for its in anomalies]


def value_text(its: Anomaly) -> str:
    """The value at the worst point, with its unit."""
    unit, factor = unit_and_factor(its)
    return format_value(its.value * factor, unit)


def expected_text(its: Anomaly) -> str:
    """The expected range in the unit of the larger end; a dash where nothing was known yet."""
    if its.expected_lo is None or its.expected_hi is None:
        return "–"
    unit, factor = unit_and_factor(its)
    low, high = (_rounded(end, its.value) * factor for end in (its.expected_lo, its.expected_hi))
    scale = scale_for(max(abs(low), abs(high)), unit)
    numbers = [format_number(end * scale.factor) for end in (low, high)]
    return f"{' to '.join(dict.fromkeys(numbers))} {scale.unit}".rstrip()


def nearest_text(its: Anomaly) -> str:
    """The nearest past value, with its unit."""
    if its.nearest is None:
        return "–"
    unit, factor = unit_and_factor(its)
    return format_value(_rounded(its.nearest, its.value) * factor, unit)


def _rounded(number: float, beside: float) -> float:
    """Zero where a number is nothing beside another: what is left of one that fades away."""
    return 0.0 if abs(number) < 1e-6 * abs(beside) else number


def _row(its: Anomaly, course: Sequence[float], mark: Mark | None, zone: tzinfo) -> dict[str, Any]:
    nearest = nearest_text(its)
    return {
        "id": its.id,
        "since": int(its.started_at.timestamp() * 1000),
        "when": f"{its.started_at.astimezone(zone):%d %b %H:%M}",
        "score": round(its.score, 2),
        "metric": its.metric,
        "device": its.device,
        "interface": its.interface,
        "value": value_text(its),
        "value_why": f"The nearest value in two weeks before it was {nearest}." if its.nearest is not None else "",
        "expected": expected_text(its),
        "expected_why": f"Earlier values near it lie within {expected_text(its)}.",
        "view": VIEWS.get(its.view, its.view),
        "why": its.why,
        "spark": sparkline_path(course),
        "verdict": str(mark.verdict).capitalize() if mark else "",
        "verdict_why": f"{mark.made_by} said so" + (f": {mark.note}" if mark.note else ".") if mark else "",
        "expr": its.metric,
    }
