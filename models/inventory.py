"""Sites, devices, their interfaces, the links between them, and sealed credentials."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, Text, UniqueConstraint
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from models.base import Base, Created, Id, TenantColumn


class SiteRow(Base):
    """A place where devices stand."""

    __tablename__ = "sites"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[Id]
    tenant_id: Mapped[TenantColumn]
    name: Mapped[str]
    title: Mapped[str]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    time_zone: Mapped[str] = mapped_column(server_default="UTC")
    created_at: Mapped[Created]


class DeviceRow(Base):
    """A device we watch. `name` is the value of the label `device` on its samples."""

    __tablename__ = "devices"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[Id]
    tenant_id: Mapped[TenantColumn]
    name: Mapped[str]
    address: Mapped[str]
    port: Mapped[int] = mapped_column(server_default="161")
    site_id: Mapped[int | None] = mapped_column(ForeignKey("sites.id", ondelete="SET NULL"), index=True)
    credential_id: Mapped[int | None] = mapped_column(ForeignKey("credentials.id", ondelete="SET NULL"))
    role: Mapped[str] = mapped_column(server_default="")
    vendor: Mapped[str] = mapped_column(server_default="")
    model: Mapped[str] = mapped_column(server_default="")
    serial: Mapped[str] = mapped_column(server_default="")
    os: Mapped[str] = mapped_column(server_default="")
    os_version: Mapped[str] = mapped_column(server_default="")
    sys_name: Mapped[str] = mapped_column(server_default="")
    description: Mapped[str] = mapped_column(server_default="")
    object_id: Mapped[str] = mapped_column(server_default="")
    location: Mapped[str] = mapped_column(server_default="")
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text), server_default="{}")
    poll_interval_s: Mapped[int] = mapped_column(server_default="60")
    state: Mapped[str] = mapped_column(server_default="active")  # active | maintenance | retired
    is_reachable: Mapped[bool | None]
    reachable_since: Mapped[datetime | None]  # when is_reachable last changed
    polled_at: Mapped[datetime | None]
    discovered_at: Mapped[datetime | None]
    booted_at: Mapped[datetime | None]
    last_error: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Created]


class InterfaceRow(Base):
    """A port; identified by its name on the device, never by ifIndex. `name` is the label `ifName`."""

    __tablename__ = "interfaces"
    __table_args__ = (UniqueConstraint("device_id", "name"),)

    id: Mapped[Id]
    tenant_id: Mapped[TenantColumn]
    device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"))
    name: Mapped[str]
    if_index: Mapped[int]
    description: Mapped[str] = mapped_column(server_default="")
    alias: Mapped[str] = mapped_column(server_default="")
    mac: Mapped[str] = mapped_column(server_default="")
    if_type: Mapped[int] = mapped_column(server_default="0")
    mtu: Mapped[int | None]
    speed_bps: Mapped[int | None] = mapped_column(BigInteger)
    admin_status: Mapped[str] = mapped_column(server_default="unknown")  # up | down | testing | unknown
    oper_status: Mapped[str] = mapped_column(server_default="unknown")  # up | down | ... as IF-MIB says
    changed_at: Mapped[datetime | None]  # when oper_status last changed
    missing_since: Mapped[datetime | None]
    created_at: Mapped[Created]


class LinkRow(Base):
    """A link that one side told of (LLDP); side b is by name alone where we do not watch it."""

    __tablename__ = "links"
    __table_args__ = (
        # A port may have several neighbours: a telephone and the computer behind it.
        UniqueConstraint("a_interface_id", "protocol", "b_device_name", "b_interface_name", name="links_neighbour_key"),
    )

    id: Mapped[Id]
    tenant_id: Mapped[TenantColumn]
    a_device_id: Mapped[int] = mapped_column(ForeignKey("devices.id", ondelete="CASCADE"), index=True)
    a_interface_id: Mapped[int] = mapped_column(ForeignKey("interfaces.id", ondelete="CASCADE"))
    b_device_id: Mapped[int | None] = mapped_column(ForeignKey("devices.id", ondelete="SET NULL"), index=True)
    b_interface_id: Mapped[int | None] = mapped_column(ForeignKey("interfaces.id", ondelete="SET NULL"))
    b_device_name: Mapped[str] = mapped_column(server_default="")
    b_interface_name: Mapped[str] = mapped_column(server_default="")
    protocol: Mapped[str] = mapped_column(server_default="lldp")
    first_seen_at: Mapped[Created]
    seen_at: Mapped[Created]


class CredentialRow(Base):
    """What a device asks for; sealed with the tenant's key, never read back."""

    __tablename__ = "credentials"
    __table_args__ = (UniqueConstraint("tenant_id", "name"),)

    id: Mapped[Id]
    tenant_id: Mapped[TenantColumn]
    name: Mapped[str]
    kind: Mapped[str]  # snmp_v2c
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[Created]
    changed_at: Mapped[Created]


class TenantKeyRow(Base):
    """The data key of a tenant, wrapped by the master key `master_id`."""

    __tablename__ = "tenant_keys"

    tenant_id: Mapped[int] = mapped_column(ForeignKey("tenants.id", ondelete="CASCADE"), primary_key=True)
    wrapped: Mapped[bytes] = mapped_column(LargeBinary)
    master_id: Mapped[str]
    created_at: Mapped[Created]
