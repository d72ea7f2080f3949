"""`rules`: take over rule files."""

from __future__ import annotations

from pathlib import Path

import click

from app.actions.rules import import_rule_file
from app.domain.tenancy import Role, TenantId, Viewer
from app.errors import InvalidInput, NotFound
from app.queries.tenants import tenants
from app.runtime.process import open_process
from app.settings import Settings

MOST_BYTES = 1 << 20


@click.group()
def rules() -> None:
    """Rules that raise alerts."""


@rules.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--tenant", help="Tenant by name; the oldest one when left out.")
def import_file(file: Path, tenant: str | None) -> None:
    """Take over the alerting rules of a Prometheus rule FILE; groups of the same name are replaced."""
    if file.stat().st_size > MOST_BYTES:
        raise InvalidInput("file", "is longer than 1 MiB")
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidInput("file", "is not UTF-8 text") from None
    open_process(Settings.from_env(), "web", pool_size=1)
    viewer = _viewer(tenant)
    parsed = import_rule_file(viewer, text)
    count = sum(len(group.rules) for group in parsed.groups)
    click.echo(f"{count} rules in {len(parsed.groups)} groups for {viewer.tenant_name}")
    for sentence in parsed.left_out:
        click.echo(f"left out: {sentence}")


def _viewer(name: str | None) -> Viewer:
    """Who acts: the person at the command line, who owns the installation, for one tenant."""
    owner = Viewer(TenantId(0), "", "command line", Role.ADMIN, is_platform_admin=True)
    found = [each for each in tenants(owner) if each.closed_at is None and name in (None, each.name)]
    if not found:
        raise NotFound(f"There is no open tenant {name}." if name else "There is no tenant yet.")
    chosen = min(found, key=lambda each: each.id)
    return Viewer(TenantId(chosen.id), chosen.name, "command line", Role.ADMIN, is_platform_admin=True)
