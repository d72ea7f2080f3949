"""`migrate`: bring the database to the schema of this version."""

from __future__ import annotations

import click

from app import log
from app.runtime.home import ready_settings
from app.runtime.schema import migrate_database
from app.settings import Settings


@click.command()
@click.option("--to", "revision", default="head", show_default=True, help="Revision to go up to.")
def migrate(revision: str) -> None:
    """Bring the database to the schema of this version, and set the passwords of its roles."""
    settings = Settings.from_env()
    log.configure(settings.log_format, settings.log_level)
    settings = ready_settings(settings)
    assert settings.database_url and settings.secret_key
    before, after = migrate_database(settings.database_url, settings.secret_key, revision=revision)
    click.echo(f"database at {after}" if before == after else f"database from {before or 'empty'} to {after}")
