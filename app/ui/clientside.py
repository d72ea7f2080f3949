"""Callbacks that run in the browser: functions of the scripts under assets/."""

from __future__ import annotations

from typing import Any

from dash import ClientsideFunction, Dash
from dash.dependencies import DashDependency


def in_browser(dash_app: Dash, function: str, *dependencies: DashDependency, **options: Any) -> None:
    """Call `namespace.name` of our scripts when an input changes; `options` as Dash's callback() has them."""
    namespace, _, name = function.partition(".")
    dash_app.clientside_callback(  # type: ignore[no-untyped-call]  # Dash has no types here
        ClientsideFunction(namespace, name), *dependencies, **options
    )
