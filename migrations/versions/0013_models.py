"""The registry of models: artefacts, their reports and stages, training runs, drift."""

from __future__ import annotations

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables, walls and grants."""


def downgrade() -> None:
    """Drop what upgrade() made."""
