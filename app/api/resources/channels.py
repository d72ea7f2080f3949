"""/api/v1/channels: where messages go, and what became of them. Secrets are written and never read back."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response

from app.actions import channels as actions
from app.actions.channels import ChannelDraft, TestResult
from app.api.openapi import Listed, answer, documented, json_body
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.alerting.alert import Severity
from app.domain.tenancy import READ, WRITE
from app.queries import channels as queries
from app.queries.channels import Channel, DeliveryRecord

blueprint = Blueprint("channels", __name__)


class ChannelIn(msgspec.Struct, forbid_unknown_fields=True):
    """A channel. `config` is {"url"} for a webhook and {"to": [addresses]} for email."""

    name: str
    kind: str
    config: dict[str, Any]
    secret: str | None = None
    min_severity: Severity = Severity.WARNING
    send_resolved: bool = True
    is_enabled: bool = True


class ChannelMade(msgspec.Struct):
    """A channel just made; `secret` is what its messages are signed with, when we made it, shown this once."""

    id: int
    name: str
    kind: str
    secret: str | None


@blueprint.get("/api/v1/channels")
@documented("List channels", answer=Listed[Channel])
@guarded(READ, "channels")
def list_channels() -> Response:
    """All channels by name."""
    return answer({"items": queries.channels(current_viewer()), "next": None})


@blueprint.post("/api/v1/channels")
@documented("Make a channel", body=ChannelIn, answer=ChannelMade, status=201)
@guarded(WRITE, "channels")
def create() -> Response:
    """Make a channel; an address that leads to us is refused."""
    draft = _draft(json_body(ChannelIn))
    made = actions.create_channel(current_viewer(), draft)
    return answer(ChannelMade(made.id, draft.name, draft.kind, made.secret or None), 201)


@blueprint.get("/api/v1/channels/<int:channel_id>")
@documented("Get a channel", answer=Channel)
@guarded(READ, "channels")
def get(channel_id: int) -> Response:
    """One channel."""
    return answer(queries.channel(current_viewer(), channel_id))


@blueprint.put("/api/v1/channels/<int:channel_id>")
@documented("Change a channel", body=ChannelIn, answer=Channel)
@guarded(WRITE, "channels")
def change(channel_id: int) -> Response:
    """Make a channel be exactly this; without `secret` the present one stays."""
    viewer = current_viewer()
    actions.update_channel(viewer, channel_id, _draft(json_body(ChannelIn)))
    return answer(queries.channel(viewer, channel_id))


@blueprint.delete("/api/v1/channels/<int:channel_id>")
@documented("Delete a channel", status=204)
@guarded(WRITE, "channels")
def delete(channel_id: int) -> Response:
    """Delete a channel with the record of its deliveries."""
    actions.delete_channel(current_viewer(), channel_id)
    return answer(None, 204)


@blueprint.post("/api/v1/channels/<int:channel_id>/test")
@documented("Send a test message", answer=TestResult)
@guarded(WRITE, "channels")
def send_test(channel_id: int) -> Response:
    """Send one now and answer what became of it."""
    return answer(actions.send_test(current_viewer(), channel_id))


@blueprint.get("/api/v1/channels/<int:channel_id>/deliveries")
@documented("Tell what was sent to a channel", answer=Listed[DeliveryRecord])
@guarded(READ, "channels")
def deliveries(channel_id: int) -> Response:
    """The newest 200 messages, also those that were not sent, with the reason."""
    viewer = current_viewer()
    queries.channel(viewer, channel_id)
    return answer({"items": queries.deliveries(viewer, channel_id=channel_id), "next": None})


def _draft(body: ChannelIn) -> ChannelDraft:
    return ChannelDraft(
        name=body.name,
        kind=body.kind,
        config=body.config,
        secret=body.secret,
        min_severity=body.min_severity,
        send_resolved=body.send_resolved,
        is_enabled=body.is_enabled,
    )
