"""One of the three edges: an error in a callback or layout becomes a notice or a panel state, never a 500.

`@shown` on a callback whose outputs stay as they are; `@shown_in_panel("Could not load traffic")` on one that
fills a panel; `@shown_as_page` on layouts.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

import dash
from dash import no_update
from dash.development.base_component import Component
from dash.exceptions import PreventUpdate

from app.auth.current import current_request_id
from app.errors import Forbidden, NotFound, Unauthenticated, WatchfloorError
from app.ui.components import notices, states

P = ParamSpec("P")
R = TypeVar("R")

log = logging.getLogger(__name__)


def shown(function: Callable[P, R]) -> Callable[P, R]:
    """Turn an error of a callback into a notice; its outputs stay as they are."""

    @wraps(function)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return function(*args, **kwargs)
        except PreventUpdate:
            raise
        except Exception as error:  # noqa: BLE001  this is an edge
            notices.notify(explain(error), kind="error")
            return cast("R", no_update)

    return guarded


def shown_in_panel(what: str, *, outputs: int = 1) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Turn an error of a callback whose first output is a panel's body into that panel's state.

    With more `outputs` the others stay as they are.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            try:
                return function(*args, **kwargs)
            except PreventUpdate:
                raise
            except Exception as error:  # noqa: BLE001  this is an edge
                state = error_state(what, error)
                return cast("R", state if outputs == 1 else (state, *[no_update] * (outputs - 1)))

        return guarded

    return decorate


def shown_as_page(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn an error of a layout into a page that says what happened."""

    @wraps(function)
    def guarded(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  this is an edge
            return dash.html.Div(error_state("Could not open this page", error), className="page")

    return guarded


def error_state(what: str, error: Exception) -> Component:
    """The panel state that belongs to an error."""
    if isinstance(error, Forbidden):
        return states.not_allowed(str(error))
    if isinstance(error, NotFound):
        return states.nothing("Nothing here", str(error) or "It does not exist, or belongs to another tenant.")
    return states.failed(what, explain(error), request_id=current_request_id())


def explain(error: Exception) -> str:
    """One plain sentence for a person; what we did not expect is logged and named by its request id."""
    if isinstance(error, Unauthenticated):
        return "You are signed out. Sign in again to go on."
    if isinstance(error, WatchfloorError):
        text = str(error)
        return text if text.endswith((".", "?", ")")) else f"{text}."
    log.exception("callback failed", extra={"request_id": current_request_id()})
    return "Something went wrong on the server. Try again; if it stays, tell your administrator the request id."
