"""/api/v1/tenants: all of them for a platform admin, one's own for everybody else."""

from __future__ import annotations

from datetime import datetime

import msgspec
from flask import Blueprint, Response

from app.actions import tenants as actions
from app.api.openapi import Listed, answer, documented, json_body
from app.api.paging import page_of, requested_page
from app.auth.current import current_viewer
from app.auth.permissions import guarded
from app.domain.access import Tenant
from app.domain.tenancy import ADMIN, READ, WRITE
from app.queries import tenants as queries

blueprint = Blueprint("tenants", __name__)


class TenantIn(msgspec.Struct, forbid_unknown_fields=True):
    """A tenant to make."""

    name: str
    title: str = ""
    accept_from: datetime | None = None


class TenantChange(msgspec.Struct, forbid_unknown_fields=True):
    """What to change; fields that are left out stay."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    accept_from: datetime | msgspec.UnsetType | None = msgspec.UNSET
    accept_late_s: int | msgspec.UnsetType = msgspec.UNSET
    accept_ahead_s: int | msgspec.UnsetType = msgspec.UNSET
    samples_per_s: int | msgspec.UnsetType = msgspec.UNSET
    active_series: int | msgspec.UnsetType = msgspec.UNSET
    burst_s: int | msgspec.UnsetType = msgspec.UNSET
    new_series_per_min: int | msgspec.UnsetType = msgspec.UNSET
    most_labels: int | msgspec.UnsetType = msgspec.UNSET
    most_name_chars: int | msgspec.UnsetType = msgspec.UNSET
    most_value_chars: int | msgspec.UnsetType = msgspec.UNSET
    most_body_bytes: int | msgspec.UnsetType = msgspec.UNSET
    raw_retention_days: int | msgspec.UnsetType = msgspec.UNSET
    retention_5m_days: int | msgspec.UnsetType = msgspec.UNSET
    retention_1h_days: int | msgspec.UnsetType = msgspec.UNSET
    retention_1d_days: int | msgspec.UnsetType = msgspec.UNSET


@blueprint.get("/api/v1/tenants")
@documented("List tenants", answer=Listed[Tenant])
@guarded(READ, "own tenant")
def list_tenants() -> Response:
    """A page of tenants by name."""
    page = requested_page("tenants")
    found = queries.tenants(current_viewer(), after=page.after or "", limit=page.limit + 1)
    return answer(page_of("tenants", found, page, lambda tenant: tenant.name))


@blueprint.post("/api/v1/tenants")
@documented("Make a tenant", body=TenantIn, answer=Tenant, status=201)
@guarded(WRITE, "tenants")
def create() -> Response:
    """Make a tenant with the starter pack of rules."""
    body = json_body(TenantIn)
    return answer(actions.create(current_viewer(), body.name, title=body.title, accept_from=body.accept_from), 201)


@blueprint.get("/api/v1/tenants/<name>")
@documented("Get a tenant", answer=Tenant)
@guarded(READ, "own tenant")
def get(name: str) -> Response:
    """One tenant."""
    return answer(queries.tenant(current_viewer(), name))


@blueprint.patch("/api/v1/tenants/<name>")
@documented("Change a tenant", body=TenantChange, answer=Tenant)
@guarded(WRITE, "tenants")
def change(name: str) -> Response:
    """Change title and limits."""
    body = json_body(TenantChange)
    changes = {
        field: getattr(body, field) for field in body.__struct_fields__ if getattr(body, field) is not msgspec.UNSET
    }
    return answer(actions.change(current_viewer(), name, changes))


@blueprint.delete("/api/v1/tenants/<name>")
@documented("Close a tenant", status=204)
@guarded(ADMIN, "tenants")
def close(name: str) -> Response:
    """Let nobody in any more; the data stays."""
    actions.close(current_viewer(), name)
    return answer(None, 204)
