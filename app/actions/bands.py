"""Ranges for the lines of a chart: asked of an ml worker once an hour, kept until the next.

A chart asks again with every refresh; what was answered for the same lines and hour is given at once.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

from app import jobs
from app.actions import inference
from app.auth.permissions import require
from app.domain.forecast.outlook import HOUR_MS, Predicted, PredictQuestion
from app.domain.tenancy import READ, TenantId, Viewer
from app.valkey import valkey

NOUN: Final = "metrics"
KEPT: Final = "ml:bands:{tenant}:{name}"
KEPT_S: Final = 3_600
# A fault may have passed when the chart is drawn again.
FAULT_KEPT_S: Final = 30
# A chart does not wait for long: it is drawn without, and with the next refresh the answer is there.
WAIT_S: Final = 4
# What ended less than this ago may still be on its way to the store.
SETTLE_MS: Final = 300_000


def bands(viewer: Viewer, wanted: PredictQuestion) -> list[Predicted] | None:
    """What is asked; None when it is not known yet. Raises InvalidInput when it cannot be computed."""
    require(viewer, READ, NOUN)
    asked = msgspec.json.encode(wanted)
    found = valkey().get(_name(viewer.tenant, asked))
    if not isinstance(found, bytes):
        found = inference.ask_ahead(viewer, NOUN, jobs.PREDICT, asked, name=digest(asked), wait_s=WAIT_S)
    return None if found is None else inference.opened(found, list[Predicted], where="forecast")


def keep(tenant: TenantId, asked: bytes, answer: bytes) -> None:
    """Keep an answer until the hour after it."""
    kept_s = FAULT_KEPT_S if inference.is_fault(answer) else KEPT_S
    valkey().set(_name(tenant, asked), answer, ex=kept_s)


def digest(asked: bytes) -> str:
    """What a question is called, the same for who asks the same."""
    return sha256(asked).hexdigest()[:32]


def last_hour(now_ms: int) -> int:
    """The newest full hour that is settled: what a forecast goes on from."""
    return (now_ms - SETTLE_MS) // HOUR_MS * HOUR_MS


def _name(tenant: TenantId, asked: bytes) -> str:
    return KEPT.format(tenant=tenant, name=digest(asked))
