"""The popover of a point of a chart: what it says, and what its buttons do. Explore binds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from dash import Dash, Input, Output, State, no_update
from dash.development.base_component import Component

from app.actions import feedback as actions
from app.actions import pins
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.anomaly.verdicts import Verdict
from app.domain.labels import labels_of
from app.domain.tenancy import READ, WRITE, Viewer, may
from app.domain.units import format_number
from app.errors import InvalidInput, WatchfloorError
from app.promql.bare import selector_of
from app.queries import points as queries
from app.ui import shell
from app.ui.clientside import in_browser
from app.ui.components import point_menu
from app.ui.components.notices import notify
from app.ui.errors import explain, shown_in_panel
from app.ui.zone import current_view

MOST_STEP_MS: Final = 31 * 86_400_000
LATEST_MS: Final = 253_402_300_799_000  # the year 9999 ends


@dataclass(frozen=True)
class Asked:
    """A moment of a line, as the browser tells it; `labels` None: the line is made of several series."""

    labels: Mapping[str, str] | None
    at: datetime
    step: timedelta

    @classmethod
    def parse(cls, asked: Mapping[str, Any]) -> Asked:
        """Raises InvalidInput for what no chart of ours tells."""
        labels, ts_ms, step_ms = asked.get("labels"), asked.get("ts"), asked.get("step_ms")
        if not isinstance(ts_ms, int | float) or not 0 <= ts_ms <= LATEST_MS:
            raise InvalidInput("ts", "is no time")
        if not isinstance(step_ms, int) or not 0 < step_ms <= MOST_STEP_MS:
            raise InvalidInput("step_ms", "is no step")
        named = {str(name): str(value) for name, value in labels.items()} if isinstance(labels, Mapping) else None
        return cls(named, datetime.fromtimestamp(ts_ms / 1000, UTC), timedelta(milliseconds=step_ms))


@shown_in_panel("Could not look at this point")
@guarded(READ, "anomalies")
def show_point(asked: Mapping[str, Any] | None, search: str) -> list[Component] | Component | Any:
    """What fills the popover."""
    if not asked:
        return no_update
    viewer, zone, its = current_viewer(), current_view(search).zone, Asked.parse(asked)
    value = asked.get("value")
    number = format_number(float(value)) if isinstance(value, int | float) else "no value"
    shown = point_menu.Shown(str(asked.get("name", "")), its.at, f"{number} {asked.get('unit', '')}".strip())
    if its.labels is None:
        return point_menu.no_single(shown, zone)
    return point_menu.about_point(
        queries.point(viewer, its.labels, its.at, step=its.step),
        shown,
        zone,
        can_judge=may(viewer, WRITE, "anomalies"),
        can_pin=may(viewer, WRITE, "models"),
    )


@guarded(READ, "anomalies")
def run_command(command: Mapping[str, Any] | None) -> dict[str, Any] | Any:
    """Do what a button asked for, and say how it is taken back."""
    if not command:
        return no_update
    try:
        words, undo = _act(current_viewer(), command)
    except (WatchfloorError, ValueError) as error:
        notify(explain(error), kind="error")
        return {"n": command.get("n"), "words": "", "undo": None}
    return {"n": command.get("n"), "words": words, "undo": undo}


def register(dash_app: Dash) -> None:
    """Bind the popover."""
    dash_app.callback(
        Output(point_menu.BODY, "children"),
        Input(point_menu.ASKED, "data"),
        State(shell.URL, "search"),
        prevent_initial_call=True,
    )(show_point)
    dash_app.callback(Output(point_menu.ANSWER, "data"), Input(point_menu.COMMAND, "data"), prevent_initial_call=True)(
        run_command
    )
    in_browser(dash_app, "points.filled", Input(point_menu.BODY, "children"), prevent_initial_call=True)
    in_browser(dash_app, "points.answered", Input(point_menu.ANSWER, "data"), prevent_initial_call=True)


def _act(viewer: Viewer, command: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
    """What was done in words, and the command that takes it back."""
    verb, name, number = str(command.get("verb")), str(command.get("name", "")), int(command.get("id") or 0)
    match verb:
        case "undo":
            actions.undo(viewer, number)
            return f"{name}: verdict taken back", None
        case "unpin":
            pins.unpin(viewer, number)
            return f"{name}: forecast like all others", None
    its = Asked.parse(command)
    if its.labels is None:
        raise InvalidInput("labels", "name no series")
    if verb == "pin":
        pin_id = pins.pin(viewer, selector_of(labels_of(its.labels)))
        return f"{name}: forecast by ARIMA from the next run on", {"verb": "unpin", "id": pin_id}
    if verb not in set(Verdict):
        raise InvalidInput("verb", f"{verb!r} is not something that can be done")
    mark = actions.mark_point(viewer, its.labels, its.at, Verdict(verb), step=its.step)
    return f"{name}: {verb}", {"verb": "undo", "id": mark.id}
