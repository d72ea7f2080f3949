"""Every job's name leads to a function, and every timed entry to something that can run."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from app import jobs
from workers.schedule import SCHEDULE


@pytest.mark.parametrize("job", jobs.JOBS, ids=lambda job: job.function)
def test_the_name_of_a_job_resolves(job: jobs.Job) -> None:
    module, _, name = job.function.rpartition(".")
    assert callable(getattr(import_module(module), name))
    assert job.queue in jobs.QUEUES


def test_every_job_constant_is_listed() -> None:
    named = {value for value in vars(jobs).values() if isinstance(value, jobs.Job)}
    assert named == set(jobs.JOBS)


def test_the_schedule_names_each_entry_once() -> None:
    names = [timed.name for timed in SCHEDULE]
    assert len(names) == len(set(names))
    assert all(timed.every_s > 0 and callable(timed.act) for timed in SCHEDULE)


def test_up_works_off_every_queue() -> None:
    source = (Path(__file__).parents[2] / "app" / "cli" / "up.py").read_text()
    assert all(f'"{queue}"' in source for queue in jobs.QUEUES)
