"""Models in the registry without a training."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from app.domain.mlmodels.model import Stage
from app.tsdb import artefacts
from models.mlmodels import ModelRow
from models.session import tenant_session
from tests.factories.cast import Cast

WHEN = datetime(2026, 11, 24, tzinfo=UTC)


def registered(cast: Cast, version: int, **more: object) -> int:
    """A model of acme's processors; its artefact is in the store."""
    sha256, size = artefacts.save(cast.acme, {"value": np.array([version])})
    facts = {
        "family": "cpu",
        "kind": "global_boosting",
        "stage": Stage.CANDIDATE,
        "code_version": "x",
        "feature_set": 1,
        "trained_from": WHEN,
        "trained_to": WHEN,
        "fingerprint": "f",
        "created_by": "test",
    }
    row = ModelRow(tenant_id=cast.acme, version=version, sha256=sha256, size_bytes=size, **{**facts, **more})
    with tenant_session(cast.acme) as session:
        session.add(row)
    return row.id


def three_versions(cast: Cast) -> list[int]:
    """One that served, the champion, and a candidate."""
    return [
        registered(cast, 1, stage=Stage.ARCHIVED, promoted_at=WHEN),
        registered(cast, 2, stage=Stage.CHAMPION, promoted_at=WHEN),
        registered(cast, 3),
    ]
