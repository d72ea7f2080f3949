"""The frame of every admin section: tabs, a list, a dialog; and how a button or form becomes one command.

A section has four parts with ids made from its noun: the list, the dialog, and two stores. A button or form writes
`{"verb", "id", "form", "n"}` into the command store (assets/56-admin.js); callbacks/admin.py runs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import dash_mantine_components as dmc
from dash import dcc, html
from dash.development.base_component import Component

from app.domain.tenancy import ADMIN, READ, Viewer, may
from app.ui.components.attributes import attrs
from app.ui.components.marks import icon, key_cap
from app.ui.components.panel import panel


@dataclass(frozen=True)
class Section:
    """One tab of Admin."""

    noun: str
    title: str
    about: str
    icon: str
    new: str = ""  # the words of the button that makes one; "" for none
    verb: str = READ
    below: str = ""  # the section that it belongs under, with a slash behind

    @property
    def path(self) -> str:
        """Where it is."""
        return f"/admin/{self.below}{self.noun}"


SECTIONS: Final = (
    Section("users", "Users", "Who can sign in, and as what", "users", "New user"),
    Section("roles", "Roles", "What each role may do", "shield", "New role"),
    Section("tokens", "Tokens", "Access for agents and programs", "key-round", "New token"),
    Section("rules", "Rules", "What raises an alert", "siren", "New rule"),
    Section("channels", "Channels", "Who is told, and how", "bell", "New channel"),
    Section("credentials", "Credentials", "What devices ask for; stored sealed", "lock", "New credential"),
    Section("ingest", "Ingest", "What senders sent that was not taken, and why", "inbox"),
    Section("storage", "Storage", "How long samples are kept, and the archive", "hard-drive"),
    Section("cardinality", "Cardinality", "Which metrics and labels the series come from", "layers"),
    Section("models", "Models", "What forecasts each family, how it was judged, whether it fits", "activity"),
    Section("proof", "Proof", "What was injected on purpose, and whether it was found", "shield", below="models/"),
    Section("audit", "Audit", "Who changed what, as a chain that shows tampering", "scroll-text"),
    Section("tenants", "Tenants", "Customers of this installation", "building-2", "New tenant", ADMIN),
)
BY_NOUN: Final = {section.noun: section for section in SECTIONS}


def list_id(noun: str) -> str:
    """The body of the section's panel."""
    return f"{noun}-list"


def command_id(noun: str) -> str:
    """The store that buttons and forms write into."""
    return f"{noun}-command"


def dialog_id(noun: str) -> str:
    """The section's dialog."""
    return f"{noun}-dialog"


def body_id(noun: str) -> str:
    """What the dialog shows."""
    return f"{noun}-dialog-body"


def version_id(noun: str) -> str:
    """The store that counts changes, so that the list reads again."""
    return f"{noun}-version"


def sections_of(viewer: Viewer) -> list[Section]:
    """The sections that a viewer may see."""
    return [section for section in SECTIONS if may(viewer, section.verb, section.noun)]


def admin_frame(
    viewer: Viewer, noun: str, *, tools: Sequence[Component] = (), can_make: bool = True, class_name: str = ""
) -> Component:
    """The page of one section; its list and dialog are filled by callback."""
    section = BY_NOUN[noun]
    tabs = [
        dcc.Link(each.title, href=each.path, className="current" if each.noun == noun else "")
        for each in sections_of(viewer)
    ]
    make = []
    if section.new and can_make:
        words = [icon("plus"), section.new, key_cap("N")]
        make = [action(noun, "new", words, kind="primary", extra={"data-key": "n"})]
    return html.Div(
        [
            html.Nav(tabs, className="tabs", **attrs({"aria-label": "Sections of Admin"})),
            panel(
                section.title, id=list_id(noun), scope=section.about, actions=[*tools, *make], class_name="admin-panel"
            ),
            dmc.Modal(
                html.Div(id=body_id(noun)),
                id=dialog_id(noun),
                title=section.title,
                opened=False,
                size="lg",
                centered=True,
                returnFocus=True,
                transitionProps={"duration": 0},
                closeButtonProps={"aria-label": "Close"},
            ),
            dcc.Store(id=command_id(noun)),
            dcc.Store(id=version_id(noun), data=0),
        ],
        className=f"page admin {class_name}".rstrip(),
    )


def group_heading(text: str, *beside: Component, class_name: str = "") -> Component:
    """The heading of one part of a section's list, and what stands beside it."""
    return html.Div([html.H3(text), *beside], className=f"admin-group {class_name}".rstrip())


