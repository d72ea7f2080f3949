"""The schema of the database: brought to this version by its owner, compared by everyone else."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url

from app.errors import WatchfloorError
from app.tsdb import engines
from models.session import ROLES, role_password

MIGRATIONS = Path(__file__).parents[2] / "migrations"
OLDEST_POSTGRES = 16


def migrate_database(owner_url: str, secret_key: str, *, revision: str = "head") -> tuple[str | None, str | None]:
    """Run the migrations as the owner, all or nothing; answers the revision before and after."""
    engine = owner_engine(owner_url)
    config = alembic_config()
    passwords = {login: role_password(role, secret_key) for role, login in ROLES.items()}
    try:
        with engine.begin() as connection:
            check_version(connection)
            before = MigrationContext.configure(connection).get_current_revision()
            config.attributes.update(connection=connection, role_passwords=passwords)
            command.upgrade(config, revision)
            after = MigrationContext.configure(connection).get_current_revision()
            if revision == "head":
                engines.adopt(connection)
            # /readyz compares it.
            connection.execute(text(f"grant select on alembic_version to {ROLES['platform']}"))
    finally:
        engine.dispose()
    return before, after


def check_version(connection: Connection) -> int:
    """The major version of the database's server; raises WatchfloorError when it is too old."""
    version = int(connection.execute(text("show server_version_num")).scalar_one()) // 10_000
    if version < OLDEST_POSTGRES:
        raise WatchfloorError(f"Postgres {version} is too old: {OLDEST_POSTGRES} or later is needed")
    return version


def owner_engine(owner_url: str) -> Engine:
    """An engine of the owner's login."""
    url = make_url(owner_url).set(drivername="postgresql+psycopg")
    return create_engine(url, connect_args={"connect_timeout": 5})


def alembic_config() -> Config:
    """Alembic's configuration; it has no file."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def newest_revision() -> str | None:
    """The revision that this version of the program needs."""
    return ScriptDirectory.from_config(alembic_config()).get_current_head()
