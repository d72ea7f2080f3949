"""The job that brings one archive back."""

from __future__ import annotations

from datetime import datetime

from app.actions import storage
from app.domain.tenancy import TenantId


def restore(tenant: int, bucket: str, days: int) -> None:
    """Job: put the samples of the archive that begins at `bucket` back; safe to run twice."""
    storage.bring_back(TenantId(tenant), datetime.fromisoformat(bucket), days=days)
