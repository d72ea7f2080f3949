"""Once in a few seconds: queue a drain for every shard that nobody drains."""

from __future__ import annotations

from rq import Queue
from rq.serializers import JSONSerializer

from app import jobs, selfmetrics
from app.valkey import valkey
from ingest import stream
from workers.drain import held, queue_drains


def sweep() -> None:
    """Job: make sure that each shard of the stream has a drain at work or waiting for a worker."""
    queue = Queue(jobs.DRAIN.queue, connection=valkey(), serializer=JSONSerializer)
    waiting: set[int] = set()
    for job in queue.get_jobs():
        if job.func_name == jobs.DRAIN.function:
            waiting |= {int(shard) for shard in str(job.kwargs["shards"]).split(",")}
    idle = [shard for shard in range(stream.SHARDS) if shard not in waiting and not held(shard)]
    if idle:
        queue_drains(idle)
    for shard in range(stream.SHARDS):
        selfmetrics.STREAM_ENTRIES.labels(str(shard)).set(stream.waiting(shard))
