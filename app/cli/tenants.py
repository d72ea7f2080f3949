"""`tenant`, `user`, `token`, `audit`: who may, from the command line."""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime, timedelta

import click

from app.actions import erasures as erasure_actions
from app.actions import tenants as tenant_actions
from app.actions import tokens as token_actions
from app.actions import users as user_actions
from app.auth.operator import operator, operator_of
from app.clock import utc_now
from app.domain.access import Person
from app.domain.tenancy import Role, Scope, Viewer
from app.errors import InvalidInput, NotFound, WatchfloorError
from app.queries import audit as audit_queries
from app.queries import tenants as tenant_queries
from app.queries import users as user_queries
from app.runtime.process import open_process
from app.settings import Settings

TENANT = click.option("--tenant", "-t", "tenant_name", required=True, help="Name of the tenant.")


@click.group()
def tenant() -> None:
    """Make, list, close and erase tenants."""


@tenant.command("create")
@click.argument("name")
@click.option("--title", default="", help="Name for people; the default is NAME with a capital.")
@click.option("--accept-from", metavar="DATE", help="Accept samples from this day on (for loading old data).")
def create_tenant(name: str, title: str, accept_from: str | None) -> None:
    """Make a tenant with the starter pack of rules."""
    opens = _moment("--accept-from", accept_from) if accept_from else None
    _open()
    made = tenant_actions.create(operator(), name, title=title, accept_from=opens)
    click.echo(f"tenant {made.name} made")


@tenant.command("list")
def list_tenants() -> None:
    """List all tenants."""
    _open()
    for each in tenant_queries.tenants(operator()):
        state = "closed" if each.closed_at else "open"
        click.echo(f"{each.id}\t{each.name}\t{state}\t{each.title}")


@tenant.command("close")
@click.argument("name")
def close_tenant(name: str) -> None:
    """Let nobody of a tenant in any more; its data stays until it is erased."""
    _open()
    tenant_actions.close(operator(), name)
    click.echo(f"tenant {name} closed")


@tenant.command("erase")
@click.argument("name")
@click.option("--yes", "typed", metavar="NAME", required=True, help="The name once more, because nothing comes back.")
def erase_tenant(name: str, typed: str) -> None:
    """Erase all of a closed tenant: rows, objects, what waits in the stream; shows counts before and after."""
    _open()
    erasure_id = erasure_actions.ask(operator(), name, typed=typed)
    wait_s = erasure_actions.quiet_in(erasure_id)
    if wait_s:
        click.echo(f"waiting {wait_s:.0f} s until every process knows that {name} is closed")
        time.sleep(wait_s)  # as the line above tells whoever waits
    done = erasure_actions.carry_out(erasure_id)
    click.echo("what\tbefore\tafter")
    for what, count in sorted(done.before.items()):
        click.echo(f"{what}\t{count}\t{done.after.get(what, 0)}")
    click.echo(f"tenant {name} erased: nothing is left")


@click.group()
def user() -> None:
    """Make and list people, and set passwords."""


@user.command("create")
@click.argument("email")
@TENANT
@click.option("--name", default="", help="Name for people; the default is the part before @.")
@click.option("--role", default=Role.VIEWER.value, show_default=True, help="viewer, analyst, admin or a role of yours.")
@click.option("--platform-admin", is_flag=True, help="May administer the whole installation.")
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of making one.")
def create_user(  # noqa: PLR0917  click passes them by name
    email: str, tenant_name: str, name: str, role: str, platform_admin: bool, password_stdin: bool
) -> None:
    """Add a person to a tenant; prints a first password, once, as the last word."""
    password = _password() if password_stdin else None
    _open()
    viewer = operator_of(tenant_name)
    made = user_actions.create(viewer, email=email, name=name or email.partition("@")[0], role=role, password=password)
    if platform_admin:
        user_actions.make_platform_admin(viewer, made.id)
    click.echo(f"user {email} made" + (f", password {made.password}" if made.password else ""))


@user.command("list")
@TENANT
def list_users(tenant_name: str) -> None:
    """List the people of a tenant."""
    _open()
    for person in user_queries.users(operator_of(tenant_name)):
        state = "disabled" if person.disabled_at else "active"
        role = f"{person.role} +platform" if person.is_platform_admin else person.role
        click.echo(f"{person.id}\t{person.email}\t{role}\t{state}\t{person.name}")


@user.command("passwd")
@click.argument("email")
@TENANT
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input instead of making one.")
def set_password(email: str, tenant_name: str, password_stdin: bool) -> None:
    """Set a new password and end the person's sessions; prints a made one, once, as the last word."""
    password = _password() if password_stdin else None
    _open()
    viewer = operator_of(tenant_name)
    new = user_actions.reset_password(viewer, _person(viewer, email).id, password)
    click.echo(f"password of {email} set" + ("" if password else f" to {new}"))


@click.group()
def token() -> None:
    """Make API tokens."""


@token.command("create")
@TENANT
@click.option(
    "--scope",
    "scopes",
    multiple=True,
    required=True,
    type=click.Choice([scope.value for scope in Scope]),
    help="What it may be used for; may be given several times.",
)
@click.option("--name", default="command line", show_default=True, help="What it is for.")
@click.option("--expires", metavar="DATE|DAYSd", help="When it dies: a date, or a number of days such as 90d.")
@click.option("--from", "source_ranges", multiple=True, metavar="CIDR", help="Usable only from these addresses.")
def create_token(
    tenant_name: str, scopes: tuple[str, ...], name: str, expires: str | None, source_ranges: tuple[str, ...]
) -> None:
    """Make a token; its secret is printed once, as the last word."""
    expires_at = _moment("--expires", expires) if expires else None
    _open()
    made = token_actions.create(
        operator_of(tenant_name), name=name, scopes=scopes, expires_at=expires_at, source_ranges=source_ranges
    )
    click.echo(f"token {made.token.id} of {tenant_name} for {' '.join(scopes)}: {made.secret}")


@click.group()
def audit() -> None:
    """Check the audit log."""


@audit.command("verify")
@TENANT
def verify(tenant_name: str) -> None:
    """Go through the hash chain of a tenant; exit code 1 names the first entry that was tampered with."""
    _open()
    check = audit_queries.verify(operator_of(tenant_name))
    if check.first_bad is not None:
        raise WatchfloorError(f"the audit log was tampered with at entry {check.first_bad}")
    click.echo(f"{check.entries} entries, intact, last hash {check.last_hash}")


def _open() -> None:
    open_process(Settings.from_env(), "web", pool_size=1)


def _person(viewer: Viewer, email: str) -> Person:
    for person in user_queries.users(viewer):
        if person.email == email.strip().lower():
            return person
    raise NotFound(f"{viewer.tenant_name} has no user {email}.")


def _password() -> str:
    password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise InvalidInput("password", "standard input was empty")
    return password


def _moment(option: str, text: str) -> datetime:
    """A date, a time, or days from now such as 90d."""
    if text.endswith("d") and text[:-1].isdecimal():
        return utc_now() + timedelta(days=int(text[:-1]))
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidInput(option, "must be a date such as 2030-01-31 or a number of days such as 90d") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
