"""The jobs that forecast: every series of a tenant each six hours, and answers to questions for forecasts."""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from app import clock, jobs
from app.actions import bands, forecasts, inference, pins
from app.actions.champions import champion
from app.actions.forecasts import Models
from app.domain.forecast.families import Family
from app.domain.forecast.hourly import Served
from app.domain.forecast.outlook import Predicted, PredictQuestion
from app.domain.tenancy import TenantId
from app.queries import forecasting
from workers.one_at_a_time import turn

log = logging.getLogger(__name__)

# Others wait on the same queue: a run is cut into pieces.
BUDGET_S: Final = 20.0

# auto_arima takes seconds a series.
PINNED_S: Final = 240.0

# The models of the run that each tenant is in, and those of its last run.
_models: dict[TenantId, Models] = {}


def forecast(*, tenant: int) -> None:
    """Job: a piece of a tenant's run, when one is due; queues itself again, behind other jobs, while it is not done."""
    with turn(f"forecast:{tenant}", longest_s=jobs.FORECAST.timeout_s) as is_ours:
        is_done = not is_ours or run(TenantId(tenant), clock.now_ms())
    if not is_done:
        jobs.enqueue(jobs.FORECAST, tenant=tenant)
    elif is_ours:
        jobs.enqueue(jobs.PINNED, tenant=tenant)


def pinned(*, tenant: int) -> None:
    """Job: series that somebody pinned, in the newest forecasts; what there is no time for stays as it is."""
    with turn(f"forecast:{tenant}", longest_s=jobs.PINNED.timeout_s) as is_ours:
        if not is_ours:
            return
        began_s = clock.monotonic_s()
        found = pins.foretell(
            TenantId(tenant), now_ms=clock.now_ms(), may_go_on=lambda: clock.monotonic_s() - began_s < PINNED_S
        )
    if found.series:
        log.info("pinned series", extra={"tenant": tenant} | vars(found))


def run(tenant: TenantId, now_ms: int) -> bool:
    """Go on with the run that is due; answers whether nothing is left of it."""
    made_ms = forecasts.due(tenant, now_ms)
    if made_ms is None:
        return True
    began_s = clock.monotonic_s()
    is_done = forecasts.run(
        tenant, models_of(tenant, made_ms), may_go_on=lambda: clock.monotonic_s() - began_s < BUDGET_S
    )
    seconds = round(clock.monotonic_s() - began_s, 1)
    log.info("forecast", extra={"tenant": tenant, "hour": made_ms, "seconds": seconds, "all": is_done})
    return is_done


def models_of(tenant: TenantId, made_ms: int) -> Models:
    """The models of a run; those that this process trained for it are kept."""
    models = _models.get(tenant)
    if models is None or models.made_ms != made_ms:
        models = _models[tenant] = Models(tenant, made_ms, champion)
    return models


def predict(*, tenant: int, question: str) -> None:
    """Job: answer a question for forecasts, and keep the answer for charts that ask the same."""
    owner = TenantId(tenant)
    inference.respond(
        owner, question, lambda asked: _predicted(owner, asked), keep=lambda asked, its: bands.keep(owner, asked, its)
    )


def _predicted(tenant: TenantId, asked: bytes) -> list[Predicted]:
    wanted = msgspec.json.decode(asked, type=PredictQuestion)

    def model_of(family: Family) -> Served:
        found = champion(tenant, family)
        models = _models.get(tenant)
        return Served(found, has_seen=True) if found else Served(models.kept(family) if models else None)

    return forecasting.predict(tenant, wanted, model_of)
