"""Errors become notices and states."""

from __future__ import annotations

from typing import Any

import pytest
from dash import no_update
from dash.exceptions import PreventUpdate
from flask import Flask

from app.errors import Forbidden, InvalidInput, NotFound, Unavailable
from app.ui.errors import error_state, explain, shown, shown_as_page, shown_in_panel


def text_of(component: Any) -> str:
    return str(component.to_plotly_json())


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (Forbidden("The role viewer does not allow to write rules."), "The role viewer"),
        (NotFound("There is no device x."), "There is no device x."),
        (InvalidInput("t", "no"), "t: no."),
        (Unavailable("the database"), "the database is not available"),
        (ZeroDivisionError("secret"), "Something went wrong"),
    ],
)
def test_each_error_is_said_plainly(error: Exception, says: str) -> None:
    with Flask("test").app_context():
        state = text_of(error_state("Could not load", error))
    assert says in state
    assert "secret" not in state


def test_a_panel_shows_the_error_and_other_outputs_stay() -> None:
    @shown_in_panel("Could not load traffic", outputs=3)
    def fails() -> Any:
        raise InvalidInput("q", "no")

    with Flask("test").app_context():
        state, *rest = fails()
    assert "Could not load traffic" in text_of(state)
    assert rest == [no_update, no_update]


def test_prevented_updates_pass() -> None:
    def fails() -> Any:
        raise PreventUpdate

    for decorate in (shown, shown_in_panel("x")):
        with pytest.raises(PreventUpdate):
            decorate(fails)()


def test_a_layout_that_fails_is_a_page() -> None:
    def layout(**_url: str) -> Any:
        raise Forbidden("No.")

    with Flask("test").app_context():
        assert "You cannot open this" in text_of(shown_as_page(layout)())
        assert explain(InvalidInput("", "Give both.")) == "Give both."
