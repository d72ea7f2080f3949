"""Who the command line and the demo act as: an operator of the whole installation, inside one tenant.

Whoever can run our commands holds the secret key already. Nothing that answers a request may use this.
"""

from __future__ import annotations

from sqlalchemy import select

from app.domain.tenancy import Role, TenantId, Viewer
from app.errors import NotFound
from models.session import platform_session
from models.tenants import TenantRow

NAME = "command line"
NO_TENANT = TenantId(0)


def operator() -> Viewer:
    """The operator outside any tenant: makes and lists tenants."""
    return Viewer(tenant=NO_TENANT, tenant_name="", name=NAME, role=Role.ADMIN, is_platform_admin=True)


def operator_of(tenant_name: str) -> Viewer:
    """The operator acting in a tenant; raises NotFound."""
    with platform_session() as session:
        tenant = session.scalar(select(TenantRow.id).where(TenantRow.name == tenant_name))
    if tenant is None:
        raise NotFound(f"There is no tenant {tenant_name}.")
    return Viewer(tenant=TenantId(tenant), tenant_name=tenant_name, name=NAME, role=Role.ADMIN, is_platform_admin=True)
