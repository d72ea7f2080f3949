"""Inputs and dialogs: a form in a modal, a confirmation that asks for the name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import dash_mantine_components as dmc
from dash import html

from app.ui.components.attributes import attrs


def text_field(id: str, label: str, *, description: str = "", value: str = "", **extra: Any) -> Any:
    """A line of text."""
    more = {"description": description} if description else {}
    return dmc.TextInput(id=id, label=label, value=value, size="sm", **more, **extra)


def select_field(id: str, label: str, options: Sequence[tuple[str, str]], *, value: str = "", **extra: Any) -> Any:
    """One of a few: `options` are (value, words)."""
    data = [{"value": key, "label": words} for key, words in options]
    return dmc.Select(
        id=id,
        label=label,
        data=data,
        value=value or None,
        size="sm",
        checkIconPosition="right",
        allowDeselect=False,
        **extra,
    )


def form_modal(
    id: str, title: str, fields: Sequence[Any], *, submit: str, danger: bool = False, size: str = "md"
) -> Any:
    """A dialog with fields and two buttons.

    Open it with Output(id, "opened") or set_props(id, {"opened": True}). `<id>-submit` and `<id>-cancel` are the
    buttons (n_clicks), `<id>-error` is where a callback puts what was wrong.
    """
    buttons = html.Div(
        [
            html.Button("Cancel", id=f"{id}-cancel", className="btn", type="button", **attrs({"data-action": "close"})),
            html.Button(submit, id=f"{id}-submit", className="btn danger" if danger else "btn primary", type="button"),
        ],
        className="row form-buttons",
    )
    error = html.Div(id=f"{id}-error", className="form-error", role="alert")
    body = html.Div([*fields, error, buttons], className="form", **attrs({"data-enter": f"{id}-submit"}))
    return dmc.Modal(
        body,
        id=id,
        title=title,
        size=size,
        opened=False,
        centered=True,
        returnFocus=True,
        transitionProps={"duration": 0},
        closeButtonProps={"aria-label": "Close"},
    )
