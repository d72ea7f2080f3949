"""The box above a list that narrows it while one types; `/` goes to it."""

from __future__ import annotations

from dash import dcc
from dash.development.base_component import Component


def filter_box(id: str, value: str, *, class_name: str) -> Component:
    """A search box with `value` in it; its value changes a quarter of a second after the last key."""
    return dcc.Input(
        id=id,
        type="search",
        value=value,
        placeholder="Filter",
        debounce=0.25,
        autoComplete="off",
        className=class_name,
    )
