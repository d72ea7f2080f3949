"""Artefacts in the object store, each under the hash of its content: written once, checked at every load."""

from __future__ import annotations

from typing import Any, Final

from numpy.typing import NDArray

from app.domain.mlmodels import artefact
from app.domain.mlmodels.artefact import Arrays
from app.domain.tenancy import TenantId
from app.objects import objects

_PATH: Final = "tenant={tenant}/models/{sha256}.npz"


def save(tenant: TenantId, arrays: Arrays) -> tuple[str, int]:
    """Store arrays; answers the hash and the size in bytes."""
    content = artefact.encode(arrays)
    sha256 = artefact.hash_of(content)
    objects().put(path_of(tenant, sha256), content)
    return sha256, len(content)


def load(tenant: TenantId, sha256: str) -> dict[str, NDArray[Any]]:
    """The arrays again; raises NotFound when they are gone, DecodeError when they are not the ones that were stored."""
    return artefact.decode(objects().get(path_of(tenant, sha256)), sha256)


def delete(tenant: TenantId, sha256: str) -> None:
    """Remove an artefact that no row names any more."""
    objects().delete(path_of(tenant, sha256))


def path_of(tenant: TenantId, sha256: str) -> str:
    """Where an artefact lies in the object store."""
    return _PATH.format(tenant=tenant, sha256=sha256)
