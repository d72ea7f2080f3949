"""The RQ worker: works off jobs one after the other in this process. One of the three edges that catch everything.

No fork for each job: a drain takes milliseconds, a fork tens of them. A job that hangs is cut off by its time limit,
and one that was cut off by kill -9 is safe to run again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from threading import Event
from typing import Any

from redis import Redis
from redis.exceptions import RedisError
from rq import SimpleWorker
from rq.executions import Execution
from rq.job import Job
from rq.queue import Queue
from rq.serializers import JSONSerializer

from app import clock, selfmetrics
from app.errors import WatchfloorError
from app.runtime.process import close_process, open_process
from app.settings import Settings

log = logging.getLogger(__name__)

# How long a worker that fell silent counts as alive; also bounds every wait for Valkey.
WORKER_TTL_S = 60
# How often jobs are looked for that a killed worker left behind.
MAINTENANCE_S = 30
PAUSE_S = 0.5


class JobWorker(SimpleWorker):
    """RQ's worker without its fork, with our log and our counters."""

    max_connection_wait_time = 2.0
    log_result_lifespan = False

    @property
    def is_told_to_stop(self) -> bool:
        """Whether a signal asked for the end."""
        return self._shutdown_requested_date is not None

    def perform_job(self, job: Job, queue: Queue, execution: Execution) -> bool:
        """Do one job, count it and its time; answers whether it went well."""
        name = job.func_name or "unknown"
        if job.enqueued_at:
            waited_s = clock.utc_now().timestamp() - job.enqueued_at.timestamp()
            selfmetrics.JOB_WAIT_SECONDS.labels(queue.name).observe(max(0.0, waited_s))
        begun_s = clock.monotonic_s()
        is_done = super().perform_job(job, queue, execution)
        selfmetrics.JOB_SECONDS.labels(name).observe(clock.monotonic_s() - begun_s)
        selfmetrics.JOBS.labels(name, "done" if is_done else "failed").inc()
        return is_done

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """One line for what the program raised on purpose, a stack for everything else."""
        facts = {"job": job.func_name, **(job.kwargs or {})}
        if isinstance(exc_info[1], WatchfloorError):
            log.warning("job failed: %s", exc_info[1], extra=facts)
        else:
            log.error("job failed", exc_info=exc_info, extra=facts)


def main(settings: Settings, queues: Sequence[str]) -> None:
    """Work off `queues` (the first ones first) until SIGTERM; the job at hand is finished."""
    ready = open_process(settings, "worker", pool_size=4)
    assert ready.redis_url
    logging.getLogger("rq").setLevel(logging.WARNING)
    log.info("working off %s", ", ".join(queues))
    while not work_once(ready.redis_url, queues):
        # Valkey went away: it comes back, and so do we.
        Event().wait(PAUSE_S)
    close_process()


def work_once(redis_url: str, queues: Sequence[str], *, is_burst: bool = False) -> bool:
    """Work until told to stop (True) or until Valkey fails (False). In a burst: until the queues are empty."""
    try:
        worker = JobWorker(list(queues), **_options(redis_url))
        worker.work(burst=is_burst, logging_level="WARNING")
    except RedisError as error:
        log.warning("Valkey does not answer: %s", error)
        return False
    return is_burst or worker.is_told_to_stop


def _options(redis_url: str) -> dict[str, Any]:
    return {
        # Its own connections: the worker changes their time limits to wait for jobs.
        "connection": Redis.from_url(redis_url, socket_connect_timeout=2),
        "serializer": JSONSerializer,
        "maintenance_interval": MAINTENANCE_S,
        "worker_ttl": WORKER_TTL_S,
        "log_job_description": False,
    }