def action(
    noun: str,
    verb: str,
    words: Any,
    *,
    id: object = "",
    kind: str = "",
    label: str = "",
    extra: dict[str, str] | None = None,
) -> Component:
    """A button that gives the section the command `verb` for the thing `id`."""
    names = {"data-action": "admin-do", "data-command": command_id(noun), "data-verb": verb, "data-id": str(id)}
    if label:
        names |= {"aria-label": label, "title": label}
    return html.Button(words, className=f"btn {kind}".strip(), type="button", **attrs({**names, **(extra or {})}))


def row_actions(*buttons: Component) -> Component:
    """The buttons at the end of a row."""
    return html.Div(list(buttons), className="row admin-row")


def form(
    noun: str, verb: str, fields: Sequence[Any], *, submit: str, id: object = "", danger: bool = False
) -> Component:
    """A form whose named fields become the command's `form`. Enter submits."""
    buttons = html.Div(
        [
            action(noun, "close", "Cancel"),
            html.Button(submit, className="btn danger" if danger else "btn primary", type="submit"),
        ],
        className="row form-buttons",
    )
    error = html.Div(className="form-error", role="alert", id=f"{noun}-error")
    names = {"data-command": command_id(noun), "data-verb": verb, "data-id": str(id)}
    first = next(_boxes(list(fields)), None)
    if first is not None:
        setattr(first, "data-autofocus", True)  # the dialog gives it the focus
    foot = html.Div([error, buttons], className="admin-foot")
    return html.Form([*fields, foot], className="form admin-form", autoComplete="off", **attrs(names))


def _boxes(parts: Any) -> Iterator[Component]:
    """The boxes one types into, in reading order."""
    for part in parts if isinstance(parts, list) else [parts]:
        if isinstance(part, dmc.TextInput | dmc.PasswordInput | dmc.Textarea):
            yield part
        elif isinstance(part, Component):
            yield from _boxes(getattr(part, "children", None))


def field(
    name: str,
    label: str,
    value: object = "",
    *,
    about: str = "",
    type: Literal["text", "email", "password"] = "text",
    required: bool = False,
    placeholder: str = "",
) -> Component:
    """A line of text; "password" is for secrets, which are not shown while typed."""
    more = {"description": about} if about else {}
    if placeholder:
        more["placeholder"] = placeholder
    is_secret = type == "password"
    make = dmc.PasswordInput if is_secret else dmc.TextInput
    box: Component = make(
        name=name,
        label=label,
        value=str(value),
        size="sm",
        id=f"field-{name}",
        required=required,
        autoComplete="new-password" if is_secret else "off",
        **more,
    )
    return box


def area(name: str, label: str, value: str = "", *, about: str = "", rows: int = 3) -> Component:
    """Several lines, in the number font."""
    more = {"description": about} if about else {}
    box: Component = dmc.Textarea(
        name=name,
        label=label,
        value=value,
        size="sm",
        minRows=rows,
        autosize=True,
        maxRows=16,
        className="mono-area",
        **more,
    )
    return box


def choice(name: str, label: str, options: Sequence[tuple[str, str]], value: str = "") -> Component:
    """One of a few; the browser's own list, which works on every phone."""
    entries = [html.Option(words, value=key, selected=key == value) for key, words in options]
    picker = html.Select(entries, className="admin-select", **attrs({"name": name}))
    return html.Label([html.Span(label), picker], className="admin-label")


def tick(name: str, words: str, *, value: str = "on", on: bool = False, label: str = "") -> Component:
    """A choice that is on or off; several of one name make a list. A plain button, which keeps its state itself."""
    names = {
        "data-action": "admin-tick",
        "data-tick": name,
        "data-value": value,
        "aria-pressed": "true" if on else "false",
    }
    if label:
        names["aria-label"] = label
    return html.Button(words, className="chip admin-tick", type="button", **attrs(names))


def ticks(title: str, chips: Sequence[Component]) -> Component:
    """A row of ticks under one heading."""
    return html.Div(
        [html.Div(title, className="admin-label"), html.Div(list(chips), className="row wrap")],
        role="group",
        **attrs({"aria-label": title}),
    )


def pair(*fields: Component) -> Component:
    """Fields beside each other."""
    return html.Div(list(fields), className="admin-pair")


def secret_box(title: str, secret: str, *, notes: Sequence[Any] = ()) -> Component:
    """A secret that is shown this once, with a button that copies it."""
    copy = html.Button(
        [icon("copy"), "Copy"],
        className="btn",
        type="button",
        **attrs({"data-action": "admin-copy", "data-copy": secret}),
    )
    line = html.Div(
        [html.Code(secret, className="admin-secret", **attrs({"data-testid": "secret"})), copy], className="row"
    )
    return html.Div([html.P(title), line, *notes], className="form")


def confirm(noun: str, verb: str, text: str, *, submit: str, id: object) -> Component:
    """Ask before something that hurts."""
    return form(noun, verb, [html.P(text)], submit=submit, id=id, danger=True)
