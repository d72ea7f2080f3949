"""Callbacks as the browser calls them: for a person, in a request, with the notices that they show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from dash._callback_context import context_value
from dash._utils import AttributeDict
from dash.development.base_component import Component

from app.auth.current import set_current_viewer
from app.domain.tenancy import Viewer
from app.ui.components.notices import NOTICES
from tests.factories.browser import make_server


class Shown(dict[str, dict[str, Any]]):
    """What a callback set besides its outputs, by id."""

    @property
    def notice(self) -> str:
        """The text of the notice; "" without one."""
        sent = self.get(NOTICES, {}).get("sendNotifications", [{}])
        return str(sent[0].get("message", ""))


@contextmanager
def acting(viewer: Viewer) -> Iterator[Shown]:
    """Run callbacks as this person."""
    found = Shown()
    with make_server().test_request_context("/"):
        set_current_viewer(viewer, csrf_token="token")
        token = context_value.set(AttributeDict(updated_props=found))
        try:
            yield found
        finally:
            context_value.reset(token)


def words(part: Any) -> str:
    """Every text of a component tree, in reading order."""
    if isinstance(part, Component):
        return words(getattr(part, "children", None))
    if isinstance(part, list | tuple):
        return " ".join(filter(None, map(words, part)))
    return "" if part is None else str(part)


def attributes(part: Any, name: str) -> list[str]:
    """The values that an attribute or property has in a component tree."""
    if isinstance(part, list | tuple):
        return [value for each in part for value in attributes(each, name)]
    if not isinstance(part, Component):
        return []
    own = part.to_plotly_json()["props"].get(name)
    return [*([str(own)] if own is not None else []), *attributes(getattr(part, "children", None), name)]
