"""Writing the log of what is injected on purpose; whoever injects tells it, as often as it likes."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.dialects.postgresql import insert

from app.auth.permissions import require
from app.domain.injections import Injection
from app.domain.tenancy import ADMIN, Viewer
from models.injections import InjectionRow
from models.session import tenant_session

NOUN = "injections"


def record(viewer: Viewer, injections: Sequence[Injection]) -> None:
    """Keep injections of the viewer's tenant; of one that is known by its `ref` everything is as told last."""
    require(viewer, ADMIN, NOUN)
    rows = [
        {
            "tenant_id": viewer.tenant,
            "ref": injection.ref,
            "family": injection.family.value,
            "kind": injection.kind,
            "metric": injection.metric,
            "labels": dict(injection.labels),
            "affected": list(injection.affected),
            "started_at": injection.started_at,
            "ended_at": injection.ended_at,
            "magnitude": injection.magnitude,
        }
        for injection in {injection.ref: injection for injection in injections}.values()
    ]
    if not rows:
        return
    store = insert(InjectionRow)
    told = {name: store.excluded[name] for name in rows[0] if name not in ("tenant_id", "ref")}
    with tenant_session(viewer.tenant) as session:
        session.execute(store.on_conflict_do_update(index_elements=["tenant_id", "ref"], set_=told), rows)
