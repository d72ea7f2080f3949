"""Admin: how every section is bound. `show` fills the list, `run` answers a command with a Reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

from dash import Dash, Input, Output, State, no_update, set_props
from dash.development.base_component import Component

from app.errors import WatchfloorError
from app.ui import shell
from app.ui.components.admin import body_id, command_id, dialog_id, list_id, version_id
from app.ui.components.notices import notify
from app.ui.errors import explain, shown, shown_in_panel


@dataclass(frozen=True)
class Command:
    """What a button or form asks: a verb, the id it is about, and the form's named fields."""

    verb: str
    id: str = ""
    form: Mapping[str, Any] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """A field's text without blanks around it; "" when it is absent."""
        return str(self.form.get(name, "")).strip()

    def many(self, name: str) -> list[str]:
        """The ticks of one name that are on."""
        value = self.form.get(name, [])
        return [str(each) for each in value] if isinstance(value, list) else [str(value)]

    @property
    def number(self) -> int:
        """The id as a number; 0 when it is none, which finds nothing."""
        return int(self.id) if self.id.isascii() and self.id.isdigit() and len(self.id) < 10 else 0


@dataclass(frozen=True)
class Reply:
    """What becomes of a command: a dialog that opens (or stays), a notice, and whether the list reads again."""

    title: str = ""
    body: Any = None
    notice: str = ""
    changed: bool = False


# The dialog stays as it is: the command showed its answer by itself.
KEPT = Reply()


def opened(title: str, body: Component) -> Reply:
    """Show a dialog."""
    return Reply(title=title, body=body)


def done(notice: str) -> Reply:
    """Close the dialog, read the list again, and say so."""
    return Reply(notice=notice, changed=True)


def told(title: str, body: Component) -> Reply:
    """Something was made whose secret the dialog shows once."""
    return Reply(title=title, body=body, changed=True)


def bind(dash_app: Dash, noun: str, *, show: Callable[..., Any], run: Callable[[Command], Reply]) -> None:
    """Bind a section's list and its commands; both functions carry their guard."""
    dash_app.callback(
        Output(list_id(noun), "children"),
        Input(shell.URL, "search"),
        Input(version_id(noun), "data"),
        Input(shell.REFRESH, "data"),
    )(shown_in_panel(f"Could not load {noun}")(show))
    dash_app.callback(
        Output(dialog_id(noun), "opened"),
        Output(dialog_id(noun), "title"),
        Output(body_id(noun), "children"),
        Output(version_id(noun), "data"),
        Input(command_id(noun), "data"),
        State(version_id(noun), "data"),
        prevent_initial_call=True,
    )(shown(_answering(noun, run)))


def _answering(noun: str, run: Callable[[Command], Reply]) -> Callable[..., Any]:
    @wraps(run)
    def answer(data: Mapping[str, Any] | None, version: int) -> tuple[Any, Any, Any, Any]:
        if not data:
            return (no_update,) * 4
        if data.get("verb") == "close":
            return False, no_update, None, no_update
        command = Command(str(data.get("verb")), str(data.get("id", "")), data.get("form") or {})
        try:
            reply = run(command)
        except WatchfloorError as error:
            return _refused(noun, command, error)
        if reply is KEPT:
            return (no_update,) * 4
        if reply.notice:
            notify(reply.notice, kind="done")
        next_version = (version or 0) + 1 if reply.changed else no_update
        return reply.body is not None, reply.title or no_update, reply.body, next_version

    return answer


def _refused(noun: str, command: Command, error: WatchfloorError) -> tuple[Any, Any, Any, Any]:
    """A form keeps what was typed and says what is wrong; a plain button has only the notice."""
    if command.form:
        set_props(f"{noun}-error", {"children": explain(error)})
    else:
        notify(explain(error), kind="error")
    return (no_update,) * 4


def register(dash_app: Dash) -> None:
    """The overview of Admin is plain links: nothing to bind."""
