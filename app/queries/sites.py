"""Sites as people and programs ask for them."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.auth.permissions import require
from app.domain.inventory import DeviceState, Site, SiteCounts
from app.domain.tenancy import READ, TenantId, Viewer
from app.errors import NotFound
from app.queries.devices import MOST, open_alert_counts
from models.alerting import AlertRow
from models.inventory import DeviceRow, SiteRow
from models.session import tenant_session


def sites(viewer: Viewer, *, after: str | None = None, limit: int = MOST) -> list[Site]:
    """The sites by name (bytewise), those behind the name `after` only."""
    require(viewer, READ, "sites")
    name = SiteRow.name.collate("C")
    query = select(SiteRow).where(SiteRow.tenant_id == viewer.tenant).order_by(name).limit(limit)
    if after is not None:
        query = query.where(name > after)
    with tenant_session(viewer.tenant) as session:
        return [site_of(row) for row in session.scalars(query)]


def site(viewer: Viewer, name: str) -> Site:
    """The site of this name; raises NotFound."""
    require(viewer, READ, "sites")
    with tenant_session(viewer.tenant) as session:
        return site_of(load_site_row(session, viewer.tenant, name))


def site_counts(viewer: Viewer) -> list[SiteCounts]:
    """Every site with the number of its devices, of those that do not answer, and its open alerts by severity."""
    found = sites(viewer)
    require(viewer, READ, "devices")
    query = (
        select(DeviceRow.site_id, func.count(), func.count().filter(DeviceRow.is_reachable.is_(False)))
        .where(DeviceRow.tenant_id == viewer.tenant, DeviceRow.state != DeviceState.RETIRED)
        .group_by(DeviceRow.site_id)
    )
    with tenant_session(viewer.tenant) as session:
        counts = {site_id: (devices, away) for site_id, devices, away in session.execute(query)}
        alerts = open_alert_counts(session, viewer.tenant, AlertRow.site_name)
    return [SiteCounts(each, *counts.get(each.id, (0, 0)), alerts.get(each.name, {})) for each in found]


def load_site_row(session: Session, tenant: TenantId, name: str) -> SiteRow:
    """The row of this site, in a session that is open; raises NotFound."""
    row = session.scalar(select(SiteRow).where(SiteRow.tenant_id == tenant, SiteRow.name == name))
    if row is None:
        raise NotFound(f"There is no site {name!r}.")
    return row


def site_of(row: SiteRow) -> Site:
    """The value of a row."""
    return Site(
        id=row.id,
        name=row.name,
        title=row.title,
        latitude=row.latitude,
        longitude=row.longitude,
        time_zone=row.time_zone,
        created_at=row.created_at,
    )
