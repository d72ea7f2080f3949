"""The RQ worker: does jobs in its own process, survives the ones that fail, stops when told."""

from __future__ import annotations

import logging
import os
import signal
import time

import pytest
from redis import Redis
from rq import Queue
from rq.registry import FailedJobRegistry
from rq.serializers import JSONSerializer

from app import selfmetrics
from app.errors import NotFound
from tests.factories.processes import in_child
from tests.factories.servers import Servers
from workers.run import work_once

HERE = "tests.workers.test_run"


def note(key: str, value: str) -> None:
    """A job: leaves a trace in Valkey, with the process that did it."""
    _connection().rpush(key, f"{value} {os.getpid()}")


def fail_on_purpose() -> None:
    """A job that raises what the program raises on purpose."""
    raise NotFound("no such group")


def fail_by_mistake() -> None:
    """A job with a bug."""
    raise ZeroDivisionError


def hang() -> None:
    """A job that does not end."""
    time.sleep(60)


def be_told_to_stop() -> None:
    """A job during which SIGTERM arrives."""
    os.kill(os.getpid(), signal.SIGTERM)


_urls: list[str] = []


def _connection() -> Redis:
    return Redis.from_url(_urls[-1])


@pytest.fixture
def queue(valkey: Redis, servers: Servers) -> Queue:
    """An empty queue; `default` of this run's Valkey."""
    _urls.append(servers.redis_url)
    return Queue("default", connection=valkey, serializer=JSONSerializer)


def test_jobs_are_done_in_this_process_one_after_the_other(queue: Queue, valkey: Redis, servers: Servers) -> None:
    for number in range(3):
        queue.enqueue(note, kwargs={"key": "notes", "value": str(number)})
    assert work_once(servers.redis_url, ["default"], is_burst=True)
    assert valkey.lrange("notes", 0, -1) == [f"{number} {os.getpid()}".encode() for number in range(3)]


def test_the_queue_that_is_named_first_goes_first(queue: Queue, valkey: Redis, servers: Servers) -> None:
    queue.enqueue(note, kwargs={"key": "notes", "value": "default"})
    Queue("notify", connection=valkey, serializer=JSONSerializer).enqueue(
        note, kwargs={"key": "notes", "value": "notify"}
    )
    work_once(servers.redis_url, ["notify", "default"], is_burst=True)
    assert [entry.split()[0] for entry in valkey.lrange("notes", 0, -1)] == [b"notify", b"default"]


@pytest.mark.parametrize(
    ("job", "has_stack"),
    [
        pytest.param(fail_on_purpose, False, id="an error of ours is one line"),
        pytest.param(fail_by_mistake, True, id="a bug leaves its stack"),
    ],
)
def test_a_job_that_fails_is_told_kept_and_stops_no_other(
    queue: Queue, servers: Servers, valkey: Redis, caplog: pytest.LogCaptureFixture, job: object, has_stack: bool
) -> None:
    queue.enqueue(job)
    queue.enqueue(note, kwargs={"key": "notes", "value": "after"})
    with caplog.at_level(logging.WARNING, "workers.run"):
        work_once(servers.redis_url, ["default"], is_burst=True)
    [record] = [record for record in caplog.records if record.name == "workers.run"]
    assert record.job.endswith(job.__name__)
    assert bool(record.exc_info) is has_stack
    assert valkey.llen("notes") == 1
    assert FailedJobRegistry(queue=queue).count == 1


def test_a_job_that_hangs_is_cut_off(queue: Queue, servers: Servers, valkey: Redis) -> None:
    queue.enqueue(hang, job_timeout=1)
    queue.enqueue(note, kwargs={"key": "notes", "value": "after"})
    work_once(servers.redis_url, ["default"], is_burst=True)
    assert valkey.llen("notes") == 1


def test_told_to_stop_it_ends_the_job_at_hand_and_no_other(queue: Queue, servers: Servers, valkey: Redis) -> None:
    queue.enqueue(be_told_to_stop)
    queue.enqueue(note, kwargs={"key": "notes", "value": "after"})

    def story() -> None:
        assert work_once(servers.redis_url, ["default"])

    assert in_child(story) == 0
    assert valkey.llen("notes") == 0
    assert queue.count == 1


def test_without_valkey_it_says_so_and_is_asked_again() -> None:
    assert not work_once("redis://127.0.0.1:1/0", ["default"])


def test_jobs_are_counted_by_how_they_ended(queue: Queue, servers: Servers) -> None:
    queue.enqueue(fail_on_purpose)
    queue.enqueue(note, kwargs={"key": "notes", "value": "x"})
    work_once(servers.redis_url, ["default"], is_burst=True)
    counted = selfmetrics.exposition().decode()
    assert f'watchfloor_jobs_total{{job="{HERE}.fail_on_purpose",outcome="failed"}}' in counted
    assert f'watchfloor_jobs_total{{job="{HERE}.note",outcome="done"}}' in counted
