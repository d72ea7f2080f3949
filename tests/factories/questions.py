"""Questions for forecasts, answered in this process as an ml worker does."""

from __future__ import annotations

import zlib

import msgspec
from redis import Redis

from app import jobs
from workers.forecast import predict


def answer_next(valkey: Redis, *, wait_s: float) -> bool:
    """Answer the question that waits first; False when none comes in time."""
    found = valkey.blpop([f"rq:queue:{jobs.PREDICT.queue}"], timeout=wait_s)
    if not isinstance(found, list | tuple):
        return False
    data = valkey.hget(f"rq:job:{found[1].decode()}", "data")
    assert isinstance(data, bytes)
    _, _, _, arguments = msgspec.json.decode(zlib.decompress(data))
    predict(**arguments)
    return True
