"""The cast that every test knows: acme with alice, bob and vera; globex with charlie, who must see none of acme."""

from __future__ import annotations

from dataclasses import dataclass

from app.domain.tenancy import Role, Scope, TenantId, Viewer
from models.access import MembershipRow, UserRow
from models.session import platform_session
from models.tenants import TenantRow


@dataclass(frozen=True)
class Cast:
    """Viewers by first name; `acme` and `globex` are the tenants' ids."""

    acme: TenantId
    globex: TenantId
    alice: Viewer  # admin of acme
    bob: Viewer  # analyst of acme
    vera: Viewer  # viewer of acme
    charlie: Viewer  # admin of globex
    paula: Viewer  # platform admin, acting in acme


PEOPLE = (
    ("alice", "acme", Role.ADMIN),
    ("bob", "acme", Role.ANALYST),
    ("vera", "acme", Role.VIEWER),
    ("charlie", "globex", Role.ADMIN),
    ("paula", "acme", Role.ADMIN),
)


def create_cast() -> Cast:
    """Insert both tenants and their people; needs an open database."""
    with platform_session() as session:
        tenants = {name: TenantRow(name=name, title=name.title()) for name in ("acme", "globex")}
        session.add_all(tenants.values())
        session.flush()
        viewers = {}
        for name, tenant, role in PEOPLE:
            user = UserRow(email=f"{name}@{tenant}.example", name=name.title(), is_platform_admin=name == "paula")
            session.add(user)
            session.flush()
            session.add(MembershipRow(tenant_id=tenants[tenant].id, user_id=user.id, role=role))
            viewers[name] = Viewer(
                tenant=TenantId(tenants[tenant].id),
                tenant_name=tenant,
                name=user.name,
                role=role,
                user_id=user.id,
                email=user.email,
                is_platform_admin=user.is_platform_admin,
            )
    return Cast(acme=viewers["alice"].tenant, globex=viewers["charlie"].tenant, **viewers)


def token_viewer(viewer: Viewer, *scopes: Scope) -> Viewer:
    """The same tenant, but acting through an API token with these scopes."""
    return Viewer(
        tenant=viewer.tenant,
        tenant_name=viewer.tenant_name,
        name="token",
        role="",
        token_id=1,
        scopes=frozenset(scopes),
    )
