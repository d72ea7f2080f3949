"""The model in service of each family: loaded from the registry, checked, and kept by the process that uses it.

An artefact that is missing or not the one that was registered takes nothing down: it is flagged, and the last good one
serves in its place. Imports the trees: for ml workers, not for the web.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

from sqlalchemy import select, update

from app.domain.forecast import features
from app.domain.forecast.boosting import GlobalModel
from app.domain.forecast.families import Family
from app.domain.mlmodels.model import GLOBAL_BOOSTING, Stage
from app.domain.tenancy import TenantId
from app.errors import DecodeError, NotFound, Unavailable
from app.tsdb import artefacts
from models.mlmodels import ModelRow
from models.session import generation, tenant_session

log = logging.getLogger(__name__)

MOST_KEPT: Final = 64
_loaded: dict[tuple[int, TenantId, str], GlobalModel] = {}


def champion(tenant: TenantId, family: Family) -> GlobalModel | None:
    """The model that serves a family of a tenant; None when there is none that can be used."""
    for row in _in_order(tenant, family):
        model = load(tenant, row)
        if model is not None:
            return model
    return None


def load(tenant: TenantId, row: ModelRow) -> GlobalModel | None:
    """The model of a row of the registry; None, with its flag set, when its artefact is missing or not itself."""
    key = (generation(), tenant, row.sha256)
    model = _loaded.get(key)
    if model is not None:
        return model
    try:
        model = GlobalModel.from_arrays(artefacts.load(tenant, row.sha256))
    except Unavailable:
        # The store is away: that says nothing of the artefact.
        log.warning("model cannot be read now", extra=_facts(tenant, row))
        return None
    except (NotFound, DecodeError, ValueError) as error:
        log.error("model is damaged: %s", error, extra=_facts(tenant, row))
        _flag(tenant, row.id, is_damaged=True)
        return None
    if row.is_damaged:
        _flag(tenant, row.id, is_damaged=False)
    if len(_loaded) >= MOST_KEPT:
        _loaded.clear()
    _loaded[key] = model
    return model


def _in_order(tenant: TenantId, family: Family) -> Sequence[ModelRow]:
    """The champion, then those that once were, the newest first; of these features alone."""
    query = (
        select(ModelRow)
        .where(
            ModelRow.tenant_id == tenant,
            ModelRow.family == family,
            ModelRow.kind == GLOBAL_BOOSTING,
            ModelRow.feature_set == features.VERSION,
            ModelRow.promoted_at.is_not(None),
        )
        .order_by((ModelRow.stage == Stage.CHAMPION).desc(), ModelRow.version.desc())
    )
    with tenant_session(tenant) as session:
        return session.scalars(query).all()


def _flag(tenant: TenantId, model_id: int, *, is_damaged: bool) -> None:
    with tenant_session(tenant) as session:
        session.execute(
            update(ModelRow).where(ModelRow.tenant_id == tenant, ModelRow.id == model_id).values(is_damaged=is_damaged)
        )


def _facts(tenant: TenantId, row: ModelRow) -> dict[str, object]:
    return {"tenant": tenant, "family": row.family, "version": row.version, "sha256": row.sha256[:12]}
