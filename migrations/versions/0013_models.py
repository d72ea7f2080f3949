"""The registry of models: artefacts, their reports and stages, training runs, drift.

Why: what forecasts is a thing with a version, an origin and a report, which a gate or a person puts in charge and takes
out again. The artefacts themselves lie in the object store under the hash of their content.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MOMENT = postgresql.TIMESTAMP(timezone=True)
DOCUMENT = postgresql.JSONB(astext_type=sa.Text())
TABLES = ("training_runs", "ml_models", "backtest_sets", "drift_checks")


def upgrade() -> None:
    """Make the tables, walls and grants."""
    _create_runs()
    _create_models()
    _create_backtests()
    _create_drift()
    for table in TABLES:
        op.execute(f"select watchfloor_protect('{table}')")
    # Models are trained, judged and looked at for drift by workers; people move them between stages.
    op.execute("revoke insert, update, delete on backtest_sets, drift_checks from watchfloor_web")
    op.execute("revoke insert, delete on ml_models from watchfloor_web")


def downgrade() -> None:
    """Drop what upgrade() made."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _create_runs() -> None:
    op.create_table(
        "training_runs",
        *_own("training_runs"),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("asked_by", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("touched_at", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.Column("until_at", MOMENT, nullable=True),
        sa.Column("position", sa.Integer(), server_default="0", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("spent_s", sa.Double(), server_default="0", nullable=False),
        sa.Column("plan", DOCUMENT, server_default="{}", nullable=False),
    )
    op.create_index("training_runs_recent_idx", "training_runs", ["tenant_id", "created_at"])
    op.create_index(
        "training_runs_open_idx",
        "training_runs",
        ["tenant_id"],
        unique=True,
        postgresql_where=sa.text("state in ('queued', 'running')"),
    )


def _create_models() -> None:
    op.create_table(
        "ml_models",
        *_own("ml_models"),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("code_version", sa.Text(), nullable=False),
        sa.Column("feature_set", sa.Integer(), nullable=False),
        sa.Column("trained_from", MOMENT, nullable=False),
        sa.Column("trained_to", MOMENT, nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("trained_on", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("report", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("reference", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        sa.Column("is_damaged", sa.Boolean(), server_default="false", nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.Column("promoted_at", MOMENT, nullable=True),
        sa.Column("promoted_by", sa.Text(), server_default="", nullable=False),
        sa.Column("promoted_why", sa.Text(), server_default="", nullable=False),
        _run("ml_models"),
        sa.UniqueConstraint(
            "tenant_id", "family", "kind", "version", name=op.f("ml_models_tenant_id_family_kind_version_key")
        ),
    )
    op.create_index("ml_models_run_id_idx", "ml_models", ["run_id"])
    op.create_index(
        "ml_models_champion_idx",
        "ml_models",
        ["tenant_id", "family", "kind"],
        unique=True,
        postgresql_where=sa.text("stage = 'champion'"),
    )


def _create_backtests() -> None:
    op.create_table(
        "backtest_sets",
        *_own("backtest_sets"),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("start_at", MOMENT, nullable=False),
        sa.Column("end_at", MOMENT, nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("members", DOCUMENT, server_default="{}", nullable=False),
        sa.Column("created_at", MOMENT, server_default=sa.text("now()"), nullable=False),
        sa.UniqueConstraint("tenant_id", "family", "number", name=op.f("backtest_sets_tenant_id_family_number_key")),
    )


def _create_drift() -> None:
    op.create_table(
        "drift_checks",
        *_own("drift_checks"),
        sa.Column("family", sa.Text(), nullable=False),
        sa.Column("measure", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("bound", sa.Double(), nullable=False),
        sa.Column("is_drifting", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("run_id", sa.BigInteger(), nullable=True),
        _run("drift_checks"),
    )
    op.create_index("drift_checks_run_id_idx", "drift_checks", ["run_id"])
    op.create_index("drift_checks_recent_idx", "drift_checks", ["tenant_id", "family", "measure", "at"])


def _own(table: str) -> tuple[sa.SchemaItem, ...]:
    return (
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("tenant_id", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["tenant_id"], ["tenants.id"], name=op.f(f"{table}_tenant_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f(f"{table}_pkey")),
    )


def _run(table: str) -> sa.ForeignKeyConstraint:
    name = op.f(f"{table}_run_id_fkey")
    return sa.ForeignKeyConstraint(["run_id"], ["training_runs.id"], name=name, ondelete="SET NULL")
