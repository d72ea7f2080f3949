"""The job that scores what came into one tenant's store and raises alerts; its worker remembers the detectors' states.

One worker at a time holds a tenant (a lease in Valkey). Another one that takes it over loads the last check-point and
replays what came since; what this process knew is void then, which the store tells it (Overtaken).
"""

from __future__ import annotations

import logging
from typing import Final

import msgspec

from app import clock, jobs, selfmetrics
from app.actions import anomalies, inference, peers, residuals
from app.domain.anomaly.memory import Memory
from app.domain.anomaly.novelty import Novelty
from app.domain.anomaly.question import ScoredColumn, ScoreQuestion
from app.domain.tenancy import TenantId
from app.queries import scoring
from app.queries.together import together as device_together
from app.tsdb.detector_states import Overtaken
from app.tsdb.scores import KEPT_DAYS
from workers.one_at_a_time import turn

log = logging.getLogger(__name__)

# Of one cycle: then questions and other tenants have their turn.
BUDGET_S: Final = 5.0
TURN: Final = "detect:{tenant}"
LONGEST_S: Final = 300.0
DAY_MS: Final = 86_400_000

_memories: dict[TenantId, Memory] = {}


def detect(*, tenant: int) -> None:
    """Job: one cycle of a tenant; queues itself again, behind other tenants, while there is more to score."""
    with turn(TURN.format(tenant=tenant), longest_s=LONGEST_S) as is_ours:
        is_done = not is_ours or run(TenantId(tenant))
    if not is_done:
        jobs.enqueue(jobs.DETECT, tenant=tenant)


def run(tenant: TenantId) -> bool:
    """Score and raise; answers whether nothing is left."""
    began_s, now_ms = clock.monotonic_s(), clock.now_ms()
    # A cycle that fails leaves what was scored and not stored in the states: they begin anew from the store then.
    memory = _memories.pop(tenant, None) or Memory(Novelty)
    try:
        cycle = anomalies.score_new_points(tenant, memory, now_ms=now_ms, budget_s=BUDGET_S)
    except Overtaken:
        log.info("another worker scored this tenant; starting from its check-point", extra={"tenant": tenant})
        return False
    _memories[tenant] = memory
    firing = anomalies.raise_alerts(tenant, now=clock.utc_now())
    anomalies.forget_scores(tenant, before_ms=now_ms - KEPT_DAYS * DAY_MS)
    took_s = clock.monotonic_s() - began_s
    selfmetrics.DETECTION_SECONDS.observe(took_s)
    selfmetrics.DETECTION_LAG.set(cycle.lag_s)
    facts = {"tenant": tenant, "points": cycle.points, "series": cycle.series, "seconds": round(took_s, 2)}
    log.info("scored", extra=facts | {"anomalies": cycle.anomalies, "firing": firing, "all": cycle.is_done})
    return cycle.is_done


def compare(*, tenant: int) -> None:
    """Job: the last full hour beside its forecast, and the devices of each role side by side."""
    now_ms = clock.now_ms()
    with turn(TURN.format(tenant=tenant), longest_s=LONGEST_S) as is_ours:
        if is_ours:
            off = residuals.compare_with_forecasts(TenantId(tenant), now_ms=now_ms)
            unlike = peers.compare_peers(TenantId(tenant), now_ms=now_ms)
            log.info("compared", extra={"tenant": tenant, "off_forecast": off, "unlike_peers": unlike})


def score(*, tenant: int, question: str) -> None:
    """Job: answer a question for scores."""
    inference.respond(TenantId(tenant), question, lambda asked: _scores(TenantId(tenant), asked))


def together(*, tenant: int, question: str) -> None:
    """Job: answer what the readings of an anomaly's device were together; the question is its id."""
    inference.respond(TenantId(tenant), question, lambda asked: device_together(TenantId(tenant), int(asked)))


def _scores(tenant: TenantId, asked: bytes) -> list[ScoredColumn]:
    wanted = msgspec.json.decode(asked, type=ScoreQuestion)
    if wanted.series:
        return scoring.score_values(Novelty, wanted.series)
    return scoring.score_stored(tenant, Novelty, wanted.selector, start_ms=wanted.start_ms, end_ms=wanted.end_ms)
