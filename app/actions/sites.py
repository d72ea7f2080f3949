"""What may be done to sites."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from msgspec import UNSET, structs
from sqlalchemy.exc import IntegrityError

from app.actions.audit import record
from app.auth.permissions import require
from app.domain.inventory import Site, SiteFields, check_name
from app.domain.tenancy import WRITE, Viewer
from app.errors import Conflict, InvalidInput
from app.queries.sites import load_site_row, site_of
from models.inventory import SiteRow
from models.session import tenant_session


def create_site(viewer: Viewer, fields: SiteFields) -> Site:
    """Add a site; `name` is needed, the title is the name where none is given. Raises Conflict, InvalidInput."""
    require(viewer, WRITE, "sites")
    name = check_name(fields.name, noun="site")
    values = {"title": name} | _checked(fields)
    try:
        with tenant_session(viewer.tenant) as session:
            row = SiteRow(tenant_id=viewer.tenant, name=name, **values)
            session.add(row)
            session.flush()
            record(session, viewer, action="create", noun="sites", object_id=row.id, after={"name": name, **values})
            session.refresh(row)
            return site_of(row)
    except IntegrityError:
        raise Conflict(f"There is already a site {name!r}.") from None


def change_site(viewer: Viewer, name: str, fields: SiteFields) -> Site:
    """Set the given fields of a site; raises NotFound, Conflict, InvalidInput."""
    require(viewer, WRITE, "sites")
    values = _checked(fields)
    if fields.name is not UNSET:
        values["name"] = check_name(fields.name, noun="site")
    try:
        with tenant_session(viewer.tenant) as session:
            row = load_site_row(session, viewer.tenant, name)
            before = {field: getattr(row, field) for field in values}
            for field, value in values.items():
                setattr(row, field, value)
            session.flush()
            record(session, viewer, action="change", noun="sites", object_id=row.id, before=before, after=values)
            return site_of(row)
    except IntegrityError:
        raise Conflict(f"There is already a site {values.get('name')!r}.") from None


def delete_site(viewer: Viewer, name: str) -> None:
    """Remove a site; its devices stay, without a site. Raises NotFound."""
    require(viewer, WRITE, "sites")
    with tenant_session(viewer.tenant) as session:
        row = load_site_row(session, viewer.tenant, name)
        session.delete(row)
        before = {"name": row.name, "title": row.title}
        record(session, viewer, action="delete", noun="sites", object_id=row.id, before=before)


def _checked(fields: SiteFields) -> dict[str, Any]:
    """The given fields but the name; raises InvalidInput."""
    given = {name: value for name, value in structs.asdict(fields).items() if value is not UNSET and name != "name"}
    for name, most in (("latitude", 90), ("longitude", 180)):
        value = given.get(name)
        if value is not None and not -most <= value <= most:
            raise InvalidInput(name, f"must be from -{most} to {most} degrees")
    if given.get("time_zone", "UTC") not in available_timezones():
        raise InvalidInput("time_zone", "must be a name such as Europe/Berlin")
    return given
