"""Once in a few seconds: the shards as they are to be, and a drain for each that nobody drains."""

from __future__ import annotations

import logging

from rq import Queue
from rq.serializers import JSONSerializer

from app import jobs, selfmetrics
from app.tsdb.layout import load_shards
from app.valkey import valkey
from ingest import shards
from workers.drain import held, queue_drains

log = logging.getLogger(__name__)


def sweep() -> None:
    """Job: make sure that the stream has its shards and each a drain at work or waiting for a worker."""
    if shards.lay_out(load_shards()):
        log.info("the stream has another number of shards", extra={"shards": shards.count()})
    queue = Queue(jobs.DRAIN.queue, connection=valkey(), serializer=JSONSerializer)
    waiting: set[int] = set()
    for job in queue.get_jobs():
        if job.func_name == jobs.DRAIN.function:
            waiting |= {int(shard) for shard in str(job.kwargs["shards"]).split(",")}
    idle = [shard for shard in shards.active() if shard not in waiting and not held(shard)]
    if idle:
        queue_drains(idle)
    for shard, entries in shards.waiting().items():
        selfmetrics.STREAM_ENTRIES.labels(str(shard)).set(entries)
