"""What may be done to device credentials. They go in sealed and never come out, except to the poller."""

from __future__ import annotations

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.actions.audit import record
from app.auth.permissions import require
from app.auth.sealing import seal
from app.domain.inventory import CREDENTIAL_KINDS, Credential, check_name
from app.domain.tenancy import WRITE, TenantId, Viewer
from app.errors import Conflict, InvalidInput, NotFound
from app.queries.credentials import credential_of
from models.inventory import CredentialRow
from models.session import tenant_session

MOST_COMMUNITY = 255


def create_credential(viewer: Viewer, name: str, *, kind: str, community: str) -> Credential:
    """Add a credential of one of CREDENTIAL_KINDS; raises Conflict, InvalidInput."""
    require(viewer, WRITE, "credentials")
    name = check_name(name, noun="credential")
    if kind not in CREDENTIAL_KINDS:
        raise InvalidInput("kind", f"must be one of {', '.join(CREDENTIAL_KINDS)}")
    secret = _checked(community)
    try:
        with tenant_session(viewer.tenant) as session:
            sealed = seal(session, viewer.tenant, secret, context=f"credential:{name}")
            row = CredentialRow(tenant_id=viewer.tenant, name=name, kind=kind, sealed=sealed)
            session.add(row)
            session.flush()
            record(
                session,
                viewer,
                action="create",
                noun="credentials",
                object_id=row.id,
                after={"name": name, "kind": kind},
            )
            session.refresh(row)
            return credential_of(row)
    except IntegrityError:
        raise Conflict(f"There is already a credential {name!r}.") from None


def change_credential(viewer: Viewer, name: str, *, community: str) -> Credential:
    """Replace the secret of a credential; raises NotFound, InvalidInput."""
    require(viewer, WRITE, "credentials")
    secret = _checked(community)
    with tenant_session(viewer.tenant) as session:
        row = _load(session, viewer.tenant, name)
        row.sealed = seal(session, viewer.tenant, secret, context=f"credential:{name}")
        row.changed_at = func.now()
        session.flush()
        record(session, viewer, action="change", noun="credentials", object_id=row.id, after={"name": name})
        session.refresh(row)
        return credential_of(row)


def delete_credential(viewer: Viewer, name: str) -> None:
    """Remove a credential; devices that used it are no longer polled. Raises NotFound."""
    require(viewer, WRITE, "credentials")
    with tenant_session(viewer.tenant) as session:
        row = _load(session, viewer.tenant, name)
        session.delete(row)
        record(session, viewer, action="delete", noun="credentials", object_id=row.id, before={"name": name})


def _load(session: Session, tenant: TenantId, name: str) -> CredentialRow:
    row = session.scalar(select(CredentialRow).where(CredentialRow.tenant_id == tenant, CredentialRow.name == name))
    if row is None:
        raise NotFound(f"There is no credential {name!r}.")
    return row


def _checked(community: str) -> bytes:
    secret = community.encode()
    if not 1 <= len(secret) <= MOST_COMMUNITY:
        raise InvalidInput("community", f"must have 1 to {MOST_COMMUNITY} octets")
    return secret
