"""Who found an anomaly: a look at the series, or at the devices of a role side by side.

Why: both may find something in one series at one time, and each goes on for itself.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

OLD = "anomalies_tenant_id_group_id_slot_started_at_key"


def upgrade() -> None:
    """Add the column and have the key count it."""
    op.add_column("anomalies", sa.Column("source", sa.Text(), server_default="series", nullable=False))
    op.drop_constraint(OLD, "anomalies")
    op.create_unique_constraint(
        "anomalies_series_key", "anomalies", ["tenant_id", "group_id", "slot", "started_at", "source"]
    )


def downgrade() -> None:
    """Drop what upgrade() made; of two at one time the one by peers goes."""
    op.execute("delete from anomalies where source <> 'series'")
    op.drop_constraint("anomalies_series_key", "anomalies")
    op.create_unique_constraint(OLD, "anomalies", ["tenant_id", "group_id", "slot", "started_at"])
    op.drop_column("anomalies", "source")
