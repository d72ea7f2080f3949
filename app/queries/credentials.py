"""Device credentials as people ask for them: their names, never their secrets."""

from __future__ import annotations

from sqlalchemy import select

from app.auth.permissions import require
from app.domain.inventory import Credential
from app.domain.tenancy import READ, Viewer
from models.inventory import CredentialRow
from models.session import tenant_session


def credentials(viewer: Viewer) -> list[Credential]:
    """The credentials by name."""
    require(viewer, READ, "credentials")
    query = select(CredentialRow).where(CredentialRow.tenant_id == viewer.tenant).order_by(CredentialRow.name)
    with tenant_session(viewer.tenant) as session:
        return [credential_of(row) for row in session.scalars(query)]


def credential_of(row: CredentialRow) -> Credential:
    """The value of a row, without the secret."""
    return Credential(id=row.id, name=row.name, kind=row.kind, created_at=row.created_at, changed_at=row.changed_at)
