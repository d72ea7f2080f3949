"""Admin: who is told, and what became of the last messages."""

from __future__ import annotations

from dash import Dash, dcc, html
from dash.development.base_component import Component

from app.actions import channels as actions
from app.actions.channels import ChannelDraft
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.clock import utc_now
from app.domain.alerting.alert import SEVERITIES, Severity
from app.domain.tenancy import READ, WRITE, Viewer, may
from app.domain.units import format_age
from app.errors import InvalidInput
from app.queries import channels
from app.queries.channels import Channel, DeliveryRecord
from app.ui.components.admin import (
    action,
    area,
    choice,
    confirm,
    field,
    form,
    pair,
    row_actions,
    secret_box,
    tick,
    ticks,
)
from app.ui.components.marks import SEVERITY_WORDS
from app.ui.components.states import nothing
from app.ui.components.table import Column, table
from callbacks.admin import Command, Reply, bind, done, opened, told

COLUMNS = [
    Column("Name"),
    Column("Kind"),
    Column("To", "mono"),
    Column("From"),
    Column("Last sent"),
    Column("State"),
    Column(""),
]
SENT = [
    Column("When"),
    Column("Channel"),
    Column("Alert", "mono"),
    Column("Event"),
    Column("State"),
    Column("Tries", "num"),
    Column("Reason or answer"),
]
KINDS = (("webhook", "Webhook"), ("email", "E-mail"))
MOST_SENT = 25


@guarded(READ, "channels")
def show(_search: str, _version: int, _refresh: int) -> Component:
    """The channels, and under them the last messages."""
    viewer = current_viewer()
    found = channels.channels(viewer)
    if not found:
        return nothing("No channels yet", "A channel tells people or programs of alerts, once each.", icon_name="bell")
    can_change = may(viewer, WRITE, "channels")
    now = utc_now()
    sent = channels.deliveries(viewer, limit=MOST_SENT)
    last = [html.H3("Last messages"), html.Span("newest first", className="t3")]
    below = (
        table(SENT, [_sent_row(each, format_age(each.created_at, now)) for each in sent], label="Last messages")
        if sent
        else nothing("No message yet", "The next alert that fits a channel is sent within seconds.", icon_name="mail")
    )
    rows = [
        _row(each, format_age(each.last_sent_at, now) if each.last_sent_at else "", can_change=can_change)
        for each in found
    ]
    return html.Div(
        [table(COLUMNS, rows, label="Channels"), html.Div(last, className="admin-group"), below], className="scroll"
    )


@guarded(WRITE, "channels")
def run(command: Command) -> Reply:  # noqa: PLR0911  one branch per command, nothing else
    """Do what a button or form asks."""
    viewer = current_viewer()
    match command.verb:
        case "new":
            return opened("New channel", _form(None, "webhook"))
        case "new-email":
            return opened("New channel", _form(None, "email"))
        case "edit":
            found = channels.channel(viewer, command.number)
            return opened(found.name, _form(found, found.kind))
        case "save":
            return _save(viewer, command)
        case "test":
            result = actions.send_test(viewer, command.number)
            title = "The test message arrived" if result.is_sent else "The test message did not arrive"
            return opened(title, html.Div(result.answer or "The receiver said nothing.", className="admin-note"))
        case "ask-delete":
            found = channels.channel(viewer, command.number)
            text = f"{found.name} goes with the record of its messages."
            return opened("Delete channel", confirm("channels", "delete", text, submit="Delete", id=found.id))
        case "delete":
            actions.delete_channel(viewer, command.number)
            return done("Deleted.")
    raise InvalidInput("verb", f"{command.verb!r} is not something that can be done to a channel")


def register(dash_app: Dash) -> None:
    """Bind the section."""
    bind(dash_app, "channels", show=show, run=run)


def _row(channel: Channel, sent: str, *, can_change: bool) -> tuple[object, ...]:
    buttons = []
    if can_change:
        buttons = [
            action("channels", "test", "Test", id=channel.id, label=f"Send a test to {channel.name}"),
            action("channels", "edit", "Edit", id=channel.id, label=f"Edit {channel.name}"),
            action("channels", "ask-delete", "Delete", id=channel.id, kind="danger", label=f"Delete {channel.name}"),
        ]
    words = SEVERITY_WORDS[channel.min_severity].lower()
    return (
        channel.name,
        dict(KINDS).get(channel.kind, channel.kind),
        html.Div(_address(channel), className="admin-change", title=_address(channel)),
        f"{words} up{', with recovery' if channel.send_resolved else ''}",
        f"{sent} ago" if sent else "never",
        "on" if channel.is_enabled else "off",
        row_actions(*buttons),
    )


def _sent_row(record: DeliveryRecord, age: str) -> tuple[object, ...]:
    return (
        f"{age} ago",
        record.channel,
        dcc.Link(f"A-{record.alert_id}", href=f"/alerts?view=all&sel={record.alert_id}"),
        record.event,
        html.Span(record.state, className="c-major" if record.state == "failed" else ""),
        str(record.attempts),
        html.Div(record.reason or record.answer, className="admin-change", title=record.reason or record.answer),
    )


def _address(channel: Channel) -> str:
    return str(channel.config.get("url") or ", ".join(channel.config.get("to", [])))


def _form(channel: Channel | None, kind: str) -> Component:
    where: list[Component]
    if kind == "webhook":
        where = [
            field(
                "url",
                "URL",
                channel.config.get("url", "") if channel else "",
                required=True,
                about="https://… ; private addresses only where the operator allows them",
            ),
            field(
                "secret",
                "Signing secret",
                type="password",
                about="Write-only; empty keeps the present one, or makes one",
            ),
        ]
        other = [] if channel else [action("channels", "new-email", "E-mail instead")]
    else:
        addresses = "\n".join(channel.config.get("to", [])) if channel else ""
        where = [area("to", "Mail addresses", addresses, about="One a line", rows=2)]
        other = [] if channel else [action("channels", "new", "Webhook instead")]
    severities = [(str(each), SEVERITY_WORDS[each]) for each in SEVERITIES]
    fields = [
        *other,
        pair(
            field("name", "Name", channel.name if channel else "", required=True),
            choice("severity", "From severity", severities, str(channel.min_severity) if channel else "warning"),
        ),
        *where,
        ticks(
            "Options",
            [
                tick("resolved", "Tell of recovery too", on=channel.send_resolved if channel else True),
                tick("enabled", "On", on=channel.is_enabled if channel else True),
            ],
        ),
    ]
    return form(
        "channels",
        "save",
        [*fields, dcc.Input(type="hidden", name="kind", value=kind)],
        submit="Save channel",
        id=channel.id if channel else "",
    )


def _save(viewer: Viewer, command: Command) -> Reply:
    kind = command.text("kind")
    config = {"url": command.text("url")} if kind == "webhook" else {"to": command.text("to").split()}
    draft = ChannelDraft(
        name=command.text("name"),
        kind=kind,
        config=config,
        secret=command.text("secret") or None,
        min_severity=Severity(command.text("severity") or "warning"),
        send_resolved=bool(command.many("resolved")),
        is_enabled=bool(command.many("enabled")),
    )
    if command.number:
        actions.update_channel(viewer, command.number, draft)
        return done(f"{draft.name} is saved.")
    made = actions.create_channel(viewer, draft)
    if not made.secret:
        return done(f"{draft.name} is made.")
    title = "Messages are signed with this secret, shown this once; the receiver checks them with it:"
    return told("Channel created", secret_box(title, made.secret))
