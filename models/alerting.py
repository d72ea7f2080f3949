"""Rules, the alerts they raise, the timeline of each alert, channels and deliveries."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Identity, Index, LargeBinary, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, BigId, Created, Document, Id, TenantColumn


class RuleGroupRow(Base):
    """Rules that are evaluated together, in order, every `interval_s`."""

    __tablename__ = "rule_groups"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[Id]
    tenant_id: Mapped[TenantColumn]
    name: Mapped[str]
    interval_s: Mapped[int] = mapped_column(server_default="15")
    slot_at: Mapped[datetime | None]  # the newest evaluation time that somebody claimed; only ever grows
    evaluated_at: Mapped[datetime | None]
    duration_s: Mapped[float | None]
    missed: Mapped[int] = mapped_column(server_default="0")
    created_at: Mapped[Created]


class RuleRow(Base):
    """A PromQL expression that raises one alert for each series it returns."""

    __tablename__ = "rules"
    __table_args__ = (UniqueConstraint("group_id", "name"),)

    id: Mapped[Id]
    tenant_id: Mapped[TenantColumn]
    group_id: Mapped[int] = mapped_column(ForeignKey("rule_groups.id", ondelete="CASCADE"))
    position: Mapped[int] = mapped_column(server_default="0")
    name: Mapped[str]
    expr: Mapped[str]
    for_s: Mapped[float] = mapped_column(server_default="0")
    keep_firing_for_s: Mapped[float] = mapped_column(server_default="0")
    severity: Mapped[str] = mapped_column(server_default="warning")  # critical | major | minor | warning
    alert_class: Mapped[str] = mapped_column(server_default="other")  # incident-format.md: classes
    labels: Mapped[Document]
    annotations: Mapped[Document]
    is_enabled: Mapped[bool] = mapped_column(server_default="true")
    kind: Mapped[str] = mapped_column(server_default="promql")  # promql | anomaly: stepped by detection
    criteria: Mapped[Document]  # of the other kinds: what they need beside the series that `expr` selects
    health: Mapped[str] = mapped_column(server_default="unknown")  # ok | error | unknown
    last_error: Mapped[str] = mapped_column(server_default="")
    evaluated_at: Mapped[datetime | None]
    duration_s: Mapped[float | None]
    created_at: Mapped[Created]
    changed_at: Mapped[Created]


class AlertRow(Base):
    """One episode of one label set of one rule, from its first appearance to its end."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index(
            "alerts_open_idx",
            "tenant_id",
            "rule_id",
            "fingerprint",
            unique=True,
            postgresql_where=text("state <> 'resolved' or is_held"),
        ),
        Index("alerts_recent_idx", "tenant_id", "fired_at"),
        Index(
            "alerts_received_idx",
            "tenant_id",
            "source",
            "fingerprint",
            unique=True,
            postgresql_where=text("source <> 'rule' and (state <> 'resolved' or is_held)"),
        ),
    )

    # Not always generated: thousands that begin at once take their ids first and are written without asking back.
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=False), primary_key=True)
    tenant_id: Mapped[TenantColumn]
    rule_id: Mapped[int | None] = mapped_column(ForeignKey("rules.id", ondelete="SET NULL"), index=True)
    fingerprint: Mapped[str]
    name: Mapped[str]
    severity: Mapped[str]
    alert_class: Mapped[str] = mapped_column(server_default="other")
    state: Mapped[str]  # pending | firing | resolved
    labels: Mapped[Document]
    annotations: Mapped[Document]
    summary: Mapped[str]
    value: Mapped[float | None]
    device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id", ondelete="SET NULL"), index=True)
    device_name: Mapped[str] = mapped_column(server_default="")
    interface_name: Mapped[str] = mapped_column(server_default="")
    site_name: Mapped[str] = mapped_column(server_default="")
    active_at: Mapped[datetime]
    fired_at: Mapped[datetime | None]
    keep_firing_since: Mapped[datetime | None]
    resolved_at: Mapped[datetime | None]
    resolved_by: Mapped[str] = mapped_column(server_default="")
    is_held: Mapped[bool] = mapped_column(server_default="false")  # resolved by hand while its condition lasts
    evaluated_at: Mapped[datetime]  # when a transition or a changed value was last seen
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by: Mapped[str] = mapped_column(server_default="")
    assigned_to: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    assigned_name: Mapped[str] = mapped_column(server_default="")
    snoozed_until: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(server_default="1")
    source: Mapped[str] = mapped_column(server_default="rule")  # rule | alertmanager
    ends_at: Mapped[datetime | None]  # of one that others raise: when it ends unless they send it again


class AlertEventRow(Base):
    """One line of an alert's timeline."""

    __tablename__ = "alert_events"

    id: Mapped[BigId]
    tenant_id: Mapped[TenantColumn]
    alert_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    kind: Mapped[str]  # pending | fired | resolved | acknowledged | snoozed | assigned | commented | sent | ...
    actor: Mapped[str] = mapped_column(server_default="")
    text: Mapped[str] = mapped_column(server_default="")
    details: Mapped[Document]


class ChannelRow(Base):
    """A configured notifier: where messages go and from which severity on."""

    __tablename__ = "channels"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[Id]
    tenant_id: Mapped[TenantColumn]
    name: Mapped[str]
    kind: Mapped[str]  # email | webhook
    config: Mapped[Document]
    sealed_secret: Mapped[bytes | None] = mapped_column(LargeBinary)
    min_severity: Mapped[str] = mapped_column(server_default="warning")
    send_resolved: Mapped[bool] = mapped_column(server_default="true")
    is_enabled: Mapped[bool] = mapped_column(server_default="true")
    created_at: Mapped[Created]
    changed_at: Mapped[Created]


class DeliveryRow(Base):
    """The outbox: one message to one channel, made in the transaction of its transition."""

    __tablename__ = "deliveries"
    __table_args__ = (
        UniqueConstraint("channel_id", "key"),
        Index("deliveries_due_idx", "due_at", postgresql_where=text("state = 'queued'")),
    )

    id: Mapped[BigId]
    tenant_id: Mapped[TenantColumn]
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    alert_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    key: Mapped[str]  # idempotency key, the same for every try
    event: Mapped[str]  # firing | resolved
    state: Mapped[str]  # queued | sent | failed | suppressed
    reason: Mapped[str] = mapped_column(server_default="")
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    attempts: Mapped[int] = mapped_column(server_default="0")
    due_at: Mapped[datetime]
    lease_until: Mapped[datetime | None]
    answer: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]
    sent_at: Mapped[datetime | None]
