"""One real Postgres and one real Valkey for a whole test run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from uuid import uuid4

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import make_url

from models.session import ROLES, role_password

SECRET_KEY = "test-secret-key-" * 4


@dataclass(frozen=True)
class Servers:
    """Addresses of the run's servers: the owner's database URL (database name aside) and Valkey's."""

    database_url: str
    redis_url: str


def owner_engine(url: str, **options: object) -> Engine:
    """An engine of the owner, who may do everything in his databases."""
    return create_engine(make_url(url).set(drivername="postgresql+psycopg"), **options)


def create_database(servers: Servers, *, template: str | None = None) -> str:
    """Make an empty database (or a copy of `template`); answers the owner's URL of it."""
    name = f"test_{os.getpid()}_{uuid4().hex[:8]}"
    with owner_engine(servers.database_url, isolation_level="AUTOCOMMIT").connect() as connection:
        suffix = f" template {template}" if template else ""
        connection.execute(text(f"create database {name}{suffix}"))
    return make_url(servers.database_url).set(database=name).render_as_string(hide_password=False)


def drop_database(servers: Servers, url: str) -> None:
    """Drop a database and whoever is still connected to it."""
    with owner_engine(servers.database_url, isolation_level="AUTOCOMMIT").connect() as connection:
        connection.execute(text(f"drop database if exists {make_url(url).database} with (force)"))


def migrate(url: str, revision: str = "head") -> None:
    """Bring the database to `revision` with the real migrations."""
    config = Config()
    config.set_main_option("script_location", "migrations")
    passwords = {login: role_password(role, SECRET_KEY) for role, login in ROLES.items()}
    engine = owner_engine(url)
    with engine.begin() as connection:
        config.attributes.update(connection=connection, role_passwords=passwords)
        command.upgrade(config, revision)
        for login in ROLES.values():
            # RolledBackDatabase plays every role on the owner's connection; in production the owner plays none.
            connection.execute(text(f"grant {login} to current_user with set true, inherit false"))
    engine.dispose()
