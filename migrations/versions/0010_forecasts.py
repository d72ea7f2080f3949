"""What forecasting keeps: the newest forecast of each series, and how good past ones were."""

from __future__ import annotations

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, walls and grants."""


def downgrade() -> None:
    """Drop what upgrade() made."""
