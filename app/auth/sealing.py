"""Sealing of secrets at rest: AES-GCM under a key of the tenant, which a master key wraps.

The master key is derived from the installation's secret key. Sealed bytes are bound to the tenant and to a context
(such as "credential:core-v2c"), so a row moved to another tenant or name cannot be opened.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import text
from sqlalchemy.orm import Session

from app.domain.tenancy import TenantId
from app.errors import Conflict
from models.inventory import TenantKeyRow

VERSION = b"\x01"
NONCE_BYTES = 12


@dataclass(frozen=True)
class _Master:
    """The key that wraps the tenants' keys; `id` tells it from another installation's."""

    id: str
    cipher: AESGCM


_master: _Master | None = None


def open_keyring(secret_key: str) -> None:
    """Derive the master key of this process; call once in the main of a process."""
    global _master  # noqa: PLW0603  the process has one; this is where it is kept
    derived = HKDF(SHA256(), 32, salt=None, info=b"watchfloor master key 1").derive(secret_key.encode())
    _master = _Master(hashlib.sha256(derived).hexdigest()[:16], AESGCM(derived))


def seal(session: Session, tenant: TenantId, plaintext: bytes, *, context: str) -> bytes:
    """`plaintext` sealed for this tenant and context; makes the tenant's key at first use."""
    key = session.get(TenantKeyRow, tenant) or _make_key(session, tenant)
    nonce = os.urandom(NONCE_BYTES)
    return VERSION + nonce + _data_key(key).encrypt(nonce, plaintext, _bound_to(tenant, context))


def unseal(session: Session, tenant: TenantId, sealed: bytes, *, context: str) -> bytes:
    """The plaintext of seal(); raises Conflict when it was sealed for another tenant, context or secret key."""
    key = session.get(TenantKeyRow, tenant)
    nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
    try:
        if key is None or sealed[:1] != VERSION or len(nonce) != NONCE_BYTES:
            raise InvalidTag
        return _data_key(key).decrypt(nonce, ciphertext, _bound_to(tenant, context))
    except InvalidTag:
        raise Conflict("This secret cannot be opened: it was sealed for another place or with another key.") from None


def _make_key(session: Session, tenant: TenantId) -> TenantKeyRow:
    # Two first uses at the same time must not make two keys.
    session.execute(text("select pg_advisory_xact_lock(hashtext('tenant key'), :tenant)"), {"tenant": tenant})
    key = session.get(TenantKeyRow, tenant, populate_existing=True)
    if key is None:
        master = _require_master()
        nonce = os.urandom(NONCE_BYTES)
        wrapped = nonce + master.cipher.encrypt(nonce, AESGCM.generate_key(256), _bound_to(tenant, "data key"))
        key = TenantKeyRow(tenant_id=tenant, wrapped=wrapped, master_id=master.id)
        session.add(key)
        session.flush()
    return key


def _data_key(key: TenantKeyRow) -> AESGCM:
    master = _require_master()
    if key.master_id != master.id:
        raise Conflict("The tenant's key was wrapped with another secret key than this installation's.")
    nonce, wrapped = key.wrapped[:NONCE_BYTES], key.wrapped[NONCE_BYTES:]
    return AESGCM(master.cipher.decrypt(nonce, wrapped, _bound_to(key.tenant_id, "data key")))


def _bound_to(tenant: int, context: str) -> bytes:
    return f"{tenant}|{context}".encode()


def _require_master() -> _Master:
    assert _master is not None, "open_keyring() was not called"
    return _master
