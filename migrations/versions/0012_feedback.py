"""What people say of anomalies: expected or real, and the tenant's multiplier that it moves."""

from __future__ import annotations

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, walls and grants."""


def downgrade() -> None:
    """Drop what upgrade() made."""
