"""The names of the jobs, their queues and limits, and enqueue(). No job's code is imported here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rq import Queue
from rq.serializers import JSONSerializer

from app.valkey import valkey

QUEUES: Final = ("ingest", "rules", "notify", "default", "reports", "detect", "ml", "arima")


@dataclass(frozen=True)
class Job:
    """A function of `workers/`, by its dotted name, with its queue and time limit."""

    function: str
    queue: str
    timeout_s: int


CAPACITY: Final = Job("workers.capacity.capacity", "ml", 3000)
COMPACT: Final = Job("workers.compact.compact", "default", 300)
DETECT: Final = Job("workers.detect.detect", "detect", 300)
COMPARE: Final = Job("workers.detect.compare", "detect", 300)
TOGETHER: Final = Job("workers.detect.together", "detect", 60)
SCORE: Final = Job("workers.detect.score", "detect", 60)
DRAIN: Final = Job("workers.drain.drain", "ingest", 120)
EVALUATE: Final = Job("workers.evaluate.evaluate_group", "rules", 60)
EXPIRE: Final = Job("workers.expire.expire", "rules", 60)
ERASE: Final = Job("workers.erase.erase", "default", 3000)
FORECAST: Final = Job("workers.forecast.forecast", "ml", 600)
FORGET: Final = Job("workers.forget.forget", "default", 300)
DELIVER: Final = Job("workers.notify.deliver", "notify", 60)
DISCOVER: Final = Job("workers.discover.discover", "default", 300)
PINNED: Final = Job("workers.forecast.pinned", "arima", 300)
PREDICT: Final = Job("workers.forecast.predict", "detect", 60)
PURGE: Final = Job("workers.retain.purge", "default", 3000)
RETAIN: Final = Job("workers.retain.retain", "default", 3000)
RESTORE: Final = Job("workers.restore.restore", "default", 600)
TRAIN: Final = Job("workers.train.train", "ml", 600)
DRIFT: Final = Job("workers.train.check_drift", "ml", 300)
SWEEP: Final = Job("workers.sweep.sweep", "default", 60)

JOBS: Final = (
    DRAIN,
    EVALUATE,
    DELIVER,
    DISCOVER,
    RETAIN,
    PURGE,
    SWEEP,
    EXPIRE,
    FORGET,
    ERASE,
    RESTORE,
    COMPACT,
    CAPACITY,
    FORECAST,
    PINNED,
    DETECT,
    COMPARE,
    TOGETHER,
    SCORE,
    TRAIN,
    DRIFT,
    PREDICT,
)


def enqueue(job: Job, **ids: int | str) -> None:
    """Put a job on its queue.."""
    queue = Queue(job.queue, connection=valkey(), serializer=JSONSerializer)
    queue.enqueue(job.function, kwargs=ids, job_timeout=job.timeout_s, result_ttl=0, failure_ttl=86_400)
