"""Sites, devices, interfaces, links and sealed credentials.

Why: samples and alerts speak of devices by name; this is where the names live.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLES = ("sites", "credentials", "tenant_keys", "devices", "interfaces", "links")


def upgrade() -> None:
    """Make the tables, their walls and their grants."""
    _create_sites()
    _create_credentials()
    _create_tenant_keys()
    _create_devices()
    _create_interfaces()
    _create_links()
    for table in TABLES:
        op.execute(f"select watchfloor_protect('{table}')")


def downgrade() -> None:
    """Drop what upgrade() made."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_sites() -> None:
    op.create_table(
        "sites",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("time_zone", sa.Text(), server_default="UTC", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("sites_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("sites_pkey")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("sites_tenant_id_name_key")),
    )
    op.create_index(op.f("sites_tenant_id_idx"), "sites", ["tenant_id"], unique=False)


def _create_credentials() -> None:
    op.create_table(
        "credentials",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("credentials_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("credentials_pkey")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("credentials_tenant_id_name_key")),
    )
    op.create_index(op.f("credentials_tenant_id_idx"), "credentials", ["tenant_id"], unique=False)


def _create_tenant_keys() -> None:
    op.create_table(
        "tenant_keys",
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("wrapped", sa.LargeBinary(), nullable=False),
        sa.Column("master_id", sa.Text(), nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("tenant_keys_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("tenant_id", name=op.f("tenant_keys_pkey")),
    )


def _create_devices() -> None:
    op.create_table(
        "devices",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("port", sa.Integer(), server_default="161", nullable=False),
        sa.Column("site_id", sa.Integer(), nullable=True),
        sa.Column("credential_id", sa.Integer(), nullable=True),
        sa.Column("role", sa.Text(), server_default="", nullable=False),
        sa.Column("vendor", sa.Text(), server_default="", nullable=False),
        sa.Column("model", sa.Text(), server_default="", nullable=False),
        sa.Column("serial", sa.Text(), server_default="", nullable=False),
        sa.Column("os", sa.Text(), server_default="", nullable=False),
        sa.Column("os_version", sa.Text(), server_default="", nullable=False),
        sa.Column("sys_name", sa.Text(), server_default="", nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("object_id", sa.Text(), server_default="", nullable=False),
        sa.Column("location", sa.Text(), server_default="", nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), server_default="{}", nullable=False),
        sa.Column("poll_interval_s", sa.Integer(), server_default="60", nullable=False),
        sa.Column("state", sa.Text(), server_default="active", nullable=False),
        sa.Column("is_reachable", sa.Boolean(), nullable=True),
        sa.Column("reachable_since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("polled_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("discovered_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("booted_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("last_error", sa.Text(), server_default="", nullable=False),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["credential_id"], ["credentials.id"], name=op.f("devices_credential_id_fkey"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name=op.f("devices_site_id_fkey"), ondelete="SET NULL"),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("devices_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("devices_pkey")),
        sa.UniqueConstraint("tenant_id", "name", name=op.f("devices_tenant_id_name_key")),
    )
    op.create_index(op.f("devices_site_id_idx"), "devices", ["site_id"], unique=False)
    op.create_index(op.f("devices_tenant_id_idx"), "devices", ["tenant_id"], unique=False)


def _create_interfaces() -> None:
    op.create_table(
        "interfaces",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("if_index", sa.Integer(), nullable=False),
        sa.Column("description", sa.Text(), server_default="", nullable=False),
        sa.Column("alias", sa.Text(), server_default="", nullable=False),
        sa.Column("mac", sa.Text(), server_default="", nullable=False),
        sa.Column("if_type", sa.Integer(), server_default="0", nullable=False),
        sa.Column("mtu", sa.Integer(), nullable=True),
        sa.Column("speed_bps", sa.BigInteger(), nullable=True),
        sa.Column("admin_status", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("oper_status", sa.Text(), server_default="unknown", nullable=False),
        sa.Column("changed_at", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("missing_since", postgresql.TIMESTAMP(timezone=True), nullable=True),
        sa.Column("created_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["device_id"], ["devices.id"], name=op.f("interfaces_device_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f("interfaces_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("interfaces_pkey")),
        sa.UniqueConstraint("device_id", "name", name=op.f("interfaces_device_id_name_key")),
    )
    op.create_index(op.f("interfaces_tenant_id_idx"), "interfaces", ["tenant_id"], unique=False)


def _create_links() -> None:
    op.create_table(
        "links",
        sa.Column("id", sa.Integer(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.Column("a_device_id", sa.Integer(), nullable=False),
        sa.Column("a_interface_id", sa.Integer(), nullable=False),
        sa.Column("b_device_id", sa.Integer(), nullable=True),
        sa.Column("b_interface_id", sa.Integer(), nullable=True),
        sa.Column("b_device_name", sa.Text(), server_default="", nullable=False),
        sa.Column("b_interface_name", sa.Text(), server_default="", nullable=False),
        sa.Column("protocol", sa.Text(), server_default="lldp", nullable=False),
        sa.Column(
            "first_seen_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False
        ),
        sa.Column("seen_at", postgresql.TIMESTAMP(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["a_device_id"], ["devices.id"], name=op.f("links_a_device_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["a_interface_id"], ["interfaces.id"], name=op.f("links_a_interface_id_fkey"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["b_device_id"], ["devices.id"], name=op.f("links_b_device_id_fkey"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["b_interface_id"], ["interfaces.id"], name=op.f("links_b_interface_id_fkey"), ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(["tenant_id"], ["tenants.id"], name=op.f("links_tenant_id_fkey"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("links_pkey")),
        sa.UniqueConstraint(
            "a_interface_id", "protocol", "b_device_name", "b_interface_name", name=op.f("links_neighbour_key")
        ),
    )
    op.create_index(op.f("links_a_device_id_idx"), "links", ["a_device_id"], unique=False)
    op.create_index(op.f("links_b_device_id_idx"), "links", ["b_device_id"], unique=False)
    op.create_index(op.f("links_tenant_id_idx"), "links", ["tenant_id"], unique=False)
